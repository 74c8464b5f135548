package alert

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"tianhai/ingest"
)

// HistoryAge is how long before its receipt a reading may have been taken to
// count as news. An older one comes from a device that stored while it had no
// network: it is history, and neither raises an alarm now nor ends one.
const HistoryAge = 10 * time.Minute

// How often the engine looks at the clock, and at the list of devices.
const (
	tickEvery  = 10 * time.Second
	fleetEvery = time.Minute
)

// A Watched is a device as no-data rules see it.
type Watched struct {
	Device     string
	Place      ingest.Place
	Quantities []string // farm.Quantity.ID of what it measures
}

// A Fleet knows every registered device that stands somewhere, whether it has
// ever spoken or not.
type Fleet interface {
	Watched(ctx context.Context) ([]Watched, error)
}

// A Listener is told of every changed alert after it is stored, also of pending
// and inactive ones. It must not block.
type Listener interface {
	AlertChanged(a Alert)
}

// A Charge knows limits that hold for single devices and for a time, such as those of
// a shipment for its loggers.
type Charge interface {
	// OwnRules returns the threshold rules in force, each with its Devices. Their IDs hold
	// a slash, as those of a rule file cannot.
	OwnRules(ctx context.Context) ([]Rule, error)
}

// A Config says what an Engine works with. Only Store is needed.
type Config struct {
	Rules    []Rule // as ParseRules returns them
	Store    Store
	Charge   Charge   // nil: no device has limits of its own
	Fleet    Fleet    // nil: no-data rules are not watched
	Channels []string // that every notice goes to
	Listener Listener
	Wake     func()           // called after notices are stored; must not block
	Now      func() time.Time // nil: time.Now
	Logger   *slog.Logger     // nil: slog.DiscardHandler
}

// An Engine watches readings with rules. Its methods may be called at the same
// time; the observations of one device must come one after the other.
//
// Nothing changes in memory before it is stored, and what is stored is named
// after what led to it, so that a batch may be handed in any number of times.
type Engine struct {
	cfg        Config
	thresholds map[string][]*Rule // by quantity
	silences   []*Rule            // those with NoDataFor
	heeded     map[string]bool    // quantities that some rule watches

	mu       sync.Mutex         // guards what follows
	rules    map[string]*Rule   // every one, by ID
	own      map[string][]*Rule // by device, those that are only its own
	restored bool
	started  time.Time // when the engine began to listen
	devices  map[string]*watch
	fleet    []Watched
	fleetAt  time.Time
}

// A watch is what the engine knows of one device.
type watch struct {
	alerts  map[string]*Alert // open ones, by rule
	known   time.Time
	heard   time.Time         // receipt of the last usable reading
	streams map[string]*heard // by quantity, of heeded ones
}

type heard struct {
	received time.Time // of the last usable reading, history or not
	live     time.Time // time of the last reading that moved live state
}

// New returns an engine. It does no I/O; stored alerts are read on first use.
func New(cfg Config) *Engine {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Wake == nil {
		cfg.Wake = func() {}
	}
	e := &Engine{
		cfg:        cfg,
		thresholds: map[string][]*Rule{},
		heeded:     map[string]bool{},
		rules:      map[string]*Rule{},
		devices:    map[string]*watch{},
	}
	for _, r := range cfg.Rules {
		e.rules[r.ID], e.heeded[r.Quantity] = &r, true
		if r.NoDataFor > 0 {
			e.silences = append(e.silences, &r)
		} else {
			e.thresholds[r.Quantity] = append(e.thresholds[r.Quantity], &r)
		}
	}
	return e
}

// Observe weighs readings. It returns an error when a change could not be
// stored; the reading in question and those after it then count as not seen, and
// the same batch must be handed in again. Readings that are missing, failed a
// quality test, are older than HistoryAge, or not newer than the last of their
// device and quantity leave live state as it is.
func (e *Engine) Observe(ctx context.Context, obs []ingest.Observation) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.restore(ctx); err != nil {
		return err
	}
	for i := range obs {
		if err := e.observe(ctx, &obs[i]); err != nil {
			return err
		}
	}
	return nil
}

func (e *Engine) observe(ctx context.Context, o *ingest.Observation) error {
	w := e.device(o.Device)
	at := o.Time
	if o.Received.Before(at) {
		at = o.Received
	}
	history := o.Old || o.Received.Sub(at) > HistoryAge
	for i := range o.Readings {
		r := &o.Readings[i]
		if !r.Flag.Usable() {
			continue
		}
		if err := e.sound(ctx, o, w, r.Quantity.ID); err != nil {
			return err
		}
		h := w.streams[r.Quantity.ID]
		if h == nil || history || !at.After(h.live) {
			continue
		}
		s := sample{value: r.Value, time: at, received: o.Received}
		for _, rules := range [][]*Rule{e.thresholds[r.Quantity.ID], e.own[o.Device]} {
			for _, rule := range rules {
				if rule.Quantity != r.Quantity.ID {
					continue
				}
				if err := e.weigh(ctx, o, w, rule, s); err != nil {
					return err
				}
			}
		}
		h.live = at
	}
	return nil
}

