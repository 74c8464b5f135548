package qc

import (
	"errors"
	"fmt"
	"math"
	"time"

	"tianhai/ingest"
)

// FlatLine flags a value when it and those before it differ by less than
// Tolerance, over int(threshold/interval)+1 readings, at least two. Missing
// readings within count as readings that do not differ.
//
// Source: QARTOD test 8, flat line.
type FlatLine struct {
	Tolerance                       float64  // in the unit of the values; 0 flags nothing
	SuspectThreshold, FailThreshold *float64 // s; at least one
}

// Name implements Test.
func (FlatLine) Name() string { return "flat_line_test" }

// Flags implements Test.
func (t FlatLine) Flags(s Series) []ingest.Flag {
	if len(s.Values) < 3 {
		return replay(s, forgetful{func(point) ingest.Flag { return ingest.Good }})
	}
	return replay(s, &flatMemory{test: t})
}

func (t FlatLine) memory() memory { return &flatMemory{test: t, most: maxExtremes} }

func (t FlatLine) check() error {
	if t.Tolerance < 0 {
		return errors.New("tolerance: must not be negative")
	}
	return checkRising(t.SuspectThreshold, t.FailThreshold)
}

// maxExtremes bounds what is remembered of a flat line: a sensor shows fewer
// different values within a sensible tolerance. Beyond it, the oldest are
// forgotten, and a flat line is found later than it should be.
const maxExtremes = 64

// flatMemory knows the longest run of readings up to the last whose values
// differ by less than the tolerance. It keeps the run's falling maxima and
// rising minima only, not its values.
type flatMemory struct {
	ordered
	test      FlatLine
	most      int     // extremes remembered; 0 for all
	next      float64 // number of the next reading
	start     float64 // number of the first reading of the run
	low, high []extreme
}

type extreme struct{ number, value float64 }

func (m *flatMemory) judge(p point) ingest.Flag {
	n := m.next
	m.next++
	if p.missing {
		return ingest.Missing
	}
	m.low = push(m.low, extreme{n, p.value}, func(old float64) bool { return old >= p.value })
	m.high = push(m.high, extreme{n, p.value}, func(old float64) bool { return old <= p.value })
	for len(m.low) > 0 && !(m.high[0].value-m.low[0].value < m.test.Tolerance) {
		m.forget(min(m.low[0].number, m.high[0].number))
	}
	for m.most > 0 && max(len(m.low), len(m.high)) > m.most {
		m.forget(min(m.low[0].number, m.high[0].number))
	}
	switch {
	case m.lasts(n-m.start, m.test.FailThreshold, p.interval):
		return ingest.Fail
	case m.lasts(n-m.start, m.test.SuspectThreshold, p.interval):
		return ingest.Suspect
	default:
		return ingest.Good
	}
}

func push(list []extreme, e extreme, beaten func(old float64) bool) []extreme {
	for len(list) > 0 && beaten(list[len(list)-1].value) {
		list = list[:len(list)-1]
	}
	return append(list, e)
}

// forget begins the run after this reading.
func (m *flatMemory) forget(number float64) {
	m.start = number + 1
	for _, list := range []*[]extreme{&m.low, &m.high} {
		drop := 0
		for drop < len(*list) && (*list)[drop].number <= number {
			drop++
		}
		*list = append((*list)[:0], (*list)[drop:]...)
	}
}

func (m *flatMemory) lasts(steps float64, threshold *float64, interval float64) bool {
	return threshold != nil && interval > 0 && steps >= max(1, math.Trunc(*threshold/interval))
}

func (m *flatMemory) state() []float64 {
	s := []float64{m.next, m.start, float64(len(m.low))}
	for _, e := range append(append([]extreme{}, m.low...), m.high...) {
		s = append(s, e.number, e.value)
	}
	return s
}

func (m *flatMemory) restore(s []float64) bool {
	if len(s) < 3 || len(s)%2 == 0 {
		return false
	}
	lows := int(s[2])
	if n := (len(s) - 3) / 2; lows < 0 || lows > n || n > 2*m.most || (lows == 0) != (lows == n) {
		return false
	}
	m.next, m.start = s[0], s[1]
	for i := 3; i < len(s); i += 2 {
		e := extreme{s[i], s[i+1]}
		if lows > 0 {
			m.low = append(m.low, e)
		} else {
			m.high = append(m.high, e)
		}
		lows--
	}
	return true
}

// AttenuatedSignal flags a value when the values of the TestPeriod up to it vary
// too little: by standard deviation, or by range. Without TestPeriod it judges
// the series as a whole. As ioos_qc has it, the deviation of a window is that of a
// sample, so that it takes two values, and that of a series that of a population.
//
// Source: QARTOD test 10, attenuated signal.
type AttenuatedSignal struct {
	SuspectThreshold, FailThreshold float64 // in the unit of the values; less variation than this
	TestPeriod                      float64 // s, the window (t−TestPeriod, t]; 0 for the series
	MinObs                          int     // values needed in a window, else it is not evaluated
	MinPeriod                       float64 // s; instead of MinObs: int(MinPeriod/interval) values are needed
	CheckType                       string  // "std", which is the default, or "range"
}

// Name implements Test.
func (AttenuatedSignal) Name() string { return "attenuated_signal_test" }

