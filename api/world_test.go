package api_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"tianhai/api"
	"tianhai/api/auth"
	"tianhai/api/once"
	"tianhai/farm"
	"tianhai/i18n"
	"tianhai/ingest"
	"tianhai/ingest/device"
	"tianhai/ingest/history"
	"tianhai/ingest/mapping"
	"tianhai/monitor/alert"
	"tianhai/trace"
	"tianhai/trace/cert"
	"tianhai/trace/chain"
	"tianhai/trace/epcis/lineage"
	"tianhai/trace/gate"
	"tianhai/trace/label"
	"tianhai/trace/label/press"
	"tianhai/trace/photo"
	"tianhai/trace/recall"
	"tianhai/trace/resolver"
	"tianhai/trace/unit"
)

var noon = time.Date(2026, 7, 1, 4, 0, 0, 0, time.UTC)

// world is two farms in two cities, with everything the API asks for. Every
// method locks, since a server calls them at the same time.
type world struct {
	mu       sync.Mutex
	sites    []farm.Site
	devices  map[string]device.Device
	places   map[string]ingest.Place
	commands []device.CommandRecord
	changes  []string      // of life cycles
	retired  bool          // no device changes its state
	newer    time.Duration // than a day: how long devices stand
	models   []device.Model
	added    []device.NewDevice
	tuned    []device.Calibration
	moved    []device.Installation
	looked   []api.OperatorQuery
	alerts   []alert.Alert
	batches  map[string]trace.Batch
	notices  api.NoticeQuery // asked last
	ops      map[string]trace.Operation
	licences []farm.Licence
	links    []resolver.Link
	refusals []gate.Refusal // what keeps every act from being
	decided  trace.Decision
	dossier  cert.Dossier // of the oyster farm's batch
	samples  []cert.Sample
	frames   []ingest.Quarantined
	jobs     []history.Job
	orders   []history.Backfill // previewed or taken
	files    []string           // the same
	mappings []mapping.Version
	aliases  []device.Alias
	tokens   map[string]auth.Principal
	summary  farm.Summary
	keeps    ingest.Retentions
	purges   []ingest.Purge
	noDelete bool // the time-series store is one that cannot
	previews time.Time
	asked    api.SeriesQuery
	woken    int
	fail     error  // what every method returns when set
	mute     error  // what AddOperation returns when set
	remote   string // of the last login
	panics   bool
	leaky    bool // lists hold everything, whatever is asked for
	hangs    bool // asking for products takes for ever
	wrote    int
	ended    []string       // whose sessions
	people   []auth.Account // that were added
	shared   bool           // the tea farm has a part of what is recalled
	spoke    recall.Actor   // of the last progress

	third     unit.State // of the third code of the oyster farm's roll
	handsOver bool       // the oyster farm sold to the tea farm
	regions   []string   // where products are sold
}

const (
	batchID = "01JZ0000000000000000000BAT"
	opID    = "01JZ00000000000000000000P1"
	jobID   = "01JZ00000000000000000000J1"
)

var accounts = map[string]auth.Principal{
	"admin":         {Login: "admin", Name: "管理员", Role: auth.Administrator},
	"bureau":        {Login: "bureau", Name: "北海局", Role: auth.Bureau, Region: "450500"},
	"bureau-tea":    {Login: "bureau-tea", Name: "梧州局", Role: auth.Bureau, Region: "450400"},
	"manager-tea":   {Login: "manager-tea", Name: "茶场长", Role: auth.Manager, Tenant: "tea"},
	"inspector":     {Login: "inspector", Name: "北海监督员", Role: auth.Inspector, Region: "450500"},
	"inspector-tea": {Login: "inspector-tea", Name: "梧州监督员", Role: auth.Inspector, Region: "450400"},
	"laboratory":    {Login: "laboratory", Name: "检测员", Role: auth.Laboratory, Tenant: "lab"},
	"manager":       {Login: "manager", Name: "蚝场长", Role: auth.Manager, Tenant: "oyster"},
	"farmer":        {Login: "farmer", Name: "蚝农", Role: auth.Farmer, Tenant: "oyster"},
	"stranger":      {Login: "stranger", Name: "茶农", Role: auth.Farmer, Tenant: "tea"},
	"nobody":        {Login: "nobody", Name: "离职者", Role: "retired", Tenant: "oyster"},
}

