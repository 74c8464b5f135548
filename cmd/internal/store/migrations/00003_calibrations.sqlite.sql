-- +goose Up
-- What a channel's value is corrected by, from a time on. Several for one moment
-- are corrections of each other: the one that was recorded last is in force.
CREATE TABLE calibrations (
    device    TEXT NOT NULL REFERENCES devices (id),
    channel   TEXT NOT NULL,
    since     BIGINT NOT NULL,
    recorded  BIGINT NOT NULL,
    slope     DOUBLE PRECISION NOT NULL,
    intercept DOUBLE PRECISION NOT NULL,
    account   TEXT NOT NULL,
    note      TEXT NOT NULL,
    PRIMARY KEY (device, channel, since, recorded)
);

-- +goose StatementBegin
CREATE TRIGGER calibrations_no_update BEFORE UPDATE ON calibrations
BEGIN SELECT RAISE(ABORT, 'calibrations are never changed'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER calibrations_no_delete BEFORE DELETE ON calibrations
BEGIN SELECT RAISE(ABORT, 'calibrations are never deleted'); END;
-- +goose StatementEnd
