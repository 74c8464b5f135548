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
	Disabled instant
}

func (r accountRow) account() auth.Account {
	return auth.Account{
		Login: r.Login, Name: r.Name, Role: r.Role, Tenant: r.Tenant, Region: r.Region, Password: r.Password,
		Created: r.Created.Time, Disabled: r.Disabled.Time,
	}
}

func newAccountRow(a auth.Account) accountRow {
	return accountRow{
		Login: a.Login, Name: a.Name, Role: a.Role, Tenant: a.Tenant, Region: a.Region, Password: a.Password,
		Created: instant{a.Created}, Disabled: instant{a.Disabled},
	}
}

type invitationRow struct {
	bun.BaseModel `bun:"table:invitations,alias:i"`

	Login   string
	Code    []byte
	Expires instant
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
	row := newAccountRow(a)
	_, err := s.write.NewInsert().Model(&row).Exec(ctx)
	return fail("create account", err)
}

// Account returns an account; farm.ErrNotFound.
func (s *Store) Account(ctx context.Context, login string) (auth.Account, error) {
	var row accountRow
	err := s.read.NewSelect().Model(&row).Where("a.login = ?", login).Scan(ctx)
	return row.account(), fail("read account", err)
}

// An AccountFilter chooses accounts. Its zero value chooses all.
type AccountFilter struct {
	Tenant string
	Region string // GB/T 2260, of officers and inspectors; with all divisions within it
	After  string // login; only those behind it
	Limit  int    // 0: MaxPage, which is the most
}

// Accounts returns those that f chooses, by login.
func (s *Store) Accounts(ctx context.Context, f AccountFilter) ([]auth.Account, error) {
	var rows []accountRow
	q := s.read.NewSelect().Model(&rows).Order("a.login").Limit(bounded(f.Limit, MaxPage, MaxPage))
	if f.After != "" {
		q = q.Where("a.login > ?", f.After)
	}
	err := within(q, "a.tenant", f.Tenant, "a.region", f.Region).Scan(ctx)
	return each(rows, accountRow.account), fail("read accounts", err)
}

// UpdateAccount sets an account's name, role, tenant, region, and since when it is
// disabled. Where that is more than a new name, its sessions end, and where it is
// disabled, its invitation too. auth.ErrLastAdministrator where nobody would be left
// who can administer; farm.ErrNotFound for an unknown login or tenant.
func (s *Store) UpdateAccount(ctx context.Context, a auth.Account) error {
	return fail("update account", s.inTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		if err := lockAdministrators(ctx, tx); err != nil {
			return err
		}
		var old accountRow
		if err := tx.NewSelect().Model(&old).Where("a.login = ?", a.Login).Scan(ctx); err != nil {
			return err
		}
		row := newAccountRow(a)
		if _, err := tx.NewUpdate().Model(&row).Column("name", "role", "tenant", "region", "disabled").Where("login = ?", a.Login).Exec(ctx); err != nil {
			return err
		}
		if err := stillAdministered(ctx, tx, old); err != nil {
			return err
		}
		if old.Role != row.Role || old.Tenant != row.Tenant || old.Region != row.Region || !old.Disabled.Equal(row.Disabled.Time) {
			if err := endSessions(ctx, tx, a.Login); err != nil {
				return err
			}
		}
		if row.Disabled.IsZero() {
			return nil
		}
		_, err := tx.NewDelete().Model((*invitationRow)(nil)).Where("i.login = ?", a.Login).Exec(ctx)
		return err
	}))
}

// lockAdministrators lets one at a time change who can administer.
func lockAdministrators(ctx context.Context, tx bun.Tx) error {
	_, err := tx.NewUpdate().Model((*accountRow)(nil)).Set("role = a.role").Where("a.role = ?", auth.Administrator).Exec(ctx)
	return err
}

