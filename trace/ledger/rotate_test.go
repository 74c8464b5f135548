package ledger_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tianhai/trace/ledger"
)

func rotate(t *testing.T, dir string, keeper ledger.Keeper, restored bool, posts ...*post) (ledger.Key, error) {
	t.Helper()
	opts := ledger.Options{Dir: dir, Origin: origin, CheckpointInterval: 100 * time.Millisecond, Keeper: keeper, Quorum: len(posts)}
	for _, p := range posts {
		opts.Witnesses = append(opts.Witnesses, ledger.WitnessAddress{VerifierKey: p.VerifierKey(), URL: p.url})
	}
	return ledger.Rotate(t.Context(), opts, restored)
}

// leafOf returns the leaf that a receipt holds.
func leafOf(t *testing.T, vkey, receipt string) map[string]any {
	t.Helper()
	p, err := ledger.Verify(vkey, receipt)
	if err != nil {
		t.Fatal(err)
	}
	var leaf map[string]any
	if err := json.Unmarshal(p.Leaf, &leaf); err != nil {
		t.Fatal(err)
	}
	return leaf
}

// The old log's last leaf names the new key, the new one's first the checkpoint
// that the old one ended with; the old private key is gone, old receipts hold, and
// both logs are served.
func TestRotate(t *testing.T) {
	dir, keeper := t.TempDir(), &memoryKeeper{}
	first := openWith(t, dir, keeper, 0)
	key, w := first.VerifierKey(), newPost(t, "witness.example/a", first.VerifierKey())
	early := receipt(t, first, appendLeaf(t, first, `{"early":true}`))
	if _, err := rotate(t, dir, keeper, false); !errors.Is(err, ledger.ErrInUse) {
		t.Errorf("a log in use is rotated: %v", err)
	}
	shut(t, first)

	next, err := rotate(t, dir, keeper, false, w)
	if err != nil {
		t.Fatal(err)
	}
	if next.Number != 2 || next.Origin != origin+"/2" || keeper.known.Number != 2 {
		t.Errorf("the new log is %+v, remembered %+v", next, keeper.known)
	}
	if _, err := os.Stat(filepath.Join(dir, "key")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the old private key is there: %v", err)
	}
	second := openWith(t, dir, keeper, 0)
	if second.Held() != nil || second.VerifierKey() != next.VerifierKey {
		t.Fatalf("held %v, key %s", second.Held(), second.VerifierKey())
	}
	if i := appendLeaf(t, second, "late"); i != 1 {
		t.Errorf("the next leaf is %d", i)
	}
	late := receipt(t, second, 1)
	for name, r := range map[string]string{"early": early, "late": late} {
		from, err := ledger.Origin(r)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ledger.Verify(second.KeyOf(from), r); err != nil {
			t.Errorf("%s receipt: %v", name, err)
		}
	}
	if second.KeyOf("nobody.example") != "" {
		t.Error("a key of a log that never was")
	}

	past := second.Logs()[0]
	end := leafOf(t, key, receipt(t, past, 1))
	if end["t"] != "log-end" || end["next"] != next.VerifierKey {
		t.Errorf("the old log ends with %v", end)
	}
	begin := leafOf(t, next.VerifierKey, receipt(t, second, 0))
	previous, _ := begin["previous"].(string)
	cp, err := ledger.OpenCheckpoint(key, previous)
	if err != nil || cp.Size != 2 || begin["t"] != "log-begin" {
		t.Errorf("the new log begins with %v, %v", begin, err)
	}
	if _, err := (ledger.Policy{Witnesses: []string{w.VerifierKey()}, Quorum: 1}).Met(previous); err != nil {
		t.Errorf("the end of the old log is not cosigned: %v", err)
	}

	for path, want := range map[string]string{"/key": next.VerifierKey + "\n", "/2/key": next.VerifierKey + "\n", "/1/key": key + "\n"} {
		if got := get(t, second, path).Body.String(); got != want {
			t.Errorf("GET %s: %s", path, got)
		}
	}
	if got := get(t, second, "/1/checkpoint").Body.String(); !strings.HasPrefix(got, strings.Split(previous, "\n\n")[0]) {
		t.Errorf("GET /1/checkpoint: %s", got)
	}
	if w := get(t, second, "/1/tile/entries/000.p/2"); w.Code != 200 || !strings.Contains(w.Body.String(), "early") {
		t.Errorf("the old log's entries: %d", w.Code)
	}
	for _, path := range []string{"/3/key", "/0/key", "/1/1/key", "/1/vkey", "/01/key"} {
		if w := get(t, second, path); w.Code != 404 {
			t.Errorf("GET %s: %d", path, w.Code)
		}
	}
	var listed struct{ Keys []ledger.Key }
	if err := json.Unmarshal(get(t, second, "/keys").Body.Bytes(), &listed); err != nil || len(listed.Keys) != 2 {
		t.Fatalf("keys: %v %v", listed, err)
	}
	if a, b := listed.Keys[0], listed.Keys[1]; a.VerifierKey != key || a.Size != 2 || a.To.IsZero() || !a.From.IsZero() || b.VerifierKey != next.VerifierKey || b.Size != 2 || b.From.IsZero() || !b.To.IsZero() {
		t.Errorf("keys: %+v", listed.Keys)
	}
	shut(t, second)
	third, err := rotate(t, dir, keeper, false)
	if err != nil || third.Number != 3 || third.Origin != origin+"/3" {
		t.Errorf("a third log: %+v, %v", third, err)
	}
}

