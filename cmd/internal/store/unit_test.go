package store_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/oklog/ulid/v2"

	"tianhai/cmd/internal/store"
	"tianhai/farm"
	"tianhai/trace"
	"tianhai/trace/label"
	"tianhai/trace/unit"
)

// unitWorld is a service of unit codes on a database, at a time of its own.
type unitWorld struct {
	*unit.Service
	now time.Time
}

func newUnitWorld(t testing.TB, s *store.Store) *unitWorld {
	t.Helper()
	key, err := s.UnitKey(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	w := &unitWorld{now: noon}
	w.Service = &unit.Service{
		Store: s, Trees: s, Batches: s, Covers: s, Key: key, Scheme: label.NewSchemes("https://trace.example.cn").Packets(), PublicURL: "https://trace.example.cn",
		NewRecord: (&trace.Service{}).NewRecord, Now: func() time.Time { return w.now },
	}
	return w
}

func newRoll(codes int) unit.Roll {
	return unit.Roll{ID: ulid.Make().String(), Tenant: "tea", Product: "liubao", Codes: codes, Covered: true, Note: "春茶", Account: "wei"}
}

func newStep(r unit.Roll, kind unit.Kind, first, last int) unit.Step {
	st := unit.Step{ID: ulid.Make().String(), Roll: r.ID, Tenant: r.Tenant, Kind: kind, First: first, Last: last, Account: "wei"}
	switch kind {
	case unit.Bind:
		st.Batch = "b1"
	case unit.Void, unit.Destroy, unit.Withdraw:
		st.Reason = "剩余"
	}
	return st
}

// labels returns the labels of a whole roll; the first is at 1.
func (w *unitWorld) labels(r unit.Roll) []unit.Label {
	return append([]unit.Label{{}}, slices.Collect(w.Labels(r, 1, r.Codes))...)
}

func (w *unitWorld) issued(t *testing.T, codes int) unit.Roll {
	t.Helper()
	r, err := w.Issue(t.Context(), newRoll(codes))
	check(t, err)
	return r
}

func (w *unitWorld) step(t *testing.T, st unit.Step) {
	t.Helper()
	_, err := w.Step(t.Context(), st)
	check(t, err)
}

// testUnitIssue: the same again is the same roll; every code is found by itself and
// proven to be under the sealed root; no other is.
func testUnitIssue(t *testing.T, s *store.Store) {
	seed(t, s)
	ctx := t.Context()
	w := newUnitWorld(t, s)
	asked := newRoll(2500)
	r, err := w.Issue(ctx, asked)
	check(t, err)
	equal(t, "the same again", r)(w.Issue(ctx, asked))
	other := asked
	other.Codes = 2501
	_, err = w.Issue(ctx, other)
	wantErr(t, "another under its ID", err, farm.ErrConflict)
	stranger := newRoll(1)
	stranger.Product = "nothing"
	_, err = w.Issue(ctx, stranger)
	wantErr(t, "an unknown product", err, farm.ErrNotFound)
	equal(t, "of the tenant", []unit.Roll{r})(s.Rolls(ctx, "tea"))
	equal(t, "of another", []unit.Roll{})(s.Rolls(ctx, "oysters"))

	recs, err := s.RecordsOf(ctx, r.ID)
	check(t, err)
	if len(recs) != 1 || recs[0].Kind != unit.RollRecord || !strings.Contains(string(recs[0].Body), `"root":"`+r.Root+`"`) {
		t.Fatalf("records: %+v", recs)
	}
	again := newUnitWorld(t, s) // with the key from the database
	for n, l := range w.labels(r) {
		if n == 0 || n > 40 && n < 2450 && n%97 != 0 {
			continue
		}
		u, err := again.Lookup(ctx, l.Code)
		if err != nil || u.Roll.ID != r.ID || u.Number != n || u.State != unit.Issued || u.Batch != "" {
			t.Fatalf("code %d is %+v, %v", n, u, err)
		}
		p, err := again.Prove(ctx, l.Code)
		check(t, err)
		if leaf, err := p.Check(); err != nil || p.Root != r.Root || !bytes.Equal(leaf, recs[0].Leaf()) {
			t.Fatalf("proof of %d: %+v, %v", n, p, err)
		}
		p.Number++
		if _, err := p.Check(); err == nil {
			t.Fatalf("code %d is proven at another place", n)
		}
	}
	// A tree of one's own does not pass for the one that was sealed.
	forged, err := w.Prove(ctx, w.labels(w.issued(t, 2500))[1].Code)
	check(t, err)
	forged.Roll = r.ID
	if forged.Record, err = recs[0].Opening(); err != nil {
		t.Fatal(err)
	}
	if _, err := forged.Check(); err == nil {
		t.Error("a code of another roll is proven by this one's record")
	}
	for range 1000 {
		code, err := label.NewCode(strings.NewReader(ulid.Make().String()[18:] + "tianhai"))
		check(t, err)
		if _, err := w.Lookup(ctx, code); !errors.Is(err, farm.ErrNotFound) {
			t.Fatalf("%s was found: %v", code, err)
		}
	}
	for _, statement := range []string{"UPDATE rolls SET root = ''", "DELETE FROM rolls", "UPDATE unit_keys SET secret = secret", "DELETE FROM unit_keys"} {
		if err := s.Exec(ctx, statement); err == nil {
			t.Errorf("%s went through", statement)
		}
	}
}

// testRollSteps tells a roll's life, with everything that is refused on the way.
func testRollSteps(t *testing.T, s *store.Store) {
	seed(t, s)
	ctx := t.Context()
	check(t, s.AddBatch(ctx, newBatch("b1")))
	check(t, s.AddBatch(ctx, newBatch("b2")))
	foreign := newBatch("b3")
	foreign.Tenant, foreign.Site = "oysters", "raft-1"
	check(t, s.AddBatch(ctx, foreign))
	w := newUnitWorld(t, s)
	r := w.issued(t, 1000)
	refused := func(doing, reason string, st unit.Step) {
		t.Helper()
		_, err := w.Step(ctx, st)
		if err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("%s: %v, want %q", doing, err, reason)
		}
	}
	refused("bound before it is printed", "codes 1 to 10 are not printed yet", newStep(r, unit.Bind, 1, 10))
	w.step(t, newStep(r, unit.Print, 1, 900))
	refused("printed twice", "codes 850 to 900 are printed", newStep(r, unit.Print, 850, 950))
	refused("reversed", "last comes before the first", newStep(r, unit.Bind, 20, 10))
	refused("beyond the end", "last is not 1 to 1000", newStep(r, unit.Void, 990, 1001))
	foreigners := newStep(r, unit.Bind, 1, 10)
	foreigners.Batch = "b3"
	refused("another's batch", "not found", foreigners)
	another := newStep(r, unit.Bind, 1, 10)
	another.Tenant = "oysters"
	refused("another's roll", "not found", another)

	bind := newStep(r, unit.Bind, 1, 400)
	done, err := w.Step(ctx, bind)
	check(t, err)
	equal(t, "the same again", done)(w.Step(ctx, bind))
	differs := bind
	differs.Last = 401
	_, err = w.Step(ctx, differs)
	wantErr(t, "another under its ID", err, farm.ErrConflict)
	over := newStep(r, unit.Bind, 400, 500)
	over.Batch = "b2"
	refused("overlapping", "codes 400 to 400 are bound to batch b1", over)
	wrong := newStep(r, unit.Bind, 401, 600)
	w.step(t, wrong)
	back := newStep(r, unit.Withdraw, 0, 0)
	back.Withdraws = wrong.ID
	w.step(t, back)
	w.step(t, back)
	second := newStep(r, unit.Withdraw, 0, 0)
	second.Withdraws = wrong.ID
	refused("withdrawn twice", "is withdrawn already", second)
	right := newStep(r, unit.Bind, 401, 600)
	right.Batch = "b2"
	w.step(t, right)
	w.step(t, newStep(r, unit.Reprint, 600, 600))
	w.step(t, newStep(r, unit.Void, 395, 405)) // torn in the packing room
	w.step(t, newStep(r, unit.Void, 881, 1000))
	w.step(t, newStep(r, unit.Destroy, 891, 900))
	refused("destroyed though never printed", "codes 901 to 901 are void", newStep(r, unit.Destroy, 901, 901))
	refused("void twice", "are void", newStep(r, unit.Void, 400, 400))
	refused("bound when void", "are void", newStep(r, unit.Bind, 885, 885))

	tally, err := w.Tally(ctx, r.ID)
	check(t, err)
	equal(t, "counts", unit.Counts{Printed: 901, Reprinted: 1, Unused: 280, Used: 589, Voided: 121, Destroyed: 10})(tally.Counts, nil)
	spans := []unit.Span{
		{First: 1, Last: 394, State: unit.Bound, Printed: true, Batch: "b1"},
		{First: 395, Last: 400, State: unit.Voided, Printed: true, Batch: "b1"},
		{First: 401, Last: 405, State: unit.Voided, Printed: true, Batch: "b2"},
		{First: 406, Last: 600, State: unit.Bound, Printed: true, Batch: "b2"},
		{First: 601, Last: 880, State: unit.Printed, Printed: true},
		{First: 881, Last: 890, State: unit.Voided, Printed: true},
		{First: 891, Last: 900, State: unit.Destroyed, Printed: true},
		{First: 901, Last: 1000, State: unit.Voided},
	}
	if diff := cmp.Diff(spans, tally.Spans, cmpopts.IgnoreUnexported(unit.Span{})); diff != "" {
		t.Errorf("spans (-want +got):\n%s", diff)
	}
	codes := w.labels(r)
	for _, span := range spans {
		for _, n := range []int{span.First, span.Last} {
			u, err := w.Lookup(ctx, codes[n].Code)
			if err != nil || u.State != span.State || u.Batch != span.Batch {
				t.Errorf("code %d is %s of %q, %v; want %s of %q", n, u.State, u.Batch, err, span.State, span.Batch)
			}
		}
	}
	of, err := s.RollStepsOf(ctx, "b1")
	if err != nil || len(of) != 3 {
		t.Errorf("steps of the batch: %+v, %v", of, err)
	}
	recs, err := s.RecordsOf(ctx, r.ID)
	if err != nil || len(recs) != 1+len(tally.Steps) {
		t.Errorf("%d records of %d steps, %v", len(recs), len(tally.Steps), err)
	}
	for _, statement := range []string{"UPDATE roll_steps SET last = first", "DELETE FROM roll_steps"} {
		if err := s.Exec(ctx, statement); err == nil {
			t.Errorf("%s went through", statement)
		}
	}
}

