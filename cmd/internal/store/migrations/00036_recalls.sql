-- +goose Up
-- Recalls. What a recall says is in the records of its steps; the other tables find
-- them: by the causes that touch a batch, and by who holds something.
CREATE TABLE recalls (
    id     TEXT NOT NULL PRIMARY KEY,
    number TEXT NOT NULL UNIQUE,
    tenant TEXT NOT NULL REFERENCES tenants (id),
    region TEXT NOT NULL,
    year   BIGINT NOT NULL,
    opened BIGINT NOT NULL,
    closed BIGINT
);
CREATE INDEX recalls_region ON recalls (region, year);

CREATE TABLE recall_steps (
    id      TEXT NOT NULL PRIMARY KEY,
    recall  TEXT NOT NULL REFERENCES recalls (id),
    n       BIGINT NOT NULL CHECK (n > 0),
    account TEXT NOT NULL,
    record  TEXT NOT NULL REFERENCES records (id),
    UNIQUE (recall, n)
);

CREATE TABLE recall_causes (
    recall  TEXT NOT NULL REFERENCES recalls (id),
    kind    TEXT NOT NULL CHECK (kind IN ('batch', 'lot', 'grown', 'harvested')),
    subject TEXT NOT NULL
);
CREATE INDEX recall_causes_subject ON recall_causes (subject, kind);

CREATE TABLE recall_holders (
    recall TEXT NOT NULL REFERENCES recalls (id),
    tenant TEXT NOT NULL REFERENCES tenants (id),
    PRIMARY KEY (recall, tenant)
);
CREATE INDEX recall_holders_tenant ON recall_holders (tenant);

CREATE TABLE recall_notices (
    id       TEXT NOT NULL PRIMARY KEY,
    recall   TEXT NOT NULL REFERENCES recalls (id),
    step     TEXT NOT NULL REFERENCES recall_steps (id),
    holder   TEXT REFERENCES tenants (id),
    channel  TEXT NOT NULL,
    due      BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    next     BIGINT,
    sent     BIGINT,
    reason   TEXT NOT NULL
);
CREATE INDEX recall_notices_recall ON recall_notices (recall);
CREATE INDEX recall_notices_due ON recall_notices (next) WHERE sent IS NULL AND next IS NOT NULL;

-- Where a tenant wants to be told of recalls.
CREATE TABLE recall_hooks (
    tenant  TEXT NOT NULL PRIMARY KEY REFERENCES tenants (id),
    url     TEXT NOT NULL,
    secret  TEXT NOT NULL,
    account TEXT NOT NULL,
    created BIGINT NOT NULL
);
