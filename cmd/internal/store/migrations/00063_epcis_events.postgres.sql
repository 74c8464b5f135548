-- +goose Up
-- EPCIS events that partners captured, and what queries may ask of them. seq is the
-- order of recording; the store gives it. epcis_texts and epcis_numbers are an index
-- of the events, written with them: no foreign key guards them row by row.
CREATE TABLE epcis_events (
    seq      BIGINT NOT NULL PRIMARY KEY,
    tenant   TEXT NOT NULL REFERENCES tenants (id),
    event_id TEXT COLLATE "C" NOT NULL,
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
    field  TEXT COLLATE "C" NOT NULL,
    text   TEXT COLLATE "C" NOT NULL,
    event  BIGINT NOT NULL,
    PRIMARY KEY (tenant, field, text, event)
);

CREATE TABLE epcis_numbers (
    tenant TEXT NOT NULL,
    field  TEXT COLLATE "C" NOT NULL,
    number DOUBLE PRECISION NOT NULL,
    event  BIGINT NOT NULL,
    PRIMARY KEY (tenant, field, number, event)
);

-- What partners say of places and classes. It is replaced by what they say later.
CREATE TABLE epcis_attributes (
    tenant  TEXT NOT NULL REFERENCES tenants (id),
    element TEXT COLLATE "C" NOT NULL,
    name    TEXT COLLATE "C" NOT NULL,
    value   TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant, element, name, value)
);

CREATE TABLE epcis_children (
    tenant TEXT NOT NULL REFERENCES tenants (id),
    parent TEXT COLLATE "C" NOT NULL,
    child  TEXT COLLATE "C" NOT NULL,
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

CREATE TRIGGER epcis_events_no_change BEFORE UPDATE OR DELETE ON epcis_events
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER epcis_events_no_truncate BEFORE TRUNCATE ON epcis_events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
