package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"tianhai/cmd/internal/store"
	"tianhai/farm"
	"tianhai/ingest"
	"tianhai/ingest/device"
	"tianhai/ingest/mapping"
	"tianhai/monitor/alert"
	"tianhai/trace"
	"tianhai/trace/catalog"
)

func newOperation(id string, at time.Time) (trace.Operation, trace.Record) {
	op := trace.Operation{
		ID: id, Tenant: "tea", Site: "garden-1", Kind: "spray", At: at, Recorded: noon, Person: "wei",
		Items: []trace.Item{{Key: "product", Value: "苏云金杆菌"}, {Key: "dose", Value: "1.5", Unit: "kg"}},
	}
	rec := trace.Record{
		ID: "r-" + id, Tenant: "tea", Kind: trace.OperationRecord, Subject: id,
		Body: []byte("{\"id\":\"" + id + "\"}\x00\xff"), Salt: []byte("0123456789abcdef"), At: noon, Index: -1, Log: 1,
	}
	return op, rec
}

func newBatch(id string) trace.Batch {
	return trace.Batch{
		ID: id, Tenant: "tea", Site: "garden-1", Product: "liubao", Lot: "2026-17", Quantity: 12.5, Unit: "kg",
		Began: yesterday, Harvest: noon, Opened: noon,
	}
}

func closed(b trace.Batch, code string) (trace.Batch, trace.Record) {
	b.Code, b.Closed = code, noon.Add(time.Hour)
	return b, trace.Record{
		ID: "r-" + b.ID, Tenant: b.Tenant, Kind: trace.BatchRecord, Subject: b.ID, Code: code,
		Body: []byte(`{"batch":1}`), Salt: []byte("fedcba9876543210"), At: noon.Add(time.Hour), Index: -1, Log: 1,
	}
}

func testOperations(t *testing.T, s *store.Store) {
	ctx := t.Context()
	seed(t, s)
	op, rec := newOperation("o1", noon)
	check(t, s.AddOperation(ctx, op, rec))
	equal(t, "operation", op)(s.Operation(ctx, "o1"))
	equal(t, "its record", []trace.Record{rec})(s.RecordsOf(ctx, "o1"))

	again, second := op, rec
	again.At, again.Recorded = op.At.In(time.FixedZone("CST", 8*3600)), noon.Add(time.Hour)
	second.ID, second.Salt = "r-o1-again", []byte("another salt 123")
	check(t, s.AddOperation(ctx, again, second))
	equal(t, "operation after repeat", op)(s.Operation(ctx, "o1"))
	equal(t, "records after repeat", []trace.Record{rec})(s.RecordsOf(ctx, "o1"))

	for name, change := range map[string]func(*trace.Operation){
		"dose":   func(o *trace.Operation) { o.Items = []trace.Item{o.Items[0], {Key: "dose", Value: "15", Unit: "kg"}} },
		"items":  func(o *trace.Operation) { o.Items = nil },
		"time":   func(o *trace.Operation) { o.At = o.At.Add(time.Second) },
		"person": func(o *trace.Operation) { o.Person = "li" },
		"kind":   func(o *trace.Operation) { o.Kind = "harvest" },
		"place":  func(o *trace.Operation) { o.Position = &trace.Position{Latitude: 22} },
	} {
		other := op
		change(&other)
		wantErr(t, "same ID, other "+name, s.AddOperation(ctx, other, second), farm.ErrConflict)
	}

	fix, fixRec := newOperation("o2", noon.Add(-time.Hour))
	fix.Corrects, fix.Items = "o1", nil
	fix.Catalog, fix.Far, fix.Position = 3, true, &trace.Position{Longitude: 108.55, Latitude: 21.73, Accuracy: 12}
	check(t, s.AddOperation(ctx, fix, fixRec))
	check(t, s.AddOperation(ctx, fix, fixRec))
	early, earlyRec := newOperation("o0", yesterday)
	check(t, s.AddOperation(ctx, early, earlyRec))
	equal(t, "both stay, oldest first", []trace.Operation{early, fix, op})(s.Operations(ctx, "garden-1", yesterday, noon.Add(1000)))
	equal(t, "from included, to excluded", []trace.Operation{early, fix})(s.Operations(ctx, "garden-1", yesterday, noon))
	equal(t, "of another site", []trace.Operation{})(s.Operations(ctx, "raft-1", yesterday, noon.Add(time.Hour)))

	lost, lostRec := newOperation("o9", noon)
	lost.Corrects = "o1"
	wantErr(t, "second correction", s.AddOperation(ctx, lost, lostRec), farm.ErrConflict)
	lost.Corrects = "nothing"
	wantErr(t, "correction of nothing", s.AddOperation(ctx, lost, lostRec), farm.ErrNotFound)
	lost.Corrects, lost.Site = "", "nowhere"
	wantErr(t, "unknown site", s.AddOperation(ctx, lost, lostRec), farm.ErrNotFound)
	_, err := s.Operation(ctx, "o9")
	wantErr(t, "unknown operation", err, farm.ErrNotFound)

	// All or none: the record's ID is taken.
	lost.Site, lostRec.ID = "garden-1", rec.ID
	wantErr(t, "record of that ID", s.AddOperation(ctx, lost, lostRec), farm.ErrConflict)
	_, err = s.Operation(ctx, "o9")
	wantErr(t, "operation without record", err, farm.ErrNotFound)
	if err := s.AddOperation(ctx, lost, rec); err == nil {
		t.Error("took a record that is about another operation")
	}
}

