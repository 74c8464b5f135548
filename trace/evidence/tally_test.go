package evidence_test

import (
	"encoding/csv"
	"errors"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"tianhai/farm"
	"tianhai/trace/evidence"
)

func f(v float64) *float64 { return &v }

// naive computes the numbers of time second by second, as somebody would who had
// read the rules and nothing else: at each second, what does each sensor's line say?
func naive(samples []farm.Sample, from, to time.Time, n evidence.Norms) (known, out, below float64, degrees float64, days int, missing []string) {
	lines := map[string][]farm.Sample{}
	for _, s := range samples {
		if s.Flag >= 1 && s.Flag <= 3 && !math.IsNaN(s.Value) {
			lines[s.Device] = append(lines[s.Device], s)
		}
	}
	knownOf := map[string]float64{}
	name := func(ms int64) string { return time.UnixMilli(ms + 8*3600_000).UTC().Format(time.DateOnly) }
	for ms := from.UnixMilli() + 500; ms < to.UnixMilli(); ms += 1000 {
		isKnown, isOut, isBelow := false, false, false
		for _, line := range lines {
			i, _ := slices.BinarySearchFunc(line, ms, func(s farm.Sample, ms int64) int { return int(s.Time - ms) })
			if i == 0 || i == len(line) || line[i].Time-line[i-1].Time > 2*3600_000 {
				continue
			}
			a, b := line[i-1], line[i]
			v := a.Value + (b.Value-a.Value)*float64(ms-a.Time)/float64(b.Time-a.Time)
			isKnown = true
			isOut = isOut || n.Range != nil && (n.Range.Min != nil && v < *n.Range.Min || n.Range.Max != nil && v > *n.Range.Max)
			isBelow = isBelow || n.Floor != nil && v < n.Floor.Limit
		}
		if isKnown {
			known++
			knownOf[name(ms)]++
		}
		if isOut {
			out++
		}
		if isBelow {
			below++
		}
	}
	for day := from; !day.AddDate(0, 0, 1).After(to); day = day.AddDate(0, 0, 1) {
		date := name(day.UnixMilli())
		if knownOf[date] < 18*3600 {
			missing = append(missing, date)
			continue
		}
		low, high := math.Inf(1), math.Inf(-1)
		for _, line := range lines {
			for _, s := range line {
				if name(s.Time) == date {
					low, high = min(low, s.Value), max(high, s.Value)
				}
			}
		}
		days++
		high, low = min(max(high, n.Warmth.Base), *n.Warmth.Upper), min(max(low, n.Warmth.Base), *n.Warmth.Upper)
		degrees += (high+low)/2 - n.Warmth.Base
	}
	return known / 3600, out / 3600, below / 3600, degrees, days, missing
}

// TestTallyNaive recomputes the numbers of random series: sensors that fall silent,
// report unevenly, are flagged.
func TestTallyNaive(t *testing.T) {
	norms := evidence.Norms{
		Range: &evidence.Range{Min: f(18), Max: f(27)}, Floor: &evidence.Floor{Limit: 21},
		Warmth: &evidence.Warmth{Base: 19, Upper: f(26)},
	}
	for seed := range uint64(25) {
		random := rand.New(rand.NewPCG(seed, 7))
		from, to := august, august.AddDate(0, 0, 4)
		var samples []farm.Sample
		for d := range 1 + random.IntN(3) {
			at := time.Duration(random.IntN(7200)) * time.Second
			for at < to.Sub(from) {
				v := math.Round((22+6*math.Sin(at.Hours()/24*2*math.Pi)+2*random.NormFloat64())*10) / 10
				flag := 1
				switch random.IntN(20) {
				case 0:
					v, flag = math.NaN(), 9
				case 1:
					v, flag = v*10, 4
				case 2:
					flag = 2 + random.IntN(2)
				}
				samples = append(samples, sample("d"+strconv.Itoa(d), at, v, flag))
				step := 1 + random.IntN(1800)
				if random.IntN(60) == 0 {
					step = random.IntN(20 * 3600) // silent
				}
				at += time.Duration(step) * time.Second
			}
		}
		slices.SortFunc(samples, func(a, b farm.Sample) int {
			if a.Time != b.Time {
				return int(a.Time - b.Time)
			}
			return strings.Compare(a.Device, b.Device)
		})
		tally := evidence.NewTally("water.temperature", from, to, norms)
		for _, s := range samples {
			tally.Add(s)
		}
		got := tally.Result()
		known, out, below, degrees, days, missing := naive(samples, from, to, norms)
		share := (known - out) / known
		if math.Abs(got.InRange.Hours-known) > 0.05 || math.Abs(got.InRange.Share-share) > 0.002 || math.Abs(got.Below.Hours-below) > 0.2 || got.Below.Known != got.InRange.Hours {
			t.Errorf("seed %d: %+v, %+v, want %.2f hours, share %.4f, %.2f below", seed, *got.InRange, *got.Below, known, share, below)
		}
		if d := got.DegreeDays; math.Abs(d.Sum-degrees) > 0.006 || d.Days != days || !cmp.Equal(d.Missing, missing, cmpopts.EquateEmpty()) {
			t.Errorf("seed %d: %+v, want %v in %d days without %v", seed, *d, degrees, days, missing)
		}
	}
}

