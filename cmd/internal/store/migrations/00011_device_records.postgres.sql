-- +goose Up
-- The events of a device begin when it is issued, before it has a row in devices,
-- and go on when its claim code or its certificates are replaced.
ALTER TABLE device_events DROP CONSTRAINT device_events_device_fkey;
ALTER TABLE device_events DROP CONSTRAINT device_events_kind_check;
ALTER TABLE device_events ADD CONSTRAINT device_events_kind_check
    CHECK (kind IN ('issued', 'reissued', 'claimed', 'active', 'suspended', 'retired', 'rotated', 'revoked'));

-- What a model was after each change, and who made it. body is JSON.
CREATE TABLE model_changes (
    model   TEXT NOT NULL REFERENCES models (id),
    at      BIGINT NOT NULL,
    account TEXT NOT NULL,
    body    TEXT NOT NULL,
    PRIMARY KEY (model, at)
);
CREATE INDEX model_changes_at ON model_changes (at);
CREATE TRIGGER model_changes_no_change BEFORE UPDATE OR DELETE ON model_changes
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER model_changes_no_truncate BEFORE TRUNCATE ON model_changes
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- A certificate that is not younger than this is no good.
ALTER TABLE devices ADD COLUMN certs_after BIGINT;

-- A command that was not sent yet can be taken back.
ALTER TABLE commands ADD COLUMN cancelled_by TEXT NOT NULL DEFAULT '';
ALTER TABLE commands DROP CONSTRAINT queued_commands_state_check;
ALTER TABLE commands ADD CONSTRAINT commands_state_check
    CHECK (state IN ('queued', 'sent', 'done', 'failed', 'expired', 'cancelled'));
