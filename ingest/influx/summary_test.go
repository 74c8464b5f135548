package influx_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"tianhai/farm"
	"tianhai/ingest"
	"tianhai/ingest/influx"
)

var near = cmp.Options{cmpopts.EquateApprox(1e-12, 1e-12), cmpopts.EquateEmpty()}

func one(tb testing.TB, device, tenant string, at time.Time, id string, v float64, flag ingest.Flag) ingest.Observation {
	return ingest.Observation{
		Device: device, Place: ingest.Place{Tenant: tenant, Site: "s", Region: "450512"}, Time: at,
		Readings: []ingest.Reading{{Quantity: quantity(tb, id), Value: v, Flag: flag}},
	}
}

// summaries returns what farm makes of the readings at site s, in the order of the
// vocabulary.
func summaries(tb testing.TB, c *influx.Client, tenant string, from, to time.Time) []farm.Summary {
	tb.Helper()
	found := map[string]*farm.Summariser{}
	last := map[string]farm.Sample{}
	q := influx.ReadingsQuery{Tenant: tenant, Site: "s", From: from, To: to}
	err := c.Readings(tb.Context(), q, func(s farm.Sample) error {
		if l, again := last[s.Quantity]; again && (s.Time < l.Time || s.Time == l.Time && s.Device < l.Device) {
			tb.Errorf("%+v comes after %+v", s, l)
		}
		last[s.Quantity] = s
		if found[s.Quantity] == nil {
			found[s.Quantity] = farm.NewSummariser(s.Quantity, from, to, farm.NiceInterval(to.Sub(from), farm.SummaryPoints), false)
		}
		found[s.Quantity].Add(s)
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	var all []farm.Summary
	for _, q := range farm.Quantities() {
		if s := found[q.ID]; s != nil {
			all = append(all, s.Result())
		}
	}
	return all
}

// TestSummaries holds what is read of a site against what farm's rules make of it.
func TestSummaries(t *testing.T) {
	each(t, func(t *testing.T, opt influx.Options) {
		c := dial(t, opt)
		tenant := fmt.Sprintf("sum-%d", time.Now().UnixNano())
		from := time.Date(2021, 8, 1, 0, 0, 0, 0, time.UTC)
		at := func(minutes int) time.Time { return from.Add(time.Duration(minutes) * time.Minute) }
		var obs []ingest.Observation
		add := func(device string, minute int, id string, v float64, f ingest.Flag) {
			obs = append(obs, one(t, device, tenant, at(minute), id, v, f))
		}
		// Every five minutes for two hours, with all flags, and a hole of 40
		// minutes in which only a failed and a missing value came.
		for m := 0; m <= 120; m += 5 {
			switch {
			case m == 10:
				add("b", m, "water.ph", 3, ingest.Suspect)
			case m == 20:
				add("b", m, "water.ph", 99, ingest.Fail)
			case m == 50:
				add("b", m, "water.ph", -99, ingest.Fail)
			case m == 60:
				add("b", m, "water.ph", 0, ingest.Missing)
			case m > 40 && m < 80:
			default:
				add("b", m, "water.ph", 8, ingest.Good)
			}
		}
		// Rain once an hour from two devices; a quantity that never was good;
		// the device's own voltage.
		add("g1", 0, "air.rain", 1.5, ingest.Good)
		add("g1", 60, "air.rain", 0.5, ingest.Good)
		add("g1", 120, "air.rain", 0, ingest.Good)
		add("g2", 30, "air.rain", 2, ingest.Good)
		add("g2", 90, "air.rain", 1, ingest.NotEvaluated)
		add("b", 5, "water.turbidity", -1, ingest.Fail)
		add("b", 5, "device.battery", 3.6, ingest.Good)
		// None of these belongs to the period, site or tenant.
		add("b", -1, "water.ph", 1, ingest.Good)
		add("b", 121, "water.ph", 1, ingest.Good)
		other := one(t, "x", tenant, at(7), "water.ph", 1, ingest.Good)
		other.Place.Site = "s2"
		stranger := one(t, "y", tenant+"-2", at(7), "water.ph", 1, ingest.Good)
		if err := c.Write(t.Context(), append(obs, other, stranger)); err != nil {
			t.Fatal(err)
		}

		got := summaries(t, c, tenant, from, at(121))
		ids := make([]string, len(got))
		for i, s := range got {
			ids[i] = s.Quantity
		}
		if want := []string{"water.ph", "water.turbidity", "air.rain"}; !slices.Equal(ids, want) {
			t.Fatalf("quantities %v, want %v", ids, want)
		}
		ignore := cmpopts.IgnoreFields(farm.Summary{}, "Points")
		want := []farm.Summary{
			{
				Quantity: "water.ph", Devices: []string{"b"}, N: 17, Rejected: 3, Min: 3, Max: 8, Sum: 131, Mean: 131.0 / 17,
				Interval: time.Minute, Gaps: []farm.Gap{{From: at(40), To: at(80)}}, Coverage: 1 - 40.0/121,
			},
			{
				Quantity: "water.turbidity", Rejected: 1, Interval: time.Minute,
				Gaps: []farm.Gap{{From: from, To: at(121)}},
			},
			{
				Quantity: "air.rain", Devices: []string{"g1", "g2"}, N: 5, Min: 0, Max: 2, Sum: 5, Mean: 1,
				Interval: time.Minute, Coverage: 1,
			},
		}
		if diff := cmp.Diff(want, got, ignore, near); diff != "" {
			t.Errorf("want -, got +\n%s", diff)
		}
		if n := len(got[0].Points); n != 17 || !got[0].Points[0].Time.Equal(from) || got[0].Points[2].Min != 3 {
			t.Errorf("%d points: %v", n, got[0].Points)
		}
	})
}

// Gaps at the ends, and a device that reports every hour: half an hour of
// silence is nothing, four hours are a gap.
func TestSummariesGaps(t *testing.T) {
	each(t, func(t *testing.T, opt influx.Options) {
		c := dial(t, opt)
		tenant := fmt.Sprintf("gaps-%d", time.Now().UnixNano())
		from := time.Date(2021, 8, 1, 0, 0, 0, 0, time.UTC)
		at := func(h int) time.Time { return from.Add(time.Duration(h) * time.Hour) }
		var obs []ingest.Observation
		for _, h := range []int{5, 6, 7, 8, 12, 13, 14, 15, 16, 19, 20} {
			obs = append(obs, one(t, "d", tenant, at(h), "soil.moisture", 30, ingest.Good))
		}
		if err := c.Write(t.Context(), obs); err != nil {
			t.Fatal(err)
		}
		got := summaries(t, c, tenant, from, at(24))
		if len(got) != 1 {
			t.Fatalf("%v", got)
		}
		want := []farm.Gap{{From: at(0), To: at(5)}, {From: at(8), To: at(12)}, {From: at(20), To: at(24)}}
		if diff := cmp.Diff(want, got[0].Gaps); diff != "" {
			t.Errorf("want -, got +\n%s", diff)
		}
		if want := 11.0 / 24; math.Abs(got[0].Coverage-want) > 1e-9 {
			t.Errorf("coverage %v, want %v", got[0].Coverage, want)
		}
	})
}

// Sixty days, every ten minutes, in many chunks: numbers as the test computes
// them, points even and few, nothing twice.
func TestSummariesLong(t *testing.T) {
	each(t, func(t *testing.T, opt influx.Options) {
		c := dial(t, opt)
		tenant := fmt.Sprintf("long-%d", time.Now().UnixNano())
		from := time.Date(2021, 8, 1, 0, 0, 0, 0, time.UTC)
		to := from.AddDate(0, 0, 60)
		random := rand.New(rand.NewPCG(1, 2))
		var obs []ingest.Observation
		var want farm.Summary
		want.Min, want.Max = math.Inf(1), math.Inf(-1)
		for at := from; at.Before(to); at = at.Add(5 * time.Minute) {
			device, v, flag := "a", random.NormFloat64(), ingest.Good
			if len(obs)%2 == 1 {
				device = "b"
			}
			if random.IntN(50) == 0 {
				flag = []ingest.Flag{ingest.Suspect, ingest.Fail, ingest.Missing, ingest.NotEvaluated}[random.IntN(4)]
			}
			if flag == ingest.Fail {
				v *= 1000
			}
			obs = append(obs, one(t, device, tenant, at, "air.temperature", v, flag))
			if !flag.Usable() {
				want.Rejected++
				continue
			}
			want.N++
			want.Sum += v
			want.Min, want.Max = min(want.Min, v), max(want.Max, v)
		}
		if err := c.Write(t.Context(), obs); err != nil {
			t.Fatal(err)
		}
		all := summaries(t, c, tenant, from, to)
		if len(all) != 1 {
			t.Fatalf("%d summaries", len(all))
		}
		got := all[0]
		if got.N != want.N || got.Rejected != want.Rejected || got.Min != want.Min || got.Max != want.Max || math.Abs(got.Sum-want.Sum) > 1e-6 {
			t.Errorf("got %+v\nwant N %d, rejected %d, min %v, max %v, sum %v", got, want.N, want.Rejected, want.Min, want.Max, want.Sum)
		}
		if got.Interval != 12*time.Hour || len(got.Points) != 120 {
			t.Errorf("%d points of %v", len(got.Points), got.Interval)
		}
		n, sum := 0, 0.0
		for i, p := range got.Points {
			n += p.N
			sum += p.Mean * float64(p.N)
			if !p.Time.Equal(from.Add(time.Duration(i)*got.Interval)) || p.Min > p.Mean || p.Mean > p.Max {
				t.Fatalf("point %d: %+v", i, p)
			}
		}
		if n != got.N || math.Abs(sum-got.Sum) > 1e-6 {
			t.Errorf("points have %d readings with sum %v, the summary %d and %v", n, sum, got.N, got.Sum)
		}
		if got.Coverage != 1 || len(got.Gaps) != 0 {
			t.Errorf("coverage %v, gaps %v", got.Coverage, got.Gaps)
		}
	})
}

func TestSeries(t *testing.T) {
	each(t, func(t *testing.T, opt influx.Options) {
		c := dial(t, opt)
		tenant := fmt.Sprintf("series-%d", time.Now().UnixNano())
		from := time.Date(2021, 8, 1, 0, 0, 0, 0, time.UTC)
		var obs []ingest.Observation
		for m := range 60 {
			obs = append(obs, one(t, "a", tenant, from.Add(time.Duration(m)*time.Minute), "water.ph", 8, ingest.Good),
				one(t, "b", tenant, from.Add(time.Duration(m)*time.Minute), "water.ph", 6, ingest.Good))
		}
		if err := c.Write(t.Context(), obs); err != nil {
			t.Fatal(err)
		}
		q := influx.SeriesQuery{Tenant: tenant, Site: "s", Quantity: quantity(t, "water.ph"), From: from, To: from.Add(time.Hour), Points: 6}
		got, err := c.Series(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if got.Interval != 10*time.Minute || len(got.Points) != 6 || got.N != 120 || got.Mean != 7 || got.Coverage != 1 {
			t.Errorf("site: %+v", got)
		}
		q.Device = "b"
		if got, err = c.Series(t.Context(), q); err != nil || got.N != 60 || got.Mean != 6 {
			t.Errorf("device: %+v, error %v", got, err)
		}
		q.Device = "c"
		if got, err = c.Series(t.Context(), q); err != nil || got.N != 0 || got.Coverage != 0 || len(got.Gaps) != 1 {
			t.Errorf("no such device: %+v, error %v", got, err)
		}
		q.Device = `b' OR "site" = 's`
		if got, err = c.Series(t.Context(), q); err != nil || got.N != 0 {
			t.Errorf("a name that is a condition: %+v, error %v", got, err)
		}
		q.To = q.From
		if _, err = c.Series(t.Context(), q); err == nil {
			t.Error("an empty period is accepted")
		}
	})
}

func TestLatest(t *testing.T) {
	each(t, func(t *testing.T, opt influx.Options) {
		c := dial(t, opt)
		tenant := fmt.Sprintf("latest-%d", time.Now().UnixNano())
		at := func(minutes int) time.Time { return now().Add(time.Duration(minutes) * time.Minute) }
		if err := c.Write(t.Context(), []ingest.Observation{
			one(t, "a", tenant, at(-10), "water.ph", 7, ingest.Good),
			one(t, "a", tenant, at(-9), "water.ph", 8, ingest.Good),
			one(t, "a", tenant, at(-9), "water.temperature", 99, ingest.Fail),
			one(t, "a", tenant, at(-30), "water.turbidity", 4, ingest.Good),
			one(t, "a", tenant, at(-8), "water.turbidity", 0, ingest.Missing),
			one(t, "b", tenant, at(-8), "water.salinity", 0, ingest.Missing),
			one(t, "b", tenant, at(-7), "water.salinity", 30, ingest.Good),
			one(t, "b", tenant, at(-60*24*32), "water.depth", 1, ingest.Good),
			one(t, "z", tenant+"-2", at(-8), "water.ph", 1, ingest.Good),
		}); err != nil {
			t.Fatal(err)
		}
		got, err := c.Latest(t.Context(), influx.Scope{Tenant: tenant})
		if err != nil {
			t.Fatal(err)
		}
		latest := func(device string, minutes int, id string, v float64, f ingest.Flag) influx.Latest {
			return influx.Latest{
				Tenant: tenant, Site: "s", Device: device, Time: at(minutes),
				Reading: ingest.Reading{Quantity: quantity(t, id), Value: v, Flag: f},
			}
		}
		want := []influx.Latest{
			latest("a", -9, "water.temperature", 99, ingest.Fail),
			latest("a", -9, "water.ph", 8, ingest.Good),
			latest("a", -8, "water.turbidity", 0, ingest.Missing),
			latest("b", -7, "water.salinity", 30, ingest.Good),
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("want -, got +\n%s", diff)
		}
		got, err = c.Latest(t.Context(), influx.Scope{Tenant: tenant, Site: "s", Device: "b"})
		if diff := cmp.Diff(want[3:], got); diff != "" || err != nil {
			t.Errorf("one device, error %v, want -, got +\n%s", err, diff)
		}
	})
}

func TestReadersNeedATenant(t *testing.T) {
	each(t, func(t *testing.T, opt influx.Options) {
		c := dial(t, opt)
		if _, err := c.Series(t.Context(), influx.SeriesQuery{Site: "s", Quantity: quantity(t, "water.ph"), From: now(), To: now().Add(1)}); err == nil {
			t.Error("Series reads every tenant's readings")
		}
		for _, q := range []influx.ReadingsQuery{{Site: "s"}, {Device: "d"}, {Tenant: "t"}} {
			q.From, q.To = now(), now().Add(1)
			if err := c.Readings(t.Context(), q, func(farm.Sample) error { return nil }); err == nil {
				t.Errorf("Readings reads %+v", q)
			}
		}
	})
}
