package store_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"tianhai/cmd/internal/store"
	"tianhai/farm"
	"tianhai/trace"
	"tianhai/trace/catalog"
	"tianhai/trace/cert"
	"tianhai/trace/chain"
	"tianhai/trace/evidence"
	"tianhai/trace/gate"
	"tianhai/trace/input"
	"tianhai/trace/ledger"
	"tianhai/trace/recall"
)

// A world is where lives are lived: the services as they are wired, one database and
// one log, and what must stand in the log in the end.
type world struct {
	*store.Store
	tracer  *trace.Service
	certs   *trace.Certifier
	recalls *recall.Service
	clock   *time.Time        // of the life that is lived
	met     map[string]int    // how often what came to pass
	records map[string]int    // that there must be, by kind and subject
	says    map[string]string // what one of them must say
}

func newWorld(t *testing.T, s *store.Store, added func()) *world {
	seed(t, s)
	tea := liubao
	tea.Species = "tea" // of which the catalog demands records
	check(t, s.PutProduct(t.Context(), tea))
	check(t, s.PutInput(t.Context(), newInput(7), "admin"))
	books, err := catalog.Open(t.Context(), s, nil)
	check(t, err)
	w := &world{Store: s, clock: new(noon), met: map[string]int{}, records: map[string]int{}, says: map[string]string{}}
	now, codes := func() time.Time { return *w.clock }, 0
	w.tracer = &trace.Service{
		Store: s, Journal: s, Evidence: silent{}, Catalogs: books, Chain: s, Licences: s, Inputs: s, Bans: input.Banned(), OwnBans: s.OwnBans, Stock: s,
		NewCode: func() (string, error) { codes++; return fmt.Sprintf("CODE%06d", codes), nil },
		Now:     now, Added: added, Overrides: s, Harvests: s, Shipments: s, Series: &evidence.Shelf{Dir: t.TempDir()},
	}
	w.certs = &trace.Certifier{Service: w.tracer, Book: s}
	w.recalls = &recall.Service{Book: s, Past: s.Past(), Farms: s, NewRecord: w.tracer.NewRecord, Added: added, Now: now}
	return w
}

// A life is the whole history of one garden and of a raft that it trades with, and the
// model that it is held against: of inputs, intervals and leave a naive farm, of goods
// a tale, and of codes, certificates and recalls what stands here.
type life struct {
	*tale
	*world
	farm  *naiveFarm
	codes map[string]bool
	inForce,
	issued map[string]string // certificates: the batch's, and whose each is
	void   map[string]bool         // certificates and reports
	tests  map[string][]*naiveTest // of batches, oldest first
	bought map[string]bool         // sales to buyers outside, and whether the buyer was erased
	roads  []*naiveRoad
	recall *naiveRecall
}

// A naiveTest is a laboratory's report.
type naiveTest struct {
	id    string
	fails bool
	gone  bool // void or corrected
}

// A naiveRoad is a shipment.
type naiveRoad struct {
	trace.Shipment
	there bool
}

// A naiveRecall knows what it is of, and goes through everything to find it.
type naiveRecall struct {
	id, tenant    string
	batches, lots map[string]bool
	days          map[string]bool // site and day of a harvest
	cleared       map[string]bool // batches
	steps         int
	holdings      []recall.Standing
	ended         map[string]int64 // destroyed or released, by holding
	released      map[string]int64
	closed        bool
}

func newLife(t *testing.T, w *world, i int) *life {
	r := rand.New(rand.NewPCG(uint64(i), 4))
	l := &life{
		tale: newTale(t, w.Store, r), world: w, codes: map[string]bool{},
		inForce: map[string]string{}, issued: map[string]string{}, void: map[string]bool{}, tests: map[string][]*naiveTest{}, bought: map[string]bool{},
	}
	l.service, l.counts, l.barred = w.tracer, w.met, l.bars
	l.sites = map[string]string{"tea": fmt.Sprint("life-", i), "oysters": fmt.Sprint("trade-", i)}
	w.clock = &l.now
	check(t, w.CreateSite(t.Context(), farm.Site{ID: l.sites["oysters"], Tenant: "oysters", Region: "450702", Kind: farm.Raft, Name: farm.Text{Zh: "排"}}))
	l.farm = newNaiveFarm(t, w.Store, w.tracer, r, l.sites["tea"], w.clock, w.met)
	if r.IntN(3) > 0 { // a farm that writes everything down
		for _, kind := range []string{"plant", "process", "pack"} {
			l.work(kind)
		}
	}
	return l
}

func (l *life) step() {
	l.now = l.now.Add(time.Duration(l.rnd.IntN(60)) * time.Hour)
	switch l.rnd.IntN(18) {
	case 0, 1, 2, 3, 4:
		l.farm.step()
	case 5, 6, 7, 8, 9:
		l.tale.step()
	case 10:
		l.open()
	case 11, 12:
		l.close()
	case 13, 14:
		l.certify()
	case 15:
		l.examine()
	case 16:
		if l.rnd.IntN(3) == 0 {
			l.erase()
		} else {
			l.ship()
		}
	default:
		l.callBack()
	}
}

