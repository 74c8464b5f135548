-- +goose Up
-- Who holds a GTIN, and where its holder sends those who ask for it.
CREATE TABLE gtins (
    gtin    TEXT NOT NULL PRIMARY KEY,
    tenant  TEXT NOT NULL REFERENCES tenants (id),
    product TEXT NOT NULL REFERENCES products (id),
    account TEXT NOT NULL,
    at      BIGINT NOT NULL
);
CREATE INDEX gtins_tenant ON gtins (tenant);

-- The unique index keeps links apart that a request could not, so that a GTIN has one
-- default link.
CREATE TABLE gtin_links (
    id       TEXT NOT NULL PRIMARY KEY,
    gtin     TEXT NOT NULL REFERENCES gtins (gtin),
    lot      TEXT NOT NULL,
    serial   TEXT NOT NULL,
    type     TEXT NOT NULL,
    href     TEXT NOT NULL,
    title    TEXT NOT NULL,
    language TEXT NOT NULL,
    media    TEXT NOT NULL,
    context  TEXT NOT NULL,
    account  TEXT NOT NULL,
    added    BIGINT NOT NULL
);
CREATE UNIQUE INDEX gtin_links_of ON gtin_links (gtin, lot, serial, type, language, media, context);
CREATE INDEX batches_lot ON batches (tenant, product, lot);