// Flags implements Test.
func (t AttenuatedSignal) Flags(s Series) []ingest.Flag {
	flags := make([]ingest.Flag, len(s.Values))
	interval := medianInterval(s.Times)
	first := 0
	for i, v := range s.Values {
		if math.IsNaN(v) {
			flags[i] = ingest.Missing
			continue
		}
		last := len(s.Values) - 1
		if t.TestPeriod > 0 {
			last = i
			for !s.Times[first].After(s.Times[i].Add(-t.period())) {
				first++
			}
		}
		var all spread
		for _, v := range s.Values[first : last+1] {
			if !math.IsNaN(v) {
				all.add(v)
			}
		}
		flags[i] = t.verdict(all, interval)
	}
	return flags
}

func (t AttenuatedSignal) period() time.Duration {
	return time.Duration(t.TestPeriod * float64(time.Second))
}

func (t AttenuatedSignal) verdict(s spread, interval float64) ingest.Flag {
	need := float64(t.MinObs)
	if t.MinPeriod > 0 {
		need = math.Trunc(t.MinPeriod / interval) // infinite while the interval is not known
	}
	variation := s.max - s.min
	if t.CheckType != "range" && t.TestPeriod > 0 {
		variation, need = math.Sqrt(s.squares/(s.n-1)), max(need, 2)
	} else if t.CheckType != "range" {
		variation = math.Sqrt(s.squares / s.n)
	}
	switch {
	case t.TestPeriod > 0 && s.n < need:
		return ingest.NotEvaluated
	case variation < t.FailThreshold:
		return ingest.Fail
	case variation < t.SuspectThreshold:
		return ingest.Suspect
	default:
		return ingest.Good
	}
}

func (t AttenuatedSignal) check() error {
	switch {
	case t.CheckType != "" && t.CheckType != "std" && t.CheckType != "range":
		return fmt.Errorf(`check_type: %q is neither "std" nor "range"`, t.CheckType)
	case t.SuspectThreshold < 0 || t.FailThreshold < 0:
		return errors.New("suspect_threshold: thresholds must not be negative")
	case t.FailThreshold > t.SuspectThreshold:
		return errors.New("fail_threshold: must not be above suspect_threshold")
	case t.TestPeriod < 0 || t.TestPeriod > maxPeriod:
		return fmt.Errorf("test_period: must be 0 to %d seconds", int(maxPeriod))
	case t.MinObs < 0 || t.MinPeriod < 0:
		return errors.New("min_obs: must not be negative, nor min_period")
	case t.MinObs > 0 && t.MinPeriod > 0:
		return errors.New("min_period: give either this or min_obs")
	case t.TestPeriod == 0 && (t.MinObs > 0 || t.MinPeriod > 0):
		return errors.New("test_period: is needed with min_obs and min_period")
	}
	return nil
}

// maxPeriod is the longest window, a year in seconds.
const maxPeriod = 366 * 86400

// A spread is what must be known of values to tell how much they vary.
type spread struct{ n, mean, squares, min, max float64 }

func (s *spread) add(v float64) { s.merge(spread{n: 1, mean: v, min: v, max: v}) }

// merge adds the values of another spread.
//
// Source: Chan, Golub and LeVeque 1979, updating formulae.
func (s *spread) merge(o spread) {
	if s.n == 0 {
		*s = o
		return
	}
	n := s.n + o.n
	away := o.mean - s.mean
	s.mean += away * o.n / n
	s.squares += o.squares + away*away*s.n*o.n/n
	s.min, s.max, s.n = min(s.min, o.min), max(s.max, o.max), n
}

// signalBuckets is how many parts of a window are remembered.
const signalBuckets = 100

func (t AttenuatedSignal) memory() memory { return &signalMemory{test: t} }

// signalMemory keeps the spread of each part of the window. A part is forgotten
// when its last value has left the window.
type signalMemory struct {
	ordered
	test  AttenuatedSignal
	parts []signalPart
}

type signalPart struct {
	part int64 // which
	last int64 // Unix ms of its last value
	spread
}

func (m *signalMemory) judge(p point) ingest.Flag {
	if p.missing {
		return ingest.Missing
	}
	now := p.ms
	period := m.test.period().Milliseconds()
	part := now / max(1, period/signalBuckets)
	drop := 0
	for drop < len(m.parts) && m.parts[drop].last <= now-period {
		drop++
	}
	m.parts = append(m.parts[:0], m.parts[drop:]...)
	if n := len(m.parts); n == 0 || m.parts[n-1].part != part {
		m.parts = append(m.parts, signalPart{part: part})
	}
	latest := &m.parts[len(m.parts)-1]
	latest.last = now
	latest.add(p.value)
	var all spread
	for i := range m.parts {
		all.merge(m.parts[i].spread)
	}
	return m.test.verdict(all, p.interval)
}

func (m *signalMemory) state() []float64 {
	var s []float64
	for _, p := range m.parts {
		s = append(s, float64(p.part), float64(p.last), p.n, p.mean, p.squares, p.min, p.max)
	}
	return s
}

func (m *signalMemory) restore(s []float64) bool {
	if len(s)%7 != 0 || len(s) > 7*(signalBuckets+2) {
		return false
	}
	for ; len(s) > 0; s = s[7:] {
		m.parts = append(m.parts, signalPart{int64(s[0]), int64(s[1]), spread{s[2], s[3], s[4], s[5], s[6]}})
	}
	return true
}
