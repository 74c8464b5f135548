package device

import (
	"errors"
	"fmt"
	"math"

	"tianhai/farm"
	"tianhai/ingest"
)

// MaxKey is how long a channel's key may be, in bytes.
const MaxKey = 128

// Validate reports everything that keeps m from being a model: a bad or missing
// identifier, format or name of a command; a channel without a key or with one
// used twice; a quantity that is unknown or measured by two channels, which
// would write over each other; a calibration that is not finite; limits that
// are empty or outside of what the quantity can be.
func (m Model) Validate() error {
	var errs []error
	if err := farm.CheckID(m.ID); err != nil {
		errs = append(errs, err)
	}
	if m.Format == "" {
		errs = append(errs, errors.New("format is missing"))
	}
	if m.Interval < 0 {
		errs = append(errs, fmt.Errorf("interval %v is negative", m.Interval))
	}
	keys, quantities, commands := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, c := range m.Channels {
		if err := c.validate(); err != nil {
			errs = append(errs, fmt.Errorf("channel %q: %w", c.Key, err))
		}
		if keys[c.Key] {
			errs = append(errs, fmt.Errorf("channel %q: the key is used twice", c.Key))
		}
		if quantities[c.Quantity] {
			errs = append(errs, fmt.Errorf("channel %q: another channel measures %s too", c.Key, c.Quantity))
		}
		keys[c.Key], quantities[c.Quantity] = true, true
	}
	for _, c := range m.Commands {
		if err := farm.CheckID(c); err != nil {
			errs = append(errs, fmt.Errorf("command: %w", err))
		}
		if commands[c] {
			errs = append(errs, fmt.Errorf("command %q is there twice", c))
		}
		commands[c] = true
	}
	return errors.Join(errs...)
}

func (c Channel) validate() error {
	switch {
	case c.Key == "" || len(c.Key) > MaxKey:
		return fmt.Errorf("a key has 1 to %d bytes", MaxKey)
	case c.Key == "ts":
		return errors.New("ts is the time of a payload")
	case !finite(c.Slope) || !finite(c.Offset):
		return fmt.Errorf("slope %v, offset %v is no calibration", c.Slope, c.Offset)
	}
	q, ok := farm.LookupQuantity(c.Quantity)
	if !ok {
		return fmt.Errorf("quantity %q is not in the vocabulary", c.Quantity)
	}
	if l := c.Limits; l != (farm.Range{}) {
		if !finite(l.Min) || !finite(l.Max) || l.Min >= l.Max {
			return fmt.Errorf("limits %v to %v hold nothing", l.Min, l.Max)
		}
		if l.Max < q.Range.Min || l.Min > q.Range.Max {
			return fmt.Errorf("limits %v to %v are outside of %v to %v, what %s can be", l.Min, l.Max, q.Range.Min, q.Range.Max, q.ID)
		}
	}
	return nil
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

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
