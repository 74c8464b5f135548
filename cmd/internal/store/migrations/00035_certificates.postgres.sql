-- +goose Up
-- Certificates, whose words stand in their records, and what was taken back. Both, and
-- the records, stay for ever, which is longer than the two years of the law. Numbers
-- of an issuer have no gaps within a year.
CREATE TABLE certificate_numbers (
    tenant TEXT NOT NULL REFERENCES tenants (id),
    year   BIGINT NOT NULL,
    last   BIGINT NOT NULL CHECK (last > 0),
    PRIMARY KEY (tenant, year)
);

CREATE TABLE certificates (
    id     TEXT NOT NULL PRIMARY KEY,
    tenant TEXT NOT NULL,
    batch  TEXT NOT NULL,
    year   BIGINT NOT NULL,
    n      BIGINT NOT NULL,
    issued BIGINT NOT NULL,
    UNIQUE (tenant, year, n),
    UNIQUE (id, tenant),
    FOREIGN KEY (batch, tenant) REFERENCES batches (id, tenant)
);
CREATE INDEX certificates_batch ON certificates (batch);
CREATE INDEX certificates_tenant ON certificates (tenant, issued);

CREATE TABLE voids (
    id          TEXT NOT NULL PRIMARY KEY,
    tenant      TEXT NOT NULL,
    report      TEXT UNIQUE,
    certificate TEXT UNIQUE,
    at          BIGINT NOT NULL,
    CHECK ((report IS NULL) <> (certificate IS NULL)),
    FOREIGN KEY (report, tenant) REFERENCES reports (id, tenant),
    FOREIGN KEY (certificate, tenant) REFERENCES certificates (id, tenant)
);

CREATE TRIGGER certificates_no_change BEFORE UPDATE OR DELETE ON certificates
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER certificates_no_truncate BEFORE TRUNCATE ON certificates
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER voids_no_change BEFORE UPDATE OR DELETE ON voids
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER voids_no_truncate BEFORE TRUNCATE ON voids
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER certificate_numbers_grow BEFORE UPDATE ON certificate_numbers
    FOR EACH ROW WHEN (NEW.tenant <> OLD.tenant OR NEW.year <> OLD.year OR NEW.last <> OLD.last + 1)
    EXECUTE FUNCTION refuse_change();
CREATE TRIGGER certificate_numbers_no_delete BEFORE DELETE ON certificate_numbers
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER certificate_numbers_no_truncate BEFORE TRUNCATE ON certificate_numbers
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
