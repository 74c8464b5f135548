package store

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"

	"tianhai/farm"
	"tianhai/ingest"
	"tianhai/ingest/device"
)

type deviceRow struct {
	bun.BaseModel `bun:"table:devices,alias:d"`

	ID         string
	Tenant     string
	Model      string
	Name       farm.Text
	SecretHash []byte
	Created    instant
	Online     bool
	StatusAt   instant
	State      device.State
	StateAt    instant
	Seen       instant
	OldHash    []byte
	OldUntil   instant
	CertsAfter instant
}

func (r deviceRow) device() device.Device {
	return device.Device{
		ID: r.ID, Tenant: r.Tenant, Model: r.Model, Name: r.Name, SecretHash: r.SecretHash,
		Created: r.Created.Time, Online: r.Online, StatusAt: r.StatusAt.Time,
		State: r.State, StateAt: r.StateAt.Time, Seen: r.Seen.Time, OldHash: r.OldHash, OldUntil: r.OldUntil.Time,
		CertsAfter: r.CertsAfter.Time,
	}
}

type installationRow struct {
	bun.BaseModel `bun:"table:installations,alias:i"`

	Device string
	Site   string
	Tenant string
	Since  instant
}

// A DeviceFilter chooses devices. Its zero value chooses all of them.
type DeviceFilter struct {
	Tenant string
	Region string // GB/T 2260, of the site where the device stands now; with all divisions within it
	Site   string // where the device stands now
	Model  string
	State  device.State
	Online *bool
	Text   string // in the ID or the name; case does not matter
	After  string // ID; only those behind it
	Limit  int    // 0: all
}

// CreateDevice adds a device, claimed unless it says otherwise; farm.ErrConflict when its ID is taken and
// farm.ErrNotFound when its tenant or model is unknown.
func (s *Store) CreateDevice(ctx context.Context, d device.Device) error {
	row := deviceRow{
		ID: d.ID, Tenant: d.Tenant, Model: d.Model, Name: d.Name, SecretHash: d.SecretHash,
		Created: instant{d.Created}, Online: d.Online, StatusAt: instant{d.StatusAt},
		State: cmp.Or(d.State, device.Claimed), StateAt: instant{d.StateAt}, Seen: instant{d.Seen},
	}
	return fail("create device", s.inTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		if issued, err := tx.NewSelect().Model((*issuedRow)(nil)).Where("u.id = ?", d.ID).Exists(ctx); err != nil || issued {
			return cmp.Or(err, farm.ErrConflict)
		}
		_, err := tx.NewInsert().Model(&row).Exec(ctx)
		return err
	}))
}

// Device returns a device; farm.ErrNotFound.
func (s *Store) Device(ctx context.Context, id string) (device.Device, error) {
	var row deviceRow
	err := s.read.NewSelect().Model(&row).Where("d.id = ?", id).Scan(ctx)
	return row.device(), fail("read device", err)
}

// Devices returns the devices that f chooses, by ID, each with where it stands.
func (s *Store) Devices(ctx context.Context, f DeviceFilter) ([]device.Placed, error) {
	var rows []struct {
		deviceRow `bun:",extend"`
		Site      string
		SiteName  farm.Text
		Region    string
	}
	q := s.read.NewSelect().Model(&rows).ColumnExpr("d.*").
		ColumnExpr("coalesce(s.id, '') AS site, coalesce(s.name, '{}') AS site_name, coalesce(s.region, '') AS region").
		Join("LEFT JOIN installations AS i ON i.device = d.id AND i.since = (?)", s.lastInstalled("d.id")).
		Join("LEFT JOIN sites AS s ON s.id = i.site").Order("d.id")
	for column, value := range map[string]string{"i.site": f.Site, "d.model": f.Model, "d.state": string(f.State)} {
		if value != "" {
			q = q.Where("? = ?", bun.Ident(column), value)
		}
	}
	if f.Online != nil {
		q = q.Where("d.online = ?", *f.Online)
	}
	q = s.page(q, "d", f.Text, f.After, f.Limit)
	err := within(q, "d.tenant", f.Tenant, "s.region", f.Region).Scan(ctx)
	out := make([]device.Placed, len(rows))
	for i, r := range rows {
		out[i] = device.Placed{Device: r.device(), Site: r.Site, SiteName: r.SiteName, Region: r.Region}
	}
	return out, fail("read devices", err)
}

// page narrows q, whose table has an ID and a name, to those that a text stands
// in and that come after an ID, so many at most.
func (s *Store) page(q *bun.SelectQuery, table, text, after string, limit int) *bun.SelectQuery {
	if after != "" {
		q = q.Where("?.id > ?", bun.Ident(table), after)
	}
	if limit > 0 {
		q = q.Limit(int64(limit))
	}
	if text == "" {
		return q
	}
	name := "?0.name"
	if s.write.Dialect().Name() == dialect.PG {
		name = "CAST(?0.name AS json)" // SQLite reads JSON from text as it is
	}
	like := "%" + literal(text) + "%"
	return q.Where("lower(?0.id || ' ' || coalesce("+name+" ->> 'zh', '') || ' ' || coalesce("+name+" ->> 'en', '')) LIKE lower(?1) ESCAPE '\\'", bun.Ident(table), like)
}

