package store_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tianhai/cmd/internal/store"
	"tianhai/trace"
	"tianhai/trace/cert"
	"tianhai/trace/input"
)

// A paged is a list that is newest first, as somebody walks it.
type paged[T any] struct {
	read  func(ctx context.Context, after store.Place, limit int) ([]T, error)
	place func(T) store.Place
	// add adds an item at a time, under an ID that sorts behind those added before.
	add func(t *testing.T, at time.Time)
}

// walk adds items, some of them at the same moment, and reads them two at a time
// while more come in among what was read: whoever walks
// meets everything that was there once, in the order of one large page.
func walk[T any](t *testing.T, p paged[T]) {
	t.Helper()
	ctx := t.Context()
	for i := range 7 {
		p.add(t, noon.Add(time.Duration(i/3)*time.Minute))
	}
	want, err := p.read(ctx, store.Place{}, store.MaxPage)
	check(t, err)
	if len(want) != 7 {
		t.Fatalf("%d items: %+v", len(want), want)
	}
	var got []T
	after := store.Place{}
	for {
		page, err := p.read(ctx, after, 2)
		check(t, err)
		if len(page) == 0 {
			break
		}
		if len(page) > 2 || len(got) > len(want) {
			t.Fatalf("a page of %d behind %d items", len(page), len(got))
		}
		got = append(got, page...)
		after = p.place(page[len(page)-1])
		p.add(t, after.At.Add(time.Millisecond))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("walked (-want +got):\n%s", diff)
	}
}

// ids returns IDs in order.
func ids() func() string {
	n := 0
	return func() string {
		n++
		return fmt.Sprintf("01JZ000000000000000000P%03d", n)
	}
}

func testReportPages(t *testing.T, s *store.Store) {
	now := noon
	_, b := newCertifier(t, s, &now)
	id := ids()
	walk(t, paged[cert.Tested]{
		read: func(ctx context.Context, after store.Place, limit int) ([]cert.Tested, error) {
			return s.Reports(ctx, store.StatementFilter{Tenant: "tea", After: after, Limit: limit})
		},
		place: func(r cert.Tested) store.Place { return store.Place{At: r.Recorded, ID: r.ID} },
		add: func(t *testing.T, at time.Time) {
			t.Helper()
			now = at
			r := newReport(b)
			r.ID = id()
			addReport(t, s, r, at)
		},
	})
}

// addReport stores a report of a time with its record.
func addReport(t *testing.T, s *store.Store, r cert.Report, at time.Time) {
	t.Helper()
	c := &trace.Certifier{Service: &trace.Service{Store: s, Now: func() time.Time { return at }}, Book: s}
	_, err := c.AddReport(t.Context(), r)
	check(t, err)
}

