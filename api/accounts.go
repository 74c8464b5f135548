package api

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"tianhai/api/auth"
	"tianhai/farm"
)

// maxAccountName is how many characters the name of an account may have.
const maxAccountName = 100

// Accounts keeps people's accounts. One that does not exist is farm.ErrNotFound.
type Accounts interface {
	Account(ctx context.Context, login string) (auth.Account, error)
	// FindAccounts returns accounts by login.
	FindAccounts(ctx context.Context, q AccountQuery) ([]auth.Account, error)
	CreateAccount(ctx context.Context, a auth.Account) error // farm.ErrConflict
	// UpdateAccount sets all but login, password and creation, and ends the sessions of
	// one that is another than before; auth.ErrLastAdministrator.
	UpdateAccount(ctx context.Context, a auth.Account) error
	// Invite stores an invitation in place of an older one. The account's password
	// counts no more and its sessions end; auth.ErrLastAdministrator.
	Invite(ctx context.Context, i auth.Invitation) error
}

// An AccountQuery asks for accounts by login; a region is that of officers and
// inspectors.
type AccountQuery struct {
	Scope
	After string // login; only those behind it
	Limit int
}

// An accountState is what can be done with an account.
type accountState string

const (
	accountActive   accountState = "active"
	accountInvited  accountState = "invited" // has no password yet
	accountDisabled accountState = "disabled"
)

// accountView is an account without its secrets.
type accountView struct {
	Login   string       `json:"login"`
	Name    string       `json:"name"`
	Role    auth.Role    `json:"role"`
	Tenant  string       `json:"tenant,omitempty"`
	Region  string       `json:"region,omitempty"`
	State   accountState `json:"state"`
	Created time.Time    `json:"created"`
}

func newAccountView(a auth.Account) accountView {
	v := accountView{Login: a.Login, Name: a.Name, Role: a.Role, Tenant: a.Tenant, Region: a.Region, State: accountActive, Created: a.Created}
	switch {
	case !a.Disabled.IsZero():
		v.State = accountDisabled
	case a.Password == "":
		v.State = accountInvited
	}
	return v
}

// invitationView is a code to hand to a person; it is shown once.
type invitationView struct {
	Code    string    `json:"code"`
	Expires time.Time `json:"expires"`
}

// invitedView is a new account and how its person gets in.
type invitedView struct {
	accountView
	Invitation invitationView `json:"invitation"`
}

// listAccounts shows those that the caller manages, by login.
func (s *server) listAccounts() listing[accountView] {
	return listing[accountView]{
		name: "accounts", pages: true, key: func(a accountView) string { return a.Login },
		read: func(c *gin.Context, p page) ([]accountView, error) {
			me := who(c)
			in, ok := scopeOf(me)
			if !ok || !auth.Can(me, auth.Manage, someone(me)) {
				return nil, errForbidden
			}
			all, err := s.Accounts.FindAccounts(c.Request.Context(), AccountQuery{Scope: in, After: p.after, Limit: p.limit})
			views := make([]accountView, len(all))
			for i, a := range all {
				views[i] = newAccountView(a)
			}
			return views, err
		},
		sees: func(c *gin.Context, v *accountView) (bool, error) {
			return auth.Can(who(c), auth.Manage, auth.Object{Tenant: v.Tenant, Region: v.Region, Role: v.Role}) || v.Login == who(c).Login, nil
		},
	}
}

// someone is an account that whoever manages any can manage.
func someone(p auth.Principal) auth.Object {
	if p.Role == auth.Bureau {
		return auth.Object{Region: p.Region, Role: auth.Inspector}
	}
	return auth.Object{Tenant: p.Tenant, Role: auth.Farmer}
}

// account returns the account of the path if the caller manages it. One's own is there
// for everybody, to be read.
func (s *server) account(c *gin.Context) (a auth.Account, manages bool, err error) {
	login, err := id(c)
	if err != nil {
		return auth.Account{}, false, err
	}
	own := who(c).Login == login && who(c).Role != auth.Device
	if a, err = s.Accounts.Account(c.Request.Context(), login); err != nil {
		return auth.Account{}, false, err
	}
	manages = auth.Can(who(c), auth.Manage, a.Object())
	if !manages && !own {
		return auth.Account{}, false, s.unmanaged(c, a)
	}
	return a, manages, nil
}

