package main

import (
	"context"
	"crypto/rand"
	"time"

	"tianhai/cmd/internal/store"
	"tianhai/ingest/device"
	"tianhai/trace/label"
)

// Bounds on how a change to a device reaches its connection.
const (
	eventsEvery = 3 * time.Second  // for changes by another process, such as `tianhai device`
	eventsLong  = 30 * time.Second // for which a change is looked at again: a device may have been let in meanwhile
)

// newIssuer makes devices with claim codes like those on packets.
func newIssuer(db *store.Store) *device.Issuer {
	return &device.Issuer{Store: db, NewCode: func() (string, error) { return label.NewCode(rand.Reader) }}
}

// issuer is newIssuer's, with a log for wrong codes.
func (s *server) issuer() *device.Issuer {
	is := newIssuer(s.store)
	is.Logger = s.log
	return is
}

// deviceChanged has watchDevices look now.
func (s *server) deviceChanged() {
	select {
	case s.changes <- struct{}{}:
	default:
	}
}

// watchDevices has every change of a device's state or secret, whichever process
// made it, end the device's connection. A device that still may connect comes back.
func (s *server) watchDevices(ctx context.Context) error {
	tick := time.NewTicker(eventsEvery)
	defer tick.Stop()
	handled := map[device.Event]bool{}
	started := time.Now()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-s.changes:
		}
		since := time.Now().Add(-eventsLong)
		if since.Before(started) {
			since = started
		}
		// Cheaper than telling which devices are of the changed model.
		if changed, err := s.store.ModelsChangedSince(ctx, since); err == nil && changed {
			s.registry.ForgetAll()
		}
		events, err := s.store.DeviceEventsSince(ctx, since)
		if err != nil {
			if ctx.Err() == nil {
				s.log.WarnContext(ctx, "cannot read what changed about devices", "error", err)
			}
			continue
		}
		before := handled
		handled = make(map[device.Event]bool, len(events))
		for _, e := range events {
			handled[e] = true
			s.handleEvent(ctx, e, before[e])
		}
	}
}

// handleEvent ends a connection for an event that is new, and for an old one
// where the device may not connect at all.
func (s *server) handleEvent(ctx context.Context, e device.Event, again bool) {
	if !again {
		s.registry.Forget(e.Device)
	}
	if s.broker == nil || !e.Ends() {
		return
	}
	if again {
		d, err := s.store.Device(ctx, e.Device)
		if err != nil || d.State.Connects() && len(d.SecretHash) > 0 {
			return
		}
	}
	s.broker.Disconnect(e.Device)
}