// TestTimeWeights are cases that a person can follow.
func TestTimeWeights(t *testing.T) {
	h := time.Hour
	tests := map[string]struct {
		samples            []farm.Sample
		share, known, less float64
	}{
		"a triangle": { // 10 to 30 in an hour and back: half of it within 15 to 25, a quarter below 15
			[]farm.Sample{sample("a", 0, 10, 1), sample("a", h, 30, 1), sample("a", 2*h, 10, 1)}, 0.5, 2, 0.5,
		},
		"on the limits is within": {[]farm.Sample{sample("a", 0, 15, 1), sample("a", h, 25, 1), sample("a", 2*h, 15, 1)}, 1, 2, 0},
		"one reading is no time":  {[]farm.Sample{sample("a", 0, 20, 1)}, 0, 0, 0},
		"a pause is not known":    {[]farm.Sample{sample("a", 0, 10, 1), sample("a", h, 10, 1), sample("a", 3*h+time.Millisecond, 20, 1), sample("a", 4*h+time.Millisecond, 20, 1)}, 0.5, 2, 1},
		"two hours are bridged":   {[]farm.Sample{sample("a", 0, 20, 1), sample("a", 2*h, 20, 1)}, 1, 2, 0},
		"two sensors count once":  {[]farm.Sample{sample("a", 0, 20, 1), sample("b", 0, 10, 1), sample("a", h, 20, 1), sample("b", h, 10, 1), sample("a", 2*h, 20, 1)}, 0.5, 2, 1},
		"a failed value is none":  {[]farm.Sample{sample("a", 0, 20, 1), sample("a", h, 99, 4), sample("a", 2*h, 20, 1)}, 1, 2, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tally := evidence.NewTally("water.temperature", august, august.AddDate(0, 0, 1), evidence.Norms{
				Range: &evidence.Range{Min: f(15), Max: f(25)}, Floor: &evidence.Floor{Limit: 15},
			})
			for _, s := range tt.samples {
				tally.Add(s)
			}
			got := tally.Result()
			if got.InRange.Share != tt.share || got.InRange.Hours != tt.known || got.Below.Hours != tt.less {
				t.Errorf("%+v, %+v; want a share of %v of %v h, %v h below", *got.InRange, *got.Below, tt.share, tt.known, tt.less)
			}
		})
	}
}

