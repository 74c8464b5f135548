-- +goose Up
-- Records that wait to be told as events; each goes with the transaction that tells it.
CREATE TABLE epcis_untold (
    record TEXT NOT NULL PRIMARY KEY REFERENCES records (id),
    at     BIGINT NOT NULL
);
CREATE INDEX epcis_untold_at ON epcis_untold (at, record);
INSERT INTO epcis_untold (record, at)
SELECT id, at FROM records WHERE kind IN ('operation', 'movement', 'batch', 'shipment', 'arrival');

-- What batches are called in events, so that a name once given stays.
CREATE TABLE epcis_batches (
    batch TEXT NOT NULL PRIMARY KEY REFERENCES batches (id),
    name  TEXT NOT NULL UNIQUE
);
