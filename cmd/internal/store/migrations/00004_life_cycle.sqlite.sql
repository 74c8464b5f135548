-- +goose Up
-- What becomes of a device, and who said so. A device that was registered before
-- this is active from its next connection on.
ALTER TABLE devices ADD COLUMN state TEXT NOT NULL DEFAULT 'claimed'
    CHECK (state IN ('claimed', 'active', 'suspended', 'retired'));
ALTER TABLE devices ADD COLUMN state_at BIGINT;
ALTER TABLE devices ADD COLUMN seen BIGINT;

-- The secret before this one, which is good until old_until.
ALTER TABLE devices ADD COLUMN old_hash BYTEA;
ALTER TABLE devices ADD COLUMN old_until BIGINT;

CREATE TABLE device_events (
    device  TEXT NOT NULL REFERENCES devices (id),
    at      BIGINT NOT NULL,
    kind    TEXT NOT NULL CHECK (kind IN ('claimed', 'active', 'suspended', 'retired', 'rotated', 'revoked')),
    account TEXT NOT NULL,
    reason  TEXT NOT NULL,
    PRIMARY KEY (device, at, kind)
);
CREATE INDEX device_events_at ON device_events (at);

-- +goose StatementBegin
CREATE TRIGGER device_events_no_update BEFORE UPDATE ON device_events
BEGIN SELECT RAISE(ABORT, 'events of devices are never changed'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER device_events_no_delete BEFORE DELETE ON device_events
BEGIN SELECT RAISE(ABORT, 'events of devices are never deleted'); END;
-- +goose StatementEnd
