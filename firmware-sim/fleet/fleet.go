// Package fleet simulates farm devices: physics, sensors with faults, and an
// MQTT session that loses no measurement while it has room.
//
// The physics is repeatable: the same seed, device, instants and commands give
// the same bytes. Runs that begin at different times, or measure at another
// interval, agree where they meet, to about the last digit, because weather and
// noise follow from the instant alone and models settle before they are asked.
// Nothing here is shared with the server's decoders, so that the two witness
// for each other.
//
// A device publishes to th/{id}/up, at QoS 1, a JSON object of "ts" in Unix
// milliseconds and one member per channel of its Kind: a number, or null for a
// missing value. It takes commands on th/{id}/down, answers on th/{id}/ack, and
// keeps its state, "online" or "offline", retained on th/{id}/status.
package fleet

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// A Device is one virtual device.
type Device struct {
	ID     string // MQTT client id and topic level: 1 to 64 bytes without space, '/', '+' and '#'
	User   string // MQTT user name; the ID when empty
	Secret string `json:"-"` // MQTT password
	Kind   string // name of a Kind; see Kinds
	Faults []Fault
	// LowOxygen, for a pond, is when a night of low oxygen begins: for twelve
	// hours the plankton makes none and rots, and the oxygen falls below 2 mg/L
	// within about eight hours unless the aerator runs. Zero means none.
	LowOxygen time.Time
	// Haste is how much faster than in nature the oxygen moves in that night, so
	// that a demonstration need not wait an hour for the aerator; 1 when 0.
	Haste float64
	// DoorOpen, for a logger, is when the door of its box is opened and stands so for
	// fifty minutes. Zero means never.
	DoorOpen time.Time
}

// String returns the ID, so that no log shows the secret.
func (d Device) String() string { return d.ID }

func (d Device) checkID() error {
	if d.ID == "" || len(d.ID) > 64 || strings.ContainsAny(d.ID, "/+# \t\r\n\x00") {
		return fmt.Errorf("device id %q is empty, too long, or not one level of a topic", d.ID)
	}
	return nil
}

// check returns the device's kind, or what is wrong with the device.
func (d Device) check() (Kind, error) {
	if err := d.checkID(); err != nil {
		return Kind{}, err
	}
	k, ok := lookupKind(d.Kind)
	if !ok {
		return Kind{}, fmt.Errorf("device %s: unknown kind %q", d.ID, d.Kind)
	}
	if !d.LowOxygen.IsZero() && d.Kind != "pond" {
		return Kind{}, fmt.Errorf("device %s: a %s has no night of low oxygen", d.ID, d.Kind)
	}
	if !d.DoorOpen.IsZero() && d.Kind != "logger" {
		return Kind{}, fmt.Errorf("device %s: a %s has no door", d.ID, d.Kind)
	}
	if d.Haste < 0 || d.Haste > 60 {
		return Kind{}, fmt.Errorf("device %s: haste %v is not between 0 and 60", d.ID, d.Haste)
	}
	for _, f := range d.Faults {
		if err := f.check(k); err != nil {
			return Kind{}, fmt.Errorf("device %s: %w", d.ID, err)
		}
	}
	return k, nil
}

// Config says what to simulate and where to send it. Devices and Broker are
// needed; the zero of everything else is usable.
type Config struct {
	Broker  string      // tcp://, ssl://, ws:// or wss://
	TLS     *tls.Config // for ssl and wss; nil trusts the system's roots
	Seed    uint64
	Devices []Device
	// Interval is the device time between two measurements; 1 minute when 0.
	Interval time.Duration
	// Start is the device time of the first measurement; Now when zero.
	Start time.Time
	// Speed is how much faster than real time device time runs; 1 when 0.
	Speed float64
	// CatchUp lets device time run at Speed only until it reaches real time, and
	// go with it from there: history first, then live, with no seam. While it
	// catches up, a device waits for acknowledgements instead of dropping.
	CatchUp bool
	// Keep is how many unacknowledged measurements a device stores, in memory,
	// before it drops the oldest; 10,000 when 0.
	Keep int
	// AckTimeout is how long a device waits for a PUBACK before it connects
	// anew and sends again; 30 s when 0.
	AckTimeout time.Duration
	// Grace is how long Run goes on delivering what is stored after its context
	// has ended; 5 s when 0.
	Grace  time.Duration
	Logger *slog.Logger // nil discards
	Now    func() time.Time
}

