package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"strings"
	"time"

	"tianhai/farm"
)

// InvitationLifetime is how long a code can be used.
const InvitationLifetime = 7 * 24 * time.Hour

var (
	// ErrInvitation reports a code that is wrong, used or too old, or a login that was
	// not invited; it does not say which.
	ErrInvitation = errors.New("no such invitation")
	// ErrLastAdministrator reports a change after which nobody could administer.
	ErrLastAdministrator = errors.New("the last administrator")
)

// An Invitation lets a person set the password of an account, once. Only the hash of
// its code is kept.
type Invitation struct {
	Login    string
	CodeHash []byte // SHA-256
	Expires  time.Time
}

// Invitations keeps invitations, and ends sessions.
type Invitations interface {
	Invitation(ctx context.Context, login string) (Invitation, error) // farm.ErrNotFound
	// Accept uses an invitation up and sets the account's password, in PHC string
	// format; farm.ErrNotFound where it is used, another took its place, or the account
	// is disabled.
	Accept(ctx context.Context, i Invitation, phc string) error
	// EndSessions ends every session of an account.
	EndSessions(ctx context.Context, login string) error
}

// Invite returns an invitation from now on, and its code: 60 random bits that can be
// read aloud and typed on a phone.
func Invite(login string, now time.Time) (Invitation, string) {
	const letters = "abcdefghijkmnpqrstuvwxyz23456789" // no l and o, which look like 1 and 0
	raw := make([]byte, 12)
	rand.Read(raw) //nolint:errcheck // it never fails
	var b strings.Builder
	for i, c := range raw {
		if i > 0 && i%4 == 0 {
			b.WriteByte('-')
		}
		b.WriteByte(letters[c%32])
	}
	return Invitation{Login: login, CodeHash: codeHash(b.String()), Expires: now.Add(InvitationLifetime)}, b.String()
}

// codeHash does not mind how somebody types a code.
func codeHash(code string) []byte {
	code = strings.Map(func(r rune) rune {
		if r == '-' || r == ' ' {
			return -1
		}
		return r
	}, strings.ToLower(code))
	sum := sha256.Sum256([]byte(code))
	return sum[:]
}

// Accept sets the password of an account by the code of its invitation and opens a
// session, as Login does and under its limits. It returns ErrInvitation, ErrPassword, or
// a *TooManyError.
func (s *Sessions) Accept(ctx context.Context, login, code, password, remote string) (token string, p Principal, err error) {
	s.init()
	login, remote = strings.ToLower(strings.TrimSpace(login)), network(remote)
	if err := checkPassword(password); err != nil {
		return "", Principal{}, err
	}
	now := s.now()
	if wait := s.addresses.attempt(remote, now); wait > 0 {
		return "", Principal{}, &TooManyError{wait}
	}
	if wait := s.logins.attempt(login, now); wait > 0 {
		s.addresses.forgive(remote, now)
		return "", Principal{}, &TooManyError{wait}
	}
	account, err := s.accept(ctx, login, code, password)
	if err == nil {
		token, err = s.open(ctx, login, now)
	}
	if err == nil {
		s.logins.clear(login, now)
	} else if !errors.Is(err, ErrInvitation) {
		s.logins.forgive(login, now)
	}
	if !errors.Is(err, ErrInvitation) {
		s.addresses.forgive(remote, now)
	}
	if err != nil {
		return "", Principal{}, err
	}
	return token, account.Principal(), nil
}

func (s *Sessions) accept(ctx context.Context, login, code, password string) (Account, error) {
	if farm.CheckID(login) != nil {
		return Account{}, ErrInvitation
	}
	i, err := s.Invited.Invitation(ctx, login)
	switch {
	case errors.Is(err, farm.ErrNotFound):
		return Account{}, ErrInvitation
	case err != nil:
		return Account{}, fmt.Errorf("read invitation: %w", err)
	case subtle.ConstantTimeCompare(i.CodeHash, codeHash(code)) == 0, !s.now().Before(i.Expires):
		return Account{}, ErrInvitation
	}
	done, err := s.turn(ctx)
	if err != nil {
		return Account{}, err
	}
	hash, err := HashPassword(password)
	done()
	if err != nil {
		return Account{}, err
	}
	if err := s.Invited.Accept(ctx, i, hash); errors.Is(err, farm.ErrNotFound) {
		return Account{}, ErrInvitation
	} else if err != nil {
		return Account{}, fmt.Errorf("accept invitation: %w", err)
	}
	account, err := s.Store.Account(ctx, login)
	if err != nil {
		return Account{}, fmt.Errorf("read account: %w", err)
	}
	return account, nil
}

// End ends every session of an account.
func (s *Sessions) End(ctx context.Context, login string) error {
	if err := s.Invited.EndSessions(ctx, login); err != nil {
		return fmt.Errorf("end sessions: %w", err)
	}
	return nil
}
