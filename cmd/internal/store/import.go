package store

import (
	"cmp"
	"context"
	"slices"

	"github.com/uptrace/bun"

	"tianhai/farm"
	"tianhai/ingest/device"
)

// together is how many rows are written by one statement.
const together = 500

// References returns what a file of devices may refer to: that of one tenant, or
// of all where it is empty.
func (s *Store) References(ctx context.Context, tenant string) (device.References, error) {
	known := device.References{Tenants: map[string]bool{}, Models: map[string]bool{}, Sites: map[string]string{}}
	tenants, err := s.Tenants(ctx)
	if err != nil {
		return known, err
	}
	for _, t := range tenants {
		if tenant == "" || t.ID == tenant {
			known.Tenants[t.ID] = true
		}
	}
	models, err := s.Models(ctx)
	if err != nil {
		return known, err
	}
	for _, m := range models {
		known.Models[m.ID] = true
	}
	sites, err := s.Sites(ctx, SiteFilter{Tenant: tenant})
	for _, site := range sites {
		known.Sites[site.ID] = site.Tenant
	}
	return known, err
}

// Taken returns which identifiers are a device's already, or an issued one's.
func (s *Store) Taken(ctx context.Context, ids []string) (map[string]bool, error) {
	taken := map[string]bool{}
	for some := range slices.Chunk(ids, together) {
		for _, table := range []string{"devices", "issued"} {
			var found []string
			err := s.read.NewSelect().TableExpr("?", bun.Ident(table)).Column("id").Where("id IN (?)", bun.List(some)).Scan(ctx, &found)
			if err != nil {
				return nil, fail("look up devices", err)
			}
			for _, id := range found {
				taken[id] = true
			}
		}
	}
	return taken, nil
}

// CreateDevices adds devices, claimed, with their places and events, all or none;
// farm.ErrConflict when an ID is taken, farm.ErrNotFound when a tenant, a model or
// a site of the tenant's is unknown.
func (s *Store) CreateDevices(ctx context.Context, devices []device.NewDevice) error {
	return fail("create devices", s.inTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		for some := range slices.Chunk(devices, together) {
			if err := createDevices(ctx, tx, some); err != nil {
				return err
			}
		}
		return nil
	}))
}

func createDevices(ctx context.Context, tx bun.Tx, devices []device.NewDevice) error {
	var rows []deviceRow
	var places []installationRow
	var events []eventRow
	ids := make([]string, len(devices))
	for i, d := range devices {
		ids[i] = d.ID
		rows = append(rows, deviceRow{
			ID: d.ID, Tenant: d.Tenant, Model: d.Model, Name: d.Name, SecretHash: d.SecretHash,
			Created: instant{d.Created}, State: device.Claimed, StateAt: instant{d.Created},
		})
		events = append(events, eventRow{Device: d.ID, At: instant{d.Created}, Kind: device.EventKind(device.Claimed), Account: d.Account})
		if d.Site != "" {
			places = append(places, installationRow{Device: d.ID, Site: d.Site, Tenant: d.Tenant, Since: instant{d.From}})
		}
	}
	if issued, err := tx.NewSelect().Model((*issuedRow)(nil)).Where("u.id IN (?)", bun.List(ids)).Exists(ctx); err != nil || issued {
		return cmp.Or(err, farm.ErrConflict)
	}
	if _, err := tx.NewInsert().Model(&rows).Exec(ctx); err != nil {
		return err
	}
	if len(places) > 0 {
		if _, err := tx.NewInsert().Model(&places).Exec(ctx); err != nil {
			return err
		}
	}
	_, err := tx.NewInsert().Model(&events).Exec(ctx)
	return err
}
