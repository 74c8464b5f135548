package store_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"tianhai/cmd/internal/store"
	"tianhai/trace"
	"tianhai/trace/ledger"
)

// What a process that is to die is told by its environment.
const (
	sealDSN = "STORE_TEST_SEAL_DSN"
	sealLog = "STORE_TEST_SEAL_LOG"
	sealDie = "STORE_TEST_SEAL_DIE" // where it kills itself; empty for not at all
)

// Every arrow between row, leaf, checkpoint and receipt.
var sealPoints = []string{"before leaf", "after leaf", "before keep", "after keep", "after receipt", "before sealed", "after sealed"}

// mortal kills its process at a point.
type mortal string

func (m mortal) die(at string) {
	if string(m) == at {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
}

type dyingLog struct {
	*ledger.Ledger
	mortal
}

func (l dyingLog) Append(ctx context.Context, leaf []byte) (int64, error) {
	l.die("before leaf")
	defer l.die("after leaf")
	return l.Ledger.Append(ctx, leaf)
}

func (l dyingLog) Receipt(ctx context.Context, index int64) (string, error) {
	defer l.die("after receipt")
	return l.Ledger.Receipt(ctx, index)
}

type dyingStore struct {
	*store.Store
	mortal
}

func (s dyingStore) Sealed(ctx context.Context, id string, seal trace.Seal) error {
	s.die("before sealed")
	defer s.die("after sealed")
	return s.Store.Sealed(ctx, id, seal)
}

func (s dyingStore) Known(ctx context.Context) (ledger.Known, bool, error) {
	logs, err := s.Logs(ctx)
	if err != nil || len(logs) == 0 {
		return ledger.Known{}, false, err
	}
	l := logs[len(logs)-1]
	return ledger.Known{Number: l.Number, VerifierKey: l.VerifierKey, Size: l.Size, Checkpoint: l.Checkpoint}, true, nil
}

func (s dyingStore) Keep(ctx context.Context, k ledger.Known) error {
	if k.Size > 0 {
		s.die("before keep")
		defer s.die("after keep")
	}
	return s.KeepLog(ctx, trace.LogState{Number: k.Number, VerifierKey: k.VerifierKey, Size: k.Size, Checkpoint: k.Checkpoint})
}

// TestSealingProcess is the process that dies; by itself it is nothing.
func TestSealingProcess(t *testing.T) {
	dsn := os.Getenv(sealDSN)
	if dsn == "" {
		t.Skip("run by TestKilledWhileSealing")
	}
	m := mortal(os.Getenv(sealDie))
	s := dyingStore{open(t, store.Options{DSN: dsn}), m}
	l, err := ledger.Open(t.Context(), ledger.Options{Dir: os.Getenv(sealLog), CheckpointInterval: 100 * time.Millisecond, Keeper: s})
	check(t, err)
	check(t, l.Held())
	sealer := trace.NewSealer(s, dyingLog{l, m}, slog.New(slog.DiscardHandler))
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- sealer.Run(ctx) }()
	fmt.Println("\nsealing")
	for range 40 {
		op, rec := newOperation(ulid.Make().String(), noon)
		rec.At = time.Now().UTC().Truncate(time.Microsecond)
		check(t, s.AddOperation(ctx, op, rec))
		fmt.Println("\nadded " + op.ID)
		sealer.Wake()
	}
	for n := 1; n > 0; {
		n, err = s.UnsealedCount(ctx)
		check(t, err)
		time.Sleep(5 * time.Millisecond) // in a process of its own, which may be killed meanwhile
	}
	stop()
	check(t, <-done)
	check(t, l.Close(context.WithoutCancel(ctx)))
}

// sealOnce runs the process, kills it after a while unless that is 0, and returns
// the operations that it was told are stored.
func sealOnce(t *testing.T, dsn, dir, point string, after time.Duration) (added []string, killed bool) {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestSealingProcess$", "-test.v")
	child.Env = append(os.Environ(), sealDSN+"="+dsn, sealLog+"="+dir, sealDie+"="+point)
	out, err := child.StdoutPipe()
	check(t, err)
	var said strings.Builder
	var complained bytes.Buffer // written to by another goroutine until Wait returns
	child.Stderr = &complained
	check(t, child.Start())
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		said.WriteString(lines.Text() + "\n")
		if lines.Text() == "sealing" && after > 0 {
			time.AfterFunc(after, func() { _ = child.Process.Kill() }) // it may have ended
		}
		if id, ok := strings.CutPrefix(lines.Text(), "added "); ok {
			added = append(added, id)
		}
	}
	err = child.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() && status.Signal() == syscall.SIGKILL {
			return added, true
		}
	}
	if err != nil {
		t.Fatalf("the process failed: %v\n%s%s", err, said.String(), complained.String())
	}
	return added, false
}

// Killed at every arrow between row, leaf, checkpoint and receipt, and at random
// under load: every operation that was acknowledged has its record, its leaf and a
// receipt in the end, and nothing else stands in the log.
func testKilledWhileSealing(t *testing.T, opt store.Options) {
	dir, rounds := t.TempDir(), 12
	s := open(t, opt)
	seed(t, s)
	var added []string
	for _, point := range sealPoints {
		some, killed := sealOnce(t, opt.DSN, dir, point, 0)
		if !killed {
			t.Errorf("it did not die %s", point)
		}
		added = append(added, some...)
	}
	for range rounds {
		some, _ := sealOnce(t, opt.DSN, dir, "", time.Duration(1+rand.Int64N(int64(400*time.Millisecond))))
		added = append(added, some...)
	}
	some, killed := sealOnce(t, opt.DSN, dir, "", 0)
	if killed {
		t.Fatal("the last round was killed")
	}
	added = append(added, some...)

	l, err := ledger.OpenReadOnly(dir)
	check(t, err)
	scan, err := l.Scan("")
	check(t, err)
	auditor := &trace.Auditor{
		Store: s, Log: 1, Scan: scan, Logger: slog.New(slog.DiscardHandler),
		Verify: func(receipt string) (int64, []byte, error) {
			p, err := ledger.Verify(l.VerifierKey(), receipt)
			return p.Index, p.Leaf, err
		},
	}
	a, err := auditor.Run(t.Context(), trace.Audit{})
	check(t, err)
	if a.FaultCount > 0 || a.Waiting > 0 || a.Records < int64(len(added)) || a.Leaves != a.Records+a.Repeats {
		t.Errorf("the audit says %+v; %d operations were acknowledged", a, len(added))
	}
	t.Logf("%d operations, %d leaves, %d of them again", a.Records, a.Leaves, a.Repeats)
	for _, id := range added {
		recs, err := s.RecordsOf(t.Context(), id)
		if err != nil || len(recs) != 1 || recs[0].Receipt == "" {
			t.Errorf("operation %s has %d records: %v", id, len(recs), err)
		}
	}
}

func TestKilledWhileSealing(t *testing.T) {
	t.Run("SQLite", func(t *testing.T) {
		testKilledWhileSealing(t, store.Options{DSN: "sqlite:" + t.TempDir() + "/records.db"})
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		dir := startPostgres(t, "fsync=off")
		testKilledWhileSealing(t, store.Options{DSN: postgresURL(dir, "postgres")})
	})
}
