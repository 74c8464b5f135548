// Package ingest turns what devices send into flagged readings in the
// time-series store, and loses none of it.
//
// A frame is acknowledged only after the journal has it. Two readers then work
// through the journal, each with its own durable cursor: the keeper writes to
// the time-series store and sets aside what cannot be read, the watch feeds
// alerts and screens. An alarm therefore never waits for a database. Both
// repeat work after a crash; what they feed must bear repeats.
package ingest

import (
	"errors"
	"fmt"
	"time"

	"tianhai/farm"
)

var (
	// ErrBusy reports that a frame was not taken, because the journal is full or
	// out of reach. The sender must not be acknowledged and will try again.
	ErrBusy = errors.New("busy, not acknowledged")
	// ErrUnknownDevice reports a frame from a device that nobody registered. The
	// frame is quarantined; registering the device and replaying it mends that.
	ErrUnknownDevice = errors.New("unknown device")
)

// MaxPayload is the largest payload taken from a device, in bytes.
const MaxPayload = 1 << 20

// A Frame is one message from a device, as it came.
type Frame struct {
	Seq         uint64 // place in the journal; 0 before it is journalled
	Device      string // who sent it, as authenticated
	ContentType string // what the sender says it is; empty means the format of the device's model
	Received    time.Time
	Payload     []byte
}

// A DecodeError reports a payload that does not parse. It says where, because
// the person who reads it is holding the device's data sheet.
type DecodeError struct {
	Format string // such as "json"
	Offset int    // first byte that does not fit; -1 where it is not one byte's fault
	Member string // the member at fault, where there is one
	Err    error
}

func (e *DecodeError) Error() string {
	s := e.Format
	if e.Member != "" {
		s += fmt.Sprintf(" member %q", e.Member)
	}
	if e.Offset >= 0 {
		s += fmt.Sprintf(" at byte %d", e.Offset)
	}
	return s + ": " + e.Err.Error()
}

func (e *DecodeError) Unwrap() error { return e.Err }

// A Value is what a device said on one channel, before calibration.
type Value struct {
	Channel string // the device's own name for it
	// Cut is where in Channel the name begins that is unique on the device only,
	// after the part that makes it unique in the world: 32 in SenML's
	// "urn:dev:ow:10e2073a01080063:temp". 0 where there is no such part.
	Cut     int
	Time    time.Time     // zero where the device gave none
	Ago     time.Duration // where Time is zero: how long before Received it was; negative means after
	Number  float64       // always finite; 0 when Missing, and where there is Text
	Unit    string        // UCUM code or SenML unit of Number; empty where the format names none: then it is the quantity's
	Text    string        // what the device said where a number would be; no reading can come of it
	Missing bool          // the device said that it has no value
	// Extra marks what came along with the readings, such as the strength of the
	// radio signal: it is left out where the model has no channel for it.
	Extra bool
	// Old says that the device kept the value until now: it is no news, however
	// short a time ago that was.
	Old bool
}

// A Flag is the outcome of a quality test.
//
// Source: QARTOD, Manual for Real-Time Quality Control, primary flags.
type Flag uint8

// The flags.
const (
	Good         Flag = 1
	NotEvaluated Flag = 2
	Suspect      Flag = 3
	Fail         Flag = 4
	Missing      Flag = 9
)

// Usable reports whether a value with this flag may enter a mean or an alert.
func (f Flag) Usable() bool { return f == Good || f == NotEvaluated || f == Suspect }

// A Reading is one calibrated, flagged value.
type Reading struct {
	Quantity farm.Quantity
	Value    float64 // 0 and meaningless when Flag is Missing
	Flag     Flag
}

// An Observation is what one device said of one moment.
type Observation struct {
	Device   string
	Place    Place
	Time     time.Time // UTC
	Received time.Time // UTC
	// ServerTime reports that the device's clock could not be believed, or that
	// it gave no time, so that Time is Received or was counted from it.
	ServerTime bool
	// Revises reports that something else may be stored for this moment already:
	// then a good flag must be written too, over one that was not.
	Revises bool
	// Old reports that the device kept some of it until now: history, and no news.
	Old      bool
	Readings []Reading
}

// A Place is where a device was installed at the time of an observation.
type Place struct {
	Tenant string
	Region string // GB/T 2260
	Site   string
	Kind   farm.SiteKind
}

// A Profile is what must be known of a device to read its frames.
type Profile struct {
	Device        string
	Format        string             // of its payloads, such as "json"
	Interval      time.Duration      // how often it reports; 0 when not known
	Channels      map[string]Channel // by the device's own name
	Installations []Installation     // oldest first; empty before the device is placed
	Barred        time.Time          // since when nothing of the device is believed; zero: it is
}

// A Channel maps one value of a payload to a quantity: Slope·x + Offset, where x
// is in the quantity's unit if the payload names one.
type Channel struct {
	Quantity     farm.Quantity
	Slope        float64       // before the first calibration; 1 unless scaled
	Offset       float64       // in the quantity's unit
	Limits       farm.Range    // what this sensor can measure; the zero Range means the quantity's own
	Calibrations []Calibration // oldest first
}

// A Calibration says what a channel's Slope and Offset are from From on.
type Calibration struct {
	From          time.Time
	Slope, Offset float64
}

// Apply returns what x means when it was measured at t, however late it comes.
func (c *Channel) Apply(x float64, t time.Time) float64 {
	for i := len(c.Calibrations) - 1; i >= 0; i-- {
		if cal := &c.Calibrations[i]; !t.Before(cal.From) {
			return cal.Slope*x + cal.Offset
		}
	}
	return c.Slope*x + c.Offset
}

// An Installation says that from From on the device stood at Place.
type Installation struct {
	From  time.Time
	Place Place
}

// At returns the installation in force at t; false before the first.
func (p *Profile) At(t time.Time) (Installation, bool) {
	for i := len(p.Installations) - 1; i >= 0; i-- {
		if in := p.Installations[i]; !t.Before(in.From) {
			return in, true
		}
	}
	return Installation{}, false
}

// A Quarantined frame is one that could not be stored, whole or in part.
type Quarantined struct {
	Seq    uint64 // place in quarantine
	At     time.Time
	Reason string
	Frame  Frame
}

// A Command asks a device to do something. It is published to th/{device}/down.
type Command struct {
	ID      string    `json:"id"` // ULID
	Device  string    `json:"-"`
	Name    string    `json:"name"`  // such as "aerator"
	Value   string    `json:"value"` // such as "on"
	Expires time.Time `json:"expires"`
}

// A CommandResult is a device's answer, received on th/{device}/ack.
type CommandResult struct {
	ID    string `json:"id"`
	OK    bool   `json:"ok"`
	Error string `json:"error,omitempty"`
}
