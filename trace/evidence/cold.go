package evidence

import (
	"errors"
	"fmt"
	"math"
	"time"

	"tianhai/farm"
)

// Mean kinetic temperature: USP <1079.2>, ICH Q1A(R2).
const (
	// DefaultActivation is the activation energy, in kJ/mol, where none is known of a
	// product. With it, ΔH/R is 10,000 K.
	DefaultActivation = 83.144
	gasConstant       = 8.3144e-3 // kJ/(mol·K), as the monograph rounds it
	zeroCelsius       = 273.15    // K; the monograph's 273.1 is an older rounding
)

// MaxExcursions is how many excursions of one logger are told apart; the longest
// stay. Their number and time count them all.
const MaxExcursions = 100

// Limits are what a cold chain is held against.
type Limits struct {
	Min        *float64 `json:"min,omitempty" yaml:"min"`               // °C; nil: none
	Max        *float64 `json:"max,omitempty" yaml:"max"`               // °C
	Activation float64  `json:"activation,omitempty" yaml:"activation"` // kJ/mol; 0: DefaultActivation
	Source     string   `json:"source" yaml:"source"`
}

// Check reports why limits make no sense.
func (l Limits) Check() error {
	lo, hi := bound(l.Min, -1), bound(l.Max, 1)
	switch {
	case l.Min == nil && l.Max == nil:
		return errors.New("want min, max or both, in °C")
	case !(lo < hi) || l.Min != nil && (lo < -100 || lo > 100) || l.Max != nil && (hi < -100 || hi > 100):
		return errors.New("want min below max, both from -100 to 100 °C")
	case l.Activation != 0 && !(l.Activation >= 1 && l.Activation <= 500):
		return fmt.Errorf("the activation energy %v is not from 1 to 500 kJ/mol", l.Activation)
	}
	return nil
}

func (l Limits) activation() float64 {
	if l.Activation == 0 {
		return DefaultActivation
	}
	return l.Activation
}

// An Excursion is a time without interruption outside the limits. One that a gap cut
// off ends with the last reading before it.
type Excursion struct {
	From  time.Time `json:"from"`
	To    time.Time `json:"to"`
	Above bool      `json:"above"` // the upper limit; else below the lower
	Peak  float64   `json:"peak"`  // °C, farthest from the limit
	Area  float64   `json:"area"`  // °C·h between limit and temperature
}

// A Trip is what one logger says of a shipment.
type Trip struct {
	farm.Summary
	Known      float64 // hours in which the temperature is known
	Level      float64 // °C, mean over that time
	Kinetic    float64 // °C, mean kinetic temperature over that time
	Outside    float64 // hours outside the limits
	Area       float64 // °C·h outside the limits
	Count      int     // excursions
	Excursions []Excursion
}

// A Journey makes a Trip from one logger's samples, in the order of time. Between two
// usable readings at most MaxStep apart the temperature is on a straight line; else
// it is not known, and only the gap is told.
type Journey struct {
	limits  Limits
	summary *farm.Summariser
	last    *point

	known   int64
	level   float64 // °C·ms
	rate    float64 // ms, weighted by exp(-ΔH/RT)
	outside int64
	area    float64 // °C·ms
	now     *Excursion
	trip    Trip
}

// NewJourney begins one over from ≤ t < to.
func NewJourney(quantity string, from, to time.Time, limits Limits) *Journey {
	interval := farm.NiceInterval(to.Sub(from), farm.SummaryPoints)
	return &Journey{limits: limits, summary: farm.NewSummariser(quantity, from, to, interval, false)}
}

// Add notes a sample.
func (j *Journey) Add(s farm.Sample) {
	j.summary.Add(s)
	if !s.Usable() {
		return
	}
	now := point{s.Time, s.Value}
	if j.last != nil && now.t > j.last.t {
		if now.t-j.last.t <= stepMS {
			j.step(*j.last, now)
		} else {
			j.recover()
		}
	}
	j.last = &now
}