// work records what the catalog demands before a batch gets its code.
func (l *life) work(kind string) {
	items := map[string][]trace.Item{
		"plant":   {{Key: "variety", Value: "六堡"}, {Key: "planting_year", Value: "—"}, {Key: "seed_source", Value: "—"}, {Key: "area", Value: "—"}},
		"process": {{Key: "step", Value: "fixing"}, {Key: "method", Value: "—"}},
		"pack":    {{Key: "quantity", Value: "10", Unit: "kg"}, {Key: "additive", Value: "—"}},
	}
	l.farm.add(trace.Operation{ID: newULID(), Tenant: "tea", Site: l.farm.site, Kind: kind, At: *l.farm.now, Person: "wei", Items: items[kind]}, true, kind)
}

// growth returns where and while a batch grew, or arrived; false for what was made.
func (l *life) growth(batch string) (site string, began, harvest time.Time, ok bool) {
	for _, m := range l.moved {
		for _, o := range m.Outputs {
			switch {
			case o.Batch != batch:
			case m.Kind == chain.Harvest:
				return m.Site, o.Began, o.Harvest, true
			case m.Kind == chain.Receive:
				return m.Site, m.At, m.At, true
			}
		}
	}
	return "", time.Time{}, time.Time{}, false
}

// roots returns the harvests that a batch was made of.
func (l *life) roots(batch string) (all []string) {
	for b := range naive(batch, l.from) {
		if len(l.from[b]) == 0 {
			all = append(all, b)
		}
	}
	return all
}

// early reports whether anything that a batch was made of was harvested inside an
// interval, as far as it is known by now.
func (l *life) early(batch string) bool {
	return slices.ContainsFunc(l.roots(batch), func(b string) bool {
		site, _, harvest, _ := l.growth(b)
		return site == l.farm.site && len(l.farm.barring(harvest)) > 0
	})
}

// recalled reports whether a batch is in the recall: as far as uses, movements and
// batches are known by now.
func (l *life) recalled(r *naiveRecall, batch string) bool {
	if r == nil {
		return false
	}
	return l.reached(batch, func(b string) bool { return l.harmed(r, b) }, func(b string) bool { return r.cleared[b] })
}

// reached reports whether harm comes to a batch from any that it was made of, past none
// that is out of it.
func (l *life) reached(batch string, harmed, out func(string) bool) bool {
	return !out(batch) && (harmed(batch) || slices.ContainsFunc(l.from[batch], func(b string) bool { return l.reached(b, harmed, out) }))
}

// harmed reports whether a recall is of a batch itself.
func (l *life) harmed(r *naiveRecall, b string) bool {
	site, began, harvest, grew := l.growth(b)
	return r.batches[b] || grew && r.days[harvestDay(site, harvest)] || grew && site == l.farm.site && slices.ContainsFunc(l.farm.uses, func(u naiveUse) bool {
		return r.lots[u.lot] && beijingDay(began) <= u.day && u.day <= beijingDay(harvest)
	})
}

// stuck reports whether a batch may not be moved because of the recall: after its end
// what was released is free, and what is made of that.
func (l *life) stuck(r *naiveRecall, batch string) bool {
	if in := l.recalled(r, batch); !in || !r.closed {
		return in
	}
	held := func(b string) (some, free bool) {
		kept := false
		for _, h := range r.holdings {
			if h.Batch == b && !h.Cleared {
				some, kept = true, kept || r.released[h.Key()] != h.Held.N
				free = free || r.released[h.Key()] > 0
			}
		}
		return some, free && !kept
	}
	return l.reached(batch,
		func(b string) bool { some, free := held(b); return l.harmed(r, b) || some && !free },
		func(b string) bool { _, free := held(b); return r.cleared[b] || free })
}

func harvestDay(site string, at time.Time) string { return fmt.Sprint(site, " ", beijingDay(at)) }

// bars says what gates, recalls and codes have against a movement, in the order in
// which they are asked. What goes through uses up the leave that it needs.
func (l *life) bars(m chain.Movement, wrong error) error {
	if as[*chain.BalanceError](wrong) != nil || as[*trace.FieldError](wrong) != nil || as[*chain.FieldError](wrong) != nil {
		return wrong
	}
	inputs, bears := m.Inputs, false
	for _, old := range l.moved {
		if old.ID == m.Handover {
			inputs = old.Inputs
		}
		bears = bears || old.ID == m.Corrects && slices.ContainsFunc(old.Outputs, func(o chain.Output) bool { return l.codes[o.Batch] })
	}
	if m.Kind == chain.Harvest && m.Site == l.farm.site {
		return l.barsHarvest(m)
	}
	if m.Sale() && slices.ContainsFunc(inputs, func(in chain.Input) bool { return l.early(in.Batch) }) {
		return &gate.Refused{}
	}
	free := m.Kind == chain.Loss || m.Kind == chain.Decline || m.Kind == chain.Receive && l.recall != nil && l.recall.tenant == m.Tenant
	if !free && slices.ContainsFunc(inputs, func(in chain.Input) bool { return l.stuck(l.recall, in.Batch) }) {
		return &recall.Refused{}
	}
	if bears {
		return &chain.DependentError{}
	}
	return wrong
}

