package device

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"tianhai/farm"
	"tianhai/ingest"
)

// Limits of a model.
const (
	MaxKey      = 128 // bytes of a channel's key
	MaxChannels = 256 // and as many commands
	MaxInterval = 366 * 24 * time.Hour
)

// A ModelChange is the audit of one change: what the model is from then on.
type ModelChange struct {
	At      time.Time `json:"at"`
	Account string    `json:"account"`
	Model   Model     `json:"model"`
}

// ModelStore keeps models, and what they were.
type ModelStore interface {
	// PutModel adds a model or replaces the one with its ID, together with the
	// audit of it. The same again is nothing new.
	PutModel(ctx context.Context, c ModelChange) error
	// ModelChanges returns a model's, newest first.
	ModelChanges(ctx context.Context, model string, limit int) ([]ModelChange, error)
}

// Faults returns everything that keeps m from being a model: a bad or missing
// identifier, name, format or name of a command; a channel without a key or with
// one used twice; a quantity that is unknown or measured by two channels, which
// would write over each other; a calibration that is not finite; limits that
// are empty or outside of what the quantity can be.
func (m Model) Faults() (faults []Fault) {
	fault := func(field, format string, args ...any) {
		faults = append(faults, Fault{Field: field, Reason: fmt.Sprintf(format, args...)})
	}
	if err := farm.CheckID(m.ID); err != nil {
		fault("id", "%v", err)
	}
	if reason := nameFault(m.Name); reason != "" {
		fault("name", "%s", reason)
	}
	if m.Format == "" {
		fault("format", "is missing")
	}
	if m.Interval < 0 || m.Interval > MaxInterval {
		fault("interval", "%v is not within 0 and %v", m.Interval, MaxInterval)
	}
	if len(m.Channels) > MaxChannels || len(m.Commands) > MaxChannels {
		fault("channels", "more than %d channels or commands", MaxChannels)
		return faults
	}
	keys, quantities, commands := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for i, c := range m.Channels {
		at := fmt.Sprintf("channels[%d].", i)
		for _, f := range c.faults() {
			fault(at+f.Field, "%s", f.Reason)
		}
		if keys[c.Key] {
			fault(at+"key", "%q is the key of another channel too", c.Key)
		}
		if quantities[c.Quantity] {
			fault(at+"quantity", "another channel measures %s too", c.Quantity)
		}
		keys[c.Key], quantities[c.Quantity] = true, true
	}
	for i, c := range m.Commands {
		at := fmt.Sprintf("commands[%d]", i)
		if err := farm.CheckID(c); err != nil {
			fault(at, "%v", err)
		}
		if commands[c] {
			fault(at, "%q is there twice", c)
		}
		commands[c] = true
	}
	return faults
}

// Validate is Faults as one error.
func (m Model) Validate() error { return join(m.Faults()) }

// nameFault says what keeps a text from being a name; empty: nothing.
func nameFault(t farm.Text) string {
	switch {
	case strings.TrimSpace(t.Zh) == "":
		return "has no Chinese"
	case len(t.Zh) > MaxNote || len(t.En) > MaxNote || !utf8.ValidString(t.Zh+t.En):
		return fmt.Sprintf("is not text of at most %d bytes", MaxNote)
	case strings.ContainsFunc(t.Zh+t.En, unicode.IsControl):
		return "has a control character"
	}
	return ""
}

func (c Channel) faults() (faults []Fault) {
	fault := func(field, format string, args ...any) {
		faults = append(faults, Fault{Field: field, Reason: fmt.Sprintf(format, args...)})
	}
	switch {
	case c.Key == "" || len(c.Key) > MaxKey:
		fault("key", "a key has 1 to %d bytes", MaxKey)
	case c.Key == "ts":
		fault("key", "ts is the time of a payload")
	}
	if !finite(c.Slope) || !finite(c.Offset) {
		fault("slope", "slope %v, offset %v is no calibration", c.Slope, c.Offset)
	}
	q, ok := farm.LookupQuantity(c.Quantity)
	if !ok {
		fault("quantity", "%q is not in the vocabulary", c.Quantity)
	}
	if l := c.Limits; l != (farm.Range{}) {
		if !finite(l.Min) || !finite(l.Max) || l.Min >= l.Max {
			fault("limits", "limits %v to %v hold nothing", l.Min, l.Max)
		} else if ok && (l.Max < q.Range.Min || l.Min > q.Range.Max) {
			fault("limits", "%v to %v are outside of %v to %v, what %s can be", l.Min, l.Max, q.Range.Min, q.Range.Max, q.ID)
		}
	}
	return faults
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// Profile returns what the frames of a device of this model are read by, before it
// is installed or calibrated.
func (m Model) Profile() *ingest.Profile {
	p := m.profile()
	return &ingest.Profile{Format: p.format, Interval: p.interval, Channels: p.channels}
}

// profile returns what a frame is read by. A channel whose quantity is no longer
// in the vocabulary is left out, so that its values go to quarantine instead of
// holding up the others.
func (m Model) profile() profileModel {
	p := profileModel{format: m.Format, interval: m.Interval, channels: make(map[string]ingest.Channel, len(m.Channels))}
	for _, c := range m.Channels {
		q, ok := farm.LookupQuantity(c.Quantity)
		if !ok {
			continue
		}
		slope := c.Slope
		if slope == 0 {
			slope = 1
		}
		p.channels[c.Key] = ingest.Channel{Quantity: q, Slope: slope, Offset: c.Offset, Limits: c.Limits}
	}
	return p
}
