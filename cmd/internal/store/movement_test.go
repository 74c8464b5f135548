package store_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tianhai/cmd/internal/store"
	"tianhai/farm"
	"tianhai/trace"
	"tianhai/trace/chain"
)

func kg(n int64) chain.Amount { return chain.Amount{N: n * 1e6, Unit: "kg"} }

// moved returns a movement of the tea tenant with its batches and record.
func moved(id string, kind chain.Kind, in []chain.Input, out ...chain.Output) (chain.Movement, []trace.Batch, trace.Record) {
	m := chain.Movement{ID: id, Tenant: "tea", Kind: kind, At: noon.Truncate(time.Millisecond), Recorded: noon.Truncate(time.Millisecond), Person: "wei", Inputs: in, Outputs: out}
	return m, madeOf(m, "garden-1"), recordOf(m)
}

func madeOf(m chain.Movement, site string) (made []trace.Batch) {
	for _, o := range m.Outputs {
		made = append(made, trace.Batch{
			ID: o.Batch, Tenant: m.Tenant, Site: site, Product: o.Product, Lot: o.Lot, Quantity: o.Amount.Float(), Unit: o.Amount.Unit,
			Began: yesterday, Harvest: noon.Add(-time.Hour), Opened: noon,
		})
	}
	return made
}

func recordOf(m chain.Movement) trace.Record {
	return trace.Record{
		ID: "r-" + m.ID, Tenant: m.Tenant, Kind: trace.MovementRecord, Subject: m.ID,
		Body: []byte(`{"movement":"` + m.ID + `"}`), Salt: []byte("0123456789abcdef"), At: noon, Index: -1, Log: 1,
	}
}

func out(batch string, a chain.Amount) chain.Output {
	return chain.Output{Batch: batch, Product: "liubao", Lot: "l-" + batch, Amount: a}
}

func in(batch string, a chain.Amount) chain.Input { return chain.Input{Batch: batch, Amount: a} }

// move stores a movement of the tea tenant.
func move(t *testing.T, s *store.Store, id string, kind chain.Kind, ins []chain.Input, outs ...chain.Output) {
	t.Helper()
	m, made, rec := moved(id, kind, ins, outs...)
	check(t, s.Move(t.Context(), m, made, rec))
}

// left returns what is left of batches, in their unit.
func left(t *testing.T, s *store.Store, batches ...string) string {
	t.Helper()
	goods, err := s.Goods(t.Context(), batches)
	check(t, err)
	said := make([]string, len(batches))
	for _, g := range goods {
		i := slices.Index(batches, g.Batch)
		said[i] = g.Left.Number()
		if g.Void {
			said[i] = "void"
		}
	}
	return fmt.Sprint(said)
}

func wantLeft(t *testing.T, s *store.Store, doing, want string, batches ...string) {
	t.Helper()
	if got := left(t, s, batches...); got != want {
		t.Errorf("%s: left of %v %s, want %s", doing, batches, got, want)
	}
}

