-- +goose Up
-- Both databases read this file. Times are Unix microseconds, UTC; NULL means
-- never. Names and lists are JSON. SQLite keeps a blob in a BYTEA column as it is.

CREATE TABLE tenants (
    id          TEXT NOT NULL PRIMARY KEY,
    name        TEXT NOT NULL,
    credit_code TEXT NOT NULL,
    phone       TEXT NOT NULL,
    region      TEXT NOT NULL
);

-- UNIQUE (id, tenant) lets others refer to a thing together with its owner, so
-- that no row can tie together what belongs to two tenants.
CREATE TABLE sites (
    id        TEXT NOT NULL PRIMARY KEY,
    tenant    TEXT NOT NULL REFERENCES tenants (id),
    region    TEXT NOT NULL,
    kind      TEXT NOT NULL,
    name      TEXT NOT NULL,
    town      TEXT NOT NULL,
    latitude  DOUBLE PRECISION NOT NULL,
    longitude DOUBLE PRECISION NOT NULL,
    area      DOUBLE PRECISION NOT NULL,
    UNIQUE (id, tenant)
);
CREATE INDEX sites_tenant ON sites (tenant);

CREATE TABLE models (
    id          TEXT NOT NULL PRIMARY KEY,
    name        TEXT NOT NULL,
    format      TEXT NOT NULL,
    interval_ns BIGINT NOT NULL,
    channels    TEXT NOT NULL,
    commands    TEXT NOT NULL
);

CREATE TABLE devices (
    id          TEXT NOT NULL PRIMARY KEY,
    tenant      TEXT NOT NULL REFERENCES tenants (id),
    model       TEXT NOT NULL REFERENCES models (id),
    name        TEXT NOT NULL,
    secret_hash BYTEA NOT NULL,
    created     BIGINT NOT NULL,
    online      BOOLEAN NOT NULL,
    status_at   BIGINT,
    UNIQUE (id, tenant)
);
CREATE INDEX devices_tenant ON devices (tenant);

CREATE TABLE installations (
    device TEXT NOT NULL,
    site   TEXT NOT NULL,
    tenant TEXT NOT NULL,
    since  BIGINT NOT NULL,
    PRIMARY KEY (device, since),
    FOREIGN KEY (device, tenant) REFERENCES devices (id, tenant),
    FOREIGN KEY (site, tenant) REFERENCES sites (id, tenant)
);

CREATE TABLE commands (
    id      TEXT NOT NULL PRIMARY KEY,
    device  TEXT NOT NULL,
    tenant  TEXT NOT NULL,
    account TEXT NOT NULL,
    name    TEXT NOT NULL,
    value   TEXT NOT NULL,
    state   TEXT NOT NULL CHECK (state IN ('sent', 'done', 'failed', 'expired')),
    error   TEXT NOT NULL,
    created BIGINT NOT NULL,
    expires BIGINT NOT NULL,
    settled BIGINT,
    FOREIGN KEY (device, tenant) REFERENCES devices (id, tenant)
);
CREATE INDEX commands_device ON commands (device, created);
CREATE INDEX commands_open ON commands (expires) WHERE state = 'sent';

CREATE TABLE alerts (
    id        TEXT NOT NULL PRIMARY KEY,
    rule      TEXT NOT NULL,
    title     TEXT NOT NULL,
    severity  TEXT NOT NULL,
    tenant    TEXT NOT NULL,
    region    TEXT NOT NULL,
    site      TEXT NOT NULL,
    device    TEXT NOT NULL,
    quantity  TEXT NOT NULL,
    state     TEXT NOT NULL CHECK (state IN ('inactive', 'pending', 'firing', 'resolved')),
    value     DOUBLE PRECISION,
    threshold DOUBLE PRECISION NOT NULL,
    began     BIGINT NOT NULL,
    fired     BIGINT,
    ended     BIGINT,
    reason    TEXT NOT NULL,
    FOREIGN KEY (device, tenant) REFERENCES devices (id, tenant),
    FOREIGN KEY (site, tenant) REFERENCES sites (id, tenant)
);
CREATE INDEX alerts_tenant ON alerts (tenant, began);
CREATE INDEX alerts_site ON alerts (site, began);
CREATE INDEX alerts_began ON alerts (began);
CREATE INDEX alerts_open ON alerts (state) WHERE state IN ('pending', 'firing');

