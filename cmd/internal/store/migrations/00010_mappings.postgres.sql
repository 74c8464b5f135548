-- +goose Up
-- How the JSON of other people's devices is read. The newest version of a name
-- counts; a deleted one says nothing.
CREATE TABLE mappings (
    name    TEXT NOT NULL,
    version BIGINT NOT NULL CHECK (version > 0),
    doc     TEXT NOT NULL,
    deleted BOOLEAN NOT NULL,
    account TEXT NOT NULL,
    created BIGINT NOT NULL,
    PRIMARY KEY (name, version)
);

CREATE TRIGGER mappings_no_change BEFORE UPDATE OR DELETE ON mappings
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER mappings_no_truncate BEFORE TRUNCATE ON mappings
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
