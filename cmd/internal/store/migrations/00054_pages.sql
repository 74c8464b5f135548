-- +goose Up
-- Lists are read a page at a time, by when and then by ID.
CREATE INDEX reports_pages ON reports (recorded, id);
CREATE INDEX certificates_pages ON certificates (issued, id);
CREATE INDEX lots_pages ON lots (tenant, recorded, id);
CREATE INDEX audits_pages ON audits (began, log);
