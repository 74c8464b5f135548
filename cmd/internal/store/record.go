package store

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"tianhai/farm"
	"tianhai/trace"
	"tianhai/trace/epcis/told"
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

	Log      int
	Cosigned bool
}

func (r recordRow) record() trace.Record {
	return trace.Record{
		ID: r.ID, Tenant: r.Tenant, Kind: r.Kind, Subject: r.Subject, Code: r.Code,
		Body: r.Body, Salt: r.Salt, At: r.At.Time, Index: r.Leaf, Receipt: r.Receipt,
		Log: r.Log, Cosigned: r.Cosigned,
	}
}

// addRecord appends a record, as yet unsealed whatever it says.
func addRecord(ctx context.Context, tx bun.Tx, rec trace.Record) error {
	row := recordRow{
		ID: rec.ID, Tenant: rec.Tenant, Kind: rec.Kind, Subject: rec.Subject, Code: rec.Code,
		Body: rec.Body, Salt: rec.Salt, At: instant{rec.At}, Leaf: -1, Log: 1,
	}
	if _, err := tx.NewInsert().Model(&row).Exec(ctx); err != nil {
		return err
	}
	if slices.Contains(told.Kinds(), rec.Kind) {
		if _, err := tx.NewInsert().Model(&untoldRow{Record: rec.ID, At: row.At}).Exec(ctx); err != nil {
			return err
		}
	}
	for _, p := range rec.Personal {
		open := openingRow{Record: rec.ID, Tenant: rec.Tenant, Path: p.Path, Salt: p.Salt, Text: p.Text}
		if _, err := tx.NewInsert().Model(&open).Exec(ctx); err != nil {
			return err
		}
	}
	return nil
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

// Sealed stores a record's place in a log and its receipt, once. The same again
// is nothing new; another place or receipt is farm.ErrConflict, and an unknown
// record farm.ErrNotFound.
func (s *Store) Sealed(ctx context.Context, id string, seal trace.Seal) error {
	if seal.Log < 1 || seal.Index < 0 || seal.Receipt == "" {
		return errors.New("seal record: no log, no index or no receipt")
	}
	return fail("seal record", s.inTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		res, err := tx.NewUpdate().Model((*recordRow)(nil)).Set("log = ?, leaf = ?, receipt = ?", seal.Log, seal.Index, seal.Receipt).
			Where("r.id = ? AND r.leaf < 0", id).Exec(ctx)
		if err := changed(res, err, farm.ErrNotFound); !errors.Is(err, farm.ErrNotFound) {
			return err
		}
		var row recordRow
		if err := tx.NewSelect().Model(&row).Where("r.id = ?", id).Scan(ctx); err != nil {
			return err
		}
		if row.Log != seal.Log || row.Leaf != seal.Index || row.Receipt != seal.Receipt {
			return farm.ErrConflict
		}
		return nil
	}))
}

// Uncosigned returns records that stand in a log at an index below a size and
// whose receipt bears no quorum of cosignatures, in the order of the log, at most
// limit. Their bodies are not read.
func (s *Store) Uncosigned(ctx context.Context, log int, below int64, limit int) ([]trace.Record, error) {
	var rows []recordRow
	err := s.read.NewSelect().Model(&rows).ExcludeColumn("body", "receipt").
		Where("r.log = ? AND r.leaf >= 0 AND r.leaf < ? AND NOT r.cosigned", log, below).Order("r.leaf").Limit(int64(max(limit, 1))).Scan(ctx)
	return each(rows, recordRow.record), fail("read uncosigned records", err)
}

// UncosignedCount returns how many sealed records of a log have a receipt that no
// quorum stands behind, and since when the oldest of them has waited.
func (s *Store) UncosignedCount(ctx context.Context, log int) (n int, since time.Time, err error) {
	var oldest sql.NullInt64
	err = s.read.NewSelect().Model((*recordRow)(nil)).ColumnExpr("COUNT(*), MIN(at)").
		Where("r.log = ? AND r.leaf >= 0 AND NOT r.cosigned", log).Scan(ctx, &n, &oldest)
	if oldest.Valid {
		since = time.UnixMicro(oldest.Int64).UTC()
	}
	return n, since, fail("count uncosigned records", err)
}

// Cosigned exchanges the receipt of a sealed record for the one that a quorum of
// witnesses stands behind. A record that has one is left as it is; one that is
// not sealed is farm.ErrNotFound.
func (s *Store) Cosigned(ctx context.Context, id, receipt string) error {
	if receipt == "" {
		return errors.New("cosign record: no receipt")
	}
	res, err := s.write.NewUpdate().Model((*recordRow)(nil)).
		Set("receipt = ?, cosigned = TRUE", receipt).
		Where("r.id = ? AND r.leaf >= 0 AND NOT r.cosigned", id).Exec(ctx)
	if err := changed(res, err, farm.ErrNotFound); !errors.Is(err, farm.ErrNotFound) {
		return fail("cosign record", err)
	}
	known, err := s.read.NewSelect().Model((*recordRow)(nil)).Where("r.id = ? AND r.cosigned", id).Exists(ctx)
	if err == nil && !known {
		err = farm.ErrNotFound
	}
	return fail("cosign record", err)
}