// unmanaged is what somebody gets who does not manage an account: who reads the farm or
// region that it belongs to is told that it is there.
func (s *server) unmanaged(c *gin.Context, a auth.Account) error {
	o := auth.Object{Tenant: a.Tenant, Region: a.Region}
	if a.Tenant != "" {
		t, err := s.Operators.Tenant(c.Request.Context(), a.Tenant)
		if err != nil {
			return err
		}
		o.Region = t.Region
	}
	if auth.Can(who(c), auth.Read, o) {
		return errForbidden
	}
	return farm.ErrNotFound
}

func (s *server) getAccount(c *gin.Context) error {
	a, _, err := s.account(c)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, newAccountView(a))
	return nil
}

// addAccountRequest is the body, and a row of a file.
type addAccountRequest struct {
	Login  string    `json:"login"`
	Name   string    `json:"name"`
	Role   auth.Role `json:"role"`
	Tenant string    `json:"tenant"` // a manager's own where nothing is said
	Region string    `json:"region"` // an officer's own where nothing is said
}

// newAccount is the account that a request asks for, if the caller may have it.
func (s *server) newAccount(c *gin.Context, in addAccountRequest) (auth.Account, error) {
	me := who(c)
	switch in.Role {
	case auth.Manager, auth.Farmer, auth.Laboratory:
		in.Tenant = cmp.Or(in.Tenant, me.Tenant)
	case auth.Bureau, auth.Inspector:
		in.Region = cmp.Or(in.Region, me.Region)
	}
	a := auth.Account{Login: in.Login, Name: cmp.Or(strings.TrimSpace(in.Name), in.Login), Role: in.Role, Tenant: in.Tenant, Region: in.Region, Created: s.Now().UTC()}
	if err := checkAccount(a); err != nil {
		return auth.Account{}, err
	}
	return a, s.mayManage(c, a)
}

// checkAccount names what keeps an account from being one.
func checkAccount(a auth.Account) error {
	_, known := farm.Prefecture(a.Region)
	switch {
	case farm.CheckID(a.Login) != nil:
		return &invalidError{"login", "is not one: a-z, 0-9, and after the first - or _"}
	case utf8.RuneCountInString(a.Name) > maxAccountName:
		return &invalidError{"name", "has more than 100 characters"}
	case !slices.Contains(auth.Roles(), a.Role):
		return &invalidError{"role", "is none of " + strings.Join(words(auth.Roles()), ", ")}
	case a.Region != "" && !known && a.Region != farm.GuangxiCode:
		return &invalidError{"region", "is no GB/T 2260 code of Guangxi, such as 450500"}
	}
	if err := a.Check(); err != nil {
		return &invalidError{"role", "belongs to an operator (manager, farmer, laboratory), to a region (bureau, inspector), or to neither (administrator)"}
	}
	return nil
}

// mayManage refuses an account that the caller may not have.
func (s *server) mayManage(c *gin.Context, a auth.Account) error {
	if a.Tenant != "" {
		if _, err := s.tenantNamed(c, a.Tenant, auth.Read); err != nil {
			return err
		}
	}
	if !auth.Can(who(c), auth.Manage, a.Object()) {
		return errForbidden
	}
	return nil
}

// addAccount invites a person. The password is that person's own affair.
func (s *server) addAccount(c *gin.Context) error {
	var in addAccountRequest
	if err := body(c, &in); err != nil {
		return err
	}
	a, err := s.newAccount(c, in)
	if err != nil {
		return err
	}
	ctx := c.Request.Context()
	if err := s.Accounts.CreateAccount(ctx, a); err != nil {
		return err
	}
	invitation, err := s.invitation(ctx, a.Login)
	if err != nil {
		return err
	}
	s.Logger.InfoContext(ctx, "account created", "account", a.Login, "role", a.Role, "by", who(c).Login)
	c.JSON(http.StatusCreated, invitedView{newAccountView(a), invitation})
	return nil
}

func (s *server) invitation(ctx context.Context, login string) (invitationView, error) {
	i, code := auth.Invite(login, s.Now().UTC())
	return invitationView{code, i.Expires}, s.Accounts.Invite(ctx, i)
}

// editAccountRequest is the body; what is left out stays.
type editAccountRequest struct {
	Name     *string    `json:"name"`
	Role     *auth.Role `json:"role"`
	Tenant   *string    `json:"tenant"`
	Region   *string    `json:"region"`
	Disabled *bool      `json:"disabled"`
}