// What became of a report is told on whatever page it stands, and whatever is asked
// for: its correction may have another verdict.
func testCorrectedElsewhere(t *testing.T, s *store.Store) {
	now := noon
	c, b := newCertifier(t, s, &now)
	ctx := t.Context()
	first := newReport(b)
	first.Items[0].Result = "0.09"
	addReport(t, s, first, noon)
	mend := newReport(b)
	mend.Corrects = first.ID
	addReport(t, s, mend, noon.Add(time.Minute))
	check(t, c.VoidReport(ctx, b.ID, mend.ID, "样品弄混"))
	head, err := s.Reports(ctx, store.StatementFilter{Limit: 1})
	check(t, err)
	if len(head) != 1 || head[0].ID != mend.ID || head[0].Void == nil {
		t.Fatalf("the first page: %+v", head)
	}
	for name, f := range map[string]store.StatementFilter{
		"the second page": {Limit: 1, After: store.Place{At: head[0].Recorded, ID: mend.ID}},
		"those that fail": {Verdict: cert.Fail},
	} {
		got, err := s.Reports(ctx, f)
		check(t, err)
		if len(got) != 1 || got[0].ID != first.ID || got[0].CorrectedBy != mend.ID {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func testCertificatePages(t *testing.T, s *store.Store) {
	now := noon
	_, _ = newCertifier(t, s, &now)
	id := ids()
	n := 0
	walk(t, paged[cert.Issued]{
		read: func(ctx context.Context, after store.Place, limit int) ([]cert.Issued, error) {
			return s.Certificates(ctx, store.StatementFilter{Region: "450400", After: after, Limit: limit})
		},
		place: func(i cert.Issued) store.Place { return store.Place{At: i.Issued, ID: i.ID} },
		add: func(t *testing.T, at time.Time) {
			t.Helper()
			n++
			b := closedBatch(t, s, fmt.Sprint("page-", n))
			c := cert.Certificate{ID: id(), Tenant: b.Tenant, Batch: b.ID, Issued: at}
			check(t, s.AddCertificate(t.Context(), c, nil, func(n int) (trace.Record, error) {
				rec := newRecord(trace.CertificateRecord, c.Tenant, c.ID)
				rec.Body, rec.At = fmt.Appendf(nil, `{"id":%q,"number":"2026-%06d","issued":%q}`, c.ID, n, at.Format(time.RFC3339Nano)), at
				return rec, nil
			}))
		},
	})
}

func testLotPages(t *testing.T, s *store.Store) {
	seed(t, s)
	check(t, s.PutInput(t.Context(), newInput(7), "admin"))
	id := ids()
	walk(t, paged[input.Stock]{
		read: func(ctx context.Context, after store.Place, limit int) ([]input.Stock, error) {
			return s.Lots(ctx, "tea", after, limit)
		},
		place: func(l input.Stock) store.Place { return store.Place{At: l.Recorded, ID: l.ID} },
		add: func(t *testing.T, at time.Time) {
			t.Helper()
			l := newLot(id(), 1)
			l.Recorded = at
			check(t, s.AddLot(t.Context(), l))
		},
	})
}

// Uses and what was written off come from two tables, and are one list.
func testLotUsePages(t *testing.T, s *store.Store) {
	seed(t, s)
	check(t, s.PutInput(t.Context(), newInput(7), "admin"))
	check(t, s.AddLot(t.Context(), newLot("l1", 100)))
	id := ids()
	n := 0
	walk(t, paged[input.LotUse]{
		read: func(ctx context.Context, after store.Place, limit int) ([]input.LotUse, error) {
			return s.LotUses(ctx, "l1", after, limit)
		},
		place: func(u input.LotUse) store.Place { return store.Place{At: u.At, ID: u.Operation + u.WriteOff} },
		add: func(t *testing.T, at time.Time) {
			t.Helper()
			if n++; n%2 == 0 {
				w := input.WriteOff{ID: id(), Tenant: "tea", Lot: "l1", Quantity: 0.1, Unit: "L", Reason: "瓶破", Recorded: at}
				check(t, s.WriteOff(t.Context(), w, newRecord(trace.LotRecord, "tea", "l1")))
				return
			}
			op, rec := newOperation(id(), at)
			op.Draw = draw(t, "l1", 0.1, "L")
			check(t, s.AddOperation(t.Context(), op, rec))
		},
	})
}

func testSamplePages(t *testing.T, s *store.Store) {
	now := noon
	_, b := newCertifier(t, s, &now)
	id := ids()
	sample := func(at time.Time) cert.Sample {
		in := cert.Sample{ID: id(), Tenant: "tea", Batch: b.ID, Laboratory: "oysters", Asked: at, Account: "wei"}
		in.Number = "S" + in.ID
		return in
	}
	walk(t, paged[cert.Sample]{
		read: func(ctx context.Context, after store.Place, limit int) ([]cert.Sample, error) {
			return s.Samples(ctx, store.SampleFilter{Laboratory: "oysters", After: after, Limit: limit})
		},
		place: func(v cert.Sample) store.Place { return store.Place{At: v.Asked, ID: v.ID} },
		add: func(t *testing.T, at time.Time) {
			t.Helper()
			check(t, s.AddSample(t.Context(), sample(at)))
		},
	})
	one := sample(noon.AddDate(-1, 0, 0))
	check(t, s.AddSample(t.Context(), one))
	equal(t, "by number", []cert.Sample{one})(s.Samples(t.Context(), store.SampleFilter{Number: one.Number, Limit: 1}))
}

func testOverridePages(t *testing.T, s *store.Store) {
	seed(t, s)
	id := ids()
	walk(t, paged[trace.Override]{
		read: func(ctx context.Context, after store.Place, limit int) ([]trace.Override, error) {
			return s.Overrides(ctx, store.OverrideFilter{Region: "450400", Open: true, After: after, Limit: limit})
		},
		place: func(o trace.Override) store.Place { return store.Place{At: o.Asked, ID: o.ID} },
		add: func(t *testing.T, at time.Time) {
			t.Helper()
			o := newOverride(id())
			o.Asked = at
			check(t, s.AddOverride(t.Context(), o, newRecord(trace.AskedRecord, "tea", o.ID)))
		},
	})
}

func testLateUsePages(t *testing.T, s *store.Store) {
	seed(t, s)
	check(t, s.AddBatch(t.Context(), newBatch("b1")))
	id := ids()
	walk(t, paged[trace.FoundLate]{
		read: func(ctx context.Context, after store.Place, limit int) ([]trace.FoundLate, error) {
			return s.LateUses(ctx, store.LateFilter{Tenant: "tea", After: after, Limit: limit})
		},
		place: func(l trace.FoundLate) store.Place { return store.Place{At: l.Found, ID: l.Operation + l.Batch} },
		add: func(t *testing.T, at time.Time) {
			t.Helper()
			op, rec := newOperation(id(), noon)
			l := trace.LateUse{Operation: op.ID, Batch: "b1", Tenant: "tea", Site: "garden-1", Found: at, Refusals: newOverride("").Refusals}
			l.Record = newRecord(trace.LateRecord, "tea", "b1")
			op.Late = []trace.LateUse{l}
			check(t, s.AddOperation(t.Context(), op, rec))
		},
	})
}

func testAuditPages(t *testing.T, s *store.Store) {
	log := 7 // past nine, where numbers and their digits have another order
	walk(t, paged[trace.Audit]{
		read: s.Audits,
		place: func(a trace.Audit) store.Place {
			return store.Place{At: a.Began, ID: fmt.Sprint(a.Log)}
		},
		add: func(t *testing.T, at time.Time) {
			t.Helper()
			log++
			check(t, s.SaveAudit(t.Context(), trace.Audit{Log: log, Began: at, Faults: []trace.Fault{}}, ""))
		},
	})
}
