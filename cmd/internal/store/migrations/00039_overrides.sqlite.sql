-- +goose Up
-- A site's version grows with every operation, batch and override of the site: who
-- held a statement against its history writes only where the version is still that one.
ALTER TABLE sites ADD COLUMN version BIGINT NOT NULL DEFAULT 1;

-- What a manager asks to be allowed, what an officer decided, and by what it was used.
-- acts and refusals are JSON.
CREATE TABLE overrides (
    id       TEXT NOT NULL PRIMARY KEY,
    tenant   TEXT NOT NULL,
    site     TEXT NOT NULL,
    batch    TEXT,
    acts     TEXT NOT NULL,
    refusals TEXT NOT NULL,
    reason   TEXT NOT NULL,
    account  TEXT NOT NULL,
    asked    BIGINT NOT NULL,
    UNIQUE (id, tenant),
    FOREIGN KEY (batch, tenant) REFERENCES batches (id, tenant),
    FOREIGN KEY (site, tenant) REFERENCES sites (id, tenant)
);
CREATE INDEX overrides_site ON overrides (site);
CREATE INDEX overrides_tenant ON overrides (tenant, asked);

CREATE TABLE override_decisions (
    override TEXT NOT NULL PRIMARY KEY,
    tenant   TEXT NOT NULL,
    granted  BOOLEAN NOT NULL,
    reason   TEXT NOT NULL,
    region   TEXT NOT NULL,
    account  TEXT NOT NULL,
    decided  BIGINT NOT NULL,
    until    BIGINT,
    CHECK (granted = (until IS NOT NULL)),
    FOREIGN KEY (override, tenant) REFERENCES overrides (id, tenant)
);

-- act is a kind of operation, or open for the batch that was opened with it.
CREATE TABLE override_uses (
    override TEXT NOT NULL REFERENCES override_decisions (override),
    act      TEXT NOT NULL,
    subject  TEXT NOT NULL,
    PRIMARY KEY (override, act)
);

-- Uses of inputs that became known after a harvest that they concern. told is when
-- people were told.
CREATE TABLE late_uses (
    operation TEXT NOT NULL,
    batch     TEXT NOT NULL,
    tenant    TEXT NOT NULL,
    site      TEXT NOT NULL,
    refusals  TEXT NOT NULL,
    found     BIGINT NOT NULL,
    told      BIGINT,
    PRIMARY KEY (operation, batch),
    FOREIGN KEY (operation, tenant) REFERENCES operations (id, tenant),
    FOREIGN KEY (batch, tenant) REFERENCES batches (id, tenant),
    FOREIGN KEY (site, tenant) REFERENCES sites (id, tenant)
);
CREATE INDEX late_uses_tenant ON late_uses (tenant, found);
CREATE INDEX late_uses_batch ON late_uses (batch);
CREATE INDEX late_uses_untold ON late_uses (found) WHERE told IS NULL;

-- +goose StatementBegin
CREATE TRIGGER overrides_no_update BEFORE UPDATE ON overrides
BEGIN SELECT RAISE(ABORT, 'overrides are never changed'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER overrides_no_delete BEFORE DELETE ON overrides
BEGIN SELECT RAISE(ABORT, 'overrides are never deleted'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER override_decisions_no_update BEFORE UPDATE ON override_decisions
BEGIN SELECT RAISE(ABORT, 'decisions are never changed'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER override_decisions_no_delete BEFORE DELETE ON override_decisions
BEGIN SELECT RAISE(ABORT, 'decisions are never deleted'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER override_uses_no_update BEFORE UPDATE ON override_uses
BEGIN SELECT RAISE(ABORT, 'uses of overrides are never changed'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER override_uses_no_delete BEFORE DELETE ON override_uses
BEGIN SELECT RAISE(ABORT, 'uses of overrides are never deleted'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER late_uses_told_once BEFORE UPDATE ON late_uses
WHEN OLD.told IS NOT NULL OR NEW.operation IS NOT OLD.operation OR NEW.batch IS NOT OLD.batch OR NEW.tenant IS NOT OLD.tenant
  OR NEW.site IS NOT OLD.site OR NEW.refusals IS NOT OLD.refusals OR NEW.found IS NOT OLD.found
BEGIN SELECT RAISE(ABORT, 'late uses are told once, and never changed'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER late_uses_no_delete BEFORE DELETE ON late_uses
BEGIN SELECT RAISE(ABORT, 'late uses are never deleted'); END;
-- +goose StatementEnd
