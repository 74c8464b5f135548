package store

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"tianhai/api/auth"
	"tianhai/farm"
)

type programRow struct {
	bun.BaseModel `bun:"table:programs,alias:p"`

	ID        string
	Tenant    string
	Name      string
	Account   string
	Writes    bool
	TokenHash []byte
	Created   instant
	Expires   instant
	Used      instant
}

func (r programRow) program() auth.Program {
	return auth.Program{
		ID: r.ID, Tenant: r.Tenant, Name: r.Name, Account: r.Account, Writes: r.Writes, TokenHash: r.TokenHash,
		Created: r.Created.Time, Expires: r.Expires.Time, Used: r.Used.Time,
	}
}

// Programs returns the programs of a tenant, those added first first.
func (s *Store) Programs(ctx context.Context, tenant string) ([]auth.Program, error) {
	var rows []programRow
	err := s.read.NewSelect().Model(&rows).Where("p.tenant = ?", tenant).OrderExpr("p.id").Scan(ctx)
	return each(rows, programRow.program), fail("read programs", err)
}

// Program returns a program by its ID; farm.ErrNotFound.
func (s *Store) Program(ctx context.Context, id string) (auth.Program, error) {
	var row programRow
	err := s.read.NewSelect().Model(&row).Where("p.id = ?", id).Scan(ctx)
	return row.program(), fail("read program", err)
}

// ProgramOf returns the program that shows a token; farm.ErrNotFound.
func (s *Store) ProgramOf(ctx context.Context, tokenHash []byte) (auth.Program, error) {
	var row programRow
	err := s.read.NewSelect().Model(&row).Where("p.token_hash = ?", tokenHash).Scan(ctx)
	return row.program(), fail("read program", err)
}

// AddProgram adds a program; auth.ErrPrograms where its tenant has as many as it may,
// farm.ErrNotFound for an unknown tenant or account.
func (s *Store) AddProgram(ctx context.Context, p auth.Program) error {
	return fail("add program", s.inTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		// Locks the tenant, so that two at once do not both find room.
		if _, err := tx.NewUpdate().Table("tenants").Set("id = id").Where("id = ?", p.Tenant).Exec(ctx); err != nil {
			return err
		}
		n, err := tx.NewSelect().Model((*programRow)(nil)).Where("p.tenant = ?", p.Tenant).Count(ctx)
		if err != nil {
			return err
		}
		if n >= auth.MaxPrograms {
			return auth.ErrPrograms
		}
		row := programRow{
			ID: p.ID, Tenant: p.Tenant, Name: p.Name, Account: p.Account, Writes: p.Writes, TokenHash: p.TokenHash,
			Created: instant{p.Created}, Expires: instant{p.Expires}, Used: instant{p.Used},
		}
		_, err = tx.NewInsert().Model(&row).Exec(ctx)
		return err
	}))
}

// UseProgram keeps when a program was there last; one that was taken away is fine.
func (s *Store) UseProgram(ctx context.Context, id string, at time.Time) error {
	_, err := s.write.NewUpdate().Model((*programRow)(nil)).Set("used = ?", instant{at}).Where("p.id = ?", id).Exec(ctx)
	return fail("use program", err)
}

// DeleteProgram takes a program away, with what it subscribed to; farm.ErrNotFound.
func (s *Store) DeleteProgram(ctx context.Context, tenant, id string) error {
	res, err := s.write.NewDelete().Model((*programRow)(nil)).Where("p.tenant = ? AND p.id = ?", tenant, id).Exec(ctx)
	return fail("delete program", changed(res, err, farm.ErrNotFound))
}
