package store_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"tianhai/cmd/internal/store"
	"tianhai/trace/chain"
	"tianhai/trace/epcis"
	"tianhai/trace/epcis/lineage"
	"tianhai/trace/label"
	"tianhai/trace/resolver"
	"tianhai/trace/unit"
)

// made is a transformation that an operator captures.
func made(id string, of, into []string) string {
	list := func(names []string) string {
		var all []string
		for _, n := range names {
			all = append(all, fmt.Sprintf(`{"epcClass": %q, "quantity": 1, "uom": "KGM"}`, n))
		}
		return strings.Join(all, ",")
	}
	return fmt.Sprintf(`{"type": "TransformationEvent", "eventID": "urn:uuid:%s", "eventTime": "2026-05-20T01:00:00Z", "eventTimeZoneOffset": "+08:00",
		"inputQuantityList": [%s], "outputQuantityList": [%s]}`, id, list(of), list(into))
}

// links returns the events that are found, in any order.
func links(t *testing.T, s *store.Store, dir chain.Direction, tenant string, batches ...string) string {
	t.Helper()
	f := &lineage.Finder{Source: s, PublicURL: "https://farm.example.com"}
	found, more, err := f.Follow(t.Context(), batches, dir, tenant)
	check(t, err)
	var ids []string
	for _, l := range found {
		ids = append(ids, strings.TrimPrefix(l.Event, "urn:uuid:"))
	}
	slices.Sort(ids)
	if more {
		ids = append(ids, "more")
	}
	return strings.Join(ids, " ")
}

