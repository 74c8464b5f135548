package ledger_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"tianhai/trace/ledger"
)

func open(t *testing.T, dir string) *ledger.Ledger {
	t.Helper()
	l, err := ledger.Open(t.Context(), ledger.Options{Dir: dir, Origin: origin, CheckpointInterval: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shut(t, l) })
	return l
}

func shut(t *testing.T, l *ledger.Ledger) {
	t.Helper()
	if err := l.Close(context.WithoutCancel(t.Context())); err != nil {
		t.Error(err)
	}
}

func appendLeaf(t *testing.T, l *ledger.Ledger, leaf string) int64 {
	t.Helper()
	i, err := l.Append(t.Context(), []byte(leaf))
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func receipt(t *testing.T, l *ledger.Ledger, index int64) string {
	t.Helper()
	r, err := l.Receipt(t.Context(), index)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func get(t *testing.T, l *ledger.Ledger, path string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	l.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w
}

// A thousand leaves appended at once: every one gets its own index and a receipt
// that verifies, and the published tiles say the same to a reader that shares no
// code with the writer.
func TestThousandLeaves(t *testing.T) {
	const n = 1000
	l := open(t, t.TempDir())
	indexes := make([]int64, n)
	receipts := make([]string, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			index, err := l.Append(t.Context(), fmt.Appendf(nil, "leaf %d", i))
			if err != nil {
				t.Error(err)
				return
			}
			indexes[i] = index
			if receipts[i], err = l.Receipt(t.Context(), index); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	tree, reader := published(t, l)
	if tree.N != n {
		t.Fatalf("the published tree has %d leaves", tree.N)
	}
	seen := map[int64]bool{}
	for i, r := range receipts {
		p, err := ledger.Verify(l.VerifierKey(), r)
		if err != nil {
			t.Fatalf("leaf %d: %v", i, err)
		}
		if p.Index != indexes[i] || string(p.Leaf) != fmt.Sprintf("leaf %d", i) || seen[p.Index] {
			t.Fatalf("leaf %d has receipt %+v", i, p)
		}
		seen[p.Index] = true
		proof, err := tlog.ProveRecord(tree.N, p.Index, reader)
		if err != nil {
			t.Fatal(err)
		}
		if err := tlog.CheckRecord(proof, tree.N, tree.Hash, p.Index, tlog.RecordHash(p.Leaf)); err != nil {
			t.Fatalf("leaf %d by the tiles: %v", i, err)
		}
	}
	for name, spoil := range map[string]func(string) string{
		"index": func(r string) string { return strings.Replace(r, "\nindex ", "\nindex 1", 1) },
		"hash": func(r string) string {
			lines := strings.Split(r, "\n")
			lines[4], lines[5] = lines[5], lines[4]
			return strings.Join(lines, "\n")
		},
		"leaf":       func(r string) string { return strings.Replace(r, "extra b", "extra a", 1) },
		"checkpoint": func(r string) string { return strings.Replace(r, "\n1000\n", "\n1001\n", 1) },
	} {
		last := receipts[n-1]
		for _, r := range receipts {
			if strings.Contains(r, "\n1000\n") {
				last = r
			}
		}
		spoilt := spoil(last)
		if spoilt == last {
			t.Fatalf("%s: nothing was changed", name)
		}
		if _, err := ledger.Verify(l.VerifierKey(), spoilt); err == nil {
			t.Errorf("a changed %s verifies", name)
		}
	}
}

// published reads checkpoint and tiles over HTTP.
func published(t *testing.T, l *ledger.Ledger) (tlog.Tree, tlog.HashReader) {
	t.Helper()
	v, err := note.NewVerifier(strings.TrimSpace(get(t, l, "/key").Body.String()))
	if err != nil {
		t.Fatal(err)
	}
	n, err := note.Open(get(t, l, "/checkpoint").Body.Bytes(), note.VerifierList(v))
	if err != nil {
		t.Fatal(err)
	}
	var tree tlog.Tree
	var root string
	if _, err := fmt.Sscanf(strings.TrimPrefix(n.Text, origin+"\n"), "%d\n%s\n", &tree.N, &root); err != nil {
		t.Fatal(err)
	}
	if tree.Hash, err = tlog.ParseHash(root); err != nil {
		t.Fatal(err)
	}
	return tree, tlog.TileHashReader(tree, tiles{t, l})
}

// tiles reads a log through its Handler.
type tiles struct {
	t *testing.T
	l *ledger.Ledger
}

func (tiles) Height() int { return 8 }

func (r tiles) ReadTiles(want []tlog.Tile) ([][]byte, error) {
	var out [][]byte
	for _, tile := range want {
		w := get(r.t, r.l, "/"+strings.Replace(tile.Path(), "tile/8/", "tile/", 1))
		if w.Code != http.StatusOK {
			return nil, fmt.Errorf("%s: %d", tile.Path(), w.Code)
		}
		out = append(out, w.Body.Bytes())
	}
	return out, nil
}

func (tiles) SaveTiles([]tlog.Tile, [][]byte) {}

// A log that is opened again goes on where it stopped: same key, next index, and
// a tree that the old checkpoint is proven to be the beginning of.
func TestReopen(t *testing.T) {
	dir := t.TempDir()
	first := open(t, dir)
	var wg sync.WaitGroup
	for i := range 300 {
		wg.Go(func() {
			if _, err := first.Append(t.Context(), fmt.Appendf(nil, "before %d", i)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	key := first.VerifierKey()
	shut(t, first)
	if _, err := first.Append(t.Context(), []byte("late")); !errors.Is(err, ledger.ErrClosed) {
		t.Errorf("append after close: %v", err)
	}

	second := open(t, dir)
	if second.VerifierKey() != key {
		t.Fatal("the key changed")
	}
	old, _ := published(t, second)
	if old.N != 300 {
		t.Fatalf("the log closed with %d leaves published, want all 300", old.N)
	}
	index := appendLeaf(t, second, "after")
	if index != old.N {
		t.Errorf("the next leaf got index %d, want %d", index, old.N)
	}
	if _, err := ledger.Verify(key, receipt(t, second, index)); err != nil {
		t.Error(err)
	}
	grown, reader := published(t, second)
	proof, err := tlog.ProveTree(grown.N, old.N, reader)
	if err != nil {
		t.Fatal(err)
	}
	if err := tlog.CheckTree(proof, grown.N, grown.Hash, old.N, old.Hash); err != nil {
		t.Errorf("the old tree is not the beginning of the new one: %v", err)
	}
	old.Hash[0] ^= 1
	if err := tlog.CheckTree(proof, grown.N, grown.Hash, old.N, old.Hash); err == nil {
		t.Error("the consistency proof proves anything")
	}
}

// A leaf whose Append has returned survives a log that stops before it could
// publish anything.
func TestStopBeforeCheckpoint(t *testing.T) {
	dir := t.TempDir()
	opts := ledger.Options{Dir: dir, Origin: origin, CheckpointInterval: time.Hour}
	l, err := ledger.Open(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	index := appendLeaf(t, l, "durable")
	hurry, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.Close(hurry); !errors.Is(err, context.Canceled) {
		t.Fatalf("close without time to publish: %v", err)
	}
	again := open(t, dir)
	p, err := ledger.Verify(again.VerifierKey(), receipt(t, again, index))
	if err != nil || string(p.Leaf) != "durable" {
		t.Errorf("leaf %d is %q: %v", index, p.Leaf, err)
	}
}

func TestOneWriter(t *testing.T) {
	dir := t.TempDir()
	first := open(t, dir)
	if _, err := ledger.Open(t.Context(), ledger.Options{Dir: dir}); !errors.Is(err, ledger.ErrInUse) {
		t.Fatalf("a second writer gets %v", err)
	}
	shut(t, first)
	open(t, dir)
}

func TestOpenRefuses(t *testing.T) {
	spoil := map[string]struct {
		do   func(dir string) error
		says string
	}{
		"another name":    {func(string) error { return nil }, "keeps its name"},
		"readable key":    {func(dir string) error { return os.Chmod(filepath.Join(dir, "key"), 0o644) }, "chmod 600"},
		"lost key":        {func(dir string) error { return os.Remove(filepath.Join(dir, "key")) }, "restore it"},
		"damaged key":     {func(dir string) error { return os.WriteFile(filepath.Join(dir, "key"), []byte("x"), 0o600) }, "private key"},
		"somebody's key":  {func(dir string) error { return exchangeKey(t, dir) }, "not signed by"},
		"false spot":      {func(dir string) error { return os.WriteFile(filepath.Join(dir, "tiles", "checkpoint"), nil, 0o600) }, "checkpoint"},
		"name with space": {os.RemoveAll, "private key"},
	}
	for name, tt := range spoil {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			l := open(t, dir)
			receipt(t, l, appendLeaf(t, l, "x"))
			shut(t, l)
			if err := tt.do(dir); err != nil {
				t.Fatal(err)
			}
			opts := ledger.Options{Dir: dir}
			switch name {
			case "another name":
				opts.Origin = "other.example/log"
			case "name with space":
				opts.Origin = "a b"
			}
			_, err := ledger.Open(t.Context(), opts)
			if err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("opens with %v, want an error that says %q", err, tt.says)
			}
			if err != nil && strings.Contains(err.Error(), "PRIVATE") {
				t.Error("the error quotes the key")
			}
		})
	}
}

func exchangeKey(t *testing.T, dir string) error {
	other := t.TempDir()
	l, err := ledger.Open(t.Context(), ledger.Options{Dir: other, Origin: origin})
	if err != nil {
		return err
	}
	shut(t, l)
	raw, err := os.ReadFile(filepath.Join(other, "key"))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "key"), raw, 0o600)
}

func TestKeyIsPrivate(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	info, err := os.Stat(filepath.Join(dir, "key"))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	for _, path := range []string{"/../key", "/tiles/key", "/.state/treeState", "/lock"} {
		if w := get(t, l, path); w.Code != http.StatusNotFound {
			t.Errorf("GET %s: %d", path, w.Code)
		}
	}
	if body := get(t, l, "/key").Body.String(); body != l.VerifierKey()+"\n" || strings.Contains(body, "PRIVATE") {
		t.Errorf("GET /key: %q", body)
	}
}

func TestAppendLimits(t *testing.T) {
	l := open(t, t.TempDir())
	for name, size := range map[string]int{"empty": 0, "too long": ledger.MaxLeaf + 1} {
		if _, err := l.Append(t.Context(), make([]byte, size)); err == nil {
			t.Errorf("%s leaf is taken", name)
		}
	}
	longest := strings.Repeat("x", ledger.MaxLeaf)
	if p, err := ledger.Verify(l.VerifierKey(), receipt(t, l, appendLeaf(t, l, longest))); err != nil || string(p.Leaf) != longest {
		t.Errorf("the longest leaf: %v", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Append(gone, []byte("x")); !errors.Is(err, context.Canceled) {
		t.Errorf("append for nobody: %v", err)
	}
	if _, err := l.Receipt(gone, 99); !errors.Is(err, context.Canceled) {
		t.Errorf("receipt of a leaf that never comes: %v", err)
	}
	if _, err := l.Receipt(t.Context(), -1); err == nil {
		t.Error("receipt of leaf -1")
	}
}

func TestHandler(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	for i := range 3 {
		receipt(t, l, appendLeaf(t, l, fmt.Sprintf("leaf %d", i)))
	}
	entries := get(t, l, "/tile/entries/000.p/3")
	var want bytes.Buffer
	for i := range 3 {
		leaf := fmt.Sprintf("leaf %d", i)
		_ = binary.Write(&want, binary.BigEndian, uint16(len(leaf)))
		want.WriteString(leaf)
	}
	if got, _ := io.ReadAll(entries.Body); !bytes.Equal(got, want.Bytes()) {
		t.Errorf("entries are %q, want %q", got, want.Bytes())
	}
	if c := entries.Header().Get("Cache-Control"); !strings.Contains(c, "immutable") {
		t.Errorf("a tile is cached as %q", c)
	}
	if c := get(t, l, "/checkpoint").Header().Get("Cache-Control"); c != "no-cache" {
		t.Errorf("the checkpoint is cached as %q", c)
	}
	// A crash can leave tiles that no checkpoint covers and that will be rewritten.
	if err := os.WriteFile(filepath.Join(dir, "tiles", "tile", "0", "000.p", "4"), make([]byte, 128), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{
		"/", "/tile/0/000", "/tile/entries/000", "/tile/0/000.p/4", "/tile/0/000.p/0", "/tile/0/000.p/256", "/tile/1/000.p/1",
		"/tile/0/001.p/1", "/tile/9/000.p/1", "/tile/0/x999/x999/x999/x999/x999/999", "/tile/0/../entries/000.p/3",
	} {
		if w := get(t, l, path); w.Code != http.StatusNotFound || w.Header().Get("Cache-Control") != "" {
			t.Errorf("GET %s: %d, cached as %q", path, w.Code, w.Header().Get("Cache-Control"))
		}
	}
	w := httptest.NewRecorder()
	l.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/checkpoint", nil))
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", w.Code)
	}
}