func testBatches(t *testing.T, s *store.Store) {
	ctx := t.Context()
	seed(t, s)
	b := newBatch("b1")
	check(t, s.AddBatch(ctx, b))
	wantErr(t, "batch again", s.AddBatch(ctx, b), farm.ErrConflict)
	equal(t, "open", b)(s.Batch(ctx, "b1"))

	done, rec := closed(b, "CODE1")
	done.Lot = "2026-17b"
	check(t, s.CloseBatch(ctx, done, rec))
	equal(t, "closed", done)(s.Batch(ctx, "b1"))
	equal(t, "record by code", rec)(s.RecordByCode(ctx, "CODE1"))
	equal(t, "records of", []trace.Record{rec})(s.RecordsOf(ctx, "b1"))

	twice, twiceRec := closed(b, "CODE2")
	twiceRec.ID = "r-twice"
	wantErr(t, "closing twice", s.CloseBatch(ctx, twice, twiceRec), farm.ErrConflict)
	check(t, s.AddBatch(ctx, newBatch("b2")))
	taken, takenRec := closed(newBatch("b2"), "CODE1")
	wantErr(t, "code taken", s.CloseBatch(ctx, taken, takenRec), farm.ErrConflict)
	equal(t, "still open", newBatch("b2"))(s.Batch(ctx, "b2"))
	foreign, foreignRec := closed(newBatch("b2"), "CODE3")
	foreign.Tenant, foreignRec.Tenant = "oysters", "oysters"
	wantErr(t, "batch of another", s.CloseBatch(ctx, foreign, foreignRec), farm.ErrNotFound)
	unknown, unknownRec := closed(newBatch("b9"), "CODE4")
	wantErr(t, "unknown batch", s.CloseBatch(ctx, unknown, unknownRec), farm.ErrNotFound)
	if err := s.CloseBatch(ctx, newBatch("b2"), takenRec); err == nil {
		t.Error("closed a batch without a code")
	}
	_, err := s.RecordByCode(ctx, "CODE4")
	wantErr(t, "unknown code", err, farm.ErrNotFound)
	_, err = s.RecordByCode(ctx, "")
	wantErr(t, "empty code", err, farm.ErrNotFound)
	_, err = s.Batch(ctx, "b9")
	wantErr(t, "unknown batch", err, farm.ErrNotFound)

	late := newBatch("b0")
	late.Opened = noon.Add(time.Hour)
	check(t, s.AddBatch(ctx, late))
	equal(t, "newest first", []trace.Batch{late, newBatch("b2"), done})(s.Batches(ctx, store.BatchFilter{}))
	equal(t, "limited", []trace.Batch{late})(s.Batches(ctx, store.BatchFilter{Tenant: "tea", Region: "450400", Limit: 1}))
	equal(t, "of another", []trace.Batch{})(s.Batches(ctx, store.BatchFilter{Tenant: "oysters"}))
	equal(t, "elsewhere", []trace.Batch{})(s.Batches(ctx, store.BatchFilter{Region: "450700"}))
}

