package api_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	"tianhai/farm"
)

func (w *world) Tenant(_ context.Context, id string) (farm.Tenant, error) {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return farm.Tenant{}, err
	}
	if id == "lab" {
		return farm.Tenant{ID: id, Kind: farm.Enterprise, Name: farm.Text{Zh: "检测中心"}, Region: "450100"}, nil
	}
	i := slices.IndexFunc(w.sites, func(s farm.Site) bool { return s.Tenant == id })
	if i < 0 {
		return farm.Tenant{}, farm.ErrNotFound
	}
	return farm.Tenant{ID: id, Kind: farm.Cooperative, Name: farm.Text{Zh: id}, Region: w.sites[i].Region}, nil
}

func (w *world) Licences(_ context.Context, tenant string) ([]farm.Licence, error) {
	defer w.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(w.licences), func(l farm.Licence) bool { return l.Tenant != tenant }), w.enter()
}

func (w *world) AddLicence(_ context.Context, l farm.Licence) error {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return err
	}
	if slices.ContainsFunc(w.licences, func(o farm.Licence) bool { return o.ID == l.ID }) {
		return farm.ErrConflict
	}
	w.wrote++
	w.licences = append(w.licences, l)
	return nil
}

func (w *world) SetBoundary(_ context.Context, site string, b farm.Boundary, area float64) error {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return err
	}
	w.wrote++
	i := slices.IndexFunc(w.sites, func(s farm.Site) bool { return s.ID == site })
	w.sites[i].Boundary, w.sites[i].Area = b, area
	return nil
}

func TestLicences(t *testing.T) {
	w := newWorld()
	base, _ := serve(t, w)
	c := client{t, base, "manager"}
	good := `{"id":"01JZ00000000000000000000M1","site":"raft-1","kind":"aquaculture","number":"桂养证1","issuer":"北海市","issued":"2026-01-01T00:00:00+08:00","expires":"2031-01-01T00:00:00+08:00"}`
	if got := c.do(http.MethodPost, "/tenants/oyster/licences", good); got.status != http.StatusCreated {
		t.Fatalf("%d %s", got.status, got.body)
	}
	got := c.do(http.MethodGet, "/tenants/oyster/licences", "")
	if !strings.Contains(got.body, "桂养证1") || strings.Contains(got.body, "manager") {
		t.Errorf("the list is %s; want the licence, without who recorded it", got.body)
	}
	for name, tt := range map[string]struct{ body, says string }{
		"kind":    {strings.Replace(good, "aquaculture", "driving", 1), "kind"},
		"id":      {strings.Replace(good, "01JZ", "", 1), "ULID"},
		"site":    {strings.Replace(good, "raft-1", "A", 1), "site"},
		"expired": {strings.Replace(good, "2031", "2025", 1), "expires"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.do(http.MethodPost, "/tenants/oyster/licences", tt.body); got.status != http.StatusBadRequest || !strings.Contains(got.body, tt.says) {
				t.Errorf("%d %s, want 400 that says %s", got.status, got.body, tt.says)
			}
		})
	}
}

func TestSetBoundary(t *testing.T) {
	w := newWorld()
	w.sites[1].Longitude = 109.1
	base, _ := serve(t, w)
	c := client{t, base, "manager"}
	around := `{"boundary":{"type":"Polygon","coordinates":[[[109,21.5],[109.2,21.5],[109.2,21.7],[109,21.7],[109,21.5]]]}}`
	got := c.do(http.MethodPut, "/sites/raft-1/boundary", around)
	if got.status != http.StatusOK || !strings.Contains(got.body, `"Polygon"`) {
		t.Fatalf("%d %s", got.status, got.body)
	}
	if a := w.sites[1].Area; a < 4e8 || a > 5e8 { // 20.7 km × 22.2 km
		t.Errorf("area %.0f m²", a)
	}
	for name, tt := range map[string]struct{ body, says string }{
		"elsewhere": {strings.ReplaceAll(around, "109", "108"), "does not hold the point"},
		"open":      {strings.Replace(around, ",[109,21.5]]", "]", 1), "open"},
		"a point":   {`{"boundary":{"type":"Point","coordinates":[109,21]}}`, "not Polygon"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.do(http.MethodPut, "/sites/raft-1/boundary", tt.body); got.status != http.StatusBadRequest || !strings.Contains(got.body, tt.says) {
				t.Errorf("%d %s, want 400 that says %s", got.status, got.body, tt.says)
			}
		})
	}
	if got := c.do(http.MethodPut, "/sites/raft-1/boundary", `{"boundary":null}`); got.status != http.StatusOK || !w.sites[1].Boundary.IsZero() {
		t.Errorf("taken back: %d %s", got.status, got.body)
	}
}
