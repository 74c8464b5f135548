package main

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tianhai/ingest/influx"
	"tianhai/ingest/journal"
)

// journalMetrics asks the journal for its figures whenever it is scraped. A
// journal that does not answer has none, which is itself a sign.
type journalMetrics struct {
	journal                        *journal.Journal
	lag, bytes, limit, quarantined *prometheus.Desc
}

func newJournalMetrics(j *journal.Journal) journalMetrics {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("tianhai_"+name, help, labels, nil)
	}
	return journalMetrics{
		journal:     j,
		lag:         desc("journal_lag_records", "Journal records, of up to 512 frames each, that a reader has not yet passed.", "reader"),
		bytes:       desc("journal_bytes", "Size of the journal."),
		limit:       desc("journal_max_bytes", "Size at which the journal refuses frames."),
		quarantined: desc("quarantine_frames", "Frames in quarantine."),
	}
}

// Describe names the metrics.
func (m journalMetrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.lag, m.bytes, m.limit, m.quarantined} {
		ch <- d
	}
}

// Collect asks for the figures.
func (m journalMetrics) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	stats, err := m.journal.Stats(ctx)
	if err != nil {
		return
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	for reader, n := range stats.Lag {
		gauge(m.lag, float64(n), reader)
	}
	gauge(m.bytes, float64(stats.Bytes))
	gauge(m.limit, float64(stats.MaxBytes))
	gauge(m.quarantined, float64(stats.Quarantined))
}

// rollupMetrics asks the roller for its figures whenever it is scraped.
type rollupMetrics struct {
	roller                          *influx.Roller
	stale, rolled, failures, frozen *prometheus.Desc
}

func newRollupMetrics(r *influx.Roller) rollupMetrics {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("tianhai_rollups_"+name, help, nil, nil)
	}
	return rollupMetrics{
		roller:   r,
		stale:    desc("stale_days", "Days of devices that have ended and are not rolled up yet."),
		rolled:   desc("rolled_days_total", "Days of devices that this process has rolled up."),
		failures: desc("failures_total", "Passes over the rollups that ended early; they are repeated."),
		frozen:   desc("frozen_days_total", "Days of devices with readings that came after retention had deleted the others, and entered no rollup."),
	}
}

// Describe names the metrics.
func (m rollupMetrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.stale, m.rolled, m.failures, m.frozen} {
		ch <- d
	}
}

// Collect asks for the figures.
func (m rollupMetrics) Collect(ch chan<- prometheus.Metric) {
	s := m.roller.Stats()
	ch <- prometheus.MustNewConstMetric(m.stale, prometheus.GaugeValue, float64(s.Stale))
	ch <- prometheus.MustNewConstMetric(m.rolled, prometheus.CounterValue, float64(s.Rolled))
	ch <- prometheus.MustNewConstMetric(m.failures, prometheus.CounterValue, float64(s.Failures))
	ch <- prometheus.MustNewConstMetric(m.frozen, prometheus.CounterValue, float64(s.Frozen))
}
