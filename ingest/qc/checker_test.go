package qc_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tianhai/farm"
	"tianhai/ingest"
	"tianhai/ingest/qc"
)

const streamed = `
streams:
  water.temperature:
    qartod:
      gross_range_test: {fail_span: [-2, 45], suspect_span: [5, 35]}
      climatology_test: {config: [{period: hour, tspan: [0, 11], vspan: [0, 30]}]}
      rate_of_change_test: {threshold: 0.004, fail_threshold: 0.008}
      flat_line_test: {tolerance: 0.15, suspect_threshold: 1800, fail_threshold: 3600}
      attenuated_signal_test: {suspect_threshold: 1, fail_threshold: 0.5, test_period: 7200, min_period: 3600}
      time_gap_test: {suspect_threshold: 600}
`

func parse(tb testing.TB, src string) qc.Config {
	tb.Helper()
	c, err := qc.Parse([]byte(src))
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

func checker(tb testing.TB, c qc.Config) *qc.Checker {
	tb.Helper()
	checker, err := qc.New(c)
	if err != nil {
		tb.Fatal(err)
	}
	return checker
}

// sample is one of a device's temperature; NaN is missing.
func sample(tb testing.TB, at time.Time, v float64) ingest.Sample {
	tb.Helper()
	q, ok := farm.LookupQuantity("water.temperature")
	if !ok {
		tb.Fatal("no such quantity")
	}
	s := ingest.Sample{Device: "d", Site: "pond", Channel: "c", Quantity: q, Time: at, Value: v}
	if math.IsNaN(v) {
		s.Value, s.Missing = 0, true
	}
	return s
}

func flagAll(tb testing.TB, c *qc.Checker, s qc.Series) flags {
	tb.Helper()
	var out flags
	for i, v := range s.Values {
		out = append(out, c.Flag(sample(tb, s.Times[i], v)))
	}
	return out
}

// walk is a regular series with steps, flat stretches and holes.
func walk(seed uint64, n int) qc.Series {
	r := rand.New(rand.NewPCG(seed, 1))
	values := make([]float64, n)
	v := 25.0
	for i := range values {
		if i/20%3 != 1 {
			v += math.Round(r.NormFloat64()*10) / 10
		}
		v = min(max(v, 1), 40)
		values[i] = v
		if r.IntN(15) == 0 {
			values[i] = none
		}
	}
	return every(5*time.Minute, values...)
}

// What is said of a reading as it arrives is what is said of it afterwards, for
// every test that needs no look ahead.
func TestStreamIsBatch(t *testing.T) {
	config := parse(t, streamed)
	for _, test := range config.Streams["water.temperature"] {
		t.Run(test.Name(), func(t *testing.T) {
			one := qc.Config{Streams: map[string][]qc.Test{"water.temperature": {test}}}
			seen := map[ingest.Flag]bool{}
			for seed := range uint64(20) {
				s := walk(seed, 500)
				inRange := qc.GrossRange{FailSpan: qc.Span{Min: -2, Max: 45}} // which a checker always tests
				_, want := qc.Flags([]qc.Test{inRange, test}, s)
				got := flagAll(t, checker(t, one), s)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Fatalf("seed %d (-batch +stream):\n%s", seed, diff)
				}
				for _, f := range got {
					seen[f] = true
				}
			}
			if !seen[ingest.Good] || !seen[ingest.Suspect] || !seen[ingest.Missing] {
				t.Errorf("flags seen %v: the series proves nothing", seen)
			}
		})
	}
}

// A window of many readings, of which only parts are remembered, varies as they
// do.
func TestAttenuatedSignalInParts(t *testing.T) {
	test := qc.AttenuatedSignal{SuspectThreshold: 5, FailThreshold: 3, TestPeriod: 1e6}
	inRange := qc.GrossRange{FailSpan: qc.Span{Min: -2, Max: 45}}
	s := walk(5, 1000) // 33 of them in a part
	_, want := qc.Flags([]qc.Test{inRange, test}, s)
	got := flagAll(t, checker(t, qc.Config{Streams: map[string][]qc.Test{"water.temperature": {test}}}), s)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-batch +stream):\n%s", diff)
	}
}

