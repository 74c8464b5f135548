package history_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tianhai/farm"
	"tianhai/ingest"
	"tianhai/ingest/decode"
	"tianhai/ingest/history"
	"tianhai/ingest/influx"
	"tianhai/ingest/journal"
	"tianhai/ingest/qc"
)

// now is when jobs are made.
var now = time.Date(2026, 8, 20, 4, 0, 0, 0, time.UTC)

// installed is since when devices stand where they stand.
var installed = time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)

// A register is the records: devices, jobs, and what was mended.
type register struct {
	mu       sync.Mutex // guards what follows
	profiles map[string]*ingest.Profile
	owners   map[string]string
	jobs     []history.Job
	mends    map[string]string
	saves    int
	onSave   func(j history.Job) // is told of progress; nil: nobody
	away     bool                // does not answer
}

func quantity(id string) farm.Quantity {
	q, ok := farm.LookupQuantity(id)
	if !ok {
		panic(id)
	}
	return q
}

// sonde is a device of the oyster farm, whose thermometer was calibrated once.
func sonde(id string) *ingest.Profile {
	raft := ingest.Place{Tenant: "oysters", Region: "450702", Site: "raft-1", Kind: farm.Raft}
	return &ingest.Profile{
		Device: id, Format: "json", Interval: 10 * time.Minute,
		Channels: map[string]ingest.Channel{
			"t": {Quantity: quantity("water.temperature"), Slope: 1, Calibrations: []ingest.Calibration{
				{From: time.Date(2026, 8, 1, 0, 0, 0, 0, time.UTC), Slope: 1, Offset: 0.5},
			}},
			"do": {Quantity: quantity("water.dissolved_oxygen"), Slope: 1},
			"s":  {Quantity: quantity("water.salinity"), Slope: 1},
		},
		Installations: []ingest.Installation{{From: installed, Place: raft}},
	}
}

func newRegister() *register {
	r := &register{profiles: map[string]*ingest.Profile{}, owners: map[string]string{}, mends: map[string]string{}}
	for _, id := range []string{"buoy-1", "buoy-2"} {
		r.profiles[id], r.owners[id] = sonde(id), "oysters"
	}
	tea := sonde("leaf-1")
	tea.Installations[0].Place = ingest.Place{Tenant: "tea", Region: "450406", Site: "garden-1", Kind: farm.Garden}
	r.profiles["leaf-1"], r.owners["leaf-1"] = tea, "tea"
	return r
}

func (r *register) enter() error {
	r.mu.Lock()
	if r.away {
		return errors.New("records do not answer")
	}
	return nil
}

func (r *register) Profile(_ context.Context, device string) (*ingest.Profile, error) {
	defer r.mu.Unlock()
	if err := r.enter(); err != nil {
		return nil, err
	}
	p := r.profiles[device]
	if p == nil {
		return nil, fmt.Errorf("%w: %s", ingest.ErrUnknownDevice, device)
	}
	return p, nil
}

// change replaces a profile by a copy that was changed.
func (r *register) change(device string, do func(p *ingest.Profile)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := sonde(device)
	do(p)
	if r.profiles[device] = p; r.owners[device] == "" {
		r.owners[device] = "oysters"
	}
}

func (r *register) Owner(_ context.Context, device string) (string, error) {
	defer r.mu.Unlock()
	if err := r.enter(); err != nil {
		return "", err
	}
	if o, ok := r.owners[device]; ok {
		return o, nil
	}
	return "", farm.ErrNotFound
}

func (r *register) DevicesOf(_ context.Context, tenant string) (all []string, err error) {
	defer r.mu.Unlock()
	if err := r.enter(); err != nil {
		return nil, err
	}
	for d, o := range r.owners {
		if o == tenant {
			all = append(all, d)
		}
	}
	return all, nil
}

func (r *register) CreateJob(_ context.Context, j history.Job) error {
	defer r.mu.Unlock()
	r.jobs = append(r.jobs, j)
	return r.enter()
}

func (r *register) TakeJob(_ context.Context, at time.Time) (history.Job, error) {
	defer r.mu.Unlock()
	if err := r.enter(); err != nil {
		return history.Job{}, err
	}
	for _, want := range []history.State{history.Running, history.Waiting} {
		for i := range r.jobs {
			if j := &r.jobs[i]; j.State == want {
				j.State, j.Started = history.Running, at
				j.Tries++
				return *j, nil
			}
		}
	}
	return history.Job{}, farm.ErrNotFound
}

