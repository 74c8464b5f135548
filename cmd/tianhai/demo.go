package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/oklog/ulid/v2"
	"golang.org/x/sync/errgroup"

	"tianhai/cmd/internal/store"
	"tianhai/farm"
	"tianhai/firmware-sim/fleet"
	"tianhai/ingest"
	"tianhai/trace"
	"tianhai/trace/label"
)

//go:embed demo.yaml
var demoYAML []byte

// How the demo's farms behave.
const (
	demoHistory  = 30 * 24 * time.Hour // measured before the first start
	demoStep     = 15 * time.Minute    // between two measurements of the history
	demoInterval = 5 * time.Second     // between two live ones
	demoGapAgo   = 12 * 24 * time.Hour // the oysters' sensors stopped so long ago,
	demoGap      = 14 * time.Hour      // for so long
	demoNight    = 40 * time.Minute    // how long ago the pond's plankton died: its alarm fires at once
	demoHaste    = 30                  // how much faster its oxygen moves since, so that nobody waits an hour for the aerator
)

// A demoStory is the file of the demo: farms, and batches that grew there.
type demoStory struct {
	Farms   farms       `yaml:",inline"`
	Lots    []demoLot   `yaml:"lots"` // of inputs, of which operations draw
	Batches []demoBatch `yaml:"batches"`
	Open    []demoBatch `yaml:"open"`   // that have no code, such as one whose test failed
	Chains  []demoChain `yaml:"chains"` // made of the batches before, or of others

	Shipments []demoShipment `yaml:"shipments"` // of the batches
}

type demoBatch struct {
	Site       string          `yaml:"site"`
	Product    string          `yaml:"product"`
	Lot        string          `yaml:"lot"`
	Quantity   float64         `yaml:"quantity"`
	Unit       string          `yaml:"unit"`
	Began      ago             `yaml:"began"`
	Harvest    ago             `yaml:"harvest"`
	Operations []demoOperation `yaml:"operations"`
	Refused    []demoRefusal   `yaml:"refused"` // asked for after those
	Report     *demoReport     `yaml:"report"`
	Recall     *demoRecall     `yaml:"recall"` // what followed from a report in which something failed
}

type demoOperation struct {
	Kind  string       `yaml:"kind"`
	Ago   ago          `yaml:"ago"`
	Stop  ago          `yaml:"stop"` // last day of a treatment
	Items []trace.Item `yaml:"items"`
}

// ago is a time before now, in days or as a duration: 28d, 30h; after it where
// negative.
type ago time.Duration

// UnmarshalYAML reads it.
func (a *ago) UnmarshalYAML(n ast.Node) error {
	text := n.GetToken().Value
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if v, err := strconv.ParseFloat(days, 64); err == nil {
			*a = ago(v * 24 * float64(time.Hour))
			return nil
		}
	}
	v, err := time.ParseDuration(text)
	if err != nil {
		return &yaml.SyntaxError{Message: fmt.Sprintf("%q is not a time ago such as 28d or 30h", text), Token: n.GetToken()}
	}
	*a = ago(v)
	return nil
}

func (a ago) before(now time.Time) time.Time { return now.Add(-time.Duration(a)) }

type demoCommand struct {
	serveFlags
	Seed uint64 `default:"1" help:"Seed of the simulated farms: the same seed measures the same."`
}

// Run runs the server, seeds it at the first start, and keeps a fleet of
// simulated devices on it.
func (c *demoCommand) Run(ctx context.Context) error {
	if c.Data == "" {
		c.Data = "data/demo"
	}
	cfg, err := c.load()
	if err != nil {
		return err
	}
	if cfg.MQTT.URL != "" {
		return errors.New("mqtt.url: the demo's devices are known to the embedded broker only")
	}
	s, err := openServer(ctx, cfg)
	if err != nil {
		return err
	}
	return s.whileOpen(ctx, func(ctx context.Context) error {
		d := &demo{server: s, seed: c.Seed, now: time.Now().UTC()}
		group, ctx := errgroup.WithContext(ctx)
		group.Go(func() error { return s.run(ctx) })
		group.Go(func() error { return d.play(ctx) })
		return group.Wait()
	})
}

