package ingest

import (
	"context"
	"errors"
	"log/slog"
)

// Why a device is not let in.
var (
	ErrDenied  = errors.New("wrong secret or unknown device, or it may not connect")
	ErrGuesses = errors.New("too many wrong secrets")
)

// A Door lets devices in by their secrets, whichever way they come: a wrong one
// counts for all of them. Who sends wrong secrets is soon refused unheard, and
// fills no log.
type Door struct {
	auth     Authenticator
	log      *slog.Logger
	throttle *throttle
}

// NewDoor returns a door that hears so many wrong secrets of one device before it
// refuses more unheard; 0 means 10, and one is forgiven each half minute. Log may
// be nil.
func NewDoor(auth Authenticator, wrongSecrets int, log *slog.Logger) *Door {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Door{auth, slog.New(Calm(log.Handler())), newThrottle(wrongSecrets)}
}

// Admit is nil for the right secret, ErrDenied for a wrong one, and ErrGuesses
// where it was not heard. Remote is the address, with a port, that it came from.
func (d *Door) Admit(ctx context.Context, device, remote string, secret []byte) error {
	if !d.throttle.admits(device, remote) {
		d.throttle.wrong(device, remote)
		return ErrGuesses
	}
	if d.auth.Authenticate(ctx, device, secret) {
		return nil
	}
	if tell, hushed := d.throttle.wrong(device, remote); tell {
		d.log.WarnContext(ctx, "device refused", "device", device, "remote", remote, "reason", ErrDenied.Error(), "before_unlogged", hushed)
	}
	return ErrDenied
}
