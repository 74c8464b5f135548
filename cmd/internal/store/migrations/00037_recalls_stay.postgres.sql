-- +goose Up
-- A recall is closed once; its steps and causes are appended, never edited.
CREATE TRIGGER recalls_close_once BEFORE UPDATE ON recalls
    FOR EACH ROW WHEN (OLD.closed IS NOT NULL OR NEW.closed IS NULL
        OR (NEW.id, NEW.number, NEW.tenant, NEW.region, NEW.year, NEW.opened)
            IS DISTINCT FROM (OLD.id, OLD.number, OLD.tenant, OLD.region, OLD.year, OLD.opened))
    EXECUTE FUNCTION refuse_change();
CREATE TRIGGER recalls_no_delete BEFORE DELETE ON recalls
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER recalls_no_truncate BEFORE TRUNCATE ON recalls
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER recall_steps_no_change BEFORE UPDATE OR DELETE ON recall_steps
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER recall_steps_no_truncate BEFORE TRUNCATE ON recall_steps
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER recall_causes_no_change BEFORE UPDATE OR DELETE ON recall_causes
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER recall_causes_no_truncate BEFORE TRUNCATE ON recall_causes
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
