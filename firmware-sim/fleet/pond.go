package fleet

import "math"

// A pond is a lined shrimp pond. Its plankton makes and uses oxygen, the air
// and the aerator bring it toward saturation.
type pond struct {
	site
	temperature float64 // °C
	salinity    float64
	oxygen      float64 // mg/L
	fed         float64 // feed not yet digested, 1 after an hour of feeding
	aerator     bool
	feeder      bool
}

const (
	pondDepth = 1.5 // m
	// aeration is the rate per hour of 16 hp/ha of paddle wheels: a pond at
	// 2 mg/L gains some 3 mg/L within the hour.
	aeration = 1.2
)

func newPond(s site) model {
	return &pond{site: s, temperature: 24 + 6.5*season(s.begin), salinity: 17.5, oxygen: 6}
}

func (p *pond) clone() model { c := *p; return &c }

func (p *pond) advance(t, dt float64, w weather) {
	p.temperature = warmWater(p.temperature, pondDepth, dt, w)
	evaporation := 0.2 * w.sun / 400 * (1.2 - w.humidity/100) // mm/h
	p.salinity = relax(p.salinity, p.salinity*(evaporation-w.rain)/(1000*pondDepth), 1/(6.*24), 18, dt)

	var feeding, wheels float64
	if p.feeder {
		feeding = 1
	}
	if p.aerator {
		wheels = aeration
	}
	p.fed = relax(p.fed, feeding, 1.0/3, 0, dt)

	growth := math.Pow(1.047, p.temperature-26)
	made, used := 1.15*growth*light(w), 0.42*growth
	haste := 1.0
	if p.low[0] <= t && t < p.low[1] { // the plankton has died and rots
		made, used, haste = 0, 1.15, p.haste
	}
	used += 0.5 * p.fed
	used *= p.oxygen / (p.oxygen + 0.4)
	p.oxygen = max(0, relax(p.oxygen, haste*(made-used), haste*(reaeration(w.wind, pondDepth)+wheels),
		oxygenAtSaturation(p.temperature, p.salinity), dt))
}

func (p *pond) observe(t float64, w weather, tell func(string, float64)) {
	over := p.oxygen / oxygenAtSaturation(p.temperature, p.salinity)
	tell("temperature", p.temperature)
	tell("dissolved_oxygen", p.oxygen)
	tell("ph", clamp(8.2+0.55*(over-1), 7.0, 9.4))
	tell("salinity", p.salinity)
	tell("aerator", number(p.aerator))
	tell("feeder", number(p.feeder))
	tell("battery", batteryAt(t, w))
}

// command switches the aerator or the feeder.
func (p *pond) command(name string, on bool) {
	switch name {
	case "aerator":
		p.aerator = on
	case "feeder":
		p.feeder = on
	}
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