// A demo is what surrounds a server to make it one.
type demo struct {
	*server
	seed  uint64
	now   time.Time
	story demoStory

	lotIDs   map[string]string // of lots of inputs, by their batch
	refusals []string          // what the gates said, for the visitor
}

// A demoState is kept beside the data, so that a second start tells the same
// story. It holds passwords, of the demo only.
type demoState struct {
	Accounts []credentialJSON
	Seeded   time.Time // when the history ended
}

type credentialJSON struct{ ID, Secret, Kind string }

func (d *demo) play(ctx context.Context) error {
	if err := parseStrict(demoYAML, &d.story); err != nil {
		return fmt.Errorf("demo.yaml: %w", err)
	}
	state, err := d.prepare(ctx)
	if err != nil {
		return fmt.Errorf("seed the demo: %w", err)
	}
	d.tell(demoAddresses(d.server, state))
	devices, err := d.devices(state)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return d.measure(ctx, devices) })
	group.Go(func() error {
		codes, err := d.grow(ctx, devices, state)
		if err != nil {
			return fmt.Errorf("seed the demo's batches: %w", err)
		}
		d.tell(demoRefusals(d.server, d.refusals))
		packet, err := d.label(ctx, codes[d.story.Batches[0].Lot], state.Seeded)
		if err != nil {
			return fmt.Errorf("seed the demo's unit codes: %w", err)
		}
		d.tell(demoCodes(d.server, d.story, codes))
		d.tell(fmt.Sprintf("  %-60s %s\n", packet.URL, d.texts.T("zh-CN", "demo.packet", "code", packet.Cover)+"  ·  "+d.texts.T("en", "demo.packet", "code", packet.Cover)))
		return nil
	})
	return group.Wait()
}

// prepare imports the farms at the first start and remembers what was made up.
func (d *demo) prepare(ctx context.Context) (demoState, error) {
	var state demoState
	file := d.cfg.path("demo.json")
	raw, err := os.ReadFile(file)
	if err == nil {
		return state, json.Unmarshal(raw, &state)
	}
	if !errors.Is(err, os.ErrNotExist) {
		return state, err
	}
	for i := range d.story.Farms.Devices {
		d.story.Farms.Devices[i].From = d.now.Add(-demoHistory - 24*time.Hour)
	}
	im := importer{store: d.store, now: d.now}
	if err := im.run(ctx, d.story.Farms); err != nil {
		return state, err
	}
	if err := writeCredentials(d.cfg.path("demo-devices.csv"), im.devices); err != nil {
		return state, err
	}
	state.Seeded = d.now
	for _, a := range im.accounts {
		state.Accounts = append(state.Accounts, credentialJSON{a.id, a.secret, a.kind})
	}
	if raw, err = json.Marshal(state); err != nil {
		return state, err
	}
	return state, os.WriteFile(file, raw, 0o600)
}

// devices returns the simulated devices with the secrets they were given.
func (d *demo) devices(state demoState) ([]fleet.Device, error) {
	raw, err := os.ReadFile(d.cfg.path("demo-devices.csv"))
	if err != nil {
		return nil, fmt.Errorf("read the demo's devices: %w", err)
	}
	rows, err := csv.NewReader(bytes.NewReader(raw)).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("read the demo's devices: %w", err)
	}
	var devices []fleet.Device
	for _, row := range rows[1:] {
		dev := fleet.Device{ID: row[0], Secret: row[1], Kind: row[2]}
		switch dev.Kind {
		case "pond":
			dev.LowOxygen, dev.Haste = d.now.Add(-demoNight), demoHaste
		case "raft": // its sensors were out for cleaning: real records have gaps, and pages must show them
			dev.Faults = []fleet.Fault{{Kind: fleet.Missing, From: state.Seeded.Add(-demoGapAgo), For: demoGap}}
		case "logger":
			if dev.ID == "cold-1" {
				dev.DoorOpen = state.Seeded.Add(-demoDoorAgo)
			}
		}
		devices = append(devices, dev)
	}
	return devices, nil
}

