package api_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	"tianhai/api"
	"tianhai/farm"
	"tianhai/trace/label"
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

func (w *world) ChangeLink(_ context.Context, l resolver.Link) error {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return err
	}
	i := slices.IndexFunc(w.links, func(old resolver.Link) bool { return old.ID == l.ID })
	if i < 0 {
		return farm.ErrNotFound
	}
	w.wrote++
	w.links[i] = l
	return nil
}

// Lead sends every scan to one page, and says which.
func (w *world) Lead(_ context.Context, scan resolver.Scan) (resolver.Lead, error) {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return resolver.Lead{}, err
	}
	elements := []label.Element{{AI: "01", Value: scan.GTIN}}
	if scan.Lot != "" {
		elements = append(elements, label.Element{AI: "10", Value: scan.Lot})
	}
	link, err := label.MakeLink("https://trace.example.cn", elements)
	if err != nil {
		return resolver.Lead{}, err
	}
	return resolver.Lead{URI: link.String(), Links: []resolver.Destination{{Type: scan.Type, Href: "https://a.cn/", Title: scan.Languages + scan.Context}}}, nil
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

// A link is changed in its place; what is wrong with it is said as of a new one.
func TestChangeLink(t *testing.T) {
	w := newWorld()
	w.links = []resolver.Link{{ID: "01JZ00000000000000000000G1", GTIN: oysterGTIN, Type: "pip", Href: "https://a.cn/", Title: "a", Account: "chief", Added: noon}}
	base, _ := serve(t, w)
	manager := client{t, base, "manager"}
	const path = "/gtins/" + oysterGTIN + "/links/01JZ00000000000000000000G1"
	got := manager.do(http.MethodPut, path, `{"type":"recipeInfo","href":"https://a.cn/r","title":"做法","language":"zh-CN"}`)
	if l := w.links[0]; got.status != http.StatusOK || l.Type != "recipeInfo" || l.Href != "https://a.cn/r" || l.Account != "manager" || l.GTIN != oysterGTIN {
		t.Errorf("%d %s: %+v", got.status, got.body, w.links)
	}
	if got := manager.do(http.MethodPut, path, `{"type":"recipeInfo","href":"a.cn/r","title":"做法"}`); got.status != http.StatusBadRequest || !strings.Contains(got.body, `"field":"href"`) {
		t.Errorf("no address: %d %s", got.status, got.body)
	}
	if got := manager.do(http.MethodPut, "/gtins/"+oysterGTIN+"/links/01JZ00000000000000000000G2", `{"type":"pip","href":"https://a.cn/","title":"a"}`); got.status != http.StatusNotFound {
		t.Errorf("one that is not there: %d %s", got.status, got.body)
	}
	scan := manager.do(http.MethodGet, "/gtins/"+oysterGTIN+"/scan?lot=A%2F1&linkType=pip&languages=en&context=b2b", "")
	if scan.status != http.StatusOK || !strings.Contains(scan.body, "/10/A%2F1") || !strings.Contains(scan.body, `"enb2b"`) {
		t.Errorf("a scan: %d %s", scan.status, scan.body)
	}
	if got := manager.do(http.MethodGet, "/gtins/"+oysterGTIN+"/scan?lot=%E6%89%B9", ""); got.status != http.StatusBadRequest || !strings.Contains(got.body, `"field":"lot"`) {
		t.Errorf("a Chinese lot: %d %s", got.status, got.body)
	}
}

// If-Match of one link is held against the list that it was read from.
func TestLinksEditedTogether(t *testing.T) {
	w := newWorld()
	w.links = []resolver.Link{{ID: "01JZ00000000000000000000G1", GTIN: oysterGTIN, Type: "pip", Href: "https://a.cn/", Title: "a", Account: "chief", Added: noon}}
	base, _ := serve(t, w)
	manager := client{t, base, "manager"}
	const list = "/gtins/" + oysterGTIN + "/links"
	seen := manager.do(http.MethodGet, list, "").header.Get("ETag")
	if got := manager.do(http.MethodPut, list+"/01JZ00000000000000000000G1", `{"type":"pip","href":"https://a.cn/b","title":"b"}`, "If-Match", seen); got.status != http.StatusOK {
		t.Errorf("as it was seen: %d %s", got.status, got.body)
	}
	if got := manager.do(http.MethodDelete, list+"/01JZ00000000000000000000G1", "", "If-Match", seen); got.status != http.StatusPreconditionFailed || !strings.Contains(got.body, "https://a.cn/b") {
		t.Errorf("once it was changed: %d %s", got.status, got.body)
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

// A label has its code by the scheme that was chosen, and is refused where that has none;
// also by one that somebody added.
func TestLabelSchemes(t *testing.T) {
	w := newWorld()
	base, _ := serveWith(t, w, func(cfg *api.Config) { cfg.Schemes["credit"] = creditCodes{} })
	farmer := client{t, base, "farmer"}
	batch := func(product string) {
		b := w.batches[batchID]
		b.Code, b.Product, b.Lot = "4Q7XH2M9KTB3D", product, "A/1"
		w.batches[batchID] = b
	}
	const path = "/batches/" + batchID
	batch("oysters")
	want(t, "addresses", `{"addresses":[{"scheme":"own","address":"http://trace.example.cn/t/4Q7XH2M9KTB3D"},{"scheme":"credit","address":"credit code /A/1"},{"scheme":"gtin","address":"http://trace.example.cn/01/`+oysterGTIN+`/10/A%2F1"}]}`, farmer.do(http.MethodGet, path+"/addresses", "").body)
	for scheme, address := range map[string]string{"": "/t/4Q7XH2M9KTB3D,", "own": "/t/4Q7XH2M9KTB3D,", "gtin": "/01/" + oysterGTIN + "/10/A%2F1,", "credit": "credit code /A/1,"} {
		query := "/labels?format=zip&lang=en"
		if scheme != "" {
			query += "&scheme=" + scheme
		}
		if list := unzip(t, farmer.do(http.MethodGet, path+query, "").body)["labels.csv"]; !strings.Contains(list, address) {
			t.Errorf("by %q there is no %q:\n%s", scheme, address, list)
		}
	}
	batch("tea")
	want(t, "addresses without a GTIN", false, strings.Contains(farmer.do(http.MethodGet, path+"/addresses", "").body, "gtin"))
	for _, scheme := range []string{"gtin", "uscc"} {
		if got := farmer.do(http.MethodGet, path+"/labels?scheme="+scheme, ""); got.status != http.StatusBadRequest || got.problem(t).Field != "scheme" {
			t.Errorf("by %s, which has none: %d %s", scheme, got.status, got.body)
		}
	}
}

// creditCodes stands for a scheme whose text we do not have.
type creditCodes struct{}

func (creditCodes) Address(i label.Item) (string, bool) {
	return "credit code " + i.CreditCode + "/" + i.Lot, true
}
