package store_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tianhai/cmd/internal/store"
	"tianhai/trace"
	"tianhai/trace/catalog"
	"tianhai/trace/parcel"
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

// Random cuts of a random history: every record stands in the package of exactly one
// period, those of neighbours together are that of both, and no other tenant's record
// is in any. The workbook's pass is the same one.
func testPackages(t *testing.T, s *store.Store) {
	seed(t, s)
	ctx := t.Context()
	random := rand.New(rand.NewPCG(7, 71))
	at := map[string]time.Time{}
	for i := range 120 {
		id := fmt.Sprintf("o%04d", i)
		op, rec := newOperation(id, noon)
		rec.Body = []byte(`{"v":1,"kind":"feed"}`)
		rec.At = noon.Add(time.Duration(random.IntN(200)) * 17 * time.Minute) // many at one instant
		check(t, s.AddOperation(ctx, op, rec))
		at[rec.ID] = rec.At
	}
	composer := &parcel.Composer{Source: packageSource{s}, Catalogs: oneCatalog{}}
	pack := func(tenant string, p parcel.Period) []string {
		var b bytes.Buffer
		n, err := composer.Compose(ctx, tenant, p, &b, nil, func(int) error { return nil })
		check(t, err)
		var doc struct{ Records []struct{ ID string } }
		check(t, json.Unmarshal(b.Bytes(), &doc))
		counted, err := s.CountRecords(ctx, tenant, p.From, p.To)
		check(t, err)
		if n.Records != len(doc.Records) || counted[trace.OperationRecord] != len(doc.Records) {
			t.Fatalf("%d records are told of and %d counted, %d there", n.Records, counted[trace.OperationRecord], len(doc.Records))
		}
		var ids []string
		for _, r := range doc.Records {
			ids = append(ids, r.ID)
		}
		return ids
	}
	for range 5 {
		cuts := []time.Time{noon.Add(-time.Minute), noon.Add(60 * time.Hour)}
		for range 5 {
			// On an instant of some record, or a microsecond beside it.
			cuts = append(cuts, noon.Add(time.Duration(random.IntN(200))*17*time.Minute+time.Duration(random.IntN(3)-1)*time.Microsecond))
		}
		slices.SortFunc(cuts, time.Time.Compare)
		var together []string
		for i := range cuts[1:] {
			p := parcel.Period{From: cuts[i], To: cuts[i+1]}
			for _, id := range pack("tea", p) {
				if at[id].Before(p.From) || !at[id].Before(p.To) {
					t.Fatalf("record of %s is in the package of %v", at[id], p)
				}
				together = append(together, id)
			}
		}
		whole := pack("tea", parcel.Period{From: cuts[0], To: cuts[len(cuts)-1]})
		if diff := cmp.Diff(whole, together); diff != "" || len(whole) != len(at) {
			t.Fatalf("cut at %v, of %d records (-whole +parts):\n%s", cuts, len(at), diff)
		}
	}
	if others := pack("oysters", parcel.Period{From: noon.Add(-time.Hour), To: noon.Add(60 * time.Hour)}); others != nil {
		t.Errorf("another tenant has %v", others)
	}
}

// packageSource is the store as packages are made of it.
type packageSource struct{ *store.Store }

func (p packageSource) Facts(ctx context.Context, operator string) (f parcel.Facts, err error) {
	f.Operator, err = p.Tenant(ctx, operator)
	return f, err
}

type oneCatalog struct{}

func (oneCatalog) Current() *catalog.Catalog { return catalog.Default() }

func (oneCatalog) At(context.Context, int) (*catalog.Catalog, error) { return catalog.Default(), nil }
