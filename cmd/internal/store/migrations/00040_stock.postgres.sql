-- +goose Up
-- Substances that administrators forbid beside the shipped list. A row that lifts
-- another ends it on the day it begins itself. aliases and scope are JSON.
CREATE TABLE bans (
    id       TEXT NOT NULL PRIMARY KEY,
    name     TEXT NOT NULL,
    aliases  TEXT NOT NULL,
    cas      TEXT NOT NULL,
    scope    TEXT NOT NULL,
    source   TEXT NOT NULL,
    begins   BIGINT NOT NULL,
    lifts    TEXT UNIQUE REFERENCES bans (id),
    account  TEXT NOT NULL,
    recorded BIGINT NOT NULL
);

-- What left a lot without being used: spilt, expired, handed back.
CREATE TABLE write_offs (
    id       TEXT NOT NULL PRIMARY KEY,
    tenant   TEXT NOT NULL,
    lot      TEXT NOT NULL,
    n        BIGINT NOT NULL CHECK (n > 0),
    reason   TEXT NOT NULL,
    account  TEXT NOT NULL,
    recorded BIGINT NOT NULL,
    FOREIGN KEY (lot, tenant) REFERENCES lots (id, tenant)
);
CREATE INDEX write_offs_lot ON write_offs (lot);

CREATE TRIGGER bans_no_change BEFORE UPDATE OR DELETE ON bans
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER write_offs_no_change BEFORE UPDATE OR DELETE ON write_offs
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER bans_no_truncate BEFORE TRUNCATE ON bans
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER write_offs_no_truncate BEFORE TRUNCATE ON write_offs
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