// measure keeps the fleet on the broker until ctx is done.
func (d *demo) measure(ctx context.Context, devices []fleet.Device) error {
	f, err := fleet.New(fleet.Config{
		Broker: "tcp://" + dialable(d.broker.Addr().String()), Seed: d.seed, Devices: devices, Interval: demoInterval,
		Grace: time.Second, Logger: d.log,
	})
	if err != nil {
		return err
	}
	return f.Run(ctx)
}

// grow gives the farms a past and closes the batches that grew in it, unless an
// earlier start has done so. It returns their codes.
func (d *demo) grow(ctx context.Context, devices []fleet.Device, state demoState) (map[string]string, error) {
	closed, err := d.closedBatches(ctx)
	if err != nil {
		return nil, err
	}
	if len(closed) == len(d.story.Batches)+len(d.story.Chains) {
		return closed, errors.Join(d.certify(ctx, state.Seeded), d.takeBack(ctx))
	}
	if err := d.backfill(ctx, devices, state.Seeded); err != nil {
		return nil, err
	}
	if err := errors.Join(d.waitStored(ctx), d.stock(ctx, state.Seeded)); err != nil {
		return nil, err
	}
	for _, b := range d.story.Batches {
		if closed[b.Lot] != "" {
			continue
		}
		if closed[b.Lot], err = d.closeBatch(ctx, b, state.Seeded); err != nil {
			return nil, fmt.Errorf("batch %s: %w", b.Lot, err)
		}
	}
	if err := d.ship(ctx, state.Seeded); err != nil {
		return nil, err
	}
	for _, c := range d.story.Chains {
		if closed[c.Lot] != "" {
			continue
		}
		if closed[c.Lot], err = d.follow(ctx, c, state.Seeded); err != nil {
			return nil, fmt.Errorf("batch %s: %w", c.Lot, err)
		}
	}
	return closed, errors.Join(d.certify(ctx, state.Seeded), d.takeBack(ctx))
}

// backfill hands the journal what the devices measured before there was a
// server; from there on it goes the way of every frame.
func (d *demo) backfill(ctx context.Context, devices []fleet.Device, until time.Time) error {
	for _, dev := range devices {
		past, err := fleet.History(d.seed, dev, until.Add(-demoHistory), until, demoStep)
		if err != nil {
			return err
		}
		for _, payload := range past {
			if err := d.journal.Append(ctx, ingest.Frame{Device: dev.ID, Received: d.now, Payload: payload}); err != nil {
				return err
			}
		}
	}
	return nil
}

