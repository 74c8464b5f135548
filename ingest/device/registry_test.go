package device_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"tianhai/farm"
	"tianhai/ingest"
	"tianhai/ingest/device"
)

var (
	errDown = errors.New("database is down")
	noon    = time.Date(2026, 5, 20, 12, 0, 0, 0, time.UTC)
	raft    = ingest.Place{Tenant: "oysters", Region: "450702", Site: "raft-1", Kind: farm.Raft}
)

// directory is what the records database is to the registry.
type directory struct {
	mu      sync.Mutex
	models  []device.Model
	devices map[string]device.Device
	places  map[string][]ingest.Installation
	tuned   []device.Calibration
	settled []string // answers, as told
	reads   int      // of devices
	err     error    // what every call returns, unless nil
	reading func()   // called after a device was read, unless nil
}

func (d *directory) Models(context.Context) ([]device.Model, error) { return d.models, d.err }

func (d *directory) Device(_ context.Context, id string) (device.Device, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.reads++
	if d.err != nil {
		return device.Device{}, d.err
	}
	found, ok := d.devices[id]
	if d.reading != nil {
		d.reading()
	}
	if !ok {
		return found, fmt.Errorf("read device: %w", farm.ErrNotFound)
	}
	return found, nil
}

func (d *directory) Installations(_ context.Context, id string) ([]ingest.Installation, error) {
	return d.places[id], d.err
}

func (d *directory) Calibrations(context.Context, string) ([]device.Calibration, error) {
	return d.tuned, d.err
}

func (d *directory) SetOnline(_ context.Context, id string, online bool, at time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	found, ok := d.devices[id]
	if d.err == nil && !ok {
		return fmt.Errorf("set presence: %w", farm.ErrNotFound)
	}
	found.Online, found.StatusAt = online, at
	d.devices[id] = found
	return d.err
}

func (d *directory) SettleCommand(_ context.Context, id string, res ingest.CommandResult, _ time.Time) error {
	d.settled = append(d.settled, fmt.Sprintf("%s %s %t %s", id, res.ID, res.OK, res.Error))
	return d.err
}

// watcher notes what it is told.
type watcher []string

func (w *watcher) PresenceChanged(device string, at ingest.Place, online bool, since time.Time) {
	*w = append(*w, fmt.Sprintf("%s at %s: %t since %s", device, at.Site, online, since.Format(time.TimeOnly)))
}

// world is a registry over a directory with one device, and its clock.
type world struct {
	*device.Registry
	dir    *directory
	told   *watcher
	now    time.Time
	secret string
}

func setup(_ *testing.T, maxDevices int) *world {
	secret, hash := device.NewSecret()
	w := &world{secret: secret, told: &watcher{}, now: noon, dir: &directory{
		models:  []device.Model{newModel()},
		devices: map[string]device.Device{"buoy": {ID: "buoy", Tenant: "oysters", Model: "station", SecretHash: hash, State: device.Active}},
		places:  map[string][]ingest.Installation{"buoy": {{From: noon.Add(-time.Hour), Place: raft}}},
	}}
	w.Registry = device.NewRegistry(device.RegistryOptions{
		Directory: w.dir, Presence: w.told, MaxDevices: maxDevices, Now: func() time.Time { return w.now },
	})
	return w
}

func TestSecret(t *testing.T) {
	first, hash := device.NewSecret()
	second, _ := device.NewSecret()
	sum := sha256.Sum256([]byte(first))
	if len(first) != 32 || first == second || string(hash) != string(sum[:]) {
		t.Errorf("secrets %q and %q, hash %x", first, second, hash)
	}
	if strings.Trim(first, "abcdefghijklmnopqrstuvwxyz234567") != "" {
		t.Errorf("secret %q is not easy to type", first)
	}
}

func TestAuthenticate(t *testing.T) {
	w := setup(t, 0)
	ctx := t.Context()
	w.dir.devices["bare"] = device.Device{ID: "bare", State: device.Active}
	hash := w.dir.devices["buoy"].SecretHash
	for name, tt := range map[string]struct {
		device, secret string
		want           bool
	}{
		"right":            {"buoy", w.secret, true},
		"wrong":            {"buoy", w.secret[:31] + "0", false},
		"shorter":          {"buoy", w.secret[:31], false},
		"longer":           {"buoy", w.secret + " ", false},
		"empty":            {"buoy", "", false},
		"the hash":         {"buoy", string(hash), false},
		"unknown":          {"nobody", w.secret, false},
		"no identifier":    {"BUOY", w.secret, false},
		"without a secret": {"bare", "", false},
	} {
		if got := w.Authenticate(ctx, tt.device, []byte(tt.secret)); got != tt.want {
			t.Errorf("%s: %t, want %t", name, got, tt.want)
		}
	}
	w.dir.err = errDown
	if w.Authenticate(ctx, "buoy", []byte(w.secret)) {
		t.Error("let a device in without looking")
	}
}

