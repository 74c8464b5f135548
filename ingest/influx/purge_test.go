package influx_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"tianhai/farm"
	"tianhai/ingest"
	"tianhai/ingest/influx"
)

const aDay = 24 * time.Hour

// keep makes a policy of one rule for water.
func keep(tenant string, raw, hour, day int) influx.Policy {
	return influx.Policy{
		Tenant: tenant,
		Keep: func(m farm.Medium) ingest.Keep {
			if m != farm.Water {
				return ingest.Keep{}
			}
			return ingest.Keep{Raw: time.Duration(raw) * aDay, Hour: time.Duration(hour) * aDay, Day: time.Duration(day) * aDay}
		},
		Held: func(string) (time.Time, bool) { return time.Time{}, false },
	}
}

// A garden is 100 days of readings, one in 20 minutes, of two tenants, rolled up.
func garden(t *testing.T) (bench, []ingest.Observation) {
	t.Helper()
	srv := serve(t, influx.ServerOptions{})
	b := newBench(t, influx.Options{URL: srv.URL(), Token: srv.Token()})
	var obs []ingest.Observation
	for i := range 100 * 72 {
		for _, tenant := range []string{"t", "u"} {
			o := one(t, "d", tenant, spring.Add(-time.Duration(i)*20*time.Minute), "water.ph", float64(i%7), ingest.Good)
			o.Readings = append(o.Readings, good(t, "air.rain", 1.0)...)
			obs = append(obs, o)
		}
	}
	b.write(t, obs)
	b.pass(t)
	b.settle(t)
	return b, obs
}

// count returns the readings of a quantity that a measurement still has.
func (b bench) count(t testing.TB, tenant, id string, from, to time.Time) int {
	t.Helper()
	for _, s := range summaries(t, b.Client, tenant, from, to) {
		if s.Quantity == id {
			return s.N
		}
	}
	return 0
}

