package store

import (
	"context"

	"github.com/uptrace/bun"

	"tianhai/api/auth"
	"tianhai/farm"
)

type accountRow struct {
	bun.BaseModel `bun:"table:accounts,alias:a"`

	Login    string
	Name     string
	Role     auth.Role
	Tenant   string `bun:",nullzero"`
	Region   string
	Password string
	Created  instant
}

func (r accountRow) account() auth.Account {
	return auth.Account{Login: r.Login, Name: r.Name, Role: r.Role, Tenant: r.Tenant, Region: r.Region, Password: r.Password, Created: r.Created.Time}
}

type sessionRow struct {
	bun.BaseModel `bun:"table:sessions,alias:s"`

	TokenHash []byte
	Login     string
	Created   instant
	Expires   instant
}

// CreateAccount adds an account; farm.ErrConflict when its login is taken,
// farm.ErrNotFound when its tenant is unknown.
func (s *Store) CreateAccount(ctx context.Context, a auth.Account) error {
	row := accountRow{Login: a.Login, Name: a.Name, Role: a.Role, Tenant: a.Tenant, Region: a.Region, Password: a.Password, Created: instant{a.Created}}
	_, err := s.write.NewInsert().Model(&row).Exec(ctx)
	return fail("create account", err)
}

// Account returns an account; farm.ErrNotFound.
func (s *Store) Account(ctx context.Context, login string) (auth.Account, error) {
	var row accountRow
	err := s.read.NewSelect().Model(&row).Where("a.login = ?", login).Scan(ctx)
	return row.account(), fail("read account", err)
}

// Accounts returns every account, by login.
func (s *Store) Accounts(ctx context.Context) ([]auth.Account, error) {
	var rows []accountRow
	err := s.read.NewSelect().Model(&rows).Order("a.login").Scan(ctx)
	return each(rows, accountRow.account), fail("read accounts", err)
}

// SetPassword replaces an account's password, in PHC string format, and ends
// all its sessions; farm.ErrNotFound.
func (s *Store) SetPassword(ctx context.Context, login, phc string) error {
	return fail("set password", s.inTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		res, err := tx.NewUpdate().Model((*accountRow)(nil)).Set("password = ?", phc).Where("a.login = ?", login).Exec(ctx)
		if err := changed(res, err, farm.ErrNotFound); err != nil {
			return err
		}
		_, err = tx.NewDelete().Model((*sessionRow)(nil)).Where("s.login = ?", login).Exec(ctx)
		return err
	}))
}

// CreateSession stores a session. Expired ones are removed, and of one account
// the oldest beyond auth.MaxSessions.
func (s *Store) CreateSession(ctx context.Context, session auth.Session) error {
	row := sessionRow{TokenHash: session.TokenHash, Login: session.Login, Created: instant{session.Created}, Expires: instant{session.Expires}}
	return fail("create session", s.inTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		if _, err := tx.NewInsert().Model(&row).Exec(ctx); err != nil {
			return err
		}
		newest := tx.NewSelect().Model((*sessionRow)(nil)).Column("s.token_hash").Where("s.login = ?", session.Login).
			Order("s.created DESC", "s.token_hash").Limit(auth.MaxSessions)
		_, err := tx.NewDelete().Model((*sessionRow)(nil)).
			Where("s.expires <= ?", instant{s.now()}).
			WhereOr("s.login = ? AND s.token_hash NOT IN (?)", session.Login, newest).Exec(ctx)
		return err
	}))
}

// Session returns a session; farm.ErrNotFound, also when it has expired.
func (s *Store) Session(ctx context.Context, tokenHash []byte) (auth.Session, error) {
	var row sessionRow
	err := s.read.NewSelect().Model(&row).Where("s.token_hash = ? AND s.expires > ?", tokenHash, instant{s.now()}).Scan(ctx)
	return auth.Session{TokenHash: row.TokenHash, Login: row.Login, Created: row.Created.Time, Expires: row.Expires.Time},
		fail("read session", err)
}

// DeleteSession ends a session; one that is not there is ended already.
func (s *Store) DeleteSession(ctx context.Context, tokenHash []byte) error {
	_, err := s.write.NewDelete().Model((*sessionRow)(nil)).Where("s.token_hash = ?", tokenHash).Exec(ctx)
	return fail("delete session", err)
}
