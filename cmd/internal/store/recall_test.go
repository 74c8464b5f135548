package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"tianhai/cmd/internal/store"
	"tianhai/farm"
	"tianhai/trace"
	"tianhai/trace/cert"
	"tianhai/trace/chain"
	"tianhai/trace/input"
	"tianhai/trace/recall"
)

func recaller(s *store.Store) *recall.Service {
	return &recall.Service{
		Book: s, Past: s.Past(), Farms: s, Now: func() time.Time { return noon.Add(time.Hour) },
		NewRecord: (&trace.Service{}).NewRecord,
	}
}

var (
	officer = recall.Actor{Account: "officer", Office: recall.ByBureau}
	later   = recall.Start{Kind: recall.FromBatch, ID: "a"}
)

func opened(start recall.Start) recall.Opening {
	return recall.Opening{
		Start: start, Reason: farm.Text{Zh: "超标"}, Hazard: farm.Text{Zh: "不适"}, Advice: farm.Text{Zh: "勿食"}, Contact: "0774-0000000",
	}
}

func newULID() string { return ulid.Make().String() }

// inRecall says which of batches are recalled.
func inRecall(t *testing.T, s *store.Store, batches ...string) string {
	t.Helper()
	var in []string
	for _, b := range batches {
		ids, err := s.RecallsOf(t.Context(), b)
		check(t, err)
		if len(ids) > 0 {
			in = append(in, b)
		}
	}
	return fmt.Sprint(in)
}

func wantRecalled(t *testing.T, s *store.Store, doing, want string, batches ...string) {
	t.Helper()
	if got := inRecall(t, s, batches...); got != want {
		t.Errorf("%s: recalled are %s, want %s", doing, got, want)
	}
}

func testRecalls(t *testing.T, s *store.Store) {
	ctx := t.Context()
	seed(t, s)
	move(t, s, "m1", chain.Harvest, nil, out("a", kg(100)), out("other", kg(5)))
	move(t, s, "m2", chain.Process, []chain.Input{in("a", kg(60))}, out("b", kg(60)))
	wantRecalled(t, s, "before", "[]", "a", "b", "other")

	svc, id := recaller(s), newULID()
	start := recall.Start{Kind: recall.FromBatch, ID: "a", Without: []string{"harvested:garden-1:2026-05-20:2026-05-21"}}
	r, err := svc.Open(ctx, officer, id, opened(start))
	check(t, err)
	if r.Number != "450406-2026-001" || len(r.Holdings) != 2 || r.Holdings[0].Held != kg(40) || r.Holdings[1].Held != kg(60) {
		t.Fatalf("opened %+v", r)
	}
	wantRecalled(t, s, "opened", "[a b]", "a", "b", "other")

	entries, err := s.RecallSteps(ctx, id)
	check(t, err)
	first := entries[0].Record
	if len(first.Personal) != 1 { // of a tenant without a credit code
		t.Errorf("personal is %v", first.Personal)
	}
	first.Personal = nil // they are not read there
	equal(t, "its records", []trace.Record{first})(s.RecordsOf(ctx, id))
	if entries[0].Account != "officer" || entries[0].Record.Index != -1 || entries[0].Record.Tenant != "tea" {
		t.Errorf("stored %+v", entries[0])
	}
	if again, err := svc.Open(ctx, officer, id, opened(start)); err != nil || again.Steps != 1 {
		t.Errorf("again: %d steps, %v", again.Steps, err)
	}
	_, err = svc.Open(ctx, officer, id, opened(recall.Start{Kind: recall.FromBatch, ID: "other"}))
	wantErr(t, "another under the ID", err, farm.ErrConflict)
	step := newULID()
	_, err = svc.Report(ctx, officer, id, step, recall.Progress{Batch: "b", To: recall.Located, Amount: kg(1)})
	check(t, err)
	_, err = svc.Open(ctx, officer, step, opened(start))
	wantErr(t, "a step's ID", err, farm.ErrConflict)
	if second, err := svc.Open(ctx, officer, newULID(), opened(recall.Start{Kind: recall.FromBatch, ID: "other"})); err != nil || second.Number != "450406-2026-002" {
		t.Errorf("second: %s, %v", second.Number, err)
	}
	_, err = s.RecallSteps(ctx, newULID())
	wantErr(t, "unknown recall", err, farm.ErrNotFound)

	for _, query := range []string{
		"UPDATE recalls SET number = 'x'", "UPDATE recalls SET closed = NULL", "DELETE FROM recalls",
		"UPDATE recall_steps SET account = 'x'", "DELETE FROM recall_steps",
		"UPDATE recall_causes SET subject = 'x'", "DELETE FROM recall_causes",
	} {
		if s.Exec(ctx, query) == nil {
			t.Errorf("the database did %s", query)
		}
	}
}

