-- +goose Up
-- What every audit of a log found, and what one that runs goes on from.
CREATE TABLE audits (
    log   BIGINT NOT NULL,
    began BIGINT NOT NULL,
    ended BIGINT,
    doc   TEXT NOT NULL,
    state TEXT NOT NULL,
    PRIMARY KEY (log, began)
);

-- Personal data that a record holds only as salted commitments. Unlike records,
-- they can be erased.
CREATE TABLE openings (
    record TEXT NOT NULL REFERENCES records (id),
    tenant TEXT NOT NULL REFERENCES tenants (id),
    path   TEXT NOT NULL,
    salt   BYTEA NOT NULL,
    text   TEXT NOT NULL,
    PRIMARY KEY (record, path)
);
CREATE INDEX openings_tenant ON openings (tenant);
