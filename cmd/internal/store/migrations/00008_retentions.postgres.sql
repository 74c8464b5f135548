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

CREATE TRIGGER retentions_no_change BEFORE UPDATE OR DELETE ON retentions
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER retentions_no_truncate BEFORE TRUNCATE ON retentions
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
