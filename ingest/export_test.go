package ingest

import "time"

// A Throttle is the throttle with a clock.
type Throttle struct{ t *throttle }

// NewThrottle returns one with the usual limits.
func NewThrottle(now func() time.Time) Throttle {
	t := newThrottle(0)
	t.now = now
	return Throttle{t}
}

// Admits passes on.
func (t Throttle) Admits(device, remote string) bool { return t.t.admits(device, remote) }

// Wrong passes on.
func (t Throttle) Wrong(device, remote string) (bool, int) { return t.t.wrong(device, remote) }

// Len returns how much is remembered.
func (t Throttle) Len() (devices, addresses int) { return len(t.t.devices), len(t.t.addresses) }
