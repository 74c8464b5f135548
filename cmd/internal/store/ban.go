package store

import (
	"context"

	"github.com/uptrace/bun"

	"tianhai/farm"
	"tianhai/trace/input"
)

type banRow struct {
	bun.BaseModel `bun:"table:bans,alias:b"`

	ID       string
	Name     string
	Aliases  []string
	CAS      string
	Scope    []string
	Source   string
	Begins   instant
	Lifts    string `bun:",nullzero"`
	Account  string
	Recorded instant
}

// AddBan appends a banned substance, or the end of one; farm.ErrConflict when its ID
// is taken or the ban was lifted already, farm.ErrNotFound when it lifts what is not
// there or what lifts another itself.
func (s *Store) AddBan(ctx context.Context, b input.OwnBan) error {
	row := banRow{
		ID: b.ID, Name: b.Name, Aliases: b.Aliases, CAS: b.CAS, Scope: b.Scope, Source: b.Source, Begins: instant{b.From}, Lifts: b.Lifts,
		Account: b.Account, Recorded: instant{b.Recorded},
	}
	return fail("add ban", s.inTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		if b.Lifts != "" {
			ban, err := tx.NewSelect().Model((*banRow)(nil)).Where("b.id = ? AND b.lifts IS NULL", b.Lifts).Exists(ctx)
			if err != nil {
				return err
			}
			if !ban {
				return farm.ErrNotFound
			}
		}
		_, err := tx.NewInsert().Model(&row).Exec(ctx)
		return err
	}))
}

// Bans returns what administrators have forbidden, the last first. Until of a ban that
// was lifted is when that began.
func (s *Store) Bans(ctx context.Context) ([]input.OwnBan, error) {
	var rows []banRow
	if err := s.read.NewSelect().Model(&rows).Order("b.recorded DESC", "b.id DESC").Scan(ctx); err != nil {
		return nil, fail("read bans", err)
	}
	ends := map[string]instant{}
	for _, r := range rows {
		if r.Lifts != "" {
			ends[r.Lifts] = r.Begins
		}
	}
	all := []input.OwnBan{}
	for _, r := range rows {
		ban := input.Ban{Name: r.Name, Aliases: r.Aliases, CAS: r.CAS, Scope: r.Scope, Source: r.Source, From: r.Begins.Time, Until: ends[r.ID].Time}
		all = append(all, input.OwnBan{ID: r.ID, Ban: ban, Lifts: r.Lifts, Recorded: r.Recorded.Time, Account: r.Account})
	}
	return all, nil
}

// OwnBans returns those that hold at some time, as the gates ask for them.
func (s *Store) OwnBans(ctx context.Context) (input.List, error) {
	all, err := s.Bans(ctx)
	var l input.List
	for _, b := range all {
		if b.Lifts == "" {
			l = append(l, b.Ban)
		}
	}
	return l, err
}
