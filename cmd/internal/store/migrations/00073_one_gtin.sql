-- +goose Up
-- A GTIN is an operator's, and products are everybody's: those of the farms file move to
-- the operator whose batches they are of. Where there is none, or several, nobody can
-- tell whose it is, and it has to be entered again; sealed records keep theirs.
INSERT INTO gtins (gtin, tenant, product, account, at)
SELECT p.gtin, MIN(b.tenant), p.id, 'farms file', MIN(b.opened)
FROM products AS p JOIN batches AS b ON b.product = p.id
WHERE LENGTH(p.gtin) = 14 AND (SELECT COUNT(*) FROM products AS other WHERE other.gtin = p.gtin) = 1
GROUP BY p.gtin, p.id HAVING COUNT(DISTINCT b.tenant) = 1
ON CONFLICT (gtin) DO NOTHING;
ALTER TABLE products DROP COLUMN gtin;