// What a recall refuses, and what it leaves open, until it is closed.
func testRecallCourse(t *testing.T, s *store.Store) {
	ctx := t.Context()
	now := noon
	certifier, batch := newCertifier(t, s, &now)
	move(t, s, "m1", chain.Harvest, nil, out("a", kg(100)))
	move(t, s, "m2", chain.Split, []chain.Input{in("a", kg(50))}, out("b", kg(30)), out("c", kg(20)))
	move(t, s, "m3", chain.Sell, []chain.Input{in("b", kg(10))})
	hand, made, rec := moved("m4", chain.Sell, []chain.Input{in("b", kg(5))})
	hand.To = "oysters"
	check(t, s.Move(ctx, hand, made, rec))
	_, err := certifier.Issue(ctx, batch, newIssue())
	check(t, err)

	svc, id := recaller(s), newULID()
	r, err := svc.Open(ctx, officer, id, opened(recall.Start{Kind: recall.FromBatch, ID: "c"}))
	check(t, err)
	held := map[string]string{}
	for _, h := range r.Holdings {
		held[h.Batch+" "+h.Sale+" "+h.Holder] = h.Held.Number()
	}
	for key, want := range map[string]string{"a  tea": "50", "b  tea": "15", "b m3 tea": "10", "b m4 oysters": "5", "c  tea": "20"} {
		if held[key] != want {
			t.Errorf("held of %q: %s, want %s; all %v", key, held[key], want, held)
		}
	}

	refused := (*recall.Refused)(nil)
	try := func(kind chain.Kind, change func(*chain.Movement), outs ...chain.Output) error {
		m, _, _ := moved(newULID(), kind, []chain.Input{in("b", kg(1))}, outs...)
		if change != nil {
			change(&m)
		}
		return s.Move(ctx, m, madeOf(m, "garden-1"), recordOf(m))
	}
	for name, err := range map[string]error{
		"sale":           try(chain.Sell, nil),
		"sale to a shop": try(chain.Sell, func(m *chain.Movement) { m.To = "oysters" }),
		"process":        try(chain.Process, nil, out("d", kg(1))),
		"split":          try(chain.Split, nil, out("e", kg(1))),
		"move away":      try(chain.Move, func(m *chain.Movement) { m.To = "oysters" }),
		"repacked store": try(chain.Store, nil, out("f", kg(1))),
		"receipt": try(chain.Receive, func(m *chain.Movement) {
			m.Tenant, m.Handover, m.Inputs = "oysters", "m4", []chain.Input{in("b", kg(5))}
		},
			out("g", kg(5))),
	} {
		if !errors.As(err, &refused) || refused.Number != r.Number {
			t.Errorf("%s: %v, want a refusal that names %s", name, err, r.Number)
		}
	}
	check(t, try(chain.Loss, nil)) // destroyed
	check(t, try(chain.Store, nil))
	wantLeft(t, s, "nothing but the loss is gone", "[14]", "b")
	back, made, rec := moved(newULID(), chain.Decline, nil)
	back.Tenant, back.Handover, rec.Tenant = "oysters", "m4", "oysters"
	check(t, s.Move(ctx, back, made, rec)) // sent back

	_, err = svc.Open(ctx, officer, newULID(), opened(recall.Start{Kind: recall.FromBatch, ID: batch.ID, Without: []string{"harvested:garden-1:2026-05-20:2026-05-21"}}))
	check(t, err)
	d, err := certifier.Dossier(ctx, batch.ID)
	check(t, err)
	if len(d.Certificates) != 1 || d.Certificates[0].Void == nil || d.Certificates[0].Void.Cause != cert.ByRecall {
		t.Errorf("the certificate of a recalled batch: %+v", d.Certificates)
	}
	if _, err := certifier.Issue(ctx, batch, newIssue()); !errors.As(err, &refused) {
		t.Errorf("a certificate of a recalled batch: %v", err)
	}
	_, err = svc.Close(ctx, officer, id, newULID(), "")
	wantErr(t, "closed with everything out", err, recall.ErrUnaccounted)
	for _, h := range r.Holdings {
		to := recall.Destroyed
		if h.Batch == "c" {
			to = recall.Released
		}
		_, err := svc.Report(ctx, officer, id, newULID(), recall.Progress{Batch: h.Batch, Sale: h.Sale, To: to, Amount: h.Held})
		check(t, err)
	}
	file, err := svc.Get(ctx, id)
	check(t, err)
	if len(file.Missing()) != 0 || len(file.Found) != 0 {
		t.Errorf("missing %v, found %v", file.Missing(), file.Found)
	}
	_, err = svc.Close(ctx, officer, id, newULID(), "")
	check(t, err)
	wantRecalled(t, s, "closed", "[a b c]", "a", "b", "c")
	if err := try(chain.Sell, nil); !errors.As(err, &refused) {
		t.Errorf("sale of what was to be destroyed: %v", err)
	}
	m, made, rec := moved(newULID(), chain.Sell, []chain.Input{in("c", kg(1))})
	check(t, s.Move(ctx, m, made, rec)) // released
	_, err = svc.Close(ctx, officer, id, newULID(), "")
	wantErr(t, "closed again", err, recall.ErrClosed)
}