// literal returns a text that LIKE … ESCAPE '\' takes as it is.
func literal(text string) string {
	return strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`).Replace(text)
}

// lastInstalled asks since when the device in a column has been where it is.
func (s *Store) lastInstalled(column string) *bun.SelectQuery {
	return s.read.NewSelect().ColumnExpr("max(since)").TableExpr("installations").
		Where("device = ? AND since <= ?", bun.Ident(column), instant{s.now()})
}

// SiteOf returns the site where a device stands now; farm.ErrNotFound when it
// is unknown or stands nowhere yet.
func (s *Store) SiteOf(ctx context.Context, id string) (farm.Site, error) {
	var row siteRow
	err := s.read.NewSelect().Model(&row).
		Join("JOIN installations AS i ON i.site = s.id").
		Where("i.device = ? AND i.since = (?)", id, s.lastInstalled("i.device")).Scan(ctx)
	return row.Site, fail("read site of device", err)
}

// Install appends to a device's history. The same again is nothing new; another
// site from the same moment on is farm.ErrConflict, and a device or a site that
// is unknown, or a site of another tenant, farm.ErrNotFound.
func (s *Store) Install(ctx context.Context, in device.Installation) error {
	return fail("install device", s.inTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		var d deviceRow
		if err := tx.NewSelect().Model(&d).Where("d.id = ?", in.Device).Scan(ctx); err != nil {
			return err
		}
		row := installationRow{Device: in.Device, Site: in.Site, Tenant: d.Tenant, Since: instant{in.From}}
		res, err := tx.NewInsert().Model(&row).On("CONFLICT (device, since) DO NOTHING").Exec(ctx)
		if err := changed(res, err, farm.ErrConflict); !errors.Is(err, farm.ErrConflict) {
			return err
		}
		same, err := tx.NewSelect().Model((*installationRow)(nil)).
			Where("i.device = ? AND i.since = ? AND i.site = ?", in.Device, row.Since, in.Site).Exists(ctx)
		if err == nil && !same {
			return farm.ErrConflict
		}
		return err
	}))
}

// Installations returns a device's history, oldest first, with the place that
// each site is at; empty for a device that is unknown or stands nowhere yet.
func (s *Store) Installations(ctx context.Context, id string) ([]ingest.Installation, error) {
	var rows []struct {
		siteRow `bun:",extend"`
		Since   instant
	}
	err := s.read.NewSelect().Model(&rows).ColumnExpr("s.*").ColumnExpr("i.since").
		Join("JOIN installations AS i ON i.site = s.id").
		Where("i.device = ?", id).Order("i.since").Scan(ctx)
	out := make([]ingest.Installation, len(rows))
	for i, r := range rows {
		out[i] = ingest.Installation{From: r.Since.Time, Place: ingest.Place{Tenant: r.Tenant, Region: r.Region, Site: r.ID, Kind: r.Kind}}
	}
	return out, fail("read installations", err)
}

// SetOnline records whether a device is there, and at what time that changed;
// farm.ErrNotFound for an unknown device. What is no change writes nothing. The
// first time makes a claimed device active.
func (s *Store) SetOnline(ctx context.Context, id string, online bool, at time.Time) error {
	res, err := s.write.NewUpdate().Model((*deviceRow)(nil)).Set("online = ?, status_at = ?", online, instant{at}).
		Where("d.id = ? AND d.online <> ?", id, online).Exec(ctx)
	err = changed(res, err, farm.ErrNotFound)
	if err != nil && !errors.Is(err, farm.ErrNotFound) {
		return fail("set presence", err)
	}
	d, err := s.Device(ctx, id)
	if err == nil && online && d.State == device.Claimed {
		err = s.ChangeState(ctx, device.Event{Device: id, At: at, Kind: device.EventKind(device.Active)})
	}
	return fail("set presence", err)
}

// ResetPresence records every device as not there: after a start, only those
// that say so again are.
func (s *Store) ResetPresence(ctx context.Context, at time.Time) error {
	_, err := s.write.NewUpdate().Model((*deviceRow)(nil)).Set("online = ?, status_at = ?", false, instant{at}).
		Where("d.online").Exec(ctx)
	return fail("reset presence", err)
}

// CountOnline returns how many devices are there.
func (s *Store) CountOnline(ctx context.Context) (int64, error) {
	n, err := s.read.NewSelect().Model((*deviceRow)(nil)).Where("d.online").Count(ctx)
	return n, fail("count devices", err)
}
