package store_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"tianhai/cmd/internal/store"
	"tianhai/farm"
	"tianhai/trace"
	"tianhai/trace/ledger"
)

const auditedRecords = 300 // more than one tile holds

// sealedFarm is a data directory whose records are sealed, one leaf twice.
func sealedFarm(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	db, err := store.Open(t.Context(), store.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	l, err := ledger.Open(t.Context(), ledger.Options{Dir: filepath.Join(dir, "ledger"), CheckpointInterval: 100 * time.Millisecond, Keeper: dyingStore{Store: db}})
	if err != nil {
		t.Fatal(err)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(db.CreateTenant(t.Context(), farm.Tenant{ID: "tea", Name: farm.Text{Zh: "茶"}, Region: "450400"}))
	must(db.CreateSite(t.Context(), farm.Site{ID: "garden", Tenant: "tea", Region: "450400", Kind: farm.Garden, Name: farm.Text{Zh: "园"}}))
	for i := range auditedRecords {
		op := trace.Operation{
			ID: ulid.Make().String(), Tenant: "tea", Site: "garden", Kind: "spray", At: time.Now().Add(-time.Minute), Recorded: time.Now(), Person: "li",
			Items: []trace.Item{{Key: "product", Value: fmt.Sprint("苏云金杆菌 ", i)}},
		}
		must(db.AddOperation(t.Context(), op, trace.Record{
			ID: ulid.Make().String(), Tenant: "tea", Kind: trace.OperationRecord, Subject: op.ID,
			Body: fmt.Appendf(nil, `{"v":1,"product":"苏云金杆菌 %d"}`, i), Salt: []byte(ulid.Make().String()[10:26]), At: op.Recorded,
		}))
	}
	waiting, err := db.Unsealed(t.Context(), 1)
	must(err)
	_, err = l.Append(t.Context(), waiting[0].Leaf()) // as a crash between leaf and receipt leaves it
	must(err)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- trace.NewSealer(db, l, slog.New(slog.DiscardHandler)).Run(ctx) }()
	waitUntil(t, func() bool { n, err := db.UnsealedCount(t.Context()); return err == nil && n == 0 })
	stop()
	must(<-done)
	must(l.Close(t.Context()))
	must(db.Close())
	return dir
}

func waitUntil(t *testing.T, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal("waited in vain")
		}
	}
}

