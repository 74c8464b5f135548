package store_test

import (
	"bytes"
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/pressly/goose/v3"

	"tianhai/cmd/internal/store"
	"tianhai/trace"
	"tianhai/trace/recall"
	"tianhai/trace/scan"
)

// Looks that an older version kept among the records are found in their own file, also
// where a crash left both.
func TestLooksMoveApart(t *testing.T) {
	dir := t.TempDir()
	records := filepath.Join(dir, "tianhai.db")
	ageLooks(t, records)
	old, err := os.ReadFile(records)
	check(t, err)
	want := scan.Total{Code: "CODE1", Count: 7, First: noon, Last: noon.Add(time.Minute)}
	for _, when := range []string{"upgraded", "upgraded again after a crash"} {
		check(t, os.WriteFile(records, old, 0o600))
		s, err := store.Open(t.Context(), store.Options{Dir: dir})
		check(t, err)
		equal(t, when, want)(s.Total(t.Context(), "CODE1"))
		if all, err := s.Sightings(t.Context(), []string{"CODE1"}, 0); err != nil || len(all) != 1 || all[0].Count != 7 {
			t.Errorf("%s: sightings %v, %v", when, all, err)
		}
		equal(t, when+": the key", []byte("key"))(s.Salt(t.Context(), 5))
		check(t, s.Close())
	}
	check(t, os.Remove(records))
	if info, err := os.Stat(records + "-looks"); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file with the looks: %v, %v", info, err)
	}
}

// A page stays as it is kept while people look at codes, and is another with the recall.
func testLooksLeavePages(t *testing.T, s *store.Store) {
	records := &counted{Store: s}
	page, codes := sell(t, s, records, 1)
	first := ask(t, page, codes[0])
	for range 3 {
		check(t, s.AddSightings(t.Context(), []scan.Sighting{{Code: codes[0], Day: scan.Day(noon), Count: 1, First: noon, Last: noon}}))
		if again := ask(t, page, codes[0]); !bytes.Equal(again, first) {
			t.Error("a look made another page")
		}
	}
	if records.read != 1 {
		t.Errorf("beside looks the page was made %d times, want once", records.read)
	}
	_, err := recaller(s).Open(t.Context(), officer, newULID(), opened(recall.Start{Kind: recall.FromBatch, ID: "B0000"}))
	check(t, err)
	if red := ask(t, page, codes[0]); bytes.Equal(red, first) || records.read != 2 {
		t.Errorf("with the recall the page was made %d times, want twice", records.read)
	}
}

// counted counts how often a record is read.
type counted struct {
	*store.Store
	read int
}

func (c *counted) RecordByCode(ctx context.Context, code string) (trace.Record, error) {
	c.read++
	return c.Store.RecordByCode(ctx, code)
}

// ageLooks makes a file of the version before looks stood apart.
func ageLooks(t *testing.T, records string) {
	t.Helper()
	db, err := sql.Open("sqlite", records)
	check(t, err)
	upTo(t, db, goose.DialectSQLite3, 70)
	last := noon.Add(time.Minute).UnixMicro()
	for _, add := range []string{
		`INSERT INTO scan_codes VALUES ('CODE1', 7, ?, ?)`,
		`INSERT INTO scan_sightings VALUES ('CODE1', 5, '0102030405060708', '4505', '43,218', 7, ?, ?)`,
	} {
		if _, err := db.ExecContext(t.Context(), add, noon.UnixMicro(), last); err != nil {
			t.Fatal(err)
		}
	}
	_, err = db.ExecContext(t.Context(), `INSERT INTO scan_salts VALUES (5, 'key')`)
	check(t, err)
	check(t, db.Close())
}