func testMovements(t *testing.T, s *store.Store) {
	ctx := t.Context()
	seed(t, s)
	move(t, s, "m1", chain.Harvest, nil, out("a", kg(100)))
	move(t, s, "m2", chain.Split, []chain.Input{in("a", kg(60))}, out("b", kg(40)), out("c", kg(20)))
	wantLeft(t, s, "after a split", "[40 40 20]", "a", "b", "c")

	m, made, rec := moved("m2", chain.Split, []chain.Input{in("a", kg(60))}, out("b", kg(40)), out("c", kg(20)))
	check(t, s.Move(ctx, m, made, rec))
	wantLeft(t, s, "after the same again", "[40 40 20]", "a", "b", "c")
	equal(t, "movement", m)(s.Movement(ctx, "m2"))
	equal(t, "its record", []trace.Record{rec})(s.RecordsOf(ctx, "m2"))
	m.Inputs = []chain.Input{in("a", kg(59))}
	wantErr(t, "another under its ID", s.Move(ctx, m, made, rec), farm.ErrConflict)

	for name, tt := range map[string]struct {
		change func(*chain.Movement)
		want   error
	}{
		"a stranger's batch":  {func(m *chain.Movement) { m.Tenant = "oysters" }, farm.ErrNotFound},
		"a batch of nobody":   {func(m *chain.Movement) { m.Inputs[0].Batch = "z" }, farm.ErrNotFound},
		"a stranger's site":   {func(m *chain.Movement) { m.Site = "raft-1" }, farm.ErrNotFound},
		"to nobody":           {func(m *chain.Movement) { m.To = "nobody" }, farm.ErrNotFound},
		"a batch made before": {func(m *chain.Movement) { m.Outputs = []chain.Output{out("b", kg(1))} }, farm.ErrConflict},
		"what it makes":       {func(m *chain.Movement) { m.Outputs = []chain.Output{out("c", kg(1))} }, farm.ErrConflict},
		"void of nothing":     {func(m *chain.Movement) { m.Corrects = "m0" }, farm.ErrNotFound},
	} {
		bad, _, _ := moved("bad", chain.Process, []chain.Input{in("c", kg(1))})
		tt.change(&bad)
		wantErr(t, name, s.Move(ctx, bad, madeOf(bad, "garden-1"), recordOf(bad)), tt.want)
	}
	over, overMade, overRec := moved("m3", chain.Process, []chain.Input{in("b", kg(1)), in("c", kg(21))}, out("d", kg(22)))
	err := s.Move(ctx, over, overMade, overRec)
	if short := (*chain.ShortError)(nil); !errors.As(err, &short) || short.Batch != "c" || short.Left != kg(20) {
		t.Errorf("taking more than is left: %v", err)
	}
	litres, _, litresRec := moved("m3", chain.Loss, []chain.Input{in("b", chain.Amount{N: 1, Unit: "L"})})
	if err := s.Move(ctx, litres, nil, litresRec); !errors.As(err, new(*chain.ShortError)) {
		t.Errorf("litres of what is weighed: %v", err)
	}
	wantLeft(t, s, "after what was refused", "[40 40 20]", "a", "b", "c")
	if _, err := s.Movement(ctx, "m3"); !errors.Is(err, farm.ErrNotFound) {
		t.Errorf("a refused movement is there: %v", err)
	}
}

// A movement is taken back as long as nothing hangs on what it made.
func testVoids(t *testing.T, s *store.Store) {
	ctx := t.Context()
	seed(t, s)
	void := func(id, of string) error {
		m, _, rec := moved(id, chain.Void, nil)
		m.Corrects, m.Reason = of, "x"
		return s.Move(ctx, m, nil, rec)
	}
	depends := func(doing string, err error, movements, codes []string) {
		t.Helper()
		on := (*chain.DependentError)(nil)
		if !errors.As(err, &on) || !slices.Equal(on.Movements, movements) || !slices.Equal(on.Codes, codes) {
			t.Errorf("%s: %v, want movements %v, codes %v", doing, err, movements, codes)
		}
	}
	move(t, s, "m1", chain.Harvest, nil, out("a", kg(100)))
	move(t, s, "m2", chain.Process, []chain.Input{in("a", kg(60))}, out("b", kg(60)))
	move(t, s, "m3", chain.Store, []chain.Input{in("b", kg(60))})
	wantLeft(t, s, "a store draws nothing", "[60]", "b")
	depends("a harvest that was processed", void("v1", "m1"), []string{"m2"}, nil)
	depends("what lies in store", void("v1", "m2"), []string{"m3"}, nil)
	check(t, void("v1", "m3"))
	check(t, void("v2", "m2"))
	wantErr(t, "twice", void("v3", "m2"), farm.ErrConflict)
	wantLeft(t, s, "after a void", "[100 void]", "a", "b")
	m, _, _ := moved("m4", chain.Loss, []chain.Input{in("b", kg(1))})
	if err := s.Move(ctx, m, nil, recordOf(m)); !errors.As(err, new(*chain.ShortError)) {
		t.Errorf("taking of what is void: %v", err)
	}
	b, err := s.Batch(ctx, "b")
	check(t, err)
	done, rec := closed(b, "CODE-B")
	wantErr(t, "closing what is void", s.CloseBatch(ctx, done, rec), farm.ErrConflict)
	batches, err := s.Batches(ctx, store.BatchFilter{Tenant: "tea"})
	check(t, err)
	if len(batches) != 1 || batches[0].ID != "a" {
		t.Errorf("batches: %+v, want a alone", batches)
	}

	fix, made, fixRec := moved("m5", chain.Process, []chain.Input{in("a", kg(50))}, out("c", kg(50)))
	check(t, s.Move(ctx, fix, made, fixRec))
	again, againMade, againRec := moved("m6", chain.Process, []chain.Input{in("a", kg(90))}, out("d", kg(90)))
	again.Corrects, again.Reason = "m5", "weighed wrongly"
	check(t, s.Move(ctx, again, againMade, againRec))
	wantLeft(t, s, "after a correction", "[10 void 90]", "a", "c", "d")
	stock, err := s.Batches(ctx, store.BatchFilter{Stock: true})
	if check(t, err); len(stock) != 2 || stock[0].ID == "b" || stock[1].ID == "b" || stock[0].ID == "c" {
		t.Errorf("in stock: %+v, want a and d", stock)
	}
	old, err := s.Movement(ctx, "m5")
	if err != nil || old.VoidedBy != "m6" {
		t.Errorf("the corrected one: %+v, %v", old, err)
	}
	b, err = s.Batch(ctx, "d")
	check(t, err)
	done, rec = closed(b, "CODE-D")
	check(t, s.CloseBatch(ctx, done, rec))
	depends("what bears a code", void("v4", "m6"), nil, []string{"CODE-D"})
	wantErr(t, "a stranger's", s.Move(ctx, chain.Movement{ID: "v5", Tenant: "oysters", Kind: chain.Void, Corrects: "m6", At: noon, Recorded: noon}, nil,
		trace.Record{ID: "r-v5", Tenant: "oysters", Subject: "v5"}), farm.ErrNotFound)
}

