package evidence

import (
	"maps"
	"math"
	"slices"
	"time"

	"tianhai/farm"
)

// Norms are what the readings of one quantity are held against; what is nil is not
// known, and nothing is said of it.
type Norms struct {
	Range  *Range
	Floor  *Floor
	Warmth *Warmth
}

// A Range is what suits a crop or an animal. A nil bound is none; a value on a
// bound is in range.
type Range struct {
	Min    *float64 `json:"min,omitempty" yaml:"min"`
	Max    *float64 `json:"max,omitempty" yaml:"max"`
	Source string   `json:"source" yaml:"source"` // who says so
}

// A Floor is a limit below which a value should not fall.
type Floor struct {
	Limit  float64 `json:"limit" yaml:"limit"`
	Source string  `json:"source" yaml:"source"`
}

// Warmth says from which temperature on a crop grows.
type Warmth struct {
	Base   float64  `json:"base" yaml:"base"`             // °C
	Upper  *float64 `json:"upper,omitempty" yaml:"upper"` // °C, above which it grows no faster; nil: none
	Source string   `json:"source" yaml:"source"`
}

// Numbers are what a Tally found of one quantity.
type Numbers struct {
	farm.Summary
	InRange    *InRange
	Below      *Below
	DegreeDays *DegreeDays
}

// An InRange is the share of time in which a quantity suited the crop: of the time
// in which its value is known, that in which no sensor of the site was outside the
// range.
type InRange struct {
	Range
	Share float64 `json:"share"` // 0 to 1
	Hours float64 `json:"hours"` // in which the value is known
}

// Below is for how long a quantity was below a limit at one sensor of the site at
// least.
type Below struct {
	Floor
	Hours float64 `json:"hours"`
	Known float64 `json:"known"` // hours in which the value is known
}

// DegreeDays are growing degree-days: McMaster and Wilhelm 1997 (Agric. For.
// Meteorol. 87:291), method 2. Of each whole Beijing day within the period the
// highest and the lowest usable reading of the site, each brought up to the base
// where it is below and down to the upper limit where it is above, are averaged, and
// what that is above the base is added up. A day of which less than 18 hours are
// known is named and not counted, and neither are the parts of days at the ends.
type DegreeDays struct {
	Warmth
	Sum     float64  `json:"sum"`     // °C·d
	Days    int      `json:"days"`    // that were counted
	Missing []string `json:"missing"` // that were not, as 2006-01-02
}

// enough is how much of a day must be known for its degree-days, in milliseconds.
const enough = 18 * hourMS

// Rain is the quantity whose sum is one of areas and not of amounts.
const Rain = "air.rain"

// A Tally makes the numbers of one quantity at one site from its samples, in the
// order of the canonical form. Numbers of time go by straight lines: between two
// usable readings of one sensor at most MaxStep apart the value is on the line, and
// else it is not known. Where several sensors know, the time counts once. It keeps
// some numbers of every day, and nothing of every reading.
//
// The Sum of air.rain is that of its days, of each the mean of the gauges which
// reported on it: two gauges do not make twice the rain. Other sums add up all.
type Tally struct {
	quantity string
	norms    Norms
	from, to int64
	summary  *farm.Summariser
	last     map[string]point // of each sensor

	known, out, below cover
	days              map[int64]*extremes
	rain              map[int64]map[string]float64 // by day and gauge
}

type extremes struct{ low, high float64 }

// NewTally begins one over from ≤ t < to.
func NewTally(quantity string, from, to time.Time, norms Norms) *Tally {
	t := &Tally{
		quantity: quantity, norms: norms, from: from.UnixMilli(), to: to.UnixMilli(), last: map[string]point{},
		summary: farm.NewSummariser(quantity, from, to, farm.NiceInterval(to.Sub(from), farm.SummaryPoints), false),
	}
	if norms.Warmth != nil {
		t.known.days, t.days = map[int64]int64{}, map[int64]*extremes{}
	}
	if quantity == Rain {
		t.rain = map[int64]map[string]float64{}
	}
	return t
}

