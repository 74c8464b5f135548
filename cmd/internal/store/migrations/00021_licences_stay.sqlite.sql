-- +goose Up
-- A renewal is another licence; what an operator showed once stays.

-- +goose StatementBegin
CREATE TRIGGER licences_no_update BEFORE UPDATE ON licences
BEGIN SELECT RAISE(ABORT, 'licences are never changed'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER licences_no_delete BEFORE DELETE ON licences
BEGIN SELECT RAISE(ABORT, 'licences are never deleted'); END;
-- +goose StatementEnd