// editAccount changes a person's name, role or place, or disables the account. Only an
// administrator does that to his own, and not the last one.
func (s *server) editAccount(c *gin.Context) error {
	a, manages, err := s.account(c)
	if err != nil {
		return err
	}
	if !manages || a.Login == who(c).Login && a.Role != auth.Administrator {
		return errForbidden
	}
	var in editAccountRequest
	if err := body(c, &in); err != nil {
		return err
	}
	s.edit(&a, in)
	if err := checkAccount(a); err != nil {
		return err
	}
	if err := s.mayManage(c, a); err != nil {
		return err
	}
	ctx := c.Request.Context()
	if err := s.Accounts.UpdateAccount(ctx, a); err != nil {
		return err
	}
	s.Logger.InfoContext(ctx, "account changed", "account", a.Login, "role", a.Role, "disabled", !a.Disabled.IsZero(), "by", who(c).Login)
	c.JSON(http.StatusOK, newAccountView(a))
	return nil
}

func (s *server) edit(a *auth.Account, in editAccountRequest) {
	if in.Name != nil {
		a.Name = cmp.Or(strings.TrimSpace(*in.Name), a.Login)
	}
	if in.Role != nil {
		a.Role = *in.Role
	}
	if in.Tenant != nil {
		a.Tenant = *in.Tenant
	}
	if in.Region != nil {
		a.Region = *in.Region
	}
	switch {
	case in.Disabled == nil:
	case !*in.Disabled:
		a.Disabled = time.Time{}
	case a.Disabled.IsZero():
		a.Disabled = s.Now().UTC()
	}
}

// inviteAccount makes another code, for who lost the last one or the password.
func (s *server) inviteAccount(c *gin.Context) error {
	a, manages, err := s.account(c)
	if err != nil {
		return err
	}
	if !manages {
		return errForbidden
	}
	if !a.Disabled.IsZero() {
		return farm.ErrConflict
	}
	ctx := c.Request.Context()
	invitation, err := s.invitation(ctx, a.Login)
	if err != nil {
		return err
	}
	s.Logger.InfoContext(ctx, "account invited", "account", a.Login, "by", who(c).Login)
	c.JSON(http.StatusCreated, invitation)
	return nil
}

// endSessions ends the sessions of an account: one's own, or those of whom one manages.
func (s *server) endSessions(c *gin.Context) error {
	a, _, err := s.account(c)
	if err != nil {
		return err
	}
	if err := s.Sessions.End(c.Request.Context(), a.Login); err != nil {
		return err
	}
	s.Logger.InfoContext(c.Request.Context(), "sessions ended", "account", a.Login, "by", who(c).Login)
	c.Status(http.StatusNoContent)
	return nil
}

// acceptRequest is the body.
type acceptRequest struct {
	Login    string `json:"login"`
	Code     string `json:"code"`
	Password string `json:"password"`
}

// accept lets an invited person in, under a password of his own.
func (s *server) accept(c *gin.Context) error {
	var in acceptRequest
	if err := body(c, &in); err != nil {
		return err
	}
	if in.Login == "" || in.Code == "" {
		return &invalidError{"login", "and code are both needed"}
	}
	token, p, err := s.Sessions.Accept(c.Request.Context(), in.Login, in.Code, in.Password, c.ClientIP())
	if errors.Is(err, auth.ErrPassword) {
		return &invalidError{"password", "has fewer than 8 characters or more than 256 bytes"}
	}
	if err != nil {
		return err
	}
	s.setCookie(c, token, cookieAge)
	c.JSON(http.StatusOK, p)
	return nil
}

// importAccounts adds accounts without passwords; codes are asked for one by one, as a
// file of secrets lies about.
func (s *server) importAccounts() importer {
	return importing[addAccountRequest]{
		check: func(c *gin.Context, in *addAccountRequest) error {
			a, err := s.newAccount(c, *in)
			if err != nil {
				return err
			}
			_, err = existed(s.taken(c, a), func() (bool, error) { return s.sameAccount(c, a) })
			return err
		},
		add: func(c *gin.Context, in addAccountRequest) (bool, error) {
			a, err := s.newAccount(c, in)
			if err != nil {
				return false, err
			}
			return existed(s.Accounts.CreateAccount(c.Request.Context(), a), func() (bool, error) { return s.sameAccount(c, a) })
		},
	}
}

// taken is farm.ErrConflict where an account has the login already.
func (s *server) taken(c *gin.Context, a auth.Account) error {
	_, err := s.Accounts.Account(c.Request.Context(), a.Login)
	switch {
	case errors.Is(err, farm.ErrNotFound):
		return nil
	case err != nil:
		return err
	}
	return farm.ErrConflict
}

func (s *server) sameAccount(c *gin.Context, a auth.Account) (bool, error) {
	there, err := s.Accounts.Account(c.Request.Context(), a.Login)
	return there.Name == a.Name && there.Role == a.Role && there.Tenant == a.Tenant && there.Region == a.Region, err
}
