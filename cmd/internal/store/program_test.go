package store_test

import (
	"fmt"
	"testing"

	"tianhai/api/auth"
	"tianhai/cmd/internal/store"
	"tianhai/farm"
)

func testPrograms(t *testing.T, s *store.Store) {
	ctx := t.Context()
	seed(t, s)
	check(t, s.CreateAccount(ctx, auth.Account{Login: "boss", Role: auth.Manager, Tenant: "tea", Created: noon}))
	one := auth.Program{ID: "1", Tenant: "tea", Name: "ERP", Account: "boss", Writes: true, TokenHash: []byte{0, 1, 0xff}, Created: noon, Expires: noon.AddDate(1, 0, 0)}
	check(t, s.AddProgram(ctx, one))
	equal(t, "program", one)(s.ProgramOf(ctx, one.TokenHash))
	_, err := s.ProgramOf(ctx, []byte{0, 1})
	wantErr(t, "of another token", err, farm.ErrNotFound)
	check(t, s.UseProgram(ctx, "1", noon))
	one.Used = noon
	equal(t, "used program", []auth.Program{one})(s.Programs(ctx, "tea"))
	equal(t, "of another tenant", []auth.Program{})(s.Programs(ctx, "oysters"))
	wantErr(t, "taken away by another tenant", s.DeleteProgram(ctx, "oysters", "1"), farm.ErrNotFound)

	stray := one
	stray.ID, stray.TokenHash, stray.Tenant = "x", []byte("x"), "nobody"
	wantErr(t, "of an unknown tenant", s.AddProgram(ctx, stray), farm.ErrNotFound)
	twin := one
	twin.ID = "2"
	wantErr(t, "of the same token", s.AddProgram(ctx, twin), farm.ErrConflict)
	for i := range auth.MaxPrograms - 1 {
		more := one
		more.ID, more.TokenHash = fmt.Sprint("more", i), fmt.Append(nil, i)
		check(t, s.AddProgram(ctx, more))
	}
	stray.Tenant = "tea"
	wantErr(t, "too many", s.AddProgram(ctx, stray), auth.ErrPrograms)
	check(t, s.DeleteProgram(ctx, "tea", "1"))
	wantErr(t, "taken away twice", s.DeleteProgram(ctx, "tea", "1"), farm.ErrNotFound)
	check(t, s.UseProgram(ctx, "1", noon))
	_, err = s.ProgramOf(ctx, one.TokenHash)
	wantErr(t, "taken away", err, farm.ErrNotFound)
}