func (b bench) purge(t testing.TB, p influx.Policy) (days int) {
	t.Helper()
	days, err := b.Purge(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	return days
}

func (b bench) year(t testing.TB, tenant string, points int) farm.Summary {
	t.Helper()
	s, err := b.Series(t.Context(), influx.SeriesQuery{
		Tenant: tenant, Site: "s", Quantity: quantity(t, "water.ph"), From: spring.Add(-365 * aDay), To: spring.Add(aDay), Points: points,
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestPurge(t *testing.T) {
	b, _ := garden(t)
	start := spring.Add(-200 * aDay)
	if n := b.purge(t, keep("t", 40, 0, 0)); n != 0 {
		t.Errorf("%d days purged within a week of their writing", n)
	}
	b.clock.add(8 * aDay)
	b.pass(t)
	before := b.year(t, "t", 100)

	if n := b.purge(t, keep("t", 0, 0, 0)); n != 0 {
		t.Errorf("%d days purged that are kept for ever", n)
	}
	if n := b.purge(t, keep("t", 1, 0, 0)); n == 0 || b.count(t, "t", "water.ph", b.clock.now().Add(-30*aDay), spring) != b.count(t, "u", "water.ph", b.clock.now().Add(-30*aDay), spring) {
		t.Errorf("%d days purged: the floor of 30 days does not hold", n)
	}

	// Exactly the days that ended long enough ago, of this tenant and medium only.
	cut := time.Date(2026, 2, 25, 16, 0, 0, 0, time.UTC) // midnight in Beijing, the last more than 30 days ago
	if n := b.count(t, "t", "water.ph", start, cut); n != 0 {
		t.Errorf("%d readings are left", n)
	}
	for what, n := range map[string][2]int{
		"newer": {b.count(t, "t", "water.ph", cut, spring), b.count(t, "u", "water.ph", cut, spring)},
		"air":   {b.count(t, "t", "air.rain", start, spring), b.count(t, "u", "air.rain", start, spring)},
	} {
		if n[0] == 0 || n[0] != n[1] {
			t.Errorf("%s: %d readings, want the other tenant's %d", what, n[0], n[1])
		}
	}
	if diff := cmp.Diff(before, b.year(t, "t", 100), near); diff != "" {
		t.Errorf("the year has changed: want -, got +\n%s", diff)
	}
	if n := b.purge(t, keep("t", 30, 0, 0)); n != 0 {
		t.Errorf("%d days purged twice", n)
	}

	// Hours, then days.
	b.purge(t, keep("t", 30, 50, 0))
	days := b.year(t, "t", 2000)
	if days.Interval != aDay || days.N != before.N {
		t.Errorf("without hours: %d readings in points of %v, want %d", days.N, days.Interval, before.N)
	}
	b.purge(t, keep("t", 30, 50, 60))
	if got := b.year(t, "t", 2000).N; got >= before.N || got < before.N/2 {
		t.Errorf("without days older than 60: %d readings of %d", got, before.N)
	}
	if diff := cmp.Diff(before, b.year(t, "u", 100), near); diff != "" {
		t.Errorf("the other tenant's year has changed: want -, got +\n%s", diff)
	}
}

// What is purged can be read in points that are as fine as what is left.
func TestPurgedSeriesAreWider(t *testing.T) {
	b, _ := garden(t)
	b.clock.add(8 * aDay)
	q := influx.SeriesQuery{Tenant: "t", Site: "s", Quantity: quantity(t, "water.ph"), From: spring.Add(-60 * aDay), To: spring.Add(-58*aDay + time.Minute), Points: 500}
	get := func() farm.Summary {
		t.Helper()
		s, err := b.Series(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	if s := get(); s.Interval != 10*time.Minute || s.N != 145 {
		t.Errorf("before: %v, %d readings", s.Interval, s.N)
	}
	b.purge(t, keep("t", 30, 0, 0))
	if s := get(); s.Interval != time.Hour || s.N != 49*3 {
		t.Errorf("without readings: %v, %d readings, want those of 49 hours", s.Interval, s.N)
	}
	b.purge(t, keep("t", 30, 30, 0))
	if s := get(); s.Interval != aDay || s.N != 3*72 {
		t.Errorf("without hours: %v, %d readings, want those of 3 days", s.Interval, s.N)
	}
}

// Nothing goes that is not rolled up, that was written to lately, or that an open
// batch needs.
func TestPurgeSpares(t *testing.T) {
	b, obs := garden(t)
	b.clock.add(8 * aDay)
	b.pass(t)
	at := func(days int) time.Time { return spring.Add(-time.Duration(days) * aDay) }
	late := obs[2*72*60] // 60 days ago
	late.Time = late.Time.Add(time.Second)
	b.write(t, []ingest.Observation{late})

	p := keep("t", 40, 0, 0)
	p.Held = func(site string) (time.Time, bool) { return at(50), site == "s" }
	preview, err := b.Preview(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	if n := b.count(t, "t", "water.ph", at(200), spring.Add(time.Millisecond)); n != 100*72+1 {
		t.Errorf("a preview left %d readings", n)
	}
	if days := b.purge(t, p); len(preview) != 1 || preview[0].Days != days || preview[0].What != "raw" || preview[0].Medium != farm.Water {
		t.Errorf("purged %d days, previewed %+v", days, preview)
	}
	if n := b.count(t, "t", "water.ph", at(61).Add(-6*time.Hour), at(59).Add(6*time.Hour)); n < 72 {
		t.Errorf("%d readings left of the day that is not rolled up", n)
	}
	if n := b.count(t, "t", "water.ph", at(50), at(48)); n != 2*72 {
		t.Errorf("%d readings left that an open batch needs", n)
	}
	b.settle(t)
	if n := b.purge(t, p); n != 0 {
		t.Errorf("%d days purged that somebody wrote to today", n)
	}
	b.clock.add(8 * aDay)
	if n := b.purge(t, p); n != 1 {
		t.Errorf("%d days purged a week later, want 1", n)
	}
	if n := b.count(t, "t", "water.ph", at(200), at(52)); n != 0 {
		t.Errorf("%d readings left", n)
	}
}

// A reading that comes for a day whose readings are gone does not spoil its
// rollup, and goes in turn.
func TestLateAfterPurge(t *testing.T) {
	b, obs := garden(t)
	b.clock.add(8 * aDay)
	want := b.year(t, "t", 100)
	b.purge(t, keep("t", 40, 0, 0))
	late := obs[2*72*60]
	late.Time, late.Readings = late.Time.Add(time.Second), good(t, "water.ph", 13.9)
	b.write(t, []ingest.Observation{late})
	same := func(when string) {
		t.Helper()
		if diff := cmp.Diff(want, b.year(t, "t", 100), near); diff != "" {
			t.Errorf("%s: want -, got +\n%s", when, diff)
		}
	}
	same("stale")
	b.settle(t)
	same("rolled up")
	if s := b.roller.Stats(); s.Frozen != 1 {
		t.Errorf("%+v, want one frozen day", s)
	}
	b.purge(t, keep("t", 40, 0, 0))
	if n := b.count(t, "t", "water.ph", late.Time.Add(-aDay), late.Time.Add(aDay)); n != 0 {
		t.Errorf("%d late readings left", n)
	}
	same("purged again")
}

// A purge that was interrupted before or after the deletion goes on, and readers
// never see half of it.
func TestPurgeInterrupted(t *testing.T) {
	for broken := 1; broken <= 3; broken++ {
		t.Run(fmt.Sprint("at step ", broken), func(t *testing.T) {
			b, _ := garden(t)
			b.clock.add(8 * aDay)
			want := b.year(t, "t", 100)
			step := 0
			opt := between(t, b.opt, func(w http.ResponseWriter, r *http.Request) bool {
				body, err := io.ReadAll(r.Body)
				if err != nil {
					t.Error(err)
				}
				r.Body = io.NopCloser(bytes.NewReader(body))
				if strings.HasSuffix(r.URL.Path, "/write") || bytes.Contains(body, []byte("q=DELETE")) {
					step++
				}
				if step == broken {
					w.WriteHeader(http.StatusServiceUnavailable)
				}
				return step != broken
			})
			if _, err := dial(t, opt).Purge(t.Context(), keep("t", 40, 0, 0)); err == nil {
				t.Fatal("not interrupted")
			}
			if diff := cmp.Diff(want, b.year(t, "t", 100), near); diff != "" {
				t.Errorf("interrupted: want -, got +\n%s", diff)
			}
			b.purge(t, keep("t", 40, 0, 0))
			if n := b.count(t, "t", "water.ph", spring.Add(-200*aDay), spring.Add(-42*aDay)); n != 0 {
				t.Errorf("%d readings left", n)
			}
			if diff := cmp.Diff(want, b.year(t, "t", 100), near, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("in the end: want -, got +\n%s", diff)
			}
		})
	}
}

func TestPurgeNeedsDeletion(t *testing.T) {
	b, _ := garden(t)
	b.clock.add(8 * aDay)
	opt := between(t, b.opt, func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/ping" {
			w.Header().Set("X-Influxdb-Version", "3.4.0")
			w.WriteHeader(http.StatusNoContent)
			return false
		}
		return true
	})
	c := dial(t, opt)
	if err := c.CanDelete(t.Context()); !errors.Is(err, ingest.ErrNoDelete) {
		t.Errorf("CanDelete on 3: %v", err)
	}
	if _, err := c.Purge(t.Context(), keep("t", 40, 0, 0)); !errors.Is(err, ingest.ErrNoDelete) {
		t.Errorf("Purge on 3: %v", err)
	}
	if n := b.count(t, "t", "water.ph", spring.Add(-200*aDay), spring.Add(time.Millisecond)); n != 100*72 {
		t.Errorf("%d readings left", n)
	}
	if _, err := b.Purge(t.Context(), keep("", 40, 0, 0)); err == nil {
		t.Error("purges everybody's readings")
	}
}
