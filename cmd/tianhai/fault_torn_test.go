package main_test

import (
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// journalFiles returns the files of the journal that pick chooses.
func (x *trial) journalFiles(pick func(name string) bool) (paths []string) {
	x.t.Helper()
	err := filepath.WalkDir(filepath.Join(x.dir, "journal"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && pick(d.Name()) {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil || len(paths) == 0 {
		x.t.Fatalf("no files of the journal: %v", err)
	}
	return paths
}

func isBlock(name string) bool { return filepath.Ext(name) == ".blk" }

func size(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// TestTornJournal kills the server under load and tears files of its journal: all
// that hold no frames, anywhere; and the newest of frames, behind what was synced,
// as a power cut does. The server starts, and has all that was acknowledged, but
// for what was torn off.
func TestTornJournal(t *testing.T) {
	x := newTrial(t, "torn", 4)
	x.start()
	x.load()
	rnd := rand.New(rand.NewPCG(7, 7))
	for range 4 {
		x.more(500)
		x.s.kill()
		for _, path := range x.journalFiles(func(name string) bool { return !isBlock(name) }) {
			if n := size(t, path); n > 0 {
				if err := os.Truncate(path, rnd.Int64N(n)); err != nil {
					t.Fatal(err)
				}
			}
		}
		x.start()
	}
	x.more(500)
	x.sum()
	if !strings.Contains(x.s.log.String(), "cursor of a reader is damaged") {
		t.Error("the log does not tell of torn cursors")
	}
}

// TestTornFrames tears the newest file of frames.
func TestTornFrames(t *testing.T) {
	x := newTrial(t, "tail", 4)
	x.start()
	x.load()
	x.more(1000)
	rnd := rand.New(rand.NewPCG(8, 8))
	torn, told := int64(0), false
	for range 5 {
		x.rest()
		x.settled()
		x.mark(func(s *sender, sent int) { s.torn[0] = sent })
		synced := map[string]int64{}
		for _, path := range x.journalFiles(isBlock) {
			synced[path] = size(t, path)
		}
		x.again()
		x.more(500)
		x.s.kill()
		x.mark(func(s *sender, sent int) { s.torn[1] = sent })
		for _, path := range x.journalFiles(isBlock) {
			if more := size(t, path) - synced[path]; more > 0 {
				off := 1 + rnd.Int64N(more)
				torn += off
				if err := os.Truncate(path, size(t, path)-off); err != nil {
					t.Fatal(err)
				}
			}
		}
		x.start()
		told = told || strings.Contains(x.s.log.String(), "was torn")
		x.more(500) // what comes after the tear
		a := x.count()
		for _, l := range a.lost {
			if l.n < l.s.torn[0] || l.n >= l.s.torn[1] {
				t.Fatalf("%v is lost, and was not in what was torn off", l)
			}
		}
		t.Logf("%d bytes torn off, %d acknowledged frames were in them and not stored yet", torn, len(a.lost))
		x.mark(func(s *sender, sent int) { s.gone = sent }) // counted
		x.again()
	}
	if !told {
		t.Error("the log does not tell that a file was torn")
	}
}
