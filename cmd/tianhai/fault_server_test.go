package main_test

import (
	"os"
	"path/filepath"
	"testing"
)

// TestKill kills the server ten times under load.
func TestKill(t *testing.T) {
	x := newTrial(t, "kill", 4)
	x.start()
	x.load()
	for range 10 {
		x.more(200)
		x.s.kill()
		x.start()
	}
	x.more(200)
	x.sum()
}

// TestTerminate stops the server with SIGTERM under load: it ends by itself and
// in time.
func TestTerminate(t *testing.T) {
	x := newTrial(t, "term", 2)
	x.start()
	x.load()
	x.more(500)
	if err := x.s.terminate(); err != nil {
		t.Errorf("the server did not stop cleanly: %v", err)
	}
	if _, err := os.Stat(filepath.Join(x.dir, "run.json")); err == nil {
		t.Error("run.json is still there after a clean stop")
	}
	x.start()
	x.more(200)
	x.sum()
}
