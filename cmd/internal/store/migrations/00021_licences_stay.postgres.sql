-- +goose Up
-- A renewal is another licence; what an operator showed once stays.

CREATE TRIGGER licences_no_change BEFORE UPDATE OR DELETE ON licences
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER licences_no_truncate BEFORE TRUNCATE ON licences
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
