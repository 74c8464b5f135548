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
	equal(t, "accounts", []auth.Account{bureau, farmer, inspector, laboratory})(s.Accounts(ctx, store.AccountFilter{}))
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

// testManagedAccounts: what is changed ends sessions, and somebody can always
// administer.
func testManagedAccounts(t *testing.T, s *store.Store) {
	ctx := t.Context()
	seed(t, s)
	for _, a := range []auth.Account{
		{Login: "boss", Role: auth.Administrator, Password: "$x", Created: noon},
		{Login: "wei", Role: auth.Farmer, Tenant: "tea", Password: "$x", Created: noon},
		{Login: "lu", Role: auth.Inspector, Region: "450702", Password: "$x", Created: noon},
	} {
		check(t, s.CreateAccount(ctx, a))
		check(t, s.CreateSession(ctx, auth.Session{TokenHash: []byte(a.Login), Login: a.Login, Created: noon, Expires: noon.Add(time.Hour)}))
	}
	logins := func(f store.AccountFilter) (out []string) {
		t.Helper()
		all, err := s.Accounts(ctx, f)
		check(t, err)
		for _, a := range all {
			out = append(out, a.Login)
		}
		return out
	}
	equal(t, "of a tenant", []string{"wei"})(logins(store.AccountFilter{Tenant: "tea"}), nil)
	equal(t, "of a region", []string{"lu"})(logins(store.AccountFilter{Region: "450700"}), nil)
	equal(t, "a page", []string{"lu"})(logins(store.AccountFilter{After: "boss", Limit: 1}), nil)
	open := func(login string, want error) {
		t.Helper()
		_, err := s.Session(ctx, []byte(login))
		if want == nil {
			check(t, err)
		} else {
			wantErr(t, login+"'s session", err, want)
		}
	}
	wei, err := s.Account(ctx, "wei")
	check(t, err)
	wei.Name = "韦"
	check(t, s.UpdateAccount(ctx, wei))
	open("wei", nil)
	wei.Role = auth.Manager
	check(t, s.UpdateAccount(ctx, wei))
	equal(t, "changed", wei)(s.Account(ctx, "wei"))
	open("wei", farm.ErrNotFound)
	open("lu", nil)
	check(t, s.EndSessions(ctx, "lu"))
	open("lu", farm.ErrNotFound)
	nowhere := wei
	nowhere.Tenant = "nobody"
	wantErr(t, "of an unknown tenant", s.UpdateAccount(ctx, nowhere), farm.ErrNotFound)
	wantErr(t, "of an unknown login", s.UpdateAccount(ctx, auth.Account{Login: "none", Role: auth.Administrator}), farm.ErrNotFound)

	boss, err := s.Account(ctx, "boss")
	check(t, err)
	gone := boss
	gone.Disabled = noon
	wantErr(t, "the last disabled", s.UpdateAccount(ctx, gone), auth.ErrLastAdministrator)
	less := boss
	less.Role, less.Tenant = auth.Farmer, "tea"
	wantErr(t, "the last made a farmer", s.UpdateAccount(ctx, less), auth.ErrLastAdministrator)
	i, _ := auth.Invite("boss", noon)
	wantErr(t, "the last without a password", s.Invite(ctx, i), auth.ErrLastAdministrator)
	open("boss", nil)
	equal(t, "the last", boss)(s.Account(ctx, "boss"))
	check(t, s.CreateAccount(ctx, auth.Account{Login: "second", Role: auth.Administrator, Created: noon}))
	wantErr(t, "the last but one who has no password", s.UpdateAccount(ctx, gone), auth.ErrLastAdministrator)
	check(t, s.SetPassword(ctx, "second", "$x"))

	// Two who disable each other: one of them stays.
	second, err := s.Account(ctx, "second")
	check(t, err)
	second.Disabled = noon
	errs := make(chan error)
	for _, a := range []auth.Account{gone, second} {
		go func() { errs <- s.UpdateAccount(ctx, a) }()
	}
	first, other := <-errs, <-errs
	if (first == nil) == (other == nil) {
		t.Errorf("disabled each other: %v, %v", first, other)
	}
}

// testInvitations: a code is used once, and another takes its place.
func testInvitations(t *testing.T, s *store.Store) {
	ctx := t.Context()
	seed(t, s)
	check(t, s.CreateAccount(ctx, auth.Account{Login: "wei", Role: auth.Farmer, Tenant: "tea", Password: "$old", Created: noon}))
	check(t, s.CreateSession(ctx, auth.Session{TokenHash: []byte("wei"), Login: "wei", Created: noon, Expires: noon.Add(time.Hour)}))
	lost, _ := auth.Invite("wei", noon)
	check(t, s.Invite(ctx, lost))
	_, err := s.Session(ctx, []byte("wei"))
	wantErr(t, "session of who was invited", err, farm.ErrNotFound)
	if a, err := s.Account(ctx, "wei"); err != nil || a.Password != "" {
		t.Errorf("the old password counts: %+v, %v", a, err)
	}
	i, _ := auth.Invite("wei", noon)
	check(t, s.Invite(ctx, i))
	equal(t, "the second", i)(s.Invitation(ctx, "wei"))
	wantErr(t, "the first", s.Accept(ctx, lost, "$new"), farm.ErrNotFound)
	check(t, s.Accept(ctx, i, "$new"))
	if a, err := s.Account(ctx, "wei"); err != nil || a.Password != "$new" {
		t.Errorf("accepted: %+v, %v", a, err)
	}
	wantErr(t, "again", s.Accept(ctx, i, "$newer"), farm.ErrNotFound)
	_, err = s.Invitation(ctx, "wei")
	wantErr(t, "used", err, farm.ErrNotFound)
	nobody, _ := auth.Invite("nobody", noon)
	wantErr(t, "of nobody", s.Invite(ctx, nobody), farm.ErrNotFound)

	check(t, s.Invite(ctx, i))
	a, err := s.Account(ctx, "wei")
	check(t, err)
	a.Disabled = noon
	check(t, s.UpdateAccount(ctx, a))
	wantErr(t, "of who is disabled", s.Accept(ctx, i, "$new"), farm.ErrNotFound)
	wantErr(t, "another of who is disabled", s.Invite(ctx, i), farm.ErrNotFound)
}