// testScanned: two codes are a stretch of one roll of the operator's.
func testScanned(t *testing.T, s *store.Store) {
	seed(t, s)
	ctx := t.Context()
	w := newUnitWorld(t, s)
	r, other := w.issued(t, 100), w.issued(t, 100)
	codes := w.labels(r)
	roll, first, last, err := w.Between(ctx, "tea", strings.ToLower(codes[3].Text), codes[9].Code)
	if err != nil || roll.ID != r.ID || first != 3 || last != 9 {
		t.Errorf("%s %d to %d, %v", roll.ID, first, last, err)
	}
	for name, tt := range map[string]struct{ tenant, first, last, want string }{
		"another's":          {"oysters", codes[3].Code, codes[9].Code, "first is no unit code of this operator"},
		"of two rolls":       {"tea", codes[3].Code, w.labels(other)[1].Code, "last is of another roll"},
		"mistyped":           {"tea", codes[3].Code[1:] + codes[3].Code[:1], codes[9].Code, "first is no code"},
		"the code of nobody": {"tea", codes[3].Code, "4Q7XH2M9KTB3D", "last is no"},
	} {
		if _, _, _, err := w.Between(ctx, tt.tenant, tt.first, tt.last); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

// testBindRace: of many who bind the same labels at once one does.
func testBindRace(t *testing.T, s *store.Store) {
	seed(t, s)
	check(t, s.AddBatch(t.Context(), newBatch("b1")))
	w := newUnitWorld(t, s)
	r := w.issued(t, 100)
	w.step(t, newStep(r, unit.Print, 1, 100))
	var wg sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		wg.Go(func() { _, errs[i] = w.Step(t.Context(), newStep(r, unit.Bind, 1+i, 50+i)) })
	}
	wg.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		} else if _, ok := errors.AsType[*unit.StateError](err); !ok {
			t.Errorf("refused with %v", err)
		}
	}
	tally, err := w.Tally(t.Context(), r.ID)
	if won != 1 || err != nil || tally.Counts.Used != 50 {
		t.Errorf("%d won, %+v, %v", won, tally.Counts, err)
	}
}

