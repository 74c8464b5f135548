package trace_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"tianhai/trace"
	"tianhai/trace/ledger"
)

func openLedger(t *testing.T) *ledger.Ledger {
	t.Helper()
	l, err := ledger.Open(t.Context(), ledger.Options{Dir: t.TempDir(), CheckpointInterval: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return l
}

// run starts a Sealer and returns what ends it.
func run(t *testing.T, s *trace.Sealer) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	}
}

// verified checks that every record's receipt proves the record's own leaf.
func verified(t *testing.T, l *ledger.Ledger, records []trace.Record) {
	t.Helper()
	seen := map[int64]bool{}
	for _, r := range records {
		p, err := ledger.Verify(l.VerifierKey(), r.Receipt)
		if err != nil {
			t.Fatalf("%s %s: %v", r.Kind, r.ID, err)
		}
		if !bytes.Equal(p.Leaf, r.Leaf()) || p.Index != r.Index || seen[p.Index] {
			t.Errorf("%s %s: receipt is for leaf %d %s", r.Kind, r.ID, p.Index, p.Leaf)
		}
		seen[p.Index] = true
	}
}

// More records than one round takes, a batch closed while the Sealer sleeps, and
// every one has its receipt in the end.
func TestSeal(t *testing.T) {
	m, l := newMemory(), openLedger(t)
	s := newService(m, &evidence{})
	for i := range 300 {
		add(t, s, operation("feed", noon.Add(-time.Duration(i+1)*time.Hour)))
	}
	sealer := trace.NewSealer(m, l, slog.New(slog.DiscardHandler))
	s.Added = sealer.Wake
	defer run(t, sealer)()
	sealed := func() bool { _, ok := m.all(); return ok }
	waitFor(t, "300 receipts", sealed)
	b := openBatch(t, s)
	if _, err := s.CloseBatch(t.Context(), b.ID); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the batch's receipt", sealed) // long before the half minute is over
	records, _ := m.all()
	if len(records) != 302 { // with the harvest that opened the batch
		t.Fatalf("%d records", len(records))
	}
	verified(t, l, records)
}