func newWorld() *world {
	raft := ingest.Place{Tenant: "oyster", Region: "450512", Site: "raft-1", Kind: farm.Raft}
	garden := ingest.Place{Tenant: "tea", Region: "450421", Site: "garden-1", Kind: farm.Garden}
	value := 3.2
	return &world{
		sites: []farm.Site{
			{ID: "garden-1", Tenant: "tea", Region: "450421", Kind: farm.Garden, Name: farm.Text{Zh: "一号茶园"}},
			{ID: "raft-1", Tenant: "oyster", Region: "450512", Kind: farm.Raft, Name: farm.Text{Zh: "一号蚝排", En: "Raft 1"}, Latitude: 21.6},
		},
		devices: map[string]device.Device{
			"do-1":  {ID: "do-1", Tenant: "oyster", Model: "pond", Name: farm.Text{Zh: "溶氧仪"}, SecretHash: []byte("hash"), Created: noon, Online: true, State: device.Active},
			"tea-1": {ID: "tea-1", Tenant: "tea", Model: "mute", Created: noon},
			"shelf": {ID: "shelf", Tenant: "oyster", Model: "mute", Created: noon, State: device.Claimed},
		},
		places:  map[string]ingest.Place{"do-1": raft, "tea-1": garden},
		alerts:  []alert.Alert{{ID: "01JZ00000000000000000000A1", Rule: "oxygen", Tenant: "oyster", Region: "450512", Site: "raft-1", Device: "do-1", State: alert.Firing, Value: &value, Began: noon, Fired: noon}},
		batches: map[string]trace.Batch{batchID: {ID: batchID, Tenant: "oyster", Site: "raft-1", Product: "oysters", Lot: "lot-77", Quantity: 5, Unit: "kg"}},
		ops:     map[string]trace.Operation{opID: {ID: opID, Tenant: "oyster", Site: "raft-1", Kind: "stock", At: noon.Add(-time.Hour), Person: "farmer"}},
		dossier: newDossier(),
		frames: []ingest.Quarantined{
			{Seq: 3, At: noon, Reason: "json at byte 0", Frame: ingest.Frame{Device: "do-1", Received: noon, ContentType: "text/plain", Payload: []byte{0xff, 0}}},
			{Seq: 4, At: noon, Reason: "unknown device", Frame: ingest.Frame{Device: "ghost", Received: noon}},
		},
		jobs: []history.Job{
			{ID: "01JZ00000000000000000000J2", Kind: history.KindReplay, Account: "admin", State: history.Done, Replay: &history.Replay{}, Created: noon},
			{ID: jobID, Kind: history.KindBackfill, Tenant: "oyster", Account: "manager", State: history.Running, Backfill: &history.Backfill{File: "raft-1.csv", Zone: "Asia/Shanghai"}, Created: noon},
		},
		tokens: map[string]auth.Principal{},
		models: []device.Model{
			{ID: "pond", Format: "json", Interval: 90 * time.Second, Channels: []device.Channel{{Key: "t", Quantity: "water.temperature"}}, Commands: []string{"aerator"}},
			{ID: "mute", Format: "json"},
		},
	}
}

// enter is how every method begins; the caller unlocks.
func (w *world) enter() error {
	w.mu.Lock()
	if w.panics {
		panic("a bug")
	}
	return w.fail
}

func (w *world) Login(_ context.Context, login, password, remote string) (string, auth.Principal, error) {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return "", auth.Principal{}, err
	}
	w.remote = remote
	p, ok := accounts[login]
	if !ok || password != "pw-"+login {
		return "", auth.Principal{}, auth.ErrDenied
	}
	w.tokens["token-"+login] = p
	return "token-" + login, p, nil
}

