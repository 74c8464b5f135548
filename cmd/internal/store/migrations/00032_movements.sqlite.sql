-- +goose Up
-- Batches made of batches. A movement is one statement; its document holds what is
-- not asked for by column. The name of a buyer outside stands in openings, where it
-- can be erased. voided_by is the movement that took this one back; taken_by the one
-- by which the receiver took what this one handed over.
CREATE UNIQUE INDEX batches_owner ON batches (id, tenant);

CREATE TABLE movements (
    id        TEXT NOT NULL PRIMARY KEY,
    tenant    TEXT NOT NULL REFERENCES tenants (id),
    kind      TEXT NOT NULL,
    step      TEXT NOT NULL,
    at        BIGINT NOT NULL,
    recorded  BIGINT NOT NULL,
    person    TEXT NOT NULL,
    site      TEXT,
    receiver  TEXT REFERENCES tenants (id),
    handover  TEXT,
    corrects  TEXT,
    doc       TEXT NOT NULL,
    voided_by TEXT REFERENCES movements (id),
    taken_by  TEXT REFERENCES movements (id),
    UNIQUE (id, tenant),
    UNIQUE (id, receiver),
    FOREIGN KEY (site, tenant) REFERENCES sites (id, tenant),
    FOREIGN KEY (handover, tenant) REFERENCES movements (id, receiver),
    FOREIGN KEY (corrects, tenant) REFERENCES movements (id, tenant)
);
CREATE INDEX movements_tenant ON movements (tenant, at);
CREATE INDEX movements_receiver ON movements (receiver, at);
CREATE INDEX movements_handover ON movements (handover);
CREATE UNIQUE INDEX movements_corrects ON movements (corrects);

-- What went into a movement and what it made. owner is who holds the batch: the
-- movement's tenant, or for what is received, whoever handed it over. n is a whole
-- number of the smallest unit of what is measured.
CREATE TABLE movement_batches (
    movement TEXT NOT NULL,
    tenant   TEXT NOT NULL,
    batch    TEXT NOT NULL,
    owner    TEXT NOT NULL,
    made     BOOLEAN NOT NULL,
    n        BIGINT NOT NULL CHECK (n > 0),
    unit     TEXT NOT NULL,
    handover TEXT,
    PRIMARY KEY (movement, batch),
    UNIQUE (movement, batch, tenant),
    CHECK (owner = tenant OR handover IS NOT NULL AND NOT made),
    FOREIGN KEY (movement, tenant) REFERENCES movements (id, tenant),
    FOREIGN KEY (batch, owner) REFERENCES batches (id, tenant),
    FOREIGN KEY (handover, batch, owner) REFERENCES movement_batches (movement, batch, tenant)
);
CREATE UNIQUE INDEX movement_batches_made ON movement_batches (batch) WHERE made;
CREATE INDEX movement_batches_batch ON movement_batches (batch, made);

-- How much of each batch there was and is.
CREATE TABLE stocks (
    batch   TEXT NOT NULL PRIMARY KEY,
    tenant  TEXT NOT NULL,
    dim     TEXT NOT NULL,
    unit    TEXT NOT NULL,
    made    BIGINT NOT NULL CHECK (made > 0),
    remains BIGINT NOT NULL CHECK (remains >= 0 AND remains <= made),
    since   BIGINT NOT NULL,
    void    BOOLEAN NOT NULL DEFAULT FALSE,
    FOREIGN KEY (batch, tenant) REFERENCES batches (id, tenant)
);

-- Batches from before there were movements, in the units of trace/chain.
INSERT INTO stocks (batch, tenant, dim, unit, made, remains, since)
SELECT b.id, b.tenant, b.dim, b.unit, b.n, b.n, b.since FROM (
    SELECT a.id, a.tenant, a.dim, a.unit, a.since,
        CAST(ROUND(CASE WHEN a.quantity * a.scale < 1 THEN 1 WHEN a.quantity * a.scale > 1e15 THEN 1e15 ELSE a.quantity * a.scale END) AS BIGINT) AS n
    FROM (
        SELECT id, tenant, unit, quantity, COALESCE(harvest, opened) AS since,
            CASE WHEN unit IN ('mg', 'g', '克', 'kg', '公斤', '千克', '斤', 't', '吨') THEN 'mg'
                 WHEN unit IN ('uL', 'mL', '毫升', 'L', '升', 'm3', '立方米') THEN 'uL' ELSE unit END AS dim,
            CASE WHEN unit IN ('mg', 'uL') THEN 1e0 WHEN unit IN ('g', '克', 'mL', '毫升') THEN 1e3
                 WHEN unit IN ('kg', '公斤', '千克', 'L', '升') THEN 1e6 WHEN unit = '斤' THEN 5e5
                 WHEN unit IN ('t', '吨', 'm3', '立方米') THEN 1e9 ELSE 1e3 END AS scale
        FROM batches
    ) AS a
) AS b;

-- +goose StatementBegin
CREATE TRIGGER movements_settled_once BEFORE UPDATE ON movements
WHEN NEW.id IS NOT OLD.id
  OR NEW.tenant IS NOT OLD.tenant
  OR NEW.kind IS NOT OLD.kind
  OR NEW.step IS NOT OLD.step
  OR NEW.at IS NOT OLD.at
  OR NEW.recorded IS NOT OLD.recorded
  OR NEW.person IS NOT OLD.person
  OR NEW.site IS NOT OLD.site
  OR NEW.receiver IS NOT OLD.receiver
  OR NEW.handover IS NOT OLD.handover
  OR NEW.corrects IS NOT OLD.corrects
  OR NEW.doc IS NOT OLD.doc
  OR OLD.voided_by IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'movements are never changed'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER movements_no_delete BEFORE DELETE ON movements
BEGIN SELECT RAISE(ABORT, 'movements are never deleted'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER movement_batches_no_update BEFORE UPDATE ON movement_batches
BEGIN SELECT RAISE(ABORT, 'movements are never changed'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER movement_batches_no_delete BEFORE DELETE ON movement_batches
BEGIN SELECT RAISE(ABORT, 'movements are never deleted'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER stocks_remain BEFORE UPDATE ON stocks
WHEN NEW.batch IS NOT OLD.batch
  OR NEW.tenant IS NOT OLD.tenant
  OR NEW.dim IS NOT OLD.dim
  OR NEW.unit IS NOT OLD.unit
  OR NEW.made IS NOT OLD.made
  OR NEW.since IS NOT OLD.since
  OR OLD.void
BEGIN SELECT RAISE(ABORT, 'of a batch only what remains changes'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER stocks_no_delete BEFORE DELETE ON stocks
BEGIN SELECT RAISE(ABORT, 'stocks are never deleted'); END;
-- +goose StatementEnd
