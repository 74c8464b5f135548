-- +goose Up
-- Lists of what came in about a batch.
CREATE INDEX scan_alarms_batch ON scan_alarms (batch, raised);
CREATE INDEX complaints_batch ON complaints (batch, received);
