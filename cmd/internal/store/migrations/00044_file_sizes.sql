-- +goose Up
-- Files of reports have a quota as pictures do.
ALTER TABLE report_files ADD COLUMN size BIGINT NOT NULL DEFAULT 0 CHECK (size >= 0);
CREATE INDEX report_files_tenant ON report_files (tenant);
