package device

import (
	"context"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"tianhai/farm"
)

// State is where a device is in its life.
type State string

// The states of a device that somebody owns. Before, it is issued: see Issued.
const (
	Claimed   State = "claimed"   // it has an owner, and never connected
	Active    State = "active"    // it connected
	Suspended State = "suspended" // it may not connect for now
	Retired   State = "retired"   // it may not connect any more
)

// May reports whether a device may go from one state to another.
func (s State) May(to State) bool {
	switch s {
	case Claimed:
		return to == Active || to == Suspended || to == Retired
	case Active:
		return to == Suspended || to == Retired
	case Suspended:
		return to == Active || to == Retired
	case Retired:
	}
	return false
}

// Connects reports whether a device in this state may connect.
func (s State) Connects() bool { return s == Claimed || s == Active }

// EventKind is what happened to a device: the state that it came to, or what
// became of its secret.
type EventKind string

// The kinds of events beside the states.
const (
	WasIssued EventKind = "issued"   // it was made, and belonged to nobody
	Reissued  EventKind = "reissued" // it had a new claim code
	Rotated   EventKind = "rotated"  // it has a new secret
	Revoked   EventKind = "revoked"  // it has no secret, and its certificates are no good
)

// An Event is the audit of one change to a device.
type Event struct {
	Device  string    `json:"device"`
	At      time.Time `json:"at"`
	Kind    EventKind `json:"kind"`
	Account string    `json:"account,omitempty"` // who did it; empty where the device itself did
	Reason  string    `json:"reason,omitempty"`
}

// Ends reports whether a connection from before the event must end. Whoever
// still may connect comes back.
func (e Event) Ends() bool {
	switch e.Kind {
	case EventKind(Suspended), EventKind(Retired), Rotated, Revoked:
		return true
	}
	return false
}

// MaxGrace is how long a secret may be good for after it was replaced.
const MaxGrace = 30 * 24 * time.Hour

// LifeStore keeps the state and the secrets of devices. An unknown device is
// farm.ErrNotFound. Each change is stored together with its event, or not at all.
type LifeStore interface {
	// ChangeState brings a device to the state that e.Kind names; farm.ErrConflict
	// where State.May says no. The state that it has already is nothing new.
	ChangeState(ctx context.Context, e Event) error
	// SetSecret gives a device another secret, or none, and keeps the one before
	// until oldUntil. It is farm.ErrConflict for a retired device.
	SetSecret(ctx context.Context, e Event, hash []byte, oldUntil time.Time) error
	// DeviceEvents returns a device's, oldest first.
	DeviceEvents(ctx context.Context, device string) ([]Event, error)
}

// A Manager changes the state and the secrets of devices, for people.
type Manager struct {
	Store   LifeStore
	Changed func()           // called after every change, unless nil
	Now     func() time.Time // nil: time.Now
}

// An Order says who wants something done, and why.
type Order struct {
	Device  string
	Account string
	Reason  string
}

// CheckReason reports why a text cannot be a reason.
func CheckReason(s string) error {
	if len(s) > MaxNote || !utf8.ValidString(s) {
		return fmt.Errorf("a reason is text of at most %d bytes", MaxNote)
	}
	return nil
}

// SetState suspends, resumes (to Active) or retires a device.
func (m *Manager) SetState(ctx context.Context, o Order, to State) error {
	if !slices.Contains([]State{Active, Suspended, Retired}, to) {
		return fmt.Errorf("set state of %s: nobody makes a device %q: %w", o.Device, to, farm.ErrConflict)
	}
	return m.done(m.Store.ChangeState(ctx, m.event(o, EventKind(to))))
}

// Rotate gives a device a new secret and returns it, the only time it is seen.
// The one before is good for grace, at most MaxGrace; 0 ends it at once.
func (m *Manager) Rotate(ctx context.Context, o Order, grace time.Duration) (secret string, err error) {
	if grace < 0 || grace > MaxGrace {
		return "", fmt.Errorf("rotate secret of %s: grace %v is not within 0 and %v", o.Device, grace, MaxGrace)
	}
	secret, hash := NewSecret()
	e := m.event(o, Rotated)
	if err := m.done(m.Store.SetSecret(ctx, e, hash, e.At.Add(grace))); err != nil {
		return "", err
	}
	return secret, nil
}

// Revoke takes a device's secrets away. It may get a new one with Rotate.
func (m *Manager) Revoke(ctx context.Context, o Order) error {
	return m.done(m.Store.SetSecret(ctx, m.event(o, Revoked), []byte{}, time.Time{}))
}

// Events returns what happened to a device, oldest first.
func (m *Manager) Events(ctx context.Context, device string) ([]Event, error) {
	return m.Store.DeviceEvents(ctx, device)
}

func (m *Manager) event(o Order, kind EventKind) Event {
	now := time.Now
	if m.Now != nil {
		now = m.Now
	}
	return Event{Device: o.Device, At: now().UTC(), Kind: kind, Account: o.Account, Reason: o.Reason}
}

func (m *Manager) done(err error) error {
	if err == nil && m.Changed != nil {
		m.Changed()
	}
	return err
}
