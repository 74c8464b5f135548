package api_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"tianhai/farm"
	"tianhai/trace/input"
)

func (w *world) Inputs(context.Context) ([]input.Product, error) {
	defer w.mu.Unlock()
	return []input.Product{{ID: "drug-1", Kind: input.Drug, Name: farm.Text{Zh: "药"}, Maker: "x"}}, w.enter()
}

func (w *world) PutInput(_ context.Context, p input.Product, _ string) error {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return err
	}
	if err := p.Check(); err != nil {
		return err
	}
	w.wrote++
	return nil
}

func (w *world) Lots(context.Context, string) ([]input.Stock, error) {
	defer w.mu.Unlock()
	return nil, w.enter()
}

func (w *world) AddLot(_ context.Context, l input.Lot) error {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return err
	}
	if err := l.Check(input.Drug); err != nil {
		return err
	}
	w.wrote++
	return nil
}

// TestInputsSayWhat: a product or lot that cannot be names the field.
func TestInputsSayWhat(t *testing.T) {
	base, _ := serve(t, newWorld())
	for request, field := range map[string]string{
		`PUT /inputs/drug-1 {"kind":"drug","name":{"zh":"药"},"maker":"x","registration":"1"}`:                                            "actives",
		`POST /tenants/oyster/lots {"id":"01JZ00000000000000000000M1","product":"d","batch":"1","supplier":"x","quantity":1,"unit":"瓶"}`: "unit",
		`POST /tenants/oyster/lots {"id":"1","product":"d"}`:                                                                             "id",
	} {
		parts := strings.SplitN(request, " ", 3)
		got := client{t, base, "admin"}.do(parts[0], parts[1], parts[2])
		if got.status != http.StatusBadRequest || !strings.Contains(got.body, `"field":"`+field+`"`) {
			t.Errorf("%s: %d %s", request, got.status, got.body)
		}
	}
}

// TestBansAreListed: the list is public to whoever works here, with its sources.
func TestBansAreListed(t *testing.T) {
	base, _ := serve(t, newWorld())
	got := client{t, base, "farmer"}.do(http.MethodGet, "/bans", "")
	if got.status != http.StatusOK || !strings.Contains(got.body, "孔雀石绿") || !strings.Contains(got.body, "公告第199号") {
		t.Errorf("%d %s", got.status, got.body)
	}
}
