package alert

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"
)

// Run watches the clock until ctx is done, and then returns nil.
//
// By the clock a no-data alert fires, and so does a pending one when the time
// its condition must hold has passed without a reading to the contrary: a
// device that falls silent below the limit is not better off. Both count only
// time during which this engine was listening, because what was said before may
// still lie unread in the journal. A restart can therefore put such an alert
// off by its own duration, and never raises a false one.
//
// Errors of the store and the fleet are logged, and tried again.
func (e *Engine) Run(ctx context.Context) error {
	ticker := time.NewTicker(tickEvery)
	defer ticker.Stop()
	for {
		if err := e.tick(ctx); err != nil && ctx.Err() == nil {
			e.cfg.Logger.WarnContext(ctx, "alerts by the clock are late", slog.Any("error", err))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

func (e *Engine) tick(ctx context.Context) error {
	unlisted := e.look(ctx)
	own, unread := e.ownRules(ctx)
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.restore(ctx); err != nil {
		return err
	}
	now := e.cfg.Now()
	if unread == nil {
		if err := e.take(ctx, own, now); err != nil {
			return err
		}
	}
	for _, w := range e.devices {
		if err := e.ripen(ctx, w, now); err != nil {
			return err
		}
	}
	for _, f := range e.fleet {
		if err := e.listen(ctx, f, now); err != nil {
			return err
		}
	}
	return errors.Join(unlisted, unread)
}

// look lists the fleet every fleetEvery, without the lock, since Observe must
// not wait for it. While it cannot be listed, the last list holds.
func (e *Engine) look(ctx context.Context) error {
	now := e.cfg.Now()
	e.mu.Lock()
	due := e.cfg.Fleet != nil && now.Sub(e.fleetAt) >= fleetEvery
	e.mu.Unlock()
	if !due {
		return nil
	}
	fleet, err := e.cfg.Fleet.Watched(ctx)
	if err != nil {
		return fmt.Errorf("list watched devices: %w", err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.restore(ctx); err != nil {
		return err
	}
	e.fleet, e.fleetAt = fleet, now
	return e.forget(ctx, now)
}

// forget ends the alerts of devices that are no longer watched. A device that
// was first heard of, or spoke, after the list was asked for may be missing from it.
func (e *Engine) forget(ctx context.Context, asked time.Time) error {
	listed := make(map[string]bool, len(e.fleet))
	for _, f := range e.fleet {
		listed[f.Device] = true
	}
	for id, w := range e.devices {
		if listed[id] || !w.heard.Before(asked) {
			continue
		}
		for _, a := range w.alerts {
			if err := e.end(ctx, w, a, DeviceRemoved, asked); err != nil {
				return err
			}
		}
		delete(e.devices, id)
	}
	return nil
}

// ripen fires a device's pending alerts whose time has come.
func (e *Engine) ripen(ctx context.Context, w *watch, now time.Time) error {
	for _, a := range w.alerts {
		if a.State != Pending || now.Sub(later(a.Began, e.started)) < e.rules[a.Rule].For {
			continue
		}
		fired := *a
		fired.State, fired.Fired = Firing, now
		if err := e.set(ctx, w, fired); err != nil {
			return err
		}
	}
	return nil
}

// listen fires the no-data rules of a device that has been silent for too long.
func (e *Engine) listen(ctx context.Context, f Watched, now time.Time) error {
	w := e.device(f.Device)
	for _, r := range e.silences {
		applies := r.appliesTo(f.Place.Kind) && (r.Quantity == "" || slices.Contains(f.Quantities, r.Quantity))
		if a := w.alerts[r.ID]; a != nil && (!applies || a.Site != f.Place.Site) {
			if err := e.end(ctx, w, a, DeviceMoved, now); err != nil {
				return err
			}
		}
		since := w.since(r)
		if !applies || w.alerts[r.ID] != nil || now.Sub(since) < r.NoDataFor {
			continue
		}
		a := r.begin(Alert{State: Firing, Began: since, Fired: now}, f.Device, f.Place)
		if err := e.set(ctx, w, a); err != nil {
			return err
		}
	}
	return nil
}
