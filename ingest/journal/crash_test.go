package journal_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tianhai/ingest"
	"tianhai/ingest/journal"
)

const crashDir = "TIANHAI_TEST_CRASH_DIR"

// TestCrashChild is the process that TestKill kills: it appends for ever and
// prints the number of each frame that was acknowledged.
func TestCrashChild(t *testing.T) {
	dir := os.Getenv(crashDir)
	if dir == "" {
		t.Skip("runs only as the child of TestKill")
	}
	j, err := journal.Open(t.Context(), journal.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	s, err := j.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for n := int(s.LastSeq); ; n++ {
		if err := j.Append(t.Context(), frame("a", n)); err != nil {
			t.Fatal(err)
		}
		fmt.Printf("kept %d\n", n)
	}
}

// Whatever was acknowledged before kill -9 is there afterwards, in order.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	var kept []string
	for range 5 {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestCrashChild$")
		cmd.Env = append(os.Environ(), crashDir+"="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			if number, ok := strings.CutPrefix(lines.Text(), "kept "); ok {
				kept = append(kept, number)
			}
			if n == 200 {
				cmd.Process.Kill() // and read on: what it still printed was acknowledged
			}
		}
		if err := cmd.Wait(); err == nil {
			t.Fatal("the child ended by itself")
		}
	}
	if len(kept) < 1000 {
		t.Fatalf("only %d frames acknowledged", len(kept))
	}
	j := open(t, journal.Options{Dir: dir})
	c := &collector{}
	defer consume(t, j, journal.Store, c)()
	eventually(t, "all is read", func() bool { return lag(t, j)[journal.Store] == 0 })
	var got []string
	for _, f := range c.of("a") {
		var n int
		if _, err := fmt.Sscanf(string(f.Payload), `{"n":%d}`, &n); err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprint(n))
	}
	// A frame may be there that was not acknowledged in time.
	i := 0
	for _, n := range kept {
		for i < len(got) && got[i] != n {
			i++
		}
		if i == len(got) {
			t.Fatalf("acknowledged frame %s is lost or out of order", n)
		}
	}
}

// newestBlock returns the file that the stream was writing to last.
func newestBlock(t *testing.T, dir string) string {
	t.Helper()
	blocks, err := filepath.Glob(filepath.Join(dir, "jetstream", "*", "streams", "TH_UP", "msgs", "*.blk"))
	if err != nil || len(blocks) == 0 {
		t.Fatalf("no block files: %v", err)
	}
	newest, when := "", int64(0)
	for _, b := range blocks {
		info, err := os.Stat(b)
		if err != nil {
			t.Fatal(err)
		}
		if m := info.ModTime().UnixNano(); info.Size() > 0 && m >= when {
			newest, when = b, m
		}
	}
	return newest
}

// A power cut may tear the newest file. Everything before the tear is there, and
// what comes later is handed out, even where a reader had passed what was torn.
func TestTornTail(t *testing.T) {
	tears := map[string]func(b []byte) []byte{
		"one byte short":   func(b []byte) []byte { return b[:len(b)-1] },
		"half a record":    func(b []byte) []byte { return b[:len(b)-30] },
		"several records":  func(b []byte) []byte { return b[:len(b)-500] },
		"zeros at the end": func(b []byte) []byte { clear(b[len(b)-40:]); return b },
		"zeros added":      func(b []byte) []byte { return append(b, make([]byte, 4096)...) },
		"garbage at the end": func(b []byte) []byte {
			copy(b[len(b)-40:], bytes.Repeat([]byte{0xA5}, 40))
			return b
		},
	}
	for name, tear := range tears {
		for _, passed := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, passed=%t", name, passed), func(t *testing.T) {
				dir := t.TempDir()
				j := open(t, journal.Options{Dir: dir, Partitions: 1})
				appendAll(t, j, series("a", 0, 200)...)
				if passed {
					stop := consume(t, j, journal.Store, &collector{})
					eventually(t, "all is passed", func() bool { return lag(t, j)[journal.Store] == 0 })
					stop()
				}
				shut(t, j)
				block := newestBlock(t, dir)
				b, err := os.ReadFile(block)
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(block, tear(b), 0o600); err != nil {
					t.Fatal(err)
				}

				j = open(t, journal.Options{Dir: dir})
				appendAll(t, j, series("a", 1000, 1300)...)
				watch, store := &collector{}, &collector{}
				defer consume(t, j, journal.Watch, watch)()
				defer consume(t, j, journal.Store, store)()
				eventually(t, "all is read", func() bool {
					l := lag(t, j)
					return l[journal.Watch] == 0 && l[journal.Store] == 0
				})
				got := watch.of("a")
				if len(got) < 300+150 {
					t.Fatalf("%d frames, want nearly all of 500", len(got))
				}
				old := len(got) - 300
				if diff := cmp.Diff(series("a", 0, old), got[:old]); diff != "" {
					t.Errorf("before the tear (-want +got)\n%s", diff)
				}
				if diff := cmp.Diff(series("a", 1000, 1300), got[old:]); diff != "" {
					t.Errorf("after the tear (-want +got)\n%s", diff)
				}
				late := slices.DeleteFunc(store.of("a"), func(f ingest.Frame) bool { return len(f.Payload) < len(`{"n":1000}`) })
				if diff := cmp.Diff(series("a", 1000, 1300), late); diff != "" {
					t.Errorf("reader that had passed the tear (-want +got)\n%s", diff)
				}
			})
		}
	}
}

