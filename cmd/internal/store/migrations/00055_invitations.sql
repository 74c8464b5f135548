-- +goose Up
-- An account is closed for a time or for good, and keeps its login, which records name.
ALTER TABLE accounts ADD COLUMN disabled BIGINT;

-- Who is invited sets a password of his own by a code that is shown once.
CREATE TABLE invitations (
    login   TEXT NOT NULL PRIMARY KEY REFERENCES accounts (login) ON DELETE CASCADE,
    code    BYTEA NOT NULL,
    expires BIGINT NOT NULL
);
