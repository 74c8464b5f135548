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

-- +goose StatementBegin
CREATE TRIGGER mappings_no_update BEFORE UPDATE ON mappings
BEGIN SELECT RAISE(ABORT, 'versions of mappings are never changed'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER mappings_no_delete BEFORE DELETE ON mappings
BEGIN SELECT RAISE(ABORT, 'versions of mappings are never deleted'); END;
-- +goose StatementEnd
