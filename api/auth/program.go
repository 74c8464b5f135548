package auth

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"tianhai/farm"
)

// Limits of programs.
const (
	MaxPrograms    = 20 // of a tenant, with those that have expired
	MaxProgramDays = 730
	programUsed    = time.Hour // how exactly it is known when a program was there last
)

// programPrefix begins the tokens of programs, so that one that lies about is known for
// what it is, by people and by scanners for secrets.
const programPrefix = "thp_"

// ErrPrograms reports a tenant that has as many programs as it may have.
var ErrPrograms = errors.New("too many programs")

// A Program is a machine of an operator that shows a token instead of logging in. It
// is let in at /epcis and nowhere else, and is good as long as the account that added
// it may administer the operator. Only the hash of its token is kept.
type Program struct {
	ID        string // ULID
	Tenant    string
	Name      string
	Account   string // who added it
	Writes    bool   // captures, names queries and subscribes; otherwise it reads
	TokenHash []byte // SHA-256
	Created   time.Time
	Expires   time.Time
	Used      time.Time // last, to the hour; zero: never
}

// NewProgram gives a program a token of 256 random bits, which is shown once.
func NewProgram(p Program) (Program, string) {
	raw := make([]byte, tokenBytes)
	rand.Read(raw) //nolint:errcheck // it never fails
	token := programPrefix + base64.RawURLEncoding.EncodeToString(raw)
	p.TokenHash = tokenHash(token)
	return p, token
}

// principal returns whom the program makes of a request: it answers for account, which
// added it.
func (p Program) principal(account Account) Principal {
	role := Reader
	if p.Writes {
		role = Writer
	}
	return Principal{Login: account.Login, Name: p.Name, Role: role, Tenant: p.Tenant, Program: p.ID}
}

// ProgramStore finds programs in the records database.
type ProgramStore interface {
	Account(ctx context.Context, login string) (Account, error)       // farm.ErrNotFound
	Program(ctx context.Context, id string) (Program, error)          // farm.ErrNotFound
	ProgramOf(ctx context.Context, tokenHash []byte) (Program, error) // farm.ErrNotFound
	UseProgram(ctx context.Context, id string, at time.Time) error    // none there is fine
}

// Programs knows who shows a token, people and programs alike.
type Programs struct {
	*Sessions // of people
	Store     ProgramStore
}

// Principal returns who holds the token, as the program and the account that added it
// are now; ErrDenied where nobody does.
func (s Programs) Principal(ctx context.Context, token string) (Principal, error) {
	if !strings.HasPrefix(token, programPrefix) {
		return s.Sessions.Principal(ctx, token)
	}
	if len(token) != len(programPrefix)+base64.RawURLEncoding.EncodedLen(tokenBytes) {
		return Principal{}, ErrDenied
	}
	p, err := s.Store.ProgramOf(ctx, tokenHash(token))
	if err != nil {
		return Principal{}, denied(err)
	}
	account, err := s.answers(ctx, p)
	if err != nil {
		return Principal{}, err
	}
	if now := s.now(); now.Sub(p.Used) >= programUsed {
		if err := s.Store.UseProgram(ctx, p.ID, now.Truncate(programUsed)); err != nil {
			return Principal{}, fmt.Errorf("use program: %w", err)
		}
	}
	return p.principal(account), nil
}

// Admits reports whether the token of a program, by its ID, is good now.
func (s Programs) Admits(ctx context.Context, id string) (bool, error) {
	p, err := s.Store.Program(ctx, id)
	if err == nil {
		_, err = s.answers(ctx, p)
	} else {
		err = denied(err)
	}
	if errors.Is(err, ErrDenied) {
		return false, nil
	}
	return err == nil, err
}

// answers returns the account that answers for a program; ErrDenied where none does now.
func (s Programs) answers(ctx context.Context, p Program) (Account, error) {
	account, err := s.Store.Account(ctx, p.Account)
	switch {
	case err != nil:
		return Account{}, fmt.Errorf("read program: %w", err)
	case !s.now().Before(p.Expires), !account.Disabled.IsZero(), !Can(account.Principal(), Administer, Object{Tenant: p.Tenant}):
		return Account{}, ErrDenied
	}
	return account, nil
}

// denied is ErrDenied for a program that is not there.
func denied(err error) error {
	if errors.Is(err, farm.ErrNotFound) {
		return ErrDenied
	}
	return fmt.Errorf("read program: %w", err)
}
