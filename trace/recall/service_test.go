package recall_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"tianhai/farm"
	"tianhai/trace/cert"
	"tianhai/trace/chain"
	"tianhai/trace/recall"
)

// story is a garden whose leaf becomes tea that a shop has a part of, beside another
// garden.
func story() *memory {
	m := newMemory()
	m.grow("leaf-1", "garden-1", 10, 20)
	m.grow("leaf-2", "garden-1", 12, 20) // the same harvest
	m.grow("leaf-3", "garden-1", 30, 40) // a later one
	m.grow("leaf-4", "garden-2", 10, 20)
	m.make("tea-1", "tea", 21, "leaf-1", "leaf-4")
	m.make("tea-2", "shop", 25, "tea-1")
	m.make("tea-3", "tea", 41, "leaf-3")
	m.uses = []recall.Use{{Lot: "spray", Site: "garden-1", At: day(15), Until: day(15)}, {Lot: "feed", Site: "garden-2", At: day(12), Until: day(35)}}
	m.lots["spray"] = struct{ tenant, maker string }{"tea", "A1"}
	m.lots["spray-of-wei"] = struct{ tenant, maker string }{"wei", "A1"}
	m.failed["report"] = "tea-1"
	return m
}

func TestStarts(t *testing.T) {
	tests := map[string]struct {
		start recall.Start
		want  string
	}{
		"a lot":            {recall.Start{Kind: recall.FromLot, ID: "spray"}, "[leaf-1 leaf-2 tea-1 tea-2]"},
		"a site":           {recall.Start{Kind: recall.FromSite, ID: "garden-1", From: day(35), To: day(36)}, "[leaf-3 tea-3]"},
		"the last day":     {recall.Start{Kind: recall.FromSite, ID: "garden-1", From: day(40), To: day(50)}, "[leaf-3 tea-3]"},
		"the day after it": {recall.Start{Kind: recall.FromSite, ID: "garden-1", From: day(41), To: day(50)}, "[]"},
		"a grown batch":    {recall.Start{Kind: recall.FromBatch, ID: "leaf-1"}, "[leaf-1 leaf-2 tea-1 tea-2]"},
		"what was made":    {recall.Start{Kind: recall.FromBatch, ID: "tea-2"}, "[leaf-1 leaf-2 leaf-4 tea-1 tea-2]"},
		"a failed test":    {recall.Start{Kind: recall.FromTest, ID: "report"}, "[leaf-1 leaf-2 leaf-4 tea-1 tea-2]"},
		"only the batch": {
			recall.Start{Kind: recall.FromBatch, ID: "tea-2", Without: []string{
				"batch:tea-1", "batch:leaf-1", "batch:leaf-4", "lot:spray", "lot:feed",
				"harvested:garden-1:2026-01-21:2026-01-22", "harvested:garden-2:2026-01-21:2026-01-22",
			}}, "[tea-2]",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			plan, holdings, err := story().service().Preview(t.Context(), officer, tt.start)
			check(t, err)
			var all []recall.Standing
			for _, h := range holdings {
				all = append(all, recall.Standing{Holding: h})
			}
			if got := ids(all); got != tt.want {
				t.Errorf("in are %s, want %s; causes %v", got, tt.want, plan.Causes)
			}
		})
	}
}

// The maker's batch number leads to other farms' lots, for who may recall theirs.
func TestLotsAlike(t *testing.T) {
	start := recall.Start{Kind: recall.FromLot, ID: "spray"}
	for name, tt := range map[string]struct {
		by   recall.Actor
		want int
	}{"bureau": {officer, 2}, "manager": {manager, 1}} {
		plan, _, err := story().service().Preview(t.Context(), tt.by, start)
		check(t, err)
		if len(plan.Causes) != tt.want {
			t.Errorf("%s: %d lots, want %d", name, len(plan.Causes), tt.want)
		}
	}
}

