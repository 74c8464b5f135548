package store_test

import (
	"testing"

	"tianhai/cmd/internal/store"
	"tianhai/farm"
	"tianhai/trace"
	"tianhai/trace/catalog"
)

func testCatalogs(t *testing.T, s *store.Store) {
	ctx := t.Context()
	seed(t, s)
	_, err := s.CatalogVersion(ctx, 0)
	wantErr(t, "newest of none", err, farm.ErrNotFound)

	mango := catalog.Product{ID: "mango", Group: "fruit", Name: farm.Text{Zh: "芒果", En: "Mango"}}
	taken := catalog.Product{ID: liubao.ID, Group: "fruit", Name: farm.Text{Zh: "别的", En: "Other"}}
	first := catalog.Version{Version: 1, Doc: "items: [] # 项目", Account: "tianhai", Created: noon}
	check(t, s.AddCatalog(ctx, first, []catalog.Product{mango, taken}))
	wantErr(t, "the same version again", s.AddCatalog(ctx, first, nil), farm.ErrConflict)
	equal(t, "a product that is data", trace.Product{ID: "mango", Kind: trace.Fruit, Species: "mango", Name: mango.Name})(s.Product(ctx, "mango"))
	equal(t, "a product that was there", liubao)(s.Product(ctx, liubao.ID))

	second := first
	second.Version, second.Doc, second.Account = 2, "items: []", "admin"
	mango.Name.En = "Mangoes"
	check(t, s.AddCatalog(ctx, second, []catalog.Product{mango}))
	equal(t, "renamed", trace.Product{ID: "mango", Kind: trace.Fruit, Species: "mango", Name: mango.Name})(s.Product(ctx, "mango"))
	equal(t, "newest", second)(s.CatalogVersion(ctx, 0))
	equal(t, "first", first)(s.CatalogVersion(ctx, 1))
	first.Doc, second.Doc = "", ""
	equal(t, "all", []catalog.Version{second, first})(s.CatalogVersions(ctx))
}