// What operators capture joins the genealogy: by anybody who calls a batch by what nobody
// guesses, by its own operator under any name, and by nobody else.
func testLineage(t *testing.T, s *store.Store) {
	seed(t, s)
	check(t, s.AddHolding(t.Context(), resolver.Holding{GTIN: "06901234567892", Tenant: "tea", Product: "liubao", Account: "admin", Set: noon}))
	moveTold(t, s, chain.Movement{ID: "m1", Kind: chain.Harvest, Outputs: []chain.Output{out("a", kg(100))}}, "garden-1")
	b, err := s.Batch(t.Context(), "a")
	check(t, err)
	done, rec := closed(b, "CODE-A")
	rec.Body = []byte(`{"v": 1, "lot": "l-a", "closed": "2026-05-20T13:00:00Z", "harvest": "2026-05-20T11:00:00Z"}`)
	check(t, s.CloseBatch(t.Context(), done, rec))
	tell(t, s)
	const (
		byID   = "https://farm.example.com/epcis/id/batch/a"
		byCode = "https://farm.example.com/t/CODE-A"
		byLot  = "https://id.gs1.org/01/06901234567892/10/l-a"
	)
	capture(t, s, "oysters",
		made("blend", []string{byCode, "https://oysters.example/x"}, []string{"https://oysters.example/y"}),
		made("guess", []string{byLot}, []string{"https://oysters.example/stolen"}),
		made("further", []string{"https://oysters.example/y"}, []string{"https://oysters.example/z"}),
		made("seed", []string{"https://oysters.example/fry"}, []string{byID}),
		made("before", []string{"https://oysters.example/egg"}, []string{"https://oysters.example/fry"}),
		`{"type": "AggregationEvent", "eventID": "urn:uuid:pallet", "eventTime": "2026-05-20T02:00:00Z", "eventTimeZoneOffset": "+08:00", "action": "ADD",
		"parentID": "https://oysters.example/pallet", "childQuantityList": [{"epcClass": "https://oysters.example/z", "quantity": 1, "uom": "KGM"}]}`,
	)
	capture(t, s, "tea",
		made("fed", []string{"https://feed.example/lot"}, []string{byLot}),
		made("hijack", []string{"https://oysters.example/y"}, []string{"https://tea.example/other"}), // another's names are another's
	)
	for name, tt := range map[string]struct {
		dir    chain.Direction
		tenant string
		want   string
	}{
		"an officer, both ways": {chain.Both, "", "before blend fed further pallet seed"},
		"an officer, down":      {chain.Down, "", "blend further pallet"},
		"an officer, up":        {chain.Up, "", "before fed seed"},
		"the farm, one step":    {chain.Both, "tea", "blend fed seed"},
	} {
		if got := links(t, s, tt.dir, tt.tenant, "a"); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
	if got := links(t, s, chain.Both, "", "nobody's"); got != "" {
		t.Errorf("of no batch: %s", got)
	}
	wrong := strings.Replace(made("blend", []string{byCode, "https://oysters.example/x"}, []string{"https://oysters.example/y"}), `"eventTime"`,
		`"errorDeclaration": {"declarationTime": "2026-05-21T00:00:00Z", "reason": "did_not_occur"}, "eventTime"`, 1)
	capture(t, s, "oysters", wrong)
	if got, want := links(t, s, chain.Down, "", "a"), ""; got != want {
		t.Errorf("after the blend was declared an error: %s", got)
	}
}

// An event that names the code of a packet is of the batch that the code is bound to,
// whoever captured it: on a plain label and on a Digital Link, also where the label was
// bound after the event or voided since. Other codes of the roll are of no batch.
func testLineagePackets(t *testing.T, s *store.Store) {
	seed(t, s)
	w := newUnitWorld(t, s)
	w.Bindings, w.PublicURL, w.Scheme = s, "https://farm.example.com", label.NewSchemes("https://farm.example.com").Packets()
	check(t, s.AddHolding(t.Context(), resolver.Holding{GTIN: "06901234567892", Tenant: "tea", Product: "liubao", Account: "admin", Set: noon}))
	moveTold(t, s, chain.Movement{ID: "m1", Kind: chain.Harvest, Outputs: []chain.Output{out("a", kg(100)), out("b", kg(100))}}, "garden-1")
	plain := w.issued(t, 6)
	linked := newRoll(4)
	linked.GTIN = "06901234567892"
	linked, err := w.Issue(t.Context(), linked)
	check(t, err)
	bind := func(r unit.Roll, batch string, first, last int) {
		t.Helper()
		st := newStep(r, unit.Bind, first, last)
		st.Batch = batch
		w.step(t, st)
	}
	w.step(t, newStep(plain, unit.Print, 1, 6))
	w.step(t, newStep(linked, unit.Print, 1, 4))
	at, dl := w.labels(plain), w.labels(linked)
	capture(t, s, "oysters",
		made("shop", []string{at[2].URL}, []string{"https://oysters.example/shelf"}),
		made("voided", []string{at[3].URL}, []string{"https://oysters.example/bin"}),
		made("other", []string{at[4].URL}, []string{"https://oysters.example/4"}),
		made("loose", []string{at[6].URL}, []string{"https://oysters.example/6"}),
		made("link", []string{"https://shop.example/01/06901234567892/10/any/21/" + dl[1].Code}, []string{"https://oysters.example/7"}),
		made("loose-link", []string{dl[4].URL}, []string{"https://oysters.example/8"}),
		made("on", []string{"https://oysters.example/shelf"}, []string{"https://oysters.example/soup"}),
	)
	bind(plain, "a", 1, 3)
	bind(plain, "b", 4, 5)
	bind(linked, "a", 1, 2)
	w.step(t, newStep(plain, unit.Void, 3, 3))
	f := &lineage.Finder{Source: s, Packets: w.Service, PublicURL: w.PublicURL}
	// As deep as a capture may be; nobody makes the lines of others unreadable by it.
	deep := strings.Repeat(`[`, epcis.MaxDepth-4) + strings.Repeat(`]`, epcis.MaxDepth-4)
	capture(t, s, "oysters", strings.Replace(made("deep", []string{at[5].URL}, []string{"https://oysters.example/9"}), `"eventTime"`, `"https://oysters.example/deep": `+deep+`, "eventTime"`, 1))
	for batch, want := range map[string]string{"a": "link on shop voided", "b": "deep other"} {
		found, more, err := f.Follow(t.Context(), []string{batch}, chain.Down, "")
		check(t, err)
		var ids []string
		for _, l := range found {
			ids = append(ids, strings.TrimPrefix(l.Event, "urn:uuid:"))
			if l.Depth == 1 && !slices.Equal(l.Batches, []string{batch}) {
				t.Errorf("%s is of %v, want %s", l.Event, l.Batches, batch)
			}
		}
		slices.Sort(ids)
		if got := strings.Join(ids, " "); got != want || more {
			t.Errorf("of %s: %s (more: %v), want %s", batch, got, more, want)
		}
	}
}

// Random events are followed as a search that knows nothing of databases follows them.
func testLineageNaive(t *testing.T, s *store.Store) {
	seed(t, s)
	moveTold(t, s, chain.Movement{ID: "m1", Kind: chain.Harvest, Outputs: []chain.Output{out("a", kg(100))}}, "garden-1")
	r := rand.New(rand.NewPCG(7, 7))
	name := func() string {
		if n := r.IntN(40); n > 0 {
			return fmt.Sprintf("https://oysters.example/%d", n)
		}
		return "https://farm.example.com/epcis/id/batch/a"
	}
	type event struct{ of, into []string }
	events := map[string]event{}
	var texts []string
	for i := range 60 {
		id := fmt.Sprintf("e%02d", i)
		e := event{}
		for range 1 + r.IntN(2) {
			e.of, e.into = append(e.of, name()), append(e.into, name())
		}
		events[id], texts = e, append(texts, made(id, e.of, e.into))
	}
	capture(t, s, "oysters", texts...)
	for _, dir := range []chain.Direction{chain.Down, chain.Up} {
		reached, found := map[string]bool{"https://farm.example.com/epcis/id/batch/a": true}, map[string]bool{}
		for grew := true; grew; {
			grew = false
			for id, e := range events {
				from, to := e.of, e.into
				if dir == chain.Up {
					from, to = to, from
				}
				if found[id] || !slices.ContainsFunc(from, func(n string) bool { return reached[n] }) {
					continue
				}
				grew, found[id] = true, true
				for _, n := range to {
					reached[n] = true
				}
			}
		}
		var want []string
		for id := range found {
			want = append(want, id)
		}
		slices.Sort(want)
		if got := links(t, s, dir, "", "a"); got != strings.Join(want, " ") {
			t.Errorf("%s: %s, want %v", dir, got, want)
		}
		if len(want) < 5 {
			t.Errorf("%s: only %v are to be found; draw others", dir, want)
		}
	}
}

var _ lineage.Source = (*store.Store)(nil)
