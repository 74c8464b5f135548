package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tianhai/cmd/internal/store"
	"tianhai/farm"
	"tianhai/ingest"
	"tianhai/ingest/influx"
	"tianhai/trace"
	"tianhai/trace/catalog"
	"tianhai/trace/evidence"
	"tianhai/trace/label"
)

// cutter stands before a server and, when it is told to, lets so many bytes of
// answers through and then nothing any more: the server's process has been killed.
func cutter(t *testing.T, server string) (addr string, left *atomic.Int64) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	left = new(atomic.Int64)
	left.Store(1 << 40)
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer in.Close()
				out, err := net.Dial("tcp", server)
				if err != nil || left.Load() < 0 {
					return
				}
				defer out.Close()
				go func() { _, _ = io.Copy(out, in) }() // ends with the connection
				buf := make([]byte, 4096)
				for {
					n, err := out.Read(buf)
					if err != nil || left.Add(-int64(n)) < 0 {
						return
					}
					if _, err := in.Write(buf[:n]); err != nil {
						return
					}
				}
			}()
		}
	}()
	return l.Addr().String(), left
}

// TestDatabaseKilledWhileClosing: InfluxDB dies in the middle of its answer. The
// batch stays open, nothing is kept, and closing it again succeeds.
func TestDatabaseKilledWhileClosing(t *testing.T) {
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
	check(db.CreateTenant(ctx, farm.Tenant{ID: "t", Name: farm.Text{Zh: "场"}, CreditCode: "91450700MA5KXXXXXX", Region: "450700"}))
	check(db.CreateSite(ctx, farm.Site{ID: "s", Tenant: "t", Region: "450702", Kind: farm.Raft, Name: farm.Text{Zh: "排"}, Town: farm.Text{Zh: "镇"}}))
	check(db.PutProduct(ctx, trace.Product{ID: "seaweed", Kind: trace.Aquatic, Name: farm.Text{Zh: "海带"}})) // of which the catalog demands nothing
	books, err := catalog.Open(ctx, db, nil)
	check(err)
	srv, err := influx.OpenServer(ctx, influx.ServerOptions{Dir: t.TempDir(), Addr: "127.0.0.1:0"})
	check(err)
	t.Cleanup(func() { check(srv.Close()) })
	addr, left := cutter(t, strings.TrimPrefix(srv.URL(), "http://"))
	client, err := influx.Open(ctx, influx.Options{URL: "http://" + addr, Token: srv.Token()})
	check(err)
	t.Cleanup(client.Close)

	now := time.Now().UTC()
	q, _ := farm.LookupQuantity("water.dissolved_oxygen")
	var obs []ingest.Observation
	for i := range 20_000 {
		at := now.AddDate(0, 0, -30).Add(time.Duration(i) * 2 * time.Minute)
		obs = append(obs, ingest.Observation{
			Device: fmt.Sprintf("d%d", i%3), Place: ingest.Place{Tenant: "t", Site: "s", Region: "450702"}, Time: at,
			Readings: []ingest.Reading{{Quantity: q, Value: float64(i%800) / 100, Flag: ingest.Good}},
		})
	}
	check(client.Write(ctx, obs))
	shelf := &evidence.Shelf{Dir: t.TempDir()}
	s := &trace.Service{
		Store: db, Journal: db, Chain: db, Evidence: series{client}, Sensors: records{db}, Series: shelf, Catalogs: books,
		NewCode: func() (string, error) { return label.NewCode(rand.Reader) },
	}
	b, err := s.OpenBatch(ctx, trace.Batch{Tenant: "t", Site: "s", Product: "seaweed", Lot: "1", Quantity: 1, Unit: "kg", Began: now.AddDate(0, 0, -30), Harvest: now.Add(-time.Hour)}, "wei")
	check(err)

	left.Store(200_000)
	if _, err := s.CloseBatch(ctx, b.ID); !errors.Is(err, trace.ErrNoEvidence) {
		t.Fatalf("closed with half of the evidence: %v", err)
	}
	files, err := os.ReadDir(shelf.Dir)
	check(err)
	open, err := db.Batch(ctx, b.ID)
	check(err)
	if len(files) != 0 || open.Code != "" || left.Load() > 0 {
		t.Errorf("%d files are kept, the code is %q, %d bytes are left", len(files), open.Code, left.Load())
	}

	left.Store(1 << 40) // it is back
	closed, err := s.CloseBatch(ctx, b.ID)
	check(err)
	rec, err := db.RecordByCode(ctx, closed.Code)
	check(err)
	public, err := trace.ParsePublicRecord(rec.Body)
	check(err)
	if e := public.Evidence; len(e.Series) != 1 || e.Series[0].N < 19_000 {
		t.Fatalf("%+v", e)
	}
	text, err := shelf.Open(public.Evidence.Series[0].SHA256)
	check(err)
	defer text.Close()
	_, findings, err := public.Evidence.Recompute(text)
	check(err)
	for _, f := range findings {
		if !f.Holds() {
			t.Errorf("%+v", f)
		}
	}
	if len(findings) < 10 {
		t.Errorf("only %v", findings)
	}
}
