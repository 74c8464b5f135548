package fleet_test

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"tianhai/firmware-sim/fleet"
)

// summer is midnight in Guangxi at the start of a summer.
var summer = time.Date(2026, 5, 31, 16, 0, 0, 0, time.UTC)

// A sample is one payload read back.
type sample struct {
	at     time.Time
	values map[string]float64
	null   map[string]bool
	raw    []byte
}

func parse(t testing.TB, payload []byte) sample {
	t.Helper()
	var members map[string]*float64
	if err := json.Unmarshal(payload, &members); err != nil {
		t.Fatalf("payload %s: %v", payload, err)
	}
	s := sample{values: map[string]float64{}, null: map[string]bool{}, raw: payload}
	for name, v := range members {
		switch {
		case v == nil:
			s.null[name] = true
		case name == "ts":
			s.at = time.UnixMilli(int64(*v)).UTC()
		default:
			s.values[name] = *v
		}
	}
	return s
}

func history(t testing.TB, seed uint64, dev fleet.Device, from time.Time, long, every time.Duration) []sample {
	t.Helper()
	if dev.ID == "" {
		dev.ID = "sim-" + dev.Kind
	}
	seq, err := fleet.History(seed, dev, from, from.Add(long), every)
	if err != nil {
		t.Fatal(err)
	}
	var out []sample
	for at, payload := range seq {
		s := parse(t, payload)
		if len(dev.Faults) == 0 && !s.at.Equal(at) {
			t.Fatalf("payload of %s says %s", at, s.at)
		}
		out = append(out, s)
	}
	return out
}

const aDay = 24 * time.Hour

// TestWithinLimits runs a year of every kind under several weathers: every
// channel is there, in order, and within what its instrument can show.
func TestWithinLimits(t *testing.T) {
	limits := map[string][2]float64{ // of what can be true at the place, narrower than the instruments'
		"raft/temperature": {10, 38}, "raft/salinity": {2, 34}, "raft/conductivity": {3, 62}, "raft/ph": {7.2, 8.7},
		"raft/dissolved_oxygen": {3, 14}, "raft/oxygen_saturation": {50, 200}, "raft/turbidity": {0, 300}, "raft/depth": {3, 10},
		"pond/temperature": {10, 40}, "pond/salinity": {5, 25}, "pond/ph": {7, 9.4}, "pond/dissolved_oxygen": {0.5, 18},
		"pond/oxygen_saturation": {5, 280}, "pond/aerator": {0, 0}, "pond/feeder": {0, 0},
		"garden/soil_moisture": {14, 47}, "orchard/soil_moisture": {14, 47}, "garden/soil_temperature": {2, 36},
		"garden/air_temperature": {-2, 38}, "orchard/air_temperature": {0, 40}, "garden/illuminance": {0, 130000},
		"garden/rain": {0, 40}, "garden/wind_speed": {0, 25}, "garden/humidity": {20, 100},
		"barn/temperature": {5, 42}, "barn/humidity": {20, 100}, "barn/ammonia": {0, 40}, "barn/water_intake": {0, 200},
		"logger/temperature": {0.5, 4},
		"battery":            {11, 14.5},
	}
	for _, kind := range fleet.Kinds() {
		for seed := range uint64(3) {
			for _, s := range history(t, seed, fleet.Device{Kind: kind.Name}, summer, 365*aDay, time.Hour) {
				if len(s.values) != len(kind.Channels) {
					t.Fatalf("%s reports %d of %d channels: %s", kind.Name, len(s.values), len(kind.Channels), s.raw)
				}
				at := 0
				for _, c := range kind.Channels {
					i := bytes.Index(s.raw, []byte(`"`+c.Name+`":`))
					if i < at {
						t.Fatalf("%s: channel %q is not at its place in %s", kind.Name, c.Name, s.raw)
					}
					at = i
					within, ok := limits[kind.Name+"/"+c.Name]
					if !ok {
						within, ok = limits[c.Name]
					}
					if v := s.values[c.Name]; ok && (v < within[0] || v > within[1]) {
						t.Fatalf("%s, seed %d: %s is %g, outside %v: %s", kind.Name, seed, c.Name, v, within, s.raw)
					}
				}
			}
		}
	}
}

