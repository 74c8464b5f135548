package recall_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"tianhai/farm"
	"tianhai/trace"
	"tianhai/trace/cert"
	"tianhai/trace/chain"
	"tianhai/trace/recall"
)

// day returns noon in Beijing on a day of 2026, from 0.
func day(n int) time.Time { return time.Date(2026, 1, 1+n, 4, 0, 0, 0, time.UTC) }

func kg(n int64) chain.Amount { return chain.Amount{N: n * 1e6, Unit: "kg"} }

// memory is a Past and a Book in memory.
type memory struct {
	mu        sync.Mutex
	batches   map[string]recall.Batch
	edges     []recall.Edge
	uses      []recall.Use
	lots      map[string]struct{ tenant, maker string }
	tenants   map[string]farm.Tenant
	recalls   map[string][]recall.Entry
	order     []string
	failed    map[string]string // reports that failed, and their batch
	certified map[string]bool   // batches
}

func newMemory() *memory {
	return &memory{
		batches: map[string]recall.Batch{}, lots: map[string]struct{ tenant, maker string }{}, recalls: map[string][]recall.Entry{}, failed: map[string]string{},
		tenants: map[string]farm.Tenant{
			"tea":  {ID: "tea", Kind: farm.Enterprise, Region: "450400", CreditCode: "x"},
			"shop": {ID: "shop", Kind: farm.Enterprise, Region: "450100", CreditCode: "y"},
			"wei":  {ID: "wei", Kind: farm.Household, Region: "450400", Phone: "13900000000"},
		},
	}
}

func (m *memory) Batches(_ context.Context, ids []string) ([]recall.Batch, error) {
	var all []recall.Batch
	for _, id := range ids {
		if b, ok := m.batches[id]; ok {
			all = append(all, b)
		}
	}
	return all, nil
}

func (m *memory) Grown(_ context.Context, site string, from, to time.Time) ([]recall.Batch, error) {
	var all []recall.Batch
	for _, b := range m.batches {
		if b.Site == site && recall.Day(b.Began).Before(to) && !recall.Day(b.Harvest).Before(from) {
			all = append(all, b)
		}
	}
	return all, nil
}

func (m *memory) walk(ids []string, up bool) ([]recall.Batch, []recall.Edge) {
	var edges []recall.Edge
	seen := map[string]bool{}
	for _, id := range ids {
		seen[id] = true
	}
	var others []recall.Batch
	for todo := slices.Clone(ids); len(todo) > 0; todo = todo[1:] {
		for _, e := range m.edges {
			from, to := e.From, e.Made
			if up {
				from, to = to, from
			}
			if from != todo[0] {
				continue
			}
			edges = append(edges, e)
			if !seen[to] {
				seen[to] = true
				todo, others = append(todo, to), append(others, m.batches[to])
			}
		}
	}
	return others, edges
}

func (m *memory) Descendants(_ context.Context, ids []string) ([]recall.Batch, []recall.Edge, error) {
	b, e := m.walk(ids, false)
	return b, e, nil
}

func (m *memory) Ancestors(_ context.Context, ids []string) ([]recall.Batch, []recall.Edge, error) {
	b, e := m.walk(ids, true)
	return b, e, nil
}

func (m *memory) Alike(_ context.Context, lot string) ([]recall.Lot, error) {
	own, ok := m.lots[lot]
	if !ok {
		return nil, farm.ErrNotFound
	}
	var all []recall.Lot
	for id, l := range m.lots {
		if l.maker == own.maker {
			all = append(all, recall.Lot{ID: id, Tenant: l.tenant})
		}
	}
	return all, nil
}

func (m *memory) Uses(_ context.Context, lots []string) ([]recall.Use, error) {
	var all []recall.Use
	for _, u := range m.uses {
		if slices.Contains(lots, u.Lot) {
			all = append(all, u)
		}
	}
	return all, nil
}

func (m *memory) Used(_ context.Context, site string, from, to time.Time) ([]string, error) {
	var all []string
	for _, u := range m.uses {
		if u.Site == site && u.At.Before(to) && !u.Until.Before(from) && !slices.Contains(all, u.Lot) {
			all = append(all, u.Lot)
		}
	}
	return all, nil
}

func (m *memory) Tenant(_ context.Context, id string) (farm.Tenant, error) {
	t, ok := m.tenants[id]
	if !ok {
		return t, farm.ErrNotFound
	}
	return t, nil
}

