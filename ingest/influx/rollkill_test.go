//go:build unix

package influx_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"tianhai/ingest"
	"tianhai/ingest/influx"
)

// Variables that make TestRollChild work: where, and at which write to die.
const (
	childDir  = "TIANHAI_TEST_ROLL_DIR"
	childDies = "TIANHAI_TEST_ROLL_DIES" // number of the write; negative: after it was answered
)

// halves are the readings of four days, and some that come late for two of them.
func halves(t testing.TB) (first, late []ingest.Observation) {
	t.Helper()
	for m := 0; m < 4*24*60; m += 7 {
		o := one(t, "d", "t", spring.Add(-aDay-time.Duration(m)*time.Minute), "water.ph", float64(m%13), ingest.Good)
		if m%70 == 0 && m < 2*24*60 {
			late = append(late, o)
		} else {
			first = append(first, o)
		}
	}
	return first, late
}

// Killed before or after any of its writes, with readings that were acknowledged
// and days half rolled up: the next start ends with the same rollups.
func TestKillWhileRolling(t *testing.T) {
	if testing.Short() {
		t.Skip("short: a kill -9 at every write takes half a minute")
	}
	for _, sign := range []int{1, -1} {
		for n := 1; ; n++ {
			dir := t.TempDir()
			err := rollChild(t, dir, sign*n)
			if err == nil {
				if n < 8 {
					t.Errorf("only %d writes: there was little to kill", n-1)
				}
				break
			}
			if status := (*exec.ExitError)(nil); !errors.As(err, &status) || status.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
				t.Fatalf("write %d: %v", sign*n, err)
			}
			if err := rollChild(t, dir, 0); err != nil {
				t.Errorf("after a kill at write %d: %v", sign*n, err)
			}
		}
	}
}

func rollChild(t *testing.T, dir string, dies int) error {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestRollChild$", "-test.count=1")
	cmd.Env = append(os.Environ(), childDir+"="+dir, childDies+"="+strconv.Itoa(dies))
	out, err := cmd.CombinedOutput()
	if err != nil && !strings.Contains(err.Error(), "killed") {
		t.Logf("%s", out)
	}
	return err
}

// TestRollChild is the process that TestKillWhileRolling kills.
func TestRollChild(t *testing.T) {
	dir := os.Getenv(childDir)
	if dir == "" {
		t.Skip("runs as a child of TestKillWhileRolling only")
	}
	dies, err := strconv.Atoi(os.Getenv(childDies))
	if err != nil {
		t.Fatal(err)
	}
	srv := serve(t, influx.ServerOptions{Dir: filepath.Join(dir, "influx")})
	b := newBench(t, influx.Options{URL: srv.URL(), Token: srv.Token()})
	mortal(t, b.Client, dies)
	b.clock.add(restarts(t, dir) * 6 * time.Hour)

	first, late := halves(t)
	for i, obs := range [][]ingest.Observation{first, late} {
		acknowledged := filepath.Join(dir, fmt.Sprint("acknowledged-", i))
		if _, err := os.Stat(acknowledged); err != nil {
			b.write(t, obs)
			if err := os.WriteFile(acknowledged, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		b.pass(t)
		b.settle(t)
	}
	q := influx.SeriesQuery{Tenant: "t", Site: "s", Quantity: quantity(t, "water.ph"), From: spring.Add(-10 * aDay), To: spring}
	statement(t, b.opt, "DELETE FROM water")
	for _, points := range []int{10, 300} {
		q.Points = points
		got, err := b.Series(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		want := reference(q, got.Interval, append(first, late...))
		if diff := cmp.Diff(want, got, cmpopts.EquateApprox(1e-9, 1e-9), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%d points, from rollups alone: want -, got +\n%s", points, diff)
		}
	}
}

// restarts counts the starts in a directory: time passes between them.
func restarts(t *testing.T, dir string) time.Duration {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(dir, "starts"), os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString("."); err != nil {
		t.Fatal(err)
	}
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	return time.Duration(info.Size())
}

// mortal kills the process at a write of the client, before InfluxDB gets it or,
// for a negative number, after it has answered.
func mortal(t *testing.T, c *influx.Client, dies int) {
	t.Helper()
	n := 0
	die := func(at int) {
		if n == at {
			if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil {
				t.Error(err)
			}
			select {} // the signal is on its way
		}
	}
	influx.AroundWrites(c, func() { n++; die(dies) }, func() { die(-dies) })
}
