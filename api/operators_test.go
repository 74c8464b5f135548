package api_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"tianhai/api"
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

// FindOperators finds three that there are; which of them words mean is the store's to say.
func (w *world) FindOperators(_ context.Context, q api.OperatorQuery) (found []farm.Tenant, err error) {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return nil, err
	}
	w.looked = append(w.looked, q)
	if q.Words == "all" {
		for i := range q.Limit {
			found = append(found, farm.Tenant{ID: fmt.Sprint("t", i), Region: "450702"})
		}
		return found, nil
	}
	return []farm.Tenant{
		{ID: "works", Kind: farm.Enterprise, Name: farm.Text{Zh: "茶厂", En: "Tea works"}, CreditCode: "91450400MA5KABCD1Q", Phone: "0774-1", Region: "450421"},
		{ID: "li", Kind: farm.Household, Name: farm.Text{Zh: "李四"}, Phone: "13800000000", Region: "450421"},
	}, nil
}

// TestFindOperators: what is public of an operator is told, and no more; and nobody
// reads the whole directory.
func TestFindOperators(t *testing.T) {
	w := full()
	base, _ := serve(t, w)
	c := client{t, base, "farmer"}
	a := c.do("GET", "/operators?q=%20%E8%8C%B6%E5%8E%82&region=450400", "")
	want(t, "found", `{"operators":[{"id":"works","kind":"enterprise","name":{"zh":"茶厂","en":"Tea works"},"credit_code":"91450400MA5KABCD1Q","region":"450421","place":{"zh":"梧州市","en":"Wuzhou"}},`+
		`{"id":"li","kind":"household","name":{"zh":"李**"},"region":"450400","place":{"zh":"梧州市","en":"Wuzhou"}}],"more":false}`, a.body)
	want(t, "asked", []api.OperatorQuery{{Words: "茶厂", Region: "450400", Limit: 21}}, w.looked)
	if whole := c.do("GET", "/operators?q=%E6%9D%8E%E5%9B%9B", "").body; !strings.Contains(whole, "李四") {
		t.Errorf("by the whole name is found %s", whole)
	}
	many := c.do("GET", "/operators?q=all", "").body
	want(t, "of many", []int{20, 1}, []int{strings.Count(many, `"id"`), strings.Count(many, `"more":true`)})
	for path, field := range map[string]string{"/operators": "q", "/operators?q=x": "q", "/operators?q=" + strings.Repeat("x", 61): "q", "/operators?q=%ff%ff%ff": "q", "/operators?q=xx&region=45": "region"} {
		want(t, path, field, c.do("GET", path, "").problem(t).Field)
	}
	for range api.FindsByUser - 3 {
		want(t, "again", http.StatusOK, c.do("GET", "/operators?q=xx", "").status)
	}
	a = c.do("GET", "/operators?q=xx", "")
	want(t, "too often", "429 60", fmt.Sprint(a.status, " ", a.header.Get("Retry-After")))
	want(t, "somebody else", http.StatusOK, client{t, base, "manager"}.do("GET", "/operators?q=xx", "").status)
}
