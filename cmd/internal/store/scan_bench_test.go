package store_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"tianhai/cmd/internal/store"
	"tianhai/trace/scan"
)

// The load of BenchmarkScans.
const (
	looksPerSecond = 5000
	scanRoundFor   = 5 * time.Second
	scanRounds     = 2 // of each, in turn
)

// BenchmarkScans takes down 5,000 looks a second, of 20,000 devices at as many codes as
// there are pages, while consumer pages are asked for at a steady pace, and in turn asks
// for them while nobody looks. It reports the 99th percentile of a page in both, and
// their ratio.
func BenchmarkScans(b *testing.B) {
	onBoth(b, benchScans)
}

func benchScans(b *testing.B, opt store.Options) {
	s, err := store.Open(b.Context(), opt)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	page, codes := sell(b, s, s, 2000)
	for _, load := range []struct {
		pages int           // each of another batch, asked for in a second
		write time.Duration // how often something is committed; 0 for never
	}{{40, time.Second}, {200, 0}, {2000, 0}} {
		b.Run(fmt.Sprintf("%d pages, a commit every %v", load.pages, load.write), func(b *testing.B) {
			stop := commit(b, s, load.write)
			defer stop()
			benchLooks(b, s, page, codes[:load.pages])
		})
	}
}

func benchLooks(b *testing.B, s *store.Store, page http.Handler, codes []string) {
	log := slog.New(slog.DiscardHandler)
	for _, code := range codes {
		ask(b, page, code)
	}
	var alone, beside []time.Duration
	var written, dropped int64
	for b.Loop() {
		for range scanRounds {
			alone = append(alone, paced(b, page, codes)...)
			watch := &scan.Watch{Files: s, Log: log}
			r := scan.NewRecorder(s, log, watch.Look)
			ctx, cancel := context.WithCancel(b.Context())
			var running sync.WaitGroup
			running.Go(func() { _ = r.Run(ctx) })
			running.Go(func() { lookAt(ctx, r, codes) })
			beside = append(beside, paced(b, page, codes)...)
			cancel()
			running.Wait()
			stats := r.Stats()
			written, dropped = written+stats.Written, dropped+stats.Dropped
		}
	}
	b.ReportMetric(p99(alone), "alone-p99-ms")
	b.ReportMetric(p99(beside), "p99-ms")
	b.ReportMetric(p99(beside)/p99(alone), "of-alone")
	b.ReportMetric(float64(written)/scanRounds/scanRoundFor.Seconds(), "looks/s")
	b.ReportMetric(float64(dropped), "dropped")
	b.ReportMetric(0, "ns/op")
}

// lookAt takes down looks at the pace of looksPerSecond until ctx is done.
func lookAt(ctx context.Context, r *scan.Recorder, codes []string) {
	const every = 10 * time.Millisecond
	tick := time.NewTicker(every)
	defer tick.Stop()
	began, n := time.Now(), 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for due := int(time.Since(began).Seconds() * looksPerSecond); n < due; n++ {
			v := scan.Visitor{Address: fmt.Sprintf("198.51.100.%d", rand.IntN(20_000)), Agent: "MicroMessenger", Place: scan.Place{Region: "45"}}
			r.Saw(scan.Subject{Code: codes[rand.IntN(len(codes))], Tenant: tea.ID}, v, time.Now())
		}
	}
}

// paced asks for each page once a second, and returns how long each took from when it
// was due, whatever became of the last.
func paced(b *testing.B, h http.Handler, codes []string) []time.Duration {
	b.Helper()
	var mu sync.Mutex
	var all []time.Duration
	var asked sync.WaitGroup
	began := time.Now()
	for n := range int(scanRoundFor.Seconds()) * len(codes) {
		due := began.Add(time.Duration(n) * time.Second / time.Duration(len(codes)))
		time.Sleep(time.Until(due))
		asked.Go(func() {
			ask(b, h, codes[n%len(codes)])
			took := time.Since(due)
			mu.Lock()
			defer mu.Unlock()
			all = append(all, took)
		})
	}
	asked.Wait()
	return all
}

// ask asks for a page as browsers do, and returns it as it came.
func ask(t testing.TB, h http.Handler, code string) []byte {
	r := httptest.NewRequest(http.MethodGet, "/t/"+code, nil)
	r.Header.Set("Accept-Encoding", "gzip")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		t.Errorf("a page: %d", w.Code)
	}
	return w.Body.Bytes()
}