// step weighs each reading with half of the time to the next: the trapezoidal rule.
func (j *Journey) step(a, b point) {
	d := b.t - a.t
	j.known += d
	j.level += float64(d) * (a.v + b.v) / 2
	j.rate += float64(d) * (j.speed(a.v) + j.speed(b.v)) / 2
	under, over := outside(a, b, bound(j.limits.Min, -1), bound(j.limits.Max, 1))
	parts := []part{{over, bound(j.limits.Max, 1), true}, {under, bound(j.limits.Min, -1), false}}
	if a.v < b.v { // from below to above: in the order of time
		parts[0], parts[1] = parts[1], parts[0]
	}
	for _, p := range parts {
		if p.time[0] < p.time[1] {
			j.stray(a, b, p)
		}
	}
	if j.now != nil && j.now.To.UnixMilli() < b.t {
		j.recover()
	}
}

// A part of a step is outside the limits.
type part struct {
	time  [2]int64
	limit float64
	above bool
}

func (j *Journey) stray(a, b point, p part) {
	at := func(t int64) float64 { return a.v + (b.v-a.v)*float64(t-a.t)/float64(b.t-a.t) }
	u, v := at(p.time[0]), at(p.time[1])
	from, to := time.UnixMilli(p.time[0]).UTC(), time.UnixMilli(p.time[1]).UTC()
	if j.now != nil && (j.now.Above != p.above || !j.now.To.Equal(from)) {
		j.recover()
	}
	if j.now == nil {
		j.now = &Excursion{From: from, Above: p.above, Peak: u}
	}
	d := float64(p.time[1] - p.time[0])
	area := d * math.Abs((u+v)/2-p.limit)
	j.now.To = to
	j.now.Area += area
	for _, w := range []float64{u, v} {
		if p.above == (w > j.now.Peak) {
			j.now.Peak = w
		}
	}
	j.outside += p.time[1] - p.time[0]
	j.area += area
}

// recover ends an excursion.
func (j *Journey) recover() {
	if j.now == nil {
		return
	}
	e := *j.now
	j.now = nil
	j.trip.Count++
	e.Area, e.Peak = round(e.Area/float64(hourMS), 2), round(e.Peak, 2)
	if len(j.trip.Excursions) < MaxExcursions {
		j.trip.Excursions = append(j.trip.Excursions, e)
		return
	}
	shortest := 0
	for i, x := range j.trip.Excursions {
		if x.To.Sub(x.From) < j.trip.Excursions[shortest].To.Sub(j.trip.Excursions[shortest].From) {
			shortest = i
		}
	}
	if x := j.trip.Excursions[shortest]; e.To.Sub(e.From) > x.To.Sub(x.From) {
		j.trip.Excursions = append(append(j.trip.Excursions[:shortest:shortest], j.trip.Excursions[shortest+1:]...), e)
	}
}

// speed is how fast something spoils at a temperature, in no unit.
func (j *Journey) speed(celsius float64) float64 {
	return math.Exp(-j.limits.activation() / (gasConstant * (celsius + zeroCelsius)))
}

// Result ends the trip. It is called once. Level and Kinetic are 0 where Known is.
func (j *Journey) Result() Trip {
	j.recover()
	t := j.trip
	t.Summary = j.summary.Result()
	t.Known, t.Outside = hours(j.known), hours(j.outside)
	t.Area = round(j.area/float64(hourMS), 2)
	if j.known > 0 {
		t.Level = round(j.level/float64(j.known), 2)
		t.Kinetic = round(kinetic(j.rate/float64(j.known), j.limits.activation()), 2)
	}
	return t
}

// kinetic returns the temperature in °C at which the mean speed is the speed.
func kinetic(speed, activation float64) float64 {
	return activation/gasConstant/-math.Log(speed) - zeroCelsius
}

// MeanKinetic returns the mean kinetic temperature, in °C, of readings that were
// taken at even times: ΔH/R ÷ -ln(mean of exp(-ΔH/RT)), T in kelvins, with ΔH in
// kJ/mol, 0 for DefaultActivation. Of no readings it is NaN.
func MeanKinetic(celsius []float64, activation float64) float64 {
	j := Journey{limits: Limits{Activation: activation}}
	sum := 0.0
	for _, c := range celsius {
		sum += j.speed(c)
	}
	if len(celsius) == 0 {
		return math.NaN()
	}
	return kinetic(sum/float64(len(celsius)), j.limits.activation())
}
