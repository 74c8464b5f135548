-- +goose Up
-- For packages of one operator and period.
CREATE INDEX records_tenant ON records (tenant, at, id);
