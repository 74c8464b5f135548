package trace_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"tianhai/farm"
	"tianhai/trace"
	"tianhai/trace/gate"
)

// barred is a farm with a medication three days ago that bars for five, and a clock.
func barred(t *testing.T) (s *trace.Service, m *memory, drug trace.Operation, now *time.Time) {
	t.Helper()
	m = newMemory()
	s = gated(m)
	s.Overrides, s.Harvests = m, m
	clock := noon
	now = &clock
	s.Now = func() time.Time { return *now }
	for _, kind := range []string{"stock", "inspect"} {
		add(t, s, told(s.Catalogs.Current(), kind, batch().Began.Add(time.Hour)))
	}
	return s, m, add(t, s, medicate(noon.AddDate(0, 0, -3), "5", "d")), now
}

func ask(t *testing.T, s *trace.Service, acts []gate.ActKind, batch string, refusals []gate.Refusal) trace.Override {
	t.Helper()
	o, err := s.AskOverride(t.Context(), trace.Override{
		ID: ulid.Make().String(), Tenant: "maowei", Site: "raft-1", Batch: batch, Acts: acts, Refusals: refusals, Reason: "台风将至，须抢收", Account: "wei",
	})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func grant(t *testing.T, s *trace.Service, id string, until time.Time) {
	t.Helper()
	if _, err := s.DecideOverride(t.Context(), id, trace.Decision{Granted: true, Reason: "应急采收，抽检合格后上市", Region: "450700", Account: "officer", Until: until}); err != nil {
		t.Fatal(err)
	}
}

// TestOverride: with an officer's leave one catch, the one batch opened from it, and
// its code, are allowed; a second catch is not, nor another batch. Consumers read
// which office it was, and nobody's name.
func TestOverride(t *testing.T) {
	s, m, drug, now := barred(t)
	_, _, err := s.AddOperation(t.Context(), catchOf(*now))
	r := refusal(t, err)
	o := ask(t, s, []gate.ActKind{gate.Catch, gate.Certificate}, "", []gate.Refusal{{Gate: r.Gate, Operation: r.Operation, Product: r.Product}})
	if got := o.Refusals[0]; got.Earliest != "2026-11-22" || got.Name.Zh != "示例药" {
		t.Errorf("the refusal as the gate gives it: %+v", got)
	}
	if _, _, err := s.AddOperation(t.Context(), catchOf(*now)); refusal(t, err).Operation != drug.ID {
		t.Error("asking is not being allowed")
	}
	*now = now.Add(time.Hour)
	grant(t, s, o.ID, now.Add(24*time.Hour))

	op := add(t, s, catchOf(*now))
	if _, _, err := s.AddOperation(t.Context(), catchOf(now.Add(-time.Minute))); refusal(t, err).Gate != gate.Interval {
		t.Error("a second catch by the same leave")
	}
	early := batch() // harvested before anybody allowed it
	if _, err := s.OpenBatch(t.Context(), early, "wei"); refusal(t, err).Gate != gate.Interval {
		t.Error("a harvest before it was allowed")
	}
	mine, other := batch(), batch()
	mine.Harvest, other.Harvest = *now, *now
	opened, err := s.OpenBatch(t.Context(), mine, "wei")
	if err != nil {
		t.Fatalf("the batch of the catch: %v", err)
	}
	if _, err := s.OpenBatch(t.Context(), other, "wei"); refusal(t, err).Gate != gate.Interval {
		t.Error("a second batch by the same leave")
	}
	*now = now.Add(time.Hour)
	closed, err := s.CloseBatch(t.Context(), opened.ID)
	if err != nil {
		t.Fatalf("its code: %v", err)
	}
	if refusals, err := s.PermitBatch(t.Context(), closed, gate.Sale, *now); err != nil || len(refusals) != 1 {
		t.Errorf("a sale that nobody allowed: %v, %v", refusals, err)
	}
	rec, err := m.RecordByCode(t.Context(), closed.Code)
	if err != nil {
		t.Fatal(err)
	}
	public, err := trace.ParsePublicRecord(rec.Body)
	if err != nil || len(public.Overrides) != 1 || public.Overrides[0].ID != o.ID || public.Overrides[0].Region != "450700" || public.Overrides[0].Reason != "应急采收，抽检合格后上市" {
		t.Errorf("what consumers read: %+v, %v", public.Overrides, err)
	}
	if text := string(rec.Body); strings.Contains(text, "officer") || strings.Contains(text, "wei\"") || strings.Contains(text, "抢收") {
		t.Errorf("the record names somebody: %s", text)
	}
	kinds := map[string]int{}
	all, _ := m.all()
	for _, r := range all {
		kinds[r.Kind]++
		if r.Subject == op.ID && !strings.Contains(string(r.Body), o.ID) {
			t.Errorf("the catch's record does not name the override: %s", r.Body)
		}
		if r.Kind == trace.OverrideRecord && (!json.Valid(r.Body) || strings.Contains(string(r.Body), "officer")) {
			t.Errorf("the decision's record: %s", r.Body)
		}
	}
	if kinds[trace.AskedRecord] != 1 || kinds[trace.OverrideRecord] != 1 {
		t.Errorf("records: %v", kinds)
	}
}

// TestOverrideOfBatch: leave for one batch holds as often as needed and until its end.
func TestOverrideOfBatch(t *testing.T) {
	s, m, _, now := barred(t)
	m.ops = m.ops[:len(m.ops)-1] // as if the medication had not been
	b := openBatch(t, s)
	add(t, s, catchOf(b.Harvest))
	add(t, s, medicate(b.Harvest.AddDate(0, 0, -2), "9", "d")) // recorded late
	_, err := s.CloseBatch(t.Context(), b.ID)
	r := refusal(t, err)
	o := ask(t, s, []gate.ActKind{gate.Certificate, gate.Sale}, b.ID, []gate.Refusal{r})
	grant(t, s, o.ID, now.Add(48*time.Hour))
	if b, err = s.CloseBatch(t.Context(), b.ID); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if refusals, err := s.PermitBatch(t.Context(), b, gate.Sale, *now); err != nil || len(refusals) > 0 {
			t.Errorf("a sale that was allowed: %v, %v", refusals, err)
		}
	}
	*now = now.Add(48 * time.Hour)
	if refusals, err := s.PermitBatch(t.Context(), b, gate.Sale, *now); err != nil || len(refusals) != 1 {
		t.Errorf("after its end: %v, %v", refusals, err)
	}
}

