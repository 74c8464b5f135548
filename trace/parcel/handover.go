package parcel

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"tianhai/farm"
)

// HandoverState is how far a Handover is.
type HandoverState string

// The states of a handover.
const (
	Sending   HandoverState = "sending"   // it is tried until Patience is over
	Delivered HandoverState = "delivered" // the platform has acknowledged it
	Refused   HandoverState = "refused"   // a final no
	GivenUp   HandoverState = "given_up"  // Patience was over, or the file was deleted
)

// Patience is how long a package is tried to be handed over.
const Patience = 24 * time.Hour

// ErrNoPlatform reports that the server knows of no platform.
var ErrNoPlatform = errors.New("the server hands packages over to no platform")

// A Handover is a package on its way to a platform, and by what the platform
// acknowledged it.
type Handover struct {
	Package  string        `json:"-"`
	Form     Form          `json:"form"`
	SHA256   string        `json:"sha256"`   // of what is handed over, which is its key
	Platform string        `json:"platform"` // host
	Account  string        `json:"account"`  // who asked for it
	State    HandoverState `json:"state"`
	Asked    time.Time     `json:"asked"`
	Ended    time.Time     `json:"ended,omitzero"`
	Attempts int           `json:"attempts"`
	Due      time.Time     `json:"due"` // when it is tried next, where it is sending
	Receipt  string        `json:"receipt,omitempty"`
	Fault    string        `json:"fault,omitempty"` // what the last attempt failed with, in the platform's words or English
}

// Outbox keeps handovers.
type Outbox interface {
	Package(ctx context.Context, id string) (Package, error) // farm.ErrNotFound
	// AddHandover stores one instead of another that ended in vain; one that is under
	// way or acknowledged is farm.ErrConflict.
	AddHandover(ctx context.Context, h Handover) error
	// DueHandover returns the one that is sending and was due first; farm.ErrNotFound.
	DueHandover(ctx context.Context) (Handover, error)
	SetHandover(ctx context.Context, h Handover) error
}

// A Courier hands packages over to a platform, each until it is acknowledged or
// refused. It may be killed at any time: a package is handed over again under the same
// key, as long as no receipt is stored.
type Courier struct {
	Outbox   Outbox
	Platform Platform // nil: there is none
	Name     string   // its host
	Open     func(ctx context.Context, id string, f Form) (*os.File, File, error)
	Now      func() time.Time // nil means time.Now
	Logger   *slog.Logger
	wake     chan struct{}
}

// NewCourier returns c, ready to Run.
func NewCourier(c Courier) *Courier {
	if c.Now == nil {
		c.Now = time.Now
	}
	c.wake = make(chan struct{}, 1)
	return &c
}

func (c *Courier) now() time.Time { return c.Now().UTC().Truncate(time.Millisecond) }

// Where returns the platform's host; "" where there is none.
func (c *Courier) Where() string { return c.Name }

// HandOver begins to hand a file of a package over. Errors: ErrNoPlatform,
// farm.ErrNotFound for the file, farm.ErrConflict where it is under way or was
// acknowledged.
func (c *Courier) HandOver(ctx context.Context, id string, f Form, account string) (Package, error) {
	if c.Platform == nil {
		return Package{}, ErrNoPlatform
	}
	file, about, err := c.Open(ctx, id, f)
	if err != nil {
		return Package{}, err
	}
	now := c.now()
	err = errors.Join(file.Close(), c.Outbox.AddHandover(ctx, Handover{
		Package: id, Form: f, SHA256: about.SHA256, Platform: c.Name, Account: account, State: Sending, Asked: now, Due: now,
	}))
	if err != nil {
		return Package{}, fmt.Errorf("hand over package %s: %w", id, err)
	}
	select {
	case c.wake <- struct{}{}:
	default:
	}
	return c.Outbox.Package(ctx, id)
}

// Run hands packages over until ctx is done, then returns nil.
func (c *Courier) Run(ctx context.Context) error {
	if c.Platform == nil {
		<-ctx.Done()
		return nil
	}
	for {
		pause, err := c.round(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			pause = lastWait
			c.Logger.WarnContext(ctx, "handovers of packages wait", "error", err, "retry_in", pause)
		}
		if pause > 0 && !sleep(ctx, pause, c.wake) {
			return nil
		}
	}
}

// round tries what is due first, and returns how long there is nothing to do.
func (c *Courier) round(ctx context.Context) (time.Duration, error) {
	h, err := c.Outbox.DueHandover(ctx)
	if errors.Is(err, farm.ErrNotFound) {
		return poll, nil
	}
	if err != nil {
		return 0, err
	}
	if pause := h.Due.Sub(c.now()); pause > 0 {
		return min(pause, poll), nil
	}
	receipt, err := c.deliver(ctx, h)
	if ctx.Err() != nil {
		return 0, nil
	}
	now := c.now()
	h.Attempts++
	h.Fault = ""
	switch {
	case err == nil:
		h.State, h.Receipt, h.Ended = Delivered, text(receipt), now
	case errors.As(err, new(*RefusedError)):
		h.State, h.Fault, h.Ended = Refused, err.Error(), now
	case errors.Is(err, farm.ErrNotFound):
		h.State, h.Fault, h.Ended = GivenUp, "the file was deleted", now
	case now.Sub(h.Asked) >= Patience:
		h.State, h.Fault, h.Ended = GivenUp, err.Error(), now
	default:
		h.Fault, h.Due = err.Error(), now.Add(pauseAfter(h.Attempts))
	}
	if err != nil {
		c.Logger.WarnContext(ctx, "a package was not handed over", "package", h.Package, "platform", h.Platform, "state", h.State, "error", err)
	}
	h.Fault = text(h.Fault)
	return 0, c.Outbox.SetHandover(ctx, h)
}

// text returns what a platform said as text that every database keeps: else it could
// not be written down that a package was delivered.
func text(s string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", "\ufffd"), "\ufffd")
}

// pauseAfter doubles from firstPause to lastPause.
func pauseAfter(attempts int) time.Duration {
	pause := firstPause
	for range attempts - 1 {
		if pause *= 2; pause >= lastPause {
			return lastPause
		}
	}
	return pause
}

func (c *Courier) deliver(ctx context.Context, h Handover) (receipt string, err error) {
	file, about, err := c.Open(ctx, h.Package, h.Form)
	if err != nil {
		return "", err
	}
	if err := file.Close(); err != nil {
		return "", err
	}
	return c.Platform.Deliver(ctx, Delivery{Key: h.SHA256, Media: h.Form.Media(), Size: about.Size, Open: func() (io.ReadCloser, error) {
		file, _, err := c.Open(ctx, h.Package, h.Form)
		return file, err
	}})
}
