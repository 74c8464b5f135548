package ingest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"tianhai/farm"
)

// MaxClockAhead is how far ahead of the server's clock a device's may be and
// still be believed.
const MaxClockAhead = 5 * time.Minute

// FaultClass groups the reasons for quarantine by who can mend them.
type FaultClass string

// The classes of faults.
const (
	FaultDecode  FaultClass = "decode"  // the payload does not parse, or in no known format
	FaultDevice  FaultClass = "device"  // nobody registered the device
	FaultPlace   FaultClass = "place"   // the device stands nowhere
	FaultChannel FaultClass = "channel" // a value that the device's model does not know
	FaultRepeat  FaultClass = "repeat"  // two values for one quantity and moment
	FaultStore   FaultClass = "store"   // the time-series store refuses an observation
)

// A FrameError reports a fault of the frame itself. Trying again is of no use
// until the registry or the decoder is mended; every other error may pass.
type FrameError struct {
	Class FaultClass
	Err   error
}

func (e *FrameError) Error() string { return e.Err.Error() }

func (e *FrameError) Unwrap() error { return e.Err }

func fault(class FaultClass, format string, args ...any) error {
	return &FrameError{class, fmt.Errorf(format, args...)}
}

// Profiles knows the devices. Profile returns ErrUnknownDevice, wrapped, for one
// that nobody registered; other errors are taken for a passing trouble.
type Profiles interface {
	Profile(ctx context.Context, device string) (*Profile, error)
}

// A Sample is one calibrated value on its way to a flag.
type Sample struct {
	Device   string
	Site     string // where the device stood
	Channel  string // the device's own name
	Quantity farm.Quantity
	Limits   farm.Range // of the sensor; the zero Range means those of the quantity
	Time     time.Time
	Value    float64
	Missing  bool // the device said that it has no value
}

// Quality flags samples. Those of one device come in the order of the journal,
// and within a frame in order of time.
type Quality interface {
	Flag(s Sample) Flag
}

// A Chain reads frames of formats in which messages refer to earlier ones, such as
// Sparkplug. Each reader of the journal needs its own.
type Chain interface {
	// Owner returns whose readings a frame of such a format holds, which may be
	// another than who sent it; false for every other format.
	Owner(f *Frame) (device string, ok bool)
	// Read returns what a frame says. It is given every frame for which Owner
	// reports true, in the order of the journal and after a crash again from the
	// cursor on. Its error means that the frame must be quarantined.
	Read(ctx context.Context, f *Frame) ([]Value, error)
	// Keep returns nil once what Read has learned outlives a crash. The reader's
	// cursor passes no frame before that.
	Keep(ctx context.Context) error
}

// An Interpreter turns frames into observations: decode, place, calibrate, flag.
// All fields without another word are needed. It may be used concurrently as far as Quality may; one
// Quality must not serve two readers of the journal, because each of them passes
// every frame through it.
type Interpreter struct {
	Profiles Profiles
	// Decode returns the decoder of a format, or of a content type. Its values may
	// be put in room, whatever it holds.
	Decode  func(format string) (decoder func(payload []byte, room []Value) ([]Value, error), known bool)
	Quality Quality
	Chain   Chain // nil: there are no such formats
}

// Interpret returns what a frame says, one observation for each moment, oldest
// first.
//
// The device's time counts when it is not before the device's first
// installation and at most MaxClockAhead of Received; otherwise, and when there
// is none, Received does, less Value.Ago under the same conditions, and
// ServerTime is set. Times are whole milliseconds.
//
// A value in a unit of its own is brought to that of the channel's quantity
// before calibration; one that does not convert is a fault.
//
// A *FrameError means that the frame must be quarantined, also when it comes
// with observations, which are then the sound part of the frame. With any other
// error there are none, and the frame is to be tried again.
func (in *Interpreter) Interpret(ctx context.Context, f Frame) ([]Observation, error) {
	var t transcript
	err := in.transcribe(ctx, &f, &t)
	return t.observations, err
}

// Read is Interpret for values that came as something else than a payload, such
// as a row of a file.
func (in *Interpreter) Read(ctx context.Context, f Frame, values []Value) ([]Observation, error) {
	p, err := in.profile(ctx, f.Device, f.Received)
	if err != nil {
		return nil, err
	}
	var t transcript
	err = in.settle(p, &f, values, &t)
	return t.observations, err
}

