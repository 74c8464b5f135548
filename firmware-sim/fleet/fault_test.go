package fleet_test

import (
	"math"
	"testing"
	"time"

	"tianhai/firmware-sim/fleet"
)

// faulty returns a day of a raft with the fault and one without.
func faulty(t *testing.T, f fleet.Fault) (with, without []sample) {
	t.Helper()
	dev := fleet.Device{ID: "raft", Kind: "raft"}
	without = history(t, 1, dev, summer, aDay, 5*time.Minute)
	dev.Faults = []fleet.Fault{f}
	return history(t, 1, dev, summer, aDay, 5*time.Minute), without
}

func TestDrift(t *testing.T) {
	with, without := faulty(t, fleet.Fault{Kind: fleet.Drift, Channel: "ph", From: summer.Add(12 * time.Hour), Size: 0.5})
	for i, s := range with {
		want := max(0, s.at.Sub(summer.Add(12*time.Hour)).Hours()) / 24 * 0.5
		if got := s.values["ph"] - without[i].values["ph"]; math.Abs(got-want) > 0.006 {
			t.Fatalf("at %s ph is off by %.3f, want %.3f", s.at, got, want)
		}
		if s.values["temperature"] != without[i].values["temperature"] {
			t.Fatalf("at %s the temperature drifts too", s.at)
		}
	}
}

func TestSpikes(t *testing.T) {
	with, without := faulty(t, fleet.Fault{Kind: fleet.Spikes, Channel: "salinity", Size: 10, Chance: 0.1})
	up, down := 0, 0
	for i, s := range with {
		switch off := s.values["salinity"] - without[i].values["salinity"]; {
		case math.Abs(off-10) < 0.006:
			up++
		case math.Abs(off+10) < 0.006:
			down++
		case off != 0:
			t.Fatalf("salinity is off by %g", off)
		}
	}
	if n := len(with); up+down < n/20 || up+down > n/5 || up == 0 || down == 0 {
		t.Errorf("%d spikes up and %d down in %d values, want about a tenth", up, down, n)
	}
}

func TestStuck(t *testing.T) {
	from := summer.Add(6 * time.Hour)
	with, without := faulty(t, fleet.Fault{Kind: fleet.Stuck, Channel: "temperature", From: from, For: 6 * time.Hour})
	held := math.NaN()
	for i, s := range with {
		stuck := !s.at.Before(from) && s.at.Before(from.Add(6*time.Hour))
		if stuck && math.IsNaN(held) {
			held = s.values["temperature"]
		}
		want := without[i].values["temperature"]
		if stuck {
			want = held
		}
		if s.values["temperature"] != want {
			t.Fatalf("at %s temperature is %g, want %g", s.at, s.values["temperature"], want)
		}
	}
}

func TestMissing(t *testing.T) {
	with, _ := faulty(t, fleet.Fault{Kind: fleet.Missing, Channel: "turbidity"})
	for _, s := range with {
		if !s.null["turbidity"] || len(s.null) != 1 {
			t.Fatalf("want turbidity null and nothing else: %s", s.raw)
		}
	}
	with, _ = faulty(t, fleet.Fault{Kind: fleet.Missing})
	for _, s := range with {
		if len(s.values) != 0 || s.at.IsZero() {
			t.Fatalf("want every channel null, and the time: %s", s.raw)
		}
	}
}

func TestSkew(t *testing.T) {
	with, without := faulty(t, fleet.Fault{Kind: fleet.Skew, Size: -7200})
	for i, s := range with {
		if got := s.at.Sub(without[i].at); got != -2*time.Hour {
			t.Fatalf("clock is off by %s, want -2h", got)
		}
	}
}
