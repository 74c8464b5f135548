package store_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"tianhai/cmd/internal/store"
	"tianhai/farm"
	"tianhai/trace"
	"tianhai/trace/catalog"
	"tianhai/trace/chain"
	"tianhai/trace/gate"
	"tianhai/trace/input"
	"tianhai/trace/recall"
)

// A tale is a random history of movements of two farms, and the model that it is
// held against: plain sums, done by hand.
type tale struct {
	t       *testing.T
	store   *store.Store
	service *trace.Service
	rnd     *rand.Rand
	now     time.Time

	left      map[string]int64  // grams or bags, by batch
	unit      map[string]string // of batches that are counted
	owner     map[string]string
	from      map[string][]string // what a batch was made of
	moved     []chain.Movement    // that hold, oldest first
	pending   []chain.Movement    // handed over, no answer
	batches   []string
	counts    map[string]int
	movements []string          // all that were stored
	sites     map[string]string // by tenant
	// barred, where there is one, says what else is wrong with a movement: what
	// gates and recalls know of.
	barred func(m chain.Movement, wrong error) error
}

func newTale(t *testing.T, s *store.Store, r *rand.Rand) *tale {
	return &tale{
		t: t, store: s, rnd: r, now: noon.Truncate(time.Millisecond),
		left: map[string]int64{}, unit: map[string]string{}, owner: map[string]string{}, from: map[string][]string{}, counts: map[string]int{},
		sites: map[string]string{"tea": "garden-1", "oysters": "raft-1"},
	}
}

func grams(n int64) chain.Amount { return chain.Amount{N: n * 1e3, Unit: "g"} }

// bags are counted in thousandths, as grams are in milligrams.
func bags(n int64) chain.Amount { return chain.Amount{N: n * 1e3, Unit: "{bag}"} }

// of returns so much of what a batch is counted in.
func (s *tale) of(batch string, n int64) chain.Amount {
	return chain.Amount{N: n * 1e3, Unit: cmp.Or(s.unit[batch], "g")}
}

// tell moves, and checks that it was as legal as the model says, with an error of
// the kind that is wanted.
func (s *tale) tell(m chain.Movement, wrong error) bool {
	s.t.Helper()
	if s.barred != nil {
		wrong = s.barred(m, wrong)
	}
	_, added, err := s.service.Move(s.t.Context(), m)
	if (err == nil) != (wrong == nil) {
		s.t.Fatalf("%s: %v, want %v: %+v", m.Kind, err, wrong, m)
	}
	what := string(m.Kind)
	if wrong != nil {
		what = "refused " + what
		if got, want := fmt.Sprintf("%T", cause(err)), fmt.Sprintf("%T", wrong); got != want {
			s.t.Fatalf("%s: %s (%v), want %s", what, got, err, want)
		}
		if _, err := s.store.Movement(s.t.Context(), m.ID); !errors.Is(err, farm.ErrNotFound) {
			s.t.Fatalf("what was refused is there: %v", err)
		}
	} else {
		s.movements = append(s.movements, m.ID)
		if _, again, err := s.service.Move(s.t.Context(), m); err != nil || again || !added {
			s.t.Fatalf("%s again: new %v, %v", m.Kind, again, err)
		}
	}
	s.counts[what]++
	return err == nil
}

// cause is the error that callers branch on.
func cause(err error) error {
	for _, as := range []func(error) error{
		as[*chain.ShortError], as[*chain.BalanceError], as[*chain.DependentError], as[*trace.FieldError], as[*chain.FieldError], as[*gate.Refused], as[*recall.Refused],
	} {
		if e := as(err); e != nil {
			return e
		}
	}
	return err
}

func as[E error](err error) error {
	if e, ok := errors.AsType[E](err); ok {
		return e
	}
	return nil
}

func (s *tale) movement(tenant string, kind chain.Kind) chain.Movement {
	s.now = s.now.Add(time.Minute)
	return chain.Movement{ID: ulid.Make().String(), Tenant: tenant, Kind: kind, At: s.now, Person: "wei"}
}