// TestDegreeDays are McMaster and Wilhelm's cases of method 2: a day below the base,
// one that crosses it, one above the upper limit. With method 1 the second would
// give 0.
func TestDegreeDays(t *testing.T) {
	for name, tt := range map[string]struct{ low, high, base, upper, want float64 }{
		"cold":             {-5, 5, 10, 30, 0},
		"crosses the base": {5, 15, 10, 30, 2.5},
		"warm":             {12, 24, 10, 30, 8},
		"hot at noon":      {20, 36, 10, 30, 15},
		"wheat, base 0":    {-4, 10, 0, 35, 5},
	} {
		t.Run(name, func(t *testing.T) {
			tally := evidence.NewTally("air.temperature", august.Add(-time.Hour), august.AddDate(0, 0, 2).Add(time.Hour),
				evidence.Norms{Warmth: &evidence.Warmth{Base: tt.base, Upper: &tt.upper}})
			for hour := range 25 {
				v := tt.low
				if hour == 14 {
					v = tt.high
				}
				tally.Add(sample("a", time.Duration(hour)*time.Hour-time.Second, v, 1))
			}
			d := tally.Result().DegreeDays
			if d.Sum != tt.want || d.Days != 1 || !slices.Equal(d.Missing, []string{"2026-08-02"}) {
				t.Errorf("%+v, want %v of the first day, and the second missing", *d, tt.want)
			}
		})
	}
}

// Two gauges do not make twice the rain, and one that is set up later takes nothing
// from the days before.
func TestRain(t *testing.T) {
	tally := evidence.NewTally(evidence.Rain, august, august.AddDate(0, 0, 3), evidence.Norms{})
	for _, r := range []struct {
		gauge string
		hour  int
		mm    float64
	}{{"a", 1, 4}, {"a", 2, 6}, {"a", 25, 3}, {"b", 25, 5}, {"b", 26, 2}, {"a", 50, 0}, {"b", 50, 1}} {
		s := sample(r.gauge, time.Duration(r.hour)*time.Hour, r.mm, 1)
		s.Quantity = evidence.Rain
		tally.Add(s)
	}
	if got := tally.Result().Sum; got != 10+5+0.5 {
		t.Errorf("%v mm, want 15.5", got)
	}
}

// TestGrandBay computes the numbers of an estuary's two months, as measured, second
// by second too.
func TestGrandBay(t *testing.T) {
	file, err := os.Open("../../../shared/data/grand-bay/water-quality-2021.csv")
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("the measurements are not at hand")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	column := slices.Index(rows[0], "DO_mgl")
	var samples []farm.Sample
	for _, row := range rows[1:] {
		at, err := time.ParseInLocation("1/2/2006 15:04", row[2], time.FixedZone("", -6*3600))
		if err != nil {
			t.Fatal(err)
		}
		s := farm.Sample{Quantity: "water.dissolved_oxygen", Device: "gndblwq", Time: at.UnixMilli(), Value: math.NaN(), Flag: 9}
		if row[column] != "" {
			s.Flag = 1
			if s.Value, err = strconv.ParseFloat(row[column], 64); err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(row[column+1], "<1>") {
				s.Flag = 3
			}
		}
		samples = append(samples, s)
	}
	from := time.UnixMilli(samples[0].Time).UTC()
	to := from.AddDate(0, 0, 61)
	norms := evidence.Norms{Range: &evidence.Range{Min: f(5)}, Floor: &evidence.Floor{Limit: 3, Source: "GB 11607-1989"}, Warmth: &evidence.Warmth{Upper: f(1)}}
	tally := evidence.NewTally("water.dissolved_oxygen", from, to, norms)
	h := evidence.Header{Site: "grand-bay", Quantity: "water.dissolved_oxygen", Unit: "mg/L", From: from, To: to}
	for _, s := range samples {
		tally.Add(s)
	}
	if _, sum := write(t, h, samples); sum != grandBay {
		t.Errorf("the hash of the series is %s, want %s", sum, grandBay)
	}
	got := tally.Result()
	known, out, below, _, _, _ := naive(samples, from, to, norms)
	if got.N != 5333 || got.Rejected != 523 || math.Abs(got.InRange.Hours-known) > 0.01 || math.Abs(got.Below.Hours-below) > 0.05 ||
		math.Abs(got.InRange.Share-(known-out)/known) > 0.0002 || below < 10 {
		t.Errorf("%d and %d readings, %+v, %+v; want %.2f h, %.2f h out, %.2f h below", got.N, got.Rejected, *got.InRange, *got.Below, known, out, below)
	}
}

// grandBay is the hash of the oxygen of Grand Bay in canonical form, version 1, as
// a script in another language makes it of the file.
const grandBay = "2c6870c2cf9f337c86d8099227a4acf64ba2d30169e79420d40a7188003b3544"
