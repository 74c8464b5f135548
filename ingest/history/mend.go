package history

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"tianhai/farm"
	"tianhai/ingest"
)

// MendEvery is how often a Mender looks. A change counts when it stands for two
// looks: many small changes make one replay, and whoever still reads frames as
// before has set them aside by then.
const MendEvery = 10 * time.Second

// A MendStore keeps how each device was read when its quarantine was last
// replayed.
type MendStore interface {
	Mends(ctx context.Context) (map[string]string, error)
	PutMends(ctx context.Context, mends map[string]string) error
	// ForgetMends forgets devices, all where none is named.
	ForgetMends(ctx context.Context, devices ...string) error
}

// A Mender has frames replayed from quarantine when there is reason to hope:
// when what decides how a device is read (its registration, model, format,
// calibration, place or state, a mapping, or this program) is not what it was at the last
// replay. It looks at the result, not at who changed it, and so sees changes by
// other processes too.
type Mender struct {
	Desk  *Desk
	Store MendStore
	// Devices returns how many frames of each device are in quarantine.
	Devices func(ctx context.Context) (map[string]uint64, error)
	// Changed has every other reader of frames look devices up anew. It is called
	// before a change counts.
	Changed func()
	// Version names what frames are read by beside their device: this program, and
	// the mappings in force.
	Version func() string
	Every   time.Duration // 0: MendEvery
	Logger  *slog.Logger  // nil discards
	seen    map[string]string
}

// ReplayQuarantine has what devices have in quarantine replayed soon, all devices
// where none is named: something was mended that a Mender cannot see. Calls close together make one replay. Once it has returned
// nil it will happen, whatever happens to this process.
func (m *Mender) ReplayQuarantine(ctx context.Context, devices ...string) error {
	return m.Store.ForgetMends(ctx, devices...)
}

// Run looks until ctx is done and then returns nil.
func (m *Mender) Run(ctx context.Context) error {
	every := m.Every
	if every == 0 {
		every = MendEvery
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if err := m.look(ctx); err != nil && ctx.Err() == nil && m.Logger != nil {
			m.Logger.WarnContext(ctx, "cannot look whether quarantined frames can be read now", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// look finds devices in quarantine that are read otherwise than before, and has
// those replayed that were found by the last look already.
func (m *Mender) look(ctx context.Context) error {
	aside, err := m.Devices(ctx)
	if err != nil {
		return err
	}
	if len(aside) == 0 {
		m.seen = nil
		return nil
	}
	before, err := m.Store.Mends(ctx)
	if err != nil {
		return err
	}
	seen, stands := map[string]string{}, map[string]string{}
	for _, d := range slices.Sorted(maps.Keys(aside)) {
		mark, err := m.fingerprint(ctx, d)
		if errors.Is(err, ingest.ErrUnknownDevice) || err == nil && mark == before[d] {
			continue
		}
		if err != nil {
			return err
		}
		if seen[d] = mark; m.seen[d] == mark {
			stands[d] = mark
		}
	}
	if len(seen) > len(stands) && m.Changed != nil {
		m.Changed()
	}
	m.seen = seen
	return m.order(ctx, stands)
}

// fingerprint returns what a device is read by.
func (m *Mender) fingerprint(ctx context.Context, device string) (string, error) {
	p, err := m.Desk.Profiles.Profile(ctx, device)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	fmt.Fprintf(h, "%s %+v", m.Version(), *p) // maps are printed in order
	return hex.EncodeToString(h.Sum(nil)[:16]), nil
}

// order makes a job for each tenant. A crash in between makes it again.
func (m *Mender) order(ctx context.Context, stands map[string]string) error {
	byTenant := map[string][]string{}
	for _, d := range slices.Sorted(maps.Keys(stands)) {
		owner, err := m.Desk.Fleet.Owner(ctx, d)
		if errors.Is(err, farm.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		byTenant[owner] = append(byTenant[owner], d)
	}
	for _, tenant := range slices.Sorted(maps.Keys(byTenant)) {
		for some := range slices.Chunk(byTenant[tenant], MaxDevices) {
			if _, err := m.Desk.Replay(ctx, tenant, System, Replay{Devices: some, QuarantineOnly: true}); err != nil {
				return err
			}
			done := map[string]string{}
			for _, d := range some {
				done[d] = stands[d]
			}
			if err := m.Store.PutMends(ctx, done); err != nil {
				return err
			}
		}
	}
	return nil
}
