package qc

import "tianhai/ingest"

// TimeGap judges how long there was no value before this one. The first is not
// evaluated.
//
// Source: QARTOD test 1, timing/gap.
type TimeGap struct{ SuspectThreshold, FailThreshold *float64 } // s; at least one

// Name implements Test.
func (TimeGap) Name() string { return "time_gap_test" }

// Flags implements Test.
func (t TimeGap) Flags(s Series) []ingest.Flag { return replay(s, t.memory()) }

func (t TimeGap) memory() memory { return &gapMemory{test: t} }

func (t TimeGap) check() error { return checkRising(t.SuspectThreshold, t.FailThreshold) }

type gapMemory struct {
	ordered
	test TimeGap
	have bool
	at   int64 // Unix ms
}

func (m *gapMemory) judge(p point) ingest.Flag {
	if p.missing {
		return ingest.Missing
	}
	now := p.ms
	gap, had := float64(now-m.at)/1000, m.have
	m.have, m.at = true, now
	if !had {
		return ingest.NotEvaluated
	}
	return above(gap, m.test.SuspectThreshold, m.test.FailThreshold)
}

func (m *gapMemory) state() []float64 { return []float64{number(m.have), float64(m.at)} }

func (m *gapMemory) restore(s []float64) bool {
	if len(s) != 2 {
		return false
	}
	m.have, m.at = s[0] != 0, int64(s[1])
	return true
}
