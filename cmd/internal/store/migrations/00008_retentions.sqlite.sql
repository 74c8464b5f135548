-- +goose Up
-- How long values are kept, one line for every change: the newest of a tenant and
-- medium counts. No tenant is all of them, medium '' is all media; 0 days is for ever.
CREATE TABLE retentions (
    id        TEXT NOT NULL PRIMARY KEY,
    tenant    TEXT REFERENCES tenants (id),
    medium    TEXT NOT NULL,
    kind      TEXT NOT NULL CHECK (kind IN ('set', 'clear')),
    raw_days  BIGINT NOT NULL CHECK (raw_days >= 0),
    hour_days BIGINT NOT NULL CHECK (hour_days >= 0),
    day_days  BIGINT NOT NULL CHECK (day_days >= 0),
    at        BIGINT NOT NULL,
    effective BIGINT NOT NULL CHECK (effective >= at),
    account   TEXT NOT NULL
);

-- +goose StatementBegin
CREATE TRIGGER retentions_no_update BEFORE UPDATE ON retentions
BEGIN SELECT RAISE(ABORT, 'changes of retention are never changed'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER retentions_no_delete BEFORE DELETE ON retentions
BEGIN SELECT RAISE(ABORT, 'changes of retention are never deleted'); END;
-- +goose StatementEnd