// What is sold to another tenant is theirs once they receive it.
func testHandover(t *testing.T, s *store.Store) {
	ctx := t.Context()
	seed(t, s)
	sell := func(id string, n int64) {
		m, _, rec := moved(id, chain.Sell, []chain.Input{in("a", kg(n))})
		m.To = "oysters"
		check(t, s.Move(ctx, m, nil, rec))
	}
	answer := func(id string, kind chain.Kind, handover string, ins []chain.Input, outs ...chain.Output) error {
		m := chain.Movement{ID: id, Tenant: "oysters", Kind: kind, At: noon, Recorded: noon, Person: "chen", Handover: handover, Inputs: ins, Outputs: outs, Reason: "x"}
		return s.Move(ctx, m, madeOf(m, "raft-1"), recordOf(m))
	}
	void := func(id, tenant, of string) error {
		m := chain.Movement{ID: id, Tenant: tenant, Kind: chain.Void, At: noon, Recorded: noon, Corrects: of, Reason: "x"}
		return s.Move(ctx, m, nil, recordOf(m))
	}
	move(t, s, "m1", chain.Harvest, nil, out("a", kg(100)))
	sell("s1", 30)
	sell("s2", 20)
	wantLeft(t, s, "what is on its way", "[50]", "a")
	pending, err := s.Movements(ctx, store.MovementFilter{Tenant: "oysters", Pending: true})
	if err != nil || len(pending) != 2 {
		t.Errorf("pending: %+v, %v", pending, err)
	}
	check(t, answer("d1", chain.Decline, "s2", nil))
	wantLeft(t, s, "after it was declined", "[70]", "a")
	wantErr(t, "receiving what was declined", answer("r0", chain.Receive, "s2", []chain.Input{in("a", kg(20))}, out("y", kg(20))), farm.ErrConflict)
	check(t, answer("r1", chain.Receive, "s1", []chain.Input{in("a", kg(30))}, out("x", kg(30))))
	wantErr(t, "receiving twice", answer("r2", chain.Receive, "s1", []chain.Input{in("a", kg(30))}, out("y", kg(30))), farm.ErrConflict)
	wantErr(t, "receiving what nobody sent", answer("r2", chain.Receive, "m1", nil, out("y", kg(30))), farm.ErrNotFound)
	wantErr(t, "receiving a batch that was not in it", answer("r2", chain.Receive, "s1", []chain.Input{in("b", kg(30))}, out("y", kg(30))), farm.ErrConflict)
	if on := (*chain.DependentError)(nil); !errors.As(void("v1", "tea", "s1"), &on) || on.Movements[0] != "r1" {
		t.Errorf("taking back what was received: %v", on)
	}
	goods, err := s.Goods(ctx, []string{"x"})
	if err != nil || goods[0].Tenant != "oysters" || goods[0].MadeBy != "r1" || goods[0].Left != kg(30) {
		t.Errorf("received: %+v, %v", goods, err)
	}
	down, err := s.Downstream(ctx, []string{"a"})
	if err != nil || len(down) != 1 || down[0].Batch != "x" || down[0].Depth != 1 {
		t.Errorf("downstream: %+v, %v", down, err)
	}
	check(t, void("v2", "oysters", "r1"))
	check(t, answer("r3", chain.Receive, "s1", []chain.Input{in("a", kg(30))}, out("y", kg(30))))
	wantLeft(t, s, "received anew", "[70 void 30]", "a", "x", "y")
}

