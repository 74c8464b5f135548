-- +goose Up
-- Packages that are, or were, handed over to the platform; of each the last attempt.
CREATE TABLE package_deliveries (
    package  TEXT NOT NULL PRIMARY KEY REFERENCES packages (id),
    form     TEXT NOT NULL,
    sha256   TEXT NOT NULL,
    platform TEXT NOT NULL,
    account  TEXT NOT NULL,
    state    TEXT NOT NULL,
    asked    BIGINT NOT NULL,
    ended    BIGINT,
    attempts BIGINT NOT NULL,
    due      BIGINT NOT NULL,
    receipt  TEXT NOT NULL,
    fault    TEXT NOT NULL
);
CREATE INDEX package_deliveries_due ON package_deliveries (state, due);
