-- +goose Up
-- Jobs that bring old data in. params is the order, progress what was done of it,
-- both JSON. A job of no tenant is an administrator's.
CREATE TABLE jobs (
    id       TEXT NOT NULL PRIMARY KEY,
    kind     TEXT NOT NULL CHECK (kind IN ('backfill', 'replay')),
    tenant   TEXT REFERENCES tenants (id),
    account  TEXT NOT NULL,
    state    TEXT NOT NULL CHECK (state IN ('waiting', 'running', 'done', 'failed', 'cancelled')),
    params   TEXT NOT NULL,
    progress TEXT NOT NULL,
    cursor   TEXT NOT NULL,
    error    TEXT NOT NULL,
    tries    BIGINT NOT NULL,
    created  BIGINT NOT NULL,
    started  BIGINT,
    updated  BIGINT,
    ended    BIGINT,
    CHECK ((ended IS NOT NULL) = (state IN ('done', 'failed', 'cancelled')))
);
CREATE INDEX jobs_tenant ON jobs (tenant, created);
CREATE INDEX jobs_created ON jobs (created);
CREATE INDEX jobs_open ON jobs (state) WHERE state IN ('waiting', 'running');

-- How a device's frames are read, as of the last time its quarantine was replayed.
-- A device may be one that nobody registered yet.
CREATE TABLE mends (
    device      TEXT NOT NULL PRIMARY KEY,
    fingerprint TEXT NOT NULL
);
