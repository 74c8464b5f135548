package store_test

import (
	"testing"
	"time"

	"tianhai/cmd/internal/store"
	"tianhai/trace"
)

func testAudits(t *testing.T, s *store.Store) {
	ctx := t.Context()
	seed(t, s)
	var recs []trace.Record
	for i, id := range []string{"o1", "o2", "o3"} {
		op, rec := newOperation(id, noon)
		check(t, s.AddOperation(ctx, op, rec))
		if id != "o3" {
			rec.Log, rec.Index, rec.Receipt = 1, int64(9-i), "receipt"
			check(t, s.Sealed(ctx, rec.ID, trace.Seal{Log: 1, Index: rec.Index, Receipt: "receipt"}))
		}
		recs = append(recs, rec)
	}
	equal(t, "by leaf", []trace.Record{recs[1], recs[0]})(s.Placed(ctx, 1, 0, 10))
	equal(t, "from a leaf", []trace.Record{recs[0]})(s.Placed(ctx, 1, 9, 10))
	equal(t, "limited", []trace.Record{recs[1]})(s.Placed(ctx, 1, -5, 1))
	equal(t, "of another log", []trace.Record{})(s.Placed(ctx, 2, 0, 10))
	equal(t, "unsealed", 1)(s.UnsealedBefore(ctx, noon.Add(time.Second)))
	equal(t, "unsealed before", 0)(s.UnsealedBefore(ctx, noon))

	a := trace.Audit{Log: 1, Began: noon, Size: 9, Leaves: 3, Faults: []trace.Fault{{Kind: trace.FaultLog, Leaf: 2, Detail: "x"}}, FaultCount: 1}
	check(t, s.SaveAudit(ctx, a, "here"))
	got, state, err := s.OpenAudit(ctx, 1)
	check(t, err)
	equal(t, "open", a)(got, nil)
	equal(t, "goes on from", "here")(state, nil)
	none, _, err := s.OpenAudit(ctx, 2)
	equal(t, "of another log", trace.Audit{})(none, err)
	a.Leaves, a.Ended = 9, noon.Add(time.Minute)
	check(t, s.SaveAudit(ctx, a, "there"))
	none, state, err = s.OpenAudit(ctx, 1)
	equal(t, "ended", trace.Audit{})(none, err)
	equal(t, "ended goes on from", "")(state, nil)
	b := trace.Audit{Log: 1, Began: noon.Add(time.Hour), Faults: []trace.Fault{}}
	check(t, s.SaveAudit(ctx, b, ""))
	equal(t, "newest first", []trace.Audit{b, a})(s.Audits(ctx, store.Place{}, 10))
	equal(t, "newest", []trace.Audit{b})(s.Audits(ctx, store.Place{}, 1))
}
