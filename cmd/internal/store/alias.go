package store

import (
	"context"

	"github.com/uptrace/bun"

	"tianhai/farm"
	"tianhai/ingest/device"
)

type aliasRow struct {
	bun.BaseModel `bun:"table:aliases,alias:y"`

	Alias   string
	Device  string
	Account string
	Created instant
}

func (r aliasRow) alias() device.Alias {
	return device.Alias{Alias: r.Alias, Device: r.Device, Account: r.Account, Created: r.Created.Time}
}

// AddAlias gives a device another name; farm.ErrConflict when another device has
// it, farm.ErrNotFound for an unknown device. The same again is nothing new.
func (s *Store) AddAlias(ctx context.Context, a device.Alias) error {
	row := aliasRow{Alias: a.Alias, Device: a.Device, Account: a.Account, Created: instant{a.Created}}
	return fail("add alias", s.inTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		res, err := tx.NewInsert().Model(&row).On("CONFLICT (alias) DO NOTHING").Exec(ctx)
		if err = changed(res, err, farm.ErrConflict); err == nil {
			return nil
		}
		same, look := tx.NewSelect().Model((*aliasRow)(nil)).Where("y.alias = ? AND y.device = ?", a.Alias, a.Device).Exists(ctx)
		if look == nil && same {
			return nil
		}
		return err
	}))
}

// DeleteAlias takes a name from a device; farm.ErrNotFound when it is none of the
// device's.
func (s *Store) DeleteAlias(ctx context.Context, id, alias string) error {
	res, err := s.write.NewDelete().Model((*aliasRow)(nil)).Where("y.alias = ? AND y.device = ?", alias, id).Exec(ctx)
	return fail("delete alias", changed(res, err, farm.ErrNotFound))
}

// Aliases returns the other names of a device, or of all where it is empty.
func (s *Store) Aliases(ctx context.Context, id string) ([]device.Alias, error) {
	var rows []aliasRow
	q := s.read.NewSelect().Model(&rows).Order("y.alias")
	if id != "" {
		q = q.Where("y.device = ?", id)
	}
	err := q.Scan(ctx)
	return each(rows, aliasRow.alias), fail("read aliases", err)
}

// DeviceOfAlias returns the device that has a name; farm.ErrNotFound.
func (s *Store) DeviceOfAlias(ctx context.Context, alias string) (string, error) {
	var row aliasRow
	err := s.read.NewSelect().Model(&row).Where("y.alias = ?", alias).Scan(ctx)
	return row.Device, fail("look up alias", err)
}
