-- +goose Up
-- Who was asked to test a batch, and what was found. What a report says stands in its
-- record; here is only what it is found by. A report is never changed: another one
-- corrects it, or a void takes it back.
CREATE UNIQUE INDEX IF NOT EXISTS batches_owner ON batches (id, tenant);

CREATE TABLE samples (
    id         TEXT NOT NULL PRIMARY KEY,
    tenant     TEXT NOT NULL,
    batch      TEXT NOT NULL,
    laboratory TEXT NOT NULL REFERENCES tenants (id),
    number     TEXT NOT NULL,
    asked      BIGINT NOT NULL,
    account    TEXT NOT NULL,
    UNIQUE (laboratory, tenant, number),
    FOREIGN KEY (batch, tenant) REFERENCES batches (id, tenant)
);
CREATE INDEX samples_batch ON samples (batch);

CREATE TABLE report_files (
    hash     TEXT NOT NULL,
    tenant   TEXT NOT NULL,
    site     TEXT NOT NULL,
    account  TEXT NOT NULL,
    uploaded BIGINT NOT NULL,
    PRIMARY KEY (hash, tenant),
    FOREIGN KEY (site, tenant) REFERENCES sites (id, tenant)
);
CREATE INDEX report_files_uploaded ON report_files (uploaded);

CREATE TABLE reports (
    id       TEXT NOT NULL PRIMARY KEY,
    tenant   TEXT NOT NULL,
    batch    TEXT NOT NULL,
    source   TEXT NOT NULL CHECK (source IN ('laboratory', 'self')),
    verdict  TEXT NOT NULL CHECK (verdict IN ('', 'pass', 'fail')),
    file     TEXT,
    corrects TEXT UNIQUE,
    recorded BIGINT NOT NULL,
    UNIQUE (id, tenant),
    FOREIGN KEY (batch, tenant) REFERENCES batches (id, tenant),
    FOREIGN KEY (file, tenant) REFERENCES report_files (hash, tenant),
    FOREIGN KEY (corrects, tenant) REFERENCES reports (id, tenant)
);
CREATE INDEX reports_batch ON reports (batch);
CREATE INDEX reports_tenant ON reports (tenant, recorded);
CREATE INDEX reports_file ON reports (file, tenant);

CREATE TRIGGER samples_no_change BEFORE UPDATE OR DELETE ON samples
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER samples_no_truncate BEFORE TRUNCATE ON samples
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER reports_no_change BEFORE UPDATE OR DELETE ON reports
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER reports_no_truncate BEFORE TRUNCATE ON reports
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
