package evidence_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tianhai/farm"
	"tianhai/trace/evidence"
)

// TestMeanKinetic holds the formula against worked examples: USP's of a year of weeks
// at 25 °C, which gives 25.0, and the equivalence it is defined by: what spoils at
// the mean kinetic temperature spoils as much as at the readings. The others were
// computed from the formula in another language.
func TestMeanKinetic(t *testing.T) {
	for name, tt := range map[string]struct {
		celsius []float64
		energy  float64
		want    float64
	}{
		"USP: 52 weeks at 25 °C":       {slices.Repeat([]float64{25}, 52), 0, 25},
		"half at 20, half at 30":       {[]float64{20, 30}, 0, 26.26},
		"refrigerated, one warm hour":  {[]float64{5, 5, 5, 5, 5, 5, 5, 25}, 0, 11.49},
		"a reaction that hardly cares": {[]float64{20, 30}, 1, 24.93},
		"below zero":                   {[]float64{-20, -20, -10}, 0, -14.96},
	} {
		t.Run(name, func(t *testing.T) {
			got := evidence.MeanKinetic(tt.celsius, tt.energy)
			if math.Abs(got-tt.want) > 0.006 {
				t.Errorf("%.3f °C, want %.2f", got, tt.want)
			}
			energy := tt.energy
			if energy == 0 {
				energy = evidence.DefaultActivation
			}
			speed := func(c float64) float64 { return math.Exp(-energy / 8.3144e-3 / (c + 273.15)) }
			mean := 0.0
			for _, c := range tt.celsius {
				mean += speed(c) / float64(len(tt.celsius))
			}
			if math.Abs(speed(got)/mean-1) > 1e-9 {
				t.Errorf("at %.3f °C it spoils %v times as fast", got, speed(got)/mean)
			}
		})
	}
	if !math.IsNaN(evidence.MeanKinetic(nil, 0)) {
		t.Error("nothing has a temperature")
	}
}

func chilled() evidence.Limits { return evidence.Limits{Min: f(0), Max: f(4), Source: "GB/T 28640"} }

func journey(samples ...farm.Sample) evidence.Trip {
	j := evidence.NewJourney("air.temperature", august, august.AddDate(0, 0, 1), chilled())
	for _, s := range samples {
		j.Add(s)
	}
	return j.Result()
}

// TestExcursions are cases that a person can follow.
func TestExcursions(t *testing.T) {
	h := time.Hour
	excursion := func(from, to time.Duration, above bool, peak, area float64) evidence.Excursion {
		return evidence.Excursion{From: august.Add(from).UTC(), To: august.Add(to).UTC(), Above: above, Peak: peak, Area: area}
	}
	for name, tt := range map[string]struct {
		samples []farm.Sample
		want    []evidence.Excursion
		outside float64
		area    float64
	}{
		"a door left open": { // up from 2 to 6 and back: above 4 for one hour, a triangle of 2 °C
			[]farm.Sample{sample("a", 0, 2, 1), sample("a", h, 6, 1), sample("a", 2*h, 2, 1)},
			[]evidence.Excursion{excursion(h/2, 3*h/2, true, 6, 1)},
			1, 1,
		},
		"the limit itself is within": {[]farm.Sample{sample("a", 0, 4, 1), sample("a", h, 0, 1), sample("a", 2*h, 4, 1)}, nil, 0, 0},
		"from frost to heat in one step": {
			[]farm.Sample{sample("a", 0, -4, 1), sample("a", 2*h, 8, 1), sample("a", 3*h, 8, 1)},
			[]evidence.Excursion{excursion(0, 40*time.Minute, false, -4, 1.33), excursion(80*time.Minute, 3*h, true, 8, 5.33)},
			2.33, 6.67,
		},
		"a silent logger says nothing": {
			[]farm.Sample{sample("a", 0, 9, 1), sample("a", h, 9, 1), sample("a", 4*h, 9, 1), sample("a", 5*h, 3, 1)},
			[]evidence.Excursion{excursion(0, h, true, 9, 5), excursion(4*h, 4*h+50*time.Minute, true, 9, 2.08)},
			1.83, 7.08,
		},
		"a failed value is none": {[]farm.Sample{sample("a", 0, 3, 1), sample("a", h, 80, 4), sample("a", 2*h, 3, 1)}, nil, 0, 0},
		"warm from the start":    {[]farm.Sample{sample("a", 0, 6, 1), sample("a", h, 6, 1), sample("a", 2*h, 6, 1)}, []evidence.Excursion{excursion(0, 2*h, true, 6, 4)}, 2, 4},
	} {
		t.Run(name, func(t *testing.T) {
			got := journey(tt.samples...)
			if diff := cmp.Diff(tt.want, got.Excursions); diff != "" || got.Outside != tt.outside || got.Area != tt.area || got.Count != len(tt.want) {
				t.Errorf("%v h and %v °C·h outside, want %v and %v; -want +got\n%s", got.Outside, got.Area, tt.outside, tt.area, diff)
			}
		})
	}
}

