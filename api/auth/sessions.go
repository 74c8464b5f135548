package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	"tianhai/farm"
)

var (
	// ErrDenied reports a login or a token that is not good. It does not say
	// why: not whether the login exists, nor whether the session ever did.
	ErrDenied = errors.New("denied")
	// ErrTooMany reports too many failed logins. The error is a *TooManyError.
	ErrTooMany = errors.New("too many attempts")
)

// A TooManyError says when it is worth trying to log in again.
type TooManyError struct {
	Retry time.Duration // from now
}

func (e *TooManyError) Error() string {
	return fmt.Sprintf("%v, try again in %v", ErrTooMany, e.Retry.Round(time.Second))
}

// Unwrap returns ErrTooMany.
func (e *TooManyError) Unwrap() error { return ErrTooMany }

// The limits of logging in. Addresses have the larger limit, because a whole
// village may share one; of IPv6 a /64 counts as one address.
const (
	DefaultLifetime  = 7 * 24 * time.Hour // of a session
	GuessWindow      = 15 * time.Minute
	GuessesByLogin   = 10 // failures in GuessWindow
	GuessesByAddress = 60 // failures in GuessWindow
	MaxHashing       = 2  // passwords hashed at once, 19 MiB each
	MaxWaiting       = 64 // logins that wait for their turn
)

const (
	tokenBytes = 32
	queueRetry = 2 * time.Second // where the queue is full
)

// nobody returns a hash that no password matches. Checking it costs what
// checking a real one does.
func nobody() string {
	return phc{memory: argonMemory, time: argonTime, threads: argonThreads, salt: make([]byte, saltLength), key: make([]byte, keyLength)}.String()
}

// Sessions logs people in and out. It may be used concurrently and is not
// copied after use. Besides ErrDenied and ErrTooMany, its errors are the
// store's: then it is not known whether the answer is no.
type Sessions struct {
	Store    Store
	Now      func() time.Time // nil means time.Now
	Lifetime time.Duration    // of a session; 0 means DefaultLifetime
	Invited  Invitations      // needed by Accept and End alone

	once      sync.Once
	logins    *guesses
	addresses *guesses
	hashing   chan struct{} // one token for each password that is being hashed
	waiting   chan struct{} // one token for each login that waits or hashes
}

func (s *Sessions) init() {
	s.once.Do(func() {
		s.logins = &guesses{limit: GuessesByLogin, window: GuessWindow}
		s.addresses = &guesses{limit: GuessesByAddress, window: GuessWindow}
		s.hashing = make(chan struct{}, MaxHashing)
		s.waiting = make(chan struct{}, MaxHashing+MaxWaiting)
	})
}

// Login opens a session for a person who comes from the address remote, an IP
// with or without a port, and returns its token: 256 random bits of which only
// the hash is kept. Capitals and spaces around the login do not matter. It
// returns ErrDenied, or a *TooManyError after too many failures.
func (s *Sessions) Login(ctx context.Context, login, password, remote string) (token string, p Principal, err error) {
	s.init()
	login, remote = strings.ToLower(strings.TrimSpace(login)), network(remote)
	now := s.now()
	if wait := s.addresses.attempt(remote, now); wait > 0 {
		return "", Principal{}, &TooManyError{wait}
	}
	if wait := s.logins.attempt(login, now); wait > 0 {
		s.addresses.forgive(remote, now)
		return "", Principal{}, &TooManyError{wait}
	}
	account, err := s.authenticate(ctx, login, password)
	if err == nil {
		token, err = s.open(ctx, login, now)
	}
	switch {
	case err == nil:
		s.logins.clear(login, now)
		s.addresses.forgive(remote, now)
		return token, account.Principal(), nil
	case !errors.Is(err, ErrDenied):
		s.logins.forgive(login, now)
		s.addresses.forgive(remote, now)
	}
	return "", Principal{}, err
}

