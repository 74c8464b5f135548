package api_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"tianhai/api"
	"tianhai/farm"
	"tianhai/trace/input"
)

func (w *world) Inputs(context.Context) ([]input.Product, error) {
	defer w.mu.Unlock()
	return []input.Product{{ID: "drug-1", Kind: input.Drug, Name: farm.Text{Zh: "药"}, Maker: "x"}}, w.enter()
}

func (w *world) PutInputs(_ context.Context, all []input.Product, _ string) error {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return err
	}
	for _, p := range all {
		if err := p.Check(); err != nil {
			return err
		}
	}
	w.wrote++
	return nil
}

func (w *world) Bans(context.Context) ([]input.OwnBan, error) {
	defer w.mu.Unlock()
	return []input.OwnBan{{ID: "01JZ00000000000000000000K1", Ban: input.Ban{Name: "新禁药", Scope: []string{"crops"}, Source: "公告", From: noon}, Recorded: noon, Account: "admin"}}, w.enter()
}

func (w *world) AddBan(_ context.Context, _ input.OwnBan) error {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return err
	}
	w.wrote++
	return nil
}

const lotID = "01JZ00000000000000000000N1"

func (w *world) Lots(context.Context, string, api.Place, int) ([]input.Stock, error) {
	defer w.mu.Unlock()
	return nil, w.enter()
}

func (w *world) Lot(_ context.Context, id string) (input.Stock, error) {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return input.Stock{}, err
	}
	if id != lotID {
		return input.Stock{}, farm.ErrNotFound
	}
	return input.Stock{Lot: input.Lot{ID: lotID, Tenant: "oyster", Product: "drug-1", Quantity: 1, Unit: "L"}, Left: 0.5}, nil
}

func (w *world) LotUses(context.Context, string, api.Place, int) ([]input.LotUse, error) {
	defer w.mu.Unlock()
	return []input.LotUse{{Operation: opID, Site: "raft-1", Kind: "medicate", At: noon, Quantity: 0.5}}, w.enter()
}

func (w *world) Buy(_ context.Context, lots []input.Lot) error {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return err
	}
	for _, l := range lots {
		if err := l.Check(input.Drug); err != nil {
			return err
		}
	}
	w.wrote++
	return nil
}

func (w *world) WriteOff(_ context.Context, o input.WriteOff) (input.WriteOff, error) {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return o, err
	}
	if err := o.Check(); err != nil {
		return o, err
	}
	w.wrote++
	return o, nil
}

// TestFilesNameTheLine: a dry run answers with what is wrong, and nothing is written.
func TestFilesNameTheLine(t *testing.T) {
	w := newWorld()
	base, _ := serve(t, w)
	const file = "id,kind,name_zh,maker,registration,actives,species,wait_days,source\np1,pesticide,示例,示例厂,PD20080005,示例,tea,7,标签\np2,pesticide,示例,示例厂,x,示例,tea,7,标签\n"
	got := client{t, base, "admin"}.do(http.MethodPost, "/inputs/import?dry_run=true", file, "Content-Type", "text/csv")
	if got.status != http.StatusOK || !strings.Contains(got.body, `"line":3,"field":"registration"`) || !strings.Contains(got.body, `"count":2`) {
		t.Errorf("dry run: %d %s", got.status, got.body)
	}
	got = client{t, base, "admin"}.do(http.MethodPost, "/inputs/import", file, "Content-Type", "text/csv")
	if got.status != http.StatusBadRequest || !strings.Contains(got.body, `"line":3`) || w.writes() != 0 {
		t.Errorf("import: %d %s, %d writes", got.status, got.body, w.writes())
	}
	got = client{t, base, "farmer"}.do(http.MethodPost, "/tenants/oyster/lots/import?dry_run=true", "product,supplier,quantity,unit\nnone,农资店,1,L\n", "Content-Type", "text/csv")
	if got.status != http.StatusOK || !strings.Contains(got.body, `"line":2,"field":"product"`) {
		t.Errorf("lots: %d %s", got.status, got.body)
	}
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
