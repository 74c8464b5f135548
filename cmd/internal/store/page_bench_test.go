package store_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"tianhai/cmd/internal/store"
	"tianhai/dashboards/consumer"
	"tianhai/farm"
	"tianhai/i18n"
	"tianhai/trace"
	"tianhai/trace/label"
	"tianhai/trace/ledger"
	"tianhai/trace/recall"
)

// The load of BenchmarkConsumerPage.
const (
	pagesSold    = 200 // batches, each with a page of its own
	pageReaders  = 64  // connections, each with one request under way
	pageRounds   = 3   // of each, in turn
	pageRoundFor = 3 * time.Second
)

// BenchmarkConsumerPage asks for consumer pages as browsers do, over connections that
// stay, of a process that made each once, and in turn for the same bytes from a gin handler that only writes them. It
// reports pages a second, their share of the handler's, and the 99th percentile of both.
func BenchmarkConsumerPage(b *testing.B) {
	onBoth(b, benchPages)
}

func benchPages(b *testing.B, opt store.Options) {
	s, err := store.Open(b.Context(), opt)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	ours, codes := sell(b, s, s, pagesSold)
	page := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, "/t/"+codes[0], nil)
	r.Header.Set("Accept-Encoding", "gzip")
	ours.ServeHTTP(page, r)
	if page.Code != http.StatusOK || page.Header().Get("Content-Encoding") != "gzip" {
		b.Fatalf("the page: %d, %v", page.Code, page.Header())
	}
	began := time.Now()
	for _, code := range codes[1:] {
		r := httptest.NewRequest(http.MethodGet, "/t/"+code, nil)
		r.Header.Set("Accept-Encoding", "gzip")
		ours.ServeHTTP(httptest.NewRecorder(), r)
	}
	making := time.Since(began).Seconds() * 1e3 / float64(len(codes)-1)
	gin.SetMode(gin.ReleaseMode)
	bare := gin.New()
	bare.GET("/t/:code", func(c *gin.Context) {
		c.Header("Content-Encoding", "gzip")
		c.Data(http.StatusOK, "text/html; charset=utf-8", page.Body.Bytes())
	})
	for _, load := range []struct {
		name  string
		codes []string
		write time.Duration // how often something is committed; 0 for never
	}{{"one page", codes[:1], 0}, {"200 pages", codes, 0}, {"one page, 10 commits a second", codes[:1], 100 * time.Millisecond}} {
		b.Run(load.name, func(b *testing.B) {
			var mine, theirs []time.Duration
			for b.Loop() {
				for range pageRounds {
					stop := commit(b, s, load.write)
					mine = append(mine, read(b, ours, load.codes)...)
					stop()
					theirs = append(theirs, read(b, bare, load.codes)...)
				}
			}
			b.ReportMetric(float64(len(mine))/float64(len(theirs)), "of-bare")
			b.ReportMetric(float64(len(mine))/pageRounds/pageRoundFor.Seconds(), "pages/s")
			b.ReportMetric(p99(mine), "p99-ms")
			b.ReportMetric(p99(theirs), "bare-p99-ms")
			b.ReportMetric(float64(page.Body.Len()), "bytes")
			b.ReportMetric(making, "first-view-ms")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func p99(took []time.Duration) float64 {
	slices.Sort(took)
	return float64(took[len(took)*99/100].Microseconds()) / 1e3
}

// commit changes a product's name every so often until it is stopped.
func commit(b *testing.B, s *store.Store, every time.Duration) (stop func()) {
	b.Helper()
	if every == 0 {
		return func() {}
	}
	ctx, cancel := context.WithCancel(b.Context())
	var done sync.WaitGroup
	done.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-ctx.Done():
				return
			case <-time.After(every):
			}
			p := liubao
			p.Name.En = fmt.Sprint("Liubao ", n)
			if err := s.PutProduct(ctx, p); err != nil && ctx.Err() == nil {
				b.Error(err)
			}
		}
	})
	return func() { cancel(); done.Wait() }
}

// read asks for pages for a while, and returns how long each took.
func read(b *testing.B, h http.Handler, codes []string) []time.Duration {
	b.Helper()
	srv := httptest.NewServer(h)
	defer srv.Close()
	var mu sync.Mutex
	var all []time.Duration
	var readers sync.WaitGroup
	until := time.Now().Add(pageRoundFor)
	for range pageReaders {
		readers.Go(func() {
			took, err := reader(srv.Listener.Addr().String(), codes, until)
			if err != nil {
				b.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			all = append(all, took...)
		})
	}
	readers.Wait()
	if len(all) == 0 {
		b.Fatal("no page came")
	}
	return all
}

// reader is one connection, which costs as little as it can beside what is measured.
func reader(addr string, codes []string, until time.Time) ([]time.Duration, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	in := bufio.NewReader(conn)
	var took []time.Duration
	for time.Now().Before(until) {
		began := time.Now()
		code := codes[rand.IntN(len(codes))]
		if _, err := io.WriteString(conn, "GET /t/"+code+" HTTP/1.1\r\nHost: trace\r\nAccept: text/html\r\nAccept-Encoding: gzip\r\nAccept-Language: zh-CN\r\n\r\n"); err != nil {
			return nil, err
		}
		if err := skipAnswer(in); err != nil {
			return nil, err
		}
		took = append(took, time.Since(began))
	}
	return took, nil
}

func skipAnswer(in *bufio.Reader) error {
	line, err := in.ReadSlice('\n')
	if err != nil || !bytes.HasPrefix(line, []byte("HTTP/1.1 200 ")) {
		return fmt.Errorf("answer %q: %w", line, errors.Join(err, errors.New("not the page")))
	}
	length := -1
	for len(line) > 2 {
		if line, err = in.ReadSlice('\n'); err != nil {
			return err
		}
		if n, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			if length, err = strconv.Atoi(strings.TrimSpace(string(n))); err != nil {
				return err
			}
		}
	}
	if length < 0 {
		return errors.New("an answer without a length")
	}
	_, err = in.Discard(length)
	return err
}

