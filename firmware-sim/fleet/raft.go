package fleet

import "math"

// A constituent is one cosine of the tide.
type constituent struct {
	amplitude float64 // m
	speed     float64 // degrees per hour
	phase     float64 // degrees, at 1970-01-01T00:00Z
}

// tide is that of the northern Beibu Gulf, which is diurnal: (K1 + O1)/M2 is
// about 4. Speeds are those of Doodson 1921; amplitudes are typical of Beihai,
// the phases are free: it makes no prediction for a real harbour.
var tide = [...]constituent{
	{0.44, 28.9841042, 190}, // M2
	{0.90, 15.0410686, 75},  // K1
	{0.95, 13.9430356, 20},  // O1
}

// tideAt returns the height of the tide over mean sea level at t in m, and the
// rate at which it rises in m/h.
func tideAt(t float64) (height, rise float64) {
	for _, c := range tide {
		omega := c.speed * math.Pi / 180
		angle := math.Mod(omega*t/hour, 2*math.Pi) - c.phase*math.Pi/180
		height += c.amplitude * math.Cos(angle)
		rise -= c.amplitude * omega * math.Sin(angle)
	}
	return height, rise
}

// A raft is the mixed layer under an oyster raft in an estuary.
type raft struct {
	site
	temperature float64 // °C
	river       float64 // fresh water on its way, mm of rain
	oxygen      float64 // mg/L
}

const (
	raftLayer = 3.0 // m of water that sun and air reach
	raftBed   = 6.5 // m below mean sea level
)

func newRaft(s site) model {
	return &raft{site: s, temperature: 24 + 6.5*season(s.begin), oxygen: 7}
}

func (r *raft) clone() model { c := *r; return &c }

func (r *raft) advance(t, dt float64, w weather) {
	r.temperature = warmWater(r.temperature, raftLayer, dt, w)
	r.river = relax(r.river, w.rain, 1/(2.5*24), 0, dt)

	growth := math.Pow(1.047, r.temperature-20)
	made := 0.34 * growth * light(w)
	used := 0.13 * growth * r.oxygen / (r.oxygen + 0.5)
	r.oxygen = max(0, relax(r.oxygen, made-used, reaeration(w.wind, raftLayer),
		oxygenAtSaturation(r.temperature, r.salinity(t)), dt))
}

// salinity follows the tide, which brings the gulf, and the river, which brings
// the rain of the last days.
func (r *raft) salinity(t float64) float64 {
	height, _ := tideAt(t)
	return clamp(27+1.7*height-0.16*r.river, 2, 34)
}

func (r *raft) observe(t float64, w weather, tell func(string, float64)) {
	height, rise := tideAt(t)
	s := r.salinity(t)
	over := r.oxygen / oxygenAtSaturation(r.temperature, s)
	tell("temperature", r.temperature)
	tell("salinity", s)
	tell("ph", clamp(8.05+0.35*(over-1)-0.012*(30-s), 7.2, 8.7))
	tell("dissolved_oxygen", r.oxygen)
	tell("turbidity", 4+45*rise*rise+0.25*w.wind*w.wind+0.3*r.river+2*r.own.named("silt").wave(t, hour))
	tell("depth", raftBed+height)
	tell("battery", batteryAt(t, w))
}

// warmWater returns the temperature after dt seconds of a layer of the given
// depth in m under the weather w: the sun's heat against an exchange with the
// air that stands for long-wave radiation, evaporation and conduction.
func warmWater(temperature, depth, dt float64, w weather) float64 {
	const heat = 4.1e6 // J/(m³·K)
	exchange := 22 + 5*w.wind
	perHour := hour / (heat * depth)
	return relax(temperature, (0.93*w.sun-140)*perHour, exchange*perHour, w.temperature, dt)
}

// light is the share of the highest photosynthesis that this sun allows.
func light(w weather) float64 { return math.Tanh(w.sun / 350) }

// reaeration returns the rate per hour at which a layer of the given depth goes
// toward saturation in this wind, m/s.
func reaeration(wind, depth float64) float64 { return (0.05 + 0.011*wind*math.Sqrt(wind)) / depth }