// Killed before the new log counts: the old one goes on, and the rotation can be
// begun again.
func TestRotateBrokenOff(t *testing.T) {
	dir, before := t.TempDir(), filepath.Join(t.TempDir(), "before")
	l := open(t, dir)
	receipt(t, l, appendLeaf(t, l, "leaf"))
	key := l.VerifierKey()
	shut(t, l)
	copyDir(t, dir, before)
	if _, err := rotate(t, dir, nil, false); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(before, "2"), os.DirFS(filepath.Join(dir, "2"))); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(before, "2", "key"), 0o600); err != nil {
		t.Fatal(err)
	}
	l = open(t, before)
	if l.VerifierKey() != key || l.Held() != nil {
		t.Fatal("the old log does not go on")
	}
	receipt(t, l, appendLeaf(t, l, "on"))
	shut(t, l)
	next, err := rotate(t, before, nil, false)
	if err != nil || next.Number != 2 {
		t.Fatalf("begun again: %+v, %v", next, err)
	}
	l = open(t, before)
	if _, err := ledger.Verify(next.VerifierKey, receipt(t, l, appendLeaf(t, l, "new"))); err != nil {
		t.Error(err)
	}
}

// The way out of a directory that is an older copy: a new log, that says so.
func TestRotateRestored(t *testing.T) {
	dir, backup, keeper := t.TempDir(), filepath.Join(t.TempDir(), "backup"), &memoryKeeper{}
	l := openWith(t, dir, keeper, 0)
	receipt(t, l, appendLeaf(t, l, "early"))
	shut(t, l)
	copyDir(t, dir, backup)
	l = openWith(t, dir, keeper, 0)
	lost := receipt(t, l, appendLeaf(t, l, "late"))
	key := l.VerifierKey()
	shut(t, l)
	if _, err := rotate(t, dir, keeper, true); err == nil {
		t.Fatal("a log that is whole is left")
	}
	for name, spoil := range map[string]func(){"an older copy": func() { copyDir(t, backup, dir) }, "nothing at all": func() { _ = os.RemoveAll(dir) }} {
		t.Run(name, func(t *testing.T) {
			keeper := &memoryKeeper{known: keeper.known}
			spoil()
			if _, err := rotate(t, dir, keeper, false); !errors.Is(err, ledger.ErrHeld) {
				t.Fatalf("it is rotated as if nothing were: %v", err)
			}
			next, err := rotate(t, dir, keeper, true)
			if err != nil {
				t.Fatal(err)
			}
			l := openWith(t, dir, keeper, 0)
			if l.Held() != nil || l.Number() != 2 {
				t.Fatalf("log %d, held %v", l.Number(), l.Held())
			}
			begin := leafOf(t, next.VerifierKey, receipt(t, l, 0))
			if cp, err := ledger.OpenCheckpoint(key, begin["previous"].(string)); err != nil || cp.Size != 2 || begin["restored"] != true {
				t.Errorf("it begins with %v, %v", begin, err)
			}
			if _, err := ledger.Verify(key, lost); err != nil {
				t.Error(err)
			}
			appendLeaf(t, l, "on")
		})
	}
}
