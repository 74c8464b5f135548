package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"tianhai/api"
	"tianhai/farm"
	"tianhai/trace"
	"tianhai/trace/chain"
)

const (
	saleID     = "01JZ0000000000000000000SA1"
	handoverID = "01JZ0000000000000000000SA2"
	motherID   = "01JZ0000000000000000000BA1"
	childID    = "01JZ0000000000000000000BA2"
	foreignID  = "01JZ0000000000000000000BA3"
)

func kilos(n int64) chain.Amount { return chain.Amount{N: n * 1e6, Unit: "kg"} }

// movements are what the oyster farm did: it sold to a person, and handed over to
// the tea farm.
func movements() []chain.Movement {
	return []chain.Movement{
		{ID: handoverID, Tenant: "oyster", Kind: chain.Sell, At: noon, Person: "farmer", To: "tea", Reason: "between us", Inputs: []chain.Input{{Batch: batchID, Amount: kilos(2)}}},
		{ID: saleID, Tenant: "oyster", Kind: chain.Sell, At: noon, Person: "farmer", Buyer: &chain.Buyer{Name: "张三", Phone: "1380"}, Inputs: []chain.Input{{Batch: batchID, Amount: kilos(1)}}},
	}
}

func (w *world) FindMovements(_ context.Context, q api.MovementQuery) ([]chain.Movement, error) {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(movements(), func(m chain.Movement) bool {
		return !behind(q.After, m.At, m.ID) || m.To != "" && !w.handsOver || !w.leaky && q.Tenant != "" && m.Tenant != q.Tenant && m.To != q.Tenant || q.Pending && m.To == ""
	}), nil
}

func (w *world) Movement(_ context.Context, id string) (chain.Movement, error) {
	for _, m := range movements() {
		if m.ID == id {
			return m, nil
		}
	}
	return chain.Movement{}, farm.ErrNotFound
}

func (w *world) Goods(_ context.Context, batches []string) ([]chain.Goods, error) {
	all := []chain.Goods{{Batch: batchID, Tenant: "oyster", Site: "raft-1", Product: "oysters", Lot: "lot-77", Made: kilos(5), Left: kilos(2)}}
	return slices.DeleteFunc(all, func(g chain.Goods) bool { return !slices.Contains(batches, g.Batch) }), nil
}

// Genealogy is a chain of four, of which the last two are the tea farm's.
func (w *world) Genealogy(_ context.Context, batches []string, dir chain.Direction) (chain.Graph, error) {
	var g chain.Graph
	for i, id := range []string{motherID, batchID, childID, foreignID} {
		n := chain.Node{Goods: chain.Goods{Batch: id, Tenant: "oyster", Product: "oysters", Lot: "lot <" + id[23:] + ">", Made: kilos(5), Left: kilos(2)}}
		if i >= 2 {
			n.Tenant = "tea"
		}
		g.Batches = append(g.Batches, n)
		if i > 0 {
			g.Steps = append(g.Steps, chain.Step{
				ID: "m" + id, Kind: chain.Process, Step: "washing", At: noon.Add(time.Duration(i)), Tenant: n.Tenant,
				Inputs: []chain.Input{{Batch: g.Batches[i-1].Batch}}, Outputs: []chain.Input{{Batch: id}},
			})
		}
	}
	g.Arrange(batches)
	return g, nil
}

func (w *world) Move(_ context.Context, m chain.Movement) (chain.Movement, bool, error) {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return m, false, err
	}
	if w.mute != nil {
		return m, false, w.mute
	}
	w.wrote++
	m.Recorded = noon
	return m, true, nil
}

func (w *world) EraseBuyer(_ context.Context, _, _ string) (bool, error) {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return false, err
	}
	w.wrote++
	return true, nil
}

// A tenant sees its own movements whole, and of those that hand over to it what, but
// not who bought besides.
func TestMovementsSeen(t *testing.T) {
	for _, leaky := range []bool{false, true} {
		w := newWorld()
		w.leaky, w.handsOver = leaky, true
		base, _ := serve(t, w)
		for login, want := range map[string][4]bool{ // sees the sale, the buyer, the handover, what is left
			"farmer": {true, true, true, true}, "stranger": {false, false, true, false}, "bureau": {true, true, true, true}, "bureau-tea": {false, false, true, false}, "nobody": {}, "device": {},
		} {
			got := client{t, base, login}.do("GET", "/movements", "").body
			for i, mark := range []string{saleID, "张三", handoverID, `"left":`} {
				if strings.Contains(got, mark) != want[i] {
					t.Errorf("leaky %v: %s sees %s: %v\n%s", leaky, login, mark, !want[i], got)
				}
			}
			if login == "stranger" && (strings.Contains(got, "between us") || strings.Contains(got, `"person"`)) {
				t.Errorf("the receiver is told too much: %s", got)
			}
		}
		if got := (client{t, base, "farmer"}).do("GET", "/movements?pending=true", "").body; strings.Contains(got, saleID) || !strings.Contains(got, handoverID) {
			t.Errorf("pending: %s", got)
		}
	}
}

