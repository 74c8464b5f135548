package influx_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/influxdata/influxdb/models"

	"tianhai/farm"
	"tianhai/ingest"
	"tianhai/ingest/influx"
)

var place = ingest.Place{Tenant: "hongda", Region: "450512", Site: "raft-3", Kind: farm.Raft}

func quantity(tb testing.TB, id string) farm.Quantity {
	tb.Helper()
	q, ok := farm.LookupQuantity(id)
	if !ok {
		tb.Fatalf("no quantity %q", id)
	}
	return q
}

// good makes readings with flag 1 from pairs of quantity and value.
func good(tb testing.TB, pairs ...any) []ingest.Reading {
	tb.Helper()
	var rs []ingest.Reading
	for i := 0; i < len(pairs); i += 2 {
		rs = append(rs, ingest.Reading{Quantity: quantity(tb, pairs[i].(string)), Value: pairs[i+1].(float64), Flag: ingest.Good})
	}
	return rs
}

func TestAppendLines(t *testing.T) {
	at := time.UnixMilli(1627776000123).UTC()
	temp, do := quantity(t, "water.temperature"), quantity(t, "water.dissolved_oxygen")
	const series = ",device=b-1,region=450512,site=raft-3,tenant=hongda "
	tests := map[string]struct {
		o    ingest.Observation
		want string
	}{
		"good": {
			ingest.Observation{Device: "b-1", Place: place, Time: at, Readings: good(t, "water.temperature", 28.5, "water.ph", 8.0)},
			"water" + series + "temperature=28.5,ph=8 1627776000123\n",
		},
		"flags": {
			ingest.Observation{Device: "b-1", Place: place, Time: at, Readings: []ingest.Reading{
				{Quantity: temp, Value: 99, Flag: ingest.Fail},
				{Quantity: do, Flag: ingest.Missing},
			}},
			"water" + series + "temperature=99,temperature_flag=4i,dissolved_oxygen_flag=9i 1627776000123\n",
		},
		"a line for each medium": {
			ingest.Observation{
				Device: "b-1", Place: place, Time: at,
				Readings: good(t, "water.temperature", 1.0, "device.battery", 3.6, "water.ph", 7.0),
			},
			"water" + series + "temperature=1,ph=7 1627776000123\n" +
				"device" + series + "battery=3.6 1627776000123\n",
		},
		"server time": {
			ingest.Observation{Device: "b-1", Place: place, Time: at, ServerTime: true, Readings: good(t, "air.rain", 0.2)},
			"air" + series + "rain=0.2,clock_flag=3i 1627776000123\n",
		},
		"over something else": {
			ingest.Observation{Device: "b-1", Place: place, Time: at, Revises: true, Readings: good(t, "air.rain", 0.2)},
			"air" + series + "rain=0.2,rain_flag=1i,clock_flag=1i 1627776000123\n",
		},
		"over something else, by server time": {
			ingest.Observation{Device: "b-1", Place: place, Time: at, Revises: true, ServerTime: true, Readings: []ingest.Reading{{Quantity: do, Flag: ingest.Missing}}},
			"water" + series + "dissolved_oxygen_flag=9i,clock_flag=3i 1627776000123\n",
		},
		"not finite": {
			ingest.Observation{Device: "b-1", Place: place, Time: at, Readings: good(t, "water.ph", math.NaN(), "water.salinity", math.Inf(-1))},
			"water" + series + "ph_flag=9i,salinity_flag=9i 1627776000123\n",
		},
		"escapes, and no empty tag": {
			ingest.Observation{Device: "a b,c=d", Time: at, Readings: good(t, "water.ph", 1e-7)},
			`water,device=a\ b\,c\=d ph=1e-07 1627776000123` + "\n",
		},
		"nothing read": {ingest.Observation{Device: "b-1", Place: place, Time: at}, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := string(influx.AppendLines(nil, &tt.o)); got != tt.want {
				t.Errorf("got\n%swant\n%s", got, tt.want)
			}
		})
	}
}