// A record has its receipt while the witness is away, and the same place with the
// witness's signature once it is back.
func TestSealCosigned(t *testing.T) {
	dir := t.TempDir()
	first, err := ledger.Open(t.Context(), ledger.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	w, err := ledger.OpenWitness(ledger.WitnessOptions{Dir: t.TempDir(), Logs: []string{first.VerifierKey()}})
	if err != nil {
		t.Fatal(err)
	}
	var away atomic.Bool
	away.Store(true)
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if away.Load() {
			panic(http.ErrAbortHandler)
		}
		w.Handler().ServeHTTP(rw, r)
	}))
	defer srv.Close()
	l, err := ledger.Open(t.Context(), ledger.Options{
		Dir: dir, CheckpointInterval: 100 * time.Millisecond, Quorum: 1,
		Witnesses: []ledger.WitnessAddress{{VerifierKey: w.VerifierKey(), URL: srv.URL}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := l.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	}()

	m := newMemory()
	s := newService(m, &evidence{})
	for i := range 300 { // more than one exchange takes
		add(t, s, operation("feed", noon.Add(-time.Duration(i+1)*time.Hour)))
	}
	defer run(t, trace.NewSealer(m, l, slog.New(slog.DiscardHandler)))()
	waitFor(t, "the receipts", func() bool { _, ok := m.all(); return ok })
	before, _ := m.all()
	verified(t, l, before)
	if before[0].Cosigned {
		t.Fatal("cosigned by nobody")
	}
	away.Store(false)
	waitFor(t, "the cosigned receipts", func() bool {
		records, _ := m.all()
		return !slices.ContainsFunc(records, func(r trace.Record) bool { return !r.Cosigned })
	})
	after, _ := m.all()
	verified(t, l, after)
	for i, r := range after {
		if _, _, err := ledger.VerifyCosigned(l.VerifierKey(), l.Policy(), r.Receipt); err != nil || r.Index != before[i].Index {
			t.Fatalf("record %s: %v", r.ID, err)
		}
	}
}

// appendCounter counts leaves, and kills the Sealer after each where told to.
type appendCounter struct {
	*ledger.Ledger
	appends atomic.Int64
	after   func()
}

func (c *appendCounter) Append(ctx context.Context, leaf []byte) (int64, error) {
	i, err := c.Ledger.Append(ctx, leaf)
	c.appends.Add(1)
	if c.after != nil {
		c.after()
	}
	return i, err
}

// Killed between leaf and receipt: the next run appends the leaf once more and
// finishes. A receipt that could not be stored costs no second leaf in one run.
func TestSealAfterCrash(t *testing.T) {
	m, l := newMemory(), openLedger(t)
	add(t, newService(m, &evidence{}), operation("feed", noon.Add(-time.Hour)))

	ctx, kill := context.WithCancel(t.Context())
	first := &appendCounter{Ledger: l, after: kill}
	if err := trace.NewSealer(m, first, slog.New(slog.DiscardHandler)).Run(ctx); err != nil {
		t.Fatal(err)
	}
	if _, sealed := m.all(); sealed || first.appends.Load() != 1 {
		t.Fatalf("killed after %d leaves, sealed: %v", first.appends.Load(), sealed)
	}

	m.sealFails = 1
	second := &appendCounter{Ledger: l}
	stop := run(t, trace.NewSealer(m, second, slog.New(slog.DiscardHandler)))
	waitFor(t, "the receipt", func() bool { _, sealed := m.all(); return sealed })
	stop()
	if n := second.appends.Load(); n != 1 {
		t.Errorf("the second run appended %d leaves, want 1", n)
	}
	records, _ := m.all()
	verified(t, l, records)
	if records[0].Index != 1 {
		t.Errorf("the receipt is for leaf %d, want the second one", records[0].Index)
	}
}

// brokenLog fails until it is mended.
type brokenLog struct {
	trace.Log
	broken atomic.Bool
	tries  atomic.Int64
}

func (b *brokenLog) Append(ctx context.Context, leaf []byte) (int64, error) {
	b.tries.Add(1)
	if b.broken.Load() {
		return 0, fmt.Errorf("no space left on device")
	}
	return b.Log.Append(ctx, leaf)
}

func (b *brokenLog) CosignedSize() int64 { return -1 }

func TestSealWhenLogIsBroken(t *testing.T) {
	m, l := newMemory(), openLedger(t)
	add(t, newService(m, &evidence{}), operation("feed", noon.Add(-time.Hour)))
	var out syncBuffer
	log := &brokenLog{Log: l}
	log.broken.Store(true)
	defer run(t, trace.NewSealer(m, log, slog.New(slog.NewTextHandler(&out, nil))))()
	waitFor(t, "the first failure", func() bool { return bytes.Contains(out.Bytes(), []byte("no space left")) })
	log.broken.Store(false)
	waitFor(t, "the receipt", func() bool { _, sealed := m.all(); return sealed })
	if n := log.tries.Load(); n > 4 {
		t.Errorf("%d tries in seconds: it does not back off", n)
	}
}

// A log that stays broken is asked less and less often, and at least each minute.
func TestSealBacksOff(t *testing.T) {
	m := newMemory()
	add(t, newService(m, &evidence{}), operation("feed", noon.Add(-time.Hour)))
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		log := &brokenLog{}
		log.broken.Store(true)
		if err := trace.NewSealer(m, log, slog.New(slog.DiscardHandler)).Run(ctx); err != nil {
			t.Error(err)
		}
		if n := log.tries.Load(); n < 10 || n > 20 {
			t.Errorf("%d tries in ten minutes, want about 15", n)
		}
	})
}
