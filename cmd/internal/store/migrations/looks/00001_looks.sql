-- +goose Up
-- Looks at codes: totals for ever, and devices of a day, whose hashes nobody can
-- make again once the day's salt is deleted. The same tables stand in PostgreSQL
-- among the records.
CREATE TABLE scan_codes (
    code  TEXT NOT NULL PRIMARY KEY,
    looks BIGINT NOT NULL,
    first BIGINT NOT NULL,
    last  BIGINT NOT NULL
);
CREATE TABLE scan_sightings (
    code   TEXT NOT NULL,
    day    BIGINT NOT NULL,
    device TEXT NOT NULL,
    region TEXT NOT NULL,
    cell   TEXT NOT NULL,
    looks  BIGINT NOT NULL,
    first  BIGINT NOT NULL,
    last   BIGINT NOT NULL,
    PRIMARY KEY (code, day, device, region, cell)
);
CREATE INDEX scan_sightings_day ON scan_sightings (day);
CREATE TABLE scan_salts (
    day  BIGINT NOT NULL PRIMARY KEY,
    salt TEXT NOT NULL
);
