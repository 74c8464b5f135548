-- +goose Up
-- Alarms ask every few seconds which shipments are on their way.
CREATE INDEX shipments_on_the_way ON shipments (departed) WHERE arrived IS NULL;
