package qc_test

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tianhai/ingest"
	"tianhai/ingest/qc"
)

var (
	none  = math.NaN()
	begin = time.Date(2021, 7, 1, 0, 0, 0, 0, time.UTC)
)

// every returns a series with one value each step.
func every(step time.Duration, values ...float64) qc.Series {
	s := qc.Series{Values: values}
	for i := range values {
		s.Times = append(s.Times, begin.Add(time.Duration(i)*step))
	}
	return s
}

func at(v float64) *float64 { return &v }

type flags = []ingest.Flag

// The vectors are ioos_qc's, tests/test_qartod.py.
func TestVectors(t *testing.T) {
	const quarter, day = 15 * time.Minute, 24 * time.Hour
	spiky := []float64{3, 4.99, 5, 6, 8, 6, 6, 6.75, 6, 6, 5.3, 6, 6, 9, 5, none, 4, 4}
	moving := []float64{2, 10, 2.1, 3, 4, 5, 7, 10, 0, 2, 2.2, 2, 1, 2, 3, 90, 91, 92, 93, 1, 2, 3, 4, 5}
	perStep := func(v float64) float64 { return v / 15 / 60 } // divided as there: 10/15/60 is less than 10/900
	downcast := every(time.Second, 1024, 1024, 1023.98, 1024, 1025, 1026, 1025.9, 1026, 1026, none, 1026, 1027)
	downcast.Z = []float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}
	upcast := every(time.Second, 1026, none, 1026, 1026, 1025.9, 1026, 1025, 1024, 1023.98, 1024, 1024)
	upcast.Z = []float64{11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1}
	both := every(time.Second, 1024, 1024, 1023.98, 1024, 1025, 1026, 1025.9, 1026, 1026, 1026, 1026, 1025.9, 1026, 1025, 1024, 1023.98, 1024, 1024)
	both.Z = []float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 8, 7, 6, 5, 4, 3, 2, 1}
	stable := every(time.Second, 1026, none, 1026, 1026, 1025.9, 1026, 1025, 1024, 1023.98, 1024, 1024)
	stable.Z = []float64{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}
	noDepth := every(time.Second, 1025, 1025, 1025, 1026, 1026)
	noDepth.Z = []float64{1, none, 3, 4, 5}
	inversion := qc.DensityInversion{SuspectThreshold: at(-0.01), FailThreshold: at(-0.03)}
	flat := qc.FlatLine{Tolerance: 0.01, SuspectThreshold: at(3000), FailThreshold: at(4800)}
	tests := map[string]struct {
		test   qc.Test
		series qc.Series
		want   flags
	}{
		"gross range": {
			qc.GrossRange{FailSpan: qc.Span{Min: 0, Max: 5}, SuspectSpan: &qc.Span{Min: 1, Max: 4}},
			every(quarter, 1, 2, 3, 4, 8),
			flags{1, 1, 1, 1, 4},
		},
		"gross range, sensor and user": {
			qc.GrossRange{FailSpan: qc.Span{Min: 10, Max: 50}, SuspectSpan: &qc.Span{Min: 20, Max: 40}},
			every(quarter, none, 10, 15, 20, 25, 30, 35, 40, none, 51, 5),
			flags{9, 3, 3, 1, 1, 1, 1, 1, 9, 4, 4},
		},
		"spike": {
			qc.Spike{SuspectThreshold: at(25), FailThreshold: at(50)},
			every(quarter, 10, 12, 999.99, 13, 15, 40, 9, 9),
			flags{2, 4, 4, 4, 1, 3, 1, 2},
		},
		"spike, negative": {
			qc.Spike{SuspectThreshold: at(25), FailThreshold: at(50), Method: "average"},
			every(quarter, -100, -99, -99, -98),
			flags{2, 1, 1, 2},
		},
		"spike, missing": {
			qc.Spike{SuspectThreshold: at(25), FailThreshold: at(50)},
			every(quarter, 10, 12, 999.99, 13, 15, 40, 9, 9, none, 10, 10, 999.99, 10, none),
			flags{2, 4, 4, 4, 1, 3, 1, 2, 9, 2, 4, 4, 2, 9},
		},
		"spike, average": {
			qc.Spike{SuspectThreshold: at(.5), FailThreshold: at(1)},
			every(quarter, spiky...),
			flags{2, 3, 1, 1, 4, 3, 1, 3, 1, 1, 3, 1, 4, 4, 2, 9, 2, 2},
		},
		"spike, differential": {
			qc.Spike{SuspectThreshold: at(.5), FailThreshold: at(1), Method: "differential"},
			every(quarter, spiky...),
			flags{2, 1, 1, 1, 4, 1, 1, 3, 1, 1, 3, 1, 1, 4, 2, 9, 2, 2},
		},
		"rate of change": {
			qc.RateOfChange{Threshold: perStep(5)},
			every(quarter, moving...),
			flags{1, 3, 3, 1, 1, 1, 1, 1, 3, 1, 1, 1, 1, 1, 1, 3, 1, 1, 1, 3, 1, 1, 1, 1},
		},
		"rate of change, fail": {
			qc.RateOfChange{Threshold: perStep(5), FailThreshold: at(perStep(10))},
			every(quarter, moving...),
			flags{1, 3, 3, 1, 1, 1, 1, 1, 4, 1, 1, 1, 1, 1, 1, 4, 1, 1, 1, 4, 1, 1, 1, 1},
		},
		"rate of change, negative": {
			qc.RateOfChange{Threshold: perStep(5)}, every(quarter, -2, -10, -2, -3), flags{1, 3, 3, 1},
		},
		"spike, negative values": {
			qc.Spike{SuspectThreshold: at(25), FailThreshold: at(50)},
			every(quarter, -10, -12, -999.99, -13, -15, -40, -9, -9),
			flags{2, 4, 4, 4, 1, 3, 1, 2},
		},
		"spike, a tide": {
			qc.Spike{SuspectThreshold: at(.5), FailThreshold: at(1)},
			every(quarter, -0.189, -0.0792, -0.0122, 0.0457, 0.0671, 0.0213, -0.0488, -0.1463, -0.2438, -0.3261, -0.3871, -0.4054, -0.3932, -0.3383, -0.2804,
				-0.2347, -0.2134, -0.2347, -0.2926, -0.3597, -0.442, -0.509, 0, -0.5944, -0.57, -0.4267, -0.2926, -0.1585, -0.0945, -0.0762),
			flags{2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 3, 1, 1, 1, 1, 1, 1, 2},
		},
		"rate of change, missing": {
			qc.RateOfChange{Threshold: perStep(5)}, every(quarter, 2, 10, 2, 3, none, none, 7, 10), flags{1, 3, 3, 1, 9, 9, 1, 1},
		},
		"rate of change, noise": {
			qc.RateOfChange{Threshold: 0.001, MinChange: 0.5}, every(time.Second, 2, 2.5, 2, 2.6), flags{1, 1, 1, 3},
		},
		"rate of change, within a second": {
			qc.RateOfChange{Threshold: 0.001}, every(999*time.Millisecond, 2, 9, 2), flags{1, 1, 1},
		},
		"flat line": {
			flat, every(quarter, 1, 2, 2.0001, 2, 2.0001, 2, 2.0001, 2, 4, 5, 3, 3.0001, 3.0005, 3.00001),
			flags{1, 1, 1, 1, 3, 3, 4, 4, 1, 1, 1, 1, 1, 3},
		},
		"flat line, negative": {
			flat, every(quarter, -1, -2, -2.0001, -2, -2.0001, -2, -2.0001, -2, -4, -5, -3, -3.0001, -3.0005, -3.00001),
			flags{1, 1, 1, 1, 3, 3, 4, 4, 1, 1, 1, 1, 1, 3},
		},
		"flat line from the beginning": {
			flat, every(quarter, 2, 2.0001, 2, 2.0001, 2, 2.0001, 2, 4, 5, 3, 3.0001, 3.0005, 3.00001),
			flags{1, 1, 1, 3, 3, 4, 4, 1, 1, 1, 1, 1, 3},
		},
		"flat line from the first": {
			qc.FlatLine{Tolerance: .1, SuspectThreshold: at(3), FailThreshold: at(5)},
			every(time.Second, 5, 5, 5, 5, 5, 5),
			flags{1, 1, 1, 3, 3, 4},
		},
		"flat line, missing": {
			flat, every(quarter, 1, none, none, 2, 2.0001, 2, 2.0001, 2, 4, none, 3, none, none, 3.00001),
			flags{1, 9, 9, 1, 3, 3, 4, 4, 1, 9, 1, 9, 9, 3},
		},
		"flat line, slope": {
			qc.FlatLine{Tolerance: 4, SuspectThreshold: at(3), FailThreshold: at(6)},
			every(time.Second, 1, 1, 1, 1, 1, 6, 5, 4, 3, 2),
			flags{1, 1, 1, 3, 3, 1, 1, 1, 3, 3},
		},
		"flat line, threshold below the interval": {
			qc.FlatLine{Tolerance: 1, SuspectThreshold: at(1)}, every(quarter, 5, 5, 9, 5), flags{1, 3, 1, 1},
		},
		"flat line, interval in whole seconds": {
			qc.FlatLine{Tolerance: 1, SuspectThreshold: at(3)}, every(1500*time.Millisecond, 5, 5, 5, 5), flags{1, 1, 1, 3},
		},
		"flat line, no tolerance":    {qc.FlatLine{SuspectThreshold: at(1)}, every(time.Second, 5, 5, 5, 5), flags{1, 1, 1, 1}},
		"flat line, too few to tell": {qc.FlatLine{Tolerance: 1, SuspectThreshold: at(1)}, every(time.Second, 5, 5), flags{1, 1}},
		"attenuated signal": {
			qc.AttenuatedSignal{SuspectThreshold: 100, FailThreshold: 10, TestPeriod: 2 * 86400, CheckType: "range"},
			every(day, 1, 2, 3, 100, 1000),
			flags{4, 4, 4, 3, 1},
		},
		"attenuated signal, enough": {
			qc.AttenuatedSignal{SuspectThreshold: 100, FailThreshold: 10, TestPeriod: 2 * 86400, MinObs: 2, CheckType: "range"},
			every(day, 1, 2, 3, 100, 1000),
			flags{2, 4, 4, 3, 1},
		},
		"attenuated signal, enough time": {
			qc.AttenuatedSignal{SuspectThreshold: 100, FailThreshold: 10, TestPeriod: 2 * 86400, MinPeriod: 2 * 86400, CheckType: "range"},
			every(day, 1, 2, 3, 100, 1000),
			flags{2, 4, 4, 3, 1},
		},
		"attenuated signal, missing": {
			qc.AttenuatedSignal{SuspectThreshold: 100, FailThreshold: 50, TestPeriod: 2 * 86400, MinObs: 2, CheckType: "range"},
			every(day, 1, none, 10, 100, 1000),
			flags{2, 9, 2, 3, 1},
		},
		"attenuated signal, series": {
			qc.AttenuatedSignal{SuspectThreshold: 5, FailThreshold: 0}, every(day, 1, 2, 3, 4), flags{3, 3, 3, 3},
		},
		"attenuated signal, series varies": {
			qc.AttenuatedSignal{SuspectThreshold: .75, FailThreshold: .5}, every(day, none, 2, 3, 4), flags{9, 1, 1, 1},
		},
		"attenuated signal, series range": {
			qc.AttenuatedSignal{SuspectThreshold: 50, FailThreshold: 31, CheckType: "range"}, every(day, 10, none, none, 40), flags{4, 9, 9, 4},
		},
		// The deviation of a population is 1, that of a sample 1.41: windows have the
		// latter, as in pandas, and the series as a whole the former, as in numpy.
		"attenuated signal, window": {
			qc.AttenuatedSignal{SuspectThreshold: 1.5, FailThreshold: 1.2, TestPeriod: 2 * 86400}, every(day, 1, 3), flags{2, 3},
		},
		"attenuated signal, whole": {
			qc.AttenuatedSignal{SuspectThreshold: 1.5, FailThreshold: 1.2}, every(day, 1, 3), flags{4, 4},
		},
		"attenuated signal, deviation, missing": {
			qc.AttenuatedSignal{SuspectThreshold: 150, FailThreshold: 40, TestPeriod: 2 * 86400, MinObs: 2},
			every(day, 1, none, 10, 100, 1000),
			flags{2, 9, 2, 3, 1},
		},
		"attenuated signal, no least period": {
			qc.AttenuatedSignal{SuspectThreshold: 100, FailThreshold: 10, TestPeriod: 2 * 86400, MinPeriod: 0, CheckType: "range"},
			every(day, 1, 2, 3, 100, 1000),
			flags{4, 4, 4, 3, 1},
		},
		"attenuated signal, all missing": {
			qc.AttenuatedSignal{SuspectThreshold: .75, FailThreshold: .5}, every(day, none, none), flags{9, 9},
		},
		"density inversion, down":   {inversion, downcast, flags{1, 3, 3, 1, 1, 4, 4, 1, 1, 9, 9, 1}},
		"density inversion, up":     {inversion, upcast, flags{1, 9, 9, 1, 4, 4, 1, 1, 3, 3, 1}},
		"density inversion, both":   {inversion, both, flags{1, 3, 3, 1, 1, 4, 4, 1, 1, 1, 1, 4, 4, 1, 1, 3, 3, 1}},
		"density inversion, level":  {inversion, stable, flags{1, 9, 9, 1, 1, 1, 1, 1, 1, 1, 1}},
		"density inversion, depth":  {inversion, noDepth, flags{1, 9, 9, 1, 1}},
		"density inversion, one":    {inversion, qc.Series{Times: []time.Time{begin}, Values: []float64{1}, Z: []float64{1}}, flags{2}},
		"density inversion, no z":   {inversion, every(day, 1, 2), flags{2, 2}},
		"time gap":                  {qc.TimeGap{SuspectThreshold: at(900), FailThreshold: at(1700)}, every(quarter, 1, 1, none, 1), flags{2, 1, 9, 4}},
		"time gap, not evaluated":   {qc.TimeGap{SuspectThreshold: at(1)}, every(quarter, none, 1), flags{9, 2}},
		"time gap, suspect":         {qc.TimeGap{SuspectThreshold: at(899)}, every(quarter, 1, 1), flags{2, 3}},
		"nothing, nothing to judge": {flat, qc.Series{}, flags{}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, tt.test.Flags(tt.series)); diff != "" {
				t.Errorf("flags (-want +got):\n%s", diff)
			}
		})
	}
}