// covered is a world with one bound packet.
func covered(t *testing.T, s *store.Store) (*unitWorld, unit.Label, unit.Reveal) {
	t.Helper()
	seed(t, s)
	check(t, s.AddBatch(t.Context(), newBatch("b1")))
	w := newUnitWorld(t, s)
	r := w.issued(t, 20)
	w.step(t, newStep(r, unit.Print, 1, 20))
	w.step(t, newStep(r, unit.Bind, 1, 19))
	l := w.labels(r)[7]
	return w, l, unit.Reveal{Code: l.Code, Cover: l.Cover, Device: "phone", Source: "192.0.2.1", Town: "Wuzhou"}
}

// testActivation: once, and the same phone within a day is no second time.
func testActivation(t *testing.T, s *store.Store) {
	w, l, show := covered(t, s)
	ctx := t.Context()
	outcome := func(doing string, r unit.Reveal, want unit.Outcome, again int) {
		t.Helper()
		a, got, err := w.Reveal(ctx, r)
		if err != nil || got != want || !a.At.Equal(noon.Truncate(time.Millisecond)) || a.Town != "Wuzhou" {
			t.Errorf("%s: %s %+v, %v; want %s", doing, got, a, err, want)
		}
		if a.Again != again {
			t.Errorf("%s: shown again %d times, want %d", doing, a.Again, again)
		}
	}
	outcome("first", show, unit.First, 0)
	bought, err := w.Lookup(ctx, l.Code)
	check(t, err)
	for device, want := range map[string]bool{"phone": true, "another phone": false, "": false} {
		if _, mine, err := w.Activation(ctx, bought, device); err != nil || mine != want {
			t.Errorf("activated by %q: %v, %v", device, mine, err)
		}
	}
	w.now = noon.Add(22 * time.Hour)
	guess := show
	guess.Device, guess.Cover = "guesser", label.Encode(label.Decode(strings.ReplaceAll(l.Cover, "-", ""))+1, label.CoverLength)
	for range unit.TriesPerCode {
		if _, _, err := w.Reveal(ctx, guess); !errors.Is(err, unit.ErrCover) {
			t.Errorf("a guess: %v", err)
		}
	}
	outcome("the same phone, while others are locked out", show, unit.Same, 0)
	w.now = noon.Add(23 * time.Hour)
	for range 2 * unit.TriesPerCode { // a page that is loaded again costs no try
		outcome("the same phone", show, unit.Same, 0)
	}
	second := show
	second.Device = "another phone"
	outcome("another phone", second, unit.Already, 1)
	w.now = noon.Add(25 * time.Hour)
	outcome("the same phone the day after", show, unit.Already, 2)

	u, err := w.Lookup(ctx, l.Code)
	check(t, err)
	if a, mine, err := w.Activation(ctx, u, "phone"); err != nil || mine || a.Again != 2 || strings.Contains(a.Device, "phone") {
		t.Errorf("activation %+v, %v", a, err)
	}
	labels := w.labels(u.Roll)
	unbound := show
	unbound.Code, unbound.Cover = labels[20].Code, labels[20].Cover
	if _, _, err := w.Reveal(ctx, unbound); err == nil || !strings.Contains(err.Error(), "20 to 20 are printed") {
		t.Errorf("a packet of no batch: %v", err)
	}
	for _, statement := range []string{"UPDATE activations SET at = 0", "DELETE FROM activations"} {
		if err := s.Exec(ctx, statement); err == nil {
			t.Errorf("%s went through", statement)
		}
	}
}