// TestJourneyNaive recomputes random journeys second by second.
func TestJourneyNaive(t *testing.T) {
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 11))
		var samples []farm.Sample
		for at := time.Duration(0); at < 24*time.Hour; {
			v, flag := math.Round((2.5+3*math.Sin(at.Hours())+random.NormFloat64())*10)/10, 1
			if random.IntN(15) == 0 {
				v, flag = math.NaN(), 9
			}
			samples = append(samples, sample("a", at, v, flag))
			step := time.Duration(1+random.IntN(1500)) * time.Second
			if random.IntN(25) == 0 {
				step += 2 * time.Hour
			}
			at += step
		}
		got := journey(samples...)
		line := slices.DeleteFunc(slices.Clone(samples), func(s farm.Sample) bool { return s.Flag == 9 })
		known, outside, area, level, rate := 0.0, 0.0, 0.0, 0.0, 0.0
		for i := 1; i < len(line); i++ {
			a, b := line[i-1], line[i]
			if b.Time-a.Time > 2*3600_000 {
				continue
			}
			for ms := a.Time + 500; ms < b.Time; ms += 1000 {
				v := a.Value + (b.Value-a.Value)*float64(ms-a.Time)/float64(b.Time-a.Time)
				known++
				level += v
				if v < 0 || v > 4 {
					outside++
					area += max(-v, v-4)
				}
			}
			rate += float64(b.Time-a.Time) / 2000 * (math.Exp(-10000/(a.Value+273.15)) + math.Exp(-10000/(b.Value+273.15)))
		}
		kinetic := 10000/-math.Log(rate/known) - 273.15
		if math.Abs(got.Known-known/3600) > 0.01 || math.Abs(got.Outside-outside/3600) > 0.03 || math.Abs(got.Area-area/3600) > 0.03 ||
			math.Abs(got.Level-level/known) > 0.011 || math.Abs(got.Kinetic-kinetic) > 0.011 {
			t.Errorf("seed %d: %+v; want %v h, %v outside, %v °C·h, mean %v, kinetic %v", seed, got, known/3600, outside/3600, area/3600, level/known, kinetic)
		}
		sum := 0.0
		for _, e := range got.Excursions {
			sum += e.To.Sub(e.From).Hours()
		}
		if got.Count != len(got.Excursions) || math.Abs(sum-got.Outside) > 0.02 {
			t.Errorf("seed %d: %d excursions of %v h together, %d and %v h are told", seed, len(got.Excursions), sum, got.Count, got.Outside)
		}
	}
}

// More excursions than are told apart are still counted, and the longest stay.
func TestManyExcursions(t *testing.T) {
	j := evidence.NewJourney("air.temperature", august, august.AddDate(0, 0, 30), chilled())
	at := time.Duration(0)
	for i := range 150 {
		long := time.Minute
		if i == 140 {
			long = time.Hour
		}
		for _, r := range []struct {
			after time.Duration
			v     float64
		}{{0, 3}, {time.Second, 6}, {long, 6}, {time.Second, 3}} {
			at += r.after
			j.Add(sample("a", at, r.v, 1))
		}
		at += 10 * time.Minute
	}
	got := j.Result()
	longest := slices.MaxFunc(got.Excursions, func(a, b evidence.Excursion) int { return int(a.To.Sub(a.From) - b.To.Sub(b.From)) })
	if got.Count != 150 || len(got.Excursions) != evidence.MaxExcursions || longest.To.Sub(longest.From) < time.Hour || !slices.IsSortedFunc(got.Excursions, func(a, b evidence.Excursion) int { return a.From.Compare(b.From) }) {
		t.Errorf("%d excursions, %d told, the longest of %v", got.Count, len(got.Excursions), longest.To.Sub(longest.From))
	}
}