// pick returns batches of a tenant, counted alike, of which something is left, and
// takes random parts of them; over takes more than there is of the last.
func (s *tale) pick(tenant string, most int, over bool) (ins []chain.Input, total int64) {
	seen := map[string]bool{}
	for range 40 {
		if len(ins) == most || len(s.batches) == 0 {
			break
		}
		b := s.batches[len(s.batches)-1-s.rnd.IntN(min(60, len(s.batches)))]
		if s.owner[b] != tenant || s.left[b] == 0 || seen[b] || len(ins) > 0 && s.unit[b] != s.unit[ins[0].Batch] {
			continue
		}
		seen[b] = true
		n := 1 + s.rnd.Int64N(s.left[b])
		ins, total = append(ins, chain.Input{Batch: b, Amount: s.of(b, n)}), total+n
	}
	if over && len(ins) > 0 {
		in := &ins[len(ins)-1]
		more := s.left[in.Batch] + 1 - in.Amount.N/1e3
		in.Amount, total = s.of(in.Batch, s.left[in.Batch]+1), total+more
	}
	return ins, total
}

// share makes outputs of a total and a loss of the rest. Some dry, or change what they
// are counted in, and say how much became them.
func (s *tale) share(m *chain.Movement, total int64, most int) {
	of := func(n int64) chain.Amount { return grams(n) }
	if len(m.Inputs) > 0 {
		of = func(n int64) chain.Amount { return s.of(m.Inputs[0].Batch, n) }
	}
	m.Outputs, m.Losses = nil, nil
	for range 1 + s.rnd.IntN(most) {
		if total < 2 {
			break
		}
		n := 1 + s.rnd.Int64N(total)
		total -= n
		out := chain.Output{Batch: ulid.Make().String(), Product: "liubao", Lot: "x", Amount: of(n)}
		if from := out.Amount; m.Kind == chain.Process && s.rnd.IntN(3) == 0 {
			out.From, out.Amount = &from, of(1+s.rnd.Int64N(n))
		} else if m.Kind == chain.Pack {
			if out.From, out.Amount = &from, bags(1+s.rnd.Int64N(40)); from.Unit == "{bag}" {
				out.Amount = grams(1 + s.rnd.Int64N(1e4)) // unpacked again
			}
		}
		m.Outputs = append(m.Outputs, out)
	}
	if total > 0 && len(m.Outputs) > 0 {
		m.Losses = []chain.Lost{{Amount: of(total), Reason: "灰末"}}
	}
}

// done keeps in the model what a movement did.
func (s *tale) done(m chain.Movement) {
	s.moved = append(s.moved, m)
	if m.Draws() {
		for _, in := range m.Inputs {
			s.left[in.Batch] -= in.Amount.N / 1e3
		}
	}
	for _, o := range m.Outputs {
		s.left[o.Batch], s.owner[o.Batch], s.unit[o.Batch] = o.Amount.N/1e3, m.Tenant, o.Amount.Unit
		s.batches = append(s.batches, o.Batch)
		for _, in := range m.Inputs {
			s.from[o.Batch] = append(s.from[o.Batch], in.Batch)
		}
	}
}

// undone takes it out of the model again.
func (s *tale) undone(m chain.Movement) {
	s.moved = deleteMovement(s.moved, m.ID)
	s.pending = deleteMovement(s.pending, m.ID)
	if m.Draws() {
		for _, in := range m.Inputs {
			s.left[in.Batch] += in.Amount.N / 1e3
		}
	}
	for _, o := range m.Outputs {
		s.left[o.Batch] = 0
		delete(s.from, o.Batch)
		delete(s.owner, o.Batch)
	}
}

func deleteMovement(all []chain.Movement, id string) (kept []chain.Movement) {
	for _, m := range all {
		if m.ID != id {
			kept = append(kept, m)
		}
	}
	return kept
}

// hangsOn reports whether a movement that holds uses what m made or handed over.
func (s *tale) hangsOn(m chain.Movement) bool {
	for _, other := range s.moved {
		if other.Handover == m.ID {
			return true
		}
		for _, in := range other.Inputs {
			for _, o := range m.Outputs {
				if in.Batch == o.Batch {
					return true
				}
			}
		}
	}
	return false
}

