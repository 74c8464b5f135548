package fleet

import "math"

// The physics counts time in seconds since 1970.
const (
	minute = 60.0
	hour   = 60 * minute
	day    = 24 * hour
	year   = 365.2425 * day
)

// A climate is the weather of a coast at 21.7° N, 108.6° E, the north of the
// Beibu Gulf: some 22 °C and 1,900 mm a year, wet in summer. One seed is one
// weather; the devices of a fleet share it.
type climate struct {
	front, shower, sky, cloud, mass, dew, wind, gust source
}

func newClimate(s source) climate {
	return climate{
		front: s.named("front"), shower: s.named("shower"), sky: s.named("sky"), cloud: s.named("cloud"),
		mass: s.named("mass"), dew: s.named("dew"), wind: s.named("wind"), gust: s.named("gust"),
	}
}

const (
	latitude  = 21.7 * math.Pi / 180
	longitude = 108.6
)

// Weather is the state of the air at one instant.
type weather struct {
	temperature float64 // °C
	humidity    float64 // relative, %
	sun         float64 // global radiation, W/m²
	rain        float64 // mm/h
	wind        float64 // m/s
}

// solarHour returns the local solar time at t in hours, [0, 24).
func solarHour(t float64) float64 {
	return math.Mod(t/hour+longitude/15, 24)
}

// season is 1 in the middle of July and -1 in the middle of January.
func season(t float64) float64 { return math.Cos(2 * math.Pi * (t/year - 0.55)) }

// at returns the weather at t.
func (c climate) at(t float64) weather {
	wet := 0.6*c.front.wave(t, 9*hour) + 0.5*c.shower.wave(t, 1.5*hour) + 0.12*season(t) - 0.62
	sky := 0.5 + 0.45*c.sky.wave(t, 31*hour) // cloudiness of the day
	cloud := clamp(sky+0.3*c.cloud.wave(t, 0.7*hour)+1.5*max(0, wet), 0, 1)

	mean := 22.5 + 7*season(t) + 2.5*c.mass.wave(t, 61*hour)
	swing := (4.5 - 2.5*sky) * math.Cos(2*math.Pi*(solarHour(t)-14.5)/24)
	w := weather{
		temperature: mean + swing - 2*clamp(4*wet, 0, 1),
		rain:        25 * max(0, wet),
		sun:         sunAbove(t) * 0.75 * (1 - 0.75*math.Pow(cloud, 3.4)), // clear sky: FAO-56 eq. 37; cloud: Kasten and Czeplak 1980
	}
	dew := min(mean-3.5+1.5*c.dew.wave(t, 40*hour), w.temperature-0.3)
	if wet > 0 {
		dew += (w.temperature - 0.3 - dew) * clamp(8*wet, 0, 1)
	}
	w.humidity = clamp(100*vapour(dew)/vapour(w.temperature), 20, 100)
	breeze := max(0, math.Cos(2*math.Pi*(solarHour(t)-15)/24))
	w.wind = max(0.1, 2.2+1.2*c.wind.wave(t, 5*hour)+0.6*c.gust.wave(t, 4*minute)+1.6*breeze+4*max(0, wet))
	return w
}

// sunAbove returns the radiation on a horizontal plane above the air at t,
// W/m²: FAO-56, eq. 21 to 25, for an instant instead of a day.
func sunAbove(t float64) float64 {
	angle := 2 * math.Pi * math.Mod(t, year) / year
	declination := 0.409 * math.Sin(angle-1.39)
	turn := math.Pi / 12 * (solarHour(t) - 12)
	sine := math.Sin(latitude)*math.Sin(declination) + math.Cos(latitude)*math.Cos(declination)*math.Cos(turn)
	return 1367 * (1 + 0.033*math.Cos(angle)) * max(0, sine)
}

// vapour returns the saturation vapour pressure at t °C in kPa: FAO-56, eq. 11.
func vapour(t float64) float64 { return 0.6108 * math.Exp(17.27*t/(t+237.3)) }

// relax returns x after dt seconds of dx/dt = gain + rate·(target − x), exactly
// and therefore stably for any step. Gain and rate are per hour.
func relax(x, gain, rate, target, dt float64) float64 {
	if rate <= 0 {
		return x + gain*dt/hour
	}
	end := target + gain/rate
	return end + (x-end)*math.Exp(-rate*dt/hour)
}

func clamp(x, low, high float64) float64 { return min(max(x, low), high) }
