package store_test

import (
	"fmt"
	"testing"

	"tianhai/cmd/internal/store"
	"tianhai/farm"
	"tianhai/trace/epcis/repository"
	"tianhai/trace/resolver"
)

func testCompanies(t *testing.T, s *store.Store) {
	ctx := t.Context()
	seed(t, s)
	one := resolver.Company{Prefix: "690123456", Tenant: "tea", Account: "boss", Stated: noon}
	check(t, s.StateCompany(ctx, one))
	again := one
	again.Stated = noon.AddDate(0, 0, 1)
	check(t, s.StateCompany(ctx, again))
	other := one
	other.Tenant, other.Prefix = "oysters", "4012345"
	check(t, s.StateCompany(ctx, other))
	equal(t, "of one", []resolver.Company{one})(s.Companies(ctx, "tea"))
	equal(t, "prefixes of one", []string{"690123456"})(s.CompanyPrefixes(ctx, repository.Scope{Tenant: "tea"}))
	equal(t, "prefixes of all", []string{"4012345", "690123456"})(s.CompanyPrefixes(ctx, repository.Scope{}))
	equal(t, "of nobody", []resolver.Company{})(s.Companies(ctx, "nobody"))
	stray := one
	stray.Tenant = "nobody"
	wantErr(t, "of an unknown tenant", s.StateCompany(ctx, stray), farm.ErrNotFound)
	for i := range resolver.MaxCompanies - 1 {
		one.Prefix = fmt.Sprintf("7%07d", i)
		check(t, s.StateCompany(ctx, one))
	}
	check(t, s.StateCompany(ctx, one))
	one.Prefix = "12345678"
	wantErr(t, "one too many", s.StateCompany(ctx, one), resolver.ErrCompanies)
	wantErr(t, "drop another's", s.DropCompany(ctx, "oysters", "690123456"), farm.ErrNotFound)
	check(t, s.DropCompany(ctx, "tea", "690123456"))
	wantErr(t, "drop it twice", s.DropCompany(ctx, "tea", "690123456"), farm.ErrNotFound)
}
