package qc_test

import (
	"math"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tianhai/farm"
	"tianhai/ingest/qc"
)

func TestParse(t *testing.T) {
	got := parse(t, `
# every test
streams:
  Temp:
    qartod:
      gross_range_test:
        fail_span: [-2, 45]
        suspect_span: [5, 38.5]
      climatology_test:
        config:
          - {period: month, tspan: [6, 9], vspan: [24, 34], fspan: [20, 40], zspan: [0, 10]}
          - {tspan: [2021-07-01, "2021-08-01T06:00:00+08:00"], vspan: [1, 2]}
      spike_test: {suspect_threshold: 1, fail_threshold: 3, method: differential}
      rate_of_change_test: {threshold: 10/15/60, fail_threshold: 0.5, min_change: 0.1}
      flat_line_test: {tolerance: 0.01, suspect_threshold: 7200, fail_threshold: 21600}
      attenuated_signal_test: {suspect_threshold: 0.5, fail_threshold: 0.1, test_period: 90000, min_obs: 20, check_type: range}
      time_gap_test: {suspect_threshold: 7200}
      density_inversion_test: {suspect_threshold: -0.01, fail_threshold: -0.03}
sites:
  raft-1: {streams: {Temp: {qartod: {time_gap_test: {fail_threshold: 1}}}}}
`)
	want := qc.Config{
		Streams: map[string][]qc.Test{"Temp": {
			qc.GrossRange{FailSpan: qc.Span{Min: -2, Max: 45}, SuspectSpan: &qc.Span{Min: 5, Max: 38.5}},
			qc.Climatology{Members: []qc.Season{
				{Period: "month", TSpan: qc.Span{Min: 6, Max: 9}, VSpan: qc.Span{Min: 24, Max: 34}, FSpan: &qc.Span{Min: 20, Max: 40}, ZSpan: &qc.Span{Min: 0, Max: 10}},
				{From: begin, To: time.Date(2021, 7, 31, 22, 0, 0, 0, time.UTC), VSpan: qc.Span{Min: 1, Max: 2}},
			}},
			qc.Spike{SuspectThreshold: at(1), FailThreshold: at(3), Method: "differential"},
			qc.RateOfChange{Threshold: 10. / 15 / math.Abs(60), FailThreshold: at(0.5), MinChange: 0.1},
			qc.FlatLine{Tolerance: 0.01, SuspectThreshold: at(7200), FailThreshold: at(21600)},
			qc.AttenuatedSignal{SuspectThreshold: 0.5, FailThreshold: 0.1, TestPeriod: 90000, MinObs: 20, CheckType: "range"},
			qc.TimeGap{SuspectThreshold: at(7200)},
			qc.DensityInversion{SuspectThreshold: at(-0.01), FailThreshold: at(-0.03)},
		}},
		Sites: map[string]map[string][]qc.Test{"raft-1": {"Temp": {qc.TimeGap{FailThreshold: at(1)}}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("tests (-want +got):\n%s", diff)
	}
}

// Each error begins with line and key.
// Files as users of ioos_qc have them: without the level streams, with aggregate,
// with null for no suspect_span, with times that have a tag or no day.
func TestParseAsThere(t *testing.T) {
	gross := []qc.Test{qc.GrossRange{FailSpan: qc.Span{Min: 0, Max: 12}}}
	day := func(text string) time.Time {
		v, err := time.Parse(time.DateTime, text)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for name, tt := range map[string]struct {
		src  string
		want map[string][]qc.Test
	}{
		"bare":      {"v:\n  qartod:\n    gross_range_test:\n      fail_span:\n        - 0\n        - 12\n", map[string][]qc.Test{"v": gross}},
		"bare, two": {"v: {qartod: {gross_range_test: {fail_span: [0, 12]}}}\nw: {qartod: {gross_range_test: {fail_span: [0, 12]}}}", map[string][]qc.Test{"v": gross, "w": gross}},
		"aggregate": {"streams:\n  v:\n    qartod:\n      gross_range_test: {fail_span: [0, 12]}\n      aggregate:\n", map[string][]qc.Test{"v": gross}},
		"null":      {"streams: {v: {qartod: {gross_range_test: {fail_span: [0, 12], suspect_span: null}}}}", map[string][]qc.Test{"v": gross}},
		"JSON":      {`{"streams": {"v": {"qartod": {"gross_range_test": {"fail_span": [0, 12]}}}}}`, map[string][]qc.Test{"v": gross}},
		"timestamps": {
			"v:\n  qartod:\n    climatology_test:\n      config:\n        - vspan: [10, 20]\n          tspan:\n            - !!timestamp 2011-01-01 00:00:00\n            - !!timestamp 2011-07-01 23:59:59\n        - {vspan: [1, 2], tspan: [2012-01, 2013-01]}\n",
			map[string][]qc.Test{"v": {qc.Climatology{Members: []qc.Season{
				{From: day("2011-01-01 00:00:00"), To: day("2011-07-01 23:59:59"), VSpan: qc.Span{Min: 10, Max: 20}},
				{From: day("2012-01-01 00:00:00"), To: day("2013-01-01 00:00:00"), VSpan: qc.Span{Min: 1, Max: 2}},
			}}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := qc.Parse([]byte(tt.src))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got.Streams); diff != "" {
				t.Errorf("streams (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	test := func(body string) string { return "streams:\n  Temp:\n    qartod:\n      " + body + "\n" }
	for name, tt := range map[string]struct{ src, want string }{
		"empty":                {"", `want one YAML document`},
		"syntax":               {"streams:\n  a: [", `line 2`},
		"list":                 {"- a", `line 1: document: want a mapping`},
		"unknown key":          {"streams: {}\nstream: {}", `line 2: stream: unknown key`},
		"unknown level":        {"streams:\n  Temp:\n    argo: {}", `line 3: streams.Temp.argo: unknown key`},
		"unknown test":         {test("gross_test: {}"), `line 4: streams.Temp.qartod.gross_test: unknown test`},
		"unknown parameter":    {test("spike_test:\n        suspect_threshold: 1\n        fail: 2"), `line 6: streams.Temp.qartod.spike_test.fail: unknown key`},
		"twice":                {test("spike_test:\n        suspect_threshold: 1\n        suspect_threshold: 2"), `suspect_threshold`},
		"twice, once quoted":   {"streams: {}\n\"streams\": {}", `streams`},
		"nothing in it":        {test("spike_test:"), `streams.Temp.qartod.spike_test: want a mapping`},
		"needed":               {test("gross_range_test: {suspect_span: [1, 2]}"), `line 4: streams.Temp.qartod.gross_range_test: fail_span is needed`},
		"span of one":          {test("gross_range_test: {fail_span: [1]}"), `gross_range_test.fail_span: want two bounds`},
		"span of words":        {test("gross_range_test: {fail_span: [low, 2]}"), `fail_span: "low" is not a number`},
		"span backwards":       {test("gross_range_test: {fail_span: [3, 2]}"), `line 4: streams.Temp.qartod.gross_range_test.fail_span: 3 is above 2`},
		"suspect outside fail": {test("gross_range_test:\n        fail_span: [1, 2]\n        suspect_span: [0, 2]"), `line 6: streams.Temp.qartod.gross_range_test.suspect_span: must lie within fail_span`},
		"not a number":         {test("spike_test: {suspect_threshold: .nan}"), `spike_test.suspect_threshold: ".nan" is not a number`},
		"quotient elsewhere":   {test("spike_test: {suspect_threshold: 1/2}"), `is not a number`},
		"division by nothing":  {test("rate_of_change_test: {threshold: 1/0}"), `"1/0" is not a number`},
		"list for a number":    {test("spike_test: {suspect_threshold: [1]}"), `is not a number`},
		"negative":             {test("rate_of_change_test: {threshold: -1}"), `rate_of_change_test.threshold: must not be negative`},
		"fail below suspect":   {test("spike_test:\n        suspect_threshold: 2\n        fail_threshold: 1"), `line 6: streams.Temp.qartod.spike_test.fail_threshold: must not be below`},
		"no threshold":         {test("flat_line_test: {tolerance: 1}"), `suspect_threshold: this or fail_threshold is needed`},
		"method":               {test("spike_test: {suspect_threshold: 1, method: median}"), `spike_test.method: "median" is neither`},
		"check type":           {test("attenuated_signal_test: {suspect_threshold: 1, fail_threshold: 0, check_type: mad}"), `check_type: "mad" is neither`},
		"min twice":            {test("attenuated_signal_test: {suspect_threshold: 1, fail_threshold: 0, test_period: 9, min_obs: 1, min_period: 1}"), `min_period: give either`},
		"min of what":          {test("attenuated_signal_test: {suspect_threshold: 1, fail_threshold: 0, min_obs: 1}"), `test_period: is needed`},
		"half an observation":  {test("attenuated_signal_test: {suspect_threshold: 1, fail_threshold: 0, min_obs: 1.5}"), `min_obs: want a whole number`},
		"attenuated backwards": {test("attenuated_signal_test: {suspect_threshold: 1, fail_threshold: 2}"), `fail_threshold: must not be above`},
		"long period":          {test("attenuated_signal_test: {suspect_threshold: 1, fail_threshold: 0, test_period: 1e9}"), `test_period: must be 0 to`},
		"no member":            {test("climatology_test: {config: []}"), `climatology_test.config: no member`},
		"member":               {test("climatology_test:\n        config:\n          - {period: month, tspan: [1, 2], vspan: [1, 2]}\n          - {period: month, tspan: [1, 2], vspan: [2, 1]}"), `line 7: streams.Temp.qartod.climatology_test.config[1].vspan: 2 is above 1`},
		"vspan outside fspan":  {test("climatology_test: {config: [{period: month, tspan: [1, 2], vspan: [1, 2], fspan: [1, 1.5]}]}"), `config[0].vspan: must lie within fspan`},
		"period":               {test("climatology_test: {config: [{period: moon, tspan: [1, 2], vspan: [1, 2]}]}"), `config[0].period: "moon" is none of`},
		"numbers for dates":    {test("climatology_test: {config: [{tspan: [1, 2], vspan: [1, 2]}]}"), `tspan: "1" is not a time`},
		"dates backwards":      {test("climatology_test: {config: [{tspan: [2021-02-01, 2021-01-01], vspan: [1, 2]}]}"), `config[0].tspan: ends before it begins`},
		"inversion":            {test("density_inversion_test: {suspect_threshold: -2, fail_threshold: -1}"), `fail_threshold: must not be above`},
		"too long":             {strings.Repeat("#", qc.MaxConfig+1), `longer than`},
		"too deep":             {"streams: " + strings.Repeat("[", 100), `nested deeper`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := qc.Parse([]byte(tt.src))
			if err == nil {
				t.Fatal("accepted")
			}
			if !strings.HasPrefix(err.Error(), "tests: ") || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %q, want %q in it", err, tt.want)
			}
		})
	}
}

// The default tests apply as they are, and gross_range_test, the only one of
// them that fails a value, does so where the quantity's own range ends.
func TestDefault(t *testing.T) {
	config, err := qc.Default()
	if err != nil {
		t.Fatal(err)
	}
	checker(t, config)
	for id, tests := range config.Streams {
		for _, test := range tests {
			switch test := test.(type) {
			case qc.GrossRange:
				q, _ := farm.LookupQuantity(id)
				if want := (qc.Span{Min: q.Range.Min, Max: q.Range.Max}); test.FailSpan != want {
					t.Errorf("%s: fail_span %v, want the quantity's range %v", id, test.FailSpan, want)
				}
			case qc.Climatology:
				for _, m := range test.Members {
					if m.FSpan != nil {
						t.Errorf("%s: climatology fails values", id)
					}
				}
			}
		}
	}
	src, err := os.ReadFile("default.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if found := regexp.MustCompile(`(?m)^ .*fail_threshold`).Find(src); found != nil {
		t.Errorf("a default test other than gross_range_test fails values: %s", found)
	}
}

// Whatever is parsed is accepted or refused, and what is accepted judges.
func FuzzParse(f *testing.F) {
	f.Add([]byte(streamed)) // default.yaml is too long to be minimized in good time
	f.Add([]byte("a: {qartod: {spike_test: {suspect_threshold: 1/2, method: average}, density_inversion_test: {fail_threshold: -1}, aggregate: }}"))
	f.Add([]byte("streams: {a: {qartod: {climatology_test: {config: [{tspan: [2021-01-01, 2022-01-01], vspan: [1, 2]}]}}}}"))
	f.Add([]byte("a:\n  qartod:\n    climatology_test:\n      config:\n        - {vspan: [1, 2], tspan: [!!timestamp 2011-01-01 00:00:00, !!timestamp"))
	f.Add([]byte("streams: &a {b: *a}\nsites: {<<: *a}"))
	f.Add([]byte("streams:\n  ? [a]\n  : {qartod: !!int 3}"))
	f.Fuzz(func(t *testing.T, src []byte) {
		config, err := qc.Parse(src)
		if err != nil {
			if strings.Contains(err.Error(), "\n") || !strings.HasPrefix(err.Error(), "tests: ") {
				t.Errorf("error %q", err)
			}
			return
		}
		s := walk(1, 40)
		for _, tests := range config.Streams {
			if _, aggregate := qc.Flags(tests, s); len(aggregate) != len(s.Values) {
				t.Errorf("%d flags for %d values", len(aggregate), len(s.Values))
			}
		}
		if c, err := qc.New(config); err == nil {
			flagAll(t, c, s)
		}
	})
}
