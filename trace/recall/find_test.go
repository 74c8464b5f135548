package recall_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"tianhai/trace/recall"
)

// naive says whether a batch is in, day by day and parent by parent.
func (m *memory) naive(causes []recall.Cause, cleared []string, id string) bool {
	if slices.Contains(cleared, id) {
		return false
	}
	for _, c := range causes {
		if m.naiveTouch(c, m.batches[id]) {
			return true
		}
	}
	for _, e := range m.edges {
		if e.Made == id && m.naive(causes, cleared, e.From) {
			return true
		}
	}
	return false
}

func (m *memory) naiveTouch(c recall.Cause, b recall.Batch) bool {
	if c.Kind == recall.OnBatch {
		return c.Subject == b.ID
	}
	date := func(t time.Time) string { return t.In(time.FixedZone("", 8*3600)).Format(time.DateOnly) }
	days := func(from, to string) map[string]bool {
		all := map[string]bool{}
		for n := -5; n < 400; n++ {
			if d := date(day(n)); d >= from && d <= to {
				all[d] = true
			}
		}
		return all
	}
	grew := days(date(b.Began), date(b.Harvest))
	var hit map[string]bool
	switch c.Kind {
	case recall.OnHarvest:
		return c.Subject == b.Site && days(date(c.From), date(c.To.Add(-time.Second)))[date(b.Harvest)]
	case recall.OnGrown:
		if c.Subject == b.Site {
			hit = days(date(c.From), date(c.To.Add(-time.Second)))
		}
	case recall.OnLot:
		hit = map[string]bool{}
		for _, u := range m.uses {
			if u.Lot == c.Subject && u.Site == b.Site {
				for d := range days(date(u.At), date(u.Until)) {
					hit[d] = true
				}
			}
		}
	}
	for d := range grew {
		if hit[d] {
			return true
		}
	}
	return false
}

// any returns a time on a day, near its edges as often as not.
func anyTime(r *rand.Rand, n int) time.Time {
	midnight := day(n).Add(-12 * time.Hour)
	return midnight.Add([]time.Duration{0, time.Second, 12 * time.Hour, 24*time.Hour - time.Second}[r.IntN(4)])
}

func randomHistory(r *rand.Rand) (*memory, []recall.Cause, []string) {
	m := newMemory()
	site := func() string { return fmt.Sprint("site-", r.IntN(3)) }
	for i := range 3 + r.IntN(8) {
		began := r.IntN(60)
		id := fmt.Sprint("g", i)
		m.grow(id, site(), 0, 0)
		b := m.batches[id]
		b.Began, b.Harvest = anyTime(r, began), anyTime(r, began+1+r.IntN(20))
		m.batches[id] = b
	}
	for i := range r.IntN(15) {
		at, lot := r.IntN(80), fmt.Sprint("lot-", r.IntN(4))
		m.uses = append(m.uses, recall.Use{Lot: lot, Site: site(), At: anyTime(r, at), Until: anyTime(r, at)})
		if u := &m.uses[i]; r.IntN(3) == 0 || u.Until.Before(u.At) {
			u.Until = u.At.AddDate(0, 0, r.IntN(4))
		}
	}
	for i := range r.IntN(25) {
		var of []string
		for id := range m.batches {
			if r.IntN(len(m.batches)) < 2 {
				of = append(of, id)
			}
		}
		if len(of) > 0 {
			m.make(fmt.Sprint("m", i), "tea", 70+i, of...)
			if b := m.batches[fmt.Sprint("m", i)]; r.IntN(2) == 0 {
				b.Site = site()
				m.batches[b.ID] = b
			}
		}
	}
	var causes []recall.Cause
	for range 1 + r.IntN(3) {
		from := r.IntN(90)
		span := recall.Cause{Subject: site(), From: recall.Day(day(from)), To: recall.Day(day(from + 1 + r.IntN(5)))}
		switch r.IntN(4) {
		case 0:
			span.Kind, span.Reason = recall.OnGrown, recall.BySite
		case 1:
			span.Kind, span.Reason = recall.OnHarvest, recall.ByHarvest
		case 2:
			span = recall.Cause{Kind: recall.OnLot, Subject: fmt.Sprint("lot-", r.IntN(4)), Reason: recall.ByLot}
		case 3:
			span = recall.Cause{Kind: recall.OnBatch, Subject: fmt.Sprint("g", r.IntN(5)), Reason: recall.ByStart}
		}
		causes = append(causes, span)
	}
	var cleared []string
	for id := range m.batches {
		if r.IntN(8) == 0 {
			cleared = append(cleared, id)
		}
	}
	return m, causes, cleared
}

// Over random histories, the set of a recall is what comes out of going through every
// batch, day and parent; asked of one batch, the answer is the same.
func TestFindIsComplete(t *testing.T) {
	found := 0
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 1))
		m, causes, cleared := randomHistory(r)
		members, err := recall.Find(t.Context(), m, causes, cleared)
		check(t, err)
		in := map[string]bool{}
		for _, b := range members {
			in[b.ID] = true
			if len(b.Why) == 0 {
				t.Errorf("seed %d: %s is in for no reason", seed, b.ID)
			}
		}
		found += len(in)
		for id := range m.batches {
			want := m.naive(causes, cleared, id)
			covers, err := recall.Covers(t.Context(), m, causes, cleared, id)
			check(t, err)
			if in[id] != want || covers != want {
				t.Fatalf("seed %d, batch %s: found %t, covered %t, want %t\ncauses %v\ncleared %v", seed, id, in[id], covers, want, causes, cleared)
			}
		}
	}
	if found == 0 {
		t.Error("no history had anything to find")
	}
}
