-- +goose Up
-- Inspectors belong to a region as bureau officers do, laboratories to the operator
-- that they work for. SQLite cannot change a CHECK, so the table is copied, and with
-- it the sessions, which would go with their accounts.
CREATE TABLE all_accounts (
    login    TEXT NOT NULL PRIMARY KEY,
    name     TEXT NOT NULL,
    role     TEXT NOT NULL CHECK (role IN ('administrator', 'bureau', 'inspector', 'manager', 'farmer', 'laboratory')),
    tenant   TEXT REFERENCES tenants (id),
    region   TEXT NOT NULL,
    password TEXT NOT NULL,
    created  BIGINT NOT NULL,
    CHECK ((tenant IS NOT NULL) = (role IN ('manager', 'farmer', 'laboratory'))),
    CHECK ((region <> '') = (role IN ('bureau', 'inspector')))
);
INSERT INTO all_accounts SELECT login, name, role, tenant, region, password, created FROM accounts;
CREATE TABLE open_sessions AS SELECT token_hash, login, created, expires FROM sessions;
DROP TABLE sessions;
DROP TABLE accounts;
ALTER TABLE all_accounts RENAME TO accounts;
CREATE TABLE sessions (
    token_hash BYTEA NOT NULL PRIMARY KEY,
    login      TEXT NOT NULL REFERENCES accounts (login) ON DELETE CASCADE,
    created    BIGINT NOT NULL,
    expires    BIGINT NOT NULL
);
INSERT INTO sessions SELECT token_hash, login, created, expires FROM open_sessions;
DROP TABLE open_sessions;
CREATE INDEX sessions_login ON sessions (login, created);
CREATE INDEX sessions_expires ON sessions (expires);
