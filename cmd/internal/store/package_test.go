package store_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tianhai/cmd/internal/store"
	"tianhai/trace"
)

// Everything of the period, once and in order, over more than a page; nothing of
// another tenant or time.
func testEachRecord(t *testing.T, s *store.Store) {
	seed(t, s)
	ctx := t.Context()
	var want []string
	add := func(id string, at time.Time) {
		op, rec := newOperation(id, at)
		rec.At = at
		check(t, s.AddOperation(ctx, op, rec))
	}
	from, to := noon, noon.Add(time.Hour)
	add("before", from.Add(-time.Microsecond))
	add("at the end", to)
	for i := range 1001 {
		id := fmt.Sprintf("o%04d", i)
		add(id, from.Add(time.Duration(i/3)*time.Second)) // three at a time
		want = append(want, id)
	}
	var got []string
	check(t, s.EachRecord(ctx, "tea", from, to, func(r trace.Record) error {
		got = append(got, r.Subject)
		return nil
	}))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
	check(t, s.EachRecord(ctx, "oysters", from, to, func(r trace.Record) error {
		t.Errorf("another tenant has %s", r.Subject)
		return nil
	}))
	stop := errors.New("enough")
	wantErr(t, "ended", s.EachRecord(ctx, "tea", from, to, func(trace.Record) error { return stop }), stop)
}