// transcribe is Interpret, with the observations at the end of t.
func (in *Interpreter) transcribe(ctx context.Context, f *Frame, t *transcript) error {
	if in.Chain != nil {
		if owner, ok := in.Chain.Owner(f); ok {
			return in.follow(ctx, owner, f, t)
		}
	}
	p, err := in.profile(ctx, f.Device, f.Received)
	if err != nil {
		return err
	}
	format := cmp.Or(f.ContentType, p.Format)
	decode, known := in.Decode(format)
	if !known {
		return fault(FaultDecode, "no decoder for format %q", format)
	}
	values, err := decode(f.Payload, t.values)
	if err != nil {
		return &FrameError{FaultDecode, err}
	}
	t.lend(values)
	return in.settle(p, f, values, t)
}

// follow reads a frame of a chain, which counts there also where its device is not
// known. One without values, such as a death, is nothing to quarantine.
func (in *Interpreter) follow(ctx context.Context, owner string, f *Frame, t *transcript) error {
	p, unfit := in.profile(ctx, owner, f.Received)
	if bad := (*FrameError)(nil); unfit != nil && !errors.As(unfit, &bad) {
		return unfit
	}
	values, err := in.Chain.Read(ctx, f)
	switch {
	case err == nil && len(values) == 0:
		return nil
	case unfit != nil:
		return unfit
	case err != nil:
		return &FrameError{FaultDecode, err}
	}
	return in.settle(p, f, values, t)
}

// owner returns the device that a frame is to be quarantined for.
func (in *Interpreter) owner(f *Frame) string {
	if in.Chain != nil {
		if device, ok := in.Chain.Owner(f); ok {
			return device
		}
	}
	return f.Device
}

// keep has the chain keep what it learned.
func (in *Interpreter) keep(ctx context.Context) error {
	if in.Chain == nil {
		return nil
	}
	return in.Chain.Keep(ctx)
}

// profile returns what must be known of a device, which must have been believed
// when its frame came.
func (in *Interpreter) profile(ctx context.Context, device string, received time.Time) (*Profile, error) {
	p, err := in.Profiles.Profile(ctx, device)
	if errors.Is(err, ErrUnknownDevice) {
		return nil, &FrameError{FaultDevice, err}
	}
	if err != nil {
		return nil, fmt.Errorf("look up device %s: %w", device, err)
	}
	if !p.Barred.IsZero() && !received.Before(p.Barred) {
		return nil, fault(FaultDevice, "device %s is suspended or retired since %s", device, p.Barred.Format(time.RFC3339))
	}
	return p, nil
}

// settle makes observations of values, at the end of t.
func (in *Interpreter) settle(p *Profile, f *Frame, values []Value, t *transcript) error {
	if len(p.Installations) == 0 {
		return fault(FaultPlace, "device %s is not installed at any site", cmp.Or(p.Device, f.Device))
	}
	a := account{device: cmp.Or(p.Device, f.Device), quality: in.Quality, profile: p, frame: f, received: f.Received.UTC().Truncate(time.Millisecond), transcript: t, first: len(t.observations)}
	a.settleTimes(values)
	for i := range values {
		a.add(&values[i])
	}
	if len(t.observations) == a.first && len(values) > 0 {
		a.blame(FaultChannel, "none of the %d values is on a channel of the model", len(values))
	}
	return a.err
}

// An account is what one frame says, put together value by value.
type account struct {
	*transcript
	device   string // which may be called otherwise in the frame
	first    int    // of the frame's observations in the transcript
	quality  Quality
	profile  *Profile
	frame    *Frame
	received time.Time
	prefix   string // of the names that were cut
	err      error  // the first fault
}

