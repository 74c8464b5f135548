-- +goose Up
-- Which log a record is in, from 1: a change of the log's key makes the next one.
-- Besides being sealed, a record's receipt is exchanged once, for the one that a
-- quorum of witnesses stands behind.
ALTER TABLE records ADD COLUMN log BIGINT NOT NULL DEFAULT 1;
ALTER TABLE records ADD COLUMN cosigned BOOLEAN NOT NULL DEFAULT FALSE;
CREATE UNIQUE INDEX records_place ON records (log, leaf) WHERE leaf >= 0;
CREATE INDEX records_uncosigned ON records (log, leaf) WHERE leaf >= 0 AND NOT cosigned;

DROP TRIGGER records_sealed_once;
-- +goose StatementBegin
CREATE TRIGGER records_sealed_once BEFORE UPDATE ON records
WHEN NEW.leaf < 0
  OR OLD.leaf >= 0 AND (OLD.cosigned OR NOT NEW.cosigned OR NEW.leaf <> OLD.leaf OR NEW.log <> OLD.log)
  OR NEW.id IS NOT OLD.id OR NEW.tenant IS NOT OLD.tenant OR NEW.kind IS NOT OLD.kind
  OR NEW.subject IS NOT OLD.subject OR NEW.code IS NOT OLD.code
  OR NEW.body IS NOT OLD.body OR NEW.salt IS NOT OLD.salt OR NEW.at IS NOT OLD.at
BEGIN SELECT RAISE(ABORT, 'records are never changed, and sealed once'); END;
-- +goose StatementEnd

-- What each log has signed last, so that an older copy of its directory is known
-- for what it is. It only grows.
CREATE TABLE logs (
    number       BIGINT NOT NULL PRIMARY KEY CHECK (number > 0),
    verifier_key TEXT NOT NULL UNIQUE,
    size         BIGINT NOT NULL CHECK (size >= 0),
    checkpoint   TEXT NOT NULL,
    at           BIGINT NOT NULL
);
-- +goose StatementBegin
CREATE TRIGGER logs_grow BEFORE UPDATE ON logs
WHEN NEW.number <> OLD.number OR NEW.verifier_key <> OLD.verifier_key OR NEW.size < OLD.size
  OR NEW.size = OLD.size AND NEW.checkpoint <> OLD.checkpoint
BEGIN SELECT RAISE(ABORT, 'logs only grow'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER logs_no_delete BEFORE DELETE ON logs
BEGIN SELECT RAISE(ABORT, 'logs are never deleted'); END;
-- +goose StatementEnd
