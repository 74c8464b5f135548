-- +goose Up
-- Other names of devices: a DevEUI, or an edge node's group/node/device.
CREATE TABLE aliases (
    alias   TEXT NOT NULL PRIMARY KEY,
    device  TEXT NOT NULL REFERENCES devices (id),
    account TEXT NOT NULL,
    created BIGINT NOT NULL
);
CREATE INDEX aliases_device ON aliases (device);