func auditOf(t *testing.T, dir string) trace.Audit {
	t.Helper()
	db, err := store.Open(t.Context(), store.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	a, err := auditor(t, db, dir, "").Run(t.Context(), trace.Audit{})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// auditor goes on from a state, or begins where that is empty. A checkpoint that
// was not signed is found before there is anything to go on from.
func auditor(t *testing.T, db *store.Store, dir, state string) *trace.Auditor {
	t.Helper()
	l, err := ledger.OpenReadOnly(filepath.Join(dir, "ledger"))
	if err != nil {
		t.Fatal(err)
	}
	a := &trace.Auditor{
		Store: db, Log: 1, Logger: slog.New(slog.DiscardHandler),
		Verify: func(receipt string) (int64, []byte, error) {
			p, err := ledger.Verify(l.VerifierKey(), receipt)
			return p.Index, p.Leaf, err
		},
	}
	scan, err := l.Scan(state)
	if err != nil {
		t.Fatal(err)
	}
	a.Scan = scan
	return a
}

// A byte that is changed anywhere, by whoever has the database and the disk, and a
// row that is deleted, are found and named.
func TestAuditNames(t *testing.T) {
	whole := sealedFarm(t)
	good := auditOf(t, whole)
	if good.FaultCount != 0 || good.Records != auditedRecords || good.Repeats != 1 || good.Leaves != auditedRecords+1 || good.Ended.IsZero() {
		t.Fatalf("untouched: %+v", good)
	}
	db := func(query string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			db, err := sql.Open("sqlite", filepath.Join(dir, "tianhai.db"))
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			for _, q := range []string{"DROP TRIGGER records_sealed_once", "DROP TRIGGER records_no_delete", query} {
				if _, err := db.ExecContext(t.Context(), q); err != nil {
					t.Fatalf("%s: %v", q, err)
				}
			}
		}
	}
	file := func(at int, pattern string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			names, err := filepath.Glob(filepath.Join(dir, "ledger", "tiles", pattern))
			if err != nil || len(names) == 0 {
				t.Fatal("no ", pattern, err)
			}
			raw, err := os.ReadFile(names[len(names)-1])
			if err != nil {
				t.Fatal(err)
			}
			raw[at] ^= 1
			if err := os.WriteFile(names[len(names)-1], raw, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	last := fmt.Sprintf(".p/%d", auditedRecords+1-256)
	for name, tt := range map[string]struct {
		spoil func(*testing.T, string)
		kind  string
		leaf  int64
		says  string
	}{
		"body":                {db(`UPDATE records SET body = replace(CAST(body AS TEXT), '苏云金杆菌', '百草枯') WHERE leaf = 77`), trace.FaultRecord, 77, "not what was sealed"},
		"salt":                {db(`UPDATE records SET salt = zeroblob(16) WHERE leaf = 280`), trace.FaultRecord, 280, "not what was sealed"},
		"receipt":             {db(`UPDATE records SET receipt = replace(receipt, 'index 9', 'index 8') WHERE leaf = 99`), trace.FaultReceipt, 99, "receipt"},
		"receipt of another":  {db(`UPDATE records SET receipt = (SELECT receipt FROM records WHERE leaf = 7) WHERE leaf = 8`), trace.FaultReceipt, 8, "another leaf"},
		"place":               {db(`UPDATE records SET leaf = 1000, at = 0 WHERE leaf = 20`), trace.FaultRecord, 1000, "not in the log"},
		"a deleted row":       {db(`DELETE FROM records WHERE leaf = 123`), trace.FaultMissing, 123, "not in the database"},
		"the last row":        {db(`DELETE FROM records WHERE leaf = 299`), trace.FaultMissing, 299, "not in the database"},
		"a row never sealed":  {db(`INSERT INTO records (id, tenant, kind, subject, body, salt, at, leaf, receipt) VALUES ('x', 'tea', 'operation', 'x', 'x', 'x', 0, -1, '')`), trace.FaultUnsealed, -1, "no leaf"},
		"a full tile":         {file(100, "tile/0/000"), trace.FaultLog, -1, "tile/0/000"},
		"a tile above":        {file(3, "tile/1/000.p/1"), trace.FaultLog, -1, "tile/1/000"},
		"a tile that grows":   {file(7, "tile/0/001"+last), trace.FaultLog, -1, "tile/0/001"},
		"an entry":            {file(40, "tile/entries/000"), trace.FaultLog, -1, "tile/0/000"},
		"an entry at the end": {file(40, "tile/entries/001"+last), trace.FaultLog, -1, "tile/0/001"},
		"length of an entry":  {file(0, "tile/entries/000"), trace.FaultLog, 0, "tile/entries/000"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.CopyFS(filepath.Join(dir, "d"), os.DirFS(whole)); err != nil {
				t.Fatal(err)
			}
			dir = filepath.Join(dir, "d")
			if err := os.Chmod(filepath.Join(dir, "ledger", "key"), 0o600); err != nil {
				t.Fatal(err)
			}
			tt.spoil(t, dir)
			a := auditOf(t, dir)
			for _, f := range a.Faults {
				if f.Kind == tt.kind && f.Leaf == tt.leaf && strings.Contains(f.Detail, tt.says) {
					return
				}
			}
			t.Errorf("%d faults, none is %s of leaf %d: %+v", a.FaultCount, tt.kind, tt.leaf, a.Faults)
		})
	}
}

// An audit that is broken off goes on where it was, and its result is the same.
func TestAuditGoesOn(t *testing.T) {
	dir := sealedFarm(t)
	db, err := store.Open(t.Context(), store.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	ctx, breakOff := context.WithCancel(t.Context())
	first := auditor(t, db, dir, "")
	verify := first.Verify
	first.Verify = func(receipt string) (int64, []byte, error) {
		breakOff() // in the first page
		return verify(receipt)
	}
	if half, err := first.Run(ctx, trace.Audit{}); err == nil || !half.Ended.IsZero() {
		t.Fatalf("it was not broken off: %+v, %v", half, err)
	}
	open, state, err := db.OpenAudit(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if open.Leaves == 0 || open.Leaves > auditedRecords || !bytes.Contains([]byte(state), []byte("levels")) {
		t.Fatalf("broken off: %+v, %.80s", open, state)
	}
	a, err := auditor(t, db, dir, state).Run(t.Context(), open)
	if err != nil {
		t.Fatal(err)
	}
	if a.FaultCount != 0 || a.Leaves != auditedRecords+1 || a.Records != auditedRecords || !a.Began.Equal(open.Began) {
		t.Errorf("it did not go on: %+v", a)
	}
}

// A published checkpoint with another byte cannot be scanned at all.
func TestAuditOfAFalseCheckpoint(t *testing.T) {
	dir := sealedFarm(t)
	name := filepath.Join(dir, "ledger", "tiles", "checkpoint")
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	l, err := ledger.OpenReadOnly(filepath.Join(dir, "ledger"))
	if err != nil {
		t.Fatal(err)
	}
	unread := bytes.LastIndexByte(raw, '=') - 1 // two bits of a signature's last character mean nothing
	for i := range raw {
		if i == unread {
			continue
		}
		spoilt := bytes.Clone(raw)
		spoilt[i] ^= 1
		if err := os.WriteFile(name, spoilt, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := l.Scan(""); err == nil {
			t.Errorf("a checkpoint with another byte %d is good", i)
		}
	}
}
