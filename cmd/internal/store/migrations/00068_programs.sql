-- +goose Up
-- Machines of operators that show a token; only its hash is here.
CREATE TABLE programs (
    id         TEXT NOT NULL PRIMARY KEY,
    tenant     TEXT NOT NULL REFERENCES tenants (id),
    name       TEXT NOT NULL,
    account    TEXT NOT NULL REFERENCES accounts (login),
    writes     BOOLEAN NOT NULL,
    token_hash BYTEA NOT NULL UNIQUE,
    created    BIGINT NOT NULL,
    expires    BIGINT NOT NULL,
    used       BIGINT
);
CREATE INDEX programs_of ON programs (tenant, id);