// Officers see the whole genealogy, a farm its own part and its neighbours.
func TestGenealogySeen(t *testing.T) {
	base, _ := serve(t, newWorld())
	for login, want := range map[string]int{"farmer": 3, "manager": 3, "bureau": 4, "admin": 4} {
		got := client{t, base, login}.do("GET", "/batches/"+batchID+"/genealogy", "").body
		var said struct {
			Batches  []struct{ Batch, Tenant string }
			Captured []struct{ Batches []string }
		}
		if err := json.Unmarshal([]byte(got), &said); err != nil || len(said.Batches) != want {
			t.Errorf("%s sees %d batches, want %d: %v, %s", login, len(said.Batches), want, err, got)
		}
		asked := 0 // a farm is told of partners only what they say of its own
		for _, b := range said.Batches {
			if want == 4 || b.Tenant == "oyster" {
				asked++
			}
		}
		if len(said.Captured) != asked {
			t.Errorf("%s sees what partners say of %d batches, want %d", login, len(said.Captured), asked)
		}
		for path, header := range map[string][]string{"/genealogy.svg?lang=zh-CN": nil, "/genealogy?lang=zh-CN": {"Accept", "image/svg+xml"}} {
			a := client{t, base, login}.do("GET", "/batches/"+batchID+path, "", header...)
			if n := strings.Count(a.body, `rx="8"`); n != want || !strings.HasPrefix(a.header.Get("Content-Type"), "image/svg+xml") {
				t.Errorf("%s sees %d boxes, want %d: %s", login, n, want, a.body)
			}
			if !strings.Contains(a.body, "大蚝") || !strings.Contains(a.body, "清洗") || strings.Contains(a.body, "lot <") {
				t.Errorf("the picture for %s: %s", login, a.body)
			}
		}
	}
	if a := (client{t, base, "farmer"}).do("GET", "/batches/"+batchID+"/genealogy?direction=sideways", ""); a.status != 400 {
		t.Errorf("sideways: %d", a.status)
	}
}

// A refusal says how much is left, in words, and as a number for programs.
func TestMovementProblems(t *testing.T) {
	for name, tt := range map[string]struct {
		err    error
		status int
		marks  []string
	}{
		"short":     {&chain.ShortError{Batch: batchID, Left: kilos(3)}, 409, []string{`"code":"batch_short"`, `"left":{"quantity":3,"unit":"kg"}`, "只剩 3 千克"}},
		"balance":   {&chain.BalanceError{In: kilos(3), Out: kilos(2)}, 409, []string{`"code":"unbalanced"`, "投入 3 千克"}},
		"dependent": {&chain.DependentError{Movements: []string{saleID}, Codes: []string{"CODE"}}, 409, []string{`"code":"depended_on"`, saleID, "CODE", "有 2 条"}},
		"field":     {&chain.FieldError{Field: "inputs[0].batch", Reason: "is there twice"}, 400, []string{`"field":"inputs[0].batch"`}},
		"too many":  {chain.ErrTooMany, 409, []string{`"code":"genealogy_too_large"`}},
		"trace":     {&trace.FieldError{Field: "id", Reason: "is not a ULID"}, 400, []string{`"field":"id"`}},
		"broken":    {errors.New("disk"), 500, []string{`"code":"internal"`}},
	} {
		w := newWorld()
		w.mute = tt.err
		base, _ := serve(t, w)
		a := client{t, base, "farmer"}.do("POST", "/movements?lang=zh-CN", `{"kind":"loss"}`)
		if a.status != tt.status {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
		for _, m := range tt.marks {
			if !strings.Contains(a.body, m) {
				t.Errorf("%s: no %s in %s", name, m, a.body)
			}
		}
	}
	base, _ := serve(t, newWorld())
	for body, field := range map[string]string{
		`{"kind":"loss","inputs":[{"batch":"x","amount":{"quantity":1e3,"unit":"kg"}}]}`: "quantity",
		`{"kind":"loss","tenant":"No"}`:    "tenant",
		`{"kind":"sell","to":"../x"}`:      "to",
		`{"kind":"loss","site":"No Site"}`: "site",
		`{"kind":"loss","weight":1}`:       "weight",
		`{"kind":"loss","at":"yesterday"}`: "",
	} {
		if a := (client{t, base, "farmer"}).do("POST", "/movements", body); a.status != 400 || !strings.Contains(a.body, `"field":"`+field) && field != "" {
			t.Errorf("%s: %d %s", body, a.status, a.body)
		}
	}
}