// The members are those of ioos_qc's TestClimatology; a later one overrides.
func TestClimatology(t *testing.T) {
	date := func(text string) time.Time {
		v, err := time.Parse(time.DateOnly, text)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	span := func(a, b float64) qc.Span { return qc.Span{Min: a, Max: b} }
	shallow, deep, hard := span(0, 10), span(10, 100), span(0, 60)
	byDate := qc.Climatology{Members: []qc.Season{
		{From: date("2011-01-01"), To: date("2011-07-01"), VSpan: span(10, 20), FSpan: &hard},
		{From: date("2011-07-01"), To: date("2012-01-01"), VSpan: span(30, 40)},
		{From: date("2012-01-01"), To: date("2013-01-01"), VSpan: span(40, 50)},
		{From: date("2012-01-01"), To: date("2013-01-01"), VSpan: span(50, 60), ZSpan: &shallow},
		{From: date("2012-01-01"), To: date("2013-01-01"), VSpan: span(70, 80), ZSpan: &deep},
	}}
	by := func(period qc.Period, from, to float64) qc.Climatology {
		return qc.Climatology{Members: []qc.Season{{Period: period, TSpan: span(from, to), VSpan: span(1, 2)}}}
	}
	tests := map[string]struct {
		test  qc.Climatology
		day   string
		value float64
		z     float64
		want  ingest.Flag
	}{
		"good":                         {byDate, "2011-01-02", 11, none, 1},
		"below":                        {byDate, "2011-01-02", 9, none, 3},
		"above":                        {byDate, "2011-01-02", 21, none, 3},
		"on the bound":                 {byDate, "2011-01-02", 20, none, 1},
		"fails":                        {byDate, "2011-01-02", 61, none, 4},
		"missing":                      {byDate, "2011-01-02", none, none, 9},
		"later member on a shared day": {byDate, "2011-07-01", 31, none, 1},
		"first day":                    {byDate, "2011-01-01", 11, none, 1},
		"day before":                   {byDate, "2010-12-31", 11, none, 2},
		"last day":                     {byDate, "2013-01-01", 41, none, 1},
		"shallow":                      {byDate, "2012-01-02", 51, 2, 1},
		"deep":                         {byDate, "2012-01-02", 71, 90, 1},
		"depth unknown":                {byDate, "2012-01-02", 42, none, 1},
		"deep, suspect":                {byDate, "2012-01-02", 59, 11, 3},
		"both depths, the later":       {byDate, "2012-01-02", 75, 10, 1},
		"deeper than any":              {byDate, "2012-01-02", 45, 101, 1},
		"month":                        {by("month", 2, 3), "2012-02-01", 1, none, 1},
		"month after":                  {by("month", 2, 3), "2012-04-01", 1, none, 2},
		"quarter":                      {by("quarter", 4, 4), "2012-10-01", 1, none, 1},
		"quarter before":               {by("quarter", 4, 4), "2012-09-30", 1, none, 2},
		"ISO week of another year":     {by("week", 52, 52), "2012-01-01", 1, none, 1},
		"day of year":                  {by("dayofyear", 60, 60), "2012-02-29", 1, none, 1},
		"Monday is 0":                  {by("dayofweek", 0, 0), "2012-01-02", 1, none, 1},
		"hour":                         {by("hour", 0, 0), "2012-01-02", 3, none, 3},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := qc.Series{Times: []time.Time{date(tt.day)}, Values: []float64{tt.value}, Z: []float64{tt.z}}
			if got := tt.test.Flags(s)[0]; got != tt.want {
				t.Errorf("flag %d, want %d", got, tt.want)
			}
		})
	}
}

