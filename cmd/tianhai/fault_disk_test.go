package main_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// smallJournal puts the journal on a file system of its own.
func (x *trial) smallJournal(size string) (dir string) {
	x.t.Helper()
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		x.t.Skip("needs root on Linux, to mount a small tmpfs")
	}
	dir = filepath.Join(x.dir, "journal")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		x.t.Fatal(err)
	}
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size="+size, "tmpfs", dir).CombinedOutput(); err != nil {
		x.t.Skipf("cannot mount a tmpfs here: %v: %s", err, out)
	}
	x.t.Cleanup(func() {
		if x.s != nil {
			x.s.kill()
		}
		if out, err := exec.CommandContext(context.Background(), "umount", "-l", dir).CombinedOutput(); err != nil {
			x.t.Errorf("umount: %v: %s", err, out)
		}
	})
	return dir
}

// TestDiskFull fills the journal's disk under load, while InfluxDB is away so that
// nothing can give way: by frames, and then to the last byte by somebody else.
// Senders are not acknowledged, the operator is told, nothing is lost, and the
// server recovers by itself when there is room.
func TestDiskFull(t *testing.T) {
	x := newTrial(t, "disk", 4)
	dir := x.smallJournal("64m")
	x.outside()
	for _, s := range x.senders {
		s.frame = padded
	}
	x.start()
	x.load()
	x.more(200)
	x.db.kill()
	ballast := filepath.Join(dir, "ballast")
	put := func(mib int) {
		t.Helper()
		if err := os.WriteFile(ballast, make([]byte, mib<<20), 0o600); err != nil && mib < 64 { // 64 are not there
			t.Fatal(err)
		}
	}
	unready := func() {
		t.Helper()
		waitFor(t, "the server to refuse and to tell", time.Minute, func() bool {
			r := x.s.ready()
			return !r.Ready && (r.is("journal") == "full" || r.is("journal") == "down")
		})
	}
	put(40)
	unready()
	if is := x.s.ready().Parts["journal"]; is.State != "full" || !strings.Contains(is.Detail, "disk") {
		t.Errorf("the operator is told %+v", is)
	}
	put(64) // to the last byte
	waitFor(t, "frames to be refused", time.Minute, func() bool { return x.s.metric("tianhai_frames_refused_total") > 0 })
	unready()
	waitFor(t, "a sender to be left without an acknowledgement", time.Minute, func() bool { return strings.Contains(x.s.log.String(), "message not acknowledged") })
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	x.db.start()
	waitFor(t, "the server to be ready again", time.Minute, func() bool { return x.s.ready().Ready })
	x.more(500)
	x.sum()
	x.bounded()
}

// A disk that is smaller than the journal may grow is no trouble: what is stored
// gives way, and nobody is refused for long.
func TestSmallDisk(t *testing.T) {
	x := newTrial(t, "small", 4)
	x.smallJournal("48m")
	x.outside()
	for _, s := range x.senders {
		s.frame = padded
	}
	x.start()
	x.load()
	x.more(40_000) // 80 MB
	x.sum()
}
