-- +goose Up
-- Batches on their way. The document is what was sealed of the departure; carrier and
-- vehicle stand in openings, where they can be erased. What came of it stands in the
-- record of the arrival.
CREATE TABLE shipments (
    id       TEXT NOT NULL PRIMARY KEY,
    tenant   TEXT NOT NULL REFERENCES tenants (id),
    departed BIGINT NOT NULL,
    arrived  BIGINT,
    account  TEXT NOT NULL,
    doc      TEXT NOT NULL,
    record   TEXT NOT NULL,
    arrival  TEXT,
    UNIQUE (id, tenant)
);
CREATE INDEX shipments_tenant ON shipments (tenant, departed);

CREATE TABLE shipment_batches (
    shipment TEXT NOT NULL,
    tenant   TEXT NOT NULL,
    batch    TEXT NOT NULL,
    PRIMARY KEY (shipment, batch),
    FOREIGN KEY (shipment, tenant) REFERENCES shipments (id, tenant),
    FOREIGN KEY (batch, tenant) REFERENCES batches (id, tenant)
);
CREATE INDEX shipment_batches_batch ON shipment_batches (batch);

CREATE TABLE shipment_loggers (
    shipment TEXT NOT NULL,
    tenant   TEXT NOT NULL,
    device   TEXT NOT NULL,
    PRIMARY KEY (shipment, device),
    FOREIGN KEY (shipment, tenant) REFERENCES shipments (id, tenant),
    FOREIGN KEY (device, tenant) REFERENCES devices (id, tenant)
);

-- +goose StatementBegin
CREATE TRIGGER shipments_arrive_once BEFORE UPDATE ON shipments
WHEN NEW.id IS NOT OLD.id
  OR NEW.tenant IS NOT OLD.tenant
  OR NEW.departed IS NOT OLD.departed
  OR NEW.account IS NOT OLD.account
  OR NEW.doc IS NOT OLD.doc
  OR NEW.record IS NOT OLD.record
  OR OLD.arrived IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'a shipment only arrives, and once'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER shipments_no_delete BEFORE DELETE ON shipments
BEGIN SELECT RAISE(ABORT, 'shipments are never deleted'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER shipment_batches_no_update BEFORE UPDATE ON shipment_batches
BEGIN SELECT RAISE(ABORT, 'what a shipment is of never changes'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER shipment_batches_no_delete BEFORE DELETE ON shipment_batches
BEGIN SELECT RAISE(ABORT, 'what a shipment is of never changes'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER shipment_loggers_no_update BEFORE UPDATE ON shipment_loggers
BEGIN SELECT RAISE(ABORT, 'what a shipment is of never changes'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER shipment_loggers_no_delete BEFORE DELETE ON shipment_loggers
BEGIN SELECT RAISE(ABORT, 'what a shipment is of never changes'); END;
-- +goose StatementEnd