// stillAdministered refuses what took an administrator away, who was old, where nobody
// is left who can log in as one.
func stillAdministered(ctx context.Context, tx bun.Tx, old accountRow) error {
	if old.Role != auth.Administrator || !old.Disabled.IsZero() || old.Password == "" {
		return nil
	}
	left, err := tx.NewSelect().Model((*accountRow)(nil)).Where("a.role = ? AND a.disabled IS NULL AND a.password <> ''", auth.Administrator).Exists(ctx)
	if err == nil && !left {
		err = auth.ErrLastAdministrator
	}
	return err
}

func endSessions(ctx context.Context, tx bun.IDB, login string) error {
	_, err := tx.NewDelete().Model((*sessionRow)(nil)).Where("s.login = ?", login).Exec(ctx)
	return err
}

// EndSessions ends every session of an account; none there is fine.
func (s *Store) EndSessions(ctx context.Context, login string) error {
	return fail("end sessions", endSessions(ctx, s.write, login))
}

// Invite stores an invitation in place of an older one. The account's password counts
// no more and its sessions end. farm.ErrNotFound for a login that is unknown or
// disabled; auth.ErrLastAdministrator for the only one who can administer.
func (s *Store) Invite(ctx context.Context, in auth.Invitation) error {
	return fail("invite", s.inTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		if err := lockAdministrators(ctx, tx); err != nil {
			return err
		}
		var old accountRow
		if err := tx.NewSelect().Model(&old).Where("a.login = ? AND a.disabled IS NULL", in.Login).Scan(ctx); err != nil {
			return err
		}
		if _, err := tx.NewUpdate().Model((*accountRow)(nil)).Set("password = ''").Where("a.login = ?", in.Login).Exec(ctx); err != nil {
			return err
		}
		if err := stillAdministered(ctx, tx, old); err != nil {
			return err
		}
		row := invitationRow{Login: in.Login, Code: in.CodeHash, Expires: instant{in.Expires}}
		if _, err := tx.NewInsert().Model(&row).On("CONFLICT (login) DO UPDATE").Set("code = EXCLUDED.code, expires = EXCLUDED.expires").Exec(ctx); err != nil {
			return err
		}
		return endSessions(ctx, tx, in.Login)
	}))
}

// Invitation returns the invitation of a login; farm.ErrNotFound.
func (s *Store) Invitation(ctx context.Context, login string) (auth.Invitation, error) {
	var row invitationRow
	err := s.read.NewSelect().Model(&row).Where("i.login = ?", login).Scan(ctx)
	return auth.Invitation{Login: row.Login, CodeHash: row.Code, Expires: row.Expires.Time}, fail("read invitation", err)
}

// Accept uses an invitation up and sets the account's password, in PHC string format;
// farm.ErrNotFound where it is used, another took its place, or the account is disabled.
func (s *Store) Accept(ctx context.Context, in auth.Invitation, phc string) error {
	return fail("accept invitation", s.inTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		res, err := tx.NewDelete().Model((*invitationRow)(nil)).Where("i.login = ? AND i.code = ?", in.Login, in.CodeHash).Exec(ctx)
		if err := changed(res, err, farm.ErrNotFound); err != nil {
			return err
		}
		res, err = tx.NewUpdate().Model((*accountRow)(nil)).Set("password = ?", phc).Where("a.login = ? AND a.disabled IS NULL", in.Login).Exec(ctx)
		return changed(res, err, farm.ErrNotFound)
	}))
}

// SetPassword replaces an account's password, in PHC string format, and ends
// all its sessions; farm.ErrNotFound.
func (s *Store) SetPassword(ctx context.Context, login, phc string) error {
	return fail("set password", s.inTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		res, err := tx.NewUpdate().Model((*accountRow)(nil)).Set("password = ?", phc).Where("a.login = ?", login).Exec(ctx)
		if err := changed(res, err, farm.ErrNotFound); err != nil {
			return err
		}
		return endSessions(ctx, tx, login)
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
