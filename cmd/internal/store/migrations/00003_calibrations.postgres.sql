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

CREATE TRIGGER calibrations_no_change BEFORE UPDATE OR DELETE ON calibrations
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER calibrations_no_truncate BEFORE TRUNCATE ON calibrations
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
