-- +goose Up
-- What may be used, what was bought of it, and what each operation took. Labels are
-- part of a product's document; a changed label is another version. Amounts are whole
-- numbers of the smallest unit of their dimension.
CREATE TABLE input_products (
    id      TEXT NOT NULL,
    version BIGINT NOT NULL CHECK (version > 0),
    doc     TEXT NOT NULL,
    account TEXT NOT NULL,
    created BIGINT NOT NULL,
    PRIMARY KEY (id, version)
);

CREATE TABLE lots (
    id       TEXT NOT NULL PRIMARY KEY,
    tenant   TEXT NOT NULL REFERENCES tenants (id),
    product  TEXT NOT NULL,
    batch    TEXT NOT NULL,
    made     BIGINT,
    expires  BIGINT,
    supplier TEXT NOT NULL,
    quantity DOUBLE PRECISION NOT NULL,
    unit     TEXT NOT NULL,
    document TEXT NOT NULL,
    recorded BIGINT NOT NULL,
    account  TEXT NOT NULL,
    dim      BIGINT NOT NULL,
    bought   BIGINT NOT NULL CHECK (bought > 0),
    remains  BIGINT NOT NULL CHECK (remains >= 0 AND remains <= bought),
    UNIQUE (id, tenant)
);
CREATE INDEX lots_tenant ON lots (tenant, product);

-- returned_by is the operation that took the use back, and the stock with it.
CREATE TABLE draws (
    operation   TEXT NOT NULL PRIMARY KEY,
    tenant      TEXT NOT NULL,
    lot         TEXT NOT NULL,
    n           BIGINT NOT NULL CHECK (n > 0),
    returned_by TEXT,
    FOREIGN KEY (operation, tenant) REFERENCES operations (id, tenant),
    FOREIGN KEY (returned_by, tenant) REFERENCES operations (id, tenant),
    FOREIGN KEY (lot, tenant) REFERENCES lots (id, tenant)
);
CREATE INDEX draws_lot ON draws (lot);

CREATE TRIGGER input_products_no_change BEFORE UPDATE OR DELETE ON input_products
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER lots_remain BEFORE UPDATE ON lots
    FOR EACH ROW WHEN ((NEW.id, NEW.tenant, NEW.product, NEW.batch, NEW.made, NEW.expires, NEW.supplier, NEW.quantity, NEW.unit, NEW.document, NEW.recorded, NEW.account, NEW.dim, NEW.bought)
        IS DISTINCT FROM (OLD.id, OLD.tenant, OLD.product, OLD.batch, OLD.made, OLD.expires, OLD.supplier, OLD.quantity, OLD.unit, OLD.document, OLD.recorded, OLD.account, OLD.dim, OLD.bought))
    EXECUTE FUNCTION refuse_change();
CREATE TRIGGER lots_no_delete BEFORE DELETE ON lots
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER draws_returned_once BEFORE UPDATE ON draws
    FOR EACH ROW WHEN (OLD.returned_by IS NOT NULL
        OR (NEW.operation, NEW.tenant, NEW.lot, NEW.n) IS DISTINCT FROM (OLD.operation, OLD.tenant, OLD.lot, OLD.n))
    EXECUTE FUNCTION refuse_change();
CREATE TRIGGER draws_no_delete BEFORE DELETE ON draws
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER input_products_no_truncate BEFORE TRUNCATE ON input_products
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER lots_no_truncate BEFORE TRUNCATE ON lots
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER draws_no_truncate BEFORE TRUNCATE ON draws
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