// TestOverrideOfUse: one use over the label's number is allowed, the next is not.
func TestOverrideOfUse(t *testing.T) {
	m := newMemory()
	s, _ := stocked(m)
	s.Overrides = m
	for _, days := range []int{-9, -8} {
		add(t, s, treat(noon.AddDate(0, 0, days)))
	}
	_, _, err := s.AddOperation(t.Context(), treat(noon))
	o := ask(t, s, []gate.ActKind{gate.Apply}, "", []gate.Refusal{refusal(t, err)})
	grant(t, s, o.ID, noon.Add(time.Hour))
	add(t, s, treat(noon))
	if _, _, err = s.AddOperation(t.Context(), treat(noon.Add(time.Minute))); refusal(t, err).Gate != gate.OverCount {
		t.Errorf("the next: %v", err)
	}
}

// TestOverrideLimits: what nobody can allow, and what cannot be asked or decided.
func TestOverrideLimits(t *testing.T) {
	s, _, drug, now := barred(t)
	good := trace.Override{
		Tenant: "maowei", Site: "raft-1", Acts: []gate.ActKind{gate.Catch}, Reason: "x", Account: "wei",
		Refusals: []gate.Refusal{{Gate: gate.Interval, Operation: drug.ID}},
	}
	for name, tt := range map[string]struct {
		change func(*trace.Override)
		field  string
	}{
		"a banned substance":  {func(o *trace.Override) { o.Refusals[0].Gate = gate.Banned }, "refusals[0].gate"},
		"an expired lot":      {func(o *trace.Override) { o.Refusals[0].Gate = gate.LotExpired }, "refusals[0].gate"},
		"no gate":             {func(o *trace.Override) { o.Refusals[0].Gate = "stock" }, "refusals[0].gate"},
		"what nobody refuses": {func(o *trace.Override) { o.Refusals[0].Operation = "other" }, "refusals[0]"},
		"nothing":             {func(o *trace.Override) { o.Refusals = nil }, "refusals"},
		"no act":              {func(o *trace.Override) { o.Acts = nil }, "acts"},
		"an unknown act":      {func(o *trace.Override) { o.Acts = []gate.ActKind{"eat"} }, "acts[0]"},
		"a sale of no batch":  {func(o *trace.Override) { o.Acts = []gate.ActKind{gate.Sale} }, "batch"},
		"a use and a catch":   {func(o *trace.Override) { o.Acts = []gate.ActKind{gate.Catch, gate.Apply} }, "acts"},
		"no reason":           {func(o *trace.Override) { o.Reason = "\n" }, "reason"},
		"no ULID":             {func(o *trace.Override) { o.ID = "1" }, "id"},
	} {
		t.Run(name, func(t *testing.T) {
			o := good
			o.ID, o.Refusals = ulid.Make().String(), []gate.Refusal{good.Refusals[0]}
			tt.change(&o)
			var fe *trace.FieldError
			if _, err := s.AskOverride(t.Context(), o); !errors.As(err, &fe) || fe.Field != tt.field {
				t.Errorf("got %v, want a FieldError of %s", err, tt.field)
			}
		})
	}
	stranger := good
	stranger.ID, stranger.Site = ulid.Make().String(), "pond-9"
	if _, err := s.AskOverride(t.Context(), stranger); !errors.Is(err, farm.ErrNotFound) {
		t.Errorf("a stranger's site: %v", err)
	}

	o := ask(t, s, good.Acts, "", good.Refusals)
	for name, d := range map[string]trace.Decision{
		"reason": {Granted: true, Region: "450700", Until: now.Add(time.Hour)},
		"region": {Granted: true, Reason: "x", Until: now.Add(time.Hour)},
		"until":  {Granted: true, Reason: "x", Region: "450700", Until: *now},
	} {
		var fe *trace.FieldError
		if _, err := s.DecideOverride(t.Context(), o.ID, d); !errors.As(err, &fe) || fe.Field != name {
			t.Errorf("%s: %v", name, err)
		}
	}
	long := trace.Decision{Granted: true, Reason: "x", Region: "450700", Until: now.Add(trace.MaxOverride + time.Hour)}
	if _, err := s.DecideOverride(t.Context(), o.ID, long); err == nil {
		t.Error("an override for longer than there can be")
	}
	if _, err := s.DecideOverride(t.Context(), o.ID, trace.Decision{Reason: "等足休药期", Region: "450700"}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.DecideOverride(t.Context(), o.ID, trace.Decision{Reason: "x", Region: "450700"}); !errors.Is(err, farm.ErrConflict) {
		t.Errorf("decided twice: %v", err)
	}
	if _, _, err := s.AddOperation(t.Context(), catchOf(*now)); refusal(t, err).Gate != gate.Interval {
		t.Error("what was declined is allowed")
	}
}

// TestLate: a use that is recorded after a harvest, or moved before it, names the
// batches for which it comes too late; a harmless one does not.
func TestLate(t *testing.T) {
	m := newMemory()
	s := gated(m)
	s.Harvests = m
	var noticed []trace.LateUse
	s.Late = func(_ context.Context, found []trace.LateUse) { noticed = append(noticed, found...) }
	b := openBatch(t, s)
	for _, kind := range []string{"stock", "inspect", "catch"} {
		add(t, s, told(s.Catalogs.Current(), kind, b.Began.Add(time.Hour)))
	}
	closed, err := s.CloseBatch(t.Context(), b.ID)
	if err != nil {
		t.Fatal(err)
	}
	add(t, s, medicate(b.Harvest.AddDate(0, 0, -9), "5", "d")) // in time
	add(t, s, medicate(b.Harvest.Add(time.Hour), "5", "d"))    // after it
	if len(noticed) > 0 {
		t.Fatalf("harmless ones: %+v", noticed)
	}
	late := add(t, s, medicate(b.Harvest.AddDate(0, 0, -3), "5", "d"))
	if len(noticed) != 1 || noticed[0].Operation != late.ID || noticed[0].Batch != b.ID || noticed[0].Refusals[0].Gate != gate.Interval {
		t.Fatalf("told %+v", noticed)
	}
	fix := medicate(b.Harvest.AddDate(0, 0, -2), "5", "d")
	fix.Corrects = late.ID
	add(t, s, fix)
	if len(noticed) != 2 || noticed[1].Operation != fix.ID {
		t.Errorf("the correction: %+v", noticed)
	}
	s.Water = pond{err: errors.New("connection refused")}
	add(t, s, medicate(b.Harvest.AddDate(0, 0, -20), "100", "Cel.d"))
	if len(noticed) != 3 || noticed[2].Refusals[0].Gate != gate.DegreeDays {
		t.Errorf("temperatures that are out of reach count against the harvest: %+v", noticed)
	}
	all, _ := m.all()
	n, withdrawn := 0, 0
	for _, r := range all {
		if r.Kind == trace.LateRecord && r.Subject == b.ID && strings.Contains(string(r.Body), closed.Code) {
			n++
		}
		if r.Kind == trace.LateRecord && strings.Contains(string(r.Body), `"withdrawn":true`) && strings.Contains(string(r.Body), late.ID) {
			withdrawn++
		}
	}
	if n != 3 || withdrawn != 1 {
		t.Errorf("%d records say so and %d that one does no longer, want 3 and 1", n, withdrawn)
	}
}

// TestNoBatchWithoutQuarantine: animals become a batch only with the number of the
// certificate with which they left; eggs have none.
func TestNoBatchWithoutQuarantine(t *testing.T) {
	m := newMemory()
	s := gated(m)
	m.product = trace.Product{ID: "pork", Kind: trace.Livestock, Species: "pig", Name: farm.Text{Zh: "猪肉"}}
	site := m.sites["raft-1"]
	site.Kind = farm.Barn
	m.sites["raft-1"] = site
	b := batch()
	b.Product = "pork"
	if _, err := s.OpenBatch(t.Context(), b, "wei"); refusal(t, err).Gate != gate.NoQuarantine {
		t.Errorf("got %v", err)
	}
	exit := trace.Operation{ID: ulid.Make().String(), Tenant: "maowei", Site: "raft-1", Kind: "exit", At: b.Began.AddDate(0, 0, -1), Person: "wei", Items: []trace.Item{
		{Key: "heads", Value: "20", Unit: "{head}"}, {Key: "quarantine", Value: "4509220001"}, {Key: "ear_tag", Value: "—"},
	}}
	add(t, s, exit)
	if _, err := s.OpenBatch(t.Context(), b, "wei"); refusal(t, err).Gate != gate.NoQuarantine {
		t.Errorf("the certificate of those before: %v", err)
	}
	exit.ID, exit.At = ulid.Make().String(), b.Harvest
	add(t, s, exit)
	if _, err := s.OpenBatch(t.Context(), b, "wei"); err != nil {
		t.Errorf("with its certificate: %v", err)
	}
	m.product.Species = "eggs"
	eggs := b
	eggs.Began, eggs.Harvest = b.Harvest.Add(time.Hour), b.Harvest.Add(2*time.Hour)
	if _, err := s.OpenBatch(t.Context(), eggs, "wei"); err != nil {
		t.Errorf("eggs: %v", err)
	}
}