func TestCourse(t *testing.T) {
	m := story()
	s, ctx, id := m.service(), t.Context(), newID()
	r, err := s.Open(ctx, officer, id, opening(recall.Start{Kind: recall.FromLot, ID: "spray"}))
	check(t, err)
	if r.Number != "450406-2026-001" || ids(r.Holdings) != "[leaf-1 leaf-2 tea-1 tea-2]" {
		t.Fatalf("opened %s of %s", r.Number, ids(r.Holdings))
	}
	// The same again is nothing new; another under the ID is a conflict.
	again, err := s.Open(ctx, officer, id, opening(recall.Start{Kind: recall.FromLot, ID: "spray"}))
	if err != nil || again.Steps != 1 {
		t.Errorf("again: %d steps, %v", again.Steps, err)
	}
	if _, err := s.Open(ctx, officer, id, opening(recall.Start{Kind: recall.FromBatch, ID: "leaf-3"})); !errors.Is(err, farm.ErrConflict) {
		t.Errorf("another under the ID: %v", err)
	}

	// What is made, or recorded, afterwards is in it at once, and named as soon as
	// somebody widens.
	m.make("tea-9", "shop", 201, "tea-2")
	m.uses = append(m.uses, recall.Use{Lot: "spray", Site: "garden-2", At: day(11), Until: day(11)})
	for _, b := range []string{"tea-9", "leaf-4"} {
		if of, err := s.Of(ctx, b); err != nil || len(of) != 1 {
			t.Errorf("%s is in %d recalls, %v", b, len(of), err)
		}
	}
	file, err := s.Get(ctx, id)
	if err != nil || len(file.Found) != 2 {
		t.Errorf("found since: %v, %v", file.Found, err)
	}
	if _, err := s.Close(ctx, officer, id, newID(), ""); !errors.Is(err, recall.ErrUnaccounted) {
		t.Errorf("closed with everything out: %v", err)
	}
	r, err = s.Widen(ctx, officer, id, newID(), recall.Widening{}, "recorded since")
	check(t, err)
	if want := "[leaf-1 leaf-2 leaf-4 tea-1 tea-2 tea-9]"; ids(r.Holdings) != want {
		t.Errorf("widened to %s, want %s", ids(r.Holdings), want)
	}
	if _, err := s.Widen(ctx, officer, id, newID(), recall.Widening{}, "again"); !errors.Is(err, recall.ErrEmpty) {
		t.Errorf("widened by nothing: %v", err)
	}

	// A batch that is cleared goes with what was made of it alone, and can come back.
	narrow := newID()
	r, err = s.Narrow(ctx, officer, id, narrow, []string{"tea-2"}, "tested, and good")
	check(t, err)
	if want := "[leaf-1 leaf-2 leaf-4 tea-1]"; ids(r.Holdings) != want {
		t.Errorf("narrowed to %s, want %s", ids(r.Holdings), want)
	}
	if of, _ := s.Of(ctx, "tea-9"); len(of) != 0 {
		t.Error("what was made of a cleared batch alone is still recalled")
	}
	if r, err = s.Narrow(ctx, officer, id, narrow, []string{"tea-2"}, "tested, and good"); err != nil || r.Steps != 3 {
		t.Errorf("narrowed again: %d steps, %v", r.Steps, err)
	}
	if _, err := s.Narrow(ctx, officer, id, newID(), []string{"tea-2"}, "x"); !errors.Is(err, farm.ErrNotFound) {
		t.Errorf("cleared what is out: %v", err)
	}
	r, err = s.Widen(ctx, officer, id, newID(), recall.Widening{Batches: []string{"tea-2"}}, "the sample was another's")
	check(t, err)
	if want := "[leaf-1 leaf-2 leaf-4 tea-1 tea-2 tea-9]"; ids(r.Holdings) != want || len(r.Cleared) != 0 {
		t.Errorf("widened to %s, want %s; cleared %v", ids(r.Holdings), want, r.Cleared)
	}

	for _, h := range r.Holdings {
		_, err := s.Report(ctx, officer, id, newID(), recall.Progress{Batch: h.Batch, To: recall.Destroyed, Amount: h.Held})
		check(t, err)
	}
	r, err = s.Close(ctx, officer, id, newID(), "")
	check(t, err)
	if r.Closed.IsZero() || len(r.Missing()) != 0 || frees(r, "tea-1") {
		t.Errorf("closed at %v, missing %v", r.Closed, r.Missing())
	}
	if _, err := s.Report(ctx, officer, id, newID(), recall.Progress{Batch: "tea-1"}); !errors.Is(err, recall.ErrClosed) {
		t.Errorf("progress after the end: %v", err)
	}
	if of, err := s.Of(ctx, "tea-9"); err != nil || len(of) != 1 || len(of[0]) != 2 {
		t.Errorf("a closed recall is not shown with its end: %v, %v", of, err)
	}
}

