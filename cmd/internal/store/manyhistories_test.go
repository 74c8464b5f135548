package store_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"tianhai/cmd/internal/store"
	"tianhai/farm"
	"tianhai/trace"
	"tianhai/trace/catalog"
	"tianhai/trace/gate"
	"tianhai/trace/input"
)

// A naive farm counts days by hand and knows what an officer has allowed.
type naiveFarm struct {
	t    *testing.T
	r    *rand.Rand
	s    *store.Store
	svc  *trace.Service
	site string
	now  *time.Time

	uses   []naiveUse
	left   map[string]int // mL, by lot
	lots   []string
	leaves []*naiveLeave // newest first
	ops    int
	last   map[string]time.Time // that an operation of a kind was recorded of
	counts map[string]int
}

type naiveUse struct {
	id, lot string
	at      time.Time
	day     int64
	wait    int64
	ml      int
}

type naiveLeave struct {
	id    string
	uses  []string
	from  time.Time
	until time.Time               // zero where it was declined
	by    map[gate.ActKind]string // what used it, by act
}

func newNaiveFarm(t *testing.T, s *store.Store, svc *trace.Service, r *rand.Rand, site string, now *time.Time, counts map[string]int) *naiveFarm {
	check(t, s.CreateSite(t.Context(), farm.Site{ID: site, Tenant: "tea", Region: "450421", Kind: farm.Garden, Name: farm.Text{Zh: "园"}}))
	f := &naiveFarm{t: t, r: r, s: s, svc: svc, site: site, now: now, left: map[string]int{}, last: map[string]time.Time{}, counts: counts}
	f.buy()
	return f
}

func beijingDay(t time.Time) int64 { return (t.Unix() + 8*3600) / 86400 }

// TestManyHistories drives a thousand farms through random purchases, uses,
// corrections, voids, overrides and harvests, legal and not: no harvest lies inside an
// interval unless an officer's leave that was still good is used up by it, stock is
// never below zero and always what the model says, and every override has its records.
func TestManyHistories(t *testing.T) {
	farms, steps := 1000, 10
	if testing.Short() || underRace {
		farms = 200
	}
	s := open(t, store.Options{Dir: t.TempDir()})
	seed(t, s)
	books, err := catalog.Open(t.Context(), s, nil)
	check(t, err)
	check(t, s.PutInput(t.Context(), newInput(7), "admin"))
	now := noon
	svc := &trace.Service{
		Store: s, Journal: s, Chain: s, Catalogs: books, Licences: s, Inputs: s, Stock: s, Overrides: s, Harvests: s, Bans: input.Banned(), OwnBans: s.OwnBans,
		Now: func() time.Time { return now },
	}
	counts := map[string]int{}
	for i := range farms {
		now = noon
		f := newNaiveFarm(t, s, svc, rand.New(rand.NewPCG(uint64(i), 2026)), fmt.Sprintf("farm-%d", i), &now, counts)
		for range steps {
			now = now.Add(time.Duration(f.r.IntN(60)) * time.Hour)
			f.step()
		}
		f.audit()
	}
	for _, what := range []string{"harvest", "harvest refused", "harvest by leave", "use", "use refused", "void", "correct", "leave"} {
		if counts[what] < farms/100 {
			t.Errorf("%s: only %d; the histories are lopsided: %v", what, counts[what], counts)
		}
	}
}

func (f *naiveFarm) step() {
	switch f.r.IntN(10) {
	case 0:
		f.buy()
	case 1, 2, 3:
		f.use("")
	case 4:
		if len(f.uses) > 0 {
			f.void()
		}
	case 5:
		if len(f.uses) > 0 {
			f.use(f.uses[f.r.IntN(len(f.uses))].id)
		}
	case 6:
		f.ask()
	default:
		f.harvest()
	}
}

func (f *naiveFarm) buy() {
	lot := newLot(ulid.Make().String(), 1)
	lot.Expires = noon.AddDate(9, 0, 0)
	check(f.t, f.svc.Buy(f.t.Context(), []input.Lot{lot}))
	f.lots, f.left[lot.ID] = append(f.lots, lot.ID), 1000
}