func (l *life) barsHarvest(m chain.Movement) error {
	used, rest := l.farm.byLeave(trace.Opening, l.farm.barring(m.Outputs[0].Harvest))
	switch {
	case len(rest) > 0:
		return &gate.Refused{}
	case len(used) > 0 && len(m.Outputs) > 1:
		return &trace.FieldError{} // leave is for one batch
	}
	l.use(used, m.Outputs[0].Batch)
	return nil
}

func (l *life) use(leave []*naiveLeave, batch string) {
	for _, by := range leave {
		by.by[trace.Opening] = batch
		l.counts["batch by leave"]++
	}
}

// expect holds whether something went through, and how it was refused, against the
// model.
func (l *life) expect(what string, err, wrong error) bool {
	l.t.Helper()
	if wrong == nil && err == nil {
		l.counts[what]++
		return true
	}
	if wrong == nil || err == nil || !errors.Is(err, wrong) && fmt.Sprintf("%T", innermost(err)) != fmt.Sprintf("%T", wrong) {
		l.t.Fatalf("%s: %v, want %T", what, err, wrong) // a model's error is empty
	}
	l.counts["refused "+what]++
	return false
}

// innermost is the error that callers branch on.
func innermost(err error) error {
	if e := errors.Join(as[*trace.IncompleteError](err), as[*recall.AmountError](err), as[*cert.FailedError](err)); e != nil {
		return e.(interface{ Unwrap() []error }).Unwrap()[0]
	}
	return cause(err)
}

// open opens a batch: the harvest that makes it is told with it.
func (l *life) open() {
	n := 1 + l.rnd.Int64N(1e6)
	b := trace.Batch{
		ID: newULID(), Tenant: "tea", Site: l.farm.site, Product: "liubao", Lot: "x", Quantity: float64(n), Unit: "g",
		Began: l.now.AddDate(0, -2, 0), Harvest: l.now.Add(-time.Duration(l.rnd.IntN(72)) * time.Hour),
	}
	used, rest := l.farm.byLeave(trace.Opening, l.farm.barring(b.Harvest))
	for _, by := range used { // it allows nothing that was done before
		if b.Harvest.Before(by.from.Add(-5 * time.Minute)) {
			return
		}
	}
	var wrong error
	if len(rest) > 0 {
		wrong = &gate.Refused{}
	}
	_, err := l.service.OpenBatch(l.t.Context(), b, "wei")
	if !l.expect("open", err, wrong) {
		_, err := l.Batch(l.t.Context(), b.ID)
		wantErr(l.t, "what was refused", err, farm.ErrNotFound)
		return
	}
	l.use(used, b.ID)
	goods, err := l.Goods(l.t.Context(), []string{b.ID})
	check(l.t, err)
	m, err := l.Movement(l.t.Context(), goods[0].MadeBy)
	check(l.t, err)
	if out := m.Outputs[0]; m.Kind != chain.Harvest || m.Site != b.Site || m.Person != "wei" || len(m.Outputs) != 1 || out.Batch != b.ID || out.Amount != (chain.Amount{N: n * 1e3, Unit: "g"}) {
		l.t.Fatalf("batch %+v was made by %+v", b, m)
	}
	l.movements = append(l.movements, m.ID)
	l.done(m)
}

// any returns a batch that was not taken back; "" where there is none.
func (l *life) any() string {
	held := slices.DeleteFunc(slices.Clone(l.batches), func(b string) bool { return l.owner[b] == "" })
	if len(held) == 0 {
		return ""
	}
	return held[l.rnd.IntN(len(held))]
}

// complete reports whether everything was recorded that the catalog demands of a
// harvest. Who planted long ago need not say so again.
func (l *life) complete(root string) bool {
	_, began, _, _ := l.growth(root)
	since := func(kind string) bool { at, done := l.farm.last[kind]; return done && !at.Before(began) }
	_, planted := l.farm.last["plant"]
	return l.owner[root] == "tea" && planted && since("harvest") && since("process") && since("pack")
}

// close asks for a batch's code.
func (l *life) close() {
	b := l.any()
	if b == "" {
		return
	}
	lacks := slices.ContainsFunc(l.roots(b), func(root string) bool { return l.owner[root] == l.owner[b] && !l.codes[root] && !l.complete(root) })
	var wrong error
	switch {
	case l.codes[b]:
		wrong = farm.ErrConflict
	case l.early(b):
		wrong = &gate.Refused{}
	case lacks:
		wrong = &trace.IncompleteError{}
	}
	got, err := l.service.CloseBatch(l.t.Context(), b)
	if l.expect("close", err, wrong) {
		l.codes[b] = true
		l.says[trace.BatchRecord+" "+b] = got.Code
	}
}

