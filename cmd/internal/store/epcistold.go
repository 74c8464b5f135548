package store

import (
	"context"
	"errors"
	"slices"

	"github.com/uptrace/bun"

	"tianhai/farm"
	"tianhai/trace"
	"tianhai/trace/chain"
	"tianhai/trace/epcis"
	"tianhai/trace/epcis/lineage"
	"tianhai/trace/epcis/repository"
	"tianhai/trace/epcis/told"
)

// untoldRow is a record that waits to be told as events.
type untoldRow struct {
	bun.BaseModel `bun:"table:epcis_untold,alias:u"`

	Record string
	At     instant
}

type batchNameRow struct {
	bun.BaseModel `bun:"table:epcis_batches,alias:eb"`

	Batch string
	Name  string
}

// Untold returns records of which no event was made yet, oldest first; see told.Source.
func (s *Store) Untold(ctx context.Context, limit int) ([]trace.Record, error) {
	var rows []recordRow
	err := s.read.NewSelect().Model(&rows).Join("JOIN epcis_untold AS u ON u.record = r.id").
		OrderExpr("u.at, u.record").Limit(int64(max(limit, 1))).Scan(ctx)
	return each(rows, recordRow.record), fail("read untold records", err)
}

// EventBatch returns what events say of a batch; farm.ErrNotFound.
func (s *Store) EventBatch(ctx context.Context, id string) (told.Batch, error) {
	b, err := s.Batch(ctx, id)
	if err != nil {
		return told.Batch{}, err
	}
	made, _ := chain.Round(b.Quantity, b.Unit)
	out := told.Batch{ID: b.ID, Tenant: b.Tenant, Site: b.Site, Lot: b.Lot, Made: made}
	out.GTIN, err = s.HeldGTIN(ctx, b.Tenant, b.Product)
	return out, err
}

// EventNames returns what batches are called in events; see lineage.Source.
func (s *Store) EventNames(ctx context.Context, batches []string) ([]lineage.Batch, error) {
	var all []lineage.Batch
	for some := range slices.Chunk(batches, epcisRows) {
		var rows []struct {
			ID, Tenant string
			Code, Name *string
		}
		err := s.read.NewSelect().TableExpr("batches AS b").Join("LEFT JOIN epcis_batches AS eb ON eb.batch = b.id").
			ColumnExpr("b.id, b.tenant, b.code, eb.name").Where("b.id IN (?)", bun.List(some)).OrderExpr("b.id").Scan(ctx, &rows)
		if err != nil {
			return nil, fail("read names of batches", err)
		}
		for _, r := range rows {
			b := lineage.Batch{ID: r.ID, Tenant: r.Tenant}
			if r.Code != nil {
				b.Code = *r.Code
			}
			if r.Name != nil {
				b.Name = *r.Name
			}
			all = append(all, b)
		}
	}
	return all, nil
}

// NameBatch returns what a batch is called in events; see told.Source.
func (s *Store) NameBatch(ctx context.Context, batch string, names ...string) (string, error) {
	var row batchNameRow
	for _, name := range names {
		err := s.write.NewSelect().Model(&row).Where("eb.batch = ?", batch).Scan(ctx)
		if err = fail("read batch's name", err); !errors.Is(err, farm.ErrNotFound) {
			return row.Name, err
		}
		row = batchNameRow{Batch: batch, Name: name}
		if _, err := s.write.NewInsert().Model(&row).On("CONFLICT DO NOTHING").Exec(ctx); err != nil {
			return "", fail("name batch", err)
		}
	}
	err := s.write.NewSelect().Model(&row).Where("eb.batch = ?", batch).Scan(ctx)
	return row.Name, fail("name batch", err)
}

// Tell appends the events of a record and takes it off the outbox; see told.Source.
func (s *Store) Tell(ctx context.Context, record string, b repository.Batch) error {
	return fail("tell record", s.inTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		last, err := lastEvent(ctx, tx)
		if err != nil {
			return err
		}
		res, err := tx.NewDelete().Model((*untoldRow)(nil)).Where("record = ?", record).Exec(ctx)
		if err = changed(res, err, farm.ErrNotFound); err != nil {
			if errors.Is(err, farm.ErrNotFound) {
				return nil // another server was first
			}
			return err
		}
		taken, err := takenEvents(ctx, tx, b)
		if err != nil {
			return err
		}
		left := make([]*epcis.Event, 0, len(b.Events))
		for i, e := range b.Events {
			if !slices.Contains(taken, i) {
				left = append(left, e)
			}
		}
		b.Events = left
		return s.appendEvents(ctx, tx, b, last)
	}))
}