// settleTimes gives every value the time that counts and sorts by it. What the
// server must time is put at Received, or as long before as the device says.
func (a *account) settleTimes(values []Value) {
	first, latest := a.profile.Installations[0].From, a.received.Add(MaxClockAhead)
	credible := func(t time.Time) bool { return !t.Before(first) && !t.After(latest) }
	var said, counts time.Time // of the value before, which mostly has the same
	for i := range values {
		v := &values[i]
		switch {
		case v.Time.IsZero():
			if v.Ago != 0 && !credible(a.received.Add(-v.Ago)) {
				v.Ago = 0
			}
		case v.Time.Equal(said):
			v.Time = counts
		case credible(v.Time):
			said, counts = v.Time, v.Time.UTC().Truncate(time.Millisecond)
			v.Time = counts
		default:
			v.Time, v.Ago = time.Time{}, 0
		}
	}
	for i := 1; i < len(values); i++ {
		if a.time(&values[i]).Before(a.time(&values[i-1])) {
			slices.SortStableFunc(values, func(x, y Value) int { return a.time(&x).Compare(a.time(&y)) })
			return
		}
	}
}

func (a *account) time(v *Value) time.Time {
	switch {
	case !v.Time.IsZero():
		return v.Time
	case v.Ago == 0:
		return a.received
	default:
		return a.frame.Received.Add(-v.Ago).UTC().Truncate(time.Millisecond)
	}
}

// add puts a value into the observation of its moment.
func (a *account) add(v *Value) {
	key, ch, known := a.channel(v)
	if !known {
		if !v.Extra {
			a.blame(FaultChannel, "unknown channel %q", v.Channel)
		}
		return
	}
	if v.Text != "" {
		a.blame(FaultChannel, "channel %q: text is no reading", v.Channel)
		return
	}
	s := Sample{
		Device: a.device, Channel: key, Quantity: ch.Quantity, Limits: ch.Limits,
		Time: a.time(v), Missing: v.Missing,
	}
	if !v.Missing {
		x, err := v.Number, error(nil)
		if v.Unit != "" {
			x, err = ch.Quantity.Convert(x, v.Unit)
		}
		if err != nil {
			a.blame(FaultChannel, "channel %q: %w", v.Channel, err)
			return
		}
		s.Value = ch.Apply(x, s.Time)
	}
	if math.IsNaN(s.Value) || math.IsInf(s.Value, 0) {
		a.blame(FaultChannel, "channel %q: %g has no finite calibrated value", v.Channel, v.Number)
		return
	}
	o := a.at(s.Time, v.Time.IsZero())
	if o == nil {
		return
	}
	s.Site = o.Place.Site
	o.Old = o.Old || v.Old
	for i := range o.Readings {
		if o.Readings[i].Quantity.ID == ch.Quantity.ID {
			a.blame(FaultRepeat, "channel %q: a second value of %s for %s", v.Channel, ch.Quantity.ID, s.Time.Format(time.RFC3339Nano))
			return
		}
	}
	a.put(o, Reading{Quantity: ch.Quantity, Value: s.Value, Flag: a.quality.Flag(s)})
}

// channel finds the channel of a value by its whole name, or else by what
// follows Cut. All names of a frame that are cut must begin alike: a second
// beginning is another sensor, whose values must not mix with those of the first.
func (a *account) channel(v *Value) (key string, ch Channel, known bool) {
	ch, known = a.profile.Channels[v.Channel]
	if known || v.Cut == 0 {
		return v.Channel, ch, known
	}
	prefix, key := v.Channel[:v.Cut], v.Channel[v.Cut:]
	ch, known = a.profile.Channels[key]
	if known && a.prefix == "" {
		a.prefix = prefix
	}
	return key, ch, known && prefix == a.prefix
}

// at returns the observation of time t, nil when the device stood nowhere then.
func (a *account) at(t time.Time, byServer bool) *Observation {
	if n := len(a.observations); n > a.first && a.observations[n-1].Time.Equal(t) {
		o := &a.observations[n-1]
		o.ServerTime = o.ServerTime || byServer
		return o
	}
	placed, ok := a.profile.At(t)
	if !ok {
		a.blame(FaultPlace, "device %s was not installed at any site at %s", a.device, t.Format(time.RFC3339))
		return nil
	}
	return a.begin(Observation{
		Device: a.device, Place: placed.Place, Time: t, Received: a.received, ServerTime: byServer,
	}, len(a.profile.Channels))
}

func (a *account) blame(class FaultClass, format string, args ...any) {
	if a.err == nil {
		a.err = fault(class, format, args...)
	}
}
