package store_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"tianhai/cmd/internal/store"
	"tianhai/farm"
	"tianhai/trace"
	"tianhai/trace/scan"
)

const crashDir = "STORE_TEST_CRASH_DIR"

// TestCrash kills a process between a commit and the end of its next
// transaction: the first is there afterwards, the second never was.
func TestCrash(t *testing.T) {
	if dir := os.Getenv(crashDir); dir != "" {
		crash(t, dir)
	}
	dir := t.TempDir()
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestCrash$", "-test.v")
	child.Env = append(os.Environ(), crashDir+"="+dir)
	out, err := child.CombinedOutput()
	if status, ok := child.ProcessState.Sys().(syscall.WaitStatus); !ok || !status.Signaled() || status.Signal() != syscall.SIGKILL {
		t.Fatalf("the child was to die by SIGKILL: %v\n%s", err, out)
	}
	if info, err := os.Stat(filepath.Join(dir, "tianhai.db-wal")); err != nil || info.Size() == 0 {
		t.Fatalf("no log was left behind: %v", err)
	}

	s := open(t, store.Options{Dir: dir})
	ctx := t.Context()
	op, rec := newOperation("o1", noon)
	equal(t, "acknowledged operation", op)(s.Operation(ctx, "o1"))
	equal(t, "its record", []trace.Record{rec})(s.Unsealed(ctx, 10))
	equal(t, "acknowledged look", scan.Total{Code: "CODE1", Count: 1, First: noon, Last: noon})(s.Total(ctx, "CODE1"))
	_, err = s.Tenant(ctx, "half")
	wantErr(t, "unfinished transaction", err, farm.ErrNotFound)
	next, nextRec := newOperation("o2", noon)
	check(t, s.AddOperation(ctx, next, nextRec))
}

func crash(t *testing.T, dir string) {
	s := open(t, store.Options{Dir: dir})
	seed(t, s)
	op, rec := newOperation("o1", noon)
	check(t, s.AddOperation(t.Context(), op, rec))
	check(t, s.AddSightings(t.Context(), []scan.Sighting{{Code: "CODE1", Day: scan.Day(noon), Count: 1, First: noon, Last: noon}}))
	check(t, s.Hold(t.Context(), `INSERT INTO tenants (id, name, credit_code, phone, region) VALUES ('half', '{}', '', '', '')`))
	check(t, syscall.Kill(os.Getpid(), syscall.SIGKILL))
	select {}
}
