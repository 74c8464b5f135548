package main

import (
	"context"

	"tianhai/api"
	"tianhai/cmd/internal/store"
	"tianhai/farm"
	"tianhai/ingest"
	"tianhai/ingest/device"
	"tianhai/ingest/history"
	"tianhai/ingest/influx"
	"tianhai/ingest/journal"
	"tianhai/monitor/alert"
	"tianhai/trace"
)

// records shows the store as the API asks for it. The packages know nothing of
// each other; only here do they meet.
type records struct{ *store.Store }

// Sites returns the sites in scope.
func (r records) Sites(ctx context.Context, in api.Scope) ([]farm.Site, error) {
	return r.Store.Sites(ctx, store.SiteFilter(in))
}

// DevicesAt returns the devices that stand at a site now.
func (r records) DevicesAt(ctx context.Context, site string) ([]device.Device, error) {
	placed, err := r.Devices(ctx, store.DeviceFilter{Site: site})
	devices := make([]device.Device, len(placed))
	for i, p := range placed {
		devices[i] = p.Device
	}
	return devices, err
}

// DevicesBySite returns the devices that stand at the sites in scope now.
func (r records) DevicesBySite(ctx context.Context, in api.Scope) (map[string][]device.Device, error) {
	placed, err := r.Devices(ctx, store.DeviceFilter{Tenant: in.Tenant, Region: in.Region})
	bySite := map[string][]device.Device{}
	for _, p := range placed {
		if p.Site != "" {
			bySite[p.Site] = append(bySite[p.Site], p.Device)
		}
	}
	return bySite, err
}

// FindDevices returns a page of devices, by ID.
func (r records) FindDevices(ctx context.Context, q api.DeviceQuery) ([]device.Placed, error) {
	return r.Devices(ctx, store.DeviceFilter{
		Tenant: q.Tenant, Region: q.Region, Site: q.Site, Model: q.Model, State: q.State, Online: q.Online,
		Text: q.Text, After: q.After, Limit: q.Limit,
	})
}

// FindIssued returns a page of devices that nobody owns, by ID.
func (r records) FindIssued(ctx context.Context, q api.DeviceQuery) ([]device.Issued, error) {
	return r.Issued(ctx, store.IssuedFilter{Model: q.Model, Text: q.Text, After: q.After, Limit: q.Limit})
}

// Alerts returns alerts, newest first.
func (r records) Alerts(ctx context.Context, q api.AlertQuery) ([]alert.Alert, error) {
	return r.Store.Alerts(ctx, store.AlertFilter{Tenant: q.Tenant, Region: q.Region, Site: q.Site, State: q.State, Limit: q.Limit})
}

// Batches returns batches, newest first.
func (r records) Batches(ctx context.Context, in api.Scope) ([]trace.Batch, error) {
	return r.Store.Batches(ctx, store.BatchFilter{Tenant: in.Tenant, Region: in.Region})
}

// Watched lists what no-data rules watch: every device that stands somewhere.
func (r records) Watched(ctx context.Context) ([]alert.Watched, error) {
	placed, err := r.Devices(ctx, store.DeviceFilter{})
	if err != nil {
		return nil, err
	}
	sites, err := r.Store.Sites(ctx, store.SiteFilter{})
	if err != nil {
		return nil, err
	}
	models, err := r.Models(ctx)
	if err != nil {
		return nil, err
	}
	places := map[string]ingest.Place{}
	for _, s := range sites {
		places[s.ID] = ingest.Place{Tenant: s.Tenant, Region: s.Region, Site: s.ID, Kind: s.Kind}
	}
	measures := map[string][]string{}
	for _, m := range models {
		for _, c := range m.Channels {
			measures[m.ID] = append(measures[m.ID], c.Quantity)
		}
	}
	var all []alert.Watched
	for _, d := range placed {
		if place, ok := places[d.Site]; ok {
			all = append(all, alert.Watched{Device: d.ID, Place: place, Quantities: measures[d.Model]})
		}
	}
	return all, nil
}

// Jobs returns the jobs of a tenant, newest first; of all where it is empty.
func (r records) Jobs(ctx context.Context, tenant string, limit int) ([]history.Job, error) {
	return r.Store.Jobs(ctx, store.JobFilter{Tenant: tenant, Limit: limit})
}

// series shows the time-series store as the API asks for it.
type series struct{ *influx.Client }

// Series returns one quantity at a site.
func (s series) Series(ctx context.Context, q api.SeriesQuery) (farm.Summary, error) {
	return s.Client.Series(ctx, influx.SeriesQuery{Tenant: q.Tenant, Site: q.Site, Quantity: q.Quantity, From: q.From, To: q.To, Points: q.Points})
}

// prime shows the hub what was measured before this start.
func (s *server) prime(ctx context.Context) error {
	latest, err := s.series.Latest(ctx, influx.Scope{})
	if err != nil {
		return err
	}
	sites, err := s.store.Sites(ctx, store.SiteFilter{})
	if err != nil {
		return err
	}
	places := map[string]ingest.Place{}
	for _, site := range sites {
		places[site.ID] = ingest.Place{Tenant: site.Tenant, Region: site.Region, Site: site.ID, Kind: site.Kind}
	}
	for _, l := range latest {
		if place, ok := places[l.Site]; ok {
			ob := ingest.Observation{Device: l.Device, Place: place, Time: l.Time, Received: l.Time, Readings: []ingest.Reading{l.Reading}}
			if err := s.hub.Observe(ctx, []ingest.Observation{ob}); err != nil {
				return err
			}
		}
	}
	return nil
}

// figures shows the journal's figures to the API.
type figures struct{ *journal.Journal }

func (f figures) Figures(ctx context.Context) (api.JournalFigures, error) {
	s, err := f.Stats(ctx)
	return api.JournalFigures{
		Bytes: s.Bytes, MaxBytes: s.MaxBytes, Oldest: s.Oldest, Lag: s.Lag, Quarantined: s.Quarantined, QuarantinedBytes: s.QuarantinedBytes,
	}, err
}
