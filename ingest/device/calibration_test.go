package device_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"tianhai/ingest/device"
)

func TestCalibrationValidate(t *testing.T) {
	good := device.Calibration{Device: "buoy", Channel: "t", Slope: 1.02, Offset: -0.3, From: noon}
	if err := good.Validate(newModel()); err != nil {
		t.Errorf("a good calibration: %v", err)
	}
	for name, change := range map[string]func(*device.Calibration){
		"no slope":        func(c *device.Calibration) { c.Slope = 0 },
		"endless slope":   func(c *device.Calibration) { c.Slope = math.Inf(1) },
		"offset of NaN":   func(c *device.Calibration) { c.Offset = math.NaN() },
		"no time":         func(c *device.Calibration) { c.From = time.Time{} },
		"unknown channel": func(c *device.Calibration) { c.Channel = "x" },
		"endless note":    func(c *device.Calibration) { c.Note = strings.Repeat("x", device.MaxNote+1) },
		"note of bytes":   func(c *device.Calibration) { c.Note = "\xff" },
	} {
		c := good
		change(&c)
		if err := c.Validate(newModel()); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

// A late value gets the calibration of its own time, and the correction of a
// mistyped calibration counts instead of it.
func TestCalibrationInForce(t *testing.T) {
	w := setup(t, 0)
	hour := func(n int) time.Time { return noon.Add(time.Duration(n) * time.Hour) }
	w.dir.tuned = []device.Calibration{
		{Channel: "t", Slope: 2, Offset: 1, From: hour(1)},
		{Channel: "gone", Slope: 9, From: hour(1)},
		{Channel: "t", Slope: 30, Offset: 10, From: hour(2), Recorded: hour(2)},
		{Channel: "t", Slope: 3, Offset: 10, From: hour(2), Recorded: hour(3)},
	}
	p, err := w.Profile(t.Context(), "buoy")
	if err != nil {
		t.Fatal(err)
	}
	temperature, salinity := p.Channels["t"], p.Channels["盐度"]
	// The model makes 100 into 0.1·100 - 0.5 = 9.5.
	for at, want := range map[time.Time]float64{
		noon: 9.5, hour(1).Add(-1): 9.5, hour(1): 20, hour(2).Add(-1): 20, hour(2): 38.5, hour(9): 38.5,
	} {
		if got := temperature.Apply(100, at); math.Abs(got-want) > 1e-9 {
			t.Errorf("at %s: %v, want %v", at.Format(time.TimeOnly), got, want)
		}
	}
	if got := salinity.Apply(7, hour(9)); got != 7 {
		t.Errorf("the other channel: %v, want 7", got)
	}
	if n := testing.AllocsPerRun(100, func() { temperature.Apply(100, noon) }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
	w.dir.tuned = nil
	w.Forget("buoy")
	if p, err = w.Profile(t.Context(), "buoy"); err != nil || len(p.Channels["t"].Calibrations) != 0 {
		t.Errorf("one device's calibration reached the model: %+v, %v", p.Channels["t"], err)
	}
}
