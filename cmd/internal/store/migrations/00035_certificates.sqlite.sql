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

-- +goose StatementBegin
CREATE TRIGGER certificates_no_update BEFORE UPDATE ON certificates
BEGIN SELECT RAISE(ABORT, 'certificates are never changed'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER certificates_no_delete BEFORE DELETE ON certificates
BEGIN SELECT RAISE(ABORT, 'certificates are never deleted'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER voids_no_update BEFORE UPDATE ON voids
BEGIN SELECT RAISE(ABORT, 'voids are never changed'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER voids_no_delete BEFORE DELETE ON voids
BEGIN SELECT RAISE(ABORT, 'voids are never deleted'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER certificate_numbers_grow BEFORE UPDATE ON certificate_numbers
WHEN NEW.tenant IS NOT OLD.tenant OR NEW.year IS NOT OLD.year OR NEW.last <> OLD.last + 1
BEGIN SELECT RAISE(ABORT, 'numbers of certificates only grow'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER certificate_numbers_no_delete BEFORE DELETE ON certificate_numbers
BEGIN SELECT RAISE(ABORT, 'numbers of certificates are never deleted'); END;
-- +goose StatementEnd
