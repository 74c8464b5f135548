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

CREATE TRIGGER shipments_arrive_once BEFORE UPDATE ON shipments
    FOR EACH ROW WHEN ((NEW.id, NEW.tenant, NEW.departed, NEW.account, NEW.doc, NEW.record)
            IS DISTINCT FROM (OLD.id, OLD.tenant, OLD.departed, OLD.account, OLD.doc, OLD.record)
        OR OLD.arrived IS NOT NULL)
    EXECUTE FUNCTION refuse_change();
CREATE TRIGGER shipments_no_delete BEFORE DELETE ON shipments
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER shipments_no_truncate BEFORE TRUNCATE ON shipments
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER shipment_batches_no_change BEFORE UPDATE OR DELETE ON shipment_batches
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER shipment_batches_no_truncate BEFORE TRUNCATE ON shipment_batches
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER shipment_loggers_no_change BEFORE UPDATE OR DELETE ON shipment_loggers
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER shipment_loggers_no_truncate BEFORE TRUNCATE ON shipment_loggers
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