// Two writers at once never take more than there is, and a movement is not taken
// back under one that uses what it made.
func testMovementRace(t *testing.T, s *store.Store) {
	ctx := t.Context()
	seed(t, s)
	move(t, s, "m1", chain.Harvest, nil, out("a", kg(10)), out("b", kg(10)))
	const writers = 24
	var wg sync.WaitGroup
	errs := make([]error, writers)
	for i := range writers {
		wg.Go(func() {
			ins := []chain.Input{in("a", kg(1)), in("b", kg(1))}
			if i%2 == 0 { // in the other order, so that they could wait for each other
				slices.Reverse(ins)
			}
			m, made, rec := moved(fmt.Sprint("w", i), chain.Process, ins, out(fmt.Sprint("o", i), kg(2)))
			errs[i] = s.Move(ctx, m, made, rec)
		})
	}
	wg.Wait()
	done := 0
	for _, err := range errs {
		switch {
		case err == nil:
			done++
		case !errors.As(err, new(*chain.ShortError)):
			t.Errorf("a writer: %v", err)
		}
	}
	if done != 10 {
		t.Errorf("%d writers took of 10 kg a kilogram each", done)
	}
	wantLeft(t, s, "afterwards", "[0 0]", "a", "b")

	for round := range 20 {
		id := fmt.Sprint("h", round)
		move(t, s, id, chain.Harvest, nil, out("c"+id, kg(1)))
		use, made, useRec := moved("u"+id, chain.Process, []chain.Input{in("c"+id, kg(1))}, out("d"+id, kg(1)))
		back, _, backRec := moved("v"+id, chain.Void, nil)
		back.Corrects, back.Reason = id, "x"
		var used, voided error
		wg.Go(func() { used = s.Move(ctx, use, made, useRec) })
		wg.Go(func() { voided = s.Move(ctx, back, nil, backRec) })
		wg.Wait()
		if (used == nil) == (voided == nil) {
			t.Fatalf("round %d: used %v, taken back %v; want one of them", round, used, voided)
		}
	}
}

// A random history of movements leaves in each batch what a plain computation says,
// and the genealogy is what following the movements by hand gives.
func testGenealogies(t *testing.T, s *store.Store) {
	ctx := t.Context()
	seed(t, s)
	rnd := rand.New(rand.NewPCG(4, 2))
	leftOf, depth := map[string]int64{}, map[string]int{}
	made := map[string][]string{} // by batch: what it was made of
	var batches, ids []string
	movements := map[string]chain.Movement{}
	for i := range 250 {
		id := fmt.Sprintf("m%03d", i)
		var ins []chain.Input
		want := 1 + rnd.IntN(3)
		for range want {
			if len(batches) == 0 || i < 4 {
				break
			}
			b := batches[len(batches)-1-rnd.IntN(min(len(batches), 8))]
			if leftOf[b] > 0 && !slices.ContainsFunc(ins, func(in chain.Input) bool { return in.Batch == b }) {
				ins = append(ins, in(b, chain.Amount{N: 1 + rnd.Int64N(leftOf[b]), Unit: "kg"}))
			}
		}
		kind, total := chain.Process, int64(0)
		for _, in := range ins {
			total += in.Amount.N
		}
		if len(ins) == 0 {
			kind, total = chain.Harvest, 1e9
		}
		var outs []chain.Output
		for j := range 1 + rnd.IntN(3) {
			if total < 2 {
				break
			}
			n := 1 + rnd.Int64N(total-1)
			total -= n
			outs = append(outs, out(fmt.Sprintf("b%03d-%d", i, j), chain.Amount{N: n, Unit: "kg"}))
		}
		if len(outs) == 0 {
			continue
		}
		m, mMade, rec := moved(id, kind, ins, outs...)
		check(t, s.Move(ctx, m, mMade, rec))
		movements[id], ids = m, append(ids, id)
		for _, in := range ins {
			leftOf[in.Batch] -= in.Amount.N
		}
		for _, o := range outs {
			leftOf[o.Batch] = o.Amount.N
			batches = append(batches, o.Batch)
			for _, in := range ins {
				made[o.Batch] = append(made[o.Batch], in.Batch)
				depth[o.Batch] = max(depth[o.Batch], depth[in.Batch]+1)
			}
		}
		if rnd.IntN(12) == 0 { // taken back at once
			back, _, backRec := moved("v"+id, chain.Void, nil)
			back.Corrects, back.Reason = id, "x"
			check(t, s.Move(ctx, back, nil, backRec))
			for _, in := range ins {
				leftOf[in.Batch] += in.Amount.N
			}
			for _, o := range outs {
				leftOf[o.Batch] = 0
				delete(made, o.Batch)
				delete(depth, o.Batch)
			}
			batches = batches[:len(batches)-len(outs)]
			delete(movements, id)
		}
	}
	deepest := 0
	for _, d := range depth {
		deepest = max(deepest, d)
	}
	if deepest < 20 {
		t.Fatalf("the history is %d levels deep, want 20", deepest)
	}
	goods, err := s.Goods(ctx, batches)
	check(t, err)
	for _, g := range goods {
		if g.Left.N != leftOf[g.Batch] {
			t.Errorf("%s: %d left, want %d", g.Batch, g.Left.N, leftOf[g.Batch])
		}
	}
	for _, id := range ids {
		if recs, err := s.RecordsOf(ctx, id); err != nil || len(recs) != 1 {
			t.Errorf("movement %s has %d records, %v", id, len(recs), err)
		}
	}
	into := map[string][]string{}
	for b, from := range made {
		for _, f := range from {
			into[f] = append(into[f], b)
		}
	}
	for range 40 {
		b := batches[rnd.IntN(len(batches))]
		wantKin(t, s, b, chain.Up, naive(b, made))
		wantKin(t, s, b, chain.Down, naive(b, into))
	}
	two := []string{batches[0], batches[1]}
	down, err := s.Downstream(ctx, two)
	check(t, err)
	wantSet := naive(two[0], into)
	for b, d := range naive(two[1], into) {
		wantSet[b] = max(wantSet[b], d)
	}
	delete(wantSet, two[0])
	delete(wantSet, two[1])
	got := map[string]int{}
	for _, n := range down {
		got[n.Batch] = n.Depth
	}
	if diff := cmp.Diff(wantSet, got); diff != "" {
		t.Errorf("downstream of two (-want +got):\n%s", diff)
	}
}