// Add notes a sample.
func (t *Tally) Add(s farm.Sample) {
	t.summary.Add(s)
	if !s.Usable() {
		return
	}
	now := point{s.Time, s.Value}
	before, met := t.last[s.Device]
	t.last[s.Device] = now
	if met && now.t-before.t <= stepMS {
		t.step(before, now)
	}
	day := dayOf(s.Time)
	if t.days != nil {
		if t.days[day] == nil {
			t.days[day] = &extremes{s.Value, s.Value}
		}
		d := t.days[day]
		d.low, d.high = min(d.low, s.Value), max(d.high, s.Value)
	}
	if t.rain != nil {
		if t.rain[day] == nil {
			t.rain[day] = map[string]float64{}
		}
		t.rain[day][s.Device] += s.Value
	}
}

// step notes the straight line between two readings of one sensor.
func (t *Tally) step(a, b point) {
	t.known.add(a.t, b.t, b.t)
	if r := t.norms.Range; r != nil {
		under, over := outside(a, b, bound(r.Min, -1), bound(r.Max, 1))
		t.out.add(under[0], under[1], b.t)
		t.out.add(over[0], over[1], b.t)
	}
	if f := t.norms.Floor; f != nil {
		under := beyond(a, b, f.Limit, -1)
		t.below.add(under[0], under[1], b.t)
	}
}

func bound(limit *float64, sign int) float64 {
	if limit == nil {
		return math.Inf(sign)
	}
	return *limit
}

// Result ends the period and returns what was found. It is called once.
func (t *Tally) Result() Numbers {
	n := Numbers{Summary: t.summary.Result()}
	known := t.known.end()
	if r := t.norms.Range; r != nil {
		n.InRange = &InRange{Range: *r, Hours: hours(known)}
		if known > 0 {
			n.InRange.Share = round(float64(known-t.out.end())/float64(known), 4)
		}
	}
	if f := t.norms.Floor; f != nil {
		n.Below = &Below{Floor: *f, Hours: hours(t.below.end()), Known: hours(known)}
	}
	if w := t.norms.Warmth; w != nil {
		n.DegreeDays = t.degreeDays(*w)
	}
	if t.rain != nil {
		n.Sum = t.rainfall()
	}
	return n
}

func (t *Tally) degreeDays(w Warmth) *DegreeDays {
	d := &DegreeDays{Warmth: w, Missing: []string{}}
	upper := bound(w.Upper, 1)
	first := dayOf(t.from)
	if first < t.from {
		first += dayMS
	}
	for day := first; day+dayMS <= t.to; day += dayMS {
		if t.known.days[day] < enough {
			d.Missing = append(d.Missing, time.UnixMilli(day+zoneMS).UTC().Format(time.DateOnly))
			continue
		}
		d.Days++
		d.Sum += w.of(t.days[day].low, t.days[day].high, upper)
	}
	d.Sum = round(d.Sum, 2)
	return d
}

// of returns the degree-days of one day.
func (w Warmth) of(low, high, upper float64) float64 {
	clamp := func(v float64) float64 { return min(max(v, w.Base), upper) }
	return (clamp(low)+clamp(high))/2 - w.Base
}

// rainfall adds the days up in their order, and the gauges of a day in theirs, so
// that everybody's sum is the same to the last bit.
func (t *Tally) rainfall() float64 {
	total := 0.0
	for _, day := range slices.Sorted(maps.Keys(t.rain)) {
		sum := 0.0
		for _, gauge := range slices.Sorted(maps.Keys(t.rain[day])) {
			sum += t.rain[day][gauge]
		}
		total += sum / float64(len(t.rain[day]))
	}
	return total
}

// hours rounds to hundredths.
func hours(ms int64) float64 { return round(float64(ms)/float64(hourMS), 2) }

func round(v float64, digits int) float64 {
	scale := math.Pow10(digits)
	return math.Round(v*scale)/scale + 0 // + 0: never "-0"
}