-- first_due orders notices by the change they tell of, whatever their retries.
CREATE TABLE notices (
    id        TEXT NOT NULL PRIMARY KEY,
    alert     TEXT NOT NULL REFERENCES alerts (id),
    body      TEXT NOT NULL,
    channel   TEXT NOT NULL,
    attempts  BIGINT NOT NULL,
    first_due BIGINT NOT NULL,
    next      BIGINT,
    sent      BIGINT,
    reason    TEXT NOT NULL
);
CREATE INDEX notices_alert ON notices (alert);
CREATE INDEX notices_due ON notices (next) WHERE sent IS NULL AND next IS NOT NULL;

CREATE TABLE products (
    id   TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    gtin TEXT NOT NULL
);

CREATE TABLE operations (
    id       TEXT NOT NULL PRIMARY KEY,
    tenant   TEXT NOT NULL,
    site     TEXT NOT NULL,
    kind     TEXT NOT NULL,
    at       BIGINT NOT NULL,
    recorded BIGINT NOT NULL,
    person   TEXT NOT NULL,
    items    TEXT NOT NULL,
    corrects TEXT,
    UNIQUE (id, tenant),
    FOREIGN KEY (site, tenant) REFERENCES sites (id, tenant),
    FOREIGN KEY (corrects, tenant) REFERENCES operations (id, tenant)
);
CREATE INDEX operations_site ON operations (site, at);
CREATE UNIQUE INDEX operations_corrects ON operations (corrects);

CREATE TABLE batches (
    id       TEXT NOT NULL PRIMARY KEY,
    code     TEXT UNIQUE,
    tenant   TEXT NOT NULL,
    site     TEXT NOT NULL,
    product  TEXT NOT NULL REFERENCES products (id),
    lot      TEXT NOT NULL,
    quantity DOUBLE PRECISION NOT NULL,
    unit     TEXT NOT NULL,
    began    BIGINT NOT NULL,
    harvest  BIGINT,
    opened   BIGINT NOT NULL,
    closed   BIGINT,
    CHECK ((code IS NULL) = (closed IS NULL)),
    FOREIGN KEY (site, tenant) REFERENCES sites (id, tenant)
);
CREATE INDEX batches_tenant ON batches (tenant, opened);

-- leaf is the index in the transparency log, -1 until sealed.
CREATE TABLE records (
    id      TEXT NOT NULL PRIMARY KEY,
    tenant  TEXT NOT NULL REFERENCES tenants (id),
    kind    TEXT NOT NULL,
    subject TEXT NOT NULL,
    code    TEXT REFERENCES batches (code),
    body    BYTEA NOT NULL,
    salt    BYTEA NOT NULL,
    at      BIGINT NOT NULL,
    leaf    BIGINT NOT NULL,
    receipt TEXT NOT NULL,
    CHECK ((leaf < 0) = (receipt = ''))
);
CREATE UNIQUE INDEX records_code ON records (code);
CREATE INDEX records_subject ON records (subject);
CREATE INDEX records_unsealed ON records (at, id) WHERE leaf < 0;

CREATE TABLE accounts (
    login    TEXT NOT NULL PRIMARY KEY,
    name     TEXT NOT NULL,
    role     TEXT NOT NULL CHECK (role IN ('administrator', 'bureau', 'manager', 'farmer')),
    tenant   TEXT REFERENCES tenants (id),
    region   TEXT NOT NULL,
    password TEXT NOT NULL,
    created  BIGINT NOT NULL,
    CHECK ((tenant IS NOT NULL) = (role IN ('manager', 'farmer'))),
    CHECK ((region <> '') = (role = 'bureau'))
);

CREATE TABLE sessions (
    token_hash BYTEA NOT NULL PRIMARY KEY,
    login      TEXT NOT NULL REFERENCES accounts (login) ON DELETE CASCADE,
    created    BIGINT NOT NULL,
    expires    BIGINT NOT NULL
);
CREATE INDEX sessions_login ON sessions (login, created);
CREATE INDEX sessions_expires ON sessions (expires);
