-- +goose Up
-- What an operator is before the law, where exactly a site lies, and what the
-- operator is allowed. A boundary is GeoJSON, or null.
ALTER TABLE tenants ADD COLUMN kind TEXT NOT NULL DEFAULT ''
    CHECK (kind IN ('', 'enterprise', 'cooperative', 'household', 'vessel'));
ALTER TABLE sites ADD COLUMN boundary TEXT NOT NULL DEFAULT 'null';

CREATE TABLE licences (
    id       TEXT NOT NULL PRIMARY KEY,
    tenant   TEXT NOT NULL REFERENCES tenants (id),
    site     TEXT,
    kind     TEXT NOT NULL,
    number   TEXT NOT NULL,
    issuer   TEXT NOT NULL,
    issued   BIGINT NOT NULL,
    expires  BIGINT,
    recorded BIGINT NOT NULL,
    account  TEXT NOT NULL,
    CHECK (expires IS NULL OR issued < expires),
    FOREIGN KEY (site, tenant) REFERENCES sites (id, tenant)
);
CREATE INDEX licences_tenant ON licences (tenant, kind);
