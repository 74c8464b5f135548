-- +goose Up
-- Looks at codes stand in a file of their own, where Open has copied these.
DROP TABLE scan_codes;
DROP TABLE scan_sightings;
DROP TABLE scan_salts;
