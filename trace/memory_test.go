package trace_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tianhai/farm"
	"tianhai/trace"
	"tianhai/trace/catalog"
	"tianhai/trace/chain"
)

// books is a catalog in two versions, in the second of which nobody prunes and
// spraying needs a target.
type books struct{ now, before *catalog.Catalog }

func newBooks() *books {
	var b strings.Builder
	b.WriteString("stages: [{id: all, name: {zh: 全程, en: All}}]\ncommon: [photo]\nitems:\n" +
		"  - {key: quantity, type: number, units: [kg], min: 0, name: {zh: 数量, en: Quantity}, source: 本场}\n" +
		"  - {key: target, type: text, name: {zh: 防治对象, en: Target}, source: 本场}\n" +
		"  - {key: buyer, type: text, private: true, name: {zh: 购买人, en: Buyer}, source: 本场}\n" +
		"  - {key: grade, type: choice, choices: [{key: first, name: {zh: 一级, en: first}}], name: {zh: 等级, en: Grade}, source: 本场}\n" +
		"  - {key: reason, type: text, name: {zh: 原因, en: Reason}, source: 本场}\n" +
		"  - {key: photo, type: photo, many: true, name: {zh: 照片, en: Photo}, source: 本场}\n" +
		"operations:\n  - {kind: void, stage: all, name: {zh: 作废, en: Voided}, required: [reason], source: 本场}\n")
	for _, kind := range []string{"prune", "stock", "feed", "inspect", "harvest"} {
		fmt.Fprintf(&b, "  - {kind: %s, stage: all, name: {zh: 做%s, en: Do %s}, required: [quantity], wanted: [buyer, grade], source: 本场}\n", kind, kind, kind)
	}
	b.WriteString("  - {kind: spray, stage: all, medicine: true, name: {zh: 施药, en: Spraying}, required: [quantity], wanted: [target], source: 本场}\n" +
		"products: [{id: oyster, group: aquatic, name: {zh: 蚝, en: Oysters}, sites: [raft], operations: [harvest]}]\n")
	before := b.String()
	now := strings.Replace(before, "[quantity], wanted: [target]", "[quantity, target], wanted: []", 1)
	now = strings.Replace(now, "kind: prune", "kind: shear", 1)
	out := &books{}
	for i, doc := range []string{before, now} {
		c, err := catalog.Parse([]byte(doc))
		if err != nil {
			panic(err)
		}
		c.Version = i + 1
		out.before, out.now = out.now, c
	}
	return out
}

func (b *books) Current() *catalog.Catalog { return b.now }

func (b *books) At(_ context.Context, version int) (*catalog.Catalog, error) {
	for _, c := range []*catalog.Catalog{b.before, b.now} {
		if c.Version == version {
			return c, nil
		}
	}
	return nil, farm.ErrNotFound
}

// memory meets the interfaces of trace for its own tests. The SQL store has its
// own contract tests, and the whole is tested end to end in cmd.
type memory struct {
	mu      sync.Mutex
	tenant  farm.Tenant
	sites   map[string]farm.Site
	product trace.Product
	batches map[string]trace.Batch
	ops     []trace.Operation
	records []trace.Record
	moved   []chain.Movement

	versions  map[string]int64 // of sites, from 0
	overrides map[string]trace.Override

	sealFails int // refuse so many receipts
}

func newMemory() *memory {
	return &memory{
		tenant: farm.Tenant{ID: "maowei", Name: farm.Text{Zh: "茅尾海蚝业", En: "Maowei Oysters"}, CreditCode: "91450700MA5KXXXXXX", Phone: "0777-12345", Region: "450700"},
		sites: map[string]farm.Site{
			"raft-1": {ID: "raft-1", Tenant: "maowei", Region: "450702", Kind: farm.Raft, Name: farm.Text{Zh: "一号蚝排"}, Town: farm.Text{Zh: "尖山街道", En: "Jianshan"}, Latitude: 21.8349, Longitude: 108.5712},
			"pond-9": {ID: "pond-9", Tenant: "stranger", Region: "450500", Kind: farm.Pond},
		},
		product: trace.Product{ID: "oyster", Kind: trace.Aquatic, Name: farm.Text{Zh: "大蚝", En: "Oyster"}},
		batches: map[string]trace.Batch{}, versions: map[string]int64{}, overrides: map[string]trace.Override{},
	}
}

