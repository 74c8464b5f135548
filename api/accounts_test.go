package api_test

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"tianhai/api"
	"tianhai/api/auth"
	"tianhai/farm"
)

// accountOf is the account that a person of the world signs in with.
func accountOf(p auth.Principal) auth.Account {
	return auth.Account{Login: p.Login, Name: p.Name, Role: p.Role, Tenant: p.Tenant, Region: p.Region, Password: "$argon2id$secret", Created: noon}
}

func (w *world) accountsNow() []auth.Account {
	all := slices.Clone(w.people)
	for _, p := range accounts {
		if !slices.ContainsFunc(all, func(a auth.Account) bool { return a.Login == p.Login }) {
			all = append(all, accountOf(p))
		}
	}
	slices.SortFunc(all, func(a, b auth.Account) int { return strings.Compare(a.Login, b.Login) })
	return all
}

func (w *world) Account(_ context.Context, login string) (auth.Account, error) {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return auth.Account{}, err
	}
	for _, a := range w.accountsNow() {
		if a.Login == login {
			return a, nil
		}
	}
	return auth.Account{}, farm.ErrNotFound
}

func (w *world) FindAccounts(_ context.Context, q api.AccountQuery) ([]auth.Account, error) {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(w.accountsNow(), func(a auth.Account) bool {
		return a.Login <= q.After || !w.leaky && (q.Tenant != "" && q.Tenant != a.Tenant || q.Region != "" && !farm.RegionContains(q.Region, a.Region))
	}), nil
}

func (w *world) CreateAccount(ctx context.Context, a auth.Account) error {
	if _, err := w.Account(ctx, a.Login); err == nil {
		return farm.ErrConflict
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wrote++
	w.people = append(w.people, a)
	return nil
}

func (w *world) UpdateAccount(_ context.Context, a auth.Account) error {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return err
	}
	w.wrote++
	w.people = append(slices.DeleteFunc(w.people, func(b auth.Account) bool { return b.Login == a.Login }), a)
	return nil
}

func (w *world) Invite(ctx context.Context, i auth.Invitation) error {
	a, err := w.Account(ctx, i.Login)
	if err != nil {
		return err
	}
	a.Password = ""
	return w.UpdateAccount(ctx, a)
}

// Who manages whom: nobody appoints himself more than he is, or who watches over him.
func TestAppointments(t *testing.T) {
	for name, tt := range map[string]struct {
		as, body string
		want     int
	}{
		"a manager, a farmer":             {"manager", `{"login":"new","role":"farmer"}`, 201},
		"a manager, another manager":      {"manager", `{"login":"new","role":"manager"}`, 201},
		"a manager, an administrator":     {"manager", `{"login":"new","role":"administrator"}`, 403},
		"a manager, a laboratory":         {"manager", `{"login":"new","role":"laboratory"}`, 403},
		"a manager, an inspector":         {"manager", `{"login":"new","role":"inspector","region":"450500"}`, 403},
		"a manager, of another farm":      {"manager", `{"login":"new","role":"farmer","tenant":"tea"}`, 404},
		"an officer, an inspector":        {"bureau", `{"login":"new","role":"inspector"}`, 201},
		"an officer, one of the county":   {"bureau", `{"login":"new","role":"bureau","region":"450512"}`, 201},
		"an officer, a peer":              {"bureau", `{"login":"new","role":"bureau"}`, 403},
		"an officer, one of the province": {"bureau", `{"login":"new","role":"bureau","region":"450000"}`, 403},
		"an officer, of another city":     {"bureau", `{"login":"new","role":"inspector","region":"450400"}`, 403},
		"an officer, a farmer":            {"bureau", `{"login":"new","role":"farmer","tenant":"oyster"}`, 403},
		"an inspector, an inspector":      {"inspector", `{"login":"new","role":"inspector"}`, 403},
		"a farmer, a farmer":              {"farmer", `{"login":"new","role":"farmer"}`, 403},
		"an administrator, anybody":       {"admin", `{"login":"new","role":"laboratory","tenant":"tea"}`, 201},
		"a login that is taken":           {"admin", `{"login":"farmer","role":"farmer","tenant":"oyster"}`, 409},
		"no login":                        {"admin", `{"login":"New One","role":"farmer","tenant":"oyster"}`, 400},
		"no role":                         {"admin", `{"login":"new","role":"king"}`, 400},
		"a farmer of nobody":              {"admin", `{"login":"new","role":"farmer"}`, 400},
		"a password":                      {"admin", `{"login":"new","role":"farmer","tenant":"oyster","password":"x"}`, 400},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			base, _ := serve(t, w)
			want(t, "status", tt.want, client{t, base, tt.as}.do("POST", "/accounts", tt.body).status)
			if tt.want != 201 {
				want(t, "nothing was written", 0, w.writes())
			}
		})
	}
}

