package main_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"tianhai/trace"
	"tianhai/trace/ledger"
)

// TestPackage hands the records of an operator over: each leads to the leaf that its
// receipt proves by the log's key.
func TestPackage(t *testing.T) {
	data, dir := filepath.Join(t.TempDir(), "data"), t.TempDir()
	_, printed := importAccounts(t, data, managedFarm+"products: [{id: oyster, kind: aquatic, species: oyster, name: {zh: 大蚝, en: Oyster}}]\n")
	s := startServer(t, "serve", data)
	b := newBrowser(t, s.HTTP)
	b.login("wang", passwordOf(t, printed, "wang"))
	code := sellBatch(b, "P-1")
	waitFor(t, "the receipt", 30*time.Second, func() bool {
		status, _ := b.send("GET", "/t/"+code+"/receipt", nil)
		return status == 200
	})
	_, key := b.send("GET", "/log/key", nil)
	today := time.Now().UTC()
	pack := func(operator, name string) [][]byte {
		t.Helper()
		file := filepath.Join(dir, name)
		if out, err := runTianhai(t, "package", operator, "--data", data, "--from", today.AddDate(0, 0, -1).Format(time.DateOnly), "--to", today.AddDate(0, 0, 1).Format(time.DateOnly), "--out", file); err != nil {
			t.Fatalf("package: %v\n%s", err, out)
		}
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return bytes.Split(bytes.TrimSpace(raw), []byte("\n"))
	}
	lines := pack("oysters", "own.jsonl")
	if end := string(lines[len(lines)-1]); len(lines) != 7 || end != `{"records":5,"unsealed":0}` {
		t.Fatalf("%d lines, the last %s", len(lines), end)
	}
	for _, line := range lines[1:6] {
		var r struct {
			Leaf, Opening json.RawMessage
			Receipt       string
		}
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatal(err)
		}
		opened, err := trace.ParseOpening(r.Opening)
		if err != nil {
			t.Fatal(err)
		}
		proof, err := ledger.Verify(string(bytes.TrimSpace(key)), r.Receipt)
		if err != nil || !bytes.Equal(proof.Leaf, r.Leaf) || !bytes.Equal(opened.Leaf(), r.Leaf) {
			t.Errorf("%s: %v", line, err)
		}
	}
	if other := pack("tea", "other.jsonl"); len(other) != 2 {
		t.Errorf("another operator has %s", other)
	}
	for name, args := range map[string][]string{
		"over a file":      {"oysters", "--from", "2026-01-01", "--to", "2026-01-31", "--out", filepath.Join(dir, "own.jsonl")},
		"nobody":           {"nobody", "--from", "2026-01-01", "--to", "2026-01-31", "--out", filepath.Join(dir, "nobody.jsonl")},
		"days in reverse":  {"oysters", "--from", "2026-02-01", "--to", "2026-01-01", "--out", filepath.Join(dir, "x.jsonl")},
		"no day of a year": {"oysters", "--from", "2026-02-30", "--to", "2026-03-01", "--out", filepath.Join(dir, "x.jsonl")},
	} {
		if out, err := runTianhai(t, append([]string{"package", "--data", data}, args...)...); err == nil {
			t.Errorf("%s: %s", name, out)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "nobody.jsonl")); err == nil {
		t.Error("a package of nobody was left")
	}
}
