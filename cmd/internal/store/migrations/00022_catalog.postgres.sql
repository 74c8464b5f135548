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

CREATE TRIGGER catalogs_no_change BEFORE UPDATE OR DELETE ON catalogs
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER catalogs_no_truncate BEFORE TRUNCATE ON catalogs
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