func (r *register) SaveJob(_ context.Context, j history.Job) error {
	if err := r.save(j); err != nil {
		return err
	}
	if r.onSave != nil {
		r.onSave(j)
	}
	return nil
}

func (r *register) save(j history.Job) error {
	defer r.mu.Unlock()
	if err := r.enter(); err != nil {
		return err
	}
	i := slices.IndexFunc(r.jobs, func(x history.Job) bool { return x.ID == j.ID && x.State == history.Running })
	if i < 0 {
		return farm.ErrConflict
	}
	r.saves++
	j.Progress.Problems = slices.Clone(j.Progress.Problems)
	r.jobs[i] = j
	return nil
}

func (r *register) OpenJobs(context.Context) (ids []string, err error) {
	defer r.mu.Unlock()
	r.mu.Lock()
	for _, j := range r.jobs {
		if j.Ended.IsZero() {
			ids = append(ids, j.ID)
		}
	}
	return ids, nil
}

func (r *register) cancel(id string) {
	defer r.mu.Unlock()
	r.mu.Lock()
	i := slices.IndexFunc(r.jobs, func(x history.Job) bool { return x.ID == id })
	r.jobs[i].State, r.jobs[i].Ended = history.Cancelled, now
}

func (r *register) job(id string) history.Job {
	defer r.mu.Unlock()
	r.mu.Lock()
	i := slices.IndexFunc(r.jobs, func(x history.Job) bool { return x.ID == id })
	return r.jobs[i]
}

func (r *register) all() []history.Job {
	defer r.mu.Unlock()
	r.mu.Lock()
	return slices.Clone(r.jobs)
}

func (r *register) Mends(context.Context) (map[string]string, error) {
	defer r.mu.Unlock()
	r.mu.Lock()
	all := map[string]string{}
	for d, f := range r.mends {
		all[d] = f
	}
	return all, nil
}

func (r *register) PutMends(_ context.Context, mends map[string]string) error {
	defer r.mu.Unlock()
	r.mu.Lock()
	for d, f := range mends {
		r.mends[d] = f
	}
	return nil
}

func (r *register) ForgetMends(_ context.Context, devices ...string) error {
	defer r.mu.Unlock()
	r.mu.Lock()
	if len(devices) == 0 {
		clear(r.mends)
	}
	for _, d := range devices {
		delete(r.mends, d)
	}
	return nil
}

// A plant is the real journal and the real time-series store, with records of our
// own.
type plant struct {
	*register
	t       *testing.T
	journal *journal.Journal
	server  *influx.Server
	client  *influx.Client
	desk    *history.Desk
}

