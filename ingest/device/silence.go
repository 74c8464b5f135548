package device

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"tianhai/farm"
	"tianhai/ingest"
)

// When a device counts as silent.
const (
	SilentIntervals = 3                // report intervals of its model without a word
	MinSilence      = 2 * time.Minute  // however short the interval
	UnknownSilence  = 30 * time.Minute // where the model has no interval
	silenceEvery    = 10 * time.Second // how often it is looked
)

// Silence says who is there where no session and no last will does: a device whose
// readings come is there, and one of which nothing has come for a while is not,
// unless it is connected. It stands between whoever knows of sessions and the
// registry, and what a device itself says wins over what came before.
type Silence struct {
	Registry  *Registry
	Connected func(device string) bool // to a broker of ours; nil: nobody is
	Now       func() time.Time         // nil: time.Now
	Logger    *slog.Logger             // nil: slog.DiscardHandler

	mu      sync.Mutex // guards devices and what they point at
	devices map[string]*sign
}

// sign is the last of a device.
type sign struct {
	heard  time.Time // when a reading came, or word that it is there
	word   time.Time // when its presence was last told by somebody else
	online bool      // as it was recorded
}

func (s *Silence) now() time.Time {
	if s.Now != nil {
		return s.Now().UTC()
	}
	return time.Now().UTC()
}

// sign returns a device's; nil where there are too many. The caller holds the mutex.
func (s *Silence) sign(device string) *sign {
	if s.devices == nil {
		s.devices = map[string]*sign{}
	}
	d := s.devices[device]
	if d == nil && len(s.devices) < DefaultMaxDevices {
		d = &sign{}
		s.devices[strings.Clone(device)] = d
	}
	return d
}

// SetOnline records what a session, a last will or the device itself says.
func (s *Silence) SetOnline(ctx context.Context, device string, online bool, at time.Time) error {
	if err := s.Registry.SetOnline(ctx, device, online, at); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if d := s.sign(device); d != nil {
		d.word, d.online = at, online
		if online && at.After(d.heard) {
			d.heard = at
		}
	}
	return nil
}

// Observe notes who sent readings. It always returns nil, and waits for nothing.
func (s *Silence) Observe(_ context.Context, obs []ingest.Observation) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range obs {
		if d := s.sign(obs[i].Device); d != nil && obs[i].Received.After(d.heard) {
			d.heard = obs[i].Received
		}
	}
	return nil
}

// Run looks until ctx is done.
func (s *Silence) Run(ctx context.Context) error {
	tick := time.NewTicker(silenceEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			s.look(ctx)
		}
	}
}

// look records what changed. What fails is tried again next time.
func (s *Silence) look(ctx context.Context) {
	s.mu.Lock()
	signs := make(map[string]sign, len(s.devices))
	for device, d := range s.devices {
		signs[device] = *d
	}
	s.mu.Unlock()
	now := s.now()
	var failed error
	for device, d := range signs {
		silent := now.Sub(d.heard) >= s.patience(ctx, device)
		switch {
		case !silent && !d.online && d.heard.After(d.word):
			failed = errors.Join(failed, s.record(ctx, device, true, d.heard))
		case silent && d.online && (s.Connected == nil || !s.Connected(device)):
			failed = errors.Join(failed, s.record(ctx, device, false, now))
		case silent && !d.online:
			s.forget(device, d)
		}
	}
	if failed != nil && ctx.Err() == nil && s.Logger != nil {
		s.Logger.WarnContext(ctx, "not recorded who is there", "error", failed)
	}
}

// patience returns how long a device may say nothing.
func (s *Silence) patience(ctx context.Context, device string) time.Duration {
	profile, err := s.Registry.Profile(ctx, device)
	if err != nil || profile.Interval <= 0 {
		return UnknownSilence
	}
	return max(MinSilence, SilentIntervals*profile.Interval)
}

func (s *Silence) record(ctx context.Context, device string, online bool, at time.Time) error {
	err := s.Registry.SetOnline(ctx, device, online, at)
	if errors.Is(err, farm.ErrNotFound) {
		err = nil // it was heard before anybody registered it, and counts from then on
	} else if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if d := s.devices[device]; d != nil && !d.word.After(at) {
		d.online = online
	}
	return err
}

// forget drops a device that is away, unless something came meanwhile.
func (s *Silence) forget(device string, was sign) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d := s.devices[device]; d != nil && *d == was {
		delete(s.devices, device)
	}
}
