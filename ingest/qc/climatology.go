package qc

import (
	"errors"
	"fmt"
	"time"

	"tianhai/ingest"
)

// Climatology compares a value with what is usual for its time of year and
// depth. Of the members that hold for a value the last one judges; a value for
// which none holds is not evaluated. Time is that of Series.Times in its own
// zone; a Checker's is UTC.
//
// Source: QARTOD test 5, climatology.
type Climatology struct{ Members []Season }

// A Season is one member of a climatology. All spans include their bounds.
type Season struct {
	Period   Period // "month", "quarter", "week" (ISO), "dayofyear", "day" (of the month), "dayofweek" (Monday is 0) or "hour"; empty: From and To count
	TSpan    Span   // in numbers of Period
	From, To time.Time
	VSpan    Span  // outside it a value is suspect
	FSpan    *Span // outside it a value fails; nil fails nothing
	ZSpan    *Span // holds for these depths only, never where depth is unknown; nil for all
}

// holds is given the number of the point's period.
func (m *Season) holds(p *point, number float64) bool {
	if m.ZSpan != nil && !m.ZSpan.contains(p.z) {
		return false
	}
	if m.Period == "" {
		return !p.at.Before(m.From) && !p.at.After(m.To)
	}
	return m.TSpan.contains(number)
}

// Name implements Test.
func (Climatology) Name() string { return "climatology_test" }

// Flags implements Test.
func (c Climatology) Flags(s Series) []ingest.Flag { return replay(s, c.memory()) }

func (c Climatology) memory() memory {
	return forgetful{func(p point) ingest.Flag {
		var period Period // mostly the same one throughout, for which the number is found once
		var number float64
		for i := len(c.Members) - 1; i >= 0; i-- {
			m := &c.Members[i]
			if m.Period != period {
				period, number = m.Period, m.Period.number(p.at)
			}
			switch {
			case !m.holds(&p, number):
			case m.FSpan != nil && !m.FSpan.contains(p.value):
				return ingest.Fail
			case !m.VSpan.contains(p.value):
				return ingest.Suspect
			default:
				return ingest.Good
			}
		}
		return ingest.NotEvaluated
	}}
}

func (c Climatology) check() error {
	if len(c.Members) == 0 {
		return errors.New("config: no member")
	}
	for i, m := range c.Members {
		if err := m.check(); err != nil {
			return fmt.Errorf("config[%d].%w", i, err)
		}
	}
	return nil
}

func (m Season) check() error {
	if m.Period != "" && periods[m.Period] == nil {
		return fmt.Errorf("period: %q is none of month, quarter, week, weekofyear, dayofyear, day, dayofweek, weekday, hour", m.Period)
	}
	if m.Period == "" && m.To.Before(m.From) {
		return errors.New("tspan: ends before it begins")
	}
	for name, span := range map[string]*Span{"tspan": &m.TSpan, "vspan": &m.VSpan, "fspan": m.FSpan, "zspan": m.ZSpan} {
		if span == nil {
			continue
		}
		if err := span.check(name); err != nil {
			return err
		}
	}
	if m.FSpan != nil && (!m.FSpan.contains(m.VSpan.Min) || !m.FSpan.contains(m.VSpan.Max)) {
		return errors.New("vspan: must lie within fspan")
	}
	return nil
}

// A Period is a part of a time that returns, for Climatology.
type Period string

// number returns which of its kind a time is in; 0 without a period.
func (p Period) number(t time.Time) float64 {
	if p == "" {
		return 0
	}
	return float64(periods[p](t))
}

// periods gives the number of each period, as pandas has it.
var periods = map[Period]func(t time.Time) int{
	"month":      func(t time.Time) int { return int(t.Month()) },
	"quarter":    func(t time.Time) int { return int(t.Month()+2) / 3 },
	"week":       func(t time.Time) int { _, w := t.ISOWeek(); return w },
	"weekofyear": func(t time.Time) int { _, w := t.ISOWeek(); return w },
	"dayofyear":  func(t time.Time) int { return t.YearDay() },
	"day":        func(t time.Time) int { return t.Day() },
	"dayofweek":  weekday,
	"weekday":    weekday,
	"hour":       func(t time.Time) int { return t.Hour() },
}

func weekday(t time.Time) int { return (int(t.Weekday()) + 6) % 7 }