func testSealing(t *testing.T, s *store.Store) {
	ctx := t.Context()
	seed(t, s)
	var recs []trace.Record
	for i, id := range []string{"o3", "o1", "o2"} {
		op, rec := newOperation(id, noon)
		rec.At = noon.Add(time.Duration(i) * time.Second)
		check(t, s.AddOperation(ctx, op, rec))
		recs = append(recs, rec)
	}
	equal(t, "oldest first", recs)(s.Unsealed(ctx, 10))
	equal(t, "limited", recs[:2])(s.Unsealed(ctx, 2))
	equal(t, "count", 3)(s.UnsealedCount(ctx))

	check(t, s.Sealed(ctx, "r-o1", trace.Seal{Log: 2, Index: 7, Receipt: "receipt 7"}))
	check(t, s.Sealed(ctx, "r-o1", trace.Seal{Log: 2, Index: 7, Receipt: "receipt 7"}))
	wantErr(t, "another place", s.Sealed(ctx, "r-o1", trace.Seal{Log: 2, Index: 8, Receipt: "receipt 7"}), farm.ErrConflict)
	wantErr(t, "another receipt", s.Sealed(ctx, "r-o1", trace.Seal{Log: 2, Index: 7, Receipt: "receipt 8"}), farm.ErrConflict)
	wantErr(t, "another log", s.Sealed(ctx, "r-o1", trace.Seal{Log: 1, Index: 7, Receipt: "receipt 7"}), farm.ErrConflict)
	wantErr(t, "a place that is taken", s.Sealed(ctx, "r-o2", trace.Seal{Log: 2, Index: 7, Receipt: "receipt 7"}), farm.ErrConflict)
	wantErr(t, "unknown record", s.Sealed(ctx, "r-o9", trace.Seal{Log: 1, Index: 7, Receipt: "receipt"}), farm.ErrNotFound)
	if s.Sealed(ctx, "r-o2", trace.Seal{Log: 1, Index: -1, Receipt: "receipt"}) == nil || s.Sealed(ctx, "r-o2", trace.Seal{Log: 1, Index: 1}) == nil || s.Sealed(ctx, "r-o2", trace.Seal{Index: 1, Receipt: "receipt"}) == nil {
		t.Error("sealed without a place or a receipt")
	}
	recs[1].Log, recs[1].Index, recs[1].Receipt = 2, 7, "receipt 7"
	equal(t, "sealed", recs[1:2])(s.RecordsOf(ctx, "o1"))
	equal(t, "left", []trace.Record{recs[0], recs[2]})(s.Unsealed(ctx, 10))
	equal(t, "count", 2)(s.UnsealedCount(ctx))
}

