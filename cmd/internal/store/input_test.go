package store_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"tianhai/cmd/internal/store"
	"tianhai/farm"
	"tianhai/trace/input"
)

func newInput(days int) input.Product {
	return input.Product{
		ID: "demo-1", Kind: input.Pesticide, Name: farm.Text{Zh: "示例"}, Registration: "PD20080005", Maker: "示例厂",
		Actives: []input.Active{{Name: "示例"}}, Labels: []input.Label{{Species: "tea", Wait: input.Wait{Days: &days}, Source: "label"}},
	}
}

func newLot(id string, liters float64) input.Lot {
	return input.Lot{
		ID: id, Tenant: "tea", Product: "demo-1", Batch: "b", Supplier: "农资店", Quantity: liters, Unit: "L",
		Expires: noon.AddDate(1, 0, 0), Recorded: noon, Account: "wei",
	}
}

func draw(t *testing.T, lot string, v float64, unit string) *input.Draw {
	t.Helper()
	a, err := input.Measure(v, unit)
	check(t, err)
	return &input.Draw{Lot: lot, Amount: a}
}

func testInputs(t *testing.T, s *store.Store) {
	seed(t, s)
	ctx := t.Context()
	check(t, s.PutInput(ctx, newInput(7), "admin"))
	check(t, s.PutInput(ctx, newInput(7), "admin"))
	equal(t, "product", newInput(7))(s.Input(ctx, "demo-1", noon))
	equal(t, "product before it was entered", newInput(7))(s.Input(ctx, "demo-1", noon.AddDate(-1, 0, 0)))
	check(t, s.PutInput(ctx, newInput(10), "admin"))
	equal(t, "products", []input.Product{newInput(10)})(s.Inputs(ctx))
	_, err := s.Input(ctx, "other", noon)
	wantErr(t, "unknown product", err, farm.ErrNotFound)
	bad := newInput(7)
	bad.Maker = ""
	var fe *input.FieldError
	if err := s.PutInput(ctx, bad, "admin"); !errors.As(err, &fe) {
		t.Errorf("a product without a maker: %v", err)
	}

	lot := newLot("l1", 1)
	check(t, s.AddLot(ctx, lot))
	wantErr(t, "lot again", s.AddLot(ctx, lot), farm.ErrConflict)
	equal(t, "lot", input.Stock{Lot: lot, Left: 1})(s.Lot(ctx, "l1"))
	lost := newLot("l2", 1)
	lost.Product = "other"
	wantErr(t, "lot of nothing", s.AddLot(ctx, lost), farm.ErrNotFound)
	for _, statement := range []string{
		"UPDATE lots SET bought = 9", "DELETE FROM lots", "UPDATE lots SET remains = -1", "UPDATE lots SET remains = bought + 1",
		"UPDATE input_products SET doc = ''", "DELETE FROM input_products",
	} {
		if err := s.Exec(ctx, statement); err == nil {
			t.Errorf("%s went through", statement)
		}
	}
}

// testDraws: an operation that would overdraw leaves no trace, and what is taken
// back is in stock again.
func testDraws(t *testing.T, s *store.Store) {
	seed(t, s)
	ctx := t.Context()
	check(t, s.PutInput(ctx, newInput(7), "admin"))
	check(t, s.AddLot(ctx, newLot("l1", 1)))
	left := func(want float64) {
		t.Helper()
		if got, err := s.Lot(ctx, "l1"); err != nil || got.Left != want {
			t.Errorf("%v L are left, %v; want %v", got.Left, err, want)
		}
	}
	op, rec := newOperation("o1", noon)
	op.Draw = draw(t, "l1", 600, "mL")
	check(t, s.AddOperation(ctx, op, rec))
	check(t, s.AddOperation(ctx, op, rec)) // a phone that repeats itself
	left(0.4)

	over, overRec := newOperation("o2", noon)
	over.Draw = draw(t, "l1", 400.001, "mL")
	var short *input.ShortError
	if err := s.AddOperation(ctx, over, overRec); !errors.As(err, &short) || short.Left.N != 400_000 {
		t.Errorf("overdrawn: %v", err)
	}
	over.Draw = draw(t, "l1", 1, "g")
	if err := s.AddOperation(ctx, over, overRec); !errors.As(err, &short) {
		t.Errorf("grams of a liquid: %v", err)
	}
	over.Draw = draw(t, "other", 1, "mL")
	wantErr(t, "an unknown lot", s.AddOperation(ctx, over, overRec), farm.ErrNotFound)
	if _, err := s.Operation(ctx, "o2"); !errors.Is(err, farm.ErrNotFound) {
		t.Errorf("the refused operation is there: %v", err)
	}

	fix, fixRec := newOperation("o3", noon)
	fix.Corrects, fix.Draw = "o1", draw(t, "l1", 1, "L") // only if what o1 took comes back first
	check(t, s.AddOperation(ctx, fix, fixRec))
	left(0)
	void, voidRec := newOperation("o4", noon)
	void.Kind, void.Corrects = "void", "o3"
	check(t, s.AddOperation(ctx, void, voidRec))
	left(1)
	for _, statement := range []string{"UPDATE draws SET n = 1", "UPDATE draws SET returned_by = NULL", "DELETE FROM draws"} {
		if err := s.Exec(ctx, statement); err == nil {
			t.Errorf("%s went through", statement)
		}
	}
}

