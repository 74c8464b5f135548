package main

import (
	"context"
	"errors"
	"time"

	"tianhai/cmd/internal/store"
	"tianhai/farm"
	"tianhai/ingest"
	"tianhai/ingest/influx"
)

// A retention joins the rules, which are records, with the values they are about.
type retention struct {
	*store.Store
	series *influx.Client
}

// policies returns what may be deleted of each tenant if it were a certain time.
func (r retention) policies(ctx context.Context, at time.Time) ([]influx.Policy, error) {
	rules, err := r.Retentions(ctx)
	if err != nil || len(rules) == 0 {
		return nil, err
	}
	tenants, err := r.Tenants(ctx)
	if err != nil {
		return nil, err
	}
	open, err := r.OpenBatches(ctx)
	if err != nil {
		return nil, err
	}
	all := make([]influx.Policy, len(tenants))
	for i, t := range tenants {
		all[i] = influx.Policy{
			Tenant: t.ID, At: at,
			Keep: func(m farm.Medium) ingest.Keep { return rules.Keep(t.ID, m, at) },
			Held: func(site string) (time.Time, bool) { from, ok := open[site]; return from, ok },
		}
	}
	return all, nil
}

// PreviewRetention returns what would be deleted if it were a certain time.
func (r retention) PreviewRetention(ctx context.Context, at time.Time) ([]ingest.Purge, error) {
	policies, err := r.policies(ctx, at)
	var all []ingest.Purge
	for _, p := range policies {
		some, previewErr := r.series.Preview(ctx, p)
		if previewErr != nil {
			return nil, previewErr
		}
		all = append(all, some...)
	}
	return all, err
}

// CanDelete is ingest.ErrNoDelete where InfluxDB cannot delete.
func (r retention) CanDelete(ctx context.Context) error { return r.series.CanDelete(ctx) }

// purge deletes what need not be kept of every tenant. What stops it for one does
// not stop it for the others.
func (r retention) purge(ctx context.Context) (days int, err error) {
	policies, err := r.policies(ctx, time.Now())
	if err != nil {
		return 0, err
	}
	var all []error
	for _, p := range policies {
		n, err := r.series.Purge(ctx, p)
		days += n
		all = append(all, err)
		if errors.Is(err, ingest.ErrNoDelete) {
			break
		}
	}
	return days, errors.Join(all...)
}

// Values are deleted at night, in Beijing.
const purgeHour = 3

// nextPurge returns when values are deleted next.
func nextPurge(now time.Time) time.Time {
	l := now.In(time.FixedZone("UTC+8", 8*60*60))
	at := time.Date(l.Year(), l.Month(), l.Day(), purgeHour, 0, 0, 0, l.Location())
	if !at.After(now) {
		at = at.AddDate(0, 0, 1)
	}
	return at
}

// runRetention deletes every night what need not be kept.
func (s *server) runRetention(ctx context.Context) error {
	for {
		timer := time.NewTimer(time.Until(nextPurge(time.Now())))
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
		days, err := retention{s.store, s.series}.purge(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			s.log.ErrorContext(ctx, "retention is not kept; the next night tries again", "device_days", days, "error", err)
		case days > 0:
			s.log.InfoContext(ctx, "deleted what need not be kept", "device_days", days)
		}
	}
}
