package main

import (
	"context"
	"errors"
	"time"

	"tianhai/api"
	"tianhai/api/auth"
	"tianhai/cmd/internal/store"
	"tianhai/farm"
	"tianhai/ingest"
	"tianhai/ingest/device"
	"tianhai/ingest/history"
	"tianhai/ingest/influx"
	"tianhai/ingest/journal"
	"tianhai/monitor/alert"
	"tianhai/trace"
	"tianhai/trace/chain"
	"tianhai/trace/gate"
	"tianhai/trace/input"
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
	return r.Store.Alerts(ctx, store.AlertFilter{Tenant: q.Tenant, Region: q.Region, Site: q.Site, State: q.State, After: store.Place(q.After), Limit: q.Limit})
}

// Batches returns batches, newest first.
func (r records) Batches(ctx context.Context, q api.BatchQuery) ([]trace.Batch, error) {
	return r.Store.Batches(ctx, store.BatchFilter{Tenant: q.Tenant, Region: q.Region, Stock: q.Stock, After: store.Place(q.After), Limit: q.Limit})
}

// FindOperators returns operators by ID.
func (r records) FindOperators(ctx context.Context, q api.OperatorQuery) ([]farm.Tenant, error) {
	return r.FindTenants(ctx, store.TenantFilter(q))
}

// FindShipments returns a page of shipments, those that left last first.
func (r records) FindShipments(ctx context.Context, q api.ShipmentQuery) ([]trace.Shipment, error) {
	return r.Shipments(ctx, store.ShipmentFilter{Tenant: q.Tenant, Region: q.Region, After: store.Place(q.After), Limit: q.Limit})
}

// Sensor returns a device's model and the last calibration of the quantity that was
// in force at a time, and the role of who recorded it. A device that is not in the
// registry any more has neither.
func (r records) Sensor(ctx context.Context, id, quantity string, at time.Time) (trace.Sensor, error) {
	out := trace.Sensor{Device: id}
	d, err := r.Device(ctx, id)
	if errors.Is(err, farm.ErrNotFound) {
		return out, nil
	}
	if err != nil {
		return out, err
	}
	out.Model = d.Model
	models, err := r.Models(ctx)
	if err != nil {
		return out, err
	}
	keys := map[string]bool{}
	for _, m := range models {
		for _, ch := range m.Channels {
			if m.ID == d.Model && ch.Quantity == quantity {
				keys[ch.Key] = true
			}
		}
	}
	history, err := r.Calibrations(ctx, id)
	if err != nil {
		return out, err
	}
	account := ""
	for _, c := range history {
		if keys[c.Channel] && !c.From.After(at) {
			out.Calibration, account = &trace.Calibration{At: c.From.UTC(), Slope: c.Slope, Offset: c.Offset}, c.Account
		}
	}
	if account == "" {
		return out, nil
	}
	who, err := r.Account(ctx, account)
	if errors.Is(err, farm.ErrNotFound) {
		return out, nil
	}
	out.Calibration.By = string(who.Role)
	return out, err
}

