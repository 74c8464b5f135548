-- +goose Up
-- The secret from which unit codes are computed. Without it no code that was printed
-- is known again, so it lies where the rolls lie and is backed up with them.
CREATE TABLE unit_keys (
    id     INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    secret BYTEA NOT NULL
);

-- Ranges of unit codes; the codes themselves are nowhere. number is what they are made
-- of, steps how many steps there are, tree the roots of subtrees of 1024 codes.
CREATE TABLE rolls (
    id      TEXT NOT NULL PRIMARY KEY,
    tenant  TEXT NOT NULL REFERENCES tenants (id),
    product TEXT REFERENCES products (id),
    gtin    TEXT REFERENCES gtins (gtin),
    codes   BIGINT NOT NULL,
    covered BOOLEAN NOT NULL,
    note    TEXT NOT NULL,
    root    TEXT NOT NULL,
    account TEXT NOT NULL,
    issued  BIGINT NOT NULL,
    number  BIGINT NOT NULL UNIQUE,
    steps   BIGINT NOT NULL,
    tree    BYTEA NOT NULL,
    UNIQUE (id, tenant)
);
CREATE INDEX rolls_tenant ON rolls (tenant, issued, id);

-- What was done with codes, first to last.
CREATE TABLE roll_steps (
    id        TEXT NOT NULL PRIMARY KEY,
    roll      TEXT NOT NULL,
    tenant    TEXT NOT NULL,
    seq       BIGINT NOT NULL,
    kind      TEXT NOT NULL,
    first     BIGINT NOT NULL,
    last      BIGINT NOT NULL,
    batch     TEXT,
    withdraws TEXT UNIQUE REFERENCES roll_steps (id),
    reason    TEXT NOT NULL,
    account   TEXT NOT NULL,
    at        BIGINT NOT NULL,
    UNIQUE (roll, seq),
    CHECK (1 <= first AND first <= last),
    FOREIGN KEY (roll, tenant) REFERENCES rolls (id, tenant),
    FOREIGN KEY (batch, tenant) REFERENCES batches (id, tenant)
);
CREATE INDEX roll_steps_batch ON roll_steps (batch) WHERE batch IS NOT NULL;

-- The first time that somebody showed the covered code of a packet; again is how often
-- others showed it later.
CREATE TABLE activations (
    roll   TEXT NOT NULL REFERENCES rolls (id),
    number BIGINT NOT NULL,
    at     BIGINT NOT NULL,
    device TEXT NOT NULL,
    town   TEXT NOT NULL,
    again  BIGINT NOT NULL,
    PRIMARY KEY (roll, number)
);

-- Tries at covered codes, in windows that begin with the first.
CREATE TABLE cover_tries (
    name  TEXT NOT NULL PRIMARY KEY,
    tries BIGINT NOT NULL,
    ends  BIGINT NOT NULL
);
CREATE INDEX cover_tries_ends ON cover_tries (ends);

-- +goose StatementBegin
CREATE TRIGGER unit_keys_no_update BEFORE UPDATE ON unit_keys
BEGIN SELECT RAISE(ABORT, 'the key of unit codes is never changed'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER unit_keys_no_delete BEFORE DELETE ON unit_keys
BEGIN SELECT RAISE(ABORT, 'the key of unit codes is never deleted'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER rolls_only_step BEFORE UPDATE ON rolls
WHEN NEW.steps <> OLD.steps + 1 OR NEW.id IS NOT OLD.id OR NEW.tenant IS NOT OLD.tenant OR NEW.product IS NOT OLD.product OR NEW.gtin IS NOT OLD.gtin OR NEW.codes IS NOT OLD.codes OR NEW.covered IS NOT OLD.covered
  OR NEW.note IS NOT OLD.note OR NEW.root IS NOT OLD.root OR NEW.account IS NOT OLD.account OR NEW.issued IS NOT OLD.issued OR NEW.number IS NOT OLD.number OR NEW.tree IS NOT OLD.tree
BEGIN SELECT RAISE(ABORT, 'rolls only get steps'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER rolls_no_delete BEFORE DELETE ON rolls
BEGIN SELECT RAISE(ABORT, 'rolls are never deleted'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER roll_steps_no_update BEFORE UPDATE ON roll_steps
BEGIN SELECT RAISE(ABORT, 'steps of rolls are never changed'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER roll_steps_no_delete BEFORE DELETE ON roll_steps
BEGIN SELECT RAISE(ABORT, 'steps of rolls are never deleted'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER activations_once BEFORE UPDATE ON activations
WHEN NEW.again <> OLD.again + 1 OR NEW.roll IS NOT OLD.roll OR NEW.number IS NOT OLD.number OR NEW.at IS NOT OLD.at OR NEW.device IS NOT OLD.device OR NEW.town IS NOT OLD.town
BEGIN SELECT RAISE(ABORT, 'a packet is activated once'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER activations_no_delete BEFORE DELETE ON activations
BEGIN SELECT RAISE(ABORT, 'activations are never deleted'); END;
-- +goose StatementEnd