func (c *Config) setDefaults() {
	orDefault(&c.Interval, time.Minute)
	orDefault(&c.Speed, 1)
	orDefault(&c.Keep, 10_000)
	orDefault(&c.AckTimeout, 30*time.Second)
	orDefault(&c.Grace, 5*time.Second)
	orDefault(&c.Logger, slog.New(slog.DiscardHandler))
	if c.Now == nil {
		c.Now = time.Now
	}
}

func orDefault[T comparable](p *T, value T) {
	var zero T
	if *p == zero {
		*p = value
	}
}

// Stats counts since New, over all devices.
type Stats struct {
	Devices      int
	Online       int
	Measured     uint64 // = Acknowledged + Stored + Dropped
	Published    uint64 // sent at least once
	Acknowledged uint64 // the broker said that it has them
	Stored       int    // not yet acknowledged
	Dropped      uint64 // pushed out of a full store
}

// A Fleet is a number of devices on one broker.
type Fleet struct {
	cfg     Config
	link    link
	devices []*device
}

// New checks the configuration. It starts nothing.
func New(cfg Config) (*Fleet, error) {
	cfg.setDefaults()
	if cfg.Interval < time.Millisecond || cfg.Speed <= 0 || cfg.Keep < 1 || cfg.AckTimeout < 0 || cfg.Grace < 0 {
		return nil, errors.New("configure fleet: interval, speed, keep, timeout or grace out of range")
	}
	l, err := newLink(cfg.Broker, cfg.TLS, cfg.Logger)
	if err != nil {
		return nil, fmt.Errorf("configure fleet: %w", err)
	}
	l.ack, l.grace = cfg.AckTimeout, cfg.Grace
	f := &Fleet{cfg: cfg, link: l}
	seen := map[string]bool{}
	for _, d := range cfg.Devices {
		if _, err := d.check(); err != nil {
			return nil, fmt.Errorf("configure fleet: %w", err)
		}
		if seen[d.ID] {
			return nil, fmt.Errorf("configure fleet: device %s is there twice", d.ID)
		}
		seen[d.ID] = true
		f.devices = append(f.devices, newDevice(f, d))
	}
	return f, nil
}

func newLink(broker string, config *tls.Config, log *slog.Logger) (link, error) {
	u, err := url.Parse(broker)
	if err != nil || u.Host == "" {
		// Not the URL itself, which may hold a password.
		return link{}, errors.New("broker is not a URL such as tcp://127.0.0.1:1883")
	}
	switch u.Scheme {
	case "tcp", "mqtt", "ssl", "tls", "mqtts", "ws", "wss":
	default:
		return link{}, fmt.Errorf("broker scheme %q is none of tcp, ssl, ws, wss", u.Scheme)
	}
	return link{broker: u, tls: config, log: log}, nil
}

// Run connects the devices and measures until ctx ends; then it delivers what
// is stored within Grace, says "offline" and returns nil. It may run once.
func (f *Fleet) Run(ctx context.Context) error {
	c := clock{start: f.cfg.Start, began: f.cfg.Now(), speed: f.cfg.Speed, catchUp: f.cfg.CatchUp, now: f.cfg.Now}
	if c.start.IsZero() {
		c.start = c.began
	}
	c.start = c.start.Truncate(time.Millisecond)
	group, ctx := errgroup.WithContext(ctx)
	for _, d := range f.devices {
		group.Go(func() error { return d.run(ctx, c) })
	}
	return group.Wait()
}

// Stats returns the counters. It may be called at any time.
func (f *Fleet) Stats() Stats {
	s := Stats{Devices: len(f.devices)}
	for _, d := range f.devices {
		d.session.box.count(&s)
		if d.session.online.Load() {
			s.Online++
		}
	}
	return s
}

// History returns what dev would have measured every so often from from until
// before to: times and payloads, oldest first, without any broker. A fleet of
// this seed that starts at to goes on where it ends. RadioLoss has no effect.
func History(seed uint64, dev Device, from, to time.Time, every time.Duration) (iter.Seq2[time.Time, []byte], error) {
	if every < time.Millisecond {
		return nil, fmt.Errorf("history of %s: interval %s is below 1 ms", dev.ID, every)
	}
	from = from.Truncate(time.Millisecond)
	if _, err := dev.check(); err != nil {
		return nil, fmt.Errorf("history: %w", err)
	}
	return func(yield func(time.Time, []byte) bool) {
		s, err := newStation(seed, dev, from)
		if err != nil { // checked above
			return
		}
		for t := from; t.Before(to); t = t.Add(every) {
			if !yield(t, s.measure(t)) {
				return
			}
		}
	}, nil
}
