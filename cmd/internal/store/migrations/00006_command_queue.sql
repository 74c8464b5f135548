-- +goose Up
-- Commands wait in the records until their device takes them. SQLite cannot
-- change a CHECK, so both databases copy the table.
CREATE TABLE queued_commands (
    id      TEXT NOT NULL PRIMARY KEY,
    device  TEXT NOT NULL,
    tenant  TEXT NOT NULL,
    account TEXT NOT NULL,
    name    TEXT NOT NULL,
    value   TEXT NOT NULL,
    state   TEXT NOT NULL CHECK (state IN ('queued', 'sent', 'done', 'failed', 'expired')),
    error   TEXT NOT NULL,
    created BIGINT NOT NULL,
    expires BIGINT NOT NULL,
    settled BIGINT,
    sent    BIGINT,
    tries   BIGINT NOT NULL,
    FOREIGN KEY (device, tenant) REFERENCES devices (id, tenant)
);
INSERT INTO queued_commands
    SELECT id, device, tenant, account, name, value, state, error, created, expires, settled, created, 1 FROM commands;
DROP TABLE commands;
ALTER TABLE queued_commands RENAME TO commands;
CREATE INDEX commands_device ON commands (device, created);
CREATE INDEX commands_open ON commands (expires) WHERE state IN ('queued', 'sent');
