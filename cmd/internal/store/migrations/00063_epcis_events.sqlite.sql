-- +goose Up
-- EPCIS events that partners captured, and what queries may ask of them. seq is the
-- order of recording; the store gives it. epcis_texts and epcis_numbers are an index
-- of the events, written with them: no foreign key guards them row by row.
CREATE TABLE epcis_events (
    seq      INTEGER NOT NULL PRIMARY KEY,
    tenant   TEXT NOT NULL REFERENCES tenants (id),
    event_id TEXT NOT NULL,
    declared BOOLEAN NOT NULL,
    type     TEXT NOT NULL,
    at       BIGINT NOT NULL,
    recorded BIGINT NOT NULL,
    context  TEXT NOT NULL,
    body     TEXT NOT NULL
);
CREATE UNIQUE INDEX epcis_events_id ON epcis_events (tenant, event_id, declared);
CREATE INDEX epcis_events_at ON epcis_events (tenant, at, seq);
CREATE INDEX epcis_events_seq ON epcis_events (tenant, seq);

CREATE TABLE epcis_texts (
    tenant TEXT NOT NULL,
    field  TEXT NOT NULL,
    text   TEXT NOT NULL,
    event  BIGINT NOT NULL,
    PRIMARY KEY (tenant, field, text, event)
) WITHOUT ROWID;

CREATE TABLE epcis_numbers (
    tenant TEXT NOT NULL,
    field  TEXT NOT NULL,
    number REAL NOT NULL,
    event  BIGINT NOT NULL,
    PRIMARY KEY (tenant, field, number, event)
) WITHOUT ROWID;

-- What partners say of places and classes. It is replaced by what they say later.
CREATE TABLE epcis_attributes (
    tenant  TEXT NOT NULL REFERENCES tenants (id),
    element TEXT NOT NULL,
    name    TEXT NOT NULL,
    value   TEXT NOT NULL,
    PRIMARY KEY (tenant, element, name, value)
);

CREATE TABLE epcis_children (
    tenant TEXT NOT NULL REFERENCES tenants (id),
    parent TEXT NOT NULL,
    child  TEXT NOT NULL,
    PRIMARY KEY (tenant, parent, child)
);

-- The document of a job is there until it is finished.
CREATE TABLE epcis_captures (
    id       TEXT NOT NULL PRIMARY KEY,
    tenant   TEXT NOT NULL REFERENCES tenants (id),
    account  TEXT NOT NULL,
    created  BIGINT NOT NULL,
    finished BIGINT,
    proceed  BOOLEAN NOT NULL,
    success  BOOLEAN NOT NULL,
    total    BIGINT NOT NULL,
    done     BIGINT NOT NULL,
    errors   TEXT NOT NULL,
    document TEXT
);
CREATE INDEX epcis_captures_tenant ON epcis_captures (tenant, id);
CREATE INDEX epcis_captures_open ON epcis_captures (id) WHERE finished IS NULL;

-- +goose StatementBegin
CREATE TRIGGER epcis_events_no_update BEFORE UPDATE ON epcis_events
BEGIN SELECT RAISE(ABORT, 'captured events are never changed'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER epcis_events_no_delete BEFORE DELETE ON epcis_events
BEGIN SELECT RAISE(ABORT, 'captured events are never deleted'); END;
-- +goose StatementEnd
