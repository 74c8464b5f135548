-- +goose Up
-- Packages of operators' records that were ordered. Files lie in the data directory;
-- files is JSON, empty where there are none, and size what they are together, in bytes.
CREATE TABLE packages (
    id       TEXT NOT NULL PRIMARY KEY,
    operator TEXT NOT NULL REFERENCES tenants (id),
    first    BIGINT NOT NULL,
    behind   BIGINT NOT NULL,
    account  TEXT NOT NULL,
    state    TEXT NOT NULL,
    created  BIGINT NOT NULL,
    ended    BIGINT,
    expires  BIGINT,
    done     BIGINT NOT NULL,
    total    BIGINT NOT NULL,
    records  BIGINT NOT NULL,
    unsealed BIGINT NOT NULL,
    files    TEXT NOT NULL,
    size     BIGINT NOT NULL,
    reason   TEXT NOT NULL
);
CREATE INDEX packages_of ON packages (operator, created, id);
CREATE INDEX packages_state ON packages (state, created, id);