func (m *memory) Tenant(_ context.Context, id string) (farm.Tenant, error) {
	if id != m.tenant.ID {
		return farm.Tenant{}, farm.ErrNotFound
	}
	return m.tenant, nil
}

func (m *memory) Site(_ context.Context, id string) (farm.Site, error) {
	s, ok := m.sites[id]
	if !ok {
		return farm.Site{}, farm.ErrNotFound
	}
	return s, nil
}

func (m *memory) Product(_ context.Context, id string) (trace.Product, error) {
	if id != m.product.ID {
		return trace.Product{}, farm.ErrNotFound
	}
	return m.product, nil
}

func (m *memory) Batch(_ context.Context, id string) (trace.Batch, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b, ok := m.batches[id]
	if !ok {
		return trace.Batch{}, farm.ErrNotFound
	}
	return b, nil
}

func (m *memory) Operations(_ context.Context, site string, from, to time.Time) ([]trace.Operation, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []trace.Operation
	for _, op := range m.ops {
		if op.Site == site && !op.At.Before(from) && op.At.Before(to) {
			out = append(out, op)
		}
	}
	slices.SortStableFunc(out, func(a, b trace.Operation) int { return a.At.Compare(b.At) })
	return out, nil
}

func (m *memory) AddOperation(_ context.Context, op trace.Operation, rec trace.Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, o := range m.ops {
		if o.ID == op.ID && !o.Same(op) {
			return farm.ErrConflict
		} else if o.ID == op.ID {
			return nil
		}
	}
	if err := m.move(op.Site, op.Seen); err != nil {
		return err
	}
	m.ops, m.records = append(m.ops, op), append(m.records, rec)
	for _, l := range op.Late {
		m.records = append(m.records, l.Record)
	}
	for _, l := range op.Leave {
		m.use(l, op.ID)
	}
	return nil
}

func (m *memory) Version(_ context.Context, site string) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return 1 + m.versions[site], nil
}

// move is called with the lock held.
func (m *memory) move(site string, seen int64) error {
	if seen != 0 && seen != 1+m.versions[site] {
		return trace.ErrMoved
	}
	m.versions[site]++
	return nil
}

// Move knows harvests, of which nothing is made here.
func (m *memory) Move(_ context.Context, moved chain.Movement, made []trace.Batch, rec trace.Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, b := range made {
		if _, ok := m.batches[b.ID]; ok {
			return farm.ErrConflict
		}
		if err := m.move(b.Site, b.Seen); err != nil {
			return err
		}
		for _, l := range b.Leave {
			m.use(l, b.ID)
		}
		b.Seen, b.Leave = 0, nil
		m.batches[b.ID] = b
	}
	m.moved, m.records = append(m.moved, moved), append(m.records, rec)
	return nil
}

func (m *memory) Movement(context.Context, string) (chain.Movement, error) {
	return chain.Movement{}, farm.ErrNotFound
}

func (m *memory) Goods(context.Context, []string) ([]chain.Goods, error) { return nil, nil }

func (m *memory) Genealogy(context.Context, []string, chain.Direction) (chain.Graph, error) {
	return chain.Graph{}, nil
}

func (m *memory) EraseBuyer(context.Context, string, trace.Record) (bool, error) { return false, nil }

func (m *memory) CloseBatch(_ context.Context, b trace.Batch, rec trace.Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.batches[b.ID].Code != "" {
		return farm.ErrConflict
	}
	if err := m.move(b.Site, b.Seen); err != nil {
		return err
	}
	b.Seen = 0
	m.batches[b.ID], m.records = b, append(m.records, rec)
	return nil
}

