// Package auth knows who is asking and what they may do. The default answer is
// no: Can is the one place that says yes.
package auth

import (
	"context"
	"fmt"
	"time"

	"tianhai/farm"
)

// Role is what a person is to the system.
type Role string

// The roles.
const (
	Administrator Role = "administrator"
	Bureau        Role = "bureau" // officer of the agriculture bureau, for one region
	Manager       Role = "manager"
	Farmer        Role = "farmer"
)

// An Account is a person's login.
type Account struct {
	Login    string // unique, a farm identifier
	Name     string
	Role     Role
	Tenant   string // of a manager or farmer
	Region   string // of a bureau officer, GB/T 2260
	Password string // argon2id in PHC string format
	Created  time.Time
}

// Check reports what keeps a from being an account: an unusable login, an
// unknown role, or a tenant or region that its role needs or must not have.
func (a Account) Check() error {
	if err := farm.CheckID(a.Login); err != nil {
		return fmt.Errorf("login: %w", err)
	}
	tenant, region := false, false
	switch a.Role {
	case Administrator:
	case Bureau:
		region = true
	case Manager, Farmer:
		tenant = true
	default:
		return fmt.Errorf("role %q is none of administrator, bureau, manager and farmer", a.Role)
	}
	switch {
	case tenant != (a.Tenant != ""):
		return fmt.Errorf("a %s has tenant %q", a.Role, a.Tenant)
	case region != (a.Region != ""), region && !farm.RegionContains(a.Region, a.Region):
		return fmt.Errorf("a %s has region %q", a.Role, a.Region)
	}
	return nil
}

// Principal returns whom the account makes of a person who logged in.
func (a Account) Principal() Principal {
	return Principal{Login: a.Login, Name: a.Name, Role: a.Role, Tenant: a.Tenant, Region: a.Region}
}

// A Principal is who is asking.
type Principal struct {
	Login  string `json:"login"`
	Name   string `json:"name"`
	Role   Role   `json:"role"`
	Tenant string `json:"tenant,omitempty"`
	Region string `json:"region,omitempty"`
}

// Action is what a principal wants to do to an object.
type Action string

// The actions.
const (
	Read       Action = "read"
	Write      Action = "write"   // append operations, batches
	Command    Action = "command" // make a device do something
	Administer Action = "administer"
)

// An Object is what an action is about.
type Object struct {
	Tenant string
	Region string // GB/T 2260
}

// Can reports whether p may do a to o. A bureau officer reads everything in the
// region and changes nothing; managers and farmers act within their tenant; an
// administrator may do everything; everyone else, nothing.
func Can(p Principal, a Action, o Object) bool {
	switch p.Role {
	case Administrator:
		return true
	case Bureau:
		return a == Read && farm.RegionContains(p.Region, o.Region)
	case Manager:
		return p.Tenant != "" && p.Tenant == o.Tenant && (a == Read || a == Write || a == Command || a == Administer)
	case Farmer:
		return p.Tenant != "" && p.Tenant == o.Tenant && (a == Read || a == Write || a == Command)
	}
	return false
}

// MaxSessions is how many logins of one account a store keeps; the oldest go.
const MaxSessions = 32

// A Session is a login that has not ended. Only the hash of its token is kept.
type Session struct {
	TokenHash []byte // SHA-256
	Login     string
	Created   time.Time
	Expires   time.Time
}

// Store keeps accounts and sessions in the records database.
type Store interface {
	Account(ctx context.Context, login string) (Account, error) // farm.ErrNotFound
	CreateAccount(ctx context.Context, a Account) error         // farm.ErrConflict
	CreateSession(ctx context.Context, s Session) error
	Session(ctx context.Context, tokenHash []byte) (Session, error) // farm.ErrNotFound, also when expired
	DeleteSession(ctx context.Context, tokenHash []byte) error
}
