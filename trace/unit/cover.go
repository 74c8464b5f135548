package unit

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"strconv"
	"time"

	"tianhai/farm"
	"tianhai/trace/label"
)

// How often covered codes can be tried. A try is counted before it is looked at,
// right or wrong; a mistyped one, which the check character shows, is not counted.
const (
	TriesPerCode   = 5
	TriesPerSource = 20
	TryWindow      = time.Hour
	// SamePhone is how long a phone that activated a packet is shown that as its own.
	SamePhone = 24 * time.Hour
)

// An Activation is the first time that somebody showed the covered code of a packet.
type Activation struct {
	Roll   string
	Number int
	At     time.Time
	Device string // by what the phone is known again; says nothing of it
	Town   string // "" where nobody knows
	Again  int    // how often the right code was shown later, by other phones
}

// Covers keeps activations and counts tries.
type Covers interface {
	// TryCover counts a try under a name, at most limit in a window, which begins with
	// the first. It returns when the window ends where there were as many already, and
	// the zero time otherwise. However many come at once, no more than limit pass.
	TryCover(ctx context.Context, name string, limit int, now time.Time, window time.Duration) (locked time.Time, err error)
	// ForgetTries takes the tries under a name back.
	ForgetTries(ctx context.Context, name string) error
	// Activate stores an activation unless the packet has one, as one statement, and
	// returns the one that stands and whether it is this. One that is there already by
	// another device than a's, or for longer than SamePhone, is counted in Again.
	Activate(ctx context.Context, a Activation) (Activation, bool, error)
	// Activation returns a packet's; farm.ErrNotFound.
	Activation(ctx context.Context, roll string, number int) (Activation, error)
}

// An Outcome is what came of showing a covered code.
type Outcome string

// The outcomes of a right code.
const (
	First   Outcome = "first"   // activated now
	Same    Outcome = "same"    // by this phone, within SamePhone
	Already Outcome = "already" // earlier, by somebody else
)

var (
	// ErrUncovered reports a code that has no covered code.
	ErrUncovered = errors.New("the code has no covered code")
	// ErrCover reports a covered code that is not the one of the packet.
	ErrCover = errors.New("wrong covered code")
)

// A LockedError reports too many tries.
type LockedError struct {
	Source bool      // from one address, rather than at one code
	Until  time.Time // when it may be tried again
}

// Error implements error.
func (e *LockedError) Error() string { return "too many tries, until " + e.Until.Format(time.RFC3339) }

// A Reveal is somebody's showing of a covered code.
type Reveal struct {
	Code   string // the public one, as label.ParseCode returns it
	Cover  string // as typed
	Device string // what the phone was given to be known again; secret
	Source string // address that it comes from
	Town   string // coarse place; "" where nobody knows
}

// Reveal activates a packet. Errors: *label.CodeError for a mistyped code, ErrCover,
// *LockedError, ErrUncovered, *StateError for a packet that is bound to no batch,
// farm.ErrNotFound.
func (s *Service) Reveal(ctx context.Context, r Reveal) (Activation, Outcome, error) {
	u, err := s.Lookup(ctx, r.Code)
	if err != nil {
		return Activation{}, "", err
	}
	if !u.Roll.Covered {
		return Activation{}, "", ErrUncovered
	}
	if u.State != Bound {
		return Activation{}, "", &StateError{"activation", Span{First: u.Number, Last: u.Number, State: u.State}}
	}
	cover, err := label.ParseCover(r.Cover)
	if err != nil {
		return Activation{}, "", err
	}
	now, device := s.now(), s.Key.device(r.Device, u.Roll.ID, u.Number)
	right := subtle.ConstantTimeCompare([]byte(cover), []byte(s.Key.cover(u.Roll.Number, u.Number))) == 1
	stands, err := s.Covers.Activation(ctx, u.Roll.ID, u.Number)
	switch {
	case err == nil && right && stands.same(device, now): // whose phone knows the code already
		return stands, Same, nil
	case err != nil && !errors.Is(err, farm.ErrNotFound):
		return Activation{}, "", err
	}
	if err := s.try(ctx, u, r.Source, now); err != nil {
		return Activation{}, "", err
	}
	if !right {
		return Activation{}, "", ErrCover
	}
	return s.activate(ctx, u, Activation{Roll: u.Roll.ID, Number: u.Number, At: now, Device: device, Town: r.Town})
}

// same reports whether a phone shows again what it has shown.
func (a Activation) same(device string, now time.Time) bool {
	return a.Device == device && now.Sub(a.At) < SamePhone
}

// try takes one of the tries that there are.
func (s *Service) try(ctx context.Context, u Unit, source string, now time.Time) error {
	if source != "" {
		until, err := s.Covers.TryCover(ctx, "source "+s.Key.source(source, now), TriesPerSource, now, TryWindow)
		if err != nil {
			return fmt.Errorf("count try: %w", err)
		}
		if !until.IsZero() {
			return &LockedError{Source: true, Until: until}
		}
	}
	until, err := s.Covers.TryCover(ctx, u.name(), TriesPerCode, now, TryWindow)
	if err != nil {
		return fmt.Errorf("count try: %w", err)
	}
	if !until.IsZero() {
		return &LockedError{Until: until}
	}
	return nil
}

// name is under what tries at a code are counted.
func (u Unit) name() string { return u.Roll.ID + " " + strconv.Itoa(u.Number) }

func (s *Service) activate(ctx context.Context, u Unit, a Activation) (Activation, Outcome, error) {
	stands, first, err := s.Covers.Activate(ctx, a)
	if err != nil {
		return Activation{}, "", fmt.Errorf("activate: %w", err)
	}
	if err := s.Covers.ForgetTries(ctx, u.name()); err != nil {
		return Activation{}, "", fmt.Errorf("activate: %w", err)
	}
	switch {
	case first:
		return stands, First, nil
	case stands.same(a.Device, a.At):
		return stands, Same, nil
	}
	return stands, Already, nil
}

// Activation returns a packet's first activation, and whether it was by the phone that
// asks, within SamePhone; farm.ErrNotFound.
func (s *Service) Activation(ctx context.Context, u Unit, device string) (a Activation, mine bool, err error) {
	a, err = s.Covers.Activation(ctx, u.Roll.ID, u.Number)
	return a, err == nil && a.same(s.Key.device(device, u.Roll.ID, u.Number), s.now()), err
}
