package journal_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats-server/v2/server"

	"tianhai/ingest"
	"tianhai/ingest/journal"
)

// both runs a test on the embedded journal and on one in a NATS server outside.
// open may be called again after the journal it returned was closed: what was
// kept is then still there.
func both(t *testing.T, test func(t *testing.T, open func(journal.Options) *journal.Journal)) {
	t.Run("embedded", func(t *testing.T) {
		dir := t.TempDir()
		test(t, func(opt journal.Options) *journal.Journal {
			opt.Dir = dir
			return open(t, opt)
		})
	})
	t.Run("remote", func(t *testing.T) {
		srv := startNATS(t, server.Options{StoreDir: t.TempDir(), MaxPayload: 2 << 20})
		test(t, func(opt journal.Options) *journal.Journal {
			opt.URL = srv.ClientURL()
			return open(t, opt)
		})
	})
}

func open(t *testing.T, opt journal.Options) *journal.Journal {
	t.Helper()
	j, err := journal.Open(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shut(t, j) })
	return j
}

func shut(t *testing.T, j *journal.Journal) {
	t.Helper()
	if err := j.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

// startNATS starts a NATS server of its own on a free loopback port.
func startNATS(t *testing.T, opt server.Options) *server.Server {
	t.Helper()
	opt.Host, opt.JetStream, opt.NoSigs, opt.NoLog = "127.0.0.1", true, true, true
	if opt.Port == 0 {
		opt.Port = server.RANDOM_PORT
	}
	srv, err := server.NewServer(&opt)
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	if !srv.ReadyForConnections(20 * time.Second) {
		t.Fatal("NATS server is not ready")
	}
	t.Cleanup(func() { stopNATS(srv) })
	return srv
}

func stopNATS(srv *server.Server) {
	srv.Shutdown()
	srv.WaitForShutdown()
}

func frame(device string, n int) ingest.Frame {
	return ingest.Frame{
		Device:      device,
		ContentType: "application/json",
		Received:    time.Date(2026, 6, 1, 0, 0, n, 1234, time.UTC),
		Payload:     fmt.Appendf(nil, `{"n":%d}`, n),
	}
}

func appendAll(t *testing.T, j *journal.Journal, frames ...ingest.Frame) {
	t.Helper()
	for _, f := range frames {
		if err := j.Append(t.Context(), f); err != nil {
			t.Fatal(err)
		}
	}
}

// series returns frames from to to-1 of a device.
func series(device string, from, to int) []ingest.Frame {
	var list []ingest.Frame
	for n := from; n < to; n++ {
		list = append(list, frame(device, n))
	}
	return list
}

// A collector is a reader that keeps what it is handed. fail, where it is set,
// is asked first.
type collector struct {
	mu   sync.Mutex
	got  []ingest.Frame
	fail func(batch []ingest.Frame) error
}

func (c *collector) handle(_ context.Context, batch []ingest.Frame) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fail != nil {
		if err := c.fail(batch); err != nil {
			return err
		}
	}
	c.got = append(c.got, batch...)
	return nil
}

func (c *collector) of(device string) []ingest.Frame {
	c.mu.Lock()
	defer c.mu.Unlock()
	var list []ingest.Frame
	for _, f := range c.got {
		if f.Device == device {
			f.Seq = 0
			list = append(list, f)
		}
	}
	return list
}

func (c *collector) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.got)
}

// consume runs a reader over all partitions until stop is called.
func consume(t *testing.T, j *journal.Journal, reader string, c *collector) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for p := range j.Partitions() {
		wg.Go(func() {
			if err := j.Consume(ctx, reader, p, c.handle); err != nil {
				t.Errorf("Consume(%s, %d): %v", reader, p, err)
			}
		})
	}
	return sync.OnceFunc(func() { cancel(); wg.Wait() })
}

func janitor(t *testing.T, j *journal.Journal) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := j.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return sync.OnceFunc(func() { cancel(); wg.Wait() })
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