// certify issues a certificate, or takes one back.
func (l *life) certify() {
	id := l.any()
	if id == "" {
		return
	}
	if has := l.inForce[id]; has != "" && l.rnd.IntN(3) == 0 {
		check(l.t, l.certs.VoidCertificate(l.t.Context(), id, has, "写错了"))
		l.counts["void certificate"]++
		l.void[has], l.inForce[id] = true, ""
		return
	}
	b, err := l.Batch(l.t.Context(), id)
	check(l.t, err)
	var wrong error
	switch {
	case !l.codes[id]:
		wrong = farm.ErrConflict
	case l.failed(id):
		wrong = &cert.FailedError{}
	case l.early(id):
		wrong = &gate.Refused{}
	case l.stuck(l.recall, id):
		wrong = &recall.Refused{}
	case l.inForce[id] != "":
		wrong = farm.ErrConflict
	}
	got, err := l.certs.Issue(l.t.Context(), b, newIssue())
	if l.expect("certificate", err, wrong) {
		l.inForce[id], l.issued[got.ID] = got.ID, id
	}
}

// failed reports whether a test of a batch failed that holds, or of what it was made of
// where it passed none itself.
func (l *life) failed(batch string) bool {
	passed := false
	for _, r := range l.tests[batch] {
		if !r.gone && r.fails {
			return true
		}
		passed = passed || !r.gone
	}
	return !passed && slices.ContainsFunc(l.from[batch], l.failed)
}

// examine has a batch tested, says a report better, or takes one back.
func (l *life) examine() {
	id := l.any()
	if id == "" {
		return
	}
	b, err := l.Batch(l.t.Context(), id)
	check(l.t, err)
	l.now = l.now.Add(time.Minute) // of one instant, either report may be the first
	var old *naiveTest
	if all := l.tests[id]; len(all) > 0 {
		old = all[l.rnd.IntN(len(all))]
	}
	var wrong error
	if old != nil && old.gone {
		wrong = farm.ErrConflict
	}
	if old != nil && l.rnd.IntN(3) == 0 {
		if l.expect("report void", l.certs.VoidReport(l.t.Context(), id, old.id, "样品弄错"), wrong) {
			old.gone, l.void[old.id] = true, true
		}
		return
	}
	r, test := newReport(b), &naiveTest{fails: l.rnd.IntN(3) == 0}
	if test.id = r.ID; test.fails {
		r.Items[0].Result = "0.9"
	}
	if old != nil && l.rnd.IntN(2) == 0 {
		r.Corrects = old.id
	} else {
		old, wrong = nil, nil
	}
	if _, err := l.certs.AddReport(l.t.Context(), r); !l.expect("test", err, wrong) {
		return
	}
	if old != nil {
		old.gone = true
	}
	l.tests[id] = append(l.tests[id], test)
}

// erase has a buyer erased whom a sale names, once.
func (l *life) erase() {
	var sold []string
	for _, m := range l.moved {
		if m.Buyer != nil {
			sold = append(sold, m.ID)
		}
	}
	if len(sold) == 0 {
		return
	}
	id := sold[l.rnd.IntN(len(sold))]
	erased, err := l.service.EraseBuyer(l.t.Context(), id, "wei")
	check(l.t, err)
	if erased == l.bought[id] {
		l.t.Fatalf("the buyer of %s was erased: %v, and before %v", id, erased, l.bought[id])
	}
	if m, err := l.Movement(l.t.Context(), id); err != nil || m.Buyer != nil {
		l.t.Fatalf("the buyer of %s is known still: %+v, %v", id, m.Buyer, err)
	}
	if l.bought[id] = true; erased {
		l.counts["buyer erased"]++
		l.records[trace.ErasureRecord]++
	}
}

// ship sends a batch on its way, or has one arrive, perhaps again.
func (l *life) ship() {
	if len(l.roads) > 0 && l.rnd.IntN(2) == 0 {
		road := l.roads[l.rnd.IntN(len(l.roads))]
		l.now = l.now.Add(time.Hour)
		var wrong error
		switch {
		case road.there:
			wrong = farm.ErrConflict
		case l.now.Sub(road.Departed) > trace.MaxOnTheWay:
			wrong = &trace.FieldError{}
		}
		if _, err := l.service.Arrive(l.t.Context(), "tea", road.ID, l.now); l.expect("arrival", err, wrong) {
			road.there = true
			l.records[trace.ArrivalRecord+" "+road.ID]++
		}
		return
	}
	b := l.any()
	if b == "" {
		return
	}
	low, high := 0.0, 4.0
	sh := trace.Shipment{
		ID: newULID(), Tenant: "tea", Batches: []string{b}, Origin: "450400", Destination: "450100", Loggers: []string{"leaf-1"},
		Limits: evidence.Limits{Min: &low, Max: &high, Source: "本场"}, Departed: l.now, Account: "wei",
	}
	var wrong error
	if l.owner[b] != "tea" {
		wrong = farm.ErrNotFound
	}
	if _, _, err := l.service.Depart(l.t.Context(), sh); l.expect("departure", err, wrong) {
		l.roads = append(l.roads, &naiveRoad{Shipment: sh})
		l.records[trace.ShipmentRecord+" "+sh.ID]++
	}
}