// A spike is suspect and the return from it good; a step is suspect once.
func TestSpikeLooksBack(t *testing.T) {
	config := parse(t, `streams: {water.temperature: {qartod: {spike_test: {suspect_threshold: 2, fail_threshold: 4}}}}`)
	for name, tt := range map[string]struct {
		values []float64
		want   flags
	}{
		"spike":                {[]float64{20, 20, 30, 20, 20}, flags{1, 1, 3, 1, 1}},
		"step":                 {[]float64{20, 20, 30, 30, 30}, flags{1, 1, 3, 1, 1}},
		"step and back":        {[]float64{20, 30, 30, 20}, flags{1, 3, 1, 3}},
		"steps":                {[]float64{20, 25, 30, 35}, flags{1, 3, 3, 3}},
		"spike to both sides":  {[]float64{20, 30, 10, 20, 21}, flags{1, 3, 3, 1, 1}},
		"step after a spike":   {[]float64{20, 30, 20, 30, 30}, flags{1, 3, 1, 3, 1}},
		"not beyond":           {[]float64{20, 22, 20}, flags{1, 1, 1}},
		"after a missing one":  {[]float64{20, none, 30, 30}, flags{1, 9, 1, 1}},
		"missing in the spike": {[]float64{20, 30, none, 20}, flags{1, 3, 9, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, flagAll(t, checker(t, config), every(time.Minute, tt.values...))); diff != "" {
				t.Errorf("flags (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLimits(t *testing.T) {
	c := checker(t, qc.Config{})
	for name, tt := range map[string]struct {
		limits farm.Range
		value  float64
		want   ingest.Flag
	}{
		"within":                      {farm.Range{}, 24.5, ingest.Good},
		"on the upper bound":          {farm.Range{}, 45, ingest.Good},
		"just above":                  {farm.Range{}, math.Nextafter(45, 46), ingest.Fail},
		"on the lower bound":          {farm.Range{}, -2, ingest.Good},
		"below":                       {farm.Range{}, -2.1, ingest.Fail},
		"sensor narrower than nature": {farm.Range{Min: 0, Max: 40}, 41, ingest.Fail},
		"sensor wider than nature":    {farm.Range{Min: -100, Max: 100}, 46, ingest.Fail},
		"missing":                     {farm.Range{Min: 5, Max: 6}, none, ingest.Missing},
	} {
		t.Run(name, func(t *testing.T) {
			s := sample(t, begin, tt.value)
			s.Device, s.Limits = name, tt.limits
			if got := c.Flag(s); got != tt.want {
				t.Errorf("flag %d, want %d", got, tt.want)
			}
		})
	}
}

// Late readings are judged by themselves and change nothing for those in order;
// a reading that comes twice gets the flag it had.
func TestLate(t *testing.T) {
	config := parse(t, streamed)
	c, undisturbed := checker(t, config), checker(t, config)
	s := walk(3, 300)
	for i, v := range s.Values {
		want := undisturbed.Flag(sample(t, s.Times[i], v))
		if got := c.Flag(sample(t, s.Times[i], v)); got != want {
			t.Fatalf("reading %d: flag %d, want %d", i, got, want)
		}
		if got := c.Flag(sample(t, s.Times[i], v)); got != want {
			t.Fatalf("reading %d again: flag %d, want %d", i, got, want)
		}
		if got := c.Flag(sample(t, s.Times[i].Add(-90*time.Second), 44)); got != ingest.Suspect {
			t.Fatalf("late reading after %d: flag %d, want %d", i, got, ingest.Suspect)
		}
		if got := c.Flag(sample(t, s.Times[i].Add(-30*time.Hour), 20)); got != ingest.Good {
			t.Fatalf("very late reading after %d: flag %d, want %d", i, got, ingest.Good)
		}
		if got := c.Flag(sample(t, s.Times[i].Add(-time.Hour), none)); got != ingest.Missing {
			t.Fatalf("late missing reading after %d: flag %d, want %d", i, got, ingest.Missing)
		}
	}
}

// A device that moves is not compared with where it stood, and has the
// thresholds of its site.
func TestSites(t *testing.T) {
	c := checker(t, parse(t, `
streams: {water.temperature: {qartod: {rate_of_change_test: {threshold: 0.001}, gross_range_test: {fail_span: [-2, 45], suspect_span: [5, 35]}}}}
sites: {reef: {streams: {water.temperature: {qartod: {gross_range_test: {fail_span: [-2, 45], suspect_span: [5, 30]}}}}}}
`))
	for i, step := range []struct {
		site  string
		value float64
		want  ingest.Flag
	}{
		{"pond", 20, ingest.Good},
		{"pond", 28, ingest.Suspect}, // too fast
		{"reef", 20, ingest.Good},
		{"reef", 31, ingest.Suspect},
		{"reef", 30, ingest.Suspect}, // too fast there too
		{"pond", 34, ingest.Good},
	} {
		s := sample(t, begin.Add(time.Duration(i)*time.Minute), step.value)
		s.Site = step.site
		if got := c.Flag(s); got != step.want {
			t.Errorf("reading %d: flag %d, want %d", i, got, step.want)
		}
	}
	late := sample(t, begin.Add(150*time.Second), 31)
	late.Site = "reef"
	if got := c.Flag(late); got != ingest.Suspect {
		t.Errorf("late reading from the site before: flag %d, want %d", got, ingest.Suspect)
	}
}

// After a restart at any moment readings get the flags they would have got.
func TestRestart(t *testing.T) {
	config := parse(t, streamed+"      spike_test: {suspect_threshold: 1}\n")
	s := walk(7, 200)
	want := flagAll(t, checker(t, config), s)
	file := filepath.Join(t.TempDir(), "quality.json")
	c := checker(t, config)
	for i, v := range s.Values {
		if err := c.SaveFile(file, s.Times[i]); err != nil {
			t.Fatal(err)
		}
		c = checker(t, config)
		if err := c.LoadFile(file); err != nil {
			t.Fatal(err)
		}
		if got := c.Flag(sample(t, s.Times[i], v)); got != want[i] {
			t.Fatalf("reading %d after a restart: flag %d, want %d", i, got, want[i])
		}
	}
	if err := checker(t, config).LoadFile(filepath.Join(t.TempDir(), "none")); err != nil {
		t.Errorf("first start: %v", err)
	}
}

// Series that are silent for long are forgotten, the others are not.
func TestSaveForgets(t *testing.T) {
	c := checker(t, parse(t, streamed))
	c.Flag(sample(t, begin, 20))
	young := sample(t, begin.Add(24*time.Hour), 20)
	young.Device = "young"
	c.Flag(young)
	var saved bytes.Buffer
	if err := c.Save(&saved, begin.Add(30*24*time.Hour+time.Second)); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(saved.String(), `"device"`); n != 1 || !strings.Contains(saved.String(), "young") {
		t.Errorf("%d series saved, want the young one:\n%s", n, saved.String())
	}
}

// A state cut off anywhere, or damaged, is refused whole; a test whose
// thresholds are new begins anew.
func TestLoadRefuses(t *testing.T) {
	c := checker(t, parse(t, streamed))
	flagAll(t, c, walk(1, 50))
	var saved bytes.Buffer
	if err := c.Save(&saved, begin); err != nil {
		t.Fatal(err)
	}
	whole := saved.String()
	for cut := range len(whole) - 1 {
		if err := checker(t, parse(t, streamed)).Load(strings.NewReader(whole[:cut])); !errors.Is(err, qc.ErrState) {
			t.Fatalf("cut after %d bytes: %v, want %v", cut, err, qc.ErrState)
		}
	}
	lines := strings.SplitAfter(whole, "\n")
	if err := c.Load(strings.NewReader(lines[0] + lines[2])); !errors.Is(err, qc.ErrState) {
		t.Errorf("a series is gone: %v, want %v", err, qc.ErrState)
	}
	if err := c.Load(strings.NewReader(strings.Replace(whole, `"version":1`, `"version":2`, 1))); !errors.Is(err, qc.ErrState) {
		t.Errorf("another version: %v, want %v", err, qc.ErrState)
	}
	bad := strings.NewReplacer(`"spike_test":[`, `"spike_test":[1,`, `"flat_line_test":[`, `"flat_line_test":[1,2,`).Replace(whole)
	c = checker(t, parse(t, streamed))
	if err := c.Load(strings.NewReader(bad)); err != nil {
		t.Fatal(err)
	}
	if got := c.Flag(sample(t, begin.Add(48*time.Hour), 20)); got != ingest.Suspect { // the gap
		t.Errorf("flag %d, want %d", got, ingest.Suspect)
	}
}

func TestNewRefuses(t *testing.T) {
	for name, tt := range map[string]struct{ src, want string }{
		"no quantity":       {`streams: {water.colour: {qartod: {time_gap_test: {suspect_threshold: 1}}}}`, "water.colour"},
		"no quantity there": {`sites: {s: {streams: {water.colour: {qartod: {time_gap_test: {suspect_threshold: 1}}}}}}`, "sites.s.streams.water.colour"},
		"whole series":      {`streams: {water.ph: {qartod: {attenuated_signal_test: {suspect_threshold: 1, fail_threshold: 0}}}}`, "test_period"},
		"depths":            {`streams: {water.ph: {qartod: {density_inversion_test: {suspect_threshold: 1}}}}`, "density_inversion_test"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := qc.New(parse(t, tt.src)); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one that names %s", err, tt.want)
			}
		})
	}
}

// A reading costs no memory, and a flat line of numbers that never repeat a
// bounded amount of it.
func TestMemory(t *testing.T) {
	c := checker(t, parse(t, streamed+"      spike_test: {suspect_threshold: 1}\n"))
	now, v := begin, 20.0
	flag := func() {
		now, v = now.Add(time.Minute), v+1e-9
		c.Flag(sample(t, now, v))
	}
	for range 1000 {
		flag()
	}
	s := sample(t, now, 20)
	if n := testing.AllocsPerRun(1000, func() {
		s.Time = s.Time.Add(time.Minute)
		s.Value += 1e-9
		c.Flag(s)
	}); n != 0 {
		t.Errorf("%v allocations for a reading, want none", n)
	}
	var saved bytes.Buffer
	if err := c.Save(&saved, now); err != nil {
		t.Fatal(err)
	}
	if saved.Len() > 20_000 {
		t.Errorf("%d bytes remembered of one series", saved.Len())
	}
}

func BenchmarkFlag(b *testing.B) {
	config, err := qc.Default()
	if err != nil {
		b.Fatal(err)
	}
	c := checker(b, config)
	samples := make([]ingest.Sample, 1000)
	for i := range samples {
		samples[i] = sample(b, begin, 20)
		samples[i].Device = fmt.Sprint("device-", i)
	}
	b.ReportAllocs()
	for i := range b.N {
		s := &samples[i%len(samples)]
		s.Time = s.Time.Add(time.Minute)
		s.Value = 20 + float64(i%7)/100
		c.Flag(*s)
	}
}

// A saved state that is taken is saved again as it was, and flags as it did; any other
// is ErrState.
func FuzzLoad(f *testing.F) {
	config := parse(f, streamed)
	at := func(tb testing.TB, minute int) ingest.Sample {
		return sample(tb, begin.Add(time.Duration(minute)*time.Minute), 20)
	}
	c := checker(f, config)
	f.Add([]byte("{\"version\":1}\n{\"version\":1,\"series\":0}\n"))
	f.Add([]byte("{\"version\":1}\n{\"device\":\"a\",\"taken\":-1,\"steps\":[1],\"tests\":{\"spike_test\":[1e308]}}\n{\"series\":1}\n"))
	for i := range 5 {
		c.Flag(at(f, i))
		var saved bytes.Buffer
		if err := c.Save(&saved, begin); err != nil {
			f.Fatal(err)
		}
		f.Add(saved.Bytes())
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		c := checker(t, config)
		if err := c.Load(bytes.NewReader(raw)); err != nil {
			if !errors.Is(err, qc.ErrState) {
				t.Error(err)
			}
			return
		}
		var first, second bytes.Buffer
		if err := c.Save(&first, time.Unix(0, 0)); err != nil {
			t.Fatal(err)
		}
		again := checker(t, config)
		if err := again.Load(bytes.NewReader(first.Bytes())); err != nil {
			t.Fatalf("what it saved of %q is not usable: %v", raw, err)
		}
		if err := again.Save(&second, time.Unix(0, 0)); err != nil {
			t.Fatal(err)
		}
		if first.Len() != second.Len() {
			t.Errorf("%q\nthen %q", first.String(), second.String())
		}
		s := at(t, 9)
		if a, b := c.Flag(s), again.Flag(s); a != b {
			t.Errorf("flags %d and %d after %q", a, b, raw)
		}
	})
}
