package main

import (
	"testing"
	"time"

	"tianhai/cmd/internal/store"
	"tianhai/farm"
	"tianhai/ingest"
	"tianhai/ingest/influx"
	"tianhai/trace"
	"tianhai/trace/chain"
)

func TestNextPurge(t *testing.T) {
	for now, want := range map[string]string{
		"2026-05-20T18:59:59Z": "2026-05-20T19:00:00Z", // 02:59:59 in Beijing
		"2026-05-20T19:00:00Z": "2026-05-21T19:00:00Z",
		"2026-12-31T20:00:00Z": "2027-01-01T19:00:00Z",
	} {
		at, err := time.Parse(time.RFC3339, now)
		if err != nil {
			t.Fatal(err)
		}
		if got := nextPurge(at).UTC().Format(time.RFC3339); got != want {
			t.Errorf("after %s: %s, want %s", now, got, want)
		}
	}
}

// A night's work on records and readings: the tenant with a rule loses its old
// readings, but for the site where a batch grows; the tenant without keeps all.
func TestPurgeByTheRules(t *testing.T) {
	ctx := t.Context()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	db, err := store.Open(ctx, store.Options{Dir: t.TempDir()})
	check(err)
	t.Cleanup(func() { check(db.Close()) })
	now := time.Now().UTC()
	began := now.AddDate(0, 0, -60)
	for _, tenant := range []string{"tea", "fish"} {
		check(db.CreateTenant(ctx, farm.Tenant{ID: tenant, Name: farm.Text{Zh: tenant}, Region: "450700"}))
		for _, site := range []string{tenant + "-1", tenant + "-2"} {
			check(db.CreateSite(ctx, farm.Site{ID: site, Tenant: tenant, Region: "450702", Kind: farm.Plot, Name: farm.Text{Zh: site}}))
		}
	}
	check(db.PutProduct(ctx, trace.Product{ID: "liubao", Kind: trace.Tea, Name: farm.Text{Zh: "六堡茶"}}))
	harvest := chain.Movement{ID: "m", Tenant: "tea", Kind: chain.Harvest, At: now, Recorded: now, Site: "tea-2", Outputs: []chain.Output{{Batch: "b", Product: "liubao", Lot: "1", Amount: chain.Amount{N: 1e6, Unit: "kg"}, Began: began, Harvest: now}}}
	check(db.Move(ctx, harvest, []trace.Batch{{ID: "b", Tenant: "tea", Site: "tea-2", Product: "liubao", Lot: "1", Quantity: 1, Unit: "kg", Began: began, Harvest: now, Opened: now}},
		trace.Record{ID: "r", Tenant: "tea", Kind: trace.MovementRecord, Subject: "m", Body: []byte("{}"), Salt: []byte("0123456789abcdef"), At: now, Index: -1}))

	srv, err := influx.OpenServer(ctx, influx.ServerOptions{Dir: t.TempDir(), Addr: "127.0.0.1:0"})
	check(err)
	t.Cleanup(func() { check(srv.Close()) })
	dial := func(ago time.Duration) *influx.Client {
		t.Helper()
		c, err := influx.Open(ctx, influx.Options{URL: srv.URL(), Token: srv.Token(), Now: func() time.Time { return time.Now().Add(-ago) }})
		check(err)
		t.Cleanup(c.Close)
		return c
	}
	moisture, _ := farm.LookupQuantity("soil.moisture")
	var obs []ingest.Observation
	for _, site := range []string{"tea-1", "tea-2", "fish-1"} {
		for h := range 80 * 24 {
			o := ingest.Observation{Device: "d", Place: ingest.Place{Tenant: site[:len(site)-2], Site: site, Region: "450702"}, Time: now.Add(-time.Duration(h+11*24) * time.Hour)}
			o.Readings = []ingest.Reading{{Quantity: moisture, Value: 30, Flag: ingest.Good}}
			obs = append(obs, o)
		}
	}
	written := dial(10 * 24 * time.Hour)
	check(written.Write(ctx, obs))
	check(influx.NewRoller(written, nil).Pass(ctx))
	client := dial(0)
	check(influx.NewRoller(dial(9*24*time.Hour), nil).Pass(ctx))

	rule := ingest.RetentionChange{Retention: ingest.Retention{Tenant: "tea", Raw: 40}, At: now.AddDate(0, 0, -2), Effective: now.AddDate(0, 0, -1), Account: "li"}
	check(db.ChangeRetention(ctx, rule))
	r := retention{db, client}
	preview, err := r.PreviewRetention(ctx, now)
	check(err)
	days, err := r.purge(ctx)
	check(err)
	if len(preview) != 1 || preview[0].Days != days || days < 70 || days > 90 {
		t.Errorf("purged %d days, previewed %+v", days, preview)
	}
	for site, want := range map[string]time.Time{"tea-1": now.AddDate(0, 0, -41), "tea-2": began.AddDate(0, 0, -1), "fish-1": now.AddDate(0, 0, -91)} {
		var oldest time.Time
		q := influx.ReadingsQuery{Tenant: site[:len(site)-2], Site: site, From: now.AddDate(-1, 0, 0), To: now}
		check(client.Readings(ctx, q, func(s farm.Sample) error {
			if at := time.UnixMilli(s.Time); oldest.IsZero() || at.Before(oldest) {
				oldest = at
			}
			return nil
		}))
		if oldest.Sub(want).Abs() > 72*time.Hour {
			t.Errorf("%s: the oldest reading is of %s, want about %s", site, oldest, want)
		}
	}
}
