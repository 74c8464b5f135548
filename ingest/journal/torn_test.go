package journal_test

import (
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tianhai/ingest"
	"tianhai/ingest/journal"
)

// files lists all files of a directory, relative to it.
func files(t *testing.T, dir string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			path, err = filepath.Rel(dir, path)
			names = append(names, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// crashed fills a journal and returns a copy of its directory as it was while the
// journal was open, which is what kill -9 leaves, or after it was closed.
func crashed(t *testing.T, closed bool) (dir string) {
	t.Helper()
	live, dir := t.TempDir(), t.TempDir()
	j := open(t, journal.Options{Dir: live, Partitions: 1})
	appendAll(t, j, series("a", 0, 100)...)
	stop := consume(t, j, journal.Store, &collector{})
	eventually(t, "some is passed", func() bool { return lag(t, j)[journal.Store] == 0 })
	stop()
	appendAll(t, j, series("a", 100, 200)...)
	if err := j.Quarantine(t.Context(), frame("a", 1), "odd"); err != nil {
		t.Fatal(err)
	}
	if closed {
		shut(t, j)
	}
	if err := os.CopyFS(dir, os.DirFS(live)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// Any file of the journal may be torn anywhere. The journal opens, and has all that
// it had, but for what stood in the part that is torn off a file of frames; a
// reader goes on at its cursor or before.
func TestTornFiles(t *testing.T) {
	for state, closed := range map[string]bool{"killed": false, "closed": true} {
		dir := crashed(t, closed)
		for _, name := range files(t, dir) {
			t.Run(state+" "+name, func(t *testing.T) {
				t.Parallel()
				for seed := range uint64(3) {
					tear(t, dir, name, seed)
				}
			})
		}
	}
}

func tear(t *testing.T, from, name string, seed uint64) {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, name))
	if err != nil || info.Size() == 0 {
		t.Skipf("nothing to tear off: %v", err)
	}
	at := rand.New(rand.NewPCG(seed, 1)).Int64N(info.Size()) // 0 is all of it
	if seed == 0 {
		at = 0
	}
	if err := os.Truncate(filepath.Join(dir, name), at); err != nil {
		t.Fatal(err)
	}
	j := open(t, journal.Options{Dir: dir, Partitions: 1})
	appendAll(t, j, series("a", 1000, 1100)...)
	store, watch := &collector{}, &collector{}
	defer consume(t, j, journal.Store, store)()
	defer consume(t, j, journal.Watch, watch)()
	eventually(t, "all is read", func() bool { l := lag(t, j); return l[journal.Store] == 0 && l[journal.Watch] == 0 })
	want := append(series("a", 0, 200), series("a", 1000, 1100)...)
	if filepath.Ext(name) == ".blk" {
		want = series("a", 1000, 1100) // TestTornTail says what is left of the others
	}
	has := func(who string, got, want []ingest.Frame) {
		t.Helper()
		if len(got) < len(want) {
			t.Errorf("%s torn at %d of %d: %s has %d frames, want %d", name, at, info.Size(), who, len(got), len(want))
		} else if diff := cmp.Diff(want, got[len(got)-len(want):]); diff != "" {
			t.Errorf("%s torn at %d of %d: %s (-want +got)\n%s", name, at, info.Size(), who, diff)
		}
	}
	has("watch", watch.of("a"), want)
	has("store", store.of("a"), want[min(100, len(want)-100):])
	aside, err := j.Quarantined(t.Context(), "", 0, 10)
	if err != nil || len(aside) != 1 && filepath.Ext(name) != ".blk" {
		t.Errorf("%s torn at %d: quarantine has %d frames, %v", name, at, len(aside), err)
	}
}