// add records an operation, and holds whether it went through against the model.
func (f *naiveFarm) add(op trace.Operation, legal bool, what string) bool {
	f.t.Helper()
	_, _, err := f.svc.AddOperation(f.t.Context(), op)
	if (err == nil) != legal {
		f.t.Fatalf("%s: %s at %v, legal %v: %v", f.site, what, op.At, legal, err)
	}
	if err == nil {
		f.counts[what]++
		f.last[op.Kind] = op.At
		f.ops++
		return true
	}
	f.counts[what+" refused"]++
	var refused *gate.Refused
	var short *input.ShortError
	if !errors.As(err, &refused) && !errors.As(err, &short) {
		f.t.Fatalf("%s: %s: %v", f.site, what, err)
	}
	if _, err := f.s.Operation(f.t.Context(), op.ID); !errors.Is(err, farm.ErrNotFound) {
		f.t.Fatalf("what was refused is there: %v", err)
	}
	return false
}

// use sprays from a lot or from what nobody entered; with an ID it corrects that use.
func (f *naiveFarm) use(corrects string) {
	at := f.now.Add(-time.Duration(f.r.IntN(72)) * time.Hour)
	u := naiveUse{at: at, day: beijingDay(at), wait: int64(f.r.IntN(9))}
	op := sprayFrom("—", f.site, at)
	u.id, op.Corrects = op.ID, corrects
	legal, what := true, "use"
	if corrects != "" {
		what = "correct"
	}
	back := naiveUse{}
	if i := f.find(corrects); i >= 0 {
		back = f.uses[i]
	}
	op.Items[5].Value = strconv.FormatInt(u.wait, 10)
	op.Items = op.Items[:7]
	if f.r.IntN(3) > 0 {
		u.lot, u.ml, u.wait = f.lots[f.r.IntN(len(f.lots))], 1+f.r.IntN(700), 7
		op.Items[6].Value = u.lot
		op.Items = append(op.Items, trace.Item{Key: "amount", Value: strconv.Itoa(u.ml), Unit: "mL"})
		has := f.left[u.lot]
		if back.lot == u.lot {
			has += back.ml
		}
		legal = u.ml <= has
	}
	if !f.add(op, legal, what) {
		return
	}
	f.giveBack(corrects)
	f.left[u.lot] -= u.ml
	f.uses = append(f.uses, u)
}

func (f *naiveFarm) find(id string) int {
	return slices.IndexFunc(f.uses, func(u naiveUse) bool { return u.id == id })
}

func (f *naiveFarm) giveBack(id string) {
	if i := f.find(id); i >= 0 {
		f.left[f.uses[i].lot] += f.uses[i].ml
		f.uses = slices.Delete(f.uses, i, i+1)
	}
}

func (f *naiveFarm) void() {
	id := f.uses[f.r.IntN(len(f.uses))].id
	op := trace.Operation{ID: ulid.Make().String(), Tenant: "tea", Site: f.site, Kind: catalog.Void, At: *f.now, Person: "wei", Corrects: id, Items: []trace.Item{{Key: "reason", Value: "记错了"}}}
	f.add(op, true, "void")
	f.giveBack(id)
}

// barring returns the uses that bar what is harvested at a time.
func (f *naiveFarm) barring(at time.Time) []string {
	var ids []string
	for _, u := range f.uses {
		if !u.at.After(at) && beijingDay(at)-u.day < u.wait {
			ids = append(ids, u.id)
		}
	}
	return ids
}

// byLeave returns the leave by which an act may be now, and which uses bar it still.
func (f *naiveFarm) byLeave(act gate.ActKind, bars []string) (used []*naiveLeave, rest []string) {
	for _, l := range f.leaves {
		if l.by[act] != "" || !f.now.Before(l.until) {
			continue
		}
		rest := slices.DeleteFunc(slices.Clone(bars), func(id string) bool { return slices.Contains(l.uses, id) })
		if len(rest) < len(bars) {
			used = append(used, l)
		}
		bars = rest
	}
	return used, bars
}