func (w *world) Principal(_ context.Context, token string) (auth.Principal, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	p, ok := w.tokens[token]
	if !ok {
		return auth.Principal{}, auth.ErrDenied
	}
	return p, nil
}

// Admit knows a device's secret, which is secret- and its ID.
func (w *world) Admit(_ context.Context, device, _ string, secret []byte) error {
	if string(secret) != "secret-"+device {
		return ingest.ErrDenied
	}
	return nil
}

func (w *world) Logout(_ context.Context, token string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.tokens, token)
	return nil
}

func (w *world) Accept(_ context.Context, login, code, password, _ string) (string, auth.Principal, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case len(password) < auth.MinPassword:
		return "", auth.Principal{}, auth.ErrPassword
	case code != "code-"+login:
		return "", auth.Principal{}, auth.ErrInvitation
	}
	w.wrote++
	return "token-" + login, accounts[login], nil
}

func (w *world) End(_ context.Context, login string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wrote++
	w.ended = append(w.ended, login)
	return nil
}

func (w *world) Site(_ context.Context, id string) (farm.Site, error) {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return farm.Site{}, err
	}
	i := slices.IndexFunc(w.sites, func(s farm.Site) bool { return s.ID == id })
	if i < 0 {
		return farm.Site{}, farm.ErrNotFound
	}
	return w.sites[i], nil
}

func (w *world) within(in api.Scope, tenant, region string) bool {
	return w.leaky || (in.Tenant == "" || in.Tenant == tenant) && (in.Region == "" || farm.RegionContains(in.Region, region))
}

func (w *world) Sites(_ context.Context, in api.Scope) ([]farm.Site, error) {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(w.sites), func(s farm.Site) bool { return !w.within(in, s.Tenant, s.Region) }), nil
}

func (w *world) Device(_ context.Context, id string) (device.Device, error) {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return device.Device{}, err
	}
	d, ok := w.devices[id]
	if !ok {
		return device.Device{}, farm.ErrNotFound
	}
	return d, nil
}

func (w *world) DevicesAt(_ context.Context, site string) ([]device.Device, error) {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return nil, err
	}
	var out []device.Device
	for id, p := range w.places {
		if p.Site == site {
			out = append(out, w.devices[id])
		}
	}
	return out, nil
}

func (w *world) DevicesBySite(_ context.Context, in api.Scope) (map[string][]device.Device, error) {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return nil, err
	}
	out := map[string][]device.Device{}
	for id, p := range w.places {
		if w.within(in, p.Tenant, p.Region) {
			out[p.Site] = append(out[p.Site], w.devices[id])
		}
	}
	return out, nil
}

func (w *world) Models(context.Context) ([]device.Model, error) {
	defer w.mu.Unlock()
	return w.models, w.enter()
}

func (w *world) Installations(_ context.Context, id string) ([]ingest.Installation, error) {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return nil, err
	}
	p, ok := w.places[id]
	if !ok {
		return nil, nil
	}
	return []ingest.Installation{{From: noon.Add(-24*time.Hour + w.newer), Place: p}}, nil
}

func (w *world) CreateCommand(_ context.Context, c device.CommandRecord) error {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return err
	}
	w.wrote++
	w.commands = slices.Insert(w.commands, 0, c)
	return nil
}

func (w *world) Commands(_ context.Context, id string, created time.Time, after string, limit int) ([]device.CommandRecord, error) {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return nil, err
	}
	own := slices.DeleteFunc(slices.Clone(w.commands), func(c device.CommandRecord) bool { return c.Device != id })
	if i := slices.IndexFunc(own, func(c device.CommandRecord) bool { return c.ID == after }); i >= 0 {
		own = own[i+1:]
	}
	return own[:min(limit, len(own))], nil
}