func testCosigning(t *testing.T, s *store.Store) {
	ctx := t.Context()
	seed(t, s)
	for i, id := range []string{"o1", "o2", "o3", "o4"} {
		op, rec := newOperation(id, noon)
		check(t, s.AddOperation(ctx, op, rec))
		if id != "o4" {
			check(t, s.Sealed(ctx, "r-"+id, trace.Seal{Log: 1 + i/2, Index: int64(10 - i), Receipt: "own"}))
		}
	}
	ids := func(log int, below int64) []string {
		t.Helper()
		recs, err := s.Uncosigned(ctx, log, below, 10)
		check(t, err)
		out := []string{}
		for _, r := range recs {
			out = append(out, fmt.Sprintf("%s %d", r.ID, r.Index))
		}
		return out
	}
	equal(t, "in the order of the log", []string{"r-o2 9", "r-o1 10"})(ids(1, 11), nil)
	equal(t, "covered only", []string{"r-o2 9"})(ids(1, 10), nil)
	equal(t, "of the other log", []string{"r-o3 8"})(ids(2, 100), nil)
	wantErr(t, "not sealed", s.Cosigned(ctx, "r-o4", "theirs"), farm.ErrNotFound)
	wantErr(t, "unknown", s.Cosigned(ctx, "r-o9", "theirs"), farm.ErrNotFound)
	check(t, s.Cosigned(ctx, "r-o1", "theirs"))
	check(t, s.Cosigned(ctx, "r-o1", "of others"))
	equal(t, "left", []string{"r-o2 9"})(ids(1, 11), nil)
	got, err := s.RecordsOf(ctx, "o1")
	check(t, err)
	if len(got) != 1 || got[0].Receipt != "theirs" || !got[0].Cosigned || got[0].Index != 10 {
		t.Errorf("cosigned: %+v", got)
	}
}

func testLogs(t *testing.T, s *store.Store) {
	ctx := t.Context()
	equal(t, "none", []trace.LogState{})(s.Logs(ctx))
	a := trace.LogState{Number: 1, VerifierKey: "key", Size: 5, Checkpoint: "five", At: noon}
	check(t, s.KeepLog(ctx, a))
	check(t, s.KeepLog(ctx, a))
	less, other, stranger := a, a, a
	less.Size, other.Checkpoint, stranger.VerifierKey, stranger.Size = 4, "another five", "another key", 9
	wantErr(t, "going back", s.KeepLog(ctx, less), farm.ErrConflict)
	wantErr(t, "another tree of that size", s.KeepLog(ctx, other), farm.ErrConflict)
	wantErr(t, "another key", s.KeepLog(ctx, stranger), farm.ErrConflict)
	a.Size, a.Checkpoint = 6, "six"
	check(t, s.KeepLog(ctx, a))
	b := trace.LogState{Number: 2, VerifierKey: "next", Checkpoint: "nothing", At: noon}
	check(t, s.KeepLog(ctx, b))
	equal(t, "logs", []trace.LogState{a, b})(s.Logs(ctx))
	for _, query := range []string{
		`UPDATE logs SET size = 1 WHERE number = 1`,
		`UPDATE logs SET checkpoint = 'x' WHERE number = 1`,
		`UPDATE logs SET verifier_key = 'x' WHERE number = 1`,
		`DELETE FROM logs`,
	} {
		if err := s.Exec(ctx, query); err == nil {
			t.Errorf("the database did %s", query)
		}
	}
}

