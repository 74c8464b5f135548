-- +goose Up
-- In which form keys are told, and which program subscribed: with it goes its subscription.
-- Those from before are told Digital Links, as they were, and are nobody's program.
ALTER TABLE epcis_subscriptions ADD COLUMN format TEXT NOT NULL DEFAULT 'Always_GS1_Digital_Link';
ALTER TABLE epcis_subscriptions ADD COLUMN program TEXT REFERENCES programs (id) ON DELETE CASCADE;
CREATE INDEX epcis_subscriptions_by ON epcis_subscriptions (program);
