package store

import (
	"bytes"
	"context"

	"github.com/uptrace/bun"

	"tianhai/api/once"
)

type answerRow struct {
	bun.BaseModel `bun:"table:answers,alias:an"`

	ID      []byte
	Account string
	Print   []byte
	Sealed  []byte `bun:",nullzero"`
	Created instant
	Lease   instant
}

func (r answerRow) entry() *once.Entry {
	return &once.Entry{ID: r.ID, Account: r.Account, Print: r.Print, Sealed: r.Sealed, Created: r.Created.Time, Lease: r.Lease.Time}
}

// ClaimAnswer begins a request under a key, unless it was begun before; see
// once.Store. Of two at the same time one waits here for the other.
func (s *Store) ClaimAnswer(ctx context.Context, e once.Entry) (there *once.Entry, err error) {
	row := answerRow{ID: e.ID, Account: e.Account, Print: e.Print, Created: instant{e.Created}, Lease: instant{e.Lease}}
	err = s.inTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		there = nil
		if _, err := tx.NewDelete().Model((*answerRow)(nil)).Where("an.created < ?", instant{e.Created.Add(-once.Kept)}).Exec(ctx); err != nil {
			return err
		}
		n, err := tx.NewSelect().Model((*answerRow)(nil)).Where("an.account = ?", e.Account).Count(ctx)
		if err != nil {
			return err
		}
		res, err := tx.NewInsert().Model(&row).On("CONFLICT (id) DO NOTHING").Exec(ctx)
		if err != nil {
			return err
		}
		if added, err := res.RowsAffected(); err != nil || added == 1 {
			if err == nil && e.Account != "" && n >= once.MaxKeys {
				err = once.ErrFull
			}
			return err
		}
		var found answerRow
		if err := tx.NewSelect().Model(&found).Where("an.id = ?", e.ID).Scan(ctx); err != nil {
			return err
		}
		if found.Sealed != nil || found.Lease.After(e.Created) || !bytes.Equal(found.Print, e.Print) {
			there = found.entry()
			return nil
		}
		res, err = tx.NewUpdate().Model(&row).Column("lease").Where("an.id = ? AND an.lease = ? AND an.sealed IS NULL", e.ID, found.Lease).Exec(ctx)
		if err != nil {
			return err
		}
		if taken, err := res.RowsAffected(); err != nil || taken == 1 {
			return err
		}
		there = found.entry() // another took it over first
		return nil
	})
	return there, fail("claim answer", err)
}

// KeepAnswer stores the answer to a request that was claimed.
func (s *Store) KeepAnswer(ctx context.Context, id, sealed []byte) error {
	_, err := s.write.NewUpdate().Model(&answerRow{Sealed: sealed}).Column("sealed").Where("an.id = ?", id).Exec(ctx)
	return fail("keep answer", err)
}

// ForgetAnswer takes back a claim.
func (s *Store) ForgetAnswer(ctx context.Context, id []byte) error {
	_, err := s.write.NewDelete().Model((*answerRow)(nil)).Where("an.id = ? AND an.sealed IS NULL", id).Exec(ctx)
	return fail("forget answer", err)
}