func (w *world) Cancel(_ context.Context, dev, id, account string) error {
	if id != "c1" {
		return fmt.Errorf("cancel: %w", farm.ErrConflict)
	}
	return w.change(fmt.Sprintf("%s of %s cancelled by %s", id, dev, account))
}

func (w *world) Figures(context.Context) (api.JournalFigures, error) {
	defer w.mu.Unlock()
	return api.JournalFigures{Bytes: 5, MaxBytes: 10, Lag: map[string]uint64{"store": 3}}, w.enter()
}

func (w *world) Wake() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.woken++
}

func (w *world) Series(_ context.Context, q api.SeriesQuery) (farm.Summary, error) {
	defer w.mu.Unlock()
	w.asked = q
	return w.summary, w.enter()
}

func (w *world) Audits(context.Context, api.Place, int) ([]trace.Audit, error) {
	return []trace.Audit{{Log: 1, Began: noon, Leaves: 3, FaultCount: 1, Faults: []trace.Fault{{Kind: trace.FaultMissing, Leaf: 2, Code: "X", Detail: "gone"}}}}, nil
}

func (w *world) StartAudit() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wrote++
}

func (w *world) PhotosOf(context.Context, string, time.Time, time.Time) ([]photo.Upload, error) {
	return []photo.Upload{{Hash: noPhoto, Tenant: "oyster", Site: "raft-1", Account: "farmer", Claim: photo.Claim{Taken: noon}, Far: true}}, nil
}

func (w *world) Retentions(context.Context) (ingest.Retentions, error) {
	defer w.mu.Unlock()
	return slices.Clone(w.keeps), w.enter()
}

func (w *world) ChangeRetention(_ context.Context, c ingest.RetentionChange) error {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return err
	}
	if c.Tenant != "" && !slices.ContainsFunc(w.sites, func(s farm.Site) bool { return s.Tenant == c.Tenant }) {
		return farm.ErrNotFound
	}
	w.keeps = append(w.keeps, c)
	w.wrote++
	return nil
}

func (w *world) PreviewRetention(_ context.Context, at time.Time) ([]ingest.Purge, error) {
	defer w.mu.Unlock()
	w.previews = at
	return w.purges, w.enter()
}

func (w *world) CanDelete(context.Context) error {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return err
	}
	if w.noDelete {
		return ingest.ErrNoDelete
	}
	return nil
}

func (w *world) Alerts(_ context.Context, q api.AlertQuery) ([]alert.Alert, error) {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(w.alerts), func(a alert.Alert) bool {
		return !behind(q.After, a.Began, a.ID) || a.State != q.State || q.Site != "" && a.Site != q.Site || !w.within(q.Scope, a.Tenant, a.Region)
	}), nil
}

// behind reports whether something is behind a place in a list that is newest first.
func behind(p api.Place, at time.Time, id string) bool {
	return p == (api.Place{}) || at.Before(p.At) || at.Equal(p.At) && id < p.ID
}

func (w *world) Operations(_ context.Context, site string, from, to time.Time) ([]trace.Operation, error) {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return nil, err
	}
	var out []trace.Operation
	for _, op := range w.ops {
		if op.Site == site && !op.At.Before(from) && op.At.Before(to) {
			out = append(out, op)
		}
	}
	return out, nil
}

func (w *world) Products(ctx context.Context) ([]trace.Product, error) {
	if w.hangs {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	defer w.mu.Unlock()
	return []trace.Product{{ID: "oysters", Kind: trace.Aquatic, Name: farm.Text{Zh: "大蚝"}}}, w.enter()
}

func (w *world) Batch(_ context.Context, id string) (trace.Batch, error) {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return trace.Batch{}, err
	}
	b, ok := w.batches[id]
	if !ok {
		return trace.Batch{}, farm.ErrNotFound
	}
	return b, nil
}

