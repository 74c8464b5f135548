package main

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tianhai/ingest/influx"
)

// gauges asks the parts for their figures whenever it is scraped. A part that
// does not answer has none, which is itself a sign.
type gauges struct {
	server *server

	records, seconds, bytes, limit, quarantined *prometheus.Desc
	devices, ready, part                        *prometheus.Desc
	faults, audited, unsealed                   *prometheus.Desc
	looks, waiting                              *prometheus.Desc
}

func newGauges(s *server) gauges {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("tianhai_"+name, help, labels, nil)
	}
	return gauges{
		server:      s,
		records:     desc("journal_lag_records", "Journal records, of up to 512 frames each, that a reader has not yet passed.", "reader"),
		seconds:     desc("journal_lag_seconds", "Age of the oldest journal record that a reader has not yet passed; 0 when there is none.", "reader"),
		bytes:       desc("journal_bytes", "Size of the journal."),
		limit:       desc("journal_max_bytes", "Size at which the journal refuses frames."),
		quarantined: desc("quarantine_frames", "Frames in quarantine."),
		devices:     desc("devices_connected", "Devices that are connected, as far as the broker tells."),
		ready:       desc("ready", "1 when a frame sent now would be acknowledged and kept."),
		faults:      desc("audit_faults", "Faults that the last audit of the log found."),
		audited:     desc("audit_timestamp_seconds", "When the last audit of the log ended, in Unix seconds; 0 before the first."),
		unsealed:    desc("records_unsealed", "Records that have no receipt from the log yet."),
		looks:       desc("scan_looks_total", "Looks at codes, written or dropped, since this process began.", "outcome"),
		waiting:     desc("scan_looks_waiting", "Looks at codes that wait to be written."),
		part:        desc("part_ok", "1 when the part is well, see /readyz.", "part"),
	}
}

// Describe names the metrics.
func (g gauges) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{g.records, g.seconds, g.bytes, g.limit, g.quarantined, g.devices, g.ready, g.part, g.faults, g.audited, g.unsealed, g.looks, g.waiting} {
		ch <- d
	}
}

// Collect asks for the figures.
func (g gauges) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	is := g.server.checker.now(ctx)
	gauge(g.ready, truth(is.Ready))
	for part, c := range is.Parts {
		gauge(g.part, truth(c.State == stateOK), part)
	}
	if n, err := g.server.store.CountOnline(ctx); err == nil {
		gauge(g.devices, float64(n))
	}
	gauge(g.faults, float64(max(g.server.audits.faults.Load(), 0)))
	gauge(g.audited, float64(g.server.audits.ended.Load()))
	if n, err := g.server.store.UnsealedCount(ctx); err == nil {
		gauge(g.unsealed, float64(n))
	}
	seen := g.server.looks.Stats()
	for outcome, n := range map[string]int64{"written": seen.Written, "dropped": seen.Dropped} {
		ch <- prometheus.MustNewConstMetric(g.looks, prometheus.CounterValue, float64(n), outcome)
	}
	gauge(g.waiting, float64(seen.Waiting))
	stats, err := g.server.journal.Stats(ctx)
	if err != nil {
		return
	}
	for reader, n := range stats.Lag {
		gauge(g.records, float64(n), reader)
		age := 0.0
		if since, waits := stats.Waiting[reader]; waits {
			age = max(0, time.Since(since).Seconds())
		}
		gauge(g.seconds, age, reader)
	}
	gauge(g.bytes, float64(stats.Bytes))
	gauge(g.limit, float64(stats.MaxBytes))
	gauge(g.quarantined, float64(stats.Quarantined))
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
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
		stale:    desc("stale", "Days of devices that have ended and are not rolled up yet."),
		rolled:   desc("rolled_total", "Days of devices that this process has rolled up."),
		failures: desc("failures_total", "Passes over the rollups that ended early; they are repeated."),
		frozen:   desc("frozen_total", "Days of devices with readings that came after retention had deleted the others, and entered no rollup."),
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