func (m *memory) Site(_ context.Context, id string) (farm.Site, error) {
	return farm.Site{ID: id, Tenant: "tea", Region: "450406"}, nil
}

func (m *memory) Failed(_ context.Context, report string) (string, error) {
	if b, ok := m.failed[report]; ok {
		return b, nil
	}
	return "", farm.ErrNotFound
}

type memoryDesk struct {
	*memory
	id string
}

func (d memoryDesk) Steps(context.Context) ([]recall.Entry, error) { return d.recalls[d.id], nil }

func (d memoryDesk) Serial(context.Context, string, int) (int, error) { return len(d.order) + 1, nil }

func (d memoryDesk) Certificates(_ context.Context, batches []string) ([]cert.Void, error) {
	var all []cert.Void
	for _, b := range batches {
		if d.certified[b] {
			all = append(all, cert.Void{Tenant: "tea", Batch: b, Voids: "certificate-of-" + b, Number: "2026-1"})
		}
	}
	return all, nil
}

func (m *memory) AppendRecall(ctx context.Context, id string, decide func(context.Context, recall.Desk) (*recall.Entry, error)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, err := decide(ctx, memoryDesk{m, id})
	if err != nil || e == nil {
		return err
	}
	// What was not sealed is not there: everything is read from the record again.
	if e.Step, err = recall.ParseStep(e.Record.Body, e.Record.Personal); err != nil {
		return err
	}
	if e.Kind == recall.StepOpen {
		m.order = append(m.order, id)
	}
	m.recalls[id] = append(m.recalls[id], *e)
	return nil
}

func (m *memory) RecallSteps(_ context.Context, id string) ([]recall.Entry, error) {
	if len(m.recalls[id]) == 0 {
		return nil, farm.ErrNotFound
	}
	return m.recalls[id], nil
}

func (m *memory) Recalls(context.Context, recall.Filter) ([]string, error) { return m.order, nil }

func (m *memory) RecallsOf(ctx context.Context, batch string) ([]string, error) {
	var all []string
	for _, id := range m.order {
		var steps []recall.Step
		for _, e := range m.recalls[id] {
			steps = append(steps, e.Step)
		}
		r, err := recall.Fold(steps)
		if err != nil {
			return nil, err
		}
		in, err := recall.Covers(ctx, m, r.Causes, r.Cleared, batch)
		if err != nil {
			return nil, err
		}
		if in {
			all = append(all, id)
		}
	}
	return all, nil
}

func (m *memory) RecallNotices(_ context.Context, id string) ([]recall.Notice, error) {
	var all []recall.Notice
	for _, e := range m.recalls[id] {
		all = append(all, e.Notices...)
	}
	return all, nil
}

func (m *memory) service() *recall.Service {
	return &recall.Service{
		Book: m, Past: m, Farms: m, Reports: m, Now: func() time.Time { return day(200) },
		NewRecord: func(r trace.Record) (trace.Record, error) {
			r.ID = ulid.Make().String()
			return r, nil
		},
	}
}

// grow adds a batch of tea that grew on a site.
func (m *memory) grow(id, site string, began, harvest int) {
	m.batches[id] = recall.Batch{ID: id, Tenant: "tea", Site: site, Product: "leaf", Began: day(began), Harvest: day(harvest), Made: kg(100), Left: kg(100)}
}

// make adds a batch that was made of others.
func (m *memory) make(id, tenant string, at int, of ...string) {
	m.batches[id] = recall.Batch{ID: id, Tenant: tenant, Product: "tea", Began: day(at), Harvest: day(at), Made: kg(10), Left: kg(10)}
	for _, from := range of {
		m.edges = append(m.edges, recall.Edge{From: from, Made: id})
	}
}

func opening(s recall.Start) recall.Opening {
	return recall.Opening{
		Start: s, Reason: farm.Text{Zh: "农药残留超标", En: "Residue above the limit"}, Hazard: farm.Text{Zh: "可能引起不适"},
		Advice: farm.Text{Zh: "请勿饮用，退回购买处"}, Contact: "0774-0000000",
	}
}

var (
	officer = recall.Actor{Account: "officer", Office: recall.ByBureau, Within: func(string) bool { return true }}
	manager = recall.Actor{Account: "manager", Office: recall.ByOperator}
)

func newID() string { return ulid.Make().String() }

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func ids(holdings []recall.Standing) string {
	var all []string
	for _, h := range holdings {
		if !h.Cleared {
			all = append(all, h.Batch)
		}
	}
	slices.Sort(all)
	return fmt.Sprint(all)
}