func TestCloseWithReason(t *testing.T) {
	s, ctx, id := story().service(), t.Context(), newID()
	_, err := s.Open(ctx, officer, id, opening(recall.Start{Kind: recall.FromLot, ID: "spray"}))
	check(t, err)
	_, err = s.Report(ctx, officer, id, newID(), recall.Progress{Batch: "tea-2", To: recall.Located, Amount: kg(4)})
	check(t, err)
	_, err = s.Close(ctx, officer, id, newID(), "eaten before the recall")
	check(t, err)
	file, err := s.Get(ctx, id)
	check(t, err)
	missing := file.Log[2].Missing
	if len(missing) != 4 || missing[3].Amount != kg(10) {
		t.Errorf("the record says that missing is %v", missing)
	}
}

func TestRefusals(t *testing.T) {
	s, ctx, id := story().service(), t.Context(), newID()
	_, err := s.Open(ctx, manager, id, opening(recall.Start{Kind: recall.FromLot, ID: "spray"}))
	check(t, err)
	report := func(p recall.Progress) func() error {
		return func() error { _, err := s.Report(ctx, manager, id, newID(), p); return err }
	}
	open := func(change func(*recall.Opening)) func() error {
		o := opening(recall.Start{Kind: recall.FromLot, ID: "spray"})
		change(&o)
		return func() error { _, err := s.Open(ctx, manager, newID(), o); return err }
	}
	for name, tt := range map[string]struct {
		do   func() error
		says string
	}{
		"no reason":         {open(func(o *recall.Opening) { o.Reason.Zh = " " }), "reason.zh is missing"},
		"no advice":         {open(func(o *recall.Opening) { o.Advice.Zh = "" }), "advice.zh is missing"},
		"no contact":        {open(func(o *recall.Opening) { o.Contact = "" }), "contact is missing"},
		"a long hazard":     {open(func(o *recall.Opening) { o.Hazard.En = strings.Repeat("x", 2001) }), "hazard.en has 2001 characters"},
		"no kind":           {open(func(o *recall.Opening) { o.Start.Kind = "" }), "start.kind is none"},
		"a period of a lot": {open(func(o *recall.Opening) { o.Start.From = day(1) }), "start.from is only for a site"},
		"a site for ever":   {open(func(o *recall.Opening) { o.Start = recall.Start{Kind: recall.FromSite, ID: "garden-1"} }), "start.to is missing"},
		"an unknown lot":    {open(func(o *recall.Opening) { o.Start.ID = "none" }), "not found"},
		"a passed test":     {open(func(o *recall.Opening) { o.Start = recall.Start{Kind: recall.FromTest, ID: "good"} }), "not found"},
		"nothing in it": {open(func(o *recall.Opening) {
			o.Start = recall.Start{Kind: recall.FromSite, ID: "garden-1", From: day(100), To: day(101)}
		}), "no batch is concerned"},
		"more than is held": {report(recall.Progress{Batch: "tea-1", To: recall.Located, Amount: kg(11)}), "only 10 kg"},
		"another measure":   {report(recall.Progress{Batch: "tea-1", To: recall.Located, Amount: chain.Amount{N: 1, Unit: "L"}}), "amount.unit does not measure"},
		"nothing":           {report(recall.Progress{Batch: "tea-1", To: recall.Located}), "amount is not more than nothing"},
		"another batch":     {report(recall.Progress{Batch: "leaf-3", To: recall.Located, Amount: kg(1)}), "not found"},
		"no state":          {report(recall.Progress{Batch: "tea-1", To: "eaten", Amount: kg(1)}), "to is none of"},
		"back, and no word": {report(recall.Progress{Batch: "tea-1", From: recall.Destroyed, To: recall.Located, Amount: kg(1)}), "note is missing"},
		"from nowhere":      {report(recall.Progress{Batch: "tea-1", From: recall.Located, To: recall.Returned, Amount: kg(1)}), "only 0 kg"},
		"released by farm":  {report(recall.Progress{Batch: "tea-1", To: recall.Released, Amount: kg(1)}), "for the bureau"},
		"no ULID":           {func() error { _, err := s.Report(ctx, manager, id, "1", recall.Progress{Batch: "tea-1"}); return err }, "id is not a ULID"},
		"an unknown recall": {func() error { _, err := s.Close(ctx, officer, newID(), newID(), ""); return err }, "not found"},
		"narrow for no why": {func() error { _, err := s.Narrow(ctx, officer, id, newID(), []string{"tea-1"}, ""); return err }, "reason is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := tt.do(); err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("error %v, want one that says %q", err, tt.says)
			}
		})
	}
}

