-- +goose Up
-- Queries under a name, and who is told what they find. With a query go its subscriptions.
CREATE TABLE epcis_queries (
    tenant     TEXT NOT NULL REFERENCES tenants (id),
    name       TEXT NOT NULL,
    definition TEXT NOT NULL,
    account    TEXT NOT NULL,
    created    BIGINT NOT NULL,
    PRIMARY KEY (tenant, name)
);

-- seq is the last event that was told; next when there is an attempt to be made.
CREATE TABLE epcis_subscriptions (
    id              TEXT NOT NULL PRIMARY KEY,
    tenant          TEXT NOT NULL,
    query           TEXT NOT NULL,
    account         TEXT NOT NULL,
    created         BIGINT NOT NULL,
    stream          BOOLEAN NOT NULL,
    schedule        TEXT NOT NULL,
    report_if_empty BOOLEAN NOT NULL,
    initial         BIGINT,
    dest            TEXT NOT NULL,
    token           TEXT NOT NULL,
    seq             BIGINT NOT NULL,
    next            BIGINT NOT NULL,
    attempts        BIGINT NOT NULL,
    reason          TEXT NOT NULL,
    FOREIGN KEY (tenant, query) REFERENCES epcis_queries (tenant, name) ON DELETE CASCADE
);
CREATE INDEX epcis_subscriptions_of ON epcis_subscriptions (tenant, query, id);
CREATE INDEX epcis_subscriptions_due ON epcis_subscriptions (next);
