package recall_test

import (
	"errors"
	"testing"

	"tianhai/trace/chain"
	"tianhai/trace/recall"
)

// Whatever is said of a recall, the states of every tally add up to what it recalls,
// and the holders' to the sum; the step that ends it holds them.
func TestTallyIsSealedAtTheEnd(t *testing.T) {
	m := story()
	s, ctx, id := m.service(), t.Context(), newID()
	r, err := s.Open(ctx, officer, id, opening(recall.Start{Kind: recall.FromLot, ID: "spray"}))
	check(t, err)
	for _, p := range []recall.Progress{
		{Batch: "leaf-1", To: recall.Located, Amount: kg(30)},
		{Batch: "leaf-1", To: recall.Returned, Amount: kg(20)},
		{Batch: "leaf-2", To: recall.Destroyed, Amount: kg(100)},
		{Batch: "tea-2", To: recall.Released, Amount: kg(4)},
	} {
		r, err = s.Report(ctx, officer, id, newID(), p)
		check(t, err)
	}
	r, err = s.Close(ctx, officer, id, newID(), "eaten")
	check(t, err)
	sealed := m.recalls[id][len(m.recalls[id])-1].Tally
	var parts chain.Amount
	for i, a := range sealed {
		states := a.Outstanding.N + a.Located.N + a.Returned.N + a.Destroyed.N + a.Released.N
		if states != a.Recalled.N || a.Missing().N != a.Outstanding.N+a.Located.N {
			t.Errorf("the states of %+v add up to %d", a, states)
		}
		if i > 0 {
			parts.N += a.Recalled.N
		}
	}
	if len(sealed) != 3 || sealed[0].Holder != "" || sealed[0].Recalled.N != parts.N {
		t.Fatalf("sealed %+v", sealed)
	}
	sum := sealed[0]
	if sum.Recalled != kg(220) || sum.Located != kg(10) || sum.Returned != kg(20) || sum.Destroyed != kg(100) || sum.Released != kg(4) || sum.Outstanding != kg(86) {
		t.Errorf("the sum is %+v", sum)
	}
	if sealed[1].Holder != "shop" || sealed[1].Recalled != kg(10) || sealed[2].Recalled != kg(210) {
		t.Errorf("by holder: %+v", sealed[1:])
	}
	if got := recall.Tallied(r.Holdings); len(got) != 3 || got[0] != sum {
		t.Errorf("sealed %+v, shown %+v", sum, got)
	}
}

// Boxes and kilograms are not added; what was cleared is not counted.
func TestTallyByMeasure(t *testing.T) {
	of := func(holder string, a chain.Amount, cleared bool) recall.Standing {
		return recall.Standing{Holding: recall.Holding{Holder: holder, Held: a}, Amounts: map[recall.State]chain.Amount{recall.Outstanding: a}, Cleared: cleared}
	}
	got := recall.Tallied([]recall.Standing{
		of("tea", chain.Amount{N: 2e6, Unit: "kg"}, false), of("tea", chain.Amount{N: 5e5, Unit: "g"}, false),
		of("tea", chain.Amount{N: 3000, Unit: "{box}"}, false), of("shop", kg(7), true),
	})
	if len(got) != 4 || got[0].Recalled != (chain.Amount{N: 2500000, Unit: "kg"}) || got[1].Recalled.Unit != "{box}" || got[2].Holder != "tea" || got[3].Missing().N != 3000 {
		t.Errorf("tallied %+v", got)
	}
}

// What a batch gets back, because what was made of it is taken back, is found, keeps
// the recall open, and is counted as soon as somebody widens or ends it.
func TestStockThatComesBack(t *testing.T) {
	for name, end := range map[string]func(s *recall.Service, id string) (recall.Recall, error){
		"widened": func(s *recall.Service, id string) (recall.Recall, error) {
			return s.Widen(t.Context(), officer, id, newID(), recall.Widening{}, "a pressing was taken back")
		},
		"closed": func(s *recall.Service, id string) (recall.Recall, error) {
			return s.Close(t.Context(), officer, id, newID(), "and eaten")
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := story()
			leaf := m.batches["leaf-1"]
			leaf.Left, leaf.Used = kg(0), kg(100)
			m.batches["leaf-1"] = leaf
			s, ctx, id := m.service(), t.Context(), newID()
			r, err := s.Open(ctx, officer, id, opening(recall.Start{Kind: recall.FromLot, ID: "spray"}))
			check(t, err)
			for _, h := range r.Holdings {
				if h.Held.N > 0 {
					_, err = s.Report(ctx, officer, id, newID(), recall.Progress{Batch: h.Batch, Sale: h.Sale, To: recall.Destroyed, Amount: h.Held})
					check(t, err)
				}
			}
			leaf.Left, leaf.Used = kg(40), kg(60)
			m.batches["leaf-1"] = leaf
			file, err := s.Get(ctx, id)
			check(t, err)
			if len(file.Found) != 1 || file.Found[0].Batch != "leaf-1" || file.Found[0].Held != kg(40) {
				t.Fatalf("found %+v", file.Found)
			}
			if _, err := s.Close(ctx, officer, id, newID(), ""); !errors.Is(err, recall.ErrUnaccounted) {
				t.Errorf("closed over what came back: %v", err)
			}
			r, err = end(s, id)
			check(t, err)
			sum := recall.Tallied(r.Holdings)[0]
			if sum.Outstanding != kg(40) || r.Missing()[0] != (recall.Missing{Batch: "leaf-1", Amount: kg(40)}) || frees(r, "leaf-1") {
				t.Errorf("counted %+v, missing %v", sum, r.Missing())
			}
			if file, err = s.Get(ctx, id); err != nil || len(file.Found) != 0 {
				t.Errorf("found again: %+v, %v", file.Found, err)
			}
		})
	}
}
