package qc

import (
	"cmp"
	"errors"
	"math"

	"tianhai/ingest"
)

// DensityInversion finds water that gets lighter with depth: both values of a
// pair are flagged whose density changes by less than the threshold. A pair with
// a missing value or depth is missing. It needs Series.Z.
//
// Source: QARTOD, temperature and salinity, density inversion.
type DensityInversion struct{ SuspectThreshold, FailThreshold *float64 } // kg/m³, negative; at least one

// Name implements Test.
func (DensityInversion) Name() string { return "density_inversion_test" }

// Flags implements Test.
func (t DensityInversion) Flags(s Series) []ingest.Flag {
	flags := make([]ingest.Flag, len(s.Values))
	for i := range flags {
		flags[i] = ingest.Good
	}
	if len(flags) == 1 || s.Z == nil {
		for i := range flags {
			flags[i] = ingest.NotEvaluated
		}
	}
	if s.Z == nil {
		return flags
	}
	missing := func(i int) bool { return math.IsNaN(s.Values[i]) || math.IsNaN(s.Z[i]) }
	for i := 1; i < len(flags); i++ {
		verdict := t.verdict(float64(cmp.Compare(s.Z[i], s.Z[i-1])) * (s.Values[i] - s.Values[i-1]))
		if !missing(i-1) && !missing(i) {
			flags[i-1], flags[i] = Worst(flags[i-1], verdict), Worst(flags[i], verdict)
		}
	}
	for i := len(flags) - 1; i >= 0 && len(flags) > 1; i-- {
		if missing(i) || i > 0 && missing(i-1) {
			flags[i] = ingest.Missing
		}
	}
	return flags
}

func (t DensityInversion) verdict(change float64) ingest.Flag {
	switch {
	case t.FailThreshold != nil && change < *t.FailThreshold:
		return ingest.Fail
	case t.SuspectThreshold != nil && change < *t.SuspectThreshold:
		return ingest.Suspect
	default:
		return ingest.Good
	}
}

func (t DensityInversion) check() error {
	if t.SuspectThreshold == nil && t.FailThreshold == nil {
		return errors.New("suspect_threshold: this or fail_threshold is needed")
	}
	if t.SuspectThreshold != nil && t.FailThreshold != nil && *t.FailThreshold > *t.SuspectThreshold {
		return errors.New("fail_threshold: must not be above suspect_threshold")
	}
	return nil
}
