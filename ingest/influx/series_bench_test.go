package influx_test

import (
	"testing"
	"time"

	"tianhai/ingest"
	"tianhai/ingest/influx"
)

// Five years of one sensor, a reading a minute: 2.6 million.
func BenchmarkSeries(b *testing.B) {
	srv, err := influx.OpenServer(b.Context(), influx.ServerOptions{Dir: b.TempDir(), Addr: "127.0.0.1:0"})
	if err != nil {
		b.Fatal(err)
	}
	defer srv.Close()
	w := newBench(b, influx.Options{URL: srv.URL(), Token: srv.Token()})
	const years = 5
	start := spring.AddDate(-years, 0, 0)
	obs := make([]ingest.Observation, 0, 60*24*30)
	for at := start; at.Before(spring.Add(-aDay)); at = at.Add(time.Minute) {
		if obs = append(obs, one(b, "d", "t", at, "water.ph", float64(at.Minute()), ingest.Good)); len(obs) == cap(obs) {
			w.write(b, obs)
			obs = obs[:0]
		}
	}
	w.write(b, obs)
	ask := func(b *testing.B, days, points int) {
		q := influx.SeriesQuery{Tenant: "t", Site: "s", Quantity: quantity(b, "water.ph"), To: spring, From: spring.AddDate(0, 0, -days), Points: points}
		for b.Loop() {
			if s, err := w.Series(b.Context(), q); err != nil || s.N == 0 {
				b.Fatal(s.N, err)
			}
		}
	}
	all := func(b *testing.B) {
		b.Run("5 years", func(b *testing.B) { ask(b, years*365, 300) })
		b.Run("1 year", func(b *testing.B) { ask(b, 365, 300) })
		b.Run("30 days", func(b *testing.B) { ask(b, 30, 300) })
	}
	b.Run("raw", all)
	began := time.Now()
	w.pass(b)
	w.settle(b)
	b.Logf("%d days rolled up in %v", w.roller.Stats().Rolled, time.Since(began))
	b.Run("rolled", all)
}