func (s *tale) step() {
	tenant := []string{"tea", "tea", "tea", "oysters"}[s.rnd.IntN(4)]
	site := s.sites[tenant]
	over := s.rnd.IntN(6) == 0
	var short error
	if over {
		short = &chain.ShortError{}
	}
	switch s.rnd.IntN(14) {
	case 0, 1:
		m := s.movement(tenant, chain.Harvest)
		m.Site = site
		s.share(&m, 1e6, 3)
		m.Losses = nil
		for i := range m.Outputs {
			m.Outputs[i].Began, m.Outputs[i].Harvest = s.now.AddDate(0, -2, 0), s.now.Add(-time.Minute)
		}
		if s.tell(m, nil) {
			s.done(m)
		}
	case 2, 3, 4:
		m := s.movement(tenant, chain.Process)
		m.Step = "fixing"
		ins, total := s.pick(tenant, 1+s.rnd.IntN(3), over)
		if m.Inputs = ins; len(ins) == 0 {
			return
		}
		if s.share(&m, total, 3); len(m.Outputs) == 0 {
			return
		}
		wrong := short
		if first := &m.Outputs[0]; !over && s.rnd.IntN(6) == 0 { // more comes out than went in
			first.Amount.N += 1e3
			wrong = &chain.BalanceError{}
			if first.From != nil {
				first.Amount.N, wrong = first.From.N+1, &chain.FieldError{}
			}
		}
		if s.tell(m, wrong) {
			s.done(m)
		}
	case 5:
		m := s.movement(tenant, chain.Merge)
		ins, total := s.pick(tenant, 2, over)
		if m.Inputs = ins; len(ins) < 2 {
			return
		}
		all := s.of(ins[0].Batch, total)
		m.Outputs = []chain.Output{{Batch: ulid.Make().String(), Product: "liubao", Lot: "拼", Amount: all, From: &all}}
		if s.tell(m, short) {
			s.done(m)
		}
	case 6, 7:
		m := s.movement(tenant, chain.Sell)
		ins, _ := s.pick(tenant, 2, over)
		if m.Inputs = ins; len(ins) == 0 {
			return
		}
		m.Buyer = &chain.Buyer{Name: "张三"}
		if s.rnd.IntN(2) == 0 {
			m.Buyer, m.To = nil, map[string]string{"tea": "oysters", "oysters": "tea"}[tenant]
		}
		if s.tell(m, short) {
			s.done(m)
			if m.To != "" {
				s.pending = append(s.pending, m)
			}
		}
	case 8:
		s.answer()
	case 9:
		s.part(tenant, over)
	case 10:
		m := s.movement(tenant, chain.Pack)
		ins, total := s.pick(tenant, 2, over)
		if m.Inputs = ins; len(ins) == 0 {
			return
		}
		if s.share(&m, total, 2); len(m.Outputs) > 0 && s.tell(m, short) {
			s.done(m)
		}
	case 11:
		s.correct()
	case 12:
		m := s.movement(tenant, chain.Loss)
		ins, _ := s.pick(tenant, 1, over)
		if m.Inputs, m.Reason = ins, "受潮"; len(ins) == 0 {
			return
		}
		if s.tell(m, short) {
			s.done(m)
		}
	default:
		s.takeBack()
	}
}

// part splits one batch into two, or into more than it is.
func (s *tale) part(tenant string, over bool) {
	m := s.movement(tenant, chain.Split)
	ins, total := s.pick(tenant, 1, false)
	if m.Inputs = ins; len(ins) == 0 || total < 2 {
		return
	}
	n, rest := 1+s.rnd.Int64N(total-1), int64(0)
	var wrong error
	if over {
		rest, wrong = 1, &chain.BalanceError{}
	}
	for _, n := range []int64{n, total - n + rest} {
		m.Outputs = append(m.Outputs, chain.Output{Batch: ulid.Make().String(), Product: "liubao", Lot: "分", Amount: s.of(ins[0].Batch, n)})
	}
	if s.tell(m, wrong) {
		s.done(m)
	}
}

