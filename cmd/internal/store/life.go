package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"tianhai/farm"
	"tianhai/ingest/device"
)

type eventRow struct {
	bun.BaseModel `bun:"table:device_events,alias:e"`

	Device  string
	At      instant
	Kind    device.EventKind
	Account string
	Reason  string
}

func (r eventRow) event() device.Event {
	return device.Event{Device: r.Device, At: r.At.Time, Kind: r.Kind, Account: r.Account, Reason: r.Reason}
}

func addEvent(ctx context.Context, tx bun.Tx, e device.Event) error {
	row := eventRow{Device: e.Device, At: instant{e.At}, Kind: e.Kind, Account: e.Account, Reason: e.Reason}
	_, err := tx.NewInsert().Model(&row).Exec(ctx)
	return err
}

// ChangeState brings a device to the state that e.Kind names, and appends e.
// The state that it has already is nothing new, one that it may not come to is
// farm.ErrConflict.
func (s *Store) ChangeState(ctx context.Context, e device.Event) error {
	to := device.State(e.Kind)
	return fail("change state", s.inTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		var row deviceRow
		if err := tx.NewSelect().Model(&row).Where("d.id = ?", e.Device).Scan(ctx); err != nil {
			return err
		}
		if row.State == to {
			return nil
		}
		if !row.State.May(to) {
			return fmt.Errorf("%s is %s and cannot become %s: %w", e.Device, row.State, to, farm.ErrConflict)
		}
		res, err := tx.NewUpdate().Model((*deviceRow)(nil)).Set("state = ?, state_at = ?", to, instant{e.At}).
			Where("d.id = ? AND d.state = ?", e.Device, row.State).Exec(ctx)
		err = changed(res, err, farm.ErrConflict)
		if errors.Is(err, farm.ErrConflict) { // somebody was faster; to the same end is no conflict
			if again := tx.NewSelect().Model(&row).Where("d.id = ?", e.Device).Scan(ctx); again == nil && row.State == to {
				return nil
			}
		}
		if err != nil {
			return err
		}
		return addEvent(ctx, tx, e)
	}))
}

// SetSecret replaces a device's secret, keeps the one before until oldUntil, and
// appends e, which may also take all certificates away; farm.ErrConflict for a
// retired device.
func (s *Store) SetSecret(ctx context.Context, e device.Event, hash []byte, oldUntil time.Time) error {
	return fail("set secret", s.inTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		var row deviceRow
		if err := tx.NewSelect().Model(&row).Where("d.id = ?", e.Device).Scan(ctx); err != nil {
			return err
		}
		if row.State == device.Retired {
			return fmt.Errorf("%s is retired: %w", e.Device, farm.ErrConflict)
		}
		old := row.SecretHash
		if !oldUntil.After(e.At) {
			old, oldUntil = nil, time.Time{}
		}
		q := tx.NewUpdate().Model((*deviceRow)(nil)).
			Set("secret_hash = ?, old_hash = ?, old_until = ?", hash, old, instant{oldUntil}).Where("d.id = ?", e.Device)
		if e.Kind == device.Revoked {
			q = q.Set("certs_after = ?", instant{e.At})
		}
		if _, err := q.Exec(ctx); err != nil {
			return err
		}
		return addEvent(ctx, tx, e)
	}))
}

// DeviceEvents returns what happened to a device, oldest first.
func (s *Store) DeviceEvents(ctx context.Context, id string) ([]device.Event, error) {
	var rows []eventRow
	err := s.read.NewSelect().Model(&rows).Where("e.device = ?", id).Order("e.at", "e.kind").Scan(ctx)
	return each(rows, eventRow.event), fail("read events of device", err)
}

// DeviceEventsSince returns what happened to all devices after a time, oldest
// first.
func (s *Store) DeviceEventsSince(ctx context.Context, after time.Time) ([]device.Event, error) {
	var rows []eventRow
	err := s.read.NewSelect().Model(&rows).Where("e.at > ?", instant{after}).Order("e.at", "e.device", "e.kind").Scan(ctx)
	return each(rows, eventRow.event), fail("read events of devices", err)
}

// Seen records when devices were last seen, in one transaction. Unknown devices
// are passed over.
func (s *Store) Seen(ctx context.Context, at map[string]time.Time) error {
	return fail("record sightings", s.inTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		for id, t := range at {
			_, err := tx.NewUpdate().Model((*deviceRow)(nil)).Set("seen = ?", instant{t}).
				Where("d.id = ? AND (d.seen IS NULL OR d.seen < ?)", id, instant{t}).Exec(ctx)
			if err != nil {
				return err
			}
		}
		return nil
	}))
}
