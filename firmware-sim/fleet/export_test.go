package fleet

import "time"

var (
	PSS78              = pss78
	Salinity           = salinity
	Conductivity       = conductivity
	OxygenAtSaturation = oxygenAtSaturation
)

// Balance runs the soil of a kind and returns what came in, what went out and
// what is there more at the end, in mm.
func Balance(kind string, seed uint64, from time.Time, long time.Duration) (in, out, more float64) {
	s, err := newStation(seed, Device{ID: "soil", Kind: kind}, from)
	if err != nil {
		panic(err)
	}
	before := *s.model.(*land)
	s.seek(seconds(from.Add(long)))
	after := s.model.(*land)
	return after.rained - before.rained, after.lost - before.lost, after.water - before.water
}

// Pond is a pond whose switches a test can reach.
type Pond struct{ s *station }

// NewPond returns a pond at from.
func NewPond(seed uint64, dev Device, from time.Time) Pond {
	s, err := newStation(seed, dev, from)
	if err != nil {
		panic(err)
	}
	return Pond{s}
}

// Oxygen returns the true oxygen at t, and that at saturation, mg/L.
func (p Pond) Oxygen(t time.Time) (oxygen, full float64) {
	v := p.s.truth(seconds(t))
	return v["dissolved_oxygen"], oxygenAtSaturation(v["temperature"], v["salinity"])
}

// Switch turns the aerator or the feeder on or off at t.
func (p Pond) Switch(t time.Time, name string, on bool) { p.s.command(t, name, on) }

// Obey returns a function that takes commands to a device of this kind.
func Obey(kind string, now func() time.Time, do func(name string, on bool)) func([]byte) []byte {
	k, _ := lookupKind(kind)
	o := &orders{kind: k, now: now, do: do}
	return o.obey
}