// waitStored waits until the keeper has passed everything that was there.
func (d *demo) waitStored(ctx context.Context) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		lag, err := d.journal.Lag(ctx)
		if err != nil {
			return err
		}
		if lag[ingest.StoreReader] < uint64(len(d.story.Farms.Devices)) { // live frames never stop
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// closeBatch records what was done on the site, then opens and closes the batch.
func (d *demo) closeBatch(ctx context.Context, b demoBatch, now time.Time) (string, error) {
	site, err := d.store.Site(ctx, b.Site)
	if err != nil {
		return "", err
	}
	if err := d.record(ctx, b.Lot, site, b.Operations, now); err != nil {
		return "", err
	}
	if err := d.refuse(ctx, b.Lot, site, b.Refused, now); err != nil {
		return "", err
	}
	opened, err := d.openBatch(ctx, b, now)
	if err != nil {
		return "", err
	}
	done, err := d.tracer.CloseBatch(ctx, opened.ID)
	return done.Code, err
}

func (d *demo) openBatch(ctx context.Context, b demoBatch, now time.Time) (trace.Batch, error) {
	site, err := d.store.Site(ctx, b.Site)
	if err != nil {
		return trace.Batch{}, err
	}
	return d.tracer.OpenBatch(ctx, trace.Batch{
		Tenant: site.Tenant, Site: site.ID, Product: b.Product, Lot: b.Lot, Quantity: b.Quantity, Unit: b.Unit,
		Began: b.Began.before(now), Harvest: b.Harvest.before(now),
	}, site.Tenant)
}

// record tells what was done on a site.
func (d *demo) record(ctx context.Context, lot string, site farm.Site, ops []demoOperation, now time.Time) error {
	for i, o := range ops {
		if _, _, err := d.tracer.AddOperation(ctx, d.operation(lot, i, site, o, now)); err != nil {
			return err
		}
	}
	return nil
}

// demoID is the same at every start, so that an operation is not added twice.
func demoID(lot string, n int, at time.Time) string {
	var id ulid.ULID
	if err := id.SetTime(ulid.Timestamp(at)); err != nil {
		panic(err) // only in the year 10889
	}
	copy(id[6:], fmt.Sprintf("%02d%s", n, lot))
	return id.String()
}

// closedBatches returns the codes of the demo's batches, by lot.
func (d *demo) closedBatches(ctx context.Context) (map[string]string, error) {
	codes := map[string]string{}
	all, err := d.store.Batches(ctx, store.BatchFilter{Limit: 100})
	if err != nil {
		return nil, err
	}
	for _, b := range all {
		if b.Code != "" {
			codes[b.Lot] = b.Code
		}
	}
	return codes, nil
}

func (d *demo) tell(text string) { fmt.Print(text) }

// demoAddresses is the first thing that a visitor reads.
func demoAddresses(s *server, state demoState) string {
	var b strings.Builder
	t := func(key string, args ...string) string {
		return s.texts.T("zh-CN", key, args...) + "  ·  " + s.texts.T("en", key, args...)
	}
	fmt.Fprintf(&b, "\n  %s\n\n", t("demo.title"))
	for _, row := range [][2]string{{"/bureau/", "demo.bureau"}, {"/field/", "demo.field"}, {"/manage/", "demo.manage"}, {"/d/pond-1", "demo.pond"}, {"/log/key", "demo.log"}} {
		fmt.Fprintf(&b, "  %-44s %s\n", s.publicURL()+row[0], t(row[1]))
	}
	fmt.Fprintf(&b, "  %-44s %s\n\n  %s\n", "mqtt://"+dialable(s.broker.Addr().String()), t("demo.mqtt"), t("demo.accounts"))
	for _, a := range state.Accounts {
		fmt.Fprintf(&b, "    %-8s %-16s %s\n", a.ID, a.Secret, t("role."+a.Kind))
	}
	fmt.Fprintf(&b, "\n  %s\n", t("demo.growing"))
	return b.String()
}

// demoCodes shows one code to scan and the addresses of all.
func demoCodes(s *server, story demoStory, codes map[string]string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n  %s  ·  %s\n\n", s.texts.T("zh-CN", "demo.scan"), s.texts.T("en", "demo.scan"))
	var lots []string
	for _, b := range story.Batches {
		lots = append(lots, b.Lot)
	}
	for _, c := range story.Chains {
		lots = append(lots, c.Lot)
	}
	for i, lot := range lots {
		url := s.publicURL() + "/t/" + codes[lot]
		if i == 0 {
			drawn, err := label.Terminal(url)
			if err != nil {
				s.log.Warn("cannot draw the code", "error", err)
			}
			b.WriteString(drawn)
		}
		fmt.Fprintf(&b, "  %-60s %s\n", url, lot)
	}
	return b.String()
}
