package qc

import (
	"errors"
	"fmt"
	"math"

	"tianhai/ingest"
)

// A Span is a closed interval.
type Span struct{ Min, Max float64 }

func (s Span) contains(v float64) bool { return s.Min <= v && v <= s.Max }

func (s Span) check(name string) error {
	if !(s.Min <= s.Max) {
		return fmt.Errorf("%s: %v is above %v; write the smaller bound first", name, s.Min, s.Max)
	}
	return nil
}

// GrossRange fails a value outside FailSpan, what the sensor can measure, and
// suspects one outside SuspectSpan. The bounds themselves are good.
//
// Source: QARTOD test 4, gross range.
type GrossRange struct {
	FailSpan    Span
	SuspectSpan *Span // within FailSpan; nil suspects nothing
}

// Name implements Test.
func (GrossRange) Name() string { return "gross_range_test" }

// Flags implements Test.
func (g GrossRange) Flags(s Series) []ingest.Flag { return replay(s, g.memory()) }

func (g GrossRange) memory() memory {
	return forgetful{func(p point) ingest.Flag {
		switch {
		case !g.FailSpan.contains(p.value):
			return ingest.Fail
		case g.SuspectSpan != nil && !g.SuspectSpan.contains(p.value):
			return ingest.Suspect
		default:
			return ingest.Good
		}
	}}
}

func (g GrossRange) check() error {
	if err := g.FailSpan.check("fail_span"); err != nil {
		return err
	}
	if g.SuspectSpan == nil {
		return nil
	}
	if err := g.SuspectSpan.check("suspect_span"); err != nil {
		return err
	}
	if !g.FailSpan.contains(g.SuspectSpan.Min) || !g.FailSpan.contains(g.SuspectSpan.Max) {
		return errors.New("suspect_span: must lie within fail_span")
	}
	return nil
}

// Spike compares a value with its neighbours. By method "average", which is the
// default, the measure is the distance from the mean of both; by "differential"
// it is the smaller of the two steps, where they go in opposite directions. The
// ends of a series and the neighbours of a missing value are not evaluated.
//
// Source: QARTOD test 6, spike.
type Spike struct {
	SuspectThreshold, FailThreshold *float64 // in the unit of the values; at least one
	Method                          string
}

// Name implements Test.
func (Spike) Name() string { return "spike_test" }

// Flags implements Test.
func (t Spike) Flags(s Series) []ingest.Flag {
	flags := make([]ingest.Flag, len(s.Values))
	for i, v := range s.Values {
		flags[i] = ingest.NotEvaluated
		if math.IsNaN(v) {
			flags[i] = ingest.Missing
			continue
		}
		if i == 0 || i == len(flags)-1 || math.IsNaN(s.Values[i-1]) || math.IsNaN(s.Values[i+1]) {
			continue
		}
		flags[i] = above(t.measure(s.Values[i-1], v, s.Values[i+1]), t.SuspectThreshold, t.FailThreshold)
	}
	return flags
}

func (t Spike) measure(before, v, after float64) float64 {
	if t.Method != "differential" {
		return math.Abs(v - (before+after)/2)
	}
	if (v-before)*(after-v) >= 0 {
		return 0
	}
	return min(math.Abs(v-before), math.Abs(v-after))
}

func (t Spike) check() error {
	if t.Method != "" && t.Method != "average" && t.Method != "differential" {
		return fmt.Errorf(`method: %q is neither "average" nor "differential"`, t.Method)
	}
	return checkRising(t.SuspectThreshold, t.FailThreshold)
}

// checkRising checks thresholds of which at least one is needed.
func checkRising(suspect, fail *float64) error {
	switch {
	case suspect == nil && fail == nil:
		return errors.New("suspect_threshold: this or fail_threshold is needed")
	case suspect != nil && *suspect < 0:
		return errors.New("suspect_threshold: must not be negative")
	case fail != nil && *fail < 0:
		return errors.New("fail_threshold: must not be negative")
	case suspect != nil && fail != nil && *fail < *suspect:
		return errors.New("fail_threshold: must not be below suspect_threshold")
	}
	return nil
}

func (t Spike) memory() memory {
	limit := t.SuspectThreshold
	if limit == nil {
		limit = t.FailThreshold
	}
	return &spikeMemory{limit: *limit}
}

// spikeMemory looks back only: it holds a jump for suspect, until a reading
// stays near it or returns to where it came from.
type spikeMemory struct {
	ordered
	limit  float64
	have   bool
	last   float64
	jumped bool    // last was suspect
	from   float64 // before the jump
}

func (m *spikeMemory) judge(p point) ingest.Flag {
	if p.missing {
		m.have = false
		return ingest.Missing
	}
	had, last := m.have, m.last
	m.have, m.last = true, p.value
	if !had {
		m.jumped = false
		return ingest.NotEvaluated
	}
	if !(math.Abs(p.value-last) > m.limit) || m.jumped && !(math.Abs(p.value-m.from) > m.limit) {
		m.jumped = false
		return ingest.Good
	}
	if !m.jumped {
		m.jumped, m.from = true, last
	}
	return ingest.Suspect
}

func (m *spikeMemory) state() []float64 {
	return []float64{number(m.have), m.last, number(m.jumped), m.from}
}

func (m *spikeMemory) restore(s []float64) bool {
	if len(s) != 4 {
		return false
	}
	m.have, m.last, m.jumped, m.from = s[0] != 0, s[1], s[2] != 0, s[3]
	return true
}

// RateOfChange judges how fast a value moved since the one before. The first
// value, one after a missing one, and one within the same second are good.
//
// Source: QARTOD test 7, rate of change. MinChange is ours.
type RateOfChange struct {
	Threshold     float64  // per second; a faster change is suspect
	FailThreshold *float64 // per second; nil fails nothing
	// MinChange is a change that is always good, however fast: what two readings
	// may differ by for noise alone. Without it, the noise of a sensor that
	// reports every few seconds is faster than any true change.
	MinChange float64
}

// Name implements Test.
func (RateOfChange) Name() string { return "rate_of_change_test" }

// Flags implements Test.
func (t RateOfChange) Flags(s Series) []ingest.Flag { return replay(s, t.memory()) }

func (t RateOfChange) memory() memory { return &rateMemory{test: t} }

func (t RateOfChange) check() error {
	if t.MinChange < 0 {
		return errors.New("min_change: must not be negative")
	}
	err := checkRising(&t.Threshold, t.FailThreshold)
	if err != nil && t.Threshold < 0 {
		return errors.New("threshold: must not be negative")
	}
	return err
}

type rateMemory struct {
	ordered
	test RateOfChange
	have bool
	at   int64 // Unix ms
	last float64
}

func (m *rateMemory) judge(p point) ingest.Flag {
	if p.missing {
		m.have = false
		return ingest.Missing
	}
	now := p.ms
	seconds := float64((now - m.at) / 1000)
	change, had := math.Abs(p.value-m.last), m.have
	m.have, m.at, m.last = true, now, p.value
	if !had || seconds <= 0 || change <= m.test.MinChange {
		return ingest.Good
	}
	return above(change/seconds, &m.test.Threshold, m.test.FailThreshold)
}

func (m *rateMemory) state() []float64 { return []float64{number(m.have), float64(m.at), m.last} }

func (m *rateMemory) restore(s []float64) bool {
	if len(s) != 3 {
		return false
	}
	m.have, m.at, m.last = s[0] != 0, int64(s[1]), s[2]
	return true
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