// What was made of a recalled batch and is taken back leaves the batch with more than
// was counted: the recall finds it, does not end over it, and bars it for good.
func testRecallRegains(t *testing.T, s *store.Store) {
	ctx := t.Context()
	seed(t, s)
	move(t, s, "m1", chain.Harvest, nil, out("a", kg(100)))
	move(t, s, "m2", chain.Process, []chain.Input{in("a", kg(60))}, out("b", kg(50)))
	move(t, s, "m3", chain.Process, []chain.Input{in("a", kg(30))}, out("c", kg(30)))
	move(t, s, "m4", chain.Sell, []chain.Input{in("a", kg(4))})
	move(t, s, "m5", chain.Loss, []chain.Input{in("a", kg(1))})

	svc, id := recaller(s), newULID()
	r, err := svc.Open(ctx, officer, id, opened(later))
	check(t, err)
	for _, h := range r.Holdings {
		_, err := svc.Report(ctx, officer, id, newULID(), recall.Progress{Batch: h.Batch, Sale: h.Sale, To: recall.Destroyed, Amount: h.Held})
		check(t, err)
	}
	file, err := svc.Get(ctx, id)
	check(t, err)
	if len(file.Found) != 0 {
		t.Fatalf("found before anything came back: %+v", file.Found)
	}
	void, _, _ := moved(newULID(), chain.Void, nil)
	void.Corrects = "m3"
	check(t, s.Move(ctx, void, nil, recordOf(void)))
	move(t, s, newULID(), chain.Loss, []chain.Input{in("a", kg(5))}) // what was destroyed hides nothing
	file, err = svc.Get(ctx, id)
	check(t, err)
	if len(file.Found) != 1 || file.Found[0].Batch != "a" || file.Found[0].Held != kg(30) {
		t.Fatalf("found %+v", file.Found)
	}
	_, err = svc.Close(ctx, officer, id, newULID(), "")
	wantErr(t, "closed over it", err, recall.ErrUnaccounted)
	_, err = svc.Widen(ctx, officer, id, newULID(), recall.Widening{}, "c was never pressed")
	check(t, err)
	_, err = svc.Report(ctx, officer, id, newULID(), recall.Progress{Batch: "a", To: recall.Destroyed, Amount: kg(30)})
	check(t, err)
	r, err = svc.Close(ctx, officer, id, newULID(), "")
	check(t, err)
	if sum := recall.Tallied(r.Holdings)[0]; sum.Destroyed != sum.Recalled || sum.Recalled != kg(5+4+50+30+30) {
		t.Errorf("the sum is %+v", sum)
	}
	sell, _, rec := moved(newULID(), chain.Sell, []chain.Input{in("a", kg(1))})
	if refused := (*recall.Refused)(nil); !errors.As(s.Move(ctx, sell, nil, rec), &refused) {
		t.Error("what came back was sold")
	}
}