// RecordByCode returns a closed batch's record, with the personal data that it
// commits to and that were not erased; farm.ErrNotFound.
func (s *Store) RecordByCode(ctx context.Context, code string) (trace.Record, error) {
	var row recordRow
	if err := s.read.NewSelect().Model(&row).Where("r.code = ?", code).Scan(ctx); err != nil {
		return trace.Record{}, fail("read record", err)
	}
	var open []openingRow
	if err := s.read.NewSelect().Model(&open).Where("o.record = ?", row.ID).Order("o.path").Scan(ctx); err != nil {
		return trace.Record{}, fail("read record", err)
	}
	rec := row.record()
	for _, o := range open {
		rec.Personal = append(rec.Personal, trace.Personal{Path: o.Path, Salt: o.Salt, Text: o.Text})
	}
	return rec, nil
}

// RecordsOf returns the records about an operation or a batch, oldest first.
func (s *Store) RecordsOf(ctx context.Context, subject string) ([]trace.Record, error) {
	var rows []recordRow
	err := s.read.NewSelect().Model(&rows).Where("r.subject = ?", subject).Order("r.at", "r.id").Scan(ctx)
	return each(rows, recordRow.record), fail("read records", err)
}

// CountRecords returns how many EachRecord would pass, by kind.
func (s *Store) CountRecords(ctx context.Context, tenant string, from, to time.Time) (map[string]int, error) {
	var rows []struct {
		Kind  string
		Count int
	}
	err := s.read.NewSelect().Model((*recordRow)(nil)).ColumnExpr("r.kind AS kind").ColumnExpr("count(*) AS count").
		Where("r.tenant = ? AND r.at >= ? AND r.at < ?", tenant, instant{from}, instant{to}).GroupExpr("r.kind").Scan(ctx, &rows)
	kinds := map[string]int{}
	for _, row := range rows {
		kinds[row.Kind] = row.Count
	}
	return kinds, fail("count records", err)
}

// EachBatchRecord passes a tenant's records of closed batches with At ≥ from, oldest
// first, without personal data. An error of each ends it and is returned.
func (s *Store) EachBatchRecord(ctx context.Context, tenant string, from time.Time, each func(trace.Record) error) error {
	const page = 50 // they are long
	at, id := instant{from}, ""
	for {
		var rows []recordRow
		err := s.read.NewSelect().Model(&rows).Where("r.tenant = ? AND r.kind = ? AND (r.at > ? OR r.at = ? AND r.id > ?)", tenant, trace.BatchRecord, at, at, id).
			Order("r.at", "r.id").Limit(page).Scan(ctx)
		if err != nil {
			return fail("read records of batches", err)
		}
		for _, row := range rows {
			if err := each(row.record()); err != nil {
				return err
			}
		}
		if len(rows) < page {
			return nil
		}
		at, id = rows[page-1].At, rows[page-1].ID
	}
}

// EachRecord passes the records of a tenant with from ≤ At < to, oldest first, with
// the personal data that they commit to and that were not erased. An error of each
// ends it and is returned.
func (s *Store) EachRecord(ctx context.Context, tenant string, from, to time.Time, each func(trace.Record) error) error {
	const page = 500
	at, id := instant{from}, ""
	for {
		var rows []recordRow
		err := s.read.NewSelect().Model(&rows).Where("r.tenant = ? AND r.at < ? AND (r.at > ? OR r.at = ? AND r.id > ?)", tenant, instant{to}, at, at, id).
			Order("r.at", "r.id").Limit(page).Scan(ctx)
		if err != nil {
			return fail("read records", err)
		}
		personal, err := s.personalOf(ctx, rows)
		if err != nil {
			return fail("read records", err)
		}
		for _, row := range rows {
			rec := row.record()
			rec.Personal = personal[row.ID]
			if err := each(rec); err != nil {
				return err
			}
		}
		if len(rows) < page {
			return nil
		}
		at, id = rows[page-1].At, rows[page-1].ID
	}
}

// personalOf returns, by record, what records commit to and was not erased.
func (s *Store) personalOf(ctx context.Context, rows []recordRow) (map[string][]trace.Personal, error) {
	personal := map[string][]trace.Personal{}
	if len(rows) == 0 {
		return personal, nil
	}
	ids := each(rows, func(r recordRow) string { return r.ID })
	var open []openingRow
	err := s.read.NewSelect().Model(&open).Where("o.record IN (?)", bun.List(ids)).Order("o.record", "o.path").Scan(ctx)
	for _, o := range open {
		personal[o.Record] = append(personal[o.Record], trace.Personal{Path: o.Path, Salt: o.Salt, Text: o.Text})
	}
	return personal, err
}