// Whatever is reported in whatever order, every part of a holding is in one state, and
// a refused report changes nothing.
func TestProgressBalances(t *testing.T) {
	refused, taken := 0, 0
	for seed := range uint64(100) {
		rng := rand.New(rand.NewPCG(seed, 2))
		s, ctx, id := story().service(), t.Context(), newID()
		r, err := s.Open(ctx, officer, id, opening(recall.Start{Kind: recall.FromBatch, ID: "leaf-1"}))
		check(t, err)
		for range 25 {
			h := r.Holdings[rng.IntN(len(r.Holdings))]
			states := recall.States()
			p := recall.Progress{Batch: h.Batch, To: states[rng.IntN(5)], Amount: kg(1 + rng.Int64N(60)), Note: "x"}
			if rng.IntN(2) == 0 {
				p.From = states[rng.IntN(5)]
			}
			after, err := s.Report(ctx, officer, id, newID(), p)
			if err != nil {
				refused++
				continue
			}
			taken++
			i := slices.IndexFunc(after.Holdings, func(o recall.Standing) bool { return o.Key() == h.Key() })
			if got := after.Holdings[i].Amounts[p.To].N - h.Amounts[p.To].N; got != p.Amount.N {
				t.Fatalf("seed %d: %d came, %d were reported", seed, got, p.Amount.N)
			}
			for _, h := range after.Holdings {
				sum := int64(0)
				for state, a := range h.Amounts {
					if a.N < 0 {
						t.Fatalf("seed %d: %d are %s", seed, a.N, state)
					}
					sum += a.N
				}
				if sum != h.Held.N {
					t.Fatalf("seed %d: the states of %s add up to %d of %d", seed, h.Batch, sum, h.Held.N)
				}
			}
			r = after
		}
	}
	if refused == 0 || taken == 0 {
		t.Errorf("%d refused, %d taken", refused, taken)
	}
}

// A household's telephone number is committed to, and not sealed.
func TestContactOfANaturalPerson(t *testing.T) {
	m := story()
	b := m.batches["leaf-3"]
	b.Tenant = "wei"
	m.batches["leaf-3"] = b
	s, ctx, id := m.service(), t.Context(), newID()
	o := opening(recall.Start{Kind: recall.FromBatch, ID: "leaf-3"})
	o.Contact = "13912345678"
	_, err := s.Open(ctx, manager, id, o)
	check(t, err)
	rec := m.recalls[id][0].Record
	if bytes.Contains(rec.Body, []byte(o.Contact)) {
		t.Error("the sealed bytes hold the number")
	}
	with, err := recall.ParseStep(rec.Body, rec.Personal)
	if err != nil || with.Opening.Contact != o.Contact {
		t.Errorf("contact %q, %v", with.Opening.Contact, err)
	}
	erased, err := recall.ParseStep(rec.Body, nil)
	if err != nil || erased.Opening.Contact != "" {
		t.Errorf("erased: contact %q, %v", erased.Opening.Contact, err)
	}
	rec.Personal[0].Text = "110"
	if _, err := recall.ParseStep(rec.Body, rec.Personal); err == nil {
		t.Error("another number passes for the one committed to")
	}
}

func TestNotices(t *testing.T) {
	m := story()
	s, ctx, id := m.service(), t.Context(), newID()
	s.Channels = []string{"webhook"}
	_, err := s.Open(ctx, officer, id, opening(recall.Start{Kind: recall.FromLot, ID: "spray"}))
	check(t, err)
	_, err = s.Report(ctx, officer, id, newID(), recall.Progress{Batch: "tea-1"})
	check(t, err)
	_, err = s.Narrow(ctx, officer, id, newID(), []string{"tea-2"}, "good")
	check(t, err)
	var to []string
	for _, e := range m.recalls[id] {
		for _, n := range e.Notices {
			to = append(to, string(e.Kind)+" "+n.Holder+n.Channel)
		}
	}
	if want := []string{"open shopholder", "open teaholder", "open webhook", "narrow shopholder", "narrow webhook"}; !slices.Equal(to, want) {
		t.Errorf("told are %q, want %q", to, want)
	}
}

// Certificates go with what comes into a recall, and stay gone.
func TestCertificatesAreVoided(t *testing.T) {
	m := story()
	m.certified = map[string]bool{"tea-2": true, "leaf-3": true}
	s, ctx, id := m.service(), t.Context(), newID()
	_, err := s.Open(ctx, officer, id, opening(recall.Start{Kind: recall.FromLot, ID: "spray"}))
	check(t, err)
	_, err = s.Widen(ctx, officer, id, newID(), recall.Widening{Batches: []string{"leaf-3"}}, "the same load")
	check(t, err)
	for i, want := range []string{"certificate-of-tea-2", "certificate-of-leaf-3"} {
		e := m.recalls[id][i]
		if len(e.Voids) != 1 || e.Voids[0].Voids != want || e.VoidRecords[0].Subject != want || e.Voids[0].Cause != cert.ByRecall {
			t.Errorf("step %d voids %+v, want %s", i+1, e.Voids, want)
		}
	}
}

