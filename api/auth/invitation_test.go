package auth_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"tianhai/api/auth"
	"tianhai/farm"
)

// invited keeps invitations as the records database does.
type invited struct {
	*memory
	open map[string]auth.Invitation
}

func (v invited) Invitation(_ context.Context, login string) (auth.Invitation, error) {
	i, ok := v.open[login]
	if !ok {
		return i, farm.ErrNotFound
	}
	return i, v.err
}

func (v invited) Accept(_ context.Context, i auth.Invitation, phc string) error {
	if there := v.open[i.Login]; !bytes.Equal(there.CodeHash, i.CodeHash) {
		return farm.ErrNotFound
	}
	delete(v.open, i.Login)
	a := v.accounts[i.Login]
	a.Password = phc
	v.accounts[i.Login] = a
	return v.err
}

func (v invited) EndSessions(_ context.Context, login string) error {
	for hash, s := range v.sessions {
		if s.Login == login {
			delete(v.sessions, hash)
		}
	}
	return v.err
}

func invite(t *testing.T) (s *auth.Sessions, v invited, now *time.Time, code string) {
	t.Helper()
	s, m, now := setup(t)
	v = invited{m, map[string]auth.Invitation{}}
	s.Invited = v
	m.accounts["wei"] = auth.Account{Login: "wei", Role: auth.Farmer, Tenant: "tea"}
	i, code := auth.Invite("wei", *now)
	v.open["wei"] = i
	return s, v, now, code
}

// TestInvitation: a code becomes a password, once.
func TestInvitation(t *testing.T) {
	s, _, _, code := invite(t)
	ctx := t.Context()
	if _, _, err := s.Login(ctx, "wei", "", "192.0.2.1"); !errors.Is(err, auth.ErrDenied) {
		t.Errorf("without a password: %v", err)
	}
	token, p, err := s.Accept(ctx, " WEI ", strings.ToUpper(strings.ReplaceAll(code, "-", " ")), password, "192.0.2.1")
	if err != nil || p.Login != "wei" {
		t.Fatalf("%+v, %v", p, err)
	}
	if who, err := s.Principal(ctx, token); err != nil || who != p {
		t.Errorf("the session is %+v's, %v", who, err)
	}
	if _, _, err := s.Login(ctx, "wei", password, "192.0.2.1"); err != nil {
		t.Errorf("with the password: %v", err)
	}
	if _, _, err := s.Accept(ctx, "wei", code, "another password", "192.0.2.1"); !errors.Is(err, auth.ErrInvitation) {
		t.Errorf("again: %v", err)
	}
	if err := s.End(ctx, "wei"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Principal(ctx, token); !errors.Is(err, auth.ErrDenied) {
		t.Errorf("after the end: %v", err)
	}
}

func TestInvitationRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		login, code, password string
		late                  time.Duration
		want                  error
	}{
		"another code":        {"wei", "aaaa-aaaa-aaaa", password, 0, auth.ErrInvitation},
		"no code":             {"wei", "", password, 0, auth.ErrInvitation},
		"another login":       {"li", "", password, 0, auth.ErrInvitation},
		"a login of nobody":   {"nobody", "", password, 0, auth.ErrInvitation},
		"no login at all":     {"../x", "", password, 0, auth.ErrInvitation},
		"too late":            {"wei", "right", password, auth.InvitationLifetime, auth.ErrInvitation},
		"a short password":    {"wei", "right", "short", 0, auth.ErrPassword},
		"too long a password": {"wei", "right", wrong, 0, auth.ErrPassword},
	} {
		t.Run(name, func(t *testing.T) {
			s, v, now, code := invite(t)
			if tt.code == "right" {
				tt.code = code
			}
			*now = now.Add(tt.late)
			if _, _, err := s.Accept(t.Context(), tt.login, tt.code, tt.password, "192.0.2.1"); !errors.Is(err, tt.want) {
				t.Errorf("%v, want %v", err, tt.want)
			}
			if v.accounts["wei"].Password != "" || v.accounts["li"].Password == "" {
				t.Error("a password was set")
			}
		})
	}
}

// TestGuessedInvitations: codes are guessed as seldom as passwords.
func TestGuessedInvitations(t *testing.T) {
	s, _, _, code := invite(t)
	for range auth.GuessesByLogin {
		if _, _, err := s.Accept(t.Context(), "wei", "guess", password, "192.0.2.1"); !errors.Is(err, auth.ErrInvitation) {
			t.Fatal(err)
		}
	}
	if _, _, err := s.Accept(t.Context(), "wei", code, password, "192.0.2.1"); !errors.Is(err, auth.ErrTooMany) {
		t.Errorf("one more: %v", err)
	}
}

// TestDisabled: an account that is disabled opens nothing, not even what was open.
func TestDisabled(t *testing.T) {
	s, m, now := setup(t)
	token, _, err := s.Login(t.Context(), "li", password, "192.0.2.1")
	if err != nil {
		t.Fatal(err)
	}
	a := m.accounts["li"]
	a.Disabled = *now
	m.accounts["li"] = a
	if _, err := s.Principal(t.Context(), token); !errors.Is(err, auth.ErrDenied) {
		t.Errorf("its session: %v", err)
	}
	if _, _, err := s.Login(t.Context(), "li", password, "192.0.2.1"); !errors.Is(err, auth.ErrDenied) {
		t.Errorf("its password: %v", err)
	}
}
