package auth_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tianhai/api/auth"
	"tianhai/farm"
)

const password = "correct horse"

// wrong is refused for its length, before the costly hashing.
var wrong = strings.Repeat("x", auth.MaxPassword+1)

var errDown = errors.New("store is down")

// memory keeps accounts and sessions, as the records database does.
type memory struct {
	mu       sync.Mutex
	accounts map[string]auth.Account
	sessions map[string]auth.Session
	err      error // what every call returns, unless nil
}

func (m *memory) Account(_ context.Context, login string) (auth.Account, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	a, ok := m.accounts[login]
	if m.err == nil && !ok {
		return a, fmt.Errorf("account: %w", farm.ErrNotFound)
	}
	return a, m.err
}

func (m *memory) CreateAccount(_ context.Context, a auth.Account) error {
	m.accounts[a.Login] = a
	return nil
}

func (m *memory) CreateSession(_ context.Context, s auth.Session) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sessions[string(s.TokenHash)] = s
	return m.err
}

func (m *memory) Session(_ context.Context, hash []byte) (auth.Session, error) {
	s, ok := m.sessions[string(hash)]
	if m.err == nil && !ok {
		return s, fmt.Errorf("session: %w", farm.ErrNotFound)
	}
	return s, m.err
}

func (m *memory) DeleteSession(_ context.Context, hash []byte) error {
	delete(m.sessions, string(hash))
	return m.err
}

// setup returns sessions over a store with one account, and their clock.
func setup(t *testing.T) (*auth.Sessions, *memory, *time.Time) {
	t.Helper()
	hash, err := auth.HashPassword(password)
	if err != nil {
		t.Fatal(err)
	}
	m := &memory{sessions: map[string]auth.Session{}, accounts: map[string]auth.Account{
		"li":    {Login: "li", Name: "李", Role: auth.Farmer, Tenant: "tea", Password: hash},
		"other": {Login: "other", Role: auth.Administrator, Password: hash},
	}}
	now := time.Date(2026, 5, 20, 12, 0, 0, 0, time.UTC)
	return &auth.Sessions{Store: m, Now: func() time.Time { return now }, Lifetime: time.Hour}, m, &now
}

func TestSession(t *testing.T) {
	s, m, now := setup(t)
	ctx := t.Context()
	token, p, err := s.Login(ctx, " Li ", password, "203.0.113.7:4711")
	want := auth.Principal{Login: "li", Name: "李", Role: auth.Farmer, Tenant: "tea"}
	if err != nil || p != want {
		t.Fatalf("login: %+v, %v; want %+v", p, err, want)
	}
	second, _, err := s.Login(ctx, "li", password, "203.0.113.7:4712")
	if err != nil || second == token || len(token) < 43 {
		t.Errorf("tokens %q and %q, %v", token, second, err)
	}
	for hash, session := range m.sessions {
		if len(hash) != 32 || bytes.Contains([]byte(fmt.Sprint(session)), []byte(token)) {
			t.Errorf("the store knows more than a hash: %+v", session)
		}
	}
	if p, err = s.Principal(ctx, token); err != nil || p != want {
		t.Errorf("principal: %+v, %v; want %+v", p, err, want)
	}

	if err := s.Logout(ctx, token); err != nil {
		t.Fatal(err)
	}
	if err := s.Logout(ctx, token); err != nil {
		t.Errorf("logout again: %v", err)
	}
	denied := func(what, token string) {
		t.Helper()
		if p, err := s.Principal(ctx, token); !errors.Is(err, auth.ErrDenied) || p != (auth.Principal{}) {
			t.Errorf("%s: %+v, %v; want ErrDenied", what, p, err)
		}
	}
	denied("after logout", token)
	denied("empty", "")
	denied("hash as token", string([]byte(second)[:42])+"!")

	*now = now.Add(time.Hour - 1)
	if _, err := s.Principal(ctx, second); err != nil {
		t.Errorf("just before the end: %v", err)
	}
	*now = now.Add(1)
	denied("at the end", second)

	third, _, err := s.Login(ctx, "li", password, "203.0.113.7")
	if err != nil {
		t.Fatal(err)
	}
	delete(m.accounts, "li")
	denied("account gone", third)
}