func TestProfile(t *testing.T) {
	w := setup(t, 0)
	quantity := func(id string) farm.Quantity {
		q, ok := farm.LookupQuantity(id)
		if !ok {
			t.Fatalf("no quantity %s", id)
		}
		return q
	}
	want := &ingest.Profile{
		Device: "buoy", Format: "json", Interval: 10 * time.Second,
		Channels: map[string]ingest.Channel{
			"t":  {Quantity: quantity("water.temperature"), Slope: 0.1, Offset: -0.5, Limits: farm.Range{Min: -40, Max: 125}},
			"盐度": {Quantity: quantity("water.salinity"), Slope: 1}, // 0 means 1
		},
		Installations: w.dir.places["buoy"],
	}
	got, err := w.Profile(t.Context(), "buoy")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("profile (-want +got):\n%s", diff)
	}
}

func TestProfileUnknown(t *testing.T) {
	w := setup(t, 0)
	w.dir.devices["odd"] = device.Device{ID: "odd", Model: "gone"}
	for name, id := range map[string]string{"unknown": "nobody", "no identifier": "th/+\x00", "empty": "", "unknown model": "odd"} {
		if p, err := w.Profile(t.Context(), id); !errors.Is(err, ingest.ErrUnknownDevice) || p != nil {
			t.Errorf("%s: %+v, %v; want ErrUnknownDevice", name, p, err)
		}
	}
}

// Trouble of the database must not send a device's frames to quarantine, nor
// outlast itself.
func TestProfileTrouble(t *testing.T) {
	w := setup(t, 0)
	w.dir.err = errDown
	for range 2 {
		if _, err := w.Profile(t.Context(), "buoy"); !errors.Is(err, errDown) || errors.Is(err, ingest.ErrUnknownDevice) {
			t.Fatalf("error %v, want the database's", err)
		}
	}
	w.dir.err = nil
	if _, err := w.Profile(t.Context(), "buoy"); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// A channel that an older version's vocabulary knew does not hold up the others.
func TestProfileOldQuantity(t *testing.T) {
	w := setup(t, 0)
	w.dir.models[0].Channels[1].Quantity = "water.taste"
	p, err := w.Profile(t.Context(), "buoy")
	if err != nil || len(p.Channels) != 1 {
		t.Errorf("profile %+v, %v; want one channel", p, err)
	}
}

func TestProfileRemembered(t *testing.T) {
	w := setup(t, 0)
	ctx := t.Context()
	reads := func(what, id string, want int) {
		t.Helper()
		before := w.dir.reads
		_, err := w.Profile(ctx, id)
		if err != nil && !errors.Is(err, ingest.ErrUnknownDevice) {
			t.Fatal(err)
		}
		if got := w.dir.reads - before; got != want {
			t.Errorf("%s: %d reads, want %d", what, got, want)
		}
	}
	reads("first", "buoy", 1)
	reads("again", "buoy", 0)
	w.now = w.now.Add(device.DefaultMaxAge - 1)
	reads("just before its time", "buoy", 0)
	w.now = w.now.Add(1)
	reads("after its time", "buoy", 1)
	w.Forget("buoy")
	reads("after a change", "buoy", 1)
	reads("and again", "buoy", 0)

	reads("unknown", "new", 1)
	reads("unknown again", "new", 0)
	w.dir.devices["new"] = device.Device{ID: "new", Model: "station", State: device.Active}
	w.now = w.now.Add(device.UnknownAge)
	if _, err := w.Profile(ctx, "new"); err != nil {
		t.Errorf("after another process registered it: %v", err)
	}

	w.dir.models[0].Format = "senml+json"
	if p, err := w.Profile(ctx, "buoy"); err != nil || p.Format != "json" {
		t.Errorf("profile %+v, %v; want the remembered one", p, err)
	}
	w.ForgetAll()
	if p, err := w.Profile(ctx, "buoy"); err != nil || p.Format != "senml+json" {
		t.Errorf("profile %+v, %v; want the changed model", p, err)
	}
}

// What was read before a change is not remembered after it.
func TestForgetWhileReading(t *testing.T) {
	w := setup(t, 0)
	w.dir.reading = func() {
		w.dir.reading = nil
		w.dir.models[0].Format = "csv" // changed after the registry looked, and said so
		w.Forget("buoy")
	}
	if _, err := w.Profile(t.Context(), "buoy"); err != nil {
		t.Fatal(err)
	}
	before := w.dir.reads
	if _, err := w.Profile(t.Context(), "buoy"); err != nil {
		t.Fatal(err)
	}
	if w.dir.reads == before {
		t.Error("remembered what was read before the change")
	}
}

func TestProfilesBounded(t *testing.T) {
	w := setup(t, 10)
	for i := range 100 {
		if _, err := w.Profile(t.Context(), fmt.Sprint("unknown", i)); !errors.Is(err, ingest.ErrUnknownDevice) {
			t.Fatal(err)
		}
	}
	before := w.dir.reads
	for i := range 100 {
		if _, err := w.Profile(t.Context(), fmt.Sprint("unknown", i)); !errors.Is(err, ingest.ErrUnknownDevice) {
			t.Fatal(err)
		}
	}
	if remembered := 100 - (w.dir.reads - before); remembered > 10 {
		t.Errorf("%d of 100 were remembered, want at most 10", remembered)
	}
}

func TestProfileAllocates(t *testing.T) {
	w := setup(t, 0)
	ctx := t.Context()
	for _, id := range []string{"buoy", "nobody"} {
		w.Profile(ctx, id) //nolint:errcheck // to have it remembered
		reads := w.dir.reads
		if n := testing.AllocsPerRun(100, func() { w.Profile(ctx, id) }); n != 0 || w.dir.reads != reads { //nolint:errcheck // only its cost matters
			t.Errorf("%s: %v allocations and %d reads, want none", id, n, w.dir.reads-reads)
		}
	}
}

func TestProfileConcurrent(t *testing.T) {
	w := setup(t, 5)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 200 {
				if p, err := w.Profile(t.Context(), "buoy"); err != nil || p.Device != "buoy" {
					t.Errorf("profile %+v, %v", p, err)
					return
				}
				if _, err := w.Profile(t.Context(), fmt.Sprint("unknown", i%10)); !errors.Is(err, ingest.ErrUnknownDevice) {
					t.Error(err)
				}
				if g == 0 && i%50 == 0 {
					w.ForgetAll()
				}
				w.Forget("unknown1")
			}
		})
	}
	wg.Wait()
}