// correct says better how much was taken: of the first batch one more than was said,
// or only half.
func (s *tale) correct() {
	if len(s.moved) == 0 {
		return
	}
	old := s.moved[len(s.moved)-1-s.rnd.IntN(min(len(s.moved), 12))]
	if !slices.Contains([]chain.Kind{chain.Process, chain.Pack, chain.Sell, chain.Loss, chain.Merge}, old.Kind) {
		return
	}
	m := s.movement(old.Tenant, old.Kind)
	m.Step, m.Buyer, m.To, m.Corrects, m.Reason, m.Inputs = old.Step, old.Buyer, old.To, old.ID, "称错", slices.Clone(old.Inputs)
	first := &m.Inputs[0]
	if first.Amount.N = max(first.Amount.N/2000, 1) * 1e3; s.rnd.IntN(2) == 0 {
		first.Amount.N = old.Inputs[0].Amount.N + 1e3
	}
	total := int64(0)
	for _, in := range m.Inputs {
		total += in.Amount.N / 1e3
	}
	switch old.Kind {
	case chain.Process, chain.Pack:
		if s.share(&m, total, 2); len(m.Outputs) == 0 {
			return
		}
	case chain.Merge:
		all := s.of(first.Batch, total)
		m.Outputs = []chain.Output{{Batch: ulid.Make().String(), Product: "liubao", Lot: "拼", Amount: all, From: &all}}
	}
	var wrong error
	switch {
	case s.hangsOn(old):
		wrong = &chain.DependentError{}
	case first.Amount.N > s.left[first.Batch]*1e3+old.Inputs[0].Amount.N:
		wrong = &chain.ShortError{}
	}
	if !s.tell(m, wrong) {
		return
	}
	s.counts["corrected"]++
	s.undone(old)
	if s.done(m); m.To != "" {
		s.pending = append(s.pending, m)
	}
}

// answer receives or declines what was handed over, or tries to at another farm.
func (s *tale) answer() {
	if len(s.pending) == 0 {
		return
	}
	from := s.pending[s.rnd.IntN(len(s.pending))]
	m := s.movement(from.To, chain.Receive)
	m.Site, m.Handover = s.sites[from.To], from.ID
	switch s.rnd.IntN(4) {
	case 0: // not theirs
		m.Tenant, m.Site = from.Tenant, s.sites[from.Tenant]
		m.Outputs = []chain.Output{{Batch: ulid.Make().String(), Product: "liubao", Lot: "x", Amount: grams(1)}}
		s.tell(m, &trace.FieldError{})
	case 1:
		m.Kind, m.Site, m.Reason = chain.Decline, "", "质量不符"
		if s.tell(m, nil) {
			s.undone(from)
		}
	default:
		total := int64(0)
		for _, in := range from.Inputs {
			total += in.Amount.N / 1e3
		}
		m.Outputs = []chain.Output{{Batch: ulid.Make().String(), Product: "liubao", Lot: "收", Amount: s.of(from.Inputs[0].Batch, total)}}
		if s.tell(m, nil) {
			m.Inputs = from.Inputs
			s.done(m)
			s.pending = deleteMovement(s.pending, from.ID)
		}
	}
}

func (s *tale) takeBack() {
	if len(s.moved) == 0 {
		return
	}
	old := s.moved[len(s.moved)-1-s.rnd.IntN(min(len(s.moved), 12))]
	m := s.movement(old.Tenant, chain.Void)
	m.Corrects, m.Reason = old.ID, "记错"
	var wrong error
	if s.hangsOn(old) {
		wrong = &chain.DependentError{}
	}
	if !s.tell(m, wrong) {
		return
	}
	s.undone(old)
	if old.Kind == chain.Receive {
		for _, sold := range s.moved {
			if sold.ID == old.Handover {
				s.pending = append(s.pending, sold)
			}
		}
	}
}

