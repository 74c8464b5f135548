// Package qc gives every value a quality flag. It never changes or drops one:
// who reads a series decides what a flag is worth.
//
// Tests, their names, parameters and flags are QARTOD's. Each test judges for
// itself, and the most telling verdict becomes the flag. Every test is there for
// two uses. Over a whole series ([Test.Flags], [Flags]) it gives what ioos_qc
// gives. A [Checker] flags each reading as it arrives, with bounded memory for
// each device and channel, and never looks ahead. There
//
//   - gross_range_test, climatology_test, rate_of_change_test and time_gap_test
//     say the same as over the whole series;
//   - flat_line_test does so too while a device reports regularly: the interval
//     is the median of the last nine, not that of the series;
//   - attenuated_signal_test does so while at most one reading falls into a
//     hundredth of test_period; else its window is up to that much longer;
//   - spike_test cannot know whether a jump is a spike or a step before the
//     reading that follows. It suspects the first reading after a jump, never
//     fails one, and finds the return from a spike good;
//   - density_inversion_test, which needs depths, is not there.
//
// Source: U.S. IOOS, Manuals for Real-Time Quality Control (QARTOD); the exact
// arithmetic is that of ioos_qc, module qartod.
package qc

import (
	"math"
	"slices"
	"time"

	"tianhai/ingest"
)

// A Series is one quantity over time. Its slices are of one length.
type Series struct {
	Times  []time.Time // not decreasing
	Values []float64   // NaN where missing
	Z      []float64   // depths, NaN where unknown; nil where there are none
}

// A Test is one of QARTOD's with its thresholds.
type Test interface {
	// Name is that of the test in ioos_qc, such as "gross_range_test".
	Name() string
	// Flags judges a whole series: one flag for each value.
	Flags(s Series) []ingest.Flag
	// check reports thresholds that make no sense together.
	check() error
}

// A streamed test can judge readings as they arrive.
type streamed interface {
	Test
	memory() memory
}

// A memory is what a test remembers of one series.
type memory interface {
	// judge is given readings in order of time.
	judge(p point) ingest.Flag
	// late judges a reading that came out of order, without remembering it.
	late(p point) ingest.Flag
	// state returns what is remembered, and restore takes it back; ok is false
	// for a state that is not one of this test's.
	state() []float64
	restore(state []float64) (ok bool)
}

// A point is one reading. Interval is that of the series in seconds; 0 before
// it is known.
type point struct {
	at       time.Time
	ms       int64 // the same, Unix ms
	value    float64
	missing  bool
	z        float64 // NaN where unknown
	interval float64
}

// replay judges a series by a memory.
func replay(s Series, m memory) []ingest.Flag {
	flags := make([]ingest.Flag, len(s.Values))
	interval := medianInterval(s.Times)
	for i := range flags {
		flags[i] = m.judge(s.point(i, interval))
	}
	return flags
}

func (s Series) point(i int, interval float64) point {
	p := point{at: s.Times[i], ms: s.Times[i].UnixMilli(), value: s.Values[i], missing: math.IsNaN(s.Values[i]), z: math.NaN(), interval: interval}
	if s.Z != nil {
		p.z = s.Z[i]
	}
	return p
}

// medianInterval returns the median time between readings in seconds, whole
// ones where it is at least one; 0 for fewer than two readings.
func medianInterval(times []time.Time) float64 {
	if len(times) < 2 {
		return 0
	}
	steps := make([]float64, len(times)-1)
	for i := range steps {
		steps[i] = times[i+1].Sub(times[i]).Seconds()
	}
	return median(steps)
}

// median sorts steps and returns their median in whole seconds where it is at
// least one.
func median(steps []float64) float64 {
	slices.Sort(steps)
	n := len(steps)
	m := (steps[(n-1)/2] + steps[n/2]) / 2
	if m >= 1 {
		m = math.Trunc(m)
	}
	return m
}

// Flags judges a series by all tests. The second result is the aggregate: for
// each value the flag that stands, NotEvaluated where there is no test.
func Flags(tests []Test, s Series) (byTest map[string][]ingest.Flag, aggregate []ingest.Flag) {
	byTest = make(map[string][]ingest.Flag, len(tests))
	aggregate = make([]ingest.Flag, len(s.Values))
	for i, v := range s.Values {
		aggregate[i] = ingest.NotEvaluated
		if math.IsNaN(v) {
			aggregate[i] = ingest.Missing
		}
	}
	for _, t := range tests {
		flags := t.Flags(s)
		byTest[t.Name()] = flags
		for i, f := range flags {
			aggregate[i] = Worst(aggregate[i], f)
		}
	}
	return byTest, aggregate
}

// Worst returns the flag that stands when tests disagree; in rising order of
// precedence: missing, not evaluated, good, suspect, fail.
func Worst(a, b ingest.Flag) ingest.Flag {
	if precedence(b) > precedence(a) {
		return b
	}
	return a
}

func precedence(f ingest.Flag) int {
	switch f {
	case ingest.NotEvaluated:
		return 1
	case ingest.Good:
		return 2
	case ingest.Suspect:
		return 3
	case ingest.Fail:
		return 4
	default:
		return 0
	}
}

// forgetful is the memory of a test that looks at one reading alone.
type forgetful struct{ alone func(p point) ingest.Flag }

func (f forgetful) judge(p point) ingest.Flag { return f.late(p) }

func (f forgetful) late(p point) ingest.Flag {
	if p.missing {
		return ingest.Missing
	}
	return f.alone(p)
}

func (forgetful) state() []float64         { return nil }
func (forgetful) restore(s []float64) bool { return len(s) == 0 }

// ordered is embedded by memories that cannot judge out of order.
type ordered struct{}

func (ordered) late(p point) ingest.Flag {
	if p.missing {
		return ingest.Missing
	}
	return ingest.NotEvaluated
}

// above returns the flag of a measure that should not exceed thresholds.
func above(v float64, suspect, fail *float64) ingest.Flag {
	switch {
	case fail != nil && v > *fail:
		return ingest.Fail
	case suspect != nil && v > *suspect:
		return ingest.Suspect
	default:
		return ingest.Good
	}
}
