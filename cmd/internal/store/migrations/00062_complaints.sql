-- +goose Up
-- What consumers complain of. The telephone number stands apart from everything
-- else: it can be erased, and the rest stays.
CREATE TABLE complaints (
    id        TEXT NOT NULL PRIMARY KEY,
    reference TEXT NOT NULL UNIQUE,
    code      TEXT NOT NULL,
    batch     TEXT NOT NULL REFERENCES batches (id),
    tenant    TEXT NOT NULL REFERENCES tenants (id),
    region    TEXT NOT NULL,
    kind      TEXT NOT NULL,
    words     TEXT NOT NULL,
    phone     TEXT NOT NULL,
    photo     TEXT NOT NULL,
    place     TEXT NOT NULL,
    language  TEXT NOT NULL,
    received  BIGINT NOT NULL,
    told      BIGINT,
    state     TEXT NOT NULL
);
CREATE INDEX complaints_received ON complaints (received, id);
CREATE INDEX complaints_tenant ON complaints (tenant, received);
CREATE INDEX complaints_code ON complaints (code, received);
CREATE TABLE complaint_answers (
    id        TEXT NOT NULL PRIMARY KEY,
    complaint TEXT NOT NULL REFERENCES complaints (id),
    words     TEXT NOT NULL,
    closes    BOOLEAN NOT NULL,
    office    TEXT NOT NULL,
    account   TEXT NOT NULL,
    at        BIGINT NOT NULL
);
CREATE INDEX complaint_answers_of ON complaint_answers (complaint, at, id);