// testActivationRace: of many phones at once one is first.
func testActivationRace(t *testing.T, s *store.Store) {
	w, _, show := covered(t, s)
	var wg sync.WaitGroup
	outcomes := make([]unit.Outcome, unit.TriesPerCode)
	for i := range outcomes {
		wg.Go(func() {
			r := show
			r.Device, r.Source = string(rune('a'+i)), ""
			_, got, err := w.Reveal(t.Context(), r)
			if err != nil {
				t.Errorf("phone %d: %v", i, err)
			}
			outcomes[i] = got
		})
	}
	wg.Wait()
	slices.Sort(outcomes)
	if want := []unit.Outcome{unit.Already, unit.Already, unit.Already, unit.Already, unit.First}; !slices.Equal(outcomes, want) {
		t.Errorf("outcomes %v, want one first", outcomes)
	}
}

// testGuesses: tries are counted before they are looked at, so that many at once are
// no more than the limit; then even the right code waits for the window to end.
func testGuesses(t *testing.T, s *store.Store) {
	w, l, show := covered(t, s)
	ctx := t.Context()
	guess := show
	guess.Cover = label.Encode(label.Decode(strings.ReplaceAll(l.Cover, "-", ""))+1, label.CoverLength)
	// One character for another is always found out.
	mistyped, other := show, "0"
	if l.Cover[:1] == other {
		other = "1"
	}
	mistyped.Cover = other + l.Cover[1:]
	for range 2 * unit.TriesPerCode {
		if _, _, err := w.Reveal(ctx, mistyped); err == nil {
			t.Fatal("a mistyped code was taken")
		} else if _, ok := errors.AsType[*label.CodeError](err); !ok {
			t.Fatalf("mistyped: %v", err)
		}
	}
	var mu sync.Mutex
	looked, locked := 0, 0
	var wg sync.WaitGroup
	for range 4 * unit.TriesPerCode {
		wg.Go(func() {
			r := guess
			r.Source = ""
			_, _, err := w.Reveal(ctx, r)
			mu.Lock()
			defer mu.Unlock()
			if errors.Is(err, unit.ErrCover) {
				looked++
			} else if _, ok := errors.AsType[*unit.LockedError](err); ok {
				locked++
			} else {
				t.Errorf("guess: %v", err)
			}
		})
	}
	wg.Wait()
	if looked != unit.TriesPerCode || locked != 3*unit.TriesPerCode {
		t.Errorf("%d guesses were looked at and %d locked out", looked, locked)
	}
	_, _, err := w.Reveal(ctx, show)
	e, ok := errors.AsType[*unit.LockedError](err)
	if !ok || e.Source || !e.Until.Equal(w.now.Truncate(time.Millisecond).Add(unit.TryWindow)) {
		t.Errorf("the right code while locked: %v", err)
	}
	w.now = w.now.Add(unit.TryWindow)
	if _, got, err := w.Reveal(ctx, show); err != nil || got != unit.First {
		t.Errorf("after the lock: %s, %v", got, err)
	}

	// One address, many codes.
	labels := w.labels(mustRoll(t, w, l.Code))
	seen := 0
	for n := range unit.TriesPerSource + 5 {
		r := guess
		r.Code, r.Cover, r.Source = labels[1+n%5].Code, guess.Cover, "192.0.2.9"
		_, _, err := w.Reveal(ctx, r)
		if e, ok := errors.AsType[*unit.LockedError](err); ok && e.Source {
			continue
		}
		seen++
	}
	if seen != unit.TriesPerSource {
		t.Errorf("one address had %d tries", seen)
	}
}

func mustRoll(t *testing.T, w *unitWorld, code string) unit.Roll {
	t.Helper()
	u, err := w.Lookup(t.Context(), code)
	check(t, err)
	return u.Roll
}
