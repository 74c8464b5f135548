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

-- +goose StatementBegin
CREATE TRIGGER input_products_no_update BEFORE UPDATE ON input_products
BEGIN SELECT RAISE(ABORT, 'versions of products are never changed'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER input_products_no_delete BEFORE DELETE ON input_products
BEGIN SELECT RAISE(ABORT, 'versions of products are never deleted'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER lots_remain BEFORE UPDATE ON lots
WHEN NEW.id IS NOT OLD.id
  OR NEW.tenant IS NOT OLD.tenant
  OR NEW.product IS NOT OLD.product
  OR NEW.batch IS NOT OLD.batch
  OR NEW.made IS NOT OLD.made
  OR NEW.expires IS NOT OLD.expires
  OR NEW.supplier IS NOT OLD.supplier
  OR NEW.quantity IS NOT OLD.quantity
  OR NEW.unit IS NOT OLD.unit
  OR NEW.document IS NOT OLD.document
  OR NEW.recorded IS NOT OLD.recorded
  OR NEW.account IS NOT OLD.account
  OR NEW.dim IS NOT OLD.dim
  OR NEW.bought IS NOT OLD.bought
BEGIN SELECT RAISE(ABORT, 'of a lot only what remains changes'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER lots_no_delete BEFORE DELETE ON lots
BEGIN SELECT RAISE(ABORT, 'lots are never deleted'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER draws_returned_once BEFORE UPDATE ON draws
WHEN OLD.returned_by IS NOT NULL OR NEW.operation IS NOT OLD.operation OR NEW.tenant IS NOT OLD.tenant
  OR NEW.lot IS NOT OLD.lot OR NEW.n IS NOT OLD.n
BEGIN SELECT RAISE(ABORT, 'draws are returned once, and never changed'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER draws_no_delete BEFORE DELETE ON draws
BEGIN SELECT RAISE(ABORT, 'draws are never deleted'); END;
-- +goose StatementEnd