// A disk that fills up refuses frames, loses none that was acknowledged, and is
// written to again, without a restart, once there is room.
func TestDiskFull(t *testing.T) {
	for name, with := range map[string]func(journal.Options) journal.Options{
		"all but the reserve":   func(o journal.Options) journal.Options { return o },
		"down to the last byte": journal.Options.WithoutReserve,
	} {
		t.Run(name, func(t *testing.T) { fillDisk(t, with) })
	}
}

func fillDisk(t *testing.T, with func(journal.Options) journal.Options) {
	dir := tmpfs(t, "64m")
	j := open(t, with(journal.Options{Dir: dir, MaxBytes: 1 << 30}))
	defer janitor(t, j)()
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 30<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	n := 0
	for ; n < 10_000; n++ {
		f := frame("a", n)
		f.Payload = append(f.Payload, make([]byte, 16<<10)...)
		if err := j.Append(t.Context(), f); err != nil {
			if !errors.Is(err, ingest.ErrBusy) {
				t.Fatalf("err = %v, want ErrBusy", err)
			}
			break
		}
	}
	if n < 100 || n == 10_000 {
		t.Fatalf("full after %d frames", n)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	eventually(t, "frames are taken again", func() bool { return j.Append(t.Context(), frame("b", 0)) == nil })
	c := &collector{}
	defer consume(t, j, journal.Store, c)()
	eventually(t, "all is read", func() bool { return len(c.of("b")) > 0 && lag(t, j)[journal.Store] == 0 })
	got := c.of("a")
	if len(got) < n {
		t.Fatalf("%d frames, but %d were acknowledged", len(got), n)
	}
	for i, f := range got[:n] {
		if !f.Received.Equal(frame("a", i).Received) {
			t.Fatalf("frame %d is not in its place", i)
		}
	}
}

// Frames that every reader has passed give way where the disk is smaller than
// the journal may be: nobody has to make room by hand.
func TestDiskSmallerThanJournal(t *testing.T) {
	j := open(t, journal.Options{Dir: tmpfs(t, "64m"), MaxBytes: 1 << 30})
	defer janitor(t, j)()
	for _, reader := range []string{journal.Store, journal.Watch} {
		c := &collector{}
		c.fail = func([]ingest.Frame) error { c.got = nil; return nil } // they are not looked at
		defer consume(t, j, reader, c)()
	}
	f := frame("a", 0)
	f.Payload = make([]byte, 16<<10)
	for n := range 200 << 20 / len(f.Payload) {
		eventually(t, fmt.Sprintf("frame %d is taken", n), func() bool { return j.Append(t.Context(), f) == nil })
	}
}

// tmpfs mounts a small file system of its own.
func tmpfs(t *testing.T, size string) string {
	t.Helper()
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		t.Skip("needs root on Linux, to mount a small tmpfs")
	}
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size="+size, "tmpfs", dir).CombinedOutput(); err != nil {
		t.Skipf("cannot mount a tmpfs here: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.CommandContext(context.Background(), "umount", "-l", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
	return dir
}
