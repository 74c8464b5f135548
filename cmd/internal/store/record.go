package store

import (
	"context"
	"errors"

	"github.com/uptrace/bun"

	"tianhai/farm"
	"tianhai/trace"
)

type recordRow struct {
	bun.BaseModel `bun:"table:records,alias:r"`

	ID      string
	Tenant  string
	Kind    string
	Subject string
	Code    string `bun:",nullzero"`
	Body    []byte
	Salt    []byte
	At      instant
	Leaf    int64
	Receipt string
}

func (r recordRow) record() trace.Record {
	return trace.Record{
		ID: r.ID, Tenant: r.Tenant, Kind: r.Kind, Subject: r.Subject, Code: r.Code,
		Body: r.Body, Salt: r.Salt, At: r.At.Time, Index: r.Leaf, Receipt: r.Receipt,
	}
}

// addRecord appends a record, as yet unsealed whatever it says.
func addRecord(ctx context.Context, tx bun.Tx, rec trace.Record) error {
	row := recordRow{
		ID: rec.ID, Tenant: rec.Tenant, Kind: rec.Kind, Subject: rec.Subject, Code: rec.Code,
		Body: rec.Body, Salt: rec.Salt, At: instant{rec.At}, Leaf: -1,
	}
	_, err := tx.NewInsert().Model(&row).Exec(ctx)
	return err
}

// Unsealed returns records without a receipt, oldest first, at most limit.
func (s *Store) Unsealed(ctx context.Context, limit int) ([]trace.Record, error) {
	var rows []recordRow
	err := s.read.NewSelect().Model(&rows).Where("r.leaf < 0").Order("r.at", "r.id").Limit(int64(max(limit, 1))).Scan(ctx)
	return each(rows, recordRow.record), fail("read unsealed records", err)
}

// UnsealedCount returns how many records have no receipt yet.
func (s *Store) UnsealedCount(ctx context.Context) (int, error) {
	n, err := s.read.NewSelect().Model((*recordRow)(nil)).Where("r.leaf < 0").Count(ctx)
	return int(n), fail("count unsealed records", err)
}

// Sealed stores a record's place in the log and its receipt, once. The same
// again is nothing new; another place or receipt is farm.ErrConflict, and an
// unknown record farm.ErrNotFound.
func (s *Store) Sealed(ctx context.Context, id string, index int64, receipt string) error {
	if index < 0 || receipt == "" {
		return errors.New("seal record: no index or no receipt")
	}
	return fail("seal record", s.inTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		res, err := tx.NewUpdate().Model((*recordRow)(nil)).Set("leaf = ?, receipt = ?", index, receipt).
			Where("r.id = ? AND r.leaf < 0", id).Exec(ctx)
		if err := changed(res, err, farm.ErrNotFound); !errors.Is(err, farm.ErrNotFound) {
			return err
		}
		var row recordRow
		if err := tx.NewSelect().Model(&row).Where("r.id = ?", id).Scan(ctx); err != nil {
			return err
		}
		if row.Leaf != index || row.Receipt != receipt {
			return farm.ErrConflict
		}
		return nil
	}))
}

// RecordByCode returns a closed batch's record; farm.ErrNotFound.
func (s *Store) RecordByCode(ctx context.Context, code string) (trace.Record, error) {
	var row recordRow
	err := s.read.NewSelect().Model(&row).Where("r.code = ?", code).Scan(ctx)
	return row.record(), fail("read record", err)
}

// RecordsOf returns the records about an operation or a batch, oldest first.
func (s *Store) RecordsOf(ctx context.Context, subject string) ([]trace.Record, error) {
	var rows []recordRow
	err := s.read.NewSelect().Model(&rows).Where("r.subject = ?", subject).Order("r.at", "r.id").Scan(ctx)
	return each(rows, recordRow.record), fail("read records", err)
}