func (w *world) Batches(_ context.Context, q api.BatchQuery) ([]trace.Batch, error) {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return nil, err
	}
	var out []trace.Batch
	for _, b := range w.batches {
		i := slices.IndexFunc(w.sites, func(s farm.Site) bool { return s.ID == b.Site })
		if w.within(q.Scope, b.Tenant, w.sites[i].Region) && behind(q.After, b.Opened, b.ID) {
			out = append(out, b)
		}
	}
	slices.SortFunc(out, func(a, b trace.Batch) int { return cmp.Or(b.Opened.Compare(a.Opened), strings.Compare(b.ID, a.ID)) })
	return out[:min(q.Limit, len(out))], nil
}

func (w *world) AddOperation(_ context.Context, op trace.Operation) (trace.Operation, bool, error) {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return trace.Operation{}, false, err
	}
	if w.mute != nil {
		return trace.Operation{}, false, w.mute
	}
	if len(w.refusals) > 0 {
		return trace.Operation{}, false, &gate.Refused{Refusals: w.refusals}
	}
	if op.Kind == "" {
		return trace.Operation{}, false, &trace.FieldError{Field: "kind", Reason: "is not a lower-case word"}
	}
	if old, ok := w.ops[op.ID]; ok {
		if !old.Same(op) {
			return trace.Operation{}, false, farm.ErrConflict
		}
		return old, false, nil
	}
	w.wrote++
	w.ops[op.ID] = op
	return op, true, nil
}

func (w *world) OpenBatch(_ context.Context, b trace.Batch, _ string) (trace.Batch, error) {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return trace.Batch{}, err
	}
	w.wrote++
	b.ID, b.Opened = cmp.Or(b.ID, "01JZ0000000000000000000BA2"), noon
	w.batches[b.ID] = b
	return b, nil
}

func (w *world) Permit(_ context.Context, _ string, act gate.Act) ([]gate.Refusal, error) {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return nil, err
	}
	return w.refusals, nil
}

func (w *world) PermitBatch(ctx context.Context, b trace.Batch, kind gate.ActKind, _ time.Time) ([]gate.Refusal, error) {
	return w.Permit(ctx, b.Tenant, gate.Act{Kind: kind, Site: b.Site})
}

func (w *world) CloseBatch(_ context.Context, id string) (trace.Batch, error) {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return trace.Batch{}, err
	}
	b := w.batches[id]
	if b.Code != "" {
		return trace.Batch{}, farm.ErrConflict
	}
	w.wrote++
	b.Code, b.Closed = "4Q7XH2M9KTB3D", noon
	w.batches[id] = b
	return b, nil
}

func (w *world) Quarantined(_ context.Context, dev string, after uint64, limit int) ([]ingest.Quarantined, error) {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return nil, err
	}
	out := slices.DeleteFunc(slices.Clone(w.frames), func(q ingest.Quarantined) bool {
		return dev != "" && q.Frame.Device != dev || q.Seq <= after
	})
	return out[:min(limit, len(out))], nil
}

func (w *world) writes() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.wrote + w.woken
}

func handler(t testing.TB, w *world, hub *api.Hub) http.Handler {
	t.Helper()
	return api.New(config(t, w, hub))
}

// words are read once for all servers, which only look them up.
var words = sync.OnceValues(i18n.Load)

