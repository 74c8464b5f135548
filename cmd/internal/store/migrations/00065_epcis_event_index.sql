-- +goose Up
-- The terms of one event: for conditions that leave many events and name no value, such
-- as a pattern or a comparison, which are then looked up event by event.
CREATE INDEX epcis_texts_event ON epcis_texts (event, field);
CREATE INDEX epcis_numbers_event ON epcis_numbers (event, field);