// testChainHistories tells two thousand random movements, legal and not, of two farms
// that trade, and holds them against the model: what leaves a batch is at most what
// it held, no batch is without what made it, each movement has its record, and the
// genealogy is what following by hand gives.
func testChainHistories(t *testing.T, s *store.Store) {
	seed(t, s)
	ctx := t.Context()
	books, err := catalog.Open(ctx, s, nil)
	check(t, err)
	told := newTale(t, s, rand.New(rand.NewPCG(7, 2026)))
	told.service = &trace.Service{Store: s, Journal: s, Chain: s, Catalogs: books, Licences: s, Inputs: s, Bans: input.Banned(), Now: func() time.Time { return told.now }}
	steps, least := 2000, 3 // of each kind
	if underRace {
		steps, least = 500, 1
	}
	for range steps {
		told.step()
	}
	for _, what := range []string{"harvest", "process", "merge", "sell", "loss", "receive", "decline", "void", "refused process", "refused merge", "refused sell", "refused loss", "refused receive", "refused void"} {
		if told.counts[what] < least {
			t.Errorf("%s: only %d; the history is lopsided: %v", what, told.counts[what], told.counts)
		}
	}
	goods, err := s.Goods(ctx, told.batches)
	check(t, err)
	for _, g := range goods {
		if g.Left.N != told.left[g.Batch]*1e3 || g.Left.N < 0 {
			t.Errorf("%s: %s left, want %d g", g.Batch, g.Left, told.left[g.Batch])
		}
		if g.MadeBy == "" {
			t.Errorf("%s is an orphan", g.Batch)
		}
		if _, holds := told.owner[g.Batch]; holds == g.Void {
			t.Errorf("%s: void %v", g.Batch, g.Void)
		}
	}
	if len(goods) != len(told.batches) {
		t.Errorf("%d batches of %d", len(goods), len(told.batches))
	}
	records := map[string]int{}
	recs, err := s.Unsealed(ctx, 10_000)
	check(t, err)
	for _, r := range recs {
		if r.Kind == trace.MovementRecord {
			records[r.Subject]++
		}
		if strings.Contains(string(r.Body), "张三") {
			t.Errorf("record %s names the buyer: %s", r.ID, r.Body)
		}
	}
	if len(records) != len(told.movements) {
		t.Errorf("%d records of %d movements", len(records), len(told.movements))
	}
	into := map[string][]string{}
	for b, from := range told.from {
		for _, f := range from {
			into[f] = append(into[f], b)
		}
	}
	for range 60 {
		b := told.batches[told.rnd.IntN(len(told.batches))]
		if _, holds := told.owner[b]; !holds {
			continue
		}
		wantKin(t, s, b, chain.Up, naive(b, told.from))
		wantKin(t, s, b, chain.Down, naive(b, into))
	}
}

