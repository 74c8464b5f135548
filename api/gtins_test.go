package api_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	"tianhai/farm"
	"tianhai/trace/resolver"
)

const oysterGTIN = "09506000134352"

func (w *world) Holding(_ context.Context, gtin string) (resolver.Holding, error) {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return resolver.Holding{}, err
	}
	if gtin != oysterGTIN {
		return resolver.Holding{}, farm.ErrNotFound
	}
	return resolver.Holding{GTIN: gtin, Tenant: "oyster", Product: "oysters", Account: "admin", Set: noon}, nil
}

func (w *world) Holdings(ctx context.Context, tenant string) ([]resolver.Holding, error) {
	h, err := w.Holding(ctx, oysterGTIN)
	if err != nil || h.Tenant != tenant {
		return nil, err
	}
	return []resolver.Holding{h}, nil
}

func (w *world) AddHolding(_ context.Context, h resolver.Holding) error {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return err
	}
	if h.GTIN == oysterGTIN && h.Tenant != "oyster" {
		return farm.ErrConflict
	}
	w.wrote++
	return nil
}

func (w *world) Links(_ context.Context, _ string) ([]resolver.Link, error) {
	defer w.mu.Unlock()
	return slices.Clone(w.links), w.enter()
}

func (w *world) AddLink(_ context.Context, l resolver.Link) error {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return err
	}
	w.wrote++
	w.links = append(w.links, l)
	return nil
}

func (w *world) DeleteLink(_ context.Context, _, _ string) error {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return err
	}
	w.wrote++
	return nil
}

func TestGTINs(t *testing.T) {
	base, _ := serve(t, newWorld())
	admin, manager := client{t, base, "admin"}, client{t, base, "manager"}
	if got := admin.do(http.MethodPost, "/tenants/oyster/gtins", `{"gtin":"4012345111118","product":"oyster"}`); got.status != http.StatusCreated || !strings.Contains(got.body, `"04012345111118"`) {
		t.Errorf("filled up: %d %s", got.status, got.body)
	}
	if got := admin.do(http.MethodPost, "/tenants/tea/gtins", `{"gtin":"`+oysterGTIN+`","product":"tea"}`); got.status != http.StatusConflict {
		t.Errorf("for a second holder: %d %s", got.status, got.body)
	}
	if got := admin.do(http.MethodPost, "/tenants/oyster/gtins", `{"gtin":"4012345111119","product":"oyster"}`); got.status != http.StatusBadRequest || !strings.Contains(got.body, "check digit") {
		t.Errorf("mistyped: %d %s", got.status, got.body)
	}
	for name, tt := range map[string]struct{ body, field string }{
		"id":     {`{"id":"1","type":"pip","href":"https://a.cn/","title":"a"}`, "id"},
		"type":   {`{"id":"01JZ00000000000000000000G1","type":"shop","href":"https://a.cn/","title":"a"}`, "type"},
		"http":   {`{"id":"01JZ00000000000000000000G1","type":"pip","href":"http://a.cn/","title":"a"}`, "href"},
		"lot":    {`{"id":"01JZ00000000000000000000G1","type":"pip","href":"https://a.cn/","title":"a","lot":"批"}`, "lot"},
		"serial": {`{"id":"01JZ00000000000000000000G1","type":"pip","href":"https://a.cn/","title":"a","serial":"123456789012345678901"}`, "serial"},
	} {
		if got := manager.do(http.MethodPost, "/gtins/"+oysterGTIN+"/links", tt.body); got.status != http.StatusBadRequest || !strings.Contains(got.body, `"field":"`+tt.field+`"`) {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
}

func TestDigitalLink(t *testing.T) {
	w := newWorld()
	base, _ := serve(t, w)
	manager := client{t, base, "manager"}
	link := func(lot, code, product string) answer {
		b := w.batches[batchID]
		b.Lot, b.Code, b.Product = lot, code, product
		w.batches[batchID] = b
		return manager.do(http.MethodGet, "/batches/"+batchID+"/digital-link", "")
	}
	if got := link("A/1", "", "oysters"); !strings.Contains(got.body, "/01/"+oysterGTIN+`/10/A%2F1"`) {
		t.Errorf("by number: %d %s", got.status, got.body)
	}
	if got := link("第一批", "4Q7XH2M9KTB3D", "oysters"); !strings.Contains(got.body, "/01/"+oysterGTIN+`/10/4Q7XH2M9KTB3D"`) {
		t.Errorf("by code: %d %s", got.status, got.body)
	}
	if got := link("第一批", "", "oysters"); got.status != http.StatusNotFound {
		t.Errorf("with neither: %d %s", got.status, got.body)
	}
	if got := link("A", "", "tea"); got.status != http.StatusNotFound {
		t.Errorf("of a product without a GTIN: %d %s", got.status, got.body)
	}
}
