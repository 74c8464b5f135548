-- +goose Up
-- Records are appended, never edited: the database itself refuses, whatever the
-- program above it tries. The one change a record knows is its seal, once.

-- +goose StatementBegin
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% are never changed or deleted', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
-- +goose StatementEnd

CREATE TRIGGER records_no_delete BEFORE DELETE ON records
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER records_no_truncate BEFORE TRUNCATE ON records
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER records_sealed_once BEFORE UPDATE ON records
    FOR EACH ROW WHEN (OLD.leaf >= 0 OR NEW.leaf < 0
        OR (NEW.id, NEW.tenant, NEW.kind, NEW.subject, NEW.code, NEW.body, NEW.salt, NEW.at)
            IS DISTINCT FROM (OLD.id, OLD.tenant, OLD.kind, OLD.subject, OLD.code, OLD.body, OLD.salt, OLD.at))
    EXECUTE FUNCTION refuse_change();

CREATE TRIGGER operations_no_change BEFORE UPDATE OR DELETE ON operations
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER operations_no_truncate BEFORE TRUNCATE ON operations
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER batches_closed BEFORE UPDATE ON batches
    FOR EACH ROW WHEN (OLD.code IS NOT NULL
        OR (NEW.id, NEW.tenant, NEW.site) IS DISTINCT FROM (OLD.id, OLD.tenant, OLD.site))
    EXECUTE FUNCTION refuse_change();
CREATE TRIGGER batches_no_delete BEFORE DELETE ON batches
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER batches_no_truncate BEFORE TRUNCATE ON batches
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER installations_no_change BEFORE UPDATE OR DELETE ON installations
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER installations_no_truncate BEFORE TRUNCATE ON installations
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