// FindMovements returns movements, newest first.
func (r records) FindMovements(ctx context.Context, q api.MovementQuery) ([]chain.Movement, error) {
	f := store.MovementFilter{Tenant: q.Tenant, Region: q.Region, Pending: q.Pending, After: store.Place(q.After), Limit: q.Limit}
	if q.Batch != "" {
		f.Batches = []string{q.Batch}
	}
	return r.Movements(ctx, f)
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

// FindAccounts returns accounts by login.
func (r records) FindAccounts(ctx context.Context, q api.AccountQuery) ([]auth.Account, error) {
	return r.Accounts(ctx, store.AccountFilter{Tenant: q.Tenant, Region: q.Region, After: q.After, Limit: q.Limit})
}

// stocks shows what was bought as the API asks for it.
type stocks struct {
	*store.Store
	trace *trace.Service
}

// Lots returns a tenant's, those bought last first.
func (s stocks) Lots(ctx context.Context, tenant string, after api.Place, limit int) ([]input.Stock, error) {
	return s.Store.Lots(ctx, tenant, store.Place(after), limit)
}

// LotUses returns what was taken from a lot, the last first.
func (s stocks) LotUses(ctx context.Context, lot string, after api.Place, limit int) ([]input.LotUse, error) {
	return s.Store.LotUses(ctx, lot, store.Place(after), limit)
}

// Buy stores lots and their records.
func (s stocks) Buy(ctx context.Context, lots []input.Lot) error { return s.trace.Buy(ctx, lots) }

// WriteOff takes an amount from a lot, with a record.
func (s stocks) WriteOff(ctx context.Context, w input.WriteOff) (input.WriteOff, error) {
	return s.trace.WriteOff(ctx, w)
}

// overrides shows what officers decide, and what came too late, as the API asks for it.
type overrides struct {
	store *store.Store
	trace *trace.Service
}

// Override returns one.
func (o overrides) Override(ctx context.Context, id string) (trace.Override, error) {
	return o.store.Override(ctx, id)
}

// ListOverrides returns those asked for last first.
func (o overrides) ListOverrides(ctx context.Context, q api.OverrideQuery) ([]trace.Override, error) {
	return o.store.Overrides(ctx, store.OverrideFilter{Tenant: q.Tenant, Region: q.Region, Open: q.Open, After: store.Place(q.After), Limit: q.Limit})
}

// AskOverride stores what a farm asks for.
func (o overrides) AskOverride(ctx context.Context, asked trace.Override) (trace.Override, error) {
	return o.trace.AskOverride(ctx, asked)
}

// DecideOverride stores what an officer decided.
func (o overrides) DecideOverride(ctx context.Context, id string, d trace.Decision) (trace.Override, error) {
	return o.trace.DecideOverride(ctx, id, d)
}

// ListLateUses returns those found last first.
func (o overrides) ListLateUses(ctx context.Context, q api.OverrideQuery) ([]trace.FoundLate, error) {
	return o.store.LateUses(ctx, store.LateFilter{Tenant: q.Tenant, Region: q.Region, After: store.Place(q.After), Limit: q.Limit})
}

// Jobs returns the jobs of a tenant, newest first; of all where it is empty.
func (r records) Jobs(ctx context.Context, q api.JobQuery) ([]history.Job, error) {
	return r.Store.Jobs(ctx, store.JobFilter{Tenant: q.Tenant, After: store.Place(q.After), Limit: q.Limit})
}

// series shows the time-series store as the API asks for it.
type series struct{ *influx.Client }

// Series returns one quantity at a site.
func (s series) Series(ctx context.Context, q api.SeriesQuery) (farm.Summary, error) {
	return s.Client.Series(ctx, influx.SeriesQuery{Tenant: q.Tenant, Site: q.Site, Quantity: q.Quantity, From: q.From, To: q.To, Points: q.Points})
}

// beijingDay returns the start of a day as rollups and labels have it, at UTC+8.
func beijingDay(t time.Time) time.Time {
	y, m, d := t.In(time.FixedZone("UTC+8", 8*60*60)).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.FixedZone("UTC+8", 8*60*60))
}

// Readings passes what sensors said.
func (s series) Readings(ctx context.Context, q trace.ReadingsQuery, each func(farm.Sample) error) error {
	return s.Client.Readings(ctx, influx.ReadingsQuery(q), each)
}

// DayMeans returns the mean water temperature of whole Beijing days, as the mean of
// their hours: how often a sensor spoke in one does not weigh. Coverage is the
// share of hours with a reading. Days whose hours retention has deleted are left
// out, for nobody can tell how much of them was measured.
func (s series) DayMeans(ctx context.Context, tenant, site string, from, to time.Time) ([]gate.DayMean, error) {
	from, to = beijingDay(from), beijingDay(to)
	if !from.Before(to) {
		return nil, nil
	}
	q, _ := farm.LookupQuantity("water.temperature")
	got, err := s.Client.Series(ctx, influx.SeriesQuery{Tenant: tenant, Site: site, Quantity: q, From: from, To: to, Points: int(to.Sub(from) / time.Hour)})
	if err != nil || got.Interval != time.Hour {
		return nil, err
	}
	var days []gate.DayMean
	for _, p := range got.Points {
		if n := len(days); n == 0 || !days[n-1].Day.Equal(beijingDay(p.Time)) {
			days = append(days, gate.DayMean{Day: beijingDay(p.Time)})
		}
		d := &days[len(days)-1]
		d.Mean += p.Mean
		d.Coverage++
	}
	for i := range days {
		days[i].Mean /= days[i].Coverage
		days[i].Coverage /= 24
	}
	return days, nil
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
