package auth_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"tianhai/api/auth"
	"tianhai/farm"
)

// machines keeps one program of an account, and how often it was seen.
type machines struct {
	*memory
	program auth.Program
	used    int
}

func (m *machines) ProgramOf(_ context.Context, hash []byte) (auth.Program, error) {
	if string(hash) != string(m.program.TokenHash) {
		return auth.Program{}, farm.ErrNotFound
	}
	return m.program, nil
}

func (m *machines) Program(_ context.Context, id string) (auth.Program, error) {
	if id != m.program.ID {
		return auth.Program{}, farm.ErrNotFound
	}
	return m.program, nil
}

func (m *machines) UseProgram(_ context.Context, _ string, at time.Time) error {
	m.program.Used = at
	m.used++
	return nil
}

func TestProgram(t *testing.T) {
	s, store, now := setup(t)
	boss := auth.Account{Login: "boss", Role: auth.Manager, Tenant: "tea"}
	store.accounts = map[string]auth.Account{"boss": boss}
	p, token := auth.NewProgram(auth.Program{ID: "1", Tenant: "tea", Name: "ERP", Account: "boss", Writes: true, Expires: now.Add(2 * time.Hour)})
	m := &machines{memory: store, program: p}
	programs := auth.Programs{Sessions: s, Store: m}
	ask := func(token string) (auth.Principal, error) { return programs.Principal(t.Context(), token) }
	want := auth.Principal{Login: "boss", Name: "ERP", Role: auth.Writer, Tenant: "tea", Program: "1"}
	admits := func(id string, want bool) {
		t.Helper()
		if got, err := programs.Admits(t.Context(), id); err != nil || got != want {
			t.Errorf("admits %s: %v, %v, want %v", id, got, err, want)
		}
	}
	admits("1", true)
	admits("2", false)
	for range 3 {
		if got, err := ask(token); err != nil || got != want {
			t.Fatalf("%+v, %v", got, err)
		}
	}
	if m.used != 1 {
		t.Errorf("its use was written %d times within the hour", m.used)
	}
	m.program.Writes, want.Role = false, auth.Reader
	if got, err := ask(token); err != nil || got != want {
		t.Errorf("one that reads: %+v, %v", got, err)
	}
	denied := func(what, token string) {
		t.Helper()
		if got, err := ask(token); !errors.Is(err, auth.ErrDenied) {
			t.Errorf("%s: %+v, %v", what, got, err)
		}
	}
	denied("a part of the token", token[:len(token)-1])
	_, other := auth.NewProgram(auth.Program{})
	denied("another token", other)
	denied("the token without what it begins with", token[len("thp_"):])
	if _, err := s.Principal(t.Context(), token); !errors.Is(err, auth.ErrDenied) {
		t.Errorf("as a session: %v", err)
	}
	for what, change := range map[string]func(*auth.Account){
		"of a disabled account":    func(a *auth.Account) { a.Disabled = *now },
		"of who is a farmer now":   func(a *auth.Account) { a.Role = auth.Farmer },
		"of who manages elsewhere": func(a *auth.Account) { a.Tenant = "oysters" },
	} {
		a := boss
		change(&a)
		store.accounts["boss"] = a
		denied(what, token)
		admits("1", false)
	}
	store.accounts["boss"] = boss
	*now = now.Add(2 * time.Hour)
	denied("an expired one", token)
	admits("1", false)
}
