-- +goose Up
-- Looks at codes: totals for ever, and devices of a day, whose hashes nobody can
-- make again once the day's salt is deleted.
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
CREATE TABLE markets (
    tenant  TEXT NOT NULL PRIMARY KEY REFERENCES tenants (id),
    regions TEXT NOT NULL,
    account TEXT NOT NULL,
    at      BIGINT NOT NULL
);
CREATE TABLE scan_alarms (
    id           TEXT NOT NULL PRIMARY KEY,
    reason       TEXT NOT NULL,
    code         TEXT NOT NULL,
    tenant       TEXT REFERENCES tenants (id),
    batch        TEXT REFERENCES batches (id),
    region       TEXT NOT NULL,
    raised       BIGINT NOT NULL,
    evidence     TEXT NOT NULL,
    told         BIGINT,
    acknowledged BIGINT,
    account      TEXT,
    finding      TEXT
);
CREATE UNIQUE INDEX scan_alarms_open ON scan_alarms (code, reason) WHERE acknowledged IS NULL;
CREATE INDEX scan_alarms_raised ON scan_alarms (raised, id);
CREATE INDEX scan_alarms_tenant ON scan_alarms (tenant, raised);
