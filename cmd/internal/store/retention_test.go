package store_test

import (
	"testing"
	"time"

	"tianhai/cmd/internal/store"
	"tianhai/farm"
	"tianhai/ingest"
)

func testRetention(t *testing.T, s *store.Store) {
	ctx := t.Context()
	seed(t, s)
	equal(t, "at first", ingest.Retentions{})(s.Retentions(ctx))
	change := func(minute int, tenant string, m farm.Medium, raw int) ingest.RetentionChange {
		at := noon.Add(time.Duration(minute) * time.Minute)
		c := ingest.RetentionChange{At: at, Effective: at.Add(ingest.RetentionDelay), Account: "li"}
		c.Retention = ingest.Retention{Tenant: tenant, Medium: m, Raw: raw, Hour: 2 * raw, Day: 3 * raw}
		return c
	}
	all := ingest.Retentions{change(1, "", "", 400), change(2, "tea", farm.Soil, 40), change(3, "tea", farm.Soil, 0)}
	all[2].Clear = true
	for _, i := range []int{1, 2, 0} {
		check(t, s.ChangeRetention(ctx, all[i]))
	}
	wantErr(t, "unknown tenant", s.ChangeRetention(ctx, change(4, "nobody", "", 40)), farm.ErrNotFound)
	equal(t, "audit", all)(s.Retentions(ctx))

	equal(t, "no batch", map[string]time.Time{})(s.OpenBatches(ctx))
	b1, b2, b3 := newBatch("b1"), newBatch("b2"), newBatch("b3")
	b2.Began = b1.Began.Add(-time.Hour)
	b3.Began = b1.Began.Add(-2 * time.Hour)
	for _, b := range []func() error{
		func() error { return s.AddBatch(ctx, b1) }, func() error { return s.AddBatch(ctx, b2) }, func() error { return s.AddBatch(ctx, b3) },
	} {
		check(t, b())
	}
	done, record := closed(b3, "CODE3")
	check(t, s.CloseBatch(ctx, done, record))
	equal(t, "open batches", map[string]time.Time{"garden-1": b2.Began})(s.OpenBatches(ctx))
}
