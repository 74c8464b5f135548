-- +goose Up
-- How large a picture is, for the tenant's quota, and what its camera says of time
-- and place: claimed, not proven, and for the owner and the bureau only.
ALTER TABLE photos ADD COLUMN size BIGINT NOT NULL DEFAULT 0 CHECK (size >= 0);
ALTER TABLE photos ADD COLUMN taken BIGINT;
ALTER TABLE photos ADD COLUMN longitude DOUBLE PRECISION;
ALTER TABLE photos ADD COLUMN latitude DOUBLE PRECISION;
ALTER TABLE photos ADD COLUMN far BOOLEAN NOT NULL DEFAULT FALSE;
CREATE INDEX photos_tenant ON photos (tenant);