func config(t testing.TB, w *world, hub *api.Hub) api.Config {
	t.Helper()
	catalog, err := words()
	if err != nil {
		t.Fatal(err)
	}
	return api.Config{
		Sessions: w, Accounts: w, Door: w, Farms: w, Operators: w, Directory: w, GTINs: w, Links: w, Resolver: w, Programs: w, Companies: w, Inputs: w, Devices: w, Upkeep: w, Lifecycle: w, Claims: w, Inventory: w, Models: w, Importer: &device.Importer{Store: w, Now: func() time.Time { return noon }}, Commands: w, Queue: w, Series: w, Alerts: w, Records: w, Recorder: w, Chain: w, Partners: w, Mover: w, Shipments: w, Shipper: w, Quarantine: w, Journal: w, History: w, Jobs: w, Retentions: w, Audits: w,
		Overrides: w, Scans: w, Complaints: w, Packages: w, Packer: w, Courier: w,
		Recalls: recalls{w}, Recaller: recalls{w}, RecallMail: recalls{w}, Hooks: recalls{w},
		Units: roller{w}, Rolls: roller{w},
		Stocks:      w,
		Press:       pressOf(t),
		Schemes:     label.NewSchemes("http://trace.example.cn"),
		Aliases:     w,
		Once:        &once.Desk{Store: &memory{}, Now: func() time.Time { return noon }},
		Reports:     office{w},
		Certifier:   office{w},
		Samples:     office{w},
		Statements:  office{w},
		Catalogs:    library(t),
		Photos:      shelfOf(t),
		ReportFiles: papersOf(t),
		Mappings:    &mapping.Desk{Store: w, Now: func() time.Time { return noon }},
		KnowsFormat: func(format string) bool { return format == "json" },
		Hub:         hub, Catalog: catalog, Now: func() time.Time { return noon },
	}
}

// devices are those that ask for something themselves, by the name that people has.
var devices = map[string]string{"device": "do-1", "device-tea": "tea-1"}

// A client is a browser of one account; without an account it has no session. One of
// devices comes with its secret.
type client struct {
	t    testing.TB
	base string
	as   string
}

func serve(t testing.TB, w *world) (base string, hub *api.Hub) {
	t.Helper()
	return serveWith(t, w, func(*api.Config) {})
}

func serveWith(t testing.TB, w *world, change func(*api.Config)) (base string, hub *api.Hub) {
	t.Helper()
	hub = &api.Hub{}
	cfg := config(t, w, hub)
	change(&cfg)
	srv := httptest.NewServer(api.New(cfg))
	t.Cleanup(func() { hub.Close(); srv.Close() })
	w.mu.Lock()
	for login, p := range accounts {
		w.tokens["token-"+login] = p
	}
	w.mu.Unlock()
	return srv.URL, hub
}

type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) decode(t testing.TB, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.body), into); err != nil {
		t.Fatalf("%v in %s", err, a.body)
	}
}

func (c client) do(method, path, body string, header ...string) (a answer) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, c.base+"/api/v1"+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	switch {
	case body == csvFile:
		req.Header.Set("Content-Type", "text/csv")
	case body != "":
		req.Header.Set("Content-Type", "application/json")
	}
	if dev, ok := devices[c.as]; ok {
		req.SetBasicAuth(dev, "secret-"+dev)
	} else if c.as != "" {
		req.AddCookie(&http.Cookie{Name: "th_session", Value: "token-" + c.as})
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	defer func() { described(c.t, req, body, a) }()
	if resp.Header.Get("Content-Type") == "text/event-stream" {
		return answer{status: resp.StatusCode, header: resp.Header}
	}
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(bytes.TrimSpace(raw))}
}

func want[T any](t testing.TB, what string, want, got T) {
	t.Helper()
	if d := gocmp.Diff(want, got); d != "" {
		t.Fatalf("%s (-want +got)\n%s", what, d)
	}
}

var errBroken = errors.New("pq: password authentication failed for user tianhai")

func pressOf(t testing.TB) *press.Press {
	t.Helper()
	p, err := press.New()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (w *world) EventsAbout(_ context.Context, batch string) (string, error) {
	return "/epcis/events?MATCH_anyEPCClass=" + batch, nil
}

// Follow tells of one captured event of every batch that it is asked about.
func (w *world) Follow(_ context.Context, batches []string, _ chain.Direction, tenant string) ([]lineage.Link, bool, error) {
	var links []lineage.Link
	for _, b := range batches {
		links = append(links, lineage.Link{Event: "urn:uuid:of-" + b, Tenant: cmp.Or(tenant, "oyster"), Type: "TransformationEvent", At: noon, Of: []string{}, Into: []string{}, Batches: []string{b}, Depth: 1})
	}
	return links, false, nil
}
