-- +goose Up
-- A recall is closed once; its steps and causes are appended, never edited.

-- +goose StatementBegin
CREATE TRIGGER recalls_close_once BEFORE UPDATE ON recalls
WHEN OLD.closed IS NOT NULL OR NEW.closed IS NULL
  OR NEW.id IS NOT OLD.id OR NEW.number IS NOT OLD.number OR NEW.tenant IS NOT OLD.tenant
  OR NEW.region IS NOT OLD.region OR NEW.year IS NOT OLD.year OR NEW.opened IS NOT OLD.opened
BEGIN SELECT RAISE(ABORT, 'recalls are closed once and never changed'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER recalls_no_delete BEFORE DELETE ON recalls
BEGIN SELECT RAISE(ABORT, 'recalls are never deleted'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER recall_steps_no_update BEFORE UPDATE ON recall_steps
BEGIN SELECT RAISE(ABORT, 'steps of recalls are never changed'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER recall_steps_no_delete BEFORE DELETE ON recall_steps
BEGIN SELECT RAISE(ABORT, 'steps of recalls are never deleted'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER recall_causes_no_update BEFORE UPDATE ON recall_causes
BEGIN SELECT RAISE(ABORT, 'causes of recalls are never changed'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER recall_causes_no_delete BEFORE DELETE ON recall_causes
BEGIN SELECT RAISE(ABORT, 'causes of recalls are never deleted'); END;
-- +goose StatementEnd