// TestRepeatable holds the promise of the package: bytes follow from seed,
// device and instants.
func TestRepeatable(t *testing.T) {
	for _, kind := range fleet.Kinds() {
		t.Run(kind.Name, func(t *testing.T) {
			run := func(seed uint64, id string, from time.Time) string {
				var b strings.Builder
				for _, s := range history(t, seed, fleet.Device{ID: id, Kind: kind.Name}, from, 6*time.Hour, 10*time.Minute) {
					b.Write(s.raw)
				}
				return b.String()
			}
			first := run(7, "a", summer)
			if run(7, "a", summer) != first {
				t.Error("the same seed, device and time gave other bytes")
			}
			for name, other := range map[string]string{"seed": run(8, "a", summer), "device": run(7, "b", summer), "time": run(7, "a", summer.Add(time.Hour))} {
				if other == first {
					t.Errorf("another %s gave the same bytes", name)
				}
			}
		})
	}
}

// TestNoSeam starts the same device at two times and on two intervals: where
// the runs meet they agree, so history and live make one line.
func TestNoSeam(t *testing.T) {
	for _, kind := range fleet.Kinds() {
		t.Run(kind.Name, func(t *testing.T) {
			dev := fleet.Device{ID: "a", Kind: kind.Name}
			long := history(t, 7, dev, summer, 20*aDay, 30*time.Minute)
			short := history(t, 7, dev, summer.Add(19*aDay), aDay, time.Hour)
			sum := map[string]float64{}
			for i, s := range short {
				before := long[19*48+2*i]
				if !before.at.Equal(s.at) {
					t.Fatalf("compared %s with %s", before.at, s.at)
				}
				for _, c := range kind.Channels {
					a, b := before.values[c.Name], s.values[c.Name]
					if c.Sum {
						continue
					}
					if math.Abs(a-b) > max(0.021, 0.01*math.Abs(a), 1.01*math.Pow10(-c.Digits)) {
						t.Errorf("%s at %s is %g or %g, by when the run began", c.Name, s.at, a, b)
					}
				}
			}
			// What adds up does so on any interval, to a tip of the meter.
			for i := range 23 {
				for _, c := range kind.Channels {
					if c.Sum {
						sum[c.Name] += long[19*48+2*i+1].values[c.Name] + long[19*48+2*i+2].values[c.Name] - short[i+1].values[c.Name]
					}
				}
			}
			for name, off := range sum {
				if math.Abs(off) > 0.21 {
					t.Errorf("%s differs by %g between the intervals", name, off)
				}
			}
		})
	}
}

// TestOxygenOfTheDay looks at the shape of a day in pond and raft: lowest
// around dawn, highest in the afternoon.
func TestOxygenOfTheDay(t *testing.T) {
	for _, kind := range []string{"pond", "raft"} {
		t.Run(kind, func(t *testing.T) {
			var mean [24]float64
			for _, s := range history(t, 3, fleet.Device{Kind: kind}, summer, 30*aDay, 30*time.Minute) {
				mean[s.at.Add(7*time.Hour+15*time.Minute).Hour()] += s.values["dissolved_oxygen"] / 60
			}
			lowest, highest := 0, 0
			for h := range mean {
				if mean[h] < mean[lowest] {
					lowest = h
				}
				if mean[h] > mean[highest] {
					highest = h
				}
			}
			if lowest < 4 || lowest > 7 || highest < 14 || highest > 18 {
				t.Errorf("lowest at %d h, highest at %d h, of %.2f", lowest, highest, mean)
			}
			if mean[highest]-mean[lowest] < 0.8 {
				t.Errorf("oxygen swings by only %.2f mg/L", mean[highest]-mean[lowest])
			}
		})
	}
}

// TestDerivedChannels checks saturation and conductivity of a payload against
// the temperature, salinity and oxygen of the same payload.
func TestDerivedChannels(t *testing.T) {
	for _, kind := range []string{"raft", "pond"} {
		for _, s := range history(t, 5, fleet.Device{Kind: kind}, summer, 20*aDay, 20*time.Minute) {
			v := s.values
			full := fleet.OxygenAtSaturation(v["temperature"], v["salinity"])
			if got, want := v["oxygen_saturation"], 100*v["dissolved_oxygen"]/full; math.Abs(got-want) > 0.051 {
				t.Fatalf("saturation is %g %%, want %.2f: %s", got, want, s.raw)
			}
			if c, ok := v["conductivity"]; ok && math.Abs(fleet.Salinity(c, v["temperature"])-v["salinity"]) > 0.01 {
				t.Fatalf("conductivity %g mS/cm is not salinity %g: %s", c, v["salinity"], s.raw)
			}
		}
	}
}

