-- +goose Up
-- How many transactions wrote nothing but looks at codes: a revision leaves them out.
CREATE TABLE scan_writes (
    n BIGINT NOT NULL
);
INSERT INTO scan_writes (n) VALUES (0);