func (m *memory) Unsealed(_ context.Context, limit int) ([]trace.Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []trace.Record
	for _, r := range m.records {
		if r.Receipt == "" && len(out) < limit {
			out = append(out, r)
		}
	}
	return out, nil
}

func (m *memory) Sealed(_ context.Context, id string, seal trace.Seal) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.sealFails > 0 {
		m.sealFails--
		return errors.New("disk full")
	}
	for i := range m.records {
		if m.records[i].ID == id {
			m.records[i].Log, m.records[i].Index, m.records[i].Receipt = seal.Log, seal.Index, seal.Receipt
			return nil
		}
	}
	return farm.ErrNotFound
}

func (m *memory) Uncosigned(_ context.Context, log int, below int64, limit int) ([]trace.Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []trace.Record
	for _, r := range m.records {
		if r.Receipt != "" && r.Log == log && r.Index < below && !r.Cosigned && len(out) < limit {
			out = append(out, r)
		}
	}
	return out, nil
}

func (m *memory) Cosigned(_ context.Context, id, receipt string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range m.records {
		if m.records[i].ID == id {
			m.records[i].Receipt, m.records[i].Cosigned = receipt, true
			return nil
		}
	}
	return farm.ErrNotFound
}

func (m *memory) RecordByCode(_ context.Context, code string) (trace.Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range m.records {
		if r.Code == code && code != "" {
			return r, nil
		}
	}
	return trace.Record{}, fmt.Errorf("code %s: %w", code, farm.ErrNotFound)
}

// all returns the records, and whether every one has its receipt.
func (m *memory) all() (records []trace.Record, sealed bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	sealed = true
	for _, r := range m.records {
		sealed = sealed && r.Receipt != ""
	}
	return slices.Clone(m.records), sealed
}

// evidence answers with fixed readings and remembers what it was asked.
type evidence struct {
	samples []farm.Sample
	err     error // after the readings
	asked   trace.ReadingsQuery
}

func (e *evidence) Readings(_ context.Context, q trace.ReadingsQuery, each func(farm.Sample) error) error {
	e.asked = q
	for _, s := range e.samples {
		if err := each(s); err != nil {
			return err
		}
	}
	return e.err
}

// waitFor polls until done, for at most a quarter of a minute.
func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// A syncBuffer is a log that is read while it is written.
type syncBuffer struct {
	mu  sync.Mutex
	raw []byte
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.raw = append(b.raw, p...)
	return len(p), nil
}

func (b *syncBuffer) Bytes() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.raw)
}

// use is called with the lock held.
func (m *memory) use(l trace.Leave, subject string) {
	o := m.overrides[l.Override]
	o.Uses = append(slices.Clone(o.Uses), trace.OverrideUse{Act: l.Act, Subject: subject})
	m.overrides[o.ID] = o
}

func (m *memory) Override(_ context.Context, id string) (trace.Override, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	o, ok := m.overrides[id]
	if !ok {
		return trace.Override{}, farm.ErrNotFound
	}
	return o, nil
}

func (m *memory) OverridesOf(_ context.Context, site string) ([]trace.Override, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []trace.Override
	for _, o := range m.overrides {
		if o.Site == site {
			out = append(out, o)
		}
	}
	return out, nil
}

func (m *memory) AddOverride(_ context.Context, o trace.Override, rec trace.Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.overrides[o.ID], m.records = o, append(m.records, rec)
	return nil
}

func (m *memory) DecideOverride(ctx context.Context, o trace.Override, rec trace.Record) error {
	return m.AddOverride(ctx, o, rec)
}

func (m *memory) HarvestedSince(_ context.Context, site string, t time.Time) ([]trace.Batch, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []trace.Batch
	for _, b := range m.batches {
		if b.Site == site && !b.Harvest.Before(t) {
			out = append(out, b)
		}
	}
	return out, nil
}

func (m *memory) LateOf(_ context.Context, operation string) ([]trace.LateUse, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []trace.LateUse
	for _, op := range m.ops {
		for _, l := range op.Late {
			if l.Operation == operation && !l.Withdrawn {
				out = append(out, l)
			}
		}
	}
	return out, nil
}
