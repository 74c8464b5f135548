-- +goose Up
-- Records are appended, never edited: the database itself refuses, whatever the
-- program above it tries. The one change a record knows is its seal, once.

-- +goose StatementBegin
CREATE TRIGGER records_no_delete BEFORE DELETE ON records
BEGIN SELECT RAISE(ABORT, 'records are never deleted'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER records_sealed_once BEFORE UPDATE ON records
WHEN OLD.leaf >= 0 OR NEW.leaf < 0
  OR NEW.id IS NOT OLD.id OR NEW.tenant IS NOT OLD.tenant OR NEW.kind IS NOT OLD.kind
  OR NEW.subject IS NOT OLD.subject OR NEW.code IS NOT OLD.code
  OR NEW.body IS NOT OLD.body OR NEW.salt IS NOT OLD.salt OR NEW.at IS NOT OLD.at
BEGIN SELECT RAISE(ABORT, 'records are never changed, and sealed once'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER operations_no_update BEFORE UPDATE ON operations
BEGIN SELECT RAISE(ABORT, 'operations are never changed'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER operations_no_delete BEFORE DELETE ON operations
BEGIN SELECT RAISE(ABORT, 'operations are never deleted'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER batches_closed BEFORE UPDATE ON batches
WHEN OLD.code IS NOT NULL
  OR NEW.id IS NOT OLD.id OR NEW.tenant IS NOT OLD.tenant OR NEW.site IS NOT OLD.site
BEGIN SELECT RAISE(ABORT, 'closed batches are never changed'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER batches_no_delete BEFORE DELETE ON batches
BEGIN SELECT RAISE(ABORT, 'batches are never deleted'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER installations_no_update BEFORE UPDATE ON installations
BEGIN SELECT RAISE(ABORT, 'installations are never changed'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER installations_no_delete BEFORE DELETE ON installations
BEGIN SELECT RAISE(ABORT, 'installations are never deleted'); END;
-- +goose StatementEnd