// Personal data of a recall go at a word: who was to be called, who bought. Every step
// still is what was sealed, and every one of its leaves what the log holds.
func testRecallErased(t *testing.T, s *store.Store) {
	ctx := t.Context()
	seed(t, s)
	check(t, s.AddBatch(ctx, newBatch("a")))
	svc, id := recaller(s), newULID()
	o := opened(later)
	o.Contact = "13912345678"
	_, err := svc.Open(ctx, officer, id, o)
	check(t, err)
	_, err = svc.Report(ctx, officer, id, newULID(), recall.Progress{Batch: "a", To: recall.Located, Amount: kg(1)})
	check(t, err)
	_, err = svc.Close(ctx, officer, id, newULID(), "eaten")
	check(t, err)
	before, err := s.RecallSteps(ctx, id)
	check(t, err)
	leaves := make([][]byte, len(before))
	for i, e := range before {
		leaves[i] = e.Record.Leaf()
		check(t, s.Sealed(ctx, e.Record.ID, trace.Seal{Log: 1, Index: int64(i), Receipt: fmt.Sprint("receipt ", i)}))
	}
	if before[0].Opening.Contact != o.Contact {
		t.Fatalf("before: %+v", before[0].Opening)
	}

	erasure := trace.Record{ID: "r-erasure", Tenant: "tea", Kind: trace.ErasureRecord, Subject: "e1", Body: []byte(`{"v":1}`), Salt: []byte("0123456789abcdef"), At: noon, Index: -1, Log: 1}
	equal(t, "texts gone", 1)(s.ErasePersonal(ctx, "tea", erasure))
	after, err := s.RecallSteps(ctx, id)
	check(t, err)
	if len(after) != 3 || after[0].Opening.Contact != "" {
		t.Fatalf("after: %d steps, %+v", len(after), after[0].Opening)
	}
	for i, e := range after {
		switch {
		case !bytes.Equal(e.Record.Leaf(), leaves[i]) || !bytes.Equal(e.Record.Body, before[i].Record.Body):
			t.Errorf("step %d is another than was sealed", e.N)
		case e.Record.Receipt != fmt.Sprint("receipt ", i) || e.Record.Index != int64(i):
			t.Errorf("step %d lost its receipt: %+v", e.N, e.Record)
		case bytes.Contains(e.Record.Body, []byte(o.Contact)):
			t.Errorf("step %d still holds the number", e.N)
		}
		opening, err := e.Record.Opening()
		if err != nil || bytes.Contains(opening, []byte(o.Contact)) {
			t.Errorf("what opens the seal of step %d: %s, %v", e.N, opening, err)
		}
	}
	r, err := recall.Fold([]recall.Step{after[0].Step, after[1].Step, after[2].Step})
	check(t, err)
	if len(r.Missing()) != 1 || r.Opening.Reason != o.Reason || r.Closed.IsZero() {
		t.Errorf("folded again: %+v", r)
	}
	wantRecalled(t, s, "erased", "[a]", "a")
}

func testRecallOfLots(t *testing.T, s *store.Store) {
	ctx := t.Context()
	seed(t, s)
	check(t, s.PutInput(ctx, newInput(7), "admin"))
	theirs := newLot("l3", 5)
	theirs.Tenant = "oysters"
	for _, l := range []input.Lot{newLot("l1", 5), newLot("l2", 5), theirs} {
		if l.ID == "l2" {
			l.Batch = "another"
		}
		check(t, s.AddLot(ctx, l))
	}
	use := func(id, lot string, at time.Time, items ...trace.Item) {
		op, rec := newOperation(id, at)
		op.Items, op.Draw = append(op.Items, items...), draw(t, lot, 1, "L")
		check(t, s.AddOperation(ctx, op, rec))
	}
	grow := func(id string, began, harvest time.Time) {
		b := newBatch(id)
		b.Began, b.Harvest = began, harvest
		check(t, s.AddBatch(ctx, b))
	}
	days := func(n int) time.Time { return noon.AddDate(0, 0, n) }
	use("o1", "l1", days(-20))
	use("o2", "l2", days(-20))
	use("o3", "l1", days(-10), trace.Item{Key: "stop", Value: days(-8).Format(time.DateOnly)})
	grow("in", days(-25), days(-15))
	grow("before", days(-40), days(-21))
	grow("between", days(-19), days(-11))
	grow("after", days(-7), days(-1))
	grow("course", days(-8), days(-3)) // sown on the last day of the use

	svc, id := recaller(s), newULID()
	r, err := svc.Open(ctx, officer, id, opened(recall.Start{Kind: recall.FromLot, ID: "l1"}))
	check(t, err)
	all := []string{"in", "before", "between", "after", "course"}
	wantRecalled(t, s, "opened", "[in course]", all...)
	if len(r.Holdings) != 2 || len(r.Causes) != 1 {
		t.Errorf("of %v for %v", r.Holdings, r.Causes)
	}
	// A use that is recorded later takes its batches in, one that is taken back lets
	// them go, and so does a batch that is opened later.
	use("o4", "l1", days(-30))
	wantRecalled(t, s, "a use recorded later", "[in before course]", all...)
	void, rec := newOperation("o5", days(-20))
	void.Corrects, void.Items = "o1", nil
	check(t, s.AddOperation(ctx, void, rec))
	wantRecalled(t, s, "a use taken back", "[before course]", all...)
	grow("opened later", days(-31), days(-29))
	wantRecalled(t, s, "a batch opened later", "[opened later]", "opened later")
	done, doneRec := closed(newBatch("opened later"), "CODE9")
	done.Began, done.Harvest = days(-31), days(-29)
	check(t, s.CloseBatch(ctx, done, doneRec))
	wantRecalled(t, s, "and coded later", "[opened later]", "opened later")

	_, err = svc.Open(ctx, officer, newULID(), opened(recall.Start{Kind: recall.FromLot, ID: "none"}))
	wantErr(t, "unknown lot", err, farm.ErrNotFound)
	within := officer
	within.Within = func(tenant string) bool { return tenant == "oysters" }
	plan, _, err := svc.Preview(ctx, within, recall.Start{Kind: recall.FromLot, ID: "l1"})
	check(t, err)
	if len(plan.Causes) != 2 {
		t.Errorf("lots of the maker's batch: %v", plan.Causes)
	}
}