// callBack opens a recall, or goes on with it.
func (l *life) callBack() {
	switch n := l.rnd.IntN(10); {
	case l.recall == nil:
		l.openRecall()
	case n == 0:
		l.closeRecall()
	case n == 1:
		l.widen()
	case n == 2:
		l.narrow()
	default:
		l.report()
	}
}

// stepped takes over what a step has made of the recall: what has come into it has no
// certificates any more.
func (l *life) stepped(got recall.Recall) {
	r := l.recall
	r.steps++
	in := map[string]bool{}
	for _, h := range r.holdings {
		in[h.Key()] = !h.Cleared
	}
	for _, h := range got.Holdings {
		if has := l.inForce[h.Batch]; has != "" && !h.Cleared && !in[h.Key()] {
			l.counts["certificate recalled"]++
			l.void[has], l.inForce[h.Batch] = true, ""
		}
	}
	r.holdings = got.Holdings
}

// widen takes a batch in that was not.
func (l *life) widen() {
	b := l.any()
	if b == "" || l.recalled(l.recall, b) {
		return
	}
	var wrong error
	if l.recall.closed {
		wrong = recall.ErrClosed
	}
	got, err := l.recalls.Widen(l.t.Context(), officer, l.recall.id, newULID(), recall.Widening{Batches: []string{b}}, "又有投诉")
	if !l.expect("recall widened", err, wrong) {
		return
	}
	l.recall.batches[b] = true
	delete(l.recall.cleared, b)
	l.stepped(got)
	for _, b := range l.batches {
		if l.owner[b] != "" && l.recalled(l.recall, b) && !slices.ContainsFunc(got.Holdings, func(h recall.Standing) bool { return h.Batch == b && !h.Cleared }) {
			l.t.Fatalf("%s is recalled, and not in what the widened recall holds", b)
		}
	}
}

// narrow clears a batch, and with it what hangs on it alone.
func (l *life) narrow() {
	r := l.recall
	h := r.holdings[l.rnd.IntN(len(r.holdings))]
	var wrong error
	switch {
	case r.closed:
		wrong = recall.ErrClosed
	case h.Cleared:
		wrong = farm.ErrNotFound
	}
	got, err := l.recalls.Narrow(l.t.Context(), officer, r.id, newULID(), []string{h.Batch}, "检验合格")
	if !l.expect("recall narrowed", err, wrong) {
		return
	}
	r.cleared[h.Batch] = true
	l.stepped(got)
	for _, h := range got.Holdings {
		if l.owner[h.Batch] != "" && !h.Cleared && !l.recalled(r, h.Batch) {
			l.t.Fatalf("%s is cleared, and in what the narrowed recall holds", h.Batch)
		}
	}
}

func (l *life) openRecall() {
	r := &naiveRecall{id: newULID(), tenant: "tea", batches: map[string]bool{}, lots: map[string]bool{}, days: map[string]bool{}, cleared: map[string]bool{}, ended: map[string]int64{}, released: map[string]int64{}}
	start := recall.Start{Kind: recall.FromLot, ID: l.farm.lots[l.rnd.IntN(len(l.farm.lots))]}
	if b := l.any(); b != "" && l.rnd.IntN(2) == 0 {
		start = recall.Start{Kind: recall.FromBatch, ID: b}
		r.tenant = l.owner[b]
		l.share(r, b)
	} else {
		r.lots[start.ID] = true
	}
	want := map[string]bool{}
	for _, b := range l.batches {
		if l.owner[b] != "" && l.recalled(r, b) {
			want[b] = true
		}
	}
	var wrong error
	if len(want) == 0 {
		wrong = recall.ErrEmpty
	}
	got, err := l.recalls.Open(l.t.Context(), officer, r.id, opened(start))
	if !l.expect("recall", err, wrong) {
		return
	}
	in := map[string]bool{}
	for _, h := range got.Holdings {
		in[h.Batch] = true
	}
	if !maps.Equal(in, want) {
		l.t.Fatalf("recalled are %v, want %v", in, want)
	}
	l.recall = r
	l.stepped(got)
}

