package broker_test

import (
	"testing"
	"time"

	"tianhai/ingest/broker"
)

// A burst passes at once; after it a device is heard at the rate, and a device
// that keeps to the rate never waits.
func TestPacer(t *testing.T) {
	start := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	var flood, polite broker.Pacer
	now, heard := start, 0
	for now.Sub(start) < time.Minute {
		flood.Heard(100, 80)
		heard += 100
		now = now.Add(time.Millisecond + flood.Wait(now))
	}
	if most := broker.MaxBurst + 61*broker.MaxRate; heard > most || heard < most*95/100 {
		t.Errorf("%d messages heard in a minute, want about %d", heard, most)
	}
	for i := range 10 * 60 {
		polite.Heard(broker.MaxRate/10, 80)
		if d := polite.Wait(start.Add(time.Duration(i) * 100 * time.Millisecond)); d > 0 {
			t.Fatalf("a device that keeps to the rate waits %v after %d s", d, i/10)
		}
	}
}

// A large message counts for its size.
func TestPacerLarge(t *testing.T) {
	var p broker.Pacer
	now := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	n := 0
	for ; p.Wait(now) == 0; n++ {
		p.Heard(1, 1<<20)
	}
	if want := broker.MaxBurst>>10 + 1; n != want {
		t.Errorf("%d messages of 1 MiB at once, want %d", n, want)
	}
}
