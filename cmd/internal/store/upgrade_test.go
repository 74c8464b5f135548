package store_test

import (
	"database/sql"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/pressly/goose/v3"

	"tianhai/cmd/internal/store"
	"tianhai/farm"
	"tianhai/trace/resolver"
)

// upTo brings an empty database to an older version.
func upTo(t *testing.T, db *sql.DB, kind goose.Dialect, version int64) {
	t.Helper()
	other := "*.postgres.sql"
	if kind == goose.DialectPostgres {
		other = "*.sqlite.sql"
	}
	files := os.DirFS("migrations")
	foreign, err := fs.Glob(files, other)
	check(t, err)
	provider, err := goose.NewProvider(kind, db, files, goose.WithExcludeNames(foreign), goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	check(t, err)
	_, err = provider.UpTo(t.Context(), version)
	check(t, err)
}

// GTINs of products become those of the operator whose batches they are of, where there
// is one.
func testGTINsMove(t *testing.T, db *sql.DB, kind goose.Dialect, opt store.Options) {
	upTo(t, db, kind, 72)
	for _, do := range []string{
		`INSERT INTO tenants (id, name, credit_code, phone, region) VALUES ('tea', '{}', '', '', '450400'), ('sea', '{}', '', '', '450500')`,
		`INSERT INTO sites (id, tenant, region, kind, name, town, latitude, longitude, area) VALUES ('garden', 'tea', '450400', 'garden', '{}', '{}', 0, 0, 0), ('raft', 'sea', '450500', 'raft', '{}', '{}', 0, 0, 0)`,
		`INSERT INTO products (id, kind, name, gtin) VALUES ('leaf', 'tea', '{}', '09506000134352'), ('both', 'tea', '{}', '04012345111118'), ('none', 'tea', '{}', ''),
			('unused', 'tea', '{}', '09521321000015'), ('twice', 'tea', '{}', '09524141000007'), ('again', 'tea', '{}', '09524141000007')`,
		`INSERT INTO batches (id, tenant, site, product, lot, quantity, unit, began, opened) VALUES
			('b1', 'tea', 'garden', 'leaf', '1', 1, 'kg', 1, 5), ('b2', 'tea', 'garden', 'leaf', '2', 1, 'kg', 1, 7), ('b3', 'tea', 'garden', 'both', '3', 1, 'kg', 1, 5),
			('b4', 'sea', 'raft', 'both', '4', 1, 'kg', 1, 5), ('b5', 'tea', 'garden', 'twice', '5', 1, 'kg', 1, 5), ('b6', 'tea', 'garden', 'none', '6', 1, 'kg', 1, 5)`,
	} {
		if _, err := db.ExecContext(t.Context(), do); err != nil {
			t.Fatal(err)
		}
	}
	check(t, db.Close())
	s, err := store.Open(t.Context(), opt)
	check(t, err)
	held, err := s.Holdings(t.Context(), "tea")
	check(t, err)
	if len(held) != 1 || held[0] != (resolver.Holding{GTIN: "09506000134352", Tenant: "tea", Product: "leaf", Account: "farms file", Set: held[0].Set}) {
		t.Errorf("held by tea: %+v", held)
	}
	equal(t, "held by sea", []resolver.Holding{})(s.Holdings(t.Context(), "sea"))
	equal(t, "the GTIN", "09506000134352")(s.HeldGTIN(t.Context(), "tea", "leaf"))
	equal(t, "none", "")(s.HeldGTIN(t.Context(), "sea", "leaf"))
	if p, err := s.Product(t.Context(), "leaf"); err != nil || p.GTIN != "" {
		t.Errorf("the product: %+v, %v", p, err)
	}
	_, err = s.Product(t.Context(), "nothing")
	wantErr(t, "unknown product", err, farm.ErrNotFound)
	check(t, s.Close())
}

func TestGTINsMove(t *testing.T) {
	dir := t.TempDir()
	db, err := sql.Open("sqlite", filepath.Join(dir, "tianhai.db"))
	check(t, err)
	testGTINsMove(t, db, goose.DialectSQLite3, store.Options{Dir: dir})
}