// share fills in what others share with a batch.
func (l *life) share(r *naiveRecall, batch string) {
	for b := range naive(batch, l.from) {
		r.batches[b] = true
	}
	for _, b := range l.roots(batch) {
		site, began, harvest, _ := l.growth(b)
		r.days[harvestDay(site, harvest)] = true
		for _, u := range l.farm.uses {
			if u.lot != "" && site == l.farm.site && beijingDay(began) <= u.day && u.day <= beijingDay(harvest) {
				r.lots[u.lot] = true
			}
		}
	}
}

// report says that some of a holding was destroyed or released, or more than there is.
func (l *life) report() {
	r := l.recall
	h := r.holdings[l.rnd.IntN(len(r.holdings))]
	rest := h.Held.N - r.ended[h.Key()]
	n, wrong := rest+1, error(&recall.AmountError{})
	if rest > 0 && l.rnd.IntN(3) > 0 {
		n, wrong = rest, nil
		if l.rnd.IntN(3) == 0 {
			n = 1 + l.rnd.Int64N(rest)
		}
	}
	if r.closed {
		wrong = recall.ErrClosed
	}
	to := []recall.State{recall.Destroyed, recall.Released, recall.Released}[l.rnd.IntN(3)]
	got, err := l.recalls.Report(l.t.Context(), officer, r.id, newULID(), recall.Progress{Batch: h.Batch, Sale: h.Sale, To: to, Amount: chain.Amount{N: n, Unit: h.Held.Unit}})
	if !l.expect("report", err, wrong) {
		return
	}
	if r.ended[h.Key()] += n; to == recall.Released {
		r.released[h.Key()] += n
	}
	l.stepped(got)
}

func (l *life) closeRecall() {
	r, reason := l.recall, []string{"", "已散失"}[l.rnd.IntN(2)]
	missing := slices.ContainsFunc(r.holdings, func(h recall.Standing) bool { return !h.Cleared && h.Held.N > r.ended[h.Key()] })
	if !missing { // what came to light meanwhile may be
		reason = "已散失"
	}
	var wrong error
	switch {
	case r.closed:
		wrong = recall.ErrClosed
	case reason == "":
		wrong = recall.ErrUnaccounted
	}
	got, err := l.recalls.Close(l.t.Context(), officer, r.id, newULID(), reason)
	if l.expect("recall closed", err, wrong) {
		r.closed = true
		l.stepped(got)
	}
}

// audit holds a life that has ended against its model, and says which records there
// must be of it.
func (l *life) audit() {
	l.farm.audit()
	l.auditMass()
	l.auditIntervals()
	l.auditKin()
	l.auditPapers()
	for _, id := range l.movements {
		l.records[trace.MovementRecord+" "+id]++
	}
	for _, id := range l.farm.lots {
		l.records[trace.LotRecord+" "+id]++
	}
	for id := range l.codes {
		l.records[trace.BatchRecord+" "+id]++
	}
}

// auditMass adds up what the movements say: nothing leaves a batch that did not come
// in, and each movement that makes something balances.
func (l *life) auditMass() {
	moved, err := l.Movements(l.t.Context(), store.MovementFilter{Batches: l.batches, Limit: store.MaxMovements})
	check(l.t, err)
	sum := map[string]int64{}
	for _, m := range moved {
		if m.VoidedBy != "" {
			continue
		}
		balance := int64(0)
		for _, in := range m.Inputs {
			balance += in.Amount.N
			if m.Draws() {
				sum[in.Batch] -= in.Amount.N
			}
		}
		for _, o := range m.Outputs {
			sum[o.Batch] += o.Amount.N
			if o.From == nil {
				o.From = &o.Amount
			}
			balance -= o.From.N
		}
		for _, lost := range m.Losses {
			balance -= lost.Amount.N
		}
		if len(m.Outputs) > 0 && m.Kind != chain.Harvest && balance != 0 {
			l.t.Errorf("%s %s does not balance by %d", m.Kind, m.ID, balance)
		}
	}
	goods, err := l.Goods(l.t.Context(), l.batches)
	check(l.t, err)
	if len(goods) != len(l.batches) {
		l.t.Errorf("%d batches of %d", len(goods), len(l.batches))
	}
	for _, g := range goods {
		if g.Left.N != sum[g.Batch] || g.Left.N != l.left[g.Batch]*1e3 || g.Left.N < 0 || g.Left.N > g.Made.N {
			l.t.Errorf("%s: %s of %s is left; the movements say %d, the model %d", g.Batch, g.Left, g.Made, sum[g.Batch], l.left[g.Batch])
		}
		if g.MadeBy == "" || g.Void == (l.owner[g.Batch] != "") || (g.Code != "") != l.codes[g.Batch] {
			l.t.Errorf("%s is an orphan, or taken back, or has a code it should not have: %+v", g.Batch, g)
		}
	}
}

