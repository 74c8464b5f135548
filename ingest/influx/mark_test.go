package influx_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"tianhai/farm"
	"tianhai/ingest"
	"tianhai/ingest/influx"
)

// A clock stands still unless a test moves it.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// A tap copies what a client writes, and lets writes fail.
type tap struct {
	mu     sync.Mutex
	wrote  bytes.Buffer
	status int // what writes are answered; 0: by the server
}

func (p *tap) pass(w http.ResponseWriter, r *http.Request) bool {
	if !strings.HasSuffix(r.URL.Path, "/write") {
		return true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return false
	}
	p.wrote.Write(body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	if p.status != 0 {
		w.WriteHeader(p.status)
		return false
	}
	return true
}

// marks returns the marks written since the last call, without their numbers.
func (p *tap) marks() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var found []string
	for line := range strings.Lines(p.wrote.String()) {
		if !strings.HasPrefix(line, influx.MarkMeasurement+",") {
			continue
		}
		f := strings.Fields(line)
		found = append(found, f[0]+" "+f[2])
	}
	p.wrote.Reset()
	return found
}

// Every day that is written to is marked in the same request, and not again
// within the hour that the mark speaks for.
func TestMarks(t *testing.T) {
	each(t, func(t *testing.T, opt influx.Options) {
		var p tap
		c := clock{at: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)}
		opt = between(t, opt, p.pass)
		opt.Now = c.now
		client := dial(t, opt)
		tenant := fmt.Sprintf("marks-%d", time.Now().UnixNano())
		// The day begins at 16:00 UTC: 2026-03-01T15:59 is of another one.
		midnight := time.Date(2026, 3, 1, 16, 0, 0, 0, time.UTC)
		obs := []ingest.Observation{
			one(t, "a", tenant, midnight.Add(-time.Minute), "water.ph", 8, ingest.Good),
			one(t, "a", tenant, midnight, "water.ph", 8, ingest.Good),
			one(t, "a", tenant, midnight.Add(23*time.Hour), "air.rain", 0, ingest.Missing),
			one(t, "b", tenant, midnight, "water.ph", 8, ingest.Fail),
			{Device: "silent", Place: ingest.Place{Tenant: tenant}, Time: midnight},
		}
		mark := func(device string, day time.Time) string {
			return fmt.Sprintf("%s,device=%s,region=450512,site=s,tenant=%s %d", influx.MarkMeasurement, device, tenant, day.UnixMilli())
		}
		all := []string{mark("a", midnight.Add(-24*time.Hour)), mark("a", midnight), mark("b", midnight)}
		write := func(want ...string) {
			t.Helper()
			if err := client.Write(t.Context(), obs); err != nil {
				t.Fatal(err)
			}
			if got := p.marks(); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("marked %q, want %q", got, want)
			}
		}
		write(all...)
		write()
		c.add(influx.MarkFor - time.Second)
		write()
		c.add(time.Second)
		write(all...)
		c.add(-time.Minute) // a clock set back: rather a mark too many
		write(all...)

		// A write that failed has marked nothing.
		c.add(influx.MarkFor + time.Minute)
		p.status = http.StatusServiceUnavailable
		if err := client.Write(t.Context(), obs); err == nil {
			t.Fatal("no error")
		}
		p.marks()
		p.status = 0
		write(all...)
	})
}

// Where InfluxDB refuses an observation, what is written of its day beside it is
// marked all the same, now and the next time.
func TestMarksBesideARefusal(t *testing.T) {
	each(t, func(t *testing.T, opt influx.Options) {
		var p tap
		client := dial(t, between(t, opt, p.pass))
		tenant := fmt.Sprintf("refusal-%d", time.Now().UnixNano())
		odd := farm.Quantity{ID: fmt.Sprintf("water.odd_%d", time.Now().UnixNano())}
		raw(t, opt, fmt.Sprintf("water,tenant=%s %s=1i %d", tenant, odd.Field(), now().UnixMilli()))
		at := now().Truncate(time.Hour).Add(-48 * time.Hour)
		obs := series(t, tenant, "d", at.Add(3*time.Minute), 4)
		obs[0].Readings = []ingest.Reading{{Quantity: odd, Value: 1.5, Flag: ingest.Good}}
		if err := client.Write(t.Context(), obs); !errors.As(err, new(*ingest.RejectedError)) {
			t.Fatalf("error %v, want a RejectedError", err)
		}
		if got := p.marks(); len(got) < 3 {
			t.Errorf("marked %q, want a mark in every request", got)
		}
		if err := client.Write(t.Context(), obs[1:]); err != nil {
			t.Fatal(err)
		}
		if got := p.marks(); len(got) != 1 {
			t.Errorf("marked %q after the refusal, want one mark", got)
		}
	})
}

// What marks add to a write, from 1,000 devices with two media each.
func BenchmarkEncode(b *testing.B) {
	obs := make([]ingest.Observation, 1000)
	for i := range obs {
		obs[i] = ingest.Observation{
			Device: fmt.Sprintf("d-%d", i), Place: place, Time: now(),
			Readings: good(b, "water.temperature", 28.5, "water.ph", 8.1, "water.dissolved_oxygen", 6.25, "device.battery", 3.61),
		}
	}
	encode := influx.Encoder()
	encode(obs)
	b.ReportAllocs()
	for b.Loop() {
		b.SetBytes(int64(encode(obs)))
	}
}
