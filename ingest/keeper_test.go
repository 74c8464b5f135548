package ingest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"tianhai/ingest"
	"tianhai/ingest/influx"
	"tianhai/ingest/journal"
)

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(30 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("still not: %s", what)
		}
	}
}

// A plant is the real journal and the real time-series store.
type plant struct {
	journal *journal.Journal
	dir     string // of InfluxDB
	server  *influx.Server
	client  *influx.Client
}

func newPlant(t *testing.T) *plant {
	t.Helper()
	j, err := journal.Open(t.Context(), journal.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	p := &plant{journal: j, dir: t.TempDir()}
	p.startInflux(t, "127.0.0.1:0")
	p.client, err = influx.Open(t.Context(), influx.Options{URL: p.server.URL(), Token: p.server.Token()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.client.Close)
	return p
}

func (p *plant) startInflux(t *testing.T, addr string) {
	t.Helper()
	srv, err := influx.OpenServer(t.Context(), influx.ServerOptions{Dir: p.dir, Addr: addr})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
	})
	p.server = srv
}

func (p *plant) append(t *testing.T, device, payload string, received time.Time) {
	t.Helper()
	err := p.journal.Append(t.Context(), ingest.Frame{Device: device, Received: received, Payload: []byte(payload)})
	if err != nil {
		t.Fatal(err)
	}
}

