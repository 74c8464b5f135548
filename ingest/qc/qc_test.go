package qc_test

import (
	"math"
	"slices"
	"testing"

	"tianhai/farm"
	"tianhai/ingest"
	"tianhai/ingest/qc"
)

func sample(t *testing.T, quantity string, v float64) ingest.Sample {
	t.Helper()
	q, ok := farm.LookupQuantity(quantity)
	if !ok {
		t.Fatalf("no quantity %q", quantity)
	}
	return ingest.Sample{Device: "d", Channel: "c", Quantity: q, Value: v}
}

// The vector is ioos_qc's, tests/test_qartod.py, gross range.
func TestGrossRangeVector(t *testing.T) {
	test, err := qc.NewGrossRange(map[string]farm.Range{"water.ph": {Min: 1, Max: 4}})
	if err != nil {
		t.Fatal(err)
	}
	checker := qc.New(test)
	var got []ingest.Flag
	for _, v := range []float64{1, 2, 3, 4, 8} {
		s := sample(t, "water.ph", v)
		s.Limits = farm.Range{Min: 0, Max: 5}
		got = append(got, checker.Flag(s))
	}
	if want := []ingest.Flag{1, 1, 1, 1, 4}; !slices.Equal(got, want) {
		t.Errorf("flags %v, want %v", got, want)
	}
}

func TestGrossRange(t *testing.T) {
	test, err := qc.NewGrossRange(map[string]farm.Range{"water.dissolved_oxygen": {Min: 2, Max: 15}})
	if err != nil {
		t.Fatal(err)
	}
	wide := farm.Range{Min: -100, Max: 100}
	tests := map[string]struct {
		quantity string
		limits   farm.Range
		value    float64
		want     ingest.Flag
	}{
		"within":                        {"water.temperature", farm.Range{}, 24.5, ingest.Good},
		"on the upper bound":            {"water.temperature", farm.Range{}, 45, ingest.Good},
		"just above":                    {"water.temperature", farm.Range{}, math.Nextafter(45, 46), ingest.Fail},
		"on the lower bound":            {"water.temperature", farm.Range{}, -2, ingest.Good},
		"below":                         {"water.temperature", farm.Range{}, -2.1, ingest.Fail},
		"sensor narrower than nature":   {"water.temperature", farm.Range{Min: 0, Max: 40}, 41, ingest.Fail},
		"sensor wider than nature":      {"water.temperature", wide, 46, ingest.Fail},
		"suspect":                       {"water.dissolved_oxygen", farm.Range{}, 1.9, ingest.Suspect},
		"on the bound of suspect":       {"water.dissolved_oxygen", farm.Range{}, 2, ingest.Good},
		"suspect, but sensor cannot be": {"water.dissolved_oxygen", farm.Range{Min: 1, Max: 20}, 0.5, ingest.Fail},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := sample(t, tt.quantity, tt.value)
			s.Limits = tt.limits
			if got := qc.New(test).Flag(s); got != tt.want {
				t.Errorf("flag %d, want %d", got, tt.want)
			}
		})
	}
}

func TestMissing(t *testing.T) {
	s := sample(t, "water.temperature", 0)
	s.Missing = true
	if got := qc.New(qc.GrossRange{}).Flag(s); got != ingest.Missing {
		t.Errorf("flag %d, want %d", got, ingest.Missing)
	}
}

func TestNoTests(t *testing.T) {
	if got := qc.New().Flag(sample(t, "water.temperature", 20)); got != ingest.NotEvaluated {
		t.Errorf("flag %d, want %d", got, ingest.NotEvaluated)
	}
}

func TestNewGrossRangeRefuses(t *testing.T) {
	for name, spans := range map[string]map[string]farm.Range{
		"unknown quantity":   {"water.colour": {Min: 1, Max: 2}},
		"wider than nature":  {"water.ph": {Min: 5, Max: 15}},
		"ends before begins": {"water.ph": {Min: 9, Max: 5}},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := qc.NewGrossRange(spans); err == nil {
				t.Error("accepted")
			}
		})
	}
}

// The vector is ioos_qc's, tests/test_qartod.py, aggregate.
func TestWorst(t *testing.T) {
	rangeFlags := []ingest.Flag{1, 1, 1, 9, 1, 1, 9, 9}
	spike := []ingest.Flag{2, 1, 1, 1, 1, 1, 9, 9}
	gradient := []ingest.Flag{1, 3, 3, 4, 3, 1, 2, 9}
	want := []ingest.Flag{1, 3, 3, 4, 3, 1, 2, 9}
	for i := range want {
		a := qc.Worst(qc.Worst(rangeFlags[i], spike[i]), gradient[i])
		b := qc.Worst(gradient[i], qc.Worst(spike[i], rangeFlags[i]))
		if a != want[i] || b != want[i] {
			t.Errorf("point %d: %d and %d, want %d", i, a, b, want[i])
		}
	}
}