// A sale is refused while anything that went into the batch, however far back, is
// inside an interval; and a buyer's name can be erased without a byte of the record.
func testChainGates(t *testing.T, s *store.Store) {
	seed(t, s)
	ctx := t.Context()
	books, err := catalog.Open(ctx, s, nil)
	check(t, err)
	now := noon.Truncate(time.Millisecond)
	service := &trace.Service{Store: s, Journal: s, Chain: s, Catalogs: books, Licences: s, Inputs: s, Bans: input.Banned(), Now: func() time.Time { return now }}
	movement := func(kind chain.Kind, ins []chain.Input, outs ...chain.Output) chain.Movement {
		return chain.Movement{ID: ulid.Make().String(), Tenant: "tea", Kind: kind, At: now, Person: "wei", Inputs: ins, Outputs: outs}
	}
	do := func(m chain.Movement) chain.Movement {
		t.Helper()
		_, _, err := service.Move(ctx, m)
		check(t, err)
		return m
	}
	id := func() string { return ulid.Make().String() }
	early, late := id(), id()
	for _, b := range []struct {
		id   string
		days int
	}{{early, 10}, {late, 0}} {
		m := movement(chain.Harvest, nil, chain.Output{Batch: b.id, Product: "liubao", Lot: "x", Amount: kg(10), Began: now.AddDate(0, -3, 0), Harvest: now.AddDate(0, 0, -b.days).Add(-time.Hour)})
		m.Site = "garden-1"
		do(m)
	}
	made, blend := id(), id()
	process := movement(chain.Process, []chain.Input{in(late, kg(10))}, out(made, kg(10)))
	process.Step = "drying"
	do(process)
	do(movement(chain.Merge, []chain.Input{in(early, kg(5)), in(made, kg(5))}, out(blend, kg(10))))
	_, _, err = service.AddOperation(ctx, trace.Operation{ // recorded late
		ID: id(), Tenant: "tea", Site: "garden-1", Kind: "spray", At: now.AddDate(0, 0, -3), Person: "wei",
		Items: []trace.Item{{Key: "product", Value: "示例"}, {Key: "maker", Value: "厂"}, {Key: "target", Value: "虫"}, {Key: "registration", Value: "—"}, {Key: "dose", Value: "60", Unit: "mL/[mu_chn]"}, {Key: "interval", Value: "7", Unit: "d"}, {Key: "lot", Value: "—"}},
	})
	check(t, err)
	sell := func(batch string) (chain.Movement, error) {
		m := movement(chain.Sell, []chain.Input{in(batch, kg(1))})
		m.Buyer = &chain.Buyer{Name: "张三", Phone: "13800000000"}
		stored, _, err := service.Move(ctx, m)
		return stored, err
	}
	for _, batch := range []string{made, blend} {
		if _, err := sell(batch); !errors.As(err, new(*gate.Refused)) {
			t.Errorf("selling what was picked inside an interval: %v", err)
		}
	}
	sold, err := sell(early)
	check(t, err)
	if got, err := s.Movement(ctx, sold.ID); err != nil || got.Buyer == nil || got.Buyer.Name != "张三" || got.Buyer.Phone != "13800000000" {
		t.Errorf("the buyer: %+v, %v", got.Buyer, err)
	}
	before, err := s.RecordsOf(ctx, sold.ID)
	check(t, err)
	if strings.Contains(string(before[0].Body), "张三") || !strings.Contains(string(before[0].Body), trace.BuyerName) {
		t.Errorf("the record: %s", before[0].Body)
	}
	if erased, err := service.EraseBuyer(ctx, sold.ID, "admin"); err != nil || !erased {
		t.Errorf("erase: %v, %v", erased, err)
	}
	if erased, err := service.EraseBuyer(ctx, sold.ID, "admin"); err != nil || erased {
		t.Errorf("erase again: %v, %v", erased, err)
	}
	if got, err := s.Movement(ctx, sold.ID); err != nil || got.Buyer != nil {
		t.Errorf("erased: %+v, %v", got.Buyer, err)
	}
	after, err := s.RecordsOf(ctx, sold.ID)
	if err != nil || string(after[0].Leaf()) != string(before[0].Leaf()) {
		t.Errorf("the leaf is another one: %v", err)
	}
	if _, added, err := service.Move(ctx, sold); err != nil || added {
		t.Errorf("the same sale again, after it: %v, %v", added, err)
	}
	testBlendRecord(t, s, service, early)
}

