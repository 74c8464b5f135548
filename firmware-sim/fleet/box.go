package fleet

import "math"

// A box is the cold box of a truck. Its machine pulls it to a temperature that swings
// with the compressor; the walls let the warmth of the day in, and the open door much
// more of it.
type box struct {
	site
	temperature float64 // °C
}

// What a box changes by, per hour.
const (
	boxWalls   = 0.1
	boxDoor    = 1.6
	boxMachine = 4.0
)

func newBox(s site) model { return &box{site: s, temperature: 2} }

func (b *box) clone() model { c := *b; return &c }

func (b *box) advance(t, dt float64, w weather) {
	leak := boxWalls
	if b.door[0] <= t && t < b.door[1] {
		leak = boxDoor
	}
	set := 1.8 + 0.5*math.Sin(2*math.Pi*t/(40*60))
	rate := leak + boxMachine
	b.temperature = relax(b.temperature, 0, rate, (leak*w.temperature+boxMachine*set)/rate, dt)
}

func (b *box) observe(_ float64, _ weather, tell func(string, float64)) {
	tell("temperature", b.temperature)
	tell("battery", 12.6)
}
