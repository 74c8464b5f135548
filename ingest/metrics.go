package ingest

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics counts what passes through a Keeper. Repeats after a crash count
// again. A nil *Metrics counts nothing.
type Metrics struct {
	readings, failures prometheus.Counter
	flagged, frames    *prometheus.CounterVec
}

// NewMetrics registers the counters:
//
//	tianhai_readings_stored_total               readings in the time-series store, missing ones too
//	tianhai_readings_flagged_total{flag}        those of them with a QARTOD flag other than 1
//	tianhai_frames_quarantined_total{reason}    frames set aside, by FaultClass
//	tianhai_store_failures_total                attempts to write that must be made again
//
// It panics when one is registered already.
func NewMetrics(r prometheus.Registerer) *Metrics {
	counter := func(name, help string) prometheus.CounterOpts {
		return prometheus.CounterOpts{Namespace: "tianhai", Name: name, Help: help}
	}
	m := &Metrics{
		readings: prometheus.NewCounter(counter("readings_stored_total", "Readings written to the time-series store.")),
		failures: prometheus.NewCounter(counter("store_failures_total", "Writes to the time-series store that must be repeated.")),
		flagged:  prometheus.NewCounterVec(counter("readings_flagged_total", "Readings stored with a QARTOD flag other than 1."), []string{"flag"}),
		frames:   prometheus.NewCounterVec(counter("frames_quarantined_total", "Frames set aside, by class of reason."), []string{"reason"}),
	}
	for _, f := range [...]Flag{NotEvaluated, Suspect, Fail, Missing} {
		m.flagged.WithLabelValues(flagLabel(f))
	}
	for _, c := range [...]FaultClass{FaultDecode, FaultDevice, FaultPlace, FaultChannel, FaultRepeat, FaultStore} {
		m.frames.WithLabelValues(string(c))
	}
	r.MustRegister(m.readings, m.failures, m.flagged, m.frames)
	return m
}

func flagLabel(f Flag) string { return strconv.Itoa(int(f)) }

// stored counts observations, without those refused, all at once.
func (m *Metrics) stored(obs []Observation, refused map[int]bool) {
	if m == nil {
		return
	}
	readings := 0
	var flagged [Missing + 1]int
	for i := range obs {
		if len(refused) > 0 && refused[i] {
			continue
		}
		readings += len(obs[i].Readings)
		for j := range obs[i].Readings {
			flagged[min(obs[i].Readings[j].Flag, Missing)]++
		}
	}
	m.readings.Add(float64(readings))
	for f, n := range flagged {
		if n > 0 && Flag(f) != Good {
			m.flagged.WithLabelValues(flagLabel(Flag(f))).Add(float64(n))
		}
	}
}

// quarantined counts a frame with a fault; nil is none.
func (m *Metrics) quarantined(e *FrameError) {
	if m != nil && e != nil {
		m.frames.WithLabelValues(string(e.Class)).Inc()
	}
}

func (m *Metrics) storeFailed() {
	if m != nil {
		m.failures.Inc()
	}
}