// auditIntervals holds every harvest against every use that bars it: an officer
// allowed it by name, or the use became known later, and a record says so.
func (l *life) auditIntervals() {
	ctx, named := l.t.Context(), map[string]bool{}
	all, err := l.OverridesOf(ctx, l.farm.site)
	check(l.t, err)
	for _, o := range all {
		l.records[trace.AskedRecord+" "+o.ID]++
		l.records[trace.OverrideRecord+" "+o.ID]++
		for _, r := range o.Refusals {
			for _, u := range o.Uses {
				named[u.Subject+" "+r.Operation] = true
			}
			l.says[trace.AskedRecord+" "+o.ID] = r.Operation
		}
		for _, u := range o.Uses {
			if u.Act == gate.Harvest {
				l.says[trace.OperationRecord+" "+u.Subject] = o.ID
			}
		}
	}
	ops, err := l.Operations(ctx, l.farm.site, time.Unix(0, 0), noon.AddDate(1, 0, 0))
	check(l.t, err)
	harvests := map[string]time.Time{}
	for _, op := range ops {
		l.records[trace.OperationRecord+" "+op.ID]++
		late, err := l.LateOf(ctx, op.ID)
		check(l.t, err)
		corrected := slices.ContainsFunc(ops, func(o trace.Operation) bool { return o.Corrects == op.ID })
		for _, u := range late {
			named[u.Batch+" "+op.ID] = true
			l.records[trace.LateRecord+" "+u.Batch]++
			if corrected {
				l.records[trace.LateRecord+" "+u.Batch]++
			}
		}
		if op.Kind == "harvest" {
			harvests[op.ID] = op.At
			for _, id := range l.farm.barring(op.At) { // what was entered later
				named[op.ID+" "+id] = named[op.ID+" "+id] || id > op.ID
			}
		}
	}
	for b := range l.owner {
		if site, _, at, grew := l.growth(b); grew && site == l.farm.site && len(l.from[b]) == 0 {
			harvests[b] = at
		}
	}
	for id, at := range harvests {
		for _, use := range l.farm.barring(at) {
			l.counts["inside by name"]++
			if !named[id+" "+use] {
				l.t.Errorf("harvest %s at %v is inside the interval of %s, and nothing says so", id, at, use)
			}
		}
	}
}

// auditKin follows every batch to its harvests.
func (l *life) auditKin() {
	for b := range l.owner {
		g, err := l.Genealogy(l.t.Context(), []string{b}, chain.Up)
		check(l.t, err)
		var got []string
		for _, n := range g.Roots() {
			got = append(got, n.Batch)
			if _, _, _, grew := l.growth(n.Batch); !grew {
				l.t.Errorf("%s comes from %s, which nobody harvested", b, n.Batch)
			}
		}
		want := l.roots(b)
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			l.t.Errorf("%s comes from %v, want %v", b, got, want)
		}
	}
}

// auditPapers holds certificates and recalls against the model.
func (l *life) auditPapers() {
	for b := range l.codes {
		d, err := l.certs.Dossier(l.t.Context(), b)
		check(l.t, err)
		for _, c := range d.Certificates {
			l.records[trace.CertificateRecord+" "+c.ID]++
			if c.Void != nil {
				l.records[trace.VoidRecord+" "+c.ID]++
			}
			if l.issued[c.ID] != b || (c.Void != nil) != l.void[c.ID] {
				l.t.Errorf("certificate %s of %s: %+v", c.ID, b, c)
			}
			delete(l.issued, c.ID)
		}
	}
	for b, tests := range l.tests {
		d, err := l.certs.Dossier(l.t.Context(), b)
		check(l.t, err)
		if len(d.Reports) != len(tests) {
			l.t.Errorf("%d reports of %s; want %d", len(d.Reports), b, len(tests))
			continue
		}
		for i, test := range tests {
			got := d.Reports[i]
			l.records[trace.ReportRecord+" "+test.id]++
			if l.void[test.id] {
				l.records[trace.VoidRecord+" "+test.id]++
			}
			if got.ID != test.id || got.InForce() == test.gone || (got.Verdict == cert.Fail) != test.fails {
				l.t.Errorf("report %d of %s: %+v, want %+v", i, b, got, *test)
			}
		}
	}
	if len(l.issued) > 0 {
		l.t.Errorf("certificates are lost: %v", l.issued)
	}
	for _, b := range l.batches {
		if l.owner[b] != "" {
			ids, err := l.RecallsOf(l.t.Context(), b)
			if in := l.recalled(l.recall, b); err != nil || in != (len(ids) > 0) {
				l.t.Errorf("%s is recalled by %v, %v; the model says %v", b, ids, err, in)
			}
		}
	}
	if l.recall != nil {
		steps, err := l.RecallSteps(l.t.Context(), l.recall.id)
		if err != nil || len(steps) != l.recall.steps {
			l.t.Errorf("%d steps of the recall, %v; want %d", len(steps), err, l.recall.steps)
		}
		l.records[recall.RecordKind+" "+l.recall.id] += len(steps)
	}
}

