// Package qc gives every sample a quality flag. It never changes or drops a
// value: who reads a series decides what a flag is worth.
//
// Tests and flags are QARTOD's: each test judges for itself, and the most
// telling verdict becomes the flag.
//
// Source: U.S. IOOS, Manual for Real-Time Quality Control (QARTOD); the exact
// arithmetic is that of ioos_qc.
package qc

import (
	"fmt"

	"tianhai/farm"
	"tianhai/ingest"
)

// A Test judges samples one by one. A test that looks back keeps what it must
// remember of each device and channel itself; samples of one device come in
// order.
type Test interface {
	Judge(s ingest.Sample) ingest.Flag
}

// A Checker flags samples by a set of tests.
type Checker struct{ tests []Test }

// New returns a checker that applies these tests.
func New(tests ...Test) *Checker { return &Checker{tests} }

// Flag returns the verdict of all tests on a sample: Missing for one without a
// value, NotEvaluated where no test could judge, otherwise the worst verdict.
func (c *Checker) Flag(s ingest.Sample) ingest.Flag {
	if s.Missing {
		return ingest.Missing
	}
	verdict := ingest.NotEvaluated
	for _, t := range c.tests {
		verdict = Worst(verdict, t.Judge(s))
	}
	return verdict
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

// GrossRange fails a value outside what the sensor can measure or what can be
// true of the quantity, and suspects one outside the span given for it. The
// bounds themselves are good. The zero GrossRange suspects nothing.
//
// Source: QARTOD test 4, gross range.
type GrossRange struct {
	suspect map[string]farm.Range
}

// NewGrossRange returns a test with spans, by quantity ID, outside which a value
// is suspect. A span must lie within the quantity's range.
func NewGrossRange(suspect map[string]farm.Range) (GrossRange, error) {
	for id, span := range suspect {
		q, known := farm.LookupQuantity(id)
		if !known {
			return GrossRange{}, fmt.Errorf("gross range: unknown quantity %q", id)
		}
		if span.Min > span.Max || !q.Range.Contains(span.Min) || !q.Range.Contains(span.Max) {
			return GrossRange{}, fmt.Errorf("gross range: suspect span %v to %v of %s is not within %v to %v",
				span.Min, span.Max, id, q.Range.Min, q.Range.Max)
		}
	}
	return GrossRange{suspect}, nil
}

// Judge implements Test.
func (g GrossRange) Judge(s ingest.Sample) ingest.Flag {
	limits := s.Limits
	if limits == (farm.Range{}) {
		limits = s.Quantity.Range
	}
	if !limits.Contains(s.Value) || !s.Quantity.Range.Contains(s.Value) {
		return ingest.Fail
	}
	if span, ok := g.suspect[s.Quantity.ID]; ok && !span.Contains(s.Value) {
		return ingest.Suspect
	}
	return ingest.Good
}
