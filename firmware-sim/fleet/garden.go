package fleet

// Land is a slope of rain-fed soil under a crop.
type land struct {
	site
	cooler float64 // °C below the coast, for height
	root   float64 // depth of the rooted soil, mm
	crop   float64 // crop coefficient, FAO-56 table 12
	water  float64 // in the rooted soil, mm
	soil   float64 // °C at 20 cm
	rained float64 // since ever, mm
	lost   float64 // to the crop and below the roots since ever, mm
}

// The soil, a clay loam, as shares of its volume.
const (
	wilting  = 0.16
	capacity = 0.34
	pores    = 0.46
)

func newGarden(s site) model {
	return &land{site: s, cooler: 2.5, root: 500, crop: 1.0, water: 0.30 * 500, soil: 21}
}

func newOrchard(s site) model {
	return &land{site: s, cooler: 0.8, root: 600, crop: 0.7, water: 0.30 * 600, soil: 23}
}

func (l *land) clone() model { c := *l; return &c }

// advance keeps the balance of FAO-56 eq. 85: rain in, evapotranspiration and
// drainage out, and nothing else.
func (l *land) advance(t, dt float64, w weather) {
	hours := dt / hour
	rain := w.rain * hours
	l.rained += rain

	theta := l.water / l.root
	stress := clamp((theta-wilting)/(0.6*(capacity-wilting)), 0, 1) // FAO-56 eq. 84 with p = 0.4
	out := l.crop * stress * evapotranspiration(w.temperature-l.cooler, w.sun) * hours
	if excess := l.water - capacity*l.root; excess > 0 {
		out += excess * clamp(hours/12, 0, 1)
	}
	out = min(out, l.water)
	if over := l.water + rain - out - pores*l.root; over > 0 { // runs off
		out += over
	}
	l.water += rain - out
	l.lost += out
	l.soil = relax(l.soil, 0.25*w.sun/1000, 1.0/14, w.temperature-l.cooler+1, dt)
}

// evapotranspiration returns that of a wet sward in mm/h at t °C under the
// global radiation sun, W/m²: Priestley and Taylor 1972, with net radiation
// taken as 0.66 of global less 40 W/m².
func evapotranspiration(t, sun float64) float64 {
	slope := 4098 * vapour(t) / ((t + 237.3) * (t + 237.3))
	return 1.26 * slope / (slope + 0.067) * max(0, 0.66*sun-40) * hour / 2.45e6
}

func (l *land) observe(t float64, w weather, tell func(string, float64)) {
	tell("air_temperature", w.temperature-l.cooler)
	tell("humidity", min(100, w.humidity+2*l.cooler))
	tell("soil_moisture", 100*l.water/l.root)
	tell("soil_temperature", l.soil)
	tell("illuminance", 120*w.sun)
	tell("rain", l.rained)
	tell("wind_speed", w.wind)
	tell("battery", batteryAt(t, w))
}