// passed reports whether a reader has passed every frame.
func (p *plant) passed(t *testing.T, reader string) bool {
	t.Helper()
	lag, err := p.journal.Lag(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return lag[reader] == 0
}

// reasons returns what is in quarantine, by device.
func (p *plant) reasons(t *testing.T) map[string][]string {
	t.Helper()
	list, err := p.journal.Quarantined(t.Context(), "", 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	reasons := map[string][]string{}
	for _, q := range list {
		reasons[q.Frame.Device] = append(reasons[q.Frame.Device], q.Reason)
	}
	return reasons
}

// during runs a loop and returns what stops it and waits for its end.
func during(t *testing.T, run func(ctx context.Context) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// A viewer notes what it is shown; it fails as often as told.
type viewer struct {
	mu    sync.Mutex // guards what follows
	seen  map[string][]float64
	calls int
	fails int
}

func (v *viewer) Observe(_ context.Context, obs []ingest.Observation) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.calls++
	if v.fails > 0 {
		v.fails--
		return errors.New("screen is dark")
	}
	for _, o := range obs {
		if v.seen == nil {
			v.seen = map[string][]float64{}
		}
		v.seen[o.Device] = append(v.seen[o.Device], o.Readings[0].Value)
	}
	return nil
}

func (v *viewer) of(device string) []float64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Clone(v.seen[device])
}

// safeBuffer is a log that may be read while it is written.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// InfluxDB goes away under load and comes back. Every frame ends up stored once
// or in quarantine, with no restart, while the watch goes on in order.
func TestOutage(t *testing.T) {
	p := newPlant(t)
	registry := devices{}
	var names []string
	for i := range 8 {
		name := fmt.Sprintf("buoy-%d", i)
		registry[name] = station(t, name)
		names = append(names, name)
	}
	var logged safeBuffer
	logger := slog.New(slog.NewTextHandler(&logged, nil))
	metrics := prometheus.NewRegistry()
	keeper := &ingest.Keeper{
		Source: p.journal, Quarantine: p.journal, Interpreter: interpreter(registry), Store: p.client,
		Metrics: ingest.NewMetrics(metrics), Logger: logger,
	}
	var screen viewer
	watch := &ingest.Watch{Source: p.journal, Interpreter: interpreter(registry), Watchers: []ingest.Watcher{&screen}}
	stopKeeper := during(t, keeper.Run)
	stopWatch := during(t, watch.Run)

	const before, after = 30, 50
	start := time.Date(2026, 6, 10, 0, 0, 0, 0, time.UTC)
	send := func(from, to int) {
		for i := from; i < to; i++ {
			at := start.Add(time.Duration(i) * time.Minute)
			for _, name := range names {
				p.append(t, name, fmt.Sprintf(`{"ts":%d,"temp":%d,"turb":null}`, at.UnixMilli(), i%40), at.Add(time.Second))
			}
		}
	}
	send(0, before)
	eventually(t, "the first frames are stored", func() bool { return p.passed(t, journal.Store) })

	addr := strings.TrimPrefix(p.server.URL(), "http://")
	if err := p.server.Close(); err != nil {
		t.Fatal(err)
	}
	send(before, before+after)
	p.append(t, "buoy-0", `{"temp":`, start)
	p.append(t, "buoy-1", `{"ts":1781100000000,"temp":20,"colour":3}`, start.Add(24*time.Hour))
	p.append(t, "stranger", `{"temp":20}`, start)
	eventually(t, "the watch has seen everything without InfluxDB", func() bool { return p.passed(t, journal.Watch) })
	eventually(t, "the keeper has noticed", func() bool { return strings.Contains(logged.String(), "held up") })
	if p.passed(t, journal.Store) || len(p.reasons(t)) > 0 {
		t.Error("the keeper went on without InfluxDB")
	}
	p.startInflux(t, addr)
	eventually(t, "everything is stored", func() bool { return p.passed(t, journal.Store) })
	stopKeeper()
	stopWatch()

	for i, name := range names {
		s, err := p.client.Series(t.Context(), influx.SeriesQuery{
			Tenant: "hongda", Site: "pond-1", Device: name, Quantity: quantity(t, "water.temperature"),
			From: start, To: start.Add(48 * time.Hour),
		})
		if err != nil {
			t.Fatal(err)
		}
		want := before + after
		if i == 1 {
			want++ // the known part of the frame with a colour
		}
		if s.N != want {
			t.Errorf("%s: %d temperatures stored, want %d", name, s.N, want)
		}
		seen := screen.of(name)
		if len(seen) != want {
			t.Errorf("%s: %d seen, want %d", name, len(seen), want)
		}
		for j, v := range seen[:before+after] {
			if v != float64(j%40) {
				t.Fatalf("%s: reading %d seen is %v, out of order", name, j, v)
			}
		}
	}
	reasons := p.reasons(t)
	for device, want := range map[string]string{
		"buoy-0":   "json member \"temp\" at byte 8",
		"buoy-1":   `unknown channel "colour"`,
		"stranger": "unknown device",
	} {
		if got := reasons[device]; len(got) != 1 || !strings.Contains(got[0], want) {
			t.Errorf("%s: quarantined for %q, want once for %q", device, got, want)
		}
	}
	if len(reasons) != 3 {
		t.Errorf("quarantine has %v", reasons)
	}
	for _, line := range []string{"held up", "work goes on"} {
		if n := strings.Count(logged.String(), line); n != 1 {
			t.Errorf("%q logged %d times, want once:\n%s", line, n, logged.String())
		}
	}
	want := map[string]float64{
		"tianhai_readings_stored_total": 2*8*(before+after) + 1, "tianhai_readings_flagged_total 9": 8 * (before + after),
		"tianhai_frames_decoded_total": 8*(before+after) + 1, "tianhai_frames_stored_total": 8 * (before + after),
		"tianhai_frames_quarantined_total channel": 1, "tianhai_frames_quarantined_total decode": 1, "tianhai_frames_quarantined_total device": 1,
	}
	got := counters(t, metrics)
	if got["tianhai_store_failures_total"] == 0 {
		t.Error("no failure was counted")
	}
	delete(got, "tianhai_store_failures_total")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("counters, want -, got +\n%s", diff)
	}
}

// counters returns every counter that is not 0, by name and label.
func counters(t *testing.T, g prometheus.Gatherer) map[string]float64 {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += " " + l.GetValue()
			}
			if v := m.GetCounter().GetValue(); v != 0 {
				all[name] = v
			}
		}
	}
	return all
}

