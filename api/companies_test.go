package api_test

import (
	"context"
	"net/http"
	"testing"

	"tianhai/trace/resolver"
)

func (w *world) Companies(context.Context, string) ([]resolver.Company, error) {
	defer w.mu.Unlock()
	return []resolver.Company{{Prefix: "690123456", Tenant: "oyster", Account: "manager", Stated: noon}}, w.enter()
}

func (w *world) StateCompany(_ context.Context, c resolver.Company) error {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return err
	}
	if c.Prefix == "000000" {
		return resolver.ErrCompanies
	}
	w.wrote++
	return nil
}

func (w *world) DropCompany(context.Context, string, string) error {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return err
	}
	w.wrote++
	return nil
}

func TestCompanyPrefixes(t *testing.T) {
	base, _ := serve(t, newWorld())
	manager := client{t, base, "manager"}
	for body, want := range map[string]int{
		`{"prefix":"69012"}`:         http.StatusBadRequest,
		`{"prefix":"6901234567890"}`: http.StatusBadRequest,
		`{"prefix":"69O123456"}`:     http.StatusBadRequest,
		`{"prefix":"000000"}`:        http.StatusConflict,
		`{"prefix":"690123456"}`:     http.StatusCreated,
	} {
		if got := manager.do("POST", "/tenants/oyster/company-prefixes", body); got.status != want {
			t.Errorf("%s: %d %s", body, got.status, got.body)
		}
	}
}
