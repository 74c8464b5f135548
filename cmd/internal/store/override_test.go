package store_test

import (
	"errors"
	"fmt"
	"sync"
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

func newRecord(kind, tenant, subject string) trace.Record {
	return trace.Record{ID: ulid.Make().String(), Tenant: tenant, Kind: kind, Subject: subject, Body: []byte("{}"), Salt: make([]byte, 16), At: noon, Index: -1}
}

func newOverride(id string) trace.Override {
	return trace.Override{
		ID: id, Tenant: "tea", Site: "garden-1", Acts: []gate.ActKind{gate.Harvest}, Reason: "抢收", Account: "wei", Asked: noon,
		Refusals: []gate.Refusal{{Gate: gate.Interval, Operation: "o1", Name: farm.Text{Zh: "示例"}, Date: "2026-05-18", Earliest: "2026-05-25"}},
	}
}

// testOverrides: asked once, decided once, used once for each act, and never changed.
func testOverrides(t *testing.T, s *store.Store) {
	seed(t, s)
	ctx := t.Context()
	o := newOverride("v1")
	check(t, s.AddOverride(ctx, o, newRecord(trace.AskedRecord, "tea", "v1")))
	check(t, s.AddOverride(ctx, o, newRecord(trace.AskedRecord, "tea", "v1")))
	other := o
	other.Reason = "another"
	wantErr(t, "another under its ID", s.AddOverride(ctx, other, newRecord(trace.AskedRecord, "tea", "v1")), farm.ErrConflict)
	stranger := newOverride("v9")
	stranger.Tenant = "oysters"
	wantErr(t, "a stranger's site", s.AddOverride(ctx, stranger, newRecord(trace.AskedRecord, "oysters", "v9")), farm.ErrNotFound)
	equal(t, "asked", o)(s.Override(ctx, "v1"))
	equal(t, "open", []trace.Override{o})(s.Overrides(ctx, store.OverrideFilter{Region: "450400", Open: true}))
	equal(t, "of another region", []trace.Override{})(s.Overrides(ctx, store.OverrideFilter{Region: "450700"}))
	equal(t, "of another tenant", []trace.Override{})(s.Overrides(ctx, store.OverrideFilter{Tenant: "oysters"}))
	_, err := s.Override(ctx, "v2")
	wantErr(t, "unknown", err, farm.ErrNotFound)

	o.Decision = &trace.Decision{Granted: true, Reason: "同意", Region: "450400", Account: "officer", Decided: noon, Until: noon.Add(time.Hour)}
	check(t, s.DecideOverride(ctx, o, newRecord(trace.OverrideRecord, "tea", "v1")))
	wantErr(t, "decided twice", s.DecideOverride(ctx, o, newRecord(trace.OverrideRecord, "tea", "v1")), farm.ErrConflict)
	equal(t, "open when decided", []trace.Override{})(s.Overrides(ctx, store.OverrideFilter{Open: true}))

	op, rec := newOperation("o1", noon)
	op.Kind, op.Leave = "harvest", []trace.Leave{{Override: "v1", Act: gate.Harvest}}
	check(t, s.AddOperation(ctx, op, rec))
	again, againRec := newOperation("o2", noon)
	again.Kind, again.Leave = "harvest", []trace.Leave{{Override: "v1", Act: gate.Harvest}}
	wantErr(t, "used up", s.AddOperation(ctx, again, againRec), trace.ErrMoved)
	if _, err := s.Operation(ctx, "o2"); !errors.Is(err, farm.ErrNotFound) {
		t.Errorf("what used it a second time is there: %v", err)
	}
	o.Uses = []trace.OverrideUse{{Act: gate.Harvest, Subject: "o1"}}
	equal(t, "used", []trace.Override{o})(s.OverridesOf(ctx, "garden-1"))
	recs, err := s.RecordsOf(ctx, "v1")
	if err != nil || len(recs) != 2 {
		t.Errorf("%d records of the override, %v; want 2", len(recs), err)
	}
	for _, statement := range []string{
		"UPDATE overrides SET reason = ''", "DELETE FROM overrides", "UPDATE override_decisions SET until = until + 1",
		"DELETE FROM override_decisions", "UPDATE override_uses SET subject = ''", "DELETE FROM override_uses",
	} {
		if err := s.Exec(ctx, statement); err == nil {
			t.Errorf("%s went through", statement)
		}
	}
}

// testVersions: who has not seen what was recorded meanwhile writes nothing.
func testVersions(t *testing.T, s *store.Store) {
	seed(t, s)
	ctx := t.Context()
	v, err := s.Version(ctx, "garden-1")
	check(t, err)
	_, err = s.Version(ctx, "nowhere")
	wantErr(t, "unknown site", err, farm.ErrNotFound)
	op, rec := newOperation("o1", noon)
	op.Seen = v
	check(t, s.AddOperation(ctx, op, rec))
	check(t, s.AddOperation(ctx, op, rec)) // the same again is nothing new, whatever it has seen
	late, lateRec := newOperation("o2", noon)
	late.Seen = v
	wantErr(t, "operation", s.AddOperation(ctx, late, lateRec), trace.ErrMoved)
	if _, err := s.Operation(ctx, "o2"); !errors.Is(err, farm.ErrNotFound) {
		t.Errorf("it is there: %v", err)
	}
	if recs, err := s.RecordsOf(ctx, "o2"); err != nil || len(recs) > 0 {
		t.Errorf("its record is there: %v, %v", recs, err)
	}
	b := newBatch("b1")
	b.Seen = v
	wantErr(t, "batch", s.AddBatch(ctx, b), trace.ErrMoved)
	b.Seen = v + 1
	check(t, s.AddBatch(ctx, b))
	done, closing := closed(b, "4Q7XH2M9KTB3D")
	done.Seen = v + 1
	wantErr(t, "closing", s.CloseBatch(ctx, done, closing), trace.ErrMoved)
	done.Seen = v + 2
	check(t, s.CloseBatch(ctx, done, closing))
}

// testLateUses: found with the operation or not at all, told once.
func testLateUses(t *testing.T, s *store.Store) {
	seed(t, s)
	ctx := t.Context()
	b := newBatch("b1")
	check(t, s.AddBatch(ctx, b))
	equal(t, "harvested since", []trace.Batch{b})(s.HarvestedSince(ctx, "garden-1", b.Harvest))
	equal(t, "harvested before", []trace.Batch{})(s.HarvestedSince(ctx, "garden-1", b.Harvest.Add(time.Second)))
	op, rec := newOperation("o1", b.Harvest.Add(-time.Hour))
	l := trace.LateUse{Operation: "o1", Batch: "b1", Tenant: "tea", Site: "garden-1", Found: noon, Refusals: newOverride("").Refusals}
	l.Record = newRecord(trace.LateRecord, "tea", "b1")
	op.Late = []trace.LateUse{l}
	check(t, s.AddOperation(ctx, op, rec))
	l.Record = trace.Record{}
	want := trace.FoundLate{LateUse: l, Lot: b.Lot, Harvest: b.Harvest}
	equal(t, "untold", []trace.FoundLate{want})(s.LateUses(ctx, store.LateFilter{Untold: true, Tenant: "tea"}))
	equal(t, "of another region", []trace.FoundLate{})(s.LateUses(ctx, store.LateFilter{Region: "450700"}))
	check(t, s.ToldLate(ctx, l, noon))
	check(t, s.ToldLate(ctx, l, noon))
	equal(t, "told", []trace.FoundLate{})(s.LateUses(ctx, store.LateFilter{Untold: true}))
	void, voidRec := newOperation("o2", noon)
	void.Kind, void.Corrects = catalog.Void, "o1"
	check(t, s.AddOperation(ctx, void, voidRec))
	want.Withdrawn = true
	equal(t, "withdrawn", []trace.FoundLate{want})(s.LateUses(ctx, store.LateFilter{}))
	recs, err := s.RecordsOf(ctx, "b1")
	if err != nil || len(recs) != 1 {
		t.Errorf("%d records of the batch, %v; want 1", len(recs), err)
	}
	for _, statement := range []string{"UPDATE late_uses SET told = NULL", "UPDATE late_uses SET refusals = '[]'", "DELETE FROM late_uses"} {
		if err := s.Exec(ctx, statement); err == nil {
			t.Errorf("%s went through", statement)
		}
	}
}

// testTwoPhones: while one phone records a spray another opens a batch of what was
// harvested, through two programs on one database. Either the batch is refused, or
// the spray came second and has found it. Ten phones that use an input at once use it
// as often as the label allows.
func testTwoPhones(t *testing.T, s *store.Store) {
	seed(t, s)
	ctx := t.Context()
	books, err := catalog.Open(ctx, s, nil)
	check(t, err)
	program := func() *trace.Service {
		return &trace.Service{Store: s, Journal: s, Chain: s, Catalogs: books, Inputs: s, Overrides: s, Harvests: s, Bans: input.Banned(), Now: func() time.Time { return noon }}
	}
	one, other := program(), program()
	p := newInput(7)
	p.Labels[0].MaxUses = 3
	check(t, s.PutInput(ctx, p, "admin"))
	lot := newLot("01JZ00000000000000000000M1", 100)
	check(t, s.AddLot(ctx, lot))

	const farms = 40
	refused := 0
	for i := range farms {
		site := fmt.Sprintf("race-%d", i)
		check(t, s.CreateSite(ctx, farm.Site{ID: site, Tenant: "tea", Region: "450421", Kind: farm.Garden, Name: farm.Text{Zh: "园"}}))
		var wg sync.WaitGroup
		var sprayErr, openErr error
		wg.Go(func() { _, _, sprayErr = one.AddOperation(ctx, sprayFrom(lot.ID, site, noon.Add(-time.Hour))) })
		wg.Go(func() {
			b := newBatch("")
			b.Site, b.Harvest = site, noon.Add(-time.Minute)
			_, openErr = other.OpenBatch(ctx, b, "wei")
		})
		wg.Wait()
		check(t, sprayErr)
		found, err := s.LateUses(ctx, store.LateFilter{})
		check(t, err)
		var r *gate.Refused
		switch {
		case errors.As(openErr, &r):
			refused++
		case openErr != nil:
			t.Fatal(openErr)
		}
		if len(found) != i+1-refused {
			t.Fatalf("farm %d: %d batches are inside an interval, and %d are known: the phones slipped through", i, i+1-refused, len(found))
		}
	}
	t.Logf("the spray came first %d times of %d", refused, farms)

	var wg sync.WaitGroup
	var mu sync.Mutex
	n := 0
	for i := range 10 {
		wg.Go(func() {
			program := one
			if i%2 == 0 {
				program = other
			}
			_, _, err := program.AddOperation(ctx, sprayFrom(lot.ID, "garden-1", noon.Add(-time.Duration(i)*time.Minute)))
			mu.Lock()
			defer mu.Unlock()
			var refused *gate.Refused
			switch {
			case err == nil:
				n++
			case !errors.As(err, &refused) || refused.Refusals[0].Gate != gate.OverCount:
				t.Errorf("got %v", err)
			}
		})
	}
	wg.Wait()
	if n != 3 {
		t.Errorf("%d uses went through, the label allows 3", n)
	}
}

// sprayFrom is a spray of one millilitre out of a lot.
func sprayFrom(lot, site string, at time.Time) trace.Operation {
	return trace.Operation{ID: ulid.Make().String(), Tenant: "tea", Site: site, Kind: "spray", At: at, Person: "wei", Items: []trace.Item{
		{Key: "product", Value: "示例"},
		{Key: "maker", Value: "示例厂"},
		{Key: "target", Value: "茶尺蠖"},
		{Key: "registration", Value: "—"},
		{Key: "dose", Value: "60", Unit: "mL/[mu_chn]"},
		{Key: "interval", Value: "7", Unit: "d"},
		{Key: "lot", Value: lot},
		{Key: "amount", Value: "1", Unit: "mL"},
	}}
}

// testOwnBans: appended, lifted once, never changed; what gates are held against.
func testOwnBans(t *testing.T, s *store.Store) {
	ctx := t.Context()
	b := input.OwnBan{
		ID: "b1", Recorded: noon, Account: "admin",
		Ban: input.Ban{Name: "某药", Aliases: []string{"甲名"}, CAS: "7732-18-5", Scope: []string{"crops"}, Source: "公告第9号", From: noon},
	}
	check(t, s.AddBan(ctx, b))
	wantErr(t, "again", s.AddBan(ctx, b), farm.ErrConflict)
	lift := b
	lift.ID, lift.Lifts, lift.From = "b2", "b1", noon.Add(time.Hour)
	check(t, s.AddBan(ctx, lift))
	second := lift
	second.ID = "b3"
	wantErr(t, "lifted twice", s.AddBan(ctx, second), farm.ErrConflict)
	second.Lifts = "b2"
	wantErr(t, "what lifts another", s.AddBan(ctx, second), farm.ErrNotFound)
	want := b
	want.Until = lift.From
	equal(t, "bans", []input.OwnBan{lift, want})(s.Bans(ctx))
	l, err := s.OwnBans(ctx)
	check(t, err)
	p, on := input.Product{Actives: []input.Active{{Name: "甲名"}}}, input.Target{Group: "tea"}
	for at, banned := range map[time.Time]bool{noon.Add(-time.Second): false, noon: true, noon.Add(time.Hour): false} {
		if got := len(l.Find(p, on, at)) > 0; got != banned {
			t.Errorf("at %v: banned %v", at, got)
		}
	}
	for _, statement := range []string{"UPDATE bans SET begins = 0", "DELETE FROM bans"} {
		if err := s.Exec(ctx, statement); err == nil {
			t.Errorf("%s went through", statement)
		}
	}
}

// testWriteOffs: with a record or not at all, never below zero, and listed beside uses.
func testWriteOffs(t *testing.T, s *store.Store) {
	seed(t, s)
	ctx := t.Context()
	check(t, s.PutInput(ctx, newInput(7), "admin"))
	service := &trace.Service{Stock: s, Now: func() time.Time { return noon }}
	lots := []input.Lot{newLot("01JZ00000000000000000000M1", 1), newLot("01JZ00000000000000000000M2", 1)}
	lots[1].Product = "other"
	wantErr(t, "one lot of nothing", service.Buy(ctx, lots), farm.ErrNotFound)
	if all, err := s.Lots(ctx, "tea", store.Place{}, 100); err != nil || len(all) > 0 {
		t.Errorf("half a purchase is there: %v, %v", all, err)
	}
	check(t, service.Buy(ctx, lots[:1]))
	op, rec := newOperation("o1", noon.Add(-time.Hour))
	op.Draw = draw(t, lots[0].ID, 600, "mL")
	check(t, s.AddOperation(ctx, op, rec))
	w := input.WriteOff{ID: "01JZ00000000000000000000W1", Tenant: "tea", Lot: lots[0].ID, Quantity: 0.3, Unit: "L", Reason: "瓶破"}
	for range 2 { // the same again is nothing new
		_, err := service.WriteOff(ctx, w)
		check(t, err)
	}
	over := w
	over.ID, over.Quantity = "01JZ00000000000000000000W2", 0.11
	var short *input.ShortError
	if _, err := service.WriteOff(ctx, over); !errors.As(err, &short) {
		t.Errorf("below zero: %v", err)
	}
	over.Quantity, over.Tenant = 0.01, "oysters"
	_, err := service.WriteOff(ctx, over)
	wantErr(t, "a stranger's lot", err, farm.ErrNotFound)
	other := w
	other.Reason = "another"
	_, err = service.WriteOff(ctx, other)
	wantErr(t, "another under its ID", err, farm.ErrConflict)
	if got, err := s.Lot(ctx, lots[0].ID); err != nil || got.Left != 0.1 {
		t.Errorf("%v L are left, %v", got.Left, err)
	}
	equal(t, "uses", []input.LotUse{
		{WriteOff: w.ID, At: noon.Truncate(time.Millisecond), Quantity: 0.3, Reason: "瓶破"},
		{Operation: "o1", Site: "garden-1", Kind: "spray", At: op.At, Quantity: 0.6},
	})(s.LotUses(ctx, lots[0].ID, store.Place{}, 100))
	recs, err := s.RecordsOf(ctx, lots[0].ID)
	if err != nil || len(recs) != 2 {
		t.Errorf("%d records of the lot, %v; want its purchase and what was written off", len(recs), err)
	}
	if err := s.Exec(ctx, "DELETE FROM write_offs"); err == nil {
		t.Error("a write-off can be deleted")
	}
}
