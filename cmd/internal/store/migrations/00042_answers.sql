-- +goose Up
-- What was answered to requests that name a key, for a day: sealed under the key
-- itself, of which only a hash is here. No seal: it is in progress until the lease ends.
CREATE TABLE answers (
    id      BYTEA NOT NULL PRIMARY KEY,
    account TEXT NOT NULL,
    print   BYTEA NOT NULL,
    sealed  BYTEA,
    created BIGINT NOT NULL,
    lease   BIGINT NOT NULL
);
CREATE INDEX answers_created ON answers (created);
CREATE INDEX answers_account ON answers (account);
