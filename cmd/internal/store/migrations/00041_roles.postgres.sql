-- +goose Up
-- Inspectors belong to a region as bureau officers do, laboratories to the operator
-- that they work for.
ALTER TABLE accounts DROP CONSTRAINT accounts_role_check;
ALTER TABLE accounts DROP CONSTRAINT accounts_check;
ALTER TABLE accounts DROP CONSTRAINT accounts_check1;
ALTER TABLE accounts ADD CONSTRAINT accounts_role_check
    CHECK (role IN ('administrator', 'bureau', 'inspector', 'manager', 'farmer', 'laboratory'));
ALTER TABLE accounts ADD CONSTRAINT accounts_tenant_check
    CHECK ((tenant IS NOT NULL) = (role IN ('manager', 'farmer', 'laboratory')));
ALTER TABLE accounts ADD CONSTRAINT accounts_region_check
    CHECK ((region <> '') = (role IN ('bureau', 'inspector')));