// Promise 4, against the database itself.
func testAppendOnly(t *testing.T, s *store.Store) {
	ctx := t.Context()
	seed(t, s)
	op, rec := newOperation("o1", noon)
	check(t, s.AddOperation(ctx, op, rec))
	open, openRec := newOperation("o2", noon)
	check(t, s.AddOperation(ctx, open, openRec))
	check(t, s.AddBatch(ctx, newBatch("b1")))
	done, doneRec := closed(newBatch("b1"), "CODE1")
	check(t, s.CloseBatch(ctx, done, doneRec))
	check(t, s.AddBatch(ctx, newBatch("b2")))
	check(t, s.Sealed(ctx, "r-o1", trace.Seal{Log: 1, Receipt: "receipt"}))
	check(t, s.AddCalibration(ctx, device.Calibration{Device: "buoy-1", Channel: "t", Slope: 1, From: noon, Recorded: noon}))
	check(t, s.ChangeState(ctx, device.Event{Device: "buoy-1", At: noon, Kind: "suspended"}))
	check(t, s.ChangeRetention(ctx, ingest.RetentionChange{At: noon, Effective: noon, Account: "li"}))
	check(t, s.AddMapping(ctx, mapping.Version{Name: "weather", Version: 1, Account: "root", Created: noon}))
	check(t, s.AddCatalog(ctx, catalog.Version{Version: 1, Doc: "x", Account: "root", Created: noon}, nil))

	for _, query := range []string{
		`UPDATE catalogs SET doc = 'x'`,
		`DELETE FROM catalogs`,
		`UPDATE mappings SET doc = 'x' WHERE name = 'weather'`,
		`DELETE FROM mappings WHERE name = 'weather'`,
		`UPDATE records SET body = salt WHERE id = 'r-o2'`,
		`UPDATE records SET salt = body WHERE id = 'r-o2'`,
		`UPDATE records SET body = salt, leaf = 1, receipt = 'x' WHERE id = 'r-o2'`,
		`UPDATE records SET subject = 'o1', leaf = 1, receipt = 'x' WHERE id = 'r-o2'`,
		`UPDATE records SET kind = 'x', leaf = 1, receipt = 'x' WHERE id = 'r-o2'`,
		`UPDATE records SET tenant = 'oysters', leaf = 1, receipt = 'x' WHERE id = 'r-o2'`,
		`UPDATE records SET id = 'x', leaf = 1, receipt = 'x' WHERE id = 'r-o2'`,
		`UPDATE records SET code = NULL, leaf = 1, receipt = 'x' WHERE id = 'r-b1'`,
		`UPDATE records SET at = 0, leaf = 1, receipt = 'x' WHERE id = 'r-o2'`,
		`UPDATE records SET leaf = 1, receipt = 'x' WHERE id = 'r-o1'`,
		`UPDATE records SET leaf = -1, receipt = '' WHERE id = 'r-o1'`,
		`UPDATE records SET receipt = 'x' WHERE id = 'r-o1'`,
		`UPDATE records SET leaf = 1, cosigned = TRUE WHERE id = 'r-o1'`,
		`UPDATE records SET log = 2, cosigned = TRUE WHERE id = 'r-o1'`,
		`UPDATE records SET body = salt, cosigned = TRUE WHERE id = 'r-o1'`,
		`UPDATE records SET receipt = 'x' WHERE id = 'r-o2'`,
		`DELETE FROM records WHERE id = 'r-o2'`,
		`UPDATE operations SET items = '[]' WHERE id = 'o1'`,
		`DELETE FROM operations WHERE id = 'o1'`,
		`UPDATE batches SET quantity = 1 WHERE id = 'b1'`,
		`UPDATE batches SET code = NULL, closed = NULL WHERE id = 'b1'`,
		`UPDATE batches SET site = 'raft-1', tenant = 'oysters' WHERE id = 'b2'`,
		`DELETE FROM batches WHERE id = 'b2'`,
		`UPDATE installations SET since = 0 WHERE device = 'buoy-1'`,
		`DELETE FROM installations WHERE device = 'buoy-1'`,
		`UPDATE device_events SET reason = 'x' WHERE device = 'buoy-1'`,
		`DELETE FROM device_events WHERE device = 'buoy-1'`,
		`UPDATE retentions SET raw_days = 0`,
		`DELETE FROM retentions`,
		`UPDATE calibrations SET slope = 2 WHERE device = 'buoy-1'`,
		`DELETE FROM calibrations WHERE device = 'buoy-1'`,
		`INSERT OR REPLACE INTO operations SELECT id, tenant, site, 'x', at, recorded, person, items, corrects, catalog, position, far FROM operations WHERE id = 'o1'`,
		`TRUNCATE records, operations, batches, installations CASCADE`,
	} {
		if err := s.Exec(ctx, query); err == nil {
			t.Errorf("the database did %s", query)
		}
	}
	rec.Index, rec.Receipt = 0, "receipt"
	equal(t, "sealed record", []trace.Record{rec})(s.RecordsOf(ctx, "o1"))
	equal(t, "unsealed records", []trace.Record{openRec, doneRec})(s.Unsealed(ctx, 10))
	equal(t, "operation", op)(s.Operation(ctx, "o1"))
	equal(t, "closed batch", done)(s.Batch(ctx, "b1"))
	equal(t, "open batch", newBatch("b2"))(s.Batch(ctx, "b2"))
	equal(t, "site", raft)(s.SiteOf(ctx, "buoy-1"))
}

