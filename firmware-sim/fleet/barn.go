package fleet

import "math"

// A barn houses fattening pigs. Its fans run with the temperature, so the
// ammonia of the night is blown out by day.
type barn struct {
	site
	temperature float64 // °C
	vapour      float64 // kPa
	ammonia     float64 // ppm
	drunk       float64 // since ever, L
}

// pigs is the number of animals in a barn.
const pigs = 200

func newBarn(s site) model {
	return &barn{site: s, temperature: 25, vapour: 2, ammonia: 8}
}

func (b *barn) clone() model { c := *b; return &c }

func (b *barn) advance(t, dt float64, w weather) {
	air := clamp(3+5*(b.temperature-21), 3, 40) // changes of air per hour
	active := activity(t)
	b.temperature = relax(b.temperature, 14+6*active, air+1, w.temperature, dt)
	b.vapour = relax(b.vapour, 1.6+0.8*active, air, vapour(w.temperature)*w.humidity/100, dt)
	b.ammonia = relax(b.ammonia, 55*(0.7+0.6*active)*math.Pow(1.03, b.temperature-25), air, 0, dt)

	thirst := 1 + 0.04*max(0, b.temperature-24)
	b.drunk += pigs * 7.5 / 24 * (0.25 + 1.5*active) * thirst * dt / hour
}

// activity is how much the animals do at t, 0 to 1, half on average: they feed
// in the morning and in the afternoon and lie down at night.
func activity(t float64) float64 {
	h := solarHour(t)
	peak := func(at, width float64) float64 { return math.Exp(-(h - at) * (h - at) / (2 * width * width)) }
	return clamp(0.15+0.8*peak(8, 2)+0.85*peak(16.5, 2.5), 0, 1)
}

func (b *barn) observe(t float64, w weather, tell func(string, float64)) {
	tell("temperature", b.temperature)
	tell("humidity", clamp(100*b.vapour/vapour(b.temperature), 20, 99))
	tell("ammonia", b.ammonia)
	tell("water_intake", b.drunk)
	tell("battery", batteryAt(t, w))
}
