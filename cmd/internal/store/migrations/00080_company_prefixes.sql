-- +goose Up
-- GS1 company prefixes that operators state as theirs or their partners'; only who was
-- given one knows how long it is.
CREATE TABLE company_prefixes (
    tenant  TEXT NOT NULL REFERENCES tenants (id),
    prefix  TEXT NOT NULL,
    account TEXT NOT NULL,
    at      BIGINT NOT NULL,
    PRIMARY KEY (tenant, prefix)
);