// The vector is ioos_qc's, tests/test_qartod.py, aggregate.
func TestWorst(t *testing.T) {
	rangeFlags := flags{1, 1, 1, 9, 1, 1, 9, 9}
	spike := flags{2, 1, 1, 1, 1, 1, 9, 9}
	gradient := flags{1, 3, 3, 4, 3, 1, 2, 9}
	want := flags{1, 3, 3, 4, 3, 1, 2, 9}
	for i := range want {
		a := qc.Worst(qc.Worst(rangeFlags[i], spike[i]), gradient[i])
		b := qc.Worst(gradient[i], qc.Worst(spike[i], rangeFlags[i]))
		if a != want[i] || b != want[i] {
			t.Errorf("point %d: %d and %d, want %d", i, a, b, want[i])
		}
	}
}

func TestFlags(t *testing.T) {
	tests := []qc.Test{
		qc.GrossRange{FailSpan: qc.Span{Min: 0, Max: 10}},
		qc.Spike{SuspectThreshold: at(3)},
	}
	byTest, aggregate := qc.Flags(tests, every(time.Minute, 1, 1, 8, none, 11))
	want := map[string][]ingest.Flag{"gross_range_test": {1, 1, 1, 9, 4}, "spike_test": {2, 3, 2, 9, 2}}
	if diff := cmp.Diff(want, byTest); diff != "" {
		t.Errorf("by test (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(flags{1, 3, 1, 9, 4}, aggregate); diff != "" {
		t.Errorf("aggregate (-want +got):\n%s", diff)
	}
	if _, untested := qc.Flags(nil, every(time.Minute, 1, none)); !cmp.Equal(untested, flags{2, 9}) {
		t.Errorf("without tests %v, want [2 9]", untested)
	}
}