func TestLoginDenied(t *testing.T) {
	s, _, _ := setup(t)
	for name, try := range map[string][2]string{
		"wrong password": {"li", "correct house"},
		"empty password": {"li", ""},
		"unknown":        {"nobody", password},
		"no identifier":  {"' OR 1=1", password},
		"empty":          {"", ""},
	} {
		token, p, err := s.Login(t.Context(), try[0], try[1], "203.0.113.7")
		if !errors.Is(err, auth.ErrDenied) || token != "" || p != (auth.Principal{}) {
			t.Errorf("%s: %q, %+v, %v; want ErrDenied", name, token, p, err)
		}
		if err.Error() != auth.ErrDenied.Error() {
			t.Errorf("%s: the error says more than no: %v", name, err)
		}
	}
}

// A stranger must not learn from the work done whether a login exists. argon2's
// memory shows the work without a clock.
func TestLoginCost(t *testing.T) {
	s, _, _ := setup(t)
	cost := func(login string) uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, _, err := s.Login(t.Context(), login, "wrong password", "203.0.113.7"); !errors.Is(err, auth.ErrDenied) {
			t.Fatalf("login %s: %v", login, err)
		}
		runtime.ReadMemStats(&after)
		return (after.TotalAlloc - before.TotalAlloc) >> 20
	}
	cost("li") // what is allocated once
	known, unknown, malformed := cost("li"), cost("nobody"), cost("NO ID")
	if known < 19 || unknown != known || malformed != known {
		t.Errorf("MiB used: known %d, unknown %d, malformed %d; want 19 or more, and equal", known, unknown, malformed)
	}
}

// A store that does not answer says neither yes nor no, and costs no attempt.
func TestStoreDown(t *testing.T) {
	s, m, _ := setup(t)
	token, _, err := s.Login(t.Context(), "li", password, "203.0.113.7")
	if err != nil {
		t.Fatal(err)
	}
	m.err = errDown
	for range auth.GuessesByAddress + 1 {
		if _, _, err := s.Login(t.Context(), "li", password, "203.0.113.7"); !errors.Is(err, errDown) || errors.Is(err, auth.ErrDenied) {
			t.Fatalf("login: %v, want the store's error", err)
		}
	}
	if _, err := s.Principal(t.Context(), token); !errors.Is(err, errDown) || errors.Is(err, auth.ErrDenied) {
		t.Errorf("principal: %v, want the store's error", err)
	}
	if err := s.Logout(t.Context(), token); !errors.Is(err, errDown) {
		t.Errorf("logout: %v, want the store's error", err)
	}
	m.err = nil
	if _, _, err := s.Login(t.Context(), "li", password, "203.0.113.7"); err != nil {
		t.Errorf("login afterwards: %v", err)
	}
}

func TestGuessesByLogin(t *testing.T) {
	s, _, now := setup(t)
	try := func(login, password string, i int) error {
		_, _, err := s.Login(t.Context(), login, password, fmt.Sprintf("203.0.113.%d", i))
		return err
	}
	for i := range auth.GuessesByLogin - 1 {
		if err := try("li", wrong, i); !errors.Is(err, auth.ErrDenied) {
			t.Fatalf("guess %d: %v", i, err)
		}
	}
	if err := try("li", password, 1); err != nil {
		t.Fatalf("the right password after too few failures: %v", err)
	}
	*now = now.Add(time.Minute)
	for i := range auth.GuessesByLogin { // success begins the count anew
		if err := try("li", wrong, i); !errors.Is(err, auth.ErrDenied) {
			t.Fatalf("guess %d after a success: %v", i, err)
		}
	}
	err := try("LI", password, 99)
	tooMany := (*auth.TooManyError)(nil)
	if !errors.As(err, &tooMany) || !errors.Is(err, auth.ErrTooMany) || tooMany.Retry <= 0 || tooMany.Retry > auth.GuessWindow {
		t.Fatalf("the right password after too many failures: %v", err)
	}
	if err := try("other", password, 99); err != nil {
		t.Errorf("somebody else: %v", err)
	}
	*now = now.Add(tooMany.Retry - 1)
	if err := try("li", password, 99); !errors.Is(err, auth.ErrTooMany) {
		t.Errorf("just before the end of the wait: %v", err)
	}
	*now = now.Add(1)
	if err := try("li", password, 99); err != nil {
		t.Errorf("after the wait: %v", err)
	}
}

