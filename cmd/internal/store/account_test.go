package store_test

import (
	"fmt"
	"testing"
	"time"

	"tianhai/api/auth"
	"tianhai/cmd/internal/store"
	"tianhai/farm"
)

func testAccounts(t *testing.T, s *store.Store) {
	ctx := t.Context()
	seed(t, s)
	bureau := auth.Account{Login: "bureau", Name: "韦科长", Role: auth.Bureau, Region: "450700", Password: "$argon2id$…", Created: noon}
	farmer := auth.Account{Login: "farmer", Name: "李", Role: auth.Farmer, Tenant: "tea", Password: "$argon2id$…", Created: noon}
	check(t, s.CreateAccount(ctx, farmer))
	check(t, s.CreateAccount(ctx, bureau))
	inspector := auth.Account{Login: "inspector", Name: "陆", Role: auth.Inspector, Region: "450700", Password: "$argon2id$…", Created: noon}
	laboratory := auth.Account{Login: "laboratory", Name: "覃", Role: auth.Laboratory, Tenant: "tea", Password: "$argon2id$…", Created: noon}
	check(t, s.CreateAccount(ctx, inspector))
	check(t, s.CreateAccount(ctx, laboratory))
	equal(t, "account", farmer)(s.Account(ctx, "farmer"))
	equal(t, "accounts", []auth.Account{bureau, farmer, inspector, laboratory})(s.Accounts(ctx))
	_, err := s.Account(ctx, "nobody")
	wantErr(t, "unknown account", err, farm.ErrNotFound)
	wantErr(t, "account again", s.CreateAccount(ctx, farmer), farm.ErrConflict)
	lost := farmer
	lost.Login, lost.Tenant = "lost", "nobody"
	wantErr(t, "account of an unknown tenant", s.CreateAccount(ctx, lost), farm.ErrNotFound)

	for name, a := range map[string]auth.Account{
		"manager of nobody":     {Role: auth.Manager},
		"officer of nowhere":    {Role: auth.Bureau},
		"officer with a tenant": {Role: auth.Bureau, Region: "450700", Tenant: "tea"},
		"inspector of nowhere":  {Role: auth.Inspector},
		"laboratory of nobody":  {Role: auth.Laboratory},
		"device":                {Role: auth.Device, Tenant: "tea"},
		"unknown role":          {Role: "root"},
	} {
		a.Login, a.Created = "x", noon
		if err := s.CreateAccount(ctx, a); err == nil {
			t.Errorf("created a %s", name)
		}
	}

	check(t, s.CreateSession(ctx, auth.Session{TokenHash: []byte("t"), Login: "farmer", Created: noon, Expires: noon.Add(time.Hour)}))
	check(t, s.SetPassword(ctx, "farmer", "$new"))
	farmer.Password = "$new"
	equal(t, "new password", farmer)(s.Account(ctx, "farmer"))
	_, err = s.Session(ctx, []byte("t"))
	wantErr(t, "session under the old password", err, farm.ErrNotFound)
	wantErr(t, "password of nobody", s.SetPassword(ctx, "nobody", "$new"), farm.ErrNotFound)
}

func testSessions(t *testing.T, s *store.Store) {
	ctx := t.Context()
	for _, login := range []string{"li", "wei"} {
		check(t, s.CreateAccount(ctx, auth.Account{Login: login, Role: auth.Administrator, Created: noon}))
	}
	session := auth.Session{TokenHash: []byte{0, 1, 0xff, '\''}, Login: "li", Created: noon, Expires: noon.Add(time.Hour)}
	check(t, s.CreateSession(ctx, session))
	equal(t, "session", session)(s.Session(ctx, session.TokenHash))
	check(t, s.DeleteSession(ctx, session.TokenHash))
	check(t, s.DeleteSession(ctx, session.TokenHash))
	_, err := s.Session(ctx, session.TokenHash)
	wantErr(t, "ended session", err, farm.ErrNotFound)

	session.Expires = noon // now
	check(t, s.CreateSession(ctx, session))
	_, err = s.Session(ctx, session.TokenHash)
	wantErr(t, "expired session", err, farm.ErrNotFound)
	session.Login = "nobody"
	wantErr(t, "session of nobody", s.CreateSession(ctx, session), farm.ErrNotFound)

	other := auth.Session{TokenHash: []byte("other"), Login: "wei", Created: yesterday, Expires: noon.Add(time.Hour)}
	check(t, s.CreateSession(ctx, other))
	token := func(i int) []byte { return fmt.Append(nil, "token", i) }
	for i := range auth.MaxSessions + 1 {
		check(t, s.CreateSession(ctx, auth.Session{TokenHash: token(i), Login: "li", Created: noon.Add(time.Duration(i) * time.Second), Expires: noon.Add(time.Hour)}))
	}
	_, err = s.Session(ctx, token(0))
	wantErr(t, "the oldest of too many", err, farm.ErrNotFound)
	for _, hash := range [][]byte{token(1), token(auth.MaxSessions), other.TokenHash} {
		if _, err := s.Session(ctx, hash); err != nil {
			t.Errorf("session %s: %v", hash, err)
		}
	}
}
