package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/uptrace/bun"

	"tianhai/farm"
	"tianhai/ingest/device"
)

type modelRow struct {
	bun.BaseModel `bun:"table:models,alias:m"`

	ID       string
	Name     farm.Text
	Format   string
	Interval int64 `bun:"interval_ns"`
	Channels []device.Channel
	Commands []string
}

func (r modelRow) model() device.Model {
	return device.Model{ID: r.ID, Name: r.Name, Format: r.Format, Interval: time.Duration(r.Interval), Channels: r.Channels, Commands: r.Commands}
}

// MaxModelChanges is how many changes of a model are returned at most.
const MaxModelChanges = 1000

type modelChangeRow struct {
	bun.BaseModel `bun:"table:model_changes,alias:mc"`

	Model   string
	At      instant
	Account string
	Body    device.Model
}

// PutModel adds a model or replaces the one with its ID, and appends the change.
// The same again is nothing new; one that is not valid is refused.
func (s *Store) PutModel(ctx context.Context, c device.ModelChange) error {
	m := c.Model
	if err := m.Validate(); err != nil {
		return fmt.Errorf("put model: %w", err)
	}
	return fail("put model", s.inTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		row := modelRow{ID: m.ID, Name: m.Name, Format: m.Format, Interval: int64(m.Interval), Channels: m.Channels, Commands: m.Commands}
		var before modelRow
		err := tx.NewSelect().Model(&before).Where("m.id = ?", m.ID).Scan(ctx)
		if err == nil && reflect.DeepEqual(row, before) {
			return nil
		} else if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		_, err = tx.NewInsert().Model(&row).On("CONFLICT (id) DO UPDATE").
			Set("name = EXCLUDED.name, format = EXCLUDED.format, interval_ns = EXCLUDED.interval_ns").
			Set("channels = EXCLUDED.channels, commands = EXCLUDED.commands").Exec(ctx)
		if err != nil {
			return err
		}
		change := modelChangeRow{Model: m.ID, At: instant{c.At}, Account: c.Account, Body: m}
		_, err = tx.NewInsert().Model(&change).Exec(ctx)
		return err
	}))
}

// Models returns every model, by ID.
func (s *Store) Models(ctx context.Context) ([]device.Model, error) {
	var rows []modelRow
	err := s.read.NewSelect().Model(&rows).Order("m.id").Scan(ctx)
	return each(rows, modelRow.model), fail("read models", err)
}

// ModelChanges returns what became of a model, newest first.
func (s *Store) ModelChanges(ctx context.Context, model string, limit int) ([]device.ModelChange, error) {
	var rows []modelChangeRow
	err := s.read.NewSelect().Model(&rows).Where("mc.model = ?", model).Order("mc.at DESC").
		Limit(bounded(limit, DefaultCommands, MaxModelChanges)).Scan(ctx)
	return each(rows, func(r modelChangeRow) device.ModelChange {
		return device.ModelChange{At: r.At.Time, Account: r.Account, Model: r.Body}
	}), fail("read changes of model", err)
}

// ModelsChangedSince reports whether a model was changed after a time.
func (s *Store) ModelsChangedSince(ctx context.Context, after time.Time) (bool, error) {
	changed, err := s.read.NewSelect().Model((*modelChangeRow)(nil)).Where("mc.at > ?", instant{after}).Exists(ctx)
	return changed, fail("read changes of models", err)
}

// ModelUse returns how many devices there are of each model, issued ones included.
func (s *Store) ModelUse(ctx context.Context) (map[string]int, error) {
	use := map[string]int{}
	for _, table := range []string{"devices", "issued"} {
		var rows []struct {
			Model string
			N     int
		}
		err := s.read.NewSelect().TableExpr("?", bun.Ident(table)).ColumnExpr("model, count(*) AS n").Group("model").Scan(ctx, &rows)
		if err != nil {
			return nil, fail("count devices of models", err)
		}
		for _, r := range rows {
			use[r.Model] += r.N
		}
	}
	return use, nil
}