// authenticate returns the account whose password this is, or ErrDenied after
// the same work whether or not there is such an account.
func (s *Sessions) authenticate(ctx context.Context, login, password string) (Account, error) {
	account, err := Account{}, error(farm.ErrNotFound)
	if farm.CheckID(login) == nil {
		account, err = s.Store.Account(ctx, login)
	}
	hash := account.Password
	if errors.Is(err, farm.ErrNotFound) || err == nil && (hash == "" || !account.Disabled.IsZero()) {
		hash = nobody()
	} else if err != nil {
		return Account{}, fmt.Errorf("read account: %w", err)
	}
	good, err := s.verify(ctx, hash, password)
	if err != nil {
		return Account{}, err
	}
	if !good {
		return Account{}, ErrDenied
	}
	return account, nil
}

// verify is VerifyPassword, a few at a time.
func (s *Sessions) verify(ctx context.Context, hash, password string) (bool, error) {
	done, err := s.turn(ctx)
	if err != nil {
		return false, err
	}
	defer done()
	return VerifyPassword(hash, password), nil
}

// turn waits until a password may be hashed; done ends it.
func (s *Sessions) turn(ctx context.Context) (done func(), err error) {
	select {
	case s.waiting <- struct{}{}:
	default:
		return nil, &TooManyError{queueRetry}
	}
	select {
	case s.hashing <- struct{}{}:
		return func() { <-s.hashing; <-s.waiting }, nil
	case <-ctx.Done():
		<-s.waiting
		return nil, ctx.Err()
	}
}

func (s *Sessions) open(ctx context.Context, login string, now time.Time) (string, error) {
	raw := make([]byte, tokenBytes)
	rand.Read(raw) //nolint:errcheck // it never fails
	token := base64.RawURLEncoding.EncodeToString(raw)
	lifetime := s.Lifetime
	if lifetime <= 0 {
		lifetime = DefaultLifetime
	}
	session := Session{TokenHash: tokenHash(token), Login: login, Created: now, Expires: now.Add(lifetime)}
	if err := s.Store.CreateSession(ctx, session); err != nil {
		return "", fmt.Errorf("create session: %w", err)
	}
	return token, nil
}

// Principal returns who holds the token, as the account is now; ErrDenied where
// the session has ended, expired or never was.
func (s *Sessions) Principal(ctx context.Context, token string) (Principal, error) {
	if len(token) != base64.RawURLEncoding.EncodedLen(tokenBytes) {
		return Principal{}, ErrDenied
	}
	session, err := s.Store.Session(ctx, tokenHash(token))
	if err == nil && !s.now().Before(session.Expires) {
		err = farm.ErrNotFound
	}
	var account Account
	if err == nil {
		account, err = s.Store.Account(ctx, session.Login)
	}
	switch {
	case errors.Is(err, farm.ErrNotFound), err == nil && !account.Disabled.IsZero():
		return Principal{}, ErrDenied
	case err != nil:
		return Principal{}, fmt.Errorf("read session: %w", err)
	}
	return account.Principal(), nil
}

// Logout ends a session; one that is not there is ended already.
func (s *Sessions) Logout(ctx context.Context, token string) error {
	if err := s.Store.DeleteSession(ctx, tokenHash(token)); err != nil {
		return fmt.Errorf("delete session: %w", err)
	}
	return nil
}

func (s *Sessions) now() time.Time {
	if s.Now != nil {
		return s.Now().UTC()
	}
	return time.Now().UTC()
}

func tokenHash(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}

// network returns what counts as one address.
func network(remote string) string {
	addr, err := netip.ParseAddr(remote)
	if err != nil {
		port, err := netip.ParseAddrPort(remote)
		if err != nil {
			return remote
		}
		addr = port.Addr()
	}
	addr = addr.Unmap().WithZone("")
	if addr.Is6() {
		prefix, err := addr.Prefix(64)
		if err == nil {
			return prefix.String()
		}
	}
	return addr.String()
}