// weigh lets one threshold rule judge one sample.
func (e *Engine) weigh(ctx context.Context, o *ingest.Observation, w *watch, r *Rule, s sample) error {
	a := Alert{}
	applies := r.appliesTo(o.Place.Kind)
	if open := w.alerts[r.ID]; open != nil {
		switch {
		case open.Site != o.Place.Site:
			if err := e.end(ctx, w, open, DeviceMoved, o.Received); err != nil {
				return err
			}
		case !applies:
			return e.end(ctx, w, open, RuleRemoved, o.Received)
		case !s.time.After(open.Began):
			// After a restart the journal may begin before the alert did.
			return nil
		default:
			a = *open
		}
	}
	if !applies {
		return nil
	}
	was := a.State
	if a = r.next(a, s); a.State == was {
		return nil
	}
	if was == "" {
		a = r.begin(a, o.Device, o.Place)
	}
	return e.set(ctx, w, a)
}

// sound notes that a device gave a usable reading, and ends the alerts of its
// silence, unless the receipt lies too far back to be the end of it.
func (e *Engine) sound(ctx context.Context, o *ingest.Observation, w *watch, quantity string) error {
	for _, r := range e.silences {
		a := w.alerts[r.ID]
		if a == nil || r.Quantity != "" && r.Quantity != quantity || e.cfg.Now().Sub(o.Received) >= r.NoDataFor {
			continue
		}
		if err := e.end(ctx, w, a, "", o.Received); err != nil {
			return err
		}
	}
	w.heard = later(w.heard, o.Received)
	if !e.heeded[quantity] && !slices.ContainsFunc(e.own[o.Device], func(r *Rule) bool { return r.Quantity == quantity }) {
		return nil
	}
	h := w.streams[quantity]
	if h == nil {
		h = &heard{}
		w.streams[quantity] = h
	}
	h.received = later(h.received, o.Received)
	return nil
}

// end closes an open alert; without a reason, its condition has passed.
func (e *Engine) end(ctx context.Context, w *watch, a *Alert, reason string, at time.Time) error {
	return e.set(ctx, w, ended(*a, reason, at))
}

func ended(a Alert, reason string, at time.Time) Alert {
	if a.State == Firing {
		a.State = Resolved
	} else {
		a.State = Inactive
	}
	a.Ended, a.Reason = at, reason
	return a
}

// set stores a changed alert with its notices, then remembers it and says so.
func (e *Engine) set(ctx context.Context, w *watch, a Alert) error {
	if err := e.save(ctx, a); err != nil {
		return err
	}
	if a.State == Resolved || a.State == Inactive {
		delete(w.alerts, a.Rule)
	} else {
		w.alerts[a.Rule] = &a
	}
	return nil
}

func (e *Engine) save(ctx context.Context, a Alert) error {
	n := notices(a, e.cfg.Channels)
	if err := e.cfg.Store.SaveAlert(ctx, a, n); err != nil {
		return fmt.Errorf("save alert of rule %s for device %s: %w", a.Rule, a.Device, err)
	}
	if e.cfg.Listener != nil {
		e.cfg.Listener.AlertChanged(a)
	}
	if len(n) > 0 {
		e.cfg.Wake()
	}
	return nil
}

// restore reads the open alerts once. Those whose rule is gone, or now watches
// something else, end here.
func (e *Engine) restore(ctx context.Context) error {
	if e.restored {
		return nil
	}
	now := e.cfg.Now()
	own, err := e.ownRules(ctx)
	if err != nil {
		return err
	}
	if err := e.take(ctx, own, now); err != nil {
		return err
	}
	open, err := e.cfg.Store.OpenAlerts(ctx)
	if err != nil {
		return fmt.Errorf("read open alerts: %w", err)
	}
	for _, a := range open {
		r := e.rules[a.Rule]
		if r == nil || r.Quantity != a.Quantity || r.NoDataFor > 0 != (a.Value == nil) || !r.watches(a.Device) {
			if err := e.save(ctx, ended(a, whyGone(a.Rule), now)); err != nil {
				return err
			}
			continue
		}
		e.device(a.Device).alerts[a.Rule] = &a
	}
	e.restored, e.started = true, now
	return nil
}

// device returns what is known of a device, which may be nothing yet.
func (e *Engine) device(id string) *watch {
	w := e.devices[id]
	if w == nil {
		w = &watch{known: e.cfg.Now(), alerts: map[string]*Alert{}, streams: map[string]*heard{}}
		e.devices[id] = w
	}
	return w
}

// since returns when a rule last heard of the device; for a device that has not
// spoken, when the engine came to know it.
func (w *watch) since(r *Rule) time.Time {
	at := w.heard
	if r.Quantity != "" {
		at = time.Time{}
		if h := w.streams[r.Quantity]; h != nil {
			at = h.received
		}
	}
	return later(at, w.known)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
