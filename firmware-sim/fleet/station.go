package fleet

import (
	"math"
	"strconv"
	"time"
)

const (
	// step is the grid of the physics in seconds.
	step = 5 * minute
	// rainTip and waterPulse are the smallest amounts that the meters count.
	rainTip    = 0.2 // mm
	waterPulse = 0.1 // L
)

// A station is the physics of a device, its sensors and their faults. It holds
// no clock: it is asked for ever later times.
type station struct {
	kind    Kind
	climate climate
	own     source
	faults  []*fault
	model   model
	at      float64          // the model stands here, a multiple of step
	counted map[string]int64 // tips and pulses already reported
}

func newStation(seed uint64, dev Device, start time.Time) (*station, error) {
	kind, err := dev.check()
	if err != nil {
		return nil, err
	}
	s := &station{
		kind:    kind,
		climate: newClimate(source(seed).named("weather")),
		own:     source(seed).named(dev.ID),
		counted: map[string]int64{},
	}
	for _, f := range dev.Faults {
		if f.From.IsZero() && f.Kind == Drift {
			f.From = start
		}
		s.faults = append(s.faults, &fault{Fault: f, held: map[string]float64{}})
	}
	s.at = gridAfter(seconds(start)-kind.settle) - step
	place := site{own: s.own, begin: s.at, haste: 1}
	if dev.Haste > 0 {
		place.haste = dev.Haste
	}
	if !dev.LowOxygen.IsZero() {
		from := seconds(dev.LowOxygen)
		place.low = [2]float64{from, from + 12*hour}
	}
	if !dev.DoorOpen.IsZero() {
		from := seconds(dev.DoorOpen)
		place.door = [2]float64{from, from + 50*60}
	}
	s.model = kind.model(place)
	s.seek(seconds(start))
	s.count(s.truth(seconds(start)), func(string, float64) {})
	return s, nil
}

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

// seek moves the model to the last point of the grid that is not after t.
func (s *station) seek(t float64) {
	for next := gridAfter(s.at); next <= t; next = gridAfter(s.at) {
		s.advance(s.model, next)
		s.at = next
	}
}

// advance moves m from where the model stands to a time before or on the next
// point of the grid. The weather is that of the middle of the grid's cell, so
// that two part steps add up to a whole one.
func (s *station) advance(m model, to float64) {
	m.advance(s.at, to-s.at, s.climate.at(gridAfter(s.at)-step/2))
}

func gridAfter(t float64) float64 { return (math.Floor(t/step) + 1) * step }

// truth returns what is, at t.
func (s *station) truth(t float64) map[string]float64 {
	s.seek(t)
	m := s.model
	if t > s.at {
		m = m.clone()
		s.advance(m, t)
	}
	values := make(map[string]float64, len(s.kind.Channels))
	m.observe(t, s.climate.at(t), func(channel string, v float64) { values[channel] = v })
	return values
}

// count tells, for each channel that sums, what its meter counted since it was
// last asked.
func (s *station) count(truth map[string]float64, tell func(channel string, amount float64)) {
	for _, c := range s.kind.Channels {
		if !c.Sum {
			continue
		}
		unit := waterPulse
		if c.Name == "rain" {
			unit = rainTip
		}
		n := int64(math.Floor(truth[c.Name] / unit))
		tell(c.Name, float64(n-s.counted[c.Name])*unit)
		s.counted[c.Name] = n
	}
}

// command passes a command to the model at t; false where it knows none such.
func (s *station) command(t time.Time, name string, on bool) bool {
	m, obeys := s.model.(interface{ command(string, bool) })
	if !obeys {
		return false
	}
	s.seek(seconds(t))
	if at := seconds(t); at > s.at {
		s.advance(s.model, at)
		s.at = at
	}
	m.command(name, on)
	return true
}

// measure reads the sensors at t and returns the payload: a JSON object of "ts"
// in Unix milliseconds and one member per channel, null where it is missing.
func (s *station) measure(t time.Time) []byte {
	at := seconds(t)
	values := s.truth(at)
	s.count(values, func(channel string, amount float64) { values[channel] = amount })
	for _, c := range s.kind.Channels {
		if c.noise > 0 {
			values[c.Name] += c.noise * s.own.named(c.Name).gauss(t.UnixMilli())
		}
		values[c.Name] = round(clamp(values[c.Name], c.low, c.high), c.Digits)
	}
	s.derive(values)

	stamp := t
	for _, f := range s.faults {
		stamp = f.clock(stamp, t)
	}
	b := strconv.AppendInt([]byte(`{"ts":`), stamp.UnixMilli(), 10)
	for _, c := range s.kind.Channels {
		v, missing := values[c.Name], false
		for _, f := range s.faults {
			v, missing = f.apply(s.own, c, t, v, missing)
		}
		b = append(strconv.AppendQuote(append(b, ','), c.Name), ':')
		if missing {
			b = append(b, "null"...)
		} else {
			b = strconv.AppendFloat(b, round(v, c.Digits), 'f', -1, 64)
		}
	}
	return append(b, '}')
}

// derive computes, as a sonde does, the channels that follow from others as
// they were read.
func (s *station) derive(values map[string]float64) {
	for _, c := range s.kind.Channels {
		switch c.Name {
		case "conductivity":
			values[c.Name] = round(conductivity(values["salinity"], values["temperature"]), c.Digits)
		case "oxygen_saturation":
			full := oxygenAtSaturation(values["temperature"], values["salinity"])
			values[c.Name] = round(100*values["dissolved_oxygen"]/full, c.Digits)
		}
	}
}

func round(v float64, digits int) float64 {
	p := math.Pow10(digits)
	if r := math.Round(v*p) / p; r != 0 {
		return r
	}
	return 0 // never -0
}