// Of a sale and a recall at the same time, either the sale is refused or the recall
// knows of it; progress from many phones never comes to more than there is.
func testRecallRace(t *testing.T, s *store.Store) {
	ctx := t.Context()
	seed(t, s)
	move(t, s, "m1", chain.Harvest, nil, out("a", kg(100)))
	svc, id := recaller(s), newULID()
	var wg sync.WaitGroup
	sold := make([]error, 6)
	for i := range sold {
		wg.Go(func() {
			m, made, rec := moved(newULID(), chain.Sell, []chain.Input{in("a", kg(3))})
			sold[i] = s.Move(ctx, m, made, rec)
		})
	}
	wg.Go(func() {
		if _, err := svc.Open(ctx, officer, id, opened(later)); err != nil {
			t.Error(err)
		}
	})
	wg.Wait()
	file, err := svc.Get(ctx, id)
	check(t, err)
	known := int64(0)
	for _, h := range file.Holdings {
		known += h.Held.N
	}
	if known != kg(100).N || len(file.Found) > 0 {
		t.Errorf("the recall knows where %d of %d are; found since %v", known, kg(100).N, file.Found)
	}
	for _, err := range sold {
		if refused := (*recall.Refused)(nil); err != nil && !errors.As(err, &refused) {
			t.Errorf("sale: %v", err)
		}
	}

	took := make([]bool, 8)
	for i := range took {
		wg.Go(func() {
			_, err := svc.Report(ctx, officer, id, newULID(), recall.Progress{Batch: "a", To: recall.Located, Amount: kg(30)})
			too := (*recall.AmountError)(nil)
			if took[i] = err == nil; err != nil && !errors.As(err, &too) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	file, err = svc.Get(ctx, id)
	check(t, err)
	n := int64(0)
	for _, ok := range took {
		if ok {
			n++
		}
	}
	if at := file.Holdings[0]; at.Amounts[recall.Located].N != n*kg(30).N || n != at.Held.N/kg(30).N || file.Steps != int(n)+1 {
		t.Errorf("%d reports were taken in %d steps; located are %v of %v", n, file.Steps, at.Amounts[recall.Located], at.Held)
	}
}

func testRecallLists(t *testing.T, s *store.Store) {
	ctx := t.Context()
	seed(t, s)
	svc := recaller(s)
	var ids []string
	for i := range 3 {
		b := newBatch(fmt.Sprint("b", i))
		check(t, s.AddBatch(ctx, b))
		svc.Now = func() time.Time { return noon.Add(time.Duration(i) * time.Minute) }
		id := newULID()
		_, err := svc.Open(ctx, officer, id, opened(recall.Start{Kind: recall.FromBatch, ID: b.ID, Without: []string{"harvested:garden-1:2026-05-20:2026-05-21"}}))
		check(t, err)
		ids = append([]string{id}, ids...)
	}
	hand, made, rec := moved("m1", chain.Sell, []chain.Input{in("b1", kg(1))})
	hand.To = "oysters"
	if refused := (*recall.Refused)(nil); !errors.As(s.Move(ctx, hand, made, rec), &refused) {
		t.Fatal("a recalled batch was sold")
	}
	_, err := svc.Close(ctx, officer, ids[0], newULID(), "all was eaten")
	check(t, err)
	for name, tt := range map[string]struct {
		f    recall.Filter
		want []string
	}{
		"all":             {recall.Filter{}, ids},
		"open":            {recall.Filter{Open: true}, ids[1:]},
		"one":             {recall.Filter{Limit: 1}, ids[:1]},
		"the next":        {recall.Filter{Limit: 1, After: ids[0]}, ids[1:2]},
		"of the holder":   {recall.Filter{Holder: "tea"}, ids},
		"of a stranger":   {recall.Filter{Holder: "oysters"}, []string{}},
		"of the city":     {recall.Filter{Region: "450400"}, ids},
		"of another":      {recall.Filter{Region: "450700"}, []string{}},
		"of Guangxi":      {recall.Filter{Region: "450000"}, ids},
		"of the universe": {recall.Filter{Region: "000000"}, []string{}},
	} {
		t.Run(name, func(t *testing.T) { equal(t, "recalls", tt.want)(s.Recalls(ctx, tt.f)) })
	}
}

func testRecallNotices(t *testing.T, s *store.Store) {
	ctx := t.Context()
	seed(t, s)
	check(t, s.AddBatch(ctx, newBatch("a")))
	svc, id := recaller(s), newULID()
	svc.Channels = []string{"webhook"}
	_, err := svc.Open(ctx, officer, id, opened(later))
	check(t, err)
	due := noon.Add(2 * time.Hour)
	got, err := s.RecallNoticesDue(ctx, due, 10)
	check(t, err)
	if len(got) != 2 {
		t.Fatalf("due are %+v", got)
	}
	byHolder := slices.IndexFunc(got, func(n recall.Notice) bool { return n.Holder == "tea" })
	check(t, s.RecallNoticeFailed(ctx, got[byHolder].ID(), "no_address", due.Add(time.Hour)))
	check(t, s.RecallNoticeSent(ctx, got[1-byHolder].ID(), due))
	wantErr(t, "sent again", s.RecallNoticeSent(ctx, got[1-byHolder].ID(), due), farm.ErrNotFound)
	if rest, err := s.RecallNoticesDue(ctx, due, 10); err != nil || len(rest) != 0 {
		t.Errorf("due are still %+v, %v", rest, err)
	}
	check(t, s.RecallNoticeFailed(ctx, got[byHolder].ID(), "no_address", time.Time{}))
	check(t, s.RecallNoticesAgain(ctx, id, due))
	if again, err := s.RecallNoticesDue(ctx, due, 10); err != nil || len(again) != 1 || again[0].Holder != "tea" {
		t.Errorf("asked for again, due are %+v, %v", again, err)
	}
	all, err := s.RecallNotices(ctx, id)
	check(t, err)
	for _, n := range all {
		if n.Holder == "tea" && (n.Attempts != 2 || n.Reason != "no_address" || !n.Sent.IsZero()) || n.Holder == "" && !n.Sent.Equal(due) {
			t.Errorf("stored is %+v", n)
		}
	}

	_, err = s.Hook(ctx, "tea")
	wantErr(t, "no hook", err, farm.ErrNotFound)
	hook := recall.Hook{Tenant: "tea", URL: "https://example.cn/x", Key: "whsec_x", Account: "wei", Set: due.Truncate(time.Microsecond)}
	check(t, s.PutHook(ctx, hook))
	equal(t, "hook", hook)(s.Hook(ctx, "tea"))
	if now, err := s.RecallNoticesDue(ctx, due, 10); err != nil || len(now) != 1 {
		t.Errorf("with an address, due are %+v, %v", now, err)
	}
	lost := hook
	lost.Tenant = "nobody"
	wantErr(t, "hook of nobody", s.PutHook(ctx, lost), farm.ErrNotFound)
	check(t, s.DeleteHook(ctx, "tea"))
	wantErr(t, "deleted again", s.DeleteHook(ctx, "tea"), farm.ErrNotFound)
}

// Over random histories of sites, lots and movements, what the database finds is what
// comes out of going through every batch and parent.
func testRecallHistories(t *testing.T, s *store.Store) {
	ctx := t.Context()
	seed(t, s)
	check(t, s.PutInput(ctx, newInput(7), "admin"))
	rng := rand.New(rand.NewPCG(1, 2))
	h := descent{grown: map[string][2]int{}, parents: map[string][]string{}, uses: map[string][]int{}}
	for i := range 3 {
		check(t, s.AddLot(ctx, newLot(fmt.Sprint("l", i), 1000)))
	}
	day := func(n int) time.Time { return noon.AddDate(0, 0, n-100) }
	for i := range 25 {
		lot, at := fmt.Sprint("l", rng.IntN(3)), rng.IntN(60)
		op, rec := newOperation(fmt.Sprint("o", i), day(at))
		op.Draw = draw(t, lot, 1, "L")
		check(t, s.AddOperation(ctx, op, rec))
		h.uses[lot] = append(h.uses[lot], at)
	}
	for i := range 15 {
		began := rng.IntN(60)
		b := newBatch(fmt.Sprint("g", i))
		h.grown[b.ID] = [2]int{began, began + rng.IntN(8)}
		b.Quantity, b.Began, b.Harvest = 1000, day(began), day(h.grown[b.ID][1])
		check(t, s.AddBatch(ctx, b))
		h.all = append(h.all, b.ID)
	}
	for i := range 60 {
		id, picked := fmt.Sprint("p", i), map[string]bool{}
		for range 1 + rng.IntN(3) {
			picked[h.all[rng.IntN(len(h.all))]] = true
		}
		var ins []chain.Input
		for b := range picked {
			ins = append(ins, in(b, chain.Amount{N: 1000, Unit: "kg"}))
		}
		m, _, _ := moved("mv-"+id, chain.Process, ins, out(id, kg(1)))
		if err := s.Move(ctx, m, madeOf(m, "garden-1"), recordOf(m)); err != nil {
			t.Fatal(err)
		}
		if rng.IntN(10) == 0 { // taken back
			void, _, _ := moved("void-"+id, chain.Void, nil)
			void.Corrects = m.ID
			check(t, s.Move(ctx, void, nil, recordOf(void)))
			continue
		}
		for b := range picked {
			h.parents[id] = append(h.parents[id], b)
		}
		h.all = append(h.all, id)
	}
	svc := recaller(s)
	for round := range 8 {
		start, touches := h.start(rng, day)
		plan, _, err := svc.Preview(ctx, officer, start)
		check(t, err)
		got := map[string]bool{}
		for _, m := range plan.Members {
			got[m.ID] = true
		}
		for _, b := range h.all {
			if want := h.reached(b, touches); got[b] != want {
				t.Fatalf("round %d, %+v, batch %s: found %t, want %t", round, start, b, got[b], want)
			}
			in, err := recall.Covers(ctx, s.Past(), plan.Causes, nil, b)
			check(t, err)
			if in != got[b] {
				t.Fatalf("round %d, %+v, batch %s: covered %t, found %t", round, start, b, in, got[b])
			}
		}
	}
}

// descent is what testRecallHistories knows of what it wrote.
type descent struct {
	all     []string
	grown   map[string][2]int // first and last day
	parents map[string][]string
	uses    map[string][]int // days, by lot
}

// start returns a start, and which grown batches it touches.
func (h descent) start(rng *rand.Rand, day func(int) time.Time) (recall.Start, func(string) bool) {
	if rng.IntN(2) == 0 {
		lot := fmt.Sprint("l", rng.IntN(3))
		// The lots are all of one batch of their maker, but of the start's only are they used.
		return recall.Start{Kind: recall.FromLot, ID: lot}, func(b string) bool {
			g, ok := h.grown[b]
			return ok && slices.ContainsFunc(h.uses[lot], func(d int) bool { return g[0] <= d && d <= g[1] })
		}
	}
	from := rng.IntN(60)
	to := from + rng.IntN(4)
	return recall.Start{Kind: recall.FromSite, ID: "garden-1", From: day(from), To: day(to)}, func(b string) bool {
		g, ok := h.grown[b]
		return ok && g[0] <= to && from <= g[1]
	}
}

func (h descent) reached(b string, touches func(string) bool) bool {
	return touches(b) || slices.ContainsFunc(h.parents[b], func(p string) bool { return h.reached(p, touches) })
}