// TestTideIsDiurnal counts high waters of a month: a diurnal gulf has about one
// in a lunar day, and salinity comes with the flood.
func TestTideIsDiurnal(t *testing.T) {
	samples := history(t, 2, fleet.Device{Kind: "raft"}, summer, 29*aDay, 10*time.Minute)
	highs := 0
	var depth, salt, both, depth2, salt2 float64
	for i, s := range samples {
		if i >= 18 && i+18 < len(samples) { // highest of six hours
			high := true
			for j := i - 18; j <= i+18; j++ {
				d := samples[j].values["depth"]
				high = high && (d < s.values["depth"] || d == s.values["depth"] && j >= i)
			}
			if high {
				highs++
			}
		}
		d, x := s.values["depth"], s.values["salinity"]
		depth, salt, both, depth2, salt2 = depth+d, salt+x, both+d*x, depth2+d*d, salt2+x*x
	}
	if highs < 25 || highs > 42 {
		t.Errorf("%d high waters in 29 days, want about 29", highs)
	}
	n := float64(len(samples))
	r := (both - depth*salt/n) / math.Sqrt((depth2-depth*depth/n)*(salt2-salt*salt/n))
	if r < 0.5 {
		t.Errorf("salinity and tide correlate by %.2f", r)
	}
}

// TestSoilWaterBalance: rain in, evapotranspiration, drainage and runoff out,
// and nothing comes from nowhere.
func TestSoilWaterBalance(t *testing.T) {
	for _, kind := range []string{"garden", "orchard"} {
		in, out, more := fleet.Balance(kind, 11, summer, 365*aDay)
		if math.Abs(in-out-more) > 1e-6 {
			t.Errorf("%s: %g mm came, %g went, but %g mm stayed", kind, in, out, more)
		}
		if in < 900 || in > 3000 || out < 500 {
			t.Errorf("%s: %g mm of rain in a year and %g mm lost are not Guangxi", kind, in, out)
		}
	}
}

func TestSoilDriesAndRainWets(t *testing.T) {
	samples := history(t, 11, fleet.Device{Kind: "garden"}, summer, 120*aDay, 6*time.Hour)
	dry, wet := 0, 0
	for i := 12; i < len(samples); i++ {
		rain := 0.0
		for _, s := range samples[i-11 : i+1] {
			rain += s.values["rain"]
		}
		change := samples[i].values["soil_moisture"] - samples[i-12].values["soil_moisture"]
		switch {
		case rain == 0:
			dry++
			if change > 0.3 {
				t.Errorf("soil gained %.1f %% in three days without rain before %s", change, samples[i].at)
			}
		case rain > 40 && samples[i-12].values["soil_moisture"] < 28:
			wet++
			if change < 1 {
				t.Errorf("%.1f mm in three days changed the soil by %.1f %%", rain, change)
			}
		}
	}
	if dry == 0 || wet == 0 {
		t.Errorf("%d dry and %d wet spells: the weather tests nothing", dry, wet)
	}
}

func TestBarnOfTheDay(t *testing.T) {
	var day, night, drunk float64
	for _, s := range history(t, 4, fleet.Device{Kind: "barn"}, summer, 20*aDay, time.Hour) {
		drunk += s.values["water_intake"]
		switch h := s.at.Add(7*time.Hour + 15*time.Minute).Hour(); {
		case h >= 11 && h <= 16:
			day += s.values["ammonia"] / 6
		case h <= 5:
			night += s.values["ammonia"] / 6
		}
	}
	if day >= night {
		t.Errorf("ammonia by day %.1f is not below that by night %.1f: no ventilation", day/20, night/20)
	}
	if each := drunk / 20 / 200; each < 5 || each > 15 {
		t.Errorf("a pig drinks %.1f L a day", each)
	}
}

func TestLowOxygenNight(t *testing.T) {
	dusk := summer.Add(18 * time.Hour)
	ordinary := fleet.NewPond(9, fleet.Device{ID: "p", Kind: "pond"}, dusk)
	bad := fleet.NewPond(9, fleet.Device{ID: "p", Kind: "pond", LowOxygen: dusk}, dusk)
	aerated := fleet.NewPond(9, fleet.Device{ID: "p", Kind: "pond", LowOxygen: dusk}, dusk)

	at := dusk.Add(10 * time.Hour)
	if o, _ := ordinary.Oxygen(at); o < 3 {
		t.Errorf("an ordinary night ends at %.2f mg/L", o)
	}
	low, _ := bad.Oxygen(at)
	if low > 2 {
		t.Errorf("a night of low oxygen ends at %.2f mg/L", low)
	}
	if o, _ := aerated.Oxygen(at); o != low {
		t.Fatalf("two ponds of one seed differ: %g and %g", o, low)
	}
	aerated.Switch(at, "aerator", true)
	if o, _ := aerated.Oxygen(at); o != low {
		t.Errorf("oxygen jumps from %g to %g with the switch", low, o)
	}
	last := low
	for m := range 60 {
		o, full := aerated.Oxygen(at.Add(time.Duration(m+1) * time.Minute))
		if o <= last || o >= full {
			t.Fatalf("after %d minutes of aeration oxygen is %g, was %g, saturation %g", m+1, o, last, full)
		}
		last = o
	}
	if last < low+2 {
		t.Errorf("an hour of aeration raises oxygen from %.2f to only %.2f", low, last)
	}
}

