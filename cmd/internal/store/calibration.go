package store

import (
	"context"

	"github.com/uptrace/bun"

	"tianhai/ingest/device"
)

type calibrationRow struct {
	bun.BaseModel `bun:"table:calibrations,alias:k"`

	Device    string
	Channel   string
	Since     instant
	Recorded  instant
	Slope     float64
	Intercept float64
	Account   string
	Note      string
}

func (r calibrationRow) calibration() device.Calibration {
	return device.Calibration{
		Device: r.Device, Channel: r.Channel, Slope: r.Slope, Offset: r.Intercept,
		From: r.Since.Time, Recorded: r.Recorded.Time, Account: r.Account, Note: r.Note,
	}
}

// AddCalibration appends to a device's history; farm.ErrNotFound for an unknown
// device.
func (s *Store) AddCalibration(ctx context.Context, c device.Calibration) error {
	row := calibrationRow{
		Device: c.Device, Channel: c.Channel, Since: instant{c.From}, Recorded: instant{c.Recorded},
		Slope: c.Slope, Intercept: c.Offset, Account: c.Account, Note: c.Note,
	}
	_, err := s.write.NewInsert().Model(&row).Exec(ctx)
	return fail("add calibration", err)
}

// Calibrations returns a device's history, oldest first; those of one moment as
// they were recorded.
func (s *Store) Calibrations(ctx context.Context, id string) ([]device.Calibration, error) {
	var rows []calibrationRow
	err := s.read.NewSelect().Model(&rows).Where("k.device = ?", id).Order("k.since", "k.recorded", "k.channel").Scan(ctx)
	return each(rows, calibrationRow.calibration), fail("read calibrations", err)
}