func FuzzParseStep(f *testing.F) {
	m := story()
	if _, err := m.service().Open(f.Context(), officer, newID(), opening(recall.Start{Kind: recall.FromLot, ID: "spray"})); err != nil {
		f.Fatal(err)
	}
	f.Add(m.recalls[m.order[0]][0].Record.Body)
	f.Add([]byte(`{"v":1,"kind":"open","opening":{}}`))
	f.Add([]byte(`{"v":1,"kind":"progress","progress":{"batch":"a","to":"located","amount":{"quantity":1,"unit":"kg"}}}`))
	f.Fuzz(func(_ *testing.T, raw []byte) {
		s, err := recall.ParseStep(raw, nil)
		if err == nil {
			_, _ = recall.Fold([]recall.Step{s, s})
		}
	})
}

// frees reports whether a recall no longer bars a batch that was in it.
func frees(r recall.Recall, batch string) bool {
	_, cleared := r.Bars()
	return slices.Contains(cleared, batch)
}

// What a closed recall frees was released. A batch that had been used up when it was
// recalled may come back, when what was made of it is taken back.
func TestFrees(t *testing.T) {
	kg := func(n int64) chain.Amount { return chain.Amount{N: n * 1000, Unit: "kg"} }
	of := func(held, released int64) recall.Standing {
		return recall.Standing{
			Holding: recall.Holding{Batch: "leaf-1", Held: kg(held)},
			Amounts: map[recall.State]chain.Amount{recall.Released: kg(released)},
		}
	}
	for name, tt := range map[string]struct {
		holdings []recall.Standing
		want     bool
	}{
		"released":             {[]recall.Standing{of(5, 5)}, true},
		"released in part":     {[]recall.Standing{of(5, 4)}, false},
		"with another":         {[]recall.Standing{of(5, 5), of(3, 0)}, false},
		"used up and released": {[]recall.Standing{of(0, 0), of(5, 5)}, true},
		"used up":              {[]recall.Standing{of(0, 0)}, false},
		"not in it":            {nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := recall.Recall{Holdings: tt.holdings, Closed: day(50)}
			if got := frees(r, "leaf-1"); got != tt.want {
				t.Errorf("frees: %v, want %v", got, tt.want)
			}
			r.Closed = time.Time{}
			if frees(r, "leaf-1") {
				t.Error("an open recall frees")
			}
		})
	}
}

// TestBars: after its end a recall bars what was not released, and what is made of that;
// what is made of released goods is as free as they are.
func TestBars(t *testing.T) {
	m := newMemory()
	for _, id := range []string{"leaf", "used", "dry", "burnt", "new", "mixed"} {
		m.batches[id] = recall.Batch{ID: id}
	}
	m.edges = []recall.Edge{{From: "leaf", Made: "dry"}, {From: "used", Made: "dry"}, {From: "leaf", Made: "burnt"}, {From: "dry", Made: "new"}, {From: "dry", Made: "mixed"}, {From: "burnt", Made: "mixed"}}
	of := func(batch string, held, released chain.Amount) recall.Standing {
		return recall.Standing{Holding: recall.Holding{Batch: batch, Held: held}, Amounts: map[recall.State]chain.Amount{recall.Released: released}}
	}
	r := recall.Recall{
		Causes:   []recall.Cause{{Kind: recall.OnBatch, Subject: "leaf"}, {Kind: recall.OnBatch, Subject: "used"}},
		Holdings: []recall.Standing{of("leaf", kg(5), kg(5)), of("used", kg(0), kg(0)), of("dry", kg(3), kg(3)), of("burnt", kg(2), kg(0))},
	}
	for closed, want := range map[bool]string{false: "leaf used dry burnt new mixed ", true: "used burnt mixed "} {
		if closed {
			r.Closed = day(50)
		}
		barred := ""
		for _, id := range []string{"leaf", "used", "dry", "burnt", "new", "mixed"} {
			causes, cleared := r.Bars()
			in, err := recall.Covers(t.Context(), m, causes, cleared, id)
			if err != nil {
				t.Fatal(err)
			}
			if in {
				barred += id + " "
			}
		}
		if barred != want {
			t.Errorf("closed %v: it bars %s, want %s", closed, barred, want)
		}
		r.Closed = time.Time{}
	}
}