// testDrawRace: twenty phones at once draw from one lot that is enough for seven,
// while others take uses back. What is left is what the draws that hold left.
func testDrawRace(t *testing.T, s *store.Store) {
	seed(t, s)
	ctx := t.Context()
	check(t, s.PutInput(ctx, newInput(7), "admin"))
	check(t, s.AddLot(ctx, newLot("l1", 1)))
	var wg sync.WaitGroup
	drawn := make([]bool, 20)
	for i := range drawn {
		op, rec := newOperation(fmt.Sprintf("o%02d", i), noon.Add(time.Duration(i)*time.Second))
		op.Draw = draw(t, "l1", 140, "mL")
		wg.Go(func() {
			var short *input.ShortError
			switch err := s.AddOperation(ctx, op, rec); {
			case err == nil:
				drawn[i] = true
			case !errors.As(err, &short):
				t.Errorf("draw %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	n := 0
	for _, ok := range drawn {
		if ok {
			n++
		}
	}
	if got, err := s.Lot(ctx, "l1"); err != nil || n != 7 || got.Left != 0.02 {
		t.Errorf("%d draws went through and %v L are left, %v", n, got.Left, err)
	}
}

// testStockBalance drives random purchases, uses, corrections and voids, legal and
// not, against a model: nothing is ever negative, and all adds up.
func testStockBalance(t *testing.T, s *store.Store) {
	seed(t, s)
	ctx := t.Context()
	r := rand.New(rand.NewPCG(7, 2026))
	check(t, s.PutInput(ctx, newInput(7), "admin"))
	left, taken := map[string]int64{}, map[string]input.Draw{} // mL, and draws that hold
	var open []string
	refused := 0
	for i := range 400 {
		if i%40 == 0 {
			lot := newLot(fmt.Sprintf("l%d", i), float64(1+r.IntN(3)))
			check(t, s.AddLot(ctx, lot))
			left[lot.ID] = int64(lot.Quantity * 1000)
		}
		op, rec := newOperation(fmt.Sprintf("o%03d", i), noon.Add(time.Duration(i)*time.Second))
		lot, n := fmt.Sprintf("l%d", 40*r.IntN(i/40+1)), int64(1+r.IntN(900))
		back := int64(0)
		if len(open) > 0 && r.IntN(3) == 0 {
			at := r.IntN(len(open))
			op.Corrects, open = open[at], append(open[:at:at], open[at+1:]...)
			if d := taken[op.Corrects]; d.Lot == lot {
				back = d.Amount.N
			}
		}
		draws := op.Corrects == "" || r.IntN(2) == 0
		if draws {
			op.Draw = draw(t, lot, float64(n), "mL")
		} else {
			op.Kind = "void"
		}
		err := s.AddOperation(ctx, op, rec)
		if legal := !draws || n <= left[lot]+back; (err == nil) != legal {
			t.Fatalf("step %d: drawing %d of %d and %d given back: %v", i, n, left[lot], back, err)
		}
		if err != nil {
			refused++
			if op.Corrects != "" {
				open = append(open, op.Corrects)
			}
			continue
		}
		if d, ok := taken[op.Corrects]; ok {
			left[d.Lot] += d.Amount.N
			delete(taken, op.Corrects)
		}
		if draws {
			left[lot] -= n
			taken[op.ID] = input.Draw{Lot: lot, Amount: input.Amount{N: n}}
			open = append(open, op.ID)
		}
	}
	stocks, err := s.Lots(ctx, "tea", store.Place{}, 100)
	check(t, err)
	for _, st := range stocks {
		if st.Left != float64(left[st.ID])/1000 || st.Left < 0 {
			t.Errorf("lot %s: %v L are left, the model has %d mL", st.ID, st.Left, left[st.ID])
		}
	}
	if refused < 20 || len(stocks) != 10 {
		t.Errorf("%d refused of %d lots: the histories are lopsided", refused, len(stocks))
	}
	recs, err := s.Unsealed(ctx, 1000)
	check(t, err)
	if len(recs) != 400-refused {
		t.Errorf("%d records of %d operations", len(recs), 400-refused)
	}
}
