-- +goose Up
-- The events of a device begin when it is issued, before it has a row in devices,
-- and go on when its claim code or its certificates are replaced. SQLite cannot
-- change a CHECK, so the table is copied.
CREATE TABLE all_device_events (
    device  TEXT NOT NULL,
    at      BIGINT NOT NULL,
    kind    TEXT NOT NULL CHECK (kind IN ('issued', 'reissued', 'claimed', 'active', 'suspended', 'retired', 'rotated', 'revoked')),
    account TEXT NOT NULL,
    reason  TEXT NOT NULL,
    PRIMARY KEY (device, at, kind)
);
INSERT INTO all_device_events SELECT device, at, kind, account, reason FROM device_events;
DROP TABLE device_events;
ALTER TABLE all_device_events RENAME TO device_events;
CREATE INDEX device_events_at ON device_events (at);

-- +goose StatementBegin
CREATE TRIGGER device_events_no_update BEFORE UPDATE ON device_events
BEGIN SELECT RAISE(ABORT, 'events of devices are never changed'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER device_events_no_delete BEFORE DELETE ON device_events
BEGIN SELECT RAISE(ABORT, 'events of devices are never deleted'); END;
-- +goose StatementEnd

-- What a model was after each change, and who made it. body is JSON.
CREATE TABLE model_changes (
    model   TEXT NOT NULL REFERENCES models (id),
    at      BIGINT NOT NULL,
    account TEXT NOT NULL,
    body    TEXT NOT NULL,
    PRIMARY KEY (model, at)
);
CREATE INDEX model_changes_at ON model_changes (at);

-- +goose StatementBegin
CREATE TRIGGER model_changes_no_update BEFORE UPDATE ON model_changes
BEGIN SELECT RAISE(ABORT, 'changes of models are never changed'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER model_changes_no_delete BEFORE DELETE ON model_changes
BEGIN SELECT RAISE(ABORT, 'changes of models are never deleted'); END;
-- +goose StatementEnd

-- A certificate that is not younger than this is no good.
ALTER TABLE devices ADD COLUMN certs_after BIGINT;

-- A command that was not sent yet can be taken back.
CREATE TABLE cancellable_commands (
    id           TEXT NOT NULL PRIMARY KEY,
    device       TEXT NOT NULL,
    tenant       TEXT NOT NULL,
    account      TEXT NOT NULL,
    name         TEXT NOT NULL,
    value        TEXT NOT NULL,
    state        TEXT NOT NULL CHECK (state IN ('queued', 'sent', 'done', 'failed', 'expired', 'cancelled')),
    error        TEXT NOT NULL,
    created      BIGINT NOT NULL,
    expires      BIGINT NOT NULL,
    settled      BIGINT,
    sent         BIGINT,
    tries        BIGINT NOT NULL,
    cancelled_by TEXT NOT NULL DEFAULT '',
    FOREIGN KEY (device, tenant) REFERENCES devices (id, tenant)
);
INSERT INTO cancellable_commands
    SELECT id, device, tenant, account, name, value, state, error, created, expires, settled, sent, tries, '' FROM commands;
DROP TABLE commands;
ALTER TABLE cancellable_commands RENAME TO commands;
CREATE INDEX commands_device ON commands (device, created);
CREATE INDEX commands_open ON commands (expires) WHERE state IN ('queued', 'sent');