func newPlant(t *testing.T) *plant {
	t.Helper()
	ctx := t.Context()
	j, err := journal.Open(ctx, journal.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	srv, err := influx.OpenServer(ctx, influx.ServerOptions{Dir: t.TempDir(), Addr: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	client, err := influx.Open(ctx, influx.Options{URL: srv.URL(), Token: srv.Token()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		client.Close()
		if err := errors.Join(srv.Close(), j.Close(context.WithoutCancel(ctx))); err != nil {
			t.Error(err)
		}
	})
	r := newRegister()
	return &plant{register: r, t: t, journal: j, server: srv, client: client, desk: newDesk(t, r)}
}

func newDesk(t testing.TB, r *register) *history.Desk {
	return &history.Desk{
		Dir: t.TempDir(), Store: r, Fleet: r, Profiles: r, Decode: decode.ByFormat,
		Quality: newQuality, Now: func() time.Time { return now }, Names: names,
	}
}

func newQuality() (ingest.Quality, error) {
	tests, err := qc.Default()
	if err != nil {
		return nil, err
	}
	return qc.New(tests)
}

func names(quantity string) []string {
	return map[string][]string{
		"water.temperature":      {"水温", "Water temperature"},
		"water.dissolved_oxygen": {"溶解氧", "Dissolved oxygen"},
		"water.salinity":         {"盐度", "Salinity"},
	}[quantity]
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

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(time.Minute)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("still not: %s", what)
		}
	}
}

// work has a worker do what there is to do.
func (p *plant) work() {
	p.t.Helper()
	stop := during(p.t, p.worker().Run)
	eventually(p.t, "every job to end", func() bool {
		return !slices.ContainsFunc(p.all(), func(j history.Job) bool { return j.Ended.IsZero() })
	})
	stop()
}

func (p *plant) worker() *history.Worker {
	return history.NewWorker(p.desk, p.journal, p.journal, p.client)
}

// backfill brings a file in and returns the job as it ended.
func (p *plant) backfill(order history.Backfill, file string) history.Job {
	p.t.Helper()
	j, err := p.desk.Backfill(p.t.Context(), "oysters", "li", order, strings.NewReader(file))
	if err != nil {
		p.t.Fatal(err)
	}
	p.work()
	return p.job(j.ID)
}

func (p *plant) replay(tenant string, order history.Replay) history.Job {
	p.t.Helper()
	j, err := p.desk.Replay(p.t.Context(), tenant, "li", order)
	if err != nil {
		p.t.Fatal(err)
	}
	p.work()
	return p.job(j.ID)
}

// count returns how many values of a quantity a device has.
func (p *plant) count(device, id string) int {
	p.t.Helper()
	n := 0
	for _, pt := range p.points(device, id) {
		if pt.value != nil {
			n++
		}
	}
	return n
}

// A point is what is stored of a quantity at a moment.
type point struct {
	at          time.Time
	site        string
	value, flag any // float64; nil: there is none
	clock       any
}

func (p *plant) points(device, id string) (all []point) {
	p.t.Helper()
	q := quantity(id)
	rows := p.rows(fmt.Sprintf("SELECT %s, %s_flag, clock_flag, site FROM %s WHERE device = '%s'", q.Field(), q.Field(), q.Medium(), device))
	for _, r := range rows {
		ms, _ := r[0].(float64)
		site, _ := r[4].(string)
		all = append(all, point{time.UnixMilli(int64(ms)).UTC(), site, r[1], r[2], r[3]})
	}
	return all
}

// rows runs InfluxQL.
func (p *plant) rows(query string) (rows [][]any) {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, p.server.URL()+"/query?epoch=ms&db=tianhai&q="+url.QueryEscape(query), http.NoBody)
	if err != nil {
		p.t.Fatal(err)
	}
	user, password, _ := strings.Cut(p.server.Token(), ":")
	req.SetBasicAuth(user, password)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct {
		Results []struct {
			Error  string
			Series []struct{ Values [][]any }
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || len(answer.Results) != 1 {
		p.t.Fatalf("%s: %v %s", query, err, resp.Status)
	}
	for _, s := range answer.Results[0].Series {
		rows = append(rows, s.Values...)
	}
	return rows
}

// append keeps a frame in the journal.
func (p *plant) append(device, payload string, received time.Time) {
	p.t.Helper()
	if err := p.journal.Append(p.t.Context(), ingest.Frame{Device: device, Received: received, Payload: []byte(payload)}); err != nil {
		p.t.Fatal(err)
	}
}

// keep has the keeper store, or set aside, what is in the journal.
func (p *plant) keep() {
	p.t.Helper()
	quality, err := newQuality()
	if err != nil {
		p.t.Fatal(err)
	}
	k := &ingest.Keeper{Source: p.journal, Quarantine: p.journal, Store: p.client, Interpreter: &ingest.Interpreter{Profiles: p.register, Decode: decode.ByFormat, Quality: quality}}
	stop := during(p.t, k.Run)
	eventually(p.t, "the keeper to pass every frame", func() bool {
		lag, err := p.journal.Lag(p.t.Context())
		return err == nil && lag[ingest.StoreReader] == 0
	})
	stop()
}

// reasons returns what is in quarantine of a device.
func (p *plant) reasons(device string) (all []string) {
	p.t.Helper()
	list, err := p.journal.Quarantined(p.t.Context(), device, 0, 1000)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, q := range list {
		all = append(all, q.Reason)
	}
	return all
}

func (p *plant) files() int {
	p.t.Helper()
	entries, err := os.ReadDir(p.desk.Dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		p.t.Fatal(err)
	}
	return len(entries)
}
