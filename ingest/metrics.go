package ingest

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// IntakeMetrics counts what comes in, by the source it comes from.
type IntakeMetrics struct {
	received, journalled, acknowledged, refused, rejected *prometheus.CounterVec
}

// NewIntakeMetrics registers the counters, of frames, by source:
//
//	tianhai_frames_received_total        that arrived
//	tianhai_frames_journalled_total      that the journal has taken
//	tianhai_frames_acknowledged_total    whose sender was told so; nobody is told at QoS 0
//	tianhai_frames_refused_total         that the journal could not take, once for every attempt
//	tianhai_frames_rejected_total        that will never be taken, such as one that is too large
//
// It panics when one is registered already.
func NewIntakeMetrics(r prometheus.Registerer) *IntakeMetrics {
	counter := func(name, help string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(counterOpts(name, help), []string{"source"})
		r.MustRegister(v)
		return v
	}
	return &IntakeMetrics{
		received:     counter("frames_received_total", "Frames that arrived."),
		journalled:   counter("frames_journalled_total", "Frames that the journal has taken."),
		acknowledged: counter("frames_acknowledged_total", "Frames whose sender was told that they are kept."),
		refused:      counter("frames_refused_total", "Frames that the journal could not take, once for every attempt; their senders were not acknowledged."),
		rejected:     counter("frames_rejected_total", "Frames that will never be taken, such as those that are too large."),
	}
}

// Source returns the counters of one source, such as "http".
func (m *IntakeMetrics) Source(name string) *SourceMetrics {
	return &SourceMetrics{
		received:     m.received.WithLabelValues(name),
		journalled:   m.journalled.WithLabelValues(name),
		acknowledged: m.acknowledged.WithLabelValues(name),
		refused:      m.refused.WithLabelValues(name),
		rejected:     m.rejected.WithLabelValues(name),
	}
}

// SourceMetrics counts what comes in from one source. A nil *SourceMetrics
// counts nothing.
type SourceMetrics struct {
	received, journalled, acknowledged, refused, rejected prometheus.Counter
}

// Received counts frames that arrived, however often they are offered to the
// Intake. Whoever feeds an Intake calls it.
func (m *SourceMetrics) Received(frames int) {
	if m != nil {
		m.received.Add(float64(frames))
	}
}

// Acknowledged counts frames whose sender was told. Whoever tells calls it.
func (m *SourceMetrics) Acknowledged(frames int) {
	if m != nil {
		m.acknowledged.Add(float64(frames))
	}
}

// Rejected counts frames that nobody will ever take.
func (m *SourceMetrics) Rejected(frames int) {
	if m != nil {
		m.rejected.Add(float64(frames))
	}
}

// appended counts what came of offering frames to the journal.
func (m *SourceMetrics) appended(frames int, err error) {
	switch {
	case m == nil:
	case err != nil:
		m.refused.Add(float64(frames))
	default:
		m.journalled.Add(float64(frames))
	}
}

func counterOpts(name, help string) prometheus.CounterOpts {
	return prometheus.CounterOpts{Namespace: "tianhai", Name: name, Help: help}
}

// Metrics counts what passes through a Keeper. Repeats after a crash count
// again. A nil *Metrics counts nothing.
type Metrics struct {
	decoded, whole, readings, failures prometheus.Counter
	flagged, aside                     *prometheus.CounterVec
}

// NewMetrics registers the counters:
//
//	tianhai_frames_decoded_total                frames whose payload could be read
//	tianhai_frames_stored_total                 frames of which every reading is in the time-series store
//	tianhai_frames_quarantined_total{reason}    frames set aside, by FaultClass
//	tianhai_readings_stored_total               readings in the time-series store, missing ones too
//	tianhai_readings_flagged_total{flag}        those of them with a QARTOD flag other than 1
//	tianhai_store_failures_total                attempts to write that must be made again
//
// Every frame that is passed is stored or quarantined, so that what was
// journalled is the sum of the two. It panics when one is registered already.
func NewMetrics(r prometheus.Registerer) *Metrics {
	counter := func(name, help string) prometheus.Counter { return prometheus.NewCounter(counterOpts(name, help)) }
	m := &Metrics{
		decoded:  counter("frames_decoded_total", "Frames whose payload could be read."),
		whole:    counter("frames_stored_total", "Frames of which every reading is in the time-series store."),
		readings: counter("readings_stored_total", "Readings written to the time-series store."),
		failures: counter("store_failures_total", "Writes to the time-series store that must be repeated."),
		flagged:  prometheus.NewCounterVec(counterOpts("readings_flagged_total", "Readings stored with a QARTOD flag other than 1."), []string{"flag"}),
		aside:    prometheus.NewCounterVec(counterOpts("frames_quarantined_total", "Frames set aside, by class of reason."), []string{"reason"}),
	}
	for _, f := range [...]Flag{NotEvaluated, Suspect, Fail, Missing} {
		m.flagged.WithLabelValues(flagLabel(f))
	}
	for _, c := range [...]FaultClass{FaultDecode, FaultDevice, FaultPlace, FaultChannel, FaultRepeat, FaultStore} {
		m.aside.WithLabelValues(string(c))
	}
	r.MustRegister(m.decoded, m.whole, m.readings, m.failures, m.flagged, m.aside)
	return m
}

func flagLabel(f Flag) string { return strconv.Itoa(int(f)) }

// passed counts a batch that is kept; refused are the observations, by index,
// that the store did not take.
func (m *Metrics) passed(b *batch, refused map[int]bool) {
	if m == nil {
		return
	}
	unread, aside := 0, 0
	for _, e := range b.faults {
		if e == nil {
			continue
		}
		aside++
		if e.Class == FaultDecode || e.Class == FaultDevice {
			unread++
		}
		m.aside.WithLabelValues(string(e.Class)).Inc()
	}
	m.decoded.Add(float64(len(b.frames) - unread))
	m.whole.Add(float64(len(b.frames) - aside))
	readings := 0
	var flagged [Missing + 1]int
	for i := range b.observations {
		if len(refused) > 0 && refused[i] {
			continue
		}
		readings += len(b.observations[i].Readings)
		for _, r := range b.observations[i].Readings {
			flagged[r.Flag]++
		}
	}
	m.readings.Add(float64(readings))
	for _, f := range [...]Flag{NotEvaluated, Suspect, Fail, Missing} {
		m.flagged.WithLabelValues(flagLabel(f)).Add(float64(flagged[f]))
	}
}

func (m *Metrics) storeFailed() {
	if m != nil {
		m.failures.Inc()
	}
}