func lag(t *testing.T, j *journal.Journal) map[string]uint64 {
	t.Helper()
	m, err := j.Lag(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Every frame arrives whole, once and in its device's order, at both readers.
func TestConsume(t *testing.T) {
	both(t, func(t *testing.T, open func(journal.Options) *journal.Journal) {
		j := open(journal.Options{})
		devices := []string{"raft-1", "pond.7", "塘口 3", "tea*>"}
		var wg sync.WaitGroup
		for _, d := range devices {
			wg.Go(func() {
				for _, f := range series(d, 0, 500) {
					if err := j.Append(t.Context(), f); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		for _, reader := range []string{journal.Store, journal.Watch} {
			c := &collector{}
			stop := consume(t, j, reader, c)
			eventually(t, reader+" has all", func() bool { return c.count() >= len(devices)*500 })
			stop()
			for _, d := range devices {
				if diff := cmp.Diff(series(d, 0, 500), c.of(d)); diff != "" {
					t.Errorf("%s, %s (-want +got)\n%s", reader, d, diff)
				}
			}
		}
		wg.Wait()
	})
}

func TestConsumeLargest(t *testing.T) {
	both(t, func(t *testing.T, open func(journal.Options) *journal.Journal) {
		j := open(journal.Options{})
		const n = 20
		big := ingest.Frame{
			Device:      strings.Repeat(".", ingest.MaxDevice),
			ContentType: strings.Repeat("c", ingest.MaxContentType),
			Payload:     make([]byte, ingest.MaxPayload),
		}
		for range n {
			appendAll(t, j, big)
		}
		c := &collector{}
		stop := consume(t, j, journal.Store, c)
		defer stop()
		eventually(t, "all have come", func() bool { return c.count() == n })
		for _, f := range c.of(big.Device) {
			if len(f.Payload) != ingest.MaxPayload || f.ContentType != big.ContentType {
				t.Errorf("payload of %d bytes, content type of %d", len(f.Payload), len(f.ContentType))
			}
		}
	})
}

// What a reader failed on is handed to it again, and nothing overtakes.
func TestConsumeHandsOutAgain(t *testing.T) {
	both(t, func(t *testing.T, open func(journal.Options) *journal.Journal) {
		j := open(journal.Options{Partitions: 1})
		appendAll(t, j, series("a", 0, 10)...)
		var tries [][]ingest.Frame
		c := &collector{}
		c.fail = func(batch []ingest.Frame) error {
			tries = append(tries, batch)
			if len(tries) <= 2 {
				return errors.New("database is away")
			}
			return nil
		}
		stop := consume(t, j, journal.Store, c)
		eventually(t, "the batch is taken", func() bool { return c.count() >= 10 })
		appendAll(t, j, series("a", 10, 20)...)
		eventually(t, "the next is taken", func() bool { return c.count() >= 20 })
		stop()
		if diff := cmp.Diff(tries[0], tries[1]); diff != "" {
			t.Errorf("second try differs (-first +second)\n%s", diff)
		}
		if diff := cmp.Diff(series("a", 0, 20), c.of("a")); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	})
}

// A reader that ends in the middle of a batch gets it again at the next start,
// before anything newer, and only from its cursor on.
func TestConsumeStartsAtCursor(t *testing.T) {
	both(t, func(t *testing.T, open func(journal.Options) *journal.Journal) {
		j := open(journal.Options{})
		appendAll(t, j, series("a", 0, 10)...)
		first := &collector{}
		stop := consume(t, j, journal.Store, first)
		eventually(t, "the first batch is passed", func() bool { return lag(t, j)[journal.Store] == 0 })
		stop()

		appendAll(t, j, series("a", 10, 20)...)
		failing := &collector{}
		seen := make(chan struct{})
		once := sync.OnceFunc(func() { close(seen) })
		failing.fail = func([]ingest.Frame) error { once(); return errors.New("no") }
		stop = consume(t, j, journal.Store, failing)
		<-seen
		stop()
		shut(t, j)

		j = open(journal.Options{})
		if got, want := lag(t, j), map[string]uint64{journal.Store: 10, journal.Watch: 20}; !cmp.Equal(got, want) {
			t.Errorf("lag = %v, want %v", got, want)
		}
		appendAll(t, j, series("a", 20, 30)...)
		second := &collector{}
		stop = consume(t, j, journal.Store, second)
		eventually(t, "the rest has come", func() bool { return second.count() >= 20 })
		stop()
		if diff := cmp.Diff(series("a", 10, 30), second.of("a")); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	})
}

func TestConsumeArguments(t *testing.T) {
	j := open(t, journal.Options{Dir: t.TempDir(), Partitions: 2})
	for _, p := range []int{-1, 2} {
		if err := j.Consume(t.Context(), journal.Store, p, nil); err == nil {
			t.Errorf("partition %d is taken", p)
		}
	}
	if err := j.Consume(t.Context(), "passer-by", 0, nil); err == nil {
		t.Error("unknown reader is taken")
	}
}

// fill appends until the journal refuses and returns how many it took.
func fill(t *testing.T, j *journal.Journal) int {
	t.Helper()
	for n := range 10_000 {
		err := j.Append(t.Context(), ingest.Frame{Device: "a", Payload: make([]byte, 16<<10)})
		if errors.Is(err, ingest.ErrBusy) {
			return n
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Fatal("the journal is never full")
	return 0
}

// A full journal refuses, keeps what a reader still needs, and takes frames
// again by itself once both readers have passed some.
func TestFull(t *testing.T) {
	both(t, func(t *testing.T, open func(journal.Options) *journal.Journal) {
		j := open(journal.Options{MaxBytes: 2 << 20})
		n := fill(t, j)
		if n < 100 {
			t.Fatalf("full after %d frames", n)
		}
		defer janitor(t, j)()
		store := &collector{}
		defer consume(t, j, journal.Store, store)()
		eventually(t, "store has all", func() bool { return lag(t, j)[journal.Store] == 0 })
		if err := j.Append(t.Context(), frame("a", 1)); !errors.Is(err, ingest.ErrBusy) {
			// A small frame may find the last bytes free: only a large one is sure not to.
			if err := j.Append(t.Context(), ingest.Frame{Device: "a", Payload: make([]byte, 64<<10)}); !errors.Is(err, ingest.ErrBusy) {
				t.Fatalf("err = %v while watch needs every frame, want ErrBusy", err)
			}
		}
		watch := &collector{}
		defer consume(t, j, journal.Watch, watch)()
		eventually(t, "there is room again", func() bool {
			return j.Append(t.Context(), ingest.Frame{Device: "late", Payload: make([]byte, 64<<10)}) == nil
		})
		eventually(t, "watch has all", func() bool { return len(watch.of("a")) >= n && len(watch.of("late")) >= 1 })
		if got := len(store.of("late")); got > 1 {
			t.Errorf("%d late frames, want 1", got)
		}
		s, err := j.Stats(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if s.Refused == 0 || s.Bytes > s.MaxBytes*7/10 || s.Records == 0 {
			t.Errorf("after making room: %+v; want some, but under 70 %%, of the passed frames still kept", s)
		}
	})
}

func TestQuarantine(t *testing.T) {
	both(t, func(t *testing.T, open func(journal.Options) *journal.Journal) {
		j := open(journal.Options{})
		for n := range 3 {
			for _, d := range []string{"a.1", "b"} {
				f := frame(d, n)
				f.Seq = uint64(n*2 + 1)
				if d == "b" {
					f.Seq++
				}
				for range 2 { // as when a batch is handled again
					if err := j.Quarantine(t.Context(), f, "channel x is not known"); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		shut(t, j)

		j = open(journal.Options{})
		all, err := j.Quarantined(t.Context(), "", 0, 100)
		if err != nil {
			t.Fatal(err)
		}
		if len(all) != 6 {
			t.Fatalf("%d in quarantine, want 6", len(all))
		}
		var got []ingest.Quarantined
		for after := uint64(0); ; {
			page, err := j.Quarantined(t.Context(), "a.1", after, 2)
			if err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			got = append(got, page...)
			after = page[len(page)-1].Seq
		}
		if len(got) != 3 {
			t.Fatalf("%d of a.1, want 3", len(got))
		}
		for n, q := range got {
			want := frame("a.1", n)
			want.Seq = uint64(n*2 + 1)
			if diff := cmp.Diff(want, q.Frame); diff != "" || q.Reason != "channel x is not known" || q.At.IsZero() {
				t.Errorf("%d: %+v (-want +got)\n%s", n, q, diff)
			}
		}
	})
}

func TestQuarantineFull(t *testing.T) {
	both(t, func(t *testing.T, open func(journal.Options) *journal.Journal) {
		j := open(journal.Options{MaxQuarantineBytes: 256 << 10})
		var err error
		n := 0
		for ; n < 100 && err == nil; n++ {
			err = j.Quarantine(t.Context(), ingest.Frame{Device: "a", Payload: make([]byte, 16<<10)}, "no")
		}
		if !errors.Is(err, ingest.ErrBusy) {
			t.Fatalf("err = %v after %d frames, want ErrBusy", err, n)
		}
		s, err := j.Stats(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if s.Quarantined != uint64(n-1) {
			t.Errorf("%d in quarantine, want the %d that were taken", s.Quarantined, n-1)
		}
	})
}

// Devices must not change partitions because a setting was changed.
func TestPartitionsAreFixed(t *testing.T) {
	both(t, func(t *testing.T, open func(journal.Options) *journal.Journal) {
		j := open(journal.Options{Partitions: 3})
		shut(t, j)
		j = open(journal.Options{Partitions: 8})
		if got := j.Partitions(); got != 3 {
			t.Errorf("%d partitions, want the 3 it was made with", got)
		}
	})
}

func TestOpenRefuses(t *testing.T) {
	small := startNATS(t, server.Options{StoreDir: t.TempDir()})
	tests := map[string]struct {
		opt  journal.Options
		want string
	}{
		"no place":           {journal.Options{}, "neither directory nor URL"},
		"too many parts":     {journal.Options{Dir: t.TempDir(), Partitions: 257}, "257 partitions"},
		"max_payload":        {journal.Options{URL: small.ClientURL()}, "max_payload"},
		"nobody there":       {journal.Options{URL: "nats://127.0.0.1:1"}, "connect"},
		"secret in bad URL":  {journal.Options{URL: "nats://u:hunter2@[::1"}, "connect"},
		"secret, wrong host": {journal.Options{URL: "nats://u:hunter2@127.0.0.1:1"}, "connect"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := journal.Open(t.Context(), tt.opt)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("err = %v, want one about %q", err, tt.want)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("err shows the password: %v", err)
			}
		})
	}
}

// The journal outside goes away for a while: nothing acknowledged is lost, and
// neither side needs a restart.
func TestRemoteRestarts(t *testing.T) {
	dir := t.TempDir()
	srv := startNATS(t, server.Options{StoreDir: dir, MaxPayload: 2 << 20})
	j := open(t, journal.Options{URL: srv.ClientURL(), Partitions: 2})
	c := &collector{}
	defer consume(t, j, journal.Store, c)()
	appendAll(t, j, series("a", 0, 100)...)

	port := srv.Addr().(interface{ AddrPort() netip.AddrPort }).AddrPort().Port()
	stopNATS(srv)
	if err := j.Append(t.Context(), frame("a", 100)); !errors.Is(err, ingest.ErrBusy) {
		t.Errorf("err = %v without a server, want ErrBusy", err)
	}
	startNATS(t, server.Options{StoreDir: dir, MaxPayload: 2 << 20, Port: int(port)})
	eventually(t, "frames are taken again", func() bool { return j.Append(t.Context(), frame("b", 0)) == nil })
	eventually(t, "the reader goes on", func() bool { return len(c.of("b")) > 0 && lag(t, j)[journal.Store] == 0 })

	seen := map[string]bool{}
	for _, f := range c.of("a") {
		seen[string(f.Payload)] = true
	}
	for _, f := range series("a", 0, 100) {
		if !seen[string(f.Payload)] {
			t.Errorf("acknowledged frame %s is lost", f.Payload)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	for name, opt := range map[string]journal.Options{
		"sync=1s":     {Sync: time.Second},
		"sync=always": {SyncAlways: true},
	} {
		b.Run(name, func(b *testing.B) {
			opt.Dir = b.TempDir()
			j, err := journal.Open(b.Context(), opt)
			if err != nil {
				b.Fatal(err)
			}
			defer j.Close(context.Background())
			payload := []byte(`{"ts":1764000000000,"temp":21.5,"sal":31.2,"ph":8.1,"do":7.3}`)
			var next atomic.Int64
			b.ReportAllocs()
			b.SetParallelism(max(1, 50/runtime.GOMAXPROCS(0)))
			b.RunParallel(func(pb *testing.PB) {
				f := ingest.Frame{Device: fmt.Sprintf("device-%d", next.Add(1)), Received: time.Now(), Payload: payload}
				for pb.Next() {
					if err := j.Append(b.Context(), f); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}
