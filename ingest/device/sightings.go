package device

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"tianhai/ingest"
)

// SightingsEvery is how often it is written when devices were last seen.
const SightingsEvery = 30 * time.Second

// A Witness stores when devices were last seen, all at once. Unknown devices
// are passed over.
type Witness interface {
	Seen(ctx context.Context, at map[string]time.Time) error
}

// Sightings remember when devices were last seen, and write it now and then, so
// that a reading costs no more than an entry in a map. What was not written when
// the process ends is lost, and the device's next reading mends it.
type Sightings struct {
	witness Witness
	log     *slog.Logger

	mu   sync.Mutex // guards last
	last map[string]time.Time
}

// NewSightings returns Sightings that remember nothing. Log may be nil.
func NewSightings(w Witness, log *slog.Logger) *Sightings {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Sightings{witness: w, log: log, last: map[string]time.Time{}}
}

// Saw remembers a device, unless DefaultMaxDevices others wait to be written.
func (s *Sightings) Saw(device string, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before, known := s.last[device]
	switch {
	case known && at.After(before):
		s.last[device] = at
	case !known && len(s.last) < DefaultMaxDevices:
		s.last[strings.Clone(device)] = at
	}
}

// Observe remembers who sent readings. It always returns nil.
func (s *Sightings) Observe(_ context.Context, obs []ingest.Observation) error {
	for i := range obs {
		s.Saw(obs[i].Device, obs[i].Received)
	}
	return nil
}

// Run writes until ctx is done, and then once more.
func (s *Sightings) Run(ctx context.Context) error {
	tick := time.NewTicker(SightingsEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if err := s.write(ctx); err != nil && ctx.Err() == nil {
				s.log.WarnContext(ctx, "not recorded when devices were last seen", "error", err)
			}
		case <-ctx.Done():
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer cancel()
			return s.write(ctx)
		}
	}
}

func (s *Sightings) write(ctx context.Context) error {
	s.mu.Lock()
	todo := s.last
	s.last = make(map[string]time.Time, len(todo))
	s.mu.Unlock()
	if len(todo) == 0 {
		return nil
	}
	if err := s.witness.Seen(ctx, todo); err != nil {
		for device, at := range todo {
			s.Saw(device, at)
		}
		return fmt.Errorf("record sightings: %w", err)
	}
	return nil
}
