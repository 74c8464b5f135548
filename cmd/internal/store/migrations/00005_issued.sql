-- +goose Up
-- Devices that belong to nobody yet. Whoever claims one moves it to devices. wrong
-- counts the codes that were tried.
CREATE TABLE issued (
    id          TEXT NOT NULL PRIMARY KEY,
    model       TEXT NOT NULL REFERENCES models (id),
    name        TEXT NOT NULL,
    secret_hash BYTEA NOT NULL,
    claim_hash  BYTEA NOT NULL,
    wrong       BIGINT NOT NULL,
    created     BIGINT NOT NULL,
    account     TEXT NOT NULL
);