// testBlendRecord closes what is made of one harvest, and what is blended of the
// harvests of two farms, and reads what a consumer is told of them.
func testBlendRecord(t *testing.T, s *store.Store, service *trace.Service, early string) {
	t.Helper()
	ctx := t.Context()
	codes := 0
	service.Evidence, service.NewCode = silent{}, func() (string, error) { codes++; return fmt.Sprint("CODE", codes), nil }
	at := service.Now()
	id := func() string { return ulid.Make().String() }
	do := func(m chain.Movement) string {
		t.Helper()
		m.ID, m.At, m.Person = id(), at, "wei"
		_, _, err := service.Move(ctx, m)
		check(t, err)
		return m.ID
	}
	closed := func(batch string) trace.PublicRecord {
		t.Helper()
		b, err := service.CloseBatch(ctx, batch)
		check(t, err)
		rec, err := s.RecordByCode(ctx, b.Code)
		check(t, err)
		if strings.Contains(string(rec.Body), oysters.Name.Zh) || strings.Contains(string(rec.Body), raft.Name.Zh) {
			t.Errorf("the record names another farm: %s", rec.Body)
		}
		public, err := trace.ParsePublicRecord(rec.Body)
		check(t, err)
		return public
	}
	pure, theirs, got, blend := id(), id(), id(), id()
	do(chain.Movement{Tenant: "tea", Kind: chain.Process, Step: "fixing", Inputs: []chain.Input{in(early, kg(2))}, Outputs: []chain.Output{out(pure, kg(2))}})
	do(chain.Movement{Tenant: "oysters", Kind: chain.Harvest, Site: "raft-1", Outputs: []chain.Output{{Batch: theirs, Product: "liubao", Lot: "y", Amount: kg(9), Began: at.AddDate(0, -1, 0), Harvest: at.Add(-time.Hour)}}})
	sale := do(chain.Movement{Tenant: "oysters", Kind: chain.Sell, To: "tea", Inputs: []chain.Input{in(theirs, kg(4))}})
	do(chain.Movement{Tenant: "tea", Kind: chain.Receive, Site: "garden-1", Handover: sale, Outputs: []chain.Output{out(got, kg(4))}})
	do(chain.Movement{Tenant: "tea", Kind: chain.Merge, Inputs: []chain.Input{in(got, kg(4)), in(pure, kg(1))}, Outputs: []chain.Output{out(blend, kg(5))}})

	one := closed(pure)
	if one.Blend || one.Kin == nil || len(one.Kin.Batches) != 2 || len(one.Kin.Origins()) != 1 || one.Kin.Steps[0].Name.Zh != "杀青" || one.Origin.Kind != farm.Garden {
		t.Errorf("of one harvest: %+v, %+v", one.Kin, one.Origin)
	}
	many := closed(blend)
	if !many.Blend || len(many.Operations) != 0 || many.Kin == nil || len(many.Kin.Batches) != 5 || len(many.Kin.Origins()) != 2 || len(many.Kin.Steps) != 3 {
		t.Fatalf("of two farms: blend %v, %d operations, %+v", many.Blend, len(many.Operations), many.Kin)
	}
	towns := ""
	for _, o := range many.Kin.Origins() {
		towns += many.Kin.Batches[o].Place.Prefecture.Zh + many.Kin.Batches[o].Place.Town.Zh + " "
	}
	if !strings.Contains(towns, "龙门港镇") || !strings.Contains(towns, "梧州") {
		t.Errorf("places: %s", towns)
	}
	if g := many.Kin.Graph(); g.Batches[len(g.Batches)-1].Depth != 0 || g.Batches[0].Depth != -3 && g.Batches[0].Depth != -2 {
		t.Errorf("the graph of its kin: %+v", g.Batches)
	}
	codesOf := ""
	for _, b := range many.Kin.Batches {
		codesOf += b.Code
	}
	if codesOf != one.Code {
		t.Errorf("its kin bear the codes %q, want %q", codesOf, one.Code)
	}
}

// silent are sensors that say nothing.
type silent struct{}

func (silent) Readings(context.Context, trace.ReadingsQuery, func(farm.Sample) error) error {
	return nil
}

// A sale that was held against a history which has grown since writes nothing.
func testSaleMoved(t *testing.T, s *store.Store) {
	ctx := t.Context()
	seed(t, s)
	move(t, s, "m1", chain.Harvest, nil, out("a", kg(10)))
	version, err := s.Version(ctx, "garden-1")
	check(t, err)
	sale, _, rec := moved("s1", chain.Sell, []chain.Input{in("a", kg(4))})
	sale.Buyer, sale.Seen = &chain.Buyer{Name: "张三"}, []chain.Seen{{Site: "garden-1", Tenant: "tea", Version: version}}
	op, opRec := newOperation("o1", noon)
	check(t, s.AddOperation(ctx, op, opRec))
	wantErr(t, "sale beside a spray", s.Move(ctx, sale, nil, rec), trace.ErrMoved)
	wantLeft(t, s, "afterwards", "[10]", "a")
	sale.Seen[0].Version, err = s.Version(ctx, "garden-1")
	check(t, err)
	check(t, s.Move(ctx, sale, nil, rec))
	wantLeft(t, s, "looked at again", "[6]", "a")
}