func TestSetOnline(t *testing.T) {
	w := setup(t, 0)
	ctx := t.Context()
	w.dir.devices["spare"] = device.Device{ID: "spare", Model: "station"} // stands nowhere
	for _, err := range []error{
		w.SetOnline(ctx, "buoy", true, noon), w.SetOnline(ctx, "spare", true, noon), w.SetOnline(ctx, "buoy", false, noon.Add(time.Minute)),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if d := w.dir.devices["buoy"]; d.Online || !d.StatusAt.Equal(noon.Add(time.Minute)) {
		t.Errorf("device %+v", d)
	}
	for _, id := range []string{"nobody", "a/b\x00"} {
		if err := w.SetOnline(ctx, id, true, noon); !errors.Is(err, farm.ErrNotFound) {
			t.Errorf("%q: %v, want ErrNotFound", id, err)
		}
	}
	w.dir.err = errDown
	if err := w.SetOnline(ctx, "buoy", true, noon); !errors.Is(err, errDown) || errors.Is(err, farm.ErrNotFound) {
		t.Errorf("error %v, want the database's", err)
	}
	want := &watcher{"buoy at raft-1: true since 12:00:00", "buoy at raft-1: false since 12:01:00"}
	if diff := cmp.Diff(want, w.told); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}

func TestSettleCommand(t *testing.T) {
	w := setup(t, 0)
	ctx := t.Context()
	const id = "01JVQ0000000000000000000AB"
	settle := func(device, id, text string) error {
		return w.SettleCommand(ctx, device, ingest.CommandResult{ID: id, Error: text}, noon)
	}
	long := strings.Repeat("泵", 200)
	for _, text := range []string{"jam\x00med\n", long} {
		if err := settle("buoy", id, text); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"buoy " + id + " false jam med ", "buoy " + id + " false " + long[:device.MaxResultError]}
	if diff := cmp.Diff(want, w.dir.settled); diff != "" {
		t.Errorf("settled (-want +got):\n%s", diff)
	}
	if err := settle("buoy", id, "x"+long); err != nil || !utf8.ValidString(w.dir.settled[2]) {
		t.Errorf("cut within a character: %q, %v", w.dir.settled[2], err)
	}
	for name, bad := range map[string][2]string{"device": {"\x00", id}, "command": {"buoy", "a\x00"}, "endless command": {"buoy", strings.Repeat("a", 65)}} {
		if err := settle(bad[0], bad[1], ""); !errors.Is(err, farm.ErrNotFound) {
			t.Errorf("%s: %v, want ErrNotFound", name, err)
		}
	}
	w.dir.err = errDown
	if err := settle("buoy", id, ""); !errors.Is(err, errDown) {
		t.Errorf("error %v, want the database's", err)
	}
}