// naive returns the kin of a batch and how far away each is at most, the slow way.
func naive(of string, next map[string][]string) map[string]int {
	depth := map[string]int{of: 0}
	for again := true; again; {
		again = false
		for b, d := range depth {
			for _, n := range next[b] {
				if have, seen := depth[n]; !seen || have < d+1 {
					depth[n], again = d+1, true
				}
			}
		}
	}
	return depth
}

func wantKin(t *testing.T, s *store.Store, of string, dir chain.Direction, want map[string]int) {
	t.Helper()
	g, err := s.Genealogy(t.Context(), []string{of}, dir)
	check(t, err)
	got := map[string]int{}
	for _, n := range g.Batches {
		if _, twice := got[n.Batch]; twice {
			t.Errorf("%s %s: %s is there twice", of, dir, n.Batch)
		}
		got[n.Batch] = n.Depth
		if dir == chain.Up {
			got[n.Batch] = -n.Depth
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("genealogy of %s %s (-want +got):\n%s", of, dir, diff)
	}
}

// The database refuses what no method would do.
func testMovementsStay(t *testing.T, s *store.Store) {
	seed(t, s)
	move(t, s, "m1", chain.Harvest, nil, out("a", kg(10)))
	move(t, s, "m2", chain.Process, []chain.Input{in("a", kg(5))}, out("b", kg(5)))
	for _, q := range []string{
		"DELETE FROM movements", "UPDATE movements SET doc = '{}'", "UPDATE movements SET at = 0",
		"DELETE FROM movement_batches", "UPDATE movement_batches SET n = 1",
		"DELETE FROM stocks", "UPDATE stocks SET made = 1", "UPDATE stocks SET remains = -1", "UPDATE stocks SET remains = made + 1",
		"UPDATE movements SET voided_by = 'nothing'",
		"INSERT INTO movement_batches (movement, tenant, batch, owner, made, n, unit) VALUES ('m1', 'tea', 'b', 'tea', TRUE, 1, 'kg')",
		"INSERT INTO movement_batches (movement, tenant, batch, owner, made, n, unit) VALUES ('m2', 'tea', 'b', 'oysters', FALSE, 1, 'kg')",
	} {
		if err := s.Exec(context.Background(), q); err == nil {
			t.Errorf("the database did: %s", q)
		}
	}
}