// ask asks for what refuses now, and an officer grants or declines it.
func (f *naiveFarm) ask() {
	refusals, err := f.svc.Permit(f.t.Context(), "tea", gate.Act{Kind: gate.Harvest, Site: f.site, At: *f.now})
	check(f.t, err)
	if len(refusals) == 0 {
		return
	}
	o, err := f.svc.AskOverride(f.t.Context(), trace.Override{ID: ulid.Make().String(), Tenant: "tea", Site: f.site, Acts: []gate.ActKind{gate.Harvest}, Refusals: refusals, Reason: "抢收", Account: "wei"})
	check(f.t, err)
	d := trace.Decision{Granted: f.r.IntN(4) > 0, Reason: "核实", Region: "450400", Account: "officer"}
	l := &naiveLeave{id: o.ID, from: *f.now, by: map[gate.ActKind]string{}}
	if d.Granted {
		d.Until = f.now.Add(time.Duration(1+f.r.IntN(96)) * time.Hour)
		l.until = d.Until
		for _, r := range o.Refusals {
			l.uses = append(l.uses, r.Operation)
		}
		f.counts["leave"]++
	}
	_, err = f.svc.DecideOverride(f.t.Context(), o.ID, d)
	check(f.t, err)
	f.leaves = append([]*naiveLeave{l}, f.leaves...)
}

func (f *naiveFarm) harvest() {
	used, bars := f.byLeave(gate.Harvest, f.barring(*f.now))
	op := trace.Operation{ID: ulid.Make().String(), Tenant: "tea", Site: f.site, Kind: "harvest", At: *f.now, Person: "wei", Items: []trace.Item{{Key: "quantity", Value: "10", Unit: "kg"}, {Key: "grade", Value: "—"}}}
	if !f.add(op, len(bars) == 0, "harvest") {
		return
	}
	for _, l := range used {
		l.by[gate.Harvest] = op.ID
		f.counts["harvest by leave"]++
	}
}

// audit holds stock and records against the model.
func (f *naiveFarm) audit() {
	for lot, ml := range f.left {
		if lot == "" {
			continue
		}
		if got, err := f.s.Lot(f.t.Context(), lot); err != nil || got.Left != float64(ml)/1000 || ml < 0 {
			f.t.Fatalf("%s: %v L are left of %s, %v; the model has %d mL", f.site, got.Left, lot, err, ml)
		}
	}
	all, err := f.s.OverridesOf(f.t.Context(), f.site)
	if err != nil || len(all) != len(f.leaves) {
		f.t.Fatalf("%s: %d overrides, %v; want %d", f.site, len(all), err, len(f.leaves))
	}
	for i, o := range all {
		want := f.leaves[i]
		if o.ID != want.id || len(o.Uses) != len(want.by) || slices.ContainsFunc(o.Uses, func(u trace.OverrideUse) bool { return want.by[u.Act] != u.Subject }) {
			f.t.Errorf("%s: override %s was used by %v; want %s by %v", f.site, o.ID, o.Uses, want.id, want.by)
		}
		if recs, err := f.s.RecordsOf(f.t.Context(), o.ID); err != nil || len(recs) != 2 {
			f.t.Errorf("%s: %d records of override %s, %v; want what was asked and what was decided", f.site, len(recs), o.ID, err)
		}
	}
	ops, err := f.s.Operations(f.t.Context(), f.site, time.Unix(0, 0), noon.AddDate(1, 0, 0))
	if err != nil || len(ops) != f.ops {
		f.t.Fatalf("%s: %d operations, %v; want %d", f.site, len(ops), err, f.ops)
	}
	for _, op := range ops {
		if recs, err := f.s.RecordsOf(f.t.Context(), op.ID); err != nil || len(recs) != 1 {
			f.t.Errorf("%s: %d records of operation %s, %v", f.site, len(recs), op.ID, err)
		}
	}
}