// Promise 6: no row ties together what two tenants own.
func testTenantsApart(t *testing.T, s *store.Store) {
	ctx := t.Context()
	seed(t, s)
	op, rec := newOperation("o1", noon)
	check(t, s.AddOperation(ctx, op, rec))

	wantErr(t, "a device on a stranger's site", s.Install(ctx, device.Installation{Device: "buoy-1", Site: "garden-1", From: noon}), farm.ErrNotFound)
	stray, strayRec := newOperation("o2", noon)
	stray.Site = "raft-1"
	wantErr(t, "an operation on a stranger's site", s.AddOperation(ctx, stray, strayRec), farm.ErrNotFound)
	stray.Tenant, strayRec.Tenant, stray.Corrects = "oysters", "oysters", "o1"
	wantErr(t, "a correction of a stranger's operation", s.AddOperation(ctx, stray, strayRec), farm.ErrNotFound)
	b := newBatch("b1")
	b.Site = "raft-1"
	wantErr(t, "a batch on a stranger's site", s.AddBatch(ctx, b), farm.ErrNotFound)
	a := newAlert("a1", alert.Firing, noon)
	a.Tenant = "tea"
	wantErr(t, "an alert on a stranger's site", s.SaveAlert(ctx, a, nil), farm.ErrNotFound)
	c := device.CommandRecord{Tenant: "tea", State: device.Sent, Created: noon}
	c.ID, c.Device, c.Expires = "c1", "buoy-1", noon
	wantErr(t, "a command to a stranger's device", s.CreateCommand(ctx, c), farm.ErrNotFound)
}

// Writers wait for each other instead of failing, and nothing they wrote is lost.
func testConcurrentWriters(t *testing.T, s *store.Store) {
	ctx := t.Context()
	seed(t, s)
	const writers, rounds = 8, 10
	var wg sync.WaitGroup
	errs := make(chan error, writers*rounds)
	for w := range writers {
		wg.Go(func() {
			for r := range rounds {
				errs <- writeRound(ctx, s, w, r)
			}
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			t.Error(err)
		}
	}
	equal(t, "records", writers*rounds+1)(s.UnsealedCount(ctx))
	alerts, err := s.OpenAlerts(ctx)
	if err != nil || len(alerts) != writers*rounds {
		t.Errorf("%d alerts, %v; want %d", len(alerts), err, writers*rounds)
	}
}

// writeRound writes and reads as several parts of a busy server do. All writers
// add one operation in common.
func writeRound(ctx context.Context, s *store.Store, writer, round int) error {
	id := fmt.Sprintf("w%d-%d", writer, round)
	op, rec := newOperation("o-"+id, noon)
	a := newAlert("a-"+id, alert.Firing, noon)
	common, commonRec := newOperation("common", noon)
	commonRec.ID = "r-common-" + id
	err := errors.Join(
		s.AddOperation(ctx, op, rec),
		s.AddOperation(ctx, common, commonRec),
		s.SaveAlert(ctx, a, []alert.Notice{{ID: "n-" + id, Alert: a, Channel: "webhook", Next: noon}}),
		s.SetOnline(ctx, "buoy-1", round%2 == 0, noon),
		s.Install(ctx, device.Installation{Device: "buoy-1", Site: "raft-1", From: yesterday}), // reads before it writes
	)
	if _, dueErr := s.DueNotices(ctx, noon, 10); dueErr != nil {
		err = errors.Join(err, dueErr)
	}
	if err != nil && strings.Contains(err.Error(), "locked") {
		return fmt.Errorf("a writer was turned away: %w", err)
	}
	return err
}
