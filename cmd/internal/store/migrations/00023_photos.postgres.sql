-- +goose Up
-- Whose pictures there are. The pictures themselves lie in the data directory under
-- their hash. One that an operation names is never forgotten.
CREATE TABLE photos (
    hash     TEXT NOT NULL,
    tenant   TEXT NOT NULL,
    site     TEXT NOT NULL,
    account  TEXT NOT NULL,
    uploaded BIGINT NOT NULL,
    PRIMARY KEY (hash, tenant),
    FOREIGN KEY (site, tenant) REFERENCES sites (id, tenant)
);
CREATE INDEX photos_uploaded ON photos (uploaded);

CREATE TABLE operation_photos (
    operation TEXT NOT NULL,
    tenant    TEXT NOT NULL,
    hash      TEXT NOT NULL,
    PRIMARY KEY (operation, hash),
    FOREIGN KEY (operation, tenant) REFERENCES operations (id, tenant),
    FOREIGN KEY (hash, tenant) REFERENCES photos (hash, tenant)
);
CREATE INDEX operation_photos_hash ON operation_photos (hash, tenant);

CREATE TRIGGER operation_photos_no_change BEFORE UPDATE OR DELETE ON operation_photos
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER operation_photos_no_truncate BEFORE TRUNCATE ON operation_photos
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
