package store_test

import (
	"fmt"
	"testing"

	"tianhai/cmd/internal/store"
	"tianhai/farm"
	"tianhai/trace"
)

// testFindTenants: enterprises are found by a part of their name or the beginning of
// their code, natural persons by nothing less than the whole name.
func testFindTenants(t *testing.T, s *store.Store) {
	ctx := t.Context()
	all := map[string]farm.Tenant{}
	for _, tenant := range []farm.Tenant{
		{ID: "works", Kind: farm.Enterprise, Name: farm.Text{Zh: "六堡茶厂", En: "Liubao Tea Works"}, CreditCode: "91450400MA5KABCD1Q", Region: "450421"},
		{ID: "coop", Kind: farm.Cooperative, Name: farm.Text{Zh: "大蚝合作社", En: "100%_Oysters"}, CreditCode: "93450700MA5KABCD2X", Region: "450702"},
		{ID: "old", Name: farm.Text{Zh: "老茶厂"}, CreditCode: "91450700MA5KABCD3Y", Region: "450700"}, // nobody said what it is
		{ID: "li", Kind: farm.Household, Name: farm.Text{Zh: "李四茶园", En: "Li Si"}, Region: "450421"},
		{ID: "boat", Kind: farm.VesselOwner, Name: farm.Text{Zh: "桂钦渔茶"}, CreditCode: "", Region: "450702"},
		{ID: "bare", Name: farm.Text{Zh: "张三茶"}, Region: "450702"},
	} {
		all[tenant.ID] = tenant
		check(t, s.CreateTenant(ctx, tenant))
	}
	for name, tt := range map[string]struct {
		words, region string
		limit         int
		want          string
	}{
		"a part of a name":             {"茶", "", 9, "[old works]"},
		"in a region":                  {"茶", "450400", 9, "[works]"},
		"in a county":                  {"茶", "450702", 9, "[]"},
		"so many":                      {"茶", "", 1, "[old]"},
		"in another language and case": {"LIUBAO tea", "", 9, "[works]"},
		"signs that mean something":    {"0%_o", "", 9, "[coop]"},
		"a sign for anything":          {"%%", "", 9, "[]"},
		"the beginning of a code":      {"91450400ma5", "", 9, "[works]"},
		"the middle of a code":         {"MA5KABCD", "", 9, "[]"},
		"a part of a person's name":    {"李四", "", 9, "[]"},
		"a person's whole name":        {"李四茶园", "", 9, "[li]"},
		"a person's other name":        {"li si", "", 9, "[li]"},
		"a whole ID":                   {"bare", "", 9, "[bare]"},
		"a part of an ID":              {"oop", "", 9, "[]"},
		"nothing of the sort":          {"x' OR '1'='1", "", 9, "[]"},
	} {
		got, err := s.FindTenants(ctx, store.TenantFilter{Words: tt.words, Region: tt.region, Limit: tt.limit})
		check(t, err)
		ids := []string{}
		for _, g := range got {
			ids = append(ids, g.ID)
			if g != all[g.ID] {
				t.Errorf("%s: %+v, want %+v", name, g, all[g.ID])
			}
		}
		if fmt.Sprint(ids) != tt.want {
			t.Errorf("%s: %v, want %s", name, ids, tt.want)
		}
	}
	for id, person := range map[string]bool{"works": false, "coop": false, "old": false, "li": true, "boat": true, "bare": true} {
		if trace.NaturalPerson(all[id]) != person {
			t.Errorf("%s: the query and trace.NaturalPerson do not mean the same", id)
		}
	}
}