// What Write does not refuse reads back, in InfluxDB's own parser, as it was.
func FuzzAppendLines(f *testing.F) {
	f.Add("b-1", "hongda", "raft-3", "450512", "water.ph", 7.9, uint8(1), int64(1627776000123))
	f.Add("a b", "x=y", `p,q`, "", "soil.moisture", -1e300, uint8(4), int64(-1))
	f.Add("#d", `a\`, "\t", "é", "#w.x", 0.1, uint8(9), int64(math.MaxInt64))
	f.Fuzz(func(t *testing.T, device, tenant, site, region, id string, value float64, flag uint8, ms int64) {
		o := ingest.Observation{
			Device: device, Place: ingest.Place{Tenant: tenant, Site: site, Region: region}, Time: time.UnixMilli(ms).UTC(),
			Readings: []ingest.Reading{{Quantity: farm.Quantity{ID: id}, Value: value, Flag: ingest.Flag(flag)}},
		}
		if influx.Check(&o) != nil {
			return
		}
		points, err := models.ParsePointsWithPrecision(influx.AppendLines(nil, &o), time.Now(), "ms")
		if err != nil || len(points) != 1 {
			t.Fatalf("%d points, error %v", len(points), err)
		}
		p := points[0]
		if m := string(o.Readings[0].Quantity.Medium()); string(p.Name()) != m {
			t.Errorf("measurement %q, want %q", p.Name(), m)
		}
		for key, want := range map[string]string{"device": device, "tenant": tenant, "site": site, "region": region} {
			if got := p.Tags().GetString(key); got != want {
				t.Errorf("tag %s is %q, want %q", key, got, want)
			}
		}
		if !p.Time().Equal(o.Time) {
			t.Errorf("time %v, want %v", p.Time(), o.Time)
		}
		fields, err := p.Fields()
		if err != nil {
			t.Fatal(err)
		}
		name := o.Readings[0].Quantity.Field()
		missing := ingest.Flag(flag) == ingest.Missing || math.IsNaN(value) || math.IsInf(value, 0)
		if got, ok := fields[name].(float64); ok == missing || ok && got != value {
			t.Errorf("fields %v, want %s=%v", fields, name, value)
		}
		if missing {
			flag = uint8(ingest.Missing)
		}
		if got, ok := fields[name+"_flag"].(int64); ok != (flag != 1) || ok && got != int64(flag) {
			t.Errorf("fields %v, want flag %d", fields, flag)
		}
	})
}

func station(tb testing.TB) ingest.Observation {
	return ingest.Observation{
		Device: "buoy-1", Place: place, Time: time.UnixMilli(1627776000123), ServerTime: true,
		Readings: append(good(tb, "water.temperature", 28.61, "water.salinity", 24.3, "water.conductivity", 38.42, "water.ph", 7.93, "device.battery", 3.61),
			ingest.Reading{Quantity: quantity(tb, "water.dissolved_oxygen"), Flag: ingest.Missing}),
	}
}

func TestAppendLinesAllocates(t *testing.T) {
	o := station(t)
	buf := make([]byte, 0, 1024)
	if n := testing.AllocsPerRun(100, func() { buf = influx.AppendLines(buf[:0], &o) }); n != 0 {
		t.Errorf("%v allocations for an observation, want none", n)
	}
}

func BenchmarkAppendLines(b *testing.B) {
	o := station(b)
	buf := make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		buf = influx.AppendLines(buf[:0], &o)
	}
	b.ReportMetric(float64(len(buf)), "B/observation")
}

func ExampleAppendLines() {
	q, _ := farm.LookupQuantity("water.dissolved_oxygen")
	fmt.Print(string(influx.AppendLines(nil, &ingest.Observation{
		Device: "b-1", Place: place, Time: time.UnixMilli(1627776000000),
		Readings: []ingest.Reading{{Quantity: q, Value: 5.9, Flag: ingest.Suspect}},
	})))
	// Output: water,device=b-1,region=450512,site=raft-3,tenant=hongda dissolved_oxygen=5.9,dissolved_oxygen_flag=3i 1627776000000
}
