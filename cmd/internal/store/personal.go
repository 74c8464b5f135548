package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/uptrace/bun"

	"tianhai/farm"
	"tianhai/trace"
)

// erased stands in the place of a name.
var erased = farm.Text{Zh: "（已按法律删除）", En: "(erased as the law demands)"}

type openingRow struct {
	bun.BaseModel `bun:"table:openings,alias:o"`

	Record string
	Tenant string
	Path   string
	Salt   []byte
	Text   string
}

// ErasePersonal erases the personal data of a tenant, in its own row, in its
// sites' and beside its records, and stores the record that says so; everything or
// nothing. It returns how many texts of records are gone. farm.ErrNotFound when
// the tenant is unknown.
func (s *Store) ErasePersonal(ctx context.Context, tenant string, rec trace.Record) (n int, err error) {
	if rec.Tenant != tenant || rec.Kind != trace.ErasureRecord {
		return 0, fmt.Errorf("erase personal data: record %s does not say so", rec.ID)
	}
	err = s.inTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		res, err := tx.NewUpdate().Model(&tenantRow{Tenant: farm.Tenant{Name: erased}}).Column("name", "phone").Where("t.id = ?", tenant).Exec(ctx)
		if err := changed(res, err, farm.ErrNotFound); err != nil {
			return err
		}
		if _, err := tx.NewUpdate().Model(&siteRow{Site: farm.Site{Name: erased}}).Column("name").Where("s.tenant = ?", tenant).Exec(ctx); err != nil {
			return err
		}
		gone, err := tx.NewDelete().Model((*openingRow)(nil)).Where("o.tenant = ?", tenant).Exec(ctx)
		if err != nil {
			return err
		}
		rows, err := gone.RowsAffected()
		if err != nil {
			return err
		}
		n = int(rows)
		return addRecord(ctx, tx, rec)
	})
	return n, fail("erase personal data", err)
}

// disclosed is how many operations are asked about at once.
const disclosed = 500

// disclose puts the names back that operations commit to and nobody had erased.
func disclose(ctx context.Context, db bun.IDB, ops []trace.Operation) error {
	at := map[string]int{}
	var ids []string
	for i, op := range ops {
		if op.Withheld() {
			at[op.ID], ids = i, append(ids, op.ID)
		}
	}
	for some := range slices.Chunk(ids, disclosed) {
		var rows []struct {
			bun.BaseModel `bun:"table:openings,alias:o"`

			Subject string
			Path    string
			Salt    []byte
			Text    string
		}
		err := db.NewSelect().Model(&rows).ColumnExpr("r.subject, o.path, o.salt, o.text").Join("JOIN records AS r ON r.id = o.record").
			Where("r.subject IN (?) AND r.kind = ?", bun.List(some), trace.OperationRecord).Scan(ctx)
		if err != nil {
			return err
		}
		for _, row := range rows {
			if err := ops[at[row.Subject]].Disclose([]trace.Personal{{Path: row.Path, Salt: row.Salt, Text: row.Text}}); err != nil {
				return err
			}
		}
	}
	return nil
}

// EraseText erases a text beside the records of a tenant's operations and stores the
// record that says so; everything or nothing. It returns how many are gone;
// farm.ErrNotFound where there are none.
func (s *Store) EraseText(ctx context.Context, tenant, text string, rec trace.Record) (n int, err error) {
	if rec.Tenant != tenant || rec.Kind != trace.ErasureRecord {
		return 0, fmt.Errorf("erase text: record %s does not say so", rec.ID)
	}
	err = s.inTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		operations := tx.NewSelect().Model((*recordRow)(nil)).Column("id").Where("r.tenant = ? AND r.kind = ?", tenant, trace.OperationRecord)
		gone, err := tx.NewDelete().Model((*openingRow)(nil)).
			Where("o.tenant = ? AND o.text = ? AND o.record IN (?)", tenant, text, operations).Exec(ctx)
		if err != nil {
			return err
		}
		rows, err := gone.RowsAffected()
		if err != nil {
			return err
		}
		if n = int(rows); n == 0 {
			return farm.ErrNotFound
		}
		return addRecord(ctx, tx, rec)
	})
	return n, fail("erase text", err)
}

// EraseAccount erases the name of an account and ends it: its password becomes phc,
// which nobody should know, and its sessions are over. It stores the record that
// says so; everything or nothing. The login stays, since operations name it.
// farm.ErrNotFound when the record's tenant has no such account.
func (s *Store) EraseAccount(ctx context.Context, login, phc string, rec trace.Record) error {
	if rec.Kind != trace.ErasureRecord {
		return fmt.Errorf("erase account: record %s does not say so", rec.ID)
	}
	return fail("erase account", s.inTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		res, err := tx.NewUpdate().Model((*accountRow)(nil)).Set("name = ?, password = ?, disabled = ?", erased.Zh, phc, instant{s.now()}).
			Where("a.login = ? AND a.tenant = ?", login, rec.Tenant).Exec(ctx)
		if err := changed(res, err, farm.ErrNotFound); err != nil {
			return err
		}
		if err := endSessions(ctx, tx, login); err != nil {
			return err
		}
		if _, err := tx.NewDelete().Model((*invitationRow)(nil)).Where("i.login = ?", login).Exec(ctx); err != nil {
			return err
		}
		return addRecord(ctx, tx, rec)
	}))
}