// TestHaste tells the same night six times as fast, and stays stable at the
// most that is allowed.
func TestHaste(t *testing.T) {
	dusk := summer.Add(18 * time.Hour)
	pond := func(haste float64) fleet.Pond {
		return fleet.NewPond(9, fleet.Device{ID: "p", Kind: "pond", LowOxygen: dusk, Haste: haste}, dusk)
	}
	slow, _ := pond(1).Oxygen(dusk.Add(6 * time.Hour))
	fast, _ := pond(6).Oxygen(dusk.Add(time.Hour))
	if math.Abs(slow-fast) > 0.5 {
		t.Errorf("after six hours %.2f mg/L, after one at six times the haste %.2f", slow, fast)
	}
	hurried := pond(60)
	hurried.Oxygen(dusk.Add(2 * time.Hour))
	hurried.Switch(dusk.Add(2*time.Hour), "aerator", true)
	for m := range 120 {
		if o, full := hurried.Oxygen(dusk.Add(2*time.Hour + time.Duration(m)*time.Minute)); o < 0 || o > full {
			t.Fatalf("oxygen is %g of %g mg/L", o, full)
		}
	}
}

func TestAeratorNeverOvershoots(t *testing.T) {
	noon := summer.Add(14 * time.Hour)
	p := fleet.NewPond(9, fleet.Device{ID: "p", Kind: "pond"}, noon)
	q := fleet.NewPond(9, fleet.Device{ID: "p", Kind: "pond"}, noon)
	before, full := p.Oxygen(noon)
	if before <= full {
		t.Skipf("the afternoon is not above saturation: %.2f of %.2f mg/L", before, full)
	}
	p.Switch(noon, "aerator", true)
	with, _ := p.Oxygen(noon.Add(time.Hour))
	without, _ := q.Oxygen(noon.Add(time.Hour))
	if with >= without {
		t.Errorf("aerating oversaturated water leaves %.2f, not aerating %.2f mg/L", with, without)
	}
}

func TestFeedingCostsOxygen(t *testing.T) {
	p := fleet.NewPond(9, fleet.Device{ID: "p", Kind: "pond"}, summer)
	q := fleet.NewPond(9, fleet.Device{ID: "p", Kind: "pond"}, summer)
	p.Switch(summer, "feeder", true)
	p.Switch(summer.Add(time.Hour), "feeder", false)
	fed, _ := p.Oxygen(summer.Add(3 * time.Hour))
	hungry, _ := q.Oxygen(summer.Add(3 * time.Hour))
	if fed > hungry-0.5 {
		t.Errorf("oxygen is %.2f mg/L after feeding, %.2f without", fed, hungry)
	}
}

// TestDoorOpen warms the box while its door stands open, and the machine pulls it down
// again: one excursion above 4 °C, between half an hour and two.
func TestDoorOpen(t *testing.T) {
	door := summer.Add(3 * time.Hour)
	warm, last := 0, 0.0
	for i, s := range history(t, 3, fleet.Device{ID: "b", Kind: "logger", DoorOpen: door}, summer, 8*time.Hour, time.Minute) {
		v := s.values["temperature"]
		if at := summer.Add(time.Duration(i) * time.Minute); v > 4 && (at.Before(door) || at.After(door.Add(2*time.Hour))) {
			t.Fatalf("%g °C at %s, the door is open from %s", v, at, door)
		}
		if v > 4 {
			warm++
		}
		last = max(last, v)
	}
	if warm < 30 || warm > 120 || last < 6 || last > 15 {
		t.Errorf("above 4 °C for %d minutes, at most %g °C", warm, last)
	}
}

func TestHistoryRefuses(t *testing.T) {
	for name, dev := range map[string]fleet.Device{
		"no id":              {Kind: "raft"},
		"id of two levels":   {ID: "a/b", Kind: "raft"},
		"unknown kind":       {ID: "a", Kind: "submarine"},
		"unknown fault":      {ID: "a", Kind: "raft", Faults: []fleet.Fault{{Kind: "rust"}}},
		"channel of another": {ID: "a", Kind: "raft", Faults: []fleet.Fault{{Kind: fleet.Drift, Channel: "rain"}}},
		"raft without door":  {ID: "a", Kind: "raft", DoorOpen: summer},
		"raft without night": {ID: "a", Kind: "raft", LowOxygen: summer},
	} {
		if _, err := fleet.History(1, dev, summer, summer.Add(time.Hour), time.Minute); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
