package device

import (
	"errors"
	"fmt"
	"maps"
	"time"
	"unicode/utf8"

	"tianhai/ingest"
)

// MaxNote is how long a note may be, in bytes.
const MaxNote = 500

// A Calibration corrects what one channel of a device says, from a time on. What
// counts is Slope·v + Offset, where v is the value as the model scales it, in the
// quantity's unit: what a screen showed while the sensor stood in the standard
// solution. It replaces the calibration before, and does not come on top of it.
type Calibration struct {
	Device   string    `json:"device"`
	Channel  string    `json:"channel"` // Channel.Key of the model
	Slope    float64   `json:"slope"`   // not 0
	Offset   float64   `json:"offset"`
	From     time.Time `json:"from"`
	Recorded time.Time `json:"recorded"` // the last of one moment is in force
	Account  string    `json:"account"`  // who says so
	Note     string    `json:"note,omitempty"`
}

// Validate reports what keeps c from being a calibration of a device of model m.
func (c Calibration) Validate(m Model) error {
	switch {
	case !finite(c.Slope) || !finite(c.Offset) || c.Slope == 0:
		return fmt.Errorf("slope %v, offset %v is no calibration", c.Slope, c.Offset)
	case c.From.IsZero():
		return errors.New("from is missing")
	case len(c.Note) > MaxNote || !utf8.ValidString(c.Note):
		return fmt.Errorf("a note is text of at most %d bytes", MaxNote)
	}
	for _, ch := range m.Channels {
		if ch.Key == c.Channel {
			return nil
		}
	}
	return fmt.Errorf("channel %q is none of model %s", c.Channel, m.ID)
}

// calibrated returns the channels of a model as one device has them. History is
// oldest first; without any, the model's own map is returned.
func calibrated(channels map[string]ingest.Channel, history []Calibration) map[string]ingest.Channel {
	if len(history) == 0 {
		return channels
	}
	channels = maps.Clone(channels)
	for _, c := range history {
		ch, known := channels[c.Channel]
		if !known {
			continue // the model has lost it
		}
		ch.Calibrations = append(ch.Calibrations, ingest.Calibration{
			From: c.From, Slope: c.Slope * ch.Slope, Offset: c.Slope*ch.Offset + c.Offset,
		})
		channels[c.Channel] = ch
	}
	return channels
}
