package api_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"tianhai/api/auth"
)

func (w *world) Programs(context.Context, string) ([]auth.Program, error) {
	defer w.mu.Unlock()
	return []auth.Program{{ID: "01JZ00000000000000000000P1", Tenant: "oyster", Name: "ERP", Account: "manager", Writes: true, TokenHash: []byte("s3cr3t"), Created: noon, Expires: noon.AddDate(1, 0, 0), Used: noon}}, w.enter()
}

func (w *world) AddProgram(_ context.Context, p auth.Program) error {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return err
	}
	if p.Name == "one too many" {
		return auth.ErrPrograms
	}
	w.wrote++
	return nil
}

func (w *world) DeleteProgram(context.Context, string, string) error {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return err
	}
	w.wrote++
	return nil
}

func TestPrograms(t *testing.T) {
	base, _ := serve(t, newWorld())
	manager := client{t, base, "manager"}
	for body, want := range map[string]int{
		`{"name":" ","days":1}`:               http.StatusBadRequest,
		`{"name":"ERP"}`:                      http.StatusBadRequest,
		`{"name":"ERP","days":731}`:           http.StatusBadRequest,
		`{"name":"one too many","days":1}`:    http.StatusConflict,
		`{"name":"ERP","days":1,"token":"x"}`: http.StatusBadRequest,
	} {
		if got := manager.do("POST", "/tenants/oyster/programs", body); got.status != want {
			t.Errorf("%s: %d %s", body, got.status, got.body)
		}
	}
	var made struct{ Token string }
	if got := manager.do("POST", "/tenants/oyster/programs", `{"name":"ERP","days":730}`); json.Unmarshal([]byte(got.body), &made) != nil || !strings.HasPrefix(made.Token, "thp_") {
		t.Errorf("added: %s", got.body)
	}
	if got := manager.do("GET", "/tenants/oyster/programs", ""); strings.Contains(got.body, "oken") || strings.Contains(got.body, "s3cr3t") {
		t.Errorf("the list tells: %s", got.body)
	}
}