// What InfluxDB refuses goes to quarantine, and takes nothing with it.
func TestKeeperQuarantinesRejected(t *testing.T) {
	p := newPlant(t)
	at := time.Date(2026, 6, 10, 0, 0, 0, 0, time.UTC)
	// Turbidity becomes an integer field, which InfluxDB then insists on.
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.server.URL()+"/write?precision=ms&db="+influx.DefaultDatabase,
		strings.NewReader(fmt.Sprintf("water turbidity=1i %d", at.UnixMilli())))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Token "+p.server.Token())
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		t.Fatal(resp.Status)
	}

	registry := devices{"a": station(t, "a"), "b": station(t, "b")}
	for i := range 20 {
		p.append(t, "a", `{"temp":20}`, at.Add(time.Duration(i)*time.Minute))
	}
	p.append(t, "b", `{"turb":20}`, at)
	keeper := &ingest.Keeper{Source: p.journal, Quarantine: p.journal, Interpreter: interpreter(registry), Store: p.client}
	during(t, keeper.Run)
	eventually(t, "everything is stored", func() bool { return p.passed(t, journal.Store) })
	reasons := p.reasons(t)
	if len(reasons) != 1 || len(reasons["b"]) != 1 || !strings.Contains(reasons["b"][0], "type") {
		t.Errorf("quarantine has %v, want only the frame of b with InfluxDB's reason", reasons)
	}
	s, err := p.client.Series(t.Context(), influx.SeriesQuery{
		Tenant: "hongda", Device: "a", Quantity: quantity(t, "water.temperature"), From: at, To: at.Add(time.Hour),
	})
	if err != nil || s.N != 20 {
		t.Errorf("%d stored, error %v; want 20", s.N, err)
	}
}

// flaky is a registry whose database does not answer at first.
type flaky struct {
	devices
	mu    sync.Mutex
	fails int
}

func (f *flaky) Profile(ctx context.Context, device string) (*ingest.Profile, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fails > 0 {
		f.fails--
		return nil, errors.New("database is locked")
	}
	return f.devices.Profile(ctx, device)
}

// A registry that does not answer is no reason for quarantine.
func TestKeeperWaitsForRegistry(t *testing.T) {
	p := newPlant(t)
	at := time.Date(2026, 6, 10, 0, 0, 0, 0, time.UTC)
	p.append(t, "a", `{"temp":20}`, at)
	registry := &flaky{devices: devices{"a": station(t, "a")}, fails: 3}
	keeper := &ingest.Keeper{Source: p.journal, Quarantine: p.journal, Interpreter: interpreter(registry), Store: p.client}
	during(t, keeper.Run)
	eventually(t, "the frame is stored", func() bool {
		s, err := p.client.Series(t.Context(), influx.SeriesQuery{
			Tenant: "hongda", Device: "a", Quantity: quantity(t, "water.temperature"), From: at, To: at.Add(time.Hour),
		})
		return err == nil && s.N == 1
	})
	if r := p.reasons(t); len(r) > 0 {
		t.Errorf("quarantine has %v", r)
	}
}

// A watcher that fails is tried again; the one before it is not bothered.
func TestWatchRepeats(t *testing.T) {
	p := newPlant(t)
	at := time.Date(2026, 6, 10, 0, 0, 0, 0, time.UTC)
	p.append(t, "a", `{"temp":20}`, at)
	p.append(t, "a", `not json`, at)
	p.append(t, "a", `{"temp":21,"colour":1}`, at.Add(time.Minute))
	first, second := &viewer{}, &viewer{fails: 2}
	watch := &ingest.Watch{
		Source:      p.journal,
		Interpreter: interpreter(&flaky{devices: devices{"a": station(t, "a")}, fails: 1}),
		Watchers:    []ingest.Watcher{first, second},
	}
	stop := during(t, watch.Run)
	eventually(t, "everything is seen", func() bool { return p.passed(t, journal.Watch) })
	stop()
	for name, v := range map[string]*viewer{"first": first, "second": second} {
		if got := v.of("a"); !slices.Equal(got, []float64{20, 21}) {
			t.Errorf("%s saw %v, want 20 and 21", name, got)
		}
	}
	if second.calls != first.calls+2 {
		t.Errorf("the first was told %d times, the second, which failed twice, %d times", first.calls, second.calls)
	}
}

// The names of the readers are the journal's.
func TestReaders(t *testing.T) {
	if ingest.StoreReader != journal.Store || ingest.WatchReader != journal.Watch {
		t.Errorf("readers %s, %s; the journal has %s, %s", ingest.StoreReader, ingest.WatchReader, journal.Store, journal.Watch)
	}
}