func TestChangesOfAccounts(t *testing.T) {
	for name, tt := range map[string]struct {
		as, login, body string
		want            int
	}{
		"a promotion":                    {"manager", "farmer", `{"role":"manager"}`, 200},
		"beyond the farm":                {"manager", "farmer", `{"role":"administrator","tenant":""}`, 403},
		"to another farm":                {"manager", "farmer", `{"tenant":"tea"}`, 404},
		"of another farm":                {"manager", "stranger", `{"role":"manager"}`, 404},
		"disabled":                       {"manager", "farmer", `{"disabled":true}`, 200},
		"a manager himself":              {"manager", "manager", `{"disabled":true}`, 403},
		"an administrator himself":       {"admin", "admin", `{"disabled":true}`, 200},
		"an officer's inspector":         {"bureau", "inspector", `{"disabled":true}`, 200},
		"an inspector made a peer":       {"bureau", "inspector", `{"role":"bureau"}`, 403},
		"an inspector elsewhere":         {"bureau", "inspector-tea", `{"disabled":true}`, 404},
		"a farm's people, by an officer": {"bureau", "farmer", `{"disabled":true}`, 403},
		"oneself, by a farmer":           {"farmer", "farmer", `{"role":"manager"}`, 403},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			base, _ := serve(t, w)
			want(t, "status", tt.want, client{t, base, tt.as}.do("PUT", "/accounts/"+tt.login, tt.body).status)
			if tt.want != 200 {
				want(t, "nothing was written", 0, w.writes())
			}
		})
	}
	w := newWorld()
	base, _ := serve(t, w)
	c := client{t, base, "manager"}
	c.do("PUT", "/accounts/farmer", `{"disabled":true}`)
	want(t, "an invitation of who is disabled", 409, c.do("POST", "/accounts/farmer/invitation", "").status)
}

// What lists and answers show holds no hash, and the log no code.
func TestSecretsOfAccounts(t *testing.T) {
	w := newWorld()
	var log bytes.Buffer
	base, _ := serveWith(t, w, func(c *api.Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	c := client{t, base, "manager"}
	var made struct {
		State      string `json:"state"`
		Invitation struct{ Code string }
	}
	a := c.do("POST", "/accounts", `{"login":"new","role":"farmer"}`)
	a.decode(t, &made)
	want(t, "state", "invited", made.State)
	if len(made.Invitation.Code) < 12 || !strings.Contains(log.String(), "account created") || strings.Contains(log.String(), made.Invitation.Code) {
		t.Errorf("code %q, log %s", made.Invitation.Code, log.String())
	}
	for _, answer := range []string{a.body, c.do("GET", "/accounts", "").body, c.do("GET", "/accounts/farmer", "").body, c.do("GET", "/accounts?format=csv", "").body} {
		if strings.Contains(answer, "argon2id") || strings.Contains(strings.ToLower(answer), "password") {
			t.Errorf("a secret: %s", answer)
		}
	}
	if list := c.do("GET", "/accounts", "").body; strings.Contains(list, made.Invitation.Code) || !strings.Contains(list, `"new"`) || strings.Contains(list, "stranger") {
		t.Errorf("listed: %s", list)
	}
}

func TestAcceptInvitation(t *testing.T) {
	base, _ := serve(t, newWorld())
	c := client{t, base, ""}
	a := c.do("POST", "/session/invitation", `{"login":"farmer","code":"code-farmer","password":"a good one"}`)
	if a.status != 200 || !strings.Contains(a.header.Get("Set-Cookie"), "HttpOnly") {
		t.Errorf("%d %v", a.status, a.header)
	}
	want(t, "a wrong code", "invitation_refused", c.do("POST", "/session/invitation", `{"login":"farmer","code":"x","password":"a good one"}`).problem(t).Code)
	want(t, "a short password", "password", c.do("POST", "/session/invitation", `{"login":"farmer","code":"code-farmer","password":"short"}`).problem(t).Field)
}

func TestImportAccounts(t *testing.T) {
	w := newWorld()
	base, _ := serve(t, w)
	c := client{t, base, "manager"}
	const file = "login,name,role\nwei,韦,farmer\nlu,陆,manager\nfarmer,别人,farmer\nboss,老板,administrator\n"
	var dry, done struct {
		Created, Existing, Failed int
		Faults                    []struct{ Line int }
	}
	c.do("POST", "/imports/accounts?dry_run=true", file, "Content-Type", "text/csv").decode(t, &dry)
	want(t, "nothing was written", 0, w.writes())
	want(t, "refused when tried", 2, dry.Failed)
	c.do("POST", "/imports/accounts", file, "Content-Type", "text/csv").decode(t, &done)
	want(t, "done", [3]int{2, 0, 2}, [3]int{done.Created, done.Existing, done.Failed})
	want(t, "lines", [2]int{4, 5}, [2]int{done.Faults[0].Line, done.Faults[1].Line})
	c.do("POST", "/imports/accounts", file, "Content-Type", "text/csv").decode(t, &done)
	want(t, "again", [3]int{0, 2, 2}, [3]int{done.Created, done.Existing, done.Failed})
}