// testLives lives so many lives, with the sealer at work, and proves every record in
// the end. The first says which ones: a life is always the same.
func testLives(t *testing.T, s *store.Store, first, lives int) map[string]int {
	dir := t.TempDir()
	book, err := ledger.Open(t.Context(), ledger.Options{Dir: filepath.Join(dir, "ledger"), CheckpointInterval: 100 * time.Millisecond, Keeper: dyingStore{Store: s}})
	check(t, err)
	sealer := trace.NewSealer(s, book, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- sealer.Run(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		if err := errors.Join(<-done, book.Close(context.WithoutCancel(ctx))); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	w := newWorld(t, s, sealer.Wake)
	for i := first; i < first+lives && !t.Failed(); i++ {
		live(t, w, i)
	}
	waitUntil(t, func() bool { n, err := s.UnsealedCount(t.Context()); return err == nil && n == 0 })
	stop()
	w.prove(t, dir, book.VerifierKey())
	return w.met
}

// live lives one life. Most are short and each twelfth is long.
func live(t *testing.T, w *world, i int) {
	ended := false
	defer func() {
		if !ended || t.Failed() {
			t.Logf("it was life %d", i)
		}
	}()
	l, steps := newLife(t, w, i), 6
	if i%12 == 0 {
		steps = 100
	}
	for range steps {
		l.step()
	}
	l.audit()
	ended = true
}

// prove holds every record against its receipt, with nothing but what a stranger is
// given and the log's public key, and against what happened: each thing has its
// records, and each record its thing. The auditor finds nothing else.
func (w *world) prove(t *testing.T, dir, key string) {
	total := int64(0)
	for _, tenant := range []string{"tea", "oysters"} {
		check(t, w.EachRecord(t.Context(), tenant, time.Unix(0, 0), noon.AddDate(1, 0, 0), func(r trace.Record) error {
			of := r.Kind + " " + r.Subject
			if r.Kind == trace.ErasureRecord {
				of = r.Kind // nobody is told its subject
			}
			total++
			w.records[of]--
			if says := w.says[of]; says != "" && !strings.Contains(string(r.Body), says) {
				t.Errorf("the record of %s does not name %s: %s", of, says, r.Body)
			}
			delete(w.says, of)
			raw, err := r.Opening()
			check(t, err)
			given, err := trace.ParseOpening(raw)
			check(t, err)
			proof, err := ledger.Verify(key, r.Receipt)
			if err != nil || string(proof.Leaf) != string(given.Leaf()) || proof.Index != r.Index {
				t.Errorf("the record of %s is not proven: leaf %d, %v", of, proof.Index, err)
			}
			return nil
		}))
	}
	for of, n := range w.records {
		if n != 0 {
			t.Errorf("of %s there are %d records fewer than there must be", of, n)
		}
	}
	a, err := auditor(t, w.Store, dir, "").Run(t.Context(), trace.Audit{})
	check(t, err)
	if a.FaultCount > 0 || a.Waiting > 0 || a.Records != total || a.Leaves != a.Records+a.Repeats {
		t.Errorf("the audit of %d records says %+v", total, a)
	}
	w.met["record"] += int(total)
}

// TestWholeHistories lives two thousand lives of farms that buy, use, correct, take
// back, harvest, process, trade, close, certify and recall, legally and not.
func TestWholeHistories(t *testing.T) {
	const worlds = 4 // side by side: sealing waits for checkpoints
	lives := 500
	if testing.Short() || underRace {
		lives = 50
	}
	var counts [worlds]map[string]int
	t.Run("lives", func(t *testing.T) {
		for n := range worlds {
			t.Run(strconv.Itoa(n), func(t *testing.T) {
				t.Parallel()
				counts[n] = testLives(t, open(t, store.Options{Dir: t.TempDir()}), n*lives, lives)
			})
		}
	})
	all := map[string]int{}
	for _, c := range counts {
		for what, n := range c {
			all[what] += n
		}
	}
	t.Logf("%v", all)
	if lives < 500 {
		return // of so few not each meets with everything
	}
	for _, what := range []string{
		"use", "use refused", "void", "correct", "leave", "harvest refused", "harvest by leave", "batch by leave", "open", "refused open", "inside by name",
		"harvest", "process", "split", "pack", "corrected", "refused split", "refused pack", "merge", "sell", "loss", "receive", "decline", "refused harvest", "refused process", "refused merge", "refused sell", "refused void",
		"close", "refused close", "certificate", "refused certificate", "void certificate", "certificate recalled",
		"recall", "refused recall", "report", "refused report", "recall closed", "refused recall closed", "recall widened", "refused recall widened", "recall narrowed", "refused recall narrowed",
		"test", "refused test", "report void", "refused report void", "buyer erased", "departure", "refused departure", "arrival", "refused arrival",
	} {
		if all[what] < 3 {
			t.Errorf("%s: only %d; the lives are lopsided", what, all[what])
		}
	}
}

// testSomeLives is the little of it that both databases do.
func testSomeLives(t *testing.T, s *store.Store) { testLives(t, s, 0, 20) }
