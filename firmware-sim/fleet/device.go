package fleet

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// A device is a station, its outbox and its session.
type device struct {
	Device
	cfg     Config
	phase   time.Duration // of its measurements within the interval
	session *session

	mu      sync.Mutex // guards what follows
	station *station
	orders  orders
	last    time.Time // of the latest measurement
	clock   clock
}

func newDevice(f *Fleet, d Device) *device {
	share := source(f.cfg.Seed).named(d.ID).named("phase").uniform(0)
	out := &device{
		Device: d,
		cfg:    f.cfg,
		phase:  max(time.Millisecond, time.Duration((1-share)*float64(f.cfg.Interval)).Truncate(time.Millisecond)),
	}
	out.session = &session{link: f.link, device: d, box: newOutbox(f.cfg.Keep), radio: out.radio, obey: out.obey}
	return out
}

func (d *device) run(ctx context.Context, c clock) error {
	s, err := newStation(d.cfg.Seed, d.Device, c.start)
	if err != nil {
		return fmt.Errorf("start device: %w", err)
	}
	d.mu.Lock()
	d.station, d.clock = s, c
	d.orders = orders{kind: s.kind, now: d.cfg.Now, do: d.do}
	d.mu.Unlock()

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return d.session.run(ctx) })
	group.Go(func() error { return d.measureAll(ctx) })
	return group.Wait()
}

// measureAll measures at the start, then once an interval at the device's own
// phase, so that a fleet does not report all at once. It skips nothing: what
// was due is measured, if late.
func (d *device) measureAll(ctx context.Context) error {
	catchingUp := d.cfg.CatchUp
	for t := d.clock.start; ; {
		if wait := d.clock.until(t); wait > 0 {
			sleep(ctx, wait)
		}
		if ctx.Err() != nil {
			return nil
		}
		m := d.measure(t)
		switch {
		case m == nil:
		case !catchingUp:
			d.session.box.put(m)
		case d.session.box.putWait(ctx, m) != nil:
			return nil
		default:
			catchingUp = d.cfg.Now().Sub(t) > 2*d.cfg.Interval || d.session.box.crowded()
		}
		if t.Equal(d.clock.start) {
			t = t.Add(d.phase)
		} else {
			t = t.Add(d.cfg.Interval)
		}
	}
}

// measure returns the message of a measurement at t; nil when a command made
// one at that time or later.
func (d *device) measure(t time.Time) *message {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.measureLocked(t)
}

func (d *device) measureLocked(t time.Time) *message {
	t = t.Truncate(time.Millisecond)
	if !t.After(d.last) {
		return nil
	}
	d.last = t
	return &message{topic: d.session.topic("up"), payload: d.station.measure(t), measurement: true}
}

func (d *device) obey(payload []byte) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.orders.obey(payload)
}

// do carries out a command and reports at once what it changed. A device that
// is behind with its measurements does it at the time of the latest, so that it
// leaves none out. It is called with mu held.
func (d *device) do(name string, on bool) {
	if d.last.IsZero() {
		d.last = d.clock.start.Add(-time.Millisecond)
	}
	now := d.clock.virtual()
	if now.Before(d.last) || now.After(d.last.Add(d.cfg.Interval)) {
		now = d.last
	}
	now = now.Add(time.Millisecond)
	d.station.command(now, name, on)
	if m := d.measureLocked(now); m != nil {
		d.session.box.put(m)
	}
}

// radio reports whether the device is cut off now, and after how long in real
// time that changes; 0 is never.
func (d *device) radio() (lost bool, change time.Duration) {
	now := d.clock.virtual()
	for _, f := range d.Faults {
		if f.Kind != RadioLoss {
			continue
		}
		lost = lost || f.active(now)
		for _, edge := range []time.Time{f.From, f.From.Add(f.For)} {
			if wait := d.clock.until(edge); edge.After(now) && (change == 0 || wait < change) {
				change = max(wait, time.Millisecond)
			}
		}
	}
	return lost, change
}
