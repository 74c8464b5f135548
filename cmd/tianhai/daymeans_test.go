package main

import (
	"testing"
	"time"

	"tianhai/farm"
	"tianhai/ingest"
	"tianhai/ingest/influx"
)

// TestDayMeans reads degree-days from a real InfluxDB: by Beijing days, hour by
// hour, so that a sensor that speaks more often at noon does not warm the day.
func TestDayMeans(t *testing.T) {
	srv, err := influx.OpenServer(t.Context(), influx.ServerOptions{Dir: t.TempDir(), Addr: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
	})
	c, err := influx.Open(t.Context(), influx.Options{URL: srv.URL(), Token: srv.Token()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	q, _ := farm.LookupQuantity("water.temperature")
	start := beijingDay(time.Now()).AddDate(0, 0, -5)
	var obs []ingest.Observation
	add := func(at time.Time, v float64, f ingest.Flag) {
		obs = append(obs, ingest.Observation{
			Device: "d", Place: ingest.Place{Tenant: "t", Site: "s", Region: "450602"}, Time: at, Received: at,
			Readings: []ingest.Reading{{Quantity: q, Value: v, Flag: f}},
		})
	}
	for h := range 24 {
		add(start.Add(time.Duration(h)*time.Hour+30*time.Minute), 20, ingest.Good)
		if h < 12 {
			add(start.Add(time.Duration(24+h)*time.Hour+30*time.Minute), 25, ingest.Good)
		}
		add(start.Add(time.Duration(72+h)*time.Hour+30*time.Minute), 90, ingest.Fail)
	}
	for m := range 50 { // noon of the first day, minute by minute
		add(start.Add(12*time.Hour+time.Duration(m)*time.Minute+time.Second), 20+24, ingest.Good)
	}
	if err := c.Write(t.Context(), obs); err != nil {
		t.Fatal(err)
	}
	got, err := series{c}.DayMeans(t.Context(), "t", "s", start.Add(3*time.Hour), start.AddDate(0, 0, 4).Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || !got[0].Day.Equal(start) || got[0].Coverage != 1 || got[1].Coverage != 0.5 || got[1].Mean != 25 {
		t.Fatalf("got %+v", got)
	}
	if got[0].Mean < 20.9 || got[0].Mean > 21 {
		t.Errorf("the first day's mean is %v: the readings at noon weigh as many hours", got[0].Mean)
	}
}
