-- +goose Up
-- What has to be said of an operation: products, stages, operations and items as one
-- document. The newest version counts for new operations; each keeps the number of
-- the version that it was checked against, 0 from before there was one.
CREATE TABLE catalogs (
    version BIGINT NOT NULL PRIMARY KEY CHECK (version > 0),
    doc     TEXT NOT NULL,
    account TEXT NOT NULL,
    created BIGINT NOT NULL
);

ALTER TABLE operations ADD COLUMN catalog BIGINT NOT NULL DEFAULT 0;
ALTER TABLE operations ADD COLUMN position TEXT;
ALTER TABLE operations ADD COLUMN far BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE products ADD COLUMN species TEXT NOT NULL DEFAULT '';

-- +goose StatementBegin
CREATE TRIGGER catalogs_no_update BEFORE UPDATE ON catalogs
BEGIN SELECT RAISE(ABORT, 'versions of the catalog are never changed'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER catalogs_no_delete BEFORE DELETE ON catalogs
BEGIN SELECT RAISE(ABORT, 'versions of the catalog are never deleted'); END;
-- +goose StatementEnd
