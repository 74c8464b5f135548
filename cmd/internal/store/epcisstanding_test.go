package store_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"tianhai/api/auth"
	"tianhai/cmd/internal/store"
	"tianhai/farm"
	"tianhai/trace/epcis"
	"tianhai/trace/epcis/standing"
)

func testEPCISStanding(t *testing.T, s *store.Store) {
	seed(t, s)
	ctx := t.Context()
	q := standing.Query{Tenant: "tea", Name: "shipped", Definition: json.RawMessage(`{"EQ_bizStep":["shipping"]}`), Account: "wang", Created: noon}
	check(t, s.AddNamedQuery(ctx, q))
	wantErr(t, "the same name", s.AddNamedQuery(ctx, q), farm.ErrConflict)
	other := q
	other.Tenant = "oysters"
	check(t, s.AddNamedQuery(ctx, other))
	other.Tenant = "nobody"
	wantErr(t, "nobody's", s.AddNamedQuery(ctx, other), farm.ErrNotFound)
	equal(t, "query", q)(s.NamedQuery(ctx, "tea", "shipped"))
	equal(t, "queries", []standing.Query{q})(s.NamedQueries(ctx, "tea", "", 10))
	equal(t, "behind it", []standing.Query{})(s.NamedQueries(ctx, "tea", "shipped", 10))

	check(t, s.CreateAccount(ctx, auth.Account{Login: "boss", Role: auth.Manager, Tenant: "tea", Created: noon}))
	check(t, s.AddProgram(ctx, auth.Program{ID: "erp", Tenant: "tea", Name: "ERP", Account: "boss", TokenHash: []byte("t"), Created: noon, Expires: noon.AddDate(1, 0, 0)}))
	stream := standing.Subscription{
		ID: "01J0000000000000000000000A", Tenant: "tea", Query: "shipped", Account: "wang", Created: noon, Format: epcis.AsCaptured, Controls: standing.Controls{Stream: true},
		Dest: "https://x.example/", Token: "t", Seq: 5, Next: noon,
	}
	timed := stream
	timed.ID, timed.Controls, timed.Next = "01J0000000000000000000000B", standing.Controls{Schedule: standing.Schedule{Hour: "1"}, ReportIfEmpty: true, InitialRecordTime: yesterday}, noon.Add(time.Minute)
	timed.Program = "erp"
	check(t, s.AddSubscription(ctx, timed))
	check(t, s.AddSubscription(ctx, stream))
	wantErr(t, "the same ID", s.AddSubscription(ctx, stream), farm.ErrConflict)
	stray := stream
	stray.ID, stray.Query = "01J0000000000000000000000C", "none"
	wantErr(t, "of no query", s.AddSubscription(ctx, stray), farm.ErrNotFound)
	stray.Query, stray.Program = "shipped", "nobody's"
	wantErr(t, "of no program", s.AddSubscription(ctx, stray), farm.ErrNotFound)
	stray.Program = ""
	equal(t, "subscription", timed)(s.Subscription(ctx, "tea", "shipped", timed.ID))
	_, err := s.Subscription(ctx, "oysters", "shipped", timed.ID)
	wantErr(t, "another's", err, farm.ErrNotFound)
	equal(t, "subscriptions", []standing.Subscription{stream, timed})(s.Subscriptions(ctx, "tea", "shipped", "", 10))
	equal(t, "behind one", []standing.Subscription{timed})(s.Subscriptions(ctx, "tea", "shipped", stream.ID, 10))

	equal(t, "nothing new", []standing.Subscription{})(s.DueSubscriptions(ctx, noon, 5, 10))
	equal(t, "something new", []standing.Subscription{stream})(s.DueSubscriptions(ctx, noon, 6, 10))
	equal(t, "too early", []standing.Subscription{})(s.DueSubscriptions(ctx, noon.Add(-time.Second), 6, 10))
	equal(t, "time has come", []standing.Subscription{timed})(s.DueSubscriptions(ctx, noon.Add(time.Hour), 5, 10))
	stream.Seq, stream.Next, stream.Attempts, stream.Reason = 6, noon.Add(time.Minute), 1, "down"
	check(t, s.SetSubscription(ctx, stream))
	equal(t, "written", stream)(s.Subscription(ctx, "tea", "shipped", stream.ID))

	wantErr(t, "delete another's", s.DeleteSubscription(ctx, "oysters", "shipped", stream.ID), farm.ErrNotFound)
	check(t, s.DeleteSubscription(ctx, "tea", "shipped", stream.ID))
	wantErr(t, "write what is gone", s.SetSubscription(ctx, stream), farm.ErrNotFound)
	check(t, s.DeleteProgram(ctx, "tea", "erp"))
	_, err = s.Subscription(ctx, "tea", "shipped", timed.ID)
	wantErr(t, "of a program that was taken away", err, farm.ErrNotFound)
	for i := range standing.MaxSubscriptions {
		stray.ID, stray.Query = fmt.Sprintf("01K%023d", i), "shipped"
		check(t, s.AddSubscription(ctx, stray))
	}
	stray.ID = "01L00000000000000000000000"
	wantErr(t, "one too many", s.AddSubscription(ctx, stray), standing.ErrFull)
	for i := range standing.MaxQueries - 1 {
		q.Name = fmt.Sprint("q", i)
		check(t, s.AddNamedQuery(ctx, q))
	}
	q.Name = "more"
	wantErr(t, "one query too many", s.AddNamedQuery(ctx, q), standing.ErrFull)
	check(t, s.DeleteNamedQuery(ctx, "tea", "shipped"))
	wantErr(t, "again", s.DeleteNamedQuery(ctx, "tea", "shipped"), farm.ErrNotFound)
	equal(t, "its subscriptions are gone", []standing.Subscription{})(s.DueSubscriptions(ctx, noon.Add(time.Hour), 99, 10))
}
