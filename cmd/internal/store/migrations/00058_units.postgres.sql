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

CREATE TRIGGER unit_keys_no_change BEFORE UPDATE OR DELETE ON unit_keys
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER roll_steps_no_change BEFORE UPDATE OR DELETE ON roll_steps
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER rolls_only_step BEFORE UPDATE ON rolls
    FOR EACH ROW WHEN (NEW.steps <> OLD.steps + 1 OR (NEW.id, NEW.tenant, NEW.product, NEW.gtin, NEW.codes, NEW.covered, NEW.note, NEW.root, NEW.account, NEW.issued, NEW.number, NEW.tree)
        IS DISTINCT FROM (OLD.id, OLD.tenant, OLD.product, OLD.gtin, OLD.codes, OLD.covered, OLD.note, OLD.root, OLD.account, OLD.issued, OLD.number, OLD.tree))
    EXECUTE FUNCTION refuse_change();
CREATE TRIGGER rolls_no_delete BEFORE DELETE ON rolls
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER activations_once BEFORE UPDATE ON activations
    FOR EACH ROW WHEN (NEW.again <> OLD.again + 1 OR (NEW.roll, NEW.number, NEW.at, NEW.device, NEW.town)
        IS DISTINCT FROM (OLD.roll, OLD.number, OLD.at, OLD.device, OLD.town))
    EXECUTE FUNCTION refuse_change();
CREATE TRIGGER activations_no_delete BEFORE DELETE ON activations
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER unit_keys_no_truncate BEFORE TRUNCATE ON unit_keys
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER rolls_no_truncate BEFORE TRUNCATE ON rolls
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER roll_steps_no_truncate BEFORE TRUNCATE ON roll_steps
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER activations_no_truncate BEFORE TRUNCATE ON activations
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
