package influx_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"tianhai/farm"
	"tianhai/ingest"
	"tianhai/ingest/influx"
)

var beijing = time.FixedZone("CST", 8*60*60)

// spring is the time at which tests of rollups begin: 18:00 in Beijing.
var spring = time.Date(2026, 3, 20, 10, 0, 0, 0, time.UTC)

// A bench is a database with a roller and a clock of its own.
type bench struct {
	*influx.Client
	opt    influx.Options
	clock  *clock
	roller *influx.Roller
}

func newBench(t testing.TB, opt influx.Options) bench {
	t.Helper()
	c := &clock{at: spring}
	opt.Now = c.now
	client, err := influx.Open(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return bench{client, opt, c, influx.Hurry(influx.NewRoller(client, nil))}
}

// settle lets the time pass after which what was written may be rolled up.
func (b bench) settle(t testing.TB) {
	t.Helper()
	b.clock.add(influx.SettleAfter + time.Second)
	b.pass(t)
}

func (b bench) pass(t testing.TB) {
	t.Helper()
	if err := b.roller.Pass(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func (b bench) write(t testing.TB, obs []ingest.Observation) {
	t.Helper()
	if err := b.Write(t.Context(), obs); err != nil {
		t.Fatal(err)
	}
}

// reference answers a query from observations in memory, the slow and obvious way.
func reference(q influx.SeriesQuery, interval time.Duration, obs []ingest.Observation) farm.Summary {
	s := farm.Summary{Quantity: q.Quantity.ID, Interval: interval}
	start := func(t time.Time, width time.Duration) time.Time {
		l := t.In(beijing)
		midnight := time.Date(l.Year(), l.Month(), l.Day(), 0, 0, 0, 0, beijing)
		if width > 24*time.Hour {
			f := q.From.In(beijing)
			first := time.Date(f.Year(), f.Month(), f.Day(), 0, 0, 0, 0, beijing)
			return first.Add(midnight.Sub(first).Truncate(width)).UTC()
		}
		return midnight.Add(l.Sub(midnight).Truncate(width)).UTC()
	}
	unit := time.Hour
	if interval >= 24*time.Hour {
		unit = 24 * time.Hour
	}
	values := map[time.Time][]float64{}
	quality := map[time.Time]*farm.Quality{}
	busy := map[time.Time]bool{}
	device := map[string]map[time.Time]bool{}
	for _, o := range obs {
		if o.Place.Tenant != q.Tenant || o.Place.Site != q.Site || q.Device != "" && o.Device != q.Device || o.Time.Before(q.From) || !o.Time.Before(q.To) {
			continue
		}
		for _, r := range o.Readings {
			if r.Quantity.ID != q.Quantity.ID {
				continue
			}
			at := start(o.Time, interval)
			if quality[at] == nil {
				quality[at] = &farm.Quality{Time: at}
			}
			quality[at].Total++
			if r.Flag == ingest.Good {
				quality[at].Good++
			}
			if !r.Flag.Usable() {
				s.Rejected++
				continue
			}
			values[at] = append(values[at], r.Value)
			busy[start(o.Time, unit)] = true
			if device[o.Device] == nil {
				device[o.Device] = map[time.Time]bool{}
				s.Devices = append(s.Devices, o.Device)
			}
			device[o.Device][start(o.Time, unit)] = true
		}
	}
	slices.Sort(s.Devices)
	s.Min, s.Max = math.Inf(1), math.Inf(-1)
	for at, vs := range values {
		p := farm.Point{Time: at, Min: slices.Min(vs), Max: slices.Max(vs), N: len(vs)}
		for _, v := range vs {
			p.Mean += v / float64(len(vs))
			s.Sum += v
		}
		s.N += p.N
		s.Min, s.Max = min(s.Min, p.Min), max(s.Max, p.Max)
		s.Points = append(s.Points, p)
	}
	if s.N == 0 {
		s.Min, s.Max = 0, 0
	} else {
		s.Mean = s.Sum / float64(s.N)
	}
	for _, v := range quality {
		s.Quality = append(s.Quality, *v)
	}
	slices.SortFunc(s.Points, func(a, b farm.Point) int { return a.Time.Compare(b.Time) })
	slices.SortFunc(s.Quality, func(a, b farm.Quality) int { return a.Time.Compare(b.Time) })
	s.Gaps, s.Coverage = holes(q, unit, start, busy, device)
	return s
}

func holes(q influx.SeriesQuery, unit time.Duration, start func(time.Time, time.Duration) time.Time, busy map[time.Time]bool, device map[string]map[time.Time]bool) ([]farm.Gap, float64) {
	usual := 0
	for _, at := range device {
		var apart []int
		last := time.Time{}
		for t := start(q.From, unit); t.Before(q.To); t = t.Add(unit) {
			if at[t] {
				if !last.IsZero() {
					apart = append(apart, int(t.Sub(last)/unit))
				}
				last = t
			}
		}
		slices.Sort(apart)
		if len(apart) > 0 && (usual == 0 || apart[(len(apart)-1)/2] < usual) {
			usual = apart[(len(apart)-1)/2]
		}
	}
	var gaps []farm.Gap
	out := 0.0
	empty := 0
	for t := start(q.From, unit); ; t = t.Add(unit) {
		if t.Before(q.To) && !busy[t] {
			empty++
			continue
		}
		if empty > 0 && empty > 3*(max(usual, 1)-1) {
			g := farm.Gap{From: t.Add(-time.Duration(empty) * unit), To: t}
			if g.From.Before(q.From) {
				g.From = q.From
			}
			if g.To.After(q.To) {
				g.To = q.To
			}
			gaps = append(gaps, g)
			out += float64(g.To.Sub(g.From))
		}
		empty = 0
		if !t.Before(q.To) {
			return gaps, 1 - out/float64(q.To.Sub(q.From))
		}
	}
}

// history makes the readings of a few devices over some weeks before spring, in
// random order, with every flag and holes of up to days.
func history(t testing.TB, random *rand.Rand, tenant string) []ingest.Observation {
	flags := []ingest.Flag{ingest.Good, ingest.Good, ingest.Good, ingest.Good, ingest.NotEvaluated, ingest.Suspect, ingest.Fail, ingest.Missing}
	var obs []ingest.Observation
	for d := range 1 + random.IntN(3) {
		at := spring.Add(-time.Duration(random.IntN(30*24)) * time.Hour)
		step := time.Duration(1+random.IntN(200)) * time.Minute
		place := ingest.Place{Tenant: tenant, Site: "s", Region: []string{"", "450512"}[random.IntN(2)]}
		for ; at.Before(spring); at = at.Add(step/2 + time.Duration(random.Int64N(int64(step)))) {
			if random.IntN(400) == 0 {
				at = at.Add(time.Duration(random.IntN(4*24)) * time.Hour)
			}
			o := ingest.Observation{Device: fmt.Sprintf("d%d", d), Place: place, Time: at.Truncate(time.Millisecond)}
			for _, id := range []string{"water.ph", "air.rain", "device.battery"} {
				if random.IntN(3) > 0 {
					f := flags[random.IntN(len(flags))]
					r := ingest.Reading{Quantity: quantity(t, id), Value: 100 * random.NormFloat64(), Flag: f}
					if f == ingest.Missing {
						r.Value = 0
					}
					o.Readings = append(o.Readings, r)
				}
			}
			obs = append(obs, o)
		}
	}
	random.Shuffle(len(obs), func(i, j int) { obs[i], obs[j] = obs[j], obs[i] })
	return obs
}

func anyQuery(t testing.TB, random *rand.Rand, tenant string) influx.SeriesQuery {
	from := spring.Add(-time.Duration(random.Int64N(int64(40 * 24 * time.Hour)))).Truncate(time.Millisecond)
	if random.IntN(3) == 0 {
		from = from.Truncate(time.Hour)
	}
	return influx.SeriesQuery{
		Tenant: tenant, Site: "s", Device: []string{"", "", "d0", "d1"}[random.IntN(4)],
		Quantity: quantity(t, []string{"water.ph", "air.rain", "device.battery"}[random.IntN(3)]),
		From:     from, To: from.Add(time.Duration(1 + random.Int64N(int64(40*24*time.Hour)))).Truncate(time.Millisecond).Add(time.Millisecond),
		Points: 1 + random.IntN(60),
	}
}

// Whatever has been rolled up and whatever has come since, Series answers what
// the readings say.
func TestSeriesIsAlwaysRight(t *testing.T) {
	each(t, func(t *testing.T, opt influx.Options) {
		b := newBench(t, opt)
		b.pass(t) // nothing to adopt
		long := 0
		for seed := range uint64(40) {
			random := rand.New(rand.NewPCG(seed, 7))
			tenant := fmt.Sprintf("right-%d-%d", seed, time.Now().UnixNano())
			obs := history(t, random, tenant)
			var written []ingest.Observation
			for len(written) < len(obs) || random.IntN(3) > 0 {
				n := min(len(obs)-len(written), random.IntN(len(obs)+1))
				b.write(t, obs[len(written):len(written)+n])
				written = obs[:len(written)+n]
				switch random.IntN(3) {
				case 0:
					b.settle(t)
				case 1:
					b.clock.add(time.Duration(random.IntN(120)) * time.Minute)
					b.pass(t)
				}
				for range 6 {
					q := anyQuery(t, random, tenant)
					got, err := b.Series(t.Context(), q)
					if err != nil {
						t.Fatal(err)
					}
					if got.Interval < time.Hour {
						continue // not from rollups; TestSeries and TestSummaries
					}
					long++
					want := reference(q, got.Interval, written)
					if diff := cmp.Diff(want, got, cmpopts.EquateApprox(1e-9, 1e-9), cmpopts.EquateEmpty()); diff != "" {
						t.Fatalf("seed %d, %d of %d written, %v to %v, %d points, device %q: want -, got +\n%s",
							seed, len(written), len(obs), q.From, q.To, q.Points, q.Device, diff)
					}
				}
			}
		}
		if s := b.roller.Stats(); s.Rolled < 500 || long < 400 {
			t.Errorf("%d days rolled up, %d long series: too few to show anything", s.Rolled, long)
		}
	})
}

// statement runs InfluxQL that no method would.
func statement(t testing.TB, opt influx.Options, q string) {
	t.Helper()
	form := url.Values{"q": {q}, "db": {influx.DefaultDatabase}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, opt.URL+"/query?"+form.Encode(), http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Token "+opt.Token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: answered %d", q, resp.StatusCode)
	}
}

// Long series come from the rollups: they are the same when the readings are
// gone. And what is stale comes from the readings.
func TestSeriesReadsRollups(t *testing.T) {
	srv := serve(t, influx.ServerOptions{})
	b := newBench(t, influx.Options{URL: srv.URL(), Token: srv.Token()})
	obs := series(t, "t", "d", spring.Add(-48*time.Hour), 5*24*60)
	b.write(t, obs)
	b.pass(t)
	if s := b.roller.Stats(); s.Rolled != 0 || s.Stale != 6 || !s.Adopted {
		t.Errorf("just written: %+v; want 6 days waiting", s)
	}
	b.settle(t)
	if s := b.roller.Stats(); s.Rolled != 6 || s.Stale != 0 {
		t.Errorf("settled: %+v; want 6 days rolled up", s)
	}
	b.pass(t)
	if s := b.roller.Stats(); s.Rolled != 6 {
		t.Errorf("passed again: %+v; nothing was to do", s)
	}
	q := influx.SeriesQuery{Tenant: "t", Site: "s", Quantity: quantity(t, "water.temperature"), From: spring.Add(-10 * 24 * time.Hour), To: spring}
	late := obs[100]
	late.Time = late.Time.Add(time.Second)
	b.write(t, []ingest.Observation{late})
	if got, err := b.Series(t.Context(), q); err != nil || got.N != len(obs)+1 {
		t.Errorf("one came late: %d readings, error %v, want %d", got.N, err, len(obs)+1)
	}
	b.pass(t)
	if s := b.roller.Stats(); s.Stale != 1 {
		t.Errorf("one came late: %+v, want one day stale", s)
	}
	b.settle(t)
	if got, err := b.Series(t.Context(), q); err != nil || got.N != len(obs)+1 || b.roller.Stats().Rolled != 7 {
		t.Errorf("rolled up anew: %d readings, error %v, %+v", got.N, err, b.roller.Stats())
	}

	var want [2]farm.Summary
	for i, points := range []int{300, 10} {
		q.Points = points
		var err error
		if want[i], err = b.Series(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	statement(t, b.opt, `DELETE FROM water`)
	for i, points := range []int{300, 10} {
		q.Points = points
		got, err := b.Series(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		// The ends of the period cut no hour that has readings.
		if diff := cmp.Diff(want[i], got, near); diff != "" {
			t.Errorf("%d points, without readings: want -, got +\n%s", points, diff)
		}
	}
}

// Readings of a database that an older program filled are found, marked and
// rolled up; until they are, long series come from the readings.
func TestRollerAdopts(t *testing.T) {
	srv := serve(t, influx.ServerOptions{})
	b := newBench(t, influx.Options{URL: srv.URL(), Token: srv.Token()})
	var lines strings.Builder
	n := 0
	for at := spring.Add(-100 * 24 * time.Hour); at.Before(spring.Add(-time.Hour)); at = at.Add(6 * time.Hour) {
		fmt.Fprintf(&lines, "water,device=d,site=s,tenant=t ph=%d %d\n", n%14, at.UnixMilli())
		fmt.Fprintf(&lines, "air,device=e,region=450512,site=s,tenant=t rain_flag=9i %d\n", at.UnixMilli())
		n++
	}
	raw(t, b.opt, lines.String())
	check := func(when string, q influx.SeriesQuery) {
		t.Helper()
		q.Tenant, q.Site, q.From, q.To = "t", "s", spring.Add(-101*24*time.Hour), spring
		if s, err := b.Series(t.Context(), q); err != nil || s.N+s.Rejected != n {
			t.Errorf("%s: %d and %d readings of %s, error %v, want %d", when, s.N, s.Rejected, q.Quantity.ID, err, n)
		}
	}
	ph, rain := influx.SeriesQuery{Quantity: quantity(t, "water.ph")}, influx.SeriesQuery{Quantity: quantity(t, "air.rain")}
	check("before the first pass", ph)
	check("before the first pass", rain)
	b.pass(t)
	check("marked", ph)
	b.settle(t)
	if s := b.roller.Stats(); s.Rolled < 200 || s.Stale != 0 {
		t.Errorf("%+v, want 100 days of two devices rolled up", s)
	}
	check("rolled up", ph)
	check("rolled up", rain)
	statement(t, b.opt, `DELETE FROM water WHERE time < '2026-03-19T00:00:00Z'`)
	check("rolled up and deleted", ph)
}