// sell closes and seals n batches and returns the consumer page over them, which reads
// their records from one who knows them.
func sell(b testing.TB, s *store.Store, of consumer.Records, n int) (http.Handler, []string) {
	b.Helper()
	must := func(err error) {
		if err != nil {
			b.Helper()
			b.Fatal(err)
		}
	}
	ctx := b.Context()
	log, err := ledger.Open(ctx, ledger.Options{Dir: b.TempDir(), Origin: "bench/log", CheckpointInterval: 100 * time.Millisecond})
	must(err)
	b.Cleanup(func() { must(log.Close(context.WithoutCancel(ctx))) })
	must(s.CreateTenant(ctx, tea))
	must(s.CreateSite(ctx, garden))
	must(s.PutProduct(ctx, liubao))
	var codes []string
	var records []trace.Record
	for i := range n {
		batch := newBatch(fmt.Sprintf("B%04d", i))
		must(s.AddBatch(ctx, batch))
		code, err := label.NewCode(rand.NewChaCha8([32]byte{byte(i), byte(i >> 8)}))
		must(err)
		done, rec := closed(batch, code)
		rec.Body, err = json.Marshal(grown(done))
		must(err)
		must(s.CloseBatch(ctx, done, rec))
		codes, records = append(codes, code), append(records, rec)
	}
	// The log seals those together that come together.
	errs := make(chan error, len(records))
	for i := range records {
		go func() {
			var err error
			records[i].Index, err = log.Append(ctx, records[i].Leaf())
			errs <- err
		}()
	}
	for range records {
		must(<-errs)
	}
	for _, rec := range records {
		receipt, err := log.Receipt(ctx, rec.Index)
		must(err)
		must(s.Sealed(ctx, rec.ID, trace.Seal{Log: 1, Index: rec.Index, Receipt: receipt}))
	}
	texts, err := i18n.Load()
	must(err)
	page, err := consumer.New(consumer.Options{
		Records: of, Recalls: &recall.Service{Book: s}, Statements: s, Shipments: s, Notes: s, Revision: s.Revision,
		Key: func(string) string { return log.VerifierKey() }, PublicURL: "https://trace.example.cn", Catalog: texts, Logger: slog.New(slog.DiscardHandler),
	})
	must(err)
	return page, codes
}

// grown is a record with two months of six quantities and forty operations.
func grown(batch trace.Batch) trace.PublicRecord {
	r := trace.PublicRecord{
		Version: 1, Code: batch.Code, Batch: batch.ID, Product: liubao, Producer: trace.Producer{Name: tea.Name, CreditCode: tea.CreditCode},
		Origin: trace.Origin{Region: garden.Region, Kind: garden.Kind, Site: garden.Name, Prefecture: farm.Text{Zh: "梧州市", En: "Wuzhou"}},
		Lot:    batch.Lot, Quantity: batch.Quantity, Unit: batch.Unit, Began: batch.Harvest.AddDate(0, -2, 0), Harvest: batch.Harvest, Closed: batch.Closed,
	}
	for i := range 40 {
		at := r.Began.Add(time.Duration(i) * 36 * time.Hour)
		r.Operations = append(r.Operations, trace.PublicOperation{ID: fmt.Sprint("o", i), Kind: "inspect", At: at, Recorded: at, Items: []trace.Item{{Key: "result", Value: "长势良好"}}})
	}
	r.Evidence = trace.PublicEvidence{From: r.Began, To: r.Harvest, Recorded: true}
	for _, quantity := range []string{"air.temperature", "air.humidity", "air.illuminance", "soil.moisture", "soil.temperature", "air.wind_speed"} {
		width := r.Harvest.Sub(r.Began) / 200
		one := trace.Series{Quantity: quantity, Devices: []string{"garden-1"}, N: 8400, Min: 10, Max: 30, Mean: 20, Coverage: 1, Interval: int(width / time.Second)}
		for i := range 200 {
			v := math.Round(1000*(20+8*math.Sin(float64(i)/9))) / 1000
			one.Points = append(one.Points, farm.Point{Time: r.Began.Add(time.Duration(i) * width), Min: v - 2, Mean: v, Max: v + 2, N: 42})
		}
		r.Evidence.Series = append(r.Evidence.Series, one)
	}
	return r
}