func TestGuessesByAddress(t *testing.T) {
	s, _, _ := setup(t)
	for i := range auth.GuessesByAddress {
		// Ports and the lower half of an IPv6 address are the guesser's to choose.
		remote := fmt.Sprintf("[2001:db8:0:1::%x]:%d", i+1, 1000+i)
		if _, _, err := s.Login(t.Context(), fmt.Sprintf("guess%d", i), wrong, remote); !errors.Is(err, auth.ErrDenied) {
			t.Fatalf("guess %d: %v", i, err)
		}
	}
	for remote, want := range map[string]error{
		"2001:db8:0:1:ffff::1":      auth.ErrTooMany,
		"[2001:db8:0:1::1%eth0]:80": auth.ErrTooMany,
		"2001:db8:0:2::1":           nil,
		"203.0.113.7":               nil,
		"::ffff:203.0.113.7":        nil,
		"":                          nil,
	} {
		if _, _, err := s.Login(t.Context(), "li", password, remote); !errors.Is(err, want) {
			t.Errorf("from %q: %v, want %v", remote, err, want)
		}
	}
}

// A success does not give an address new guesses: otherwise anyone with an
// account could guess for ever.
func TestSuccessKeepsAddressCount(t *testing.T) {
	s, _, _ := setup(t)
	var err error
	for i := range auth.GuessesByAddress + 1 {
		if i%20 == 0 {
			if _, _, err := s.Login(t.Context(), "li", password, "203.0.113.7"); i < auth.GuessesByAddress && err != nil {
				t.Fatal(err)
			}
		}
		_, _, err = s.Login(t.Context(), fmt.Sprintf("guess%d", i), wrong, "203.0.113.7")
	}
	if !errors.Is(err, auth.ErrTooMany) {
		t.Errorf("last guess: %v, want ErrTooMany", err)
	}
}

// However many log in at once, only a few passwords are hashed at once, and only
// so many wait.
func TestLoginQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _, _ := setup(t)
		ctx, cancel := context.WithCancel(t.Context())
		login := func() <-chan error {
			done := make(chan error, 1)
			go func() {
				_, _, err := s.Login(ctx, "li", password, "203.0.113.7")
				done <- err
			}()
			synctest.Wait()
			return done
		}
		leave := s.Occupy(auth.MaxHashing, auth.MaxHashing)
		waits := login()
		if len(waits) != 0 {
			t.Fatalf("while all places are taken: %v, want to wait", <-waits)
		}
		more := s.Occupy(0, auth.MaxWaiting-1)
		if err := <-login(); !errors.Is(err, auth.ErrTooMany) {
			t.Errorf("while the queue is full: %v, want ErrTooMany", err)
		}
		more()
		leave()
		if err := <-waits; err != nil {
			t.Errorf("after the wait: %v", err)
		}

		defer s.Occupy(auth.MaxHashing, auth.MaxHashing)()
		waits = login()
		cancel()
		if err := <-waits; !errors.Is(err, context.Canceled) {
			t.Errorf("who goes away while waiting: %v, want context.Canceled", err)
		}
	})
}
