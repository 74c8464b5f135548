package store_test

import (
	"testing"

	"tianhai/cmd/internal/store"
	"tianhai/farm"
	"tianhai/ingest/mapping"
)

func testMappings(t *testing.T, s *store.Store) {
	ctx := t.Context()
	equal(t, "none", []mapping.Version{})(s.Mappings(ctx))
	_, err := s.MappingVersions(ctx, "weather")
	wantErr(t, "versions of none", err, farm.ErrNotFound)

	first := mapping.Version{Name: "weather", Version: 1, Doc: "channels: []", Account: "root", Created: noon}
	second := first
	second.Version, second.Doc, second.Account = 2, "channels: [] # 气象站", "li"
	gone := mapping.Version{Name: "weather", Version: 3, Deleted: true, Account: "root", Created: noon}
	soil := mapping.Version{Name: "soil", Version: 1, Doc: "x", Account: "root", Created: noon}
	for _, v := range []mapping.Version{first, second, soil} {
		check(t, s.AddMapping(ctx, v))
	}
	wantErr(t, "the same version again", s.AddMapping(ctx, second), farm.ErrConflict)
	equal(t, "newest", []mapping.Version{soil, second})(s.Mappings(ctx))
	check(t, s.AddMapping(ctx, gone))
	equal(t, "newest, one deleted", []mapping.Version{soil, gone})(s.Mappings(ctx))
	equal(t, "versions", []mapping.Version{first, second, gone})(s.MappingVersions(ctx, "weather"))
}
