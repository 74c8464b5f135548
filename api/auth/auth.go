// Package auth knows who is asking and what they may do. The default answer is
// no: Can is the one place that says yes.
package auth

import (
	"context"
	"fmt"
	"time"

	"tianhai/farm"
)

// Role is what somebody is to the system.
type Role string

// The roles.
const (
	Administrator Role = "administrator"
	Bureau        Role = "bureau"    // officer of the agriculture bureau, for one region
	Inspector     Role = "inspector" // who looks at farms of one region on the spot
	Manager       Role = "manager"   // of a farm or co-operative
	Farmer        Role = "farmer"
	Laboratory    Role = "laboratory" // works for an operator that tests what others send in
	Device        Role = "device"     // no account: a device that shows its secret
	Writer        Role = "writer"     // no account: a Program that may change something
	Reader        Role = "reader"     // no account: a Program that may not
)

// Roles returns those that an account can have.
func Roles() []Role {
	return []Role{Administrator, Bureau, Inspector, Manager, Farmer, Laboratory}
}

// An Account is a person's login.
type Account struct {
	Login    string // unique, a farm identifier
	Name     string
	Role     Role
	Tenant   string // of a manager or farmer; of a laboratory, the one that it works for
	Region   string // of a bureau officer or inspector, GB/T 2260
	Password string // argon2id in PHC string format; empty until an invitation is accepted
	Created  time.Time
	Disabled time.Time // zero: it is not
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
	case Bureau, Inspector:
		region = true
	case Manager, Farmer, Laboratory:
		tenant = true
	default:
		return fmt.Errorf("role %q is none of %v", a.Role, Roles())
	}
	switch {
	case tenant != (a.Tenant != ""):
		return fmt.Errorf("a %s has tenant %q", a.Role, a.Tenant)
	case region != (a.Region != ""), region && !farm.RegionContains(a.Region, a.Region):
		return fmt.Errorf("a %s has region %q", a.Role, a.Region)
	}
	return nil
}

// Object returns what is managed with the account.
func (a Account) Object() Object { return Object{Tenant: a.Tenant, Region: a.Region, Role: a.Role} }

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
	// Program is the ID of the Program that shows its token; "" for a person.
	Program string `json:"-"`
}

// Action is what a principal wants to do to an object.
type Action string

// The actions.
const (
	Read       Action = "read"
	Write      Action = "write"   // append operations, batches
	Command    Action = "command" // make a device do something
	Inspect    Action = "inspect" // append what an inspector found
	Report     Action = "report"  // append what a laboratory found
	Administer Action = "administer"
	Override   Action = "override" // allow what a gate refuses
	Recall     Action = "recall"   // open a recall and follow it up
	// CloseRecall says that a recall is over.
	CloseRecall Action = "close_recall"
	// Manage invites people, changes their roles and disables their accounts.
	Manage Action = "manage"
	// Find looks operators up by name, and sees what anybody may know of one.
	Find Action = "find"
	// Answer is what a consumer said, or what looks like a copy.
	Answer Action = "answer"
	// Package is to have a package of an operator's records.
	Package Action = "package"
)

// An Object is what an action is about.
type Object struct {
	Tenant string
	Region string // GB/T 2260
	// Laboratory is the tenant that was asked to test this very thing. It is set on
	// samples and reports, and never on the farm or batch that they are of.
	Laboratory string
	// Role is that of the account that is managed; empty of everything else.
	Role Role
}

// Can reports whether p may do a to o. A bureau officer reads everything in the
// region, decides on overrides and recalls there, answers consumers, and changes nothing else; an inspector reads as
// much and appends inspections, and can neither change nor void what a farm said.
// Managers and farmers act within their tenant. A laboratory reads what it was asked
// to test and reports on it. A manager may recall what is the farm's, and not say that
// a recall is over. An administrator may do everything but override, recall and answer, since
// whoever keeps a server is no authority; everyone else, nothing: a device speaks
// through its own topics and its own door, which know it by its secret, and asks for
// nothing here. Whoever works at a farm or watches over farms may look operators up.
// A writer acts within its tenant's events, where alone it is let in; a reader reads them.
// An administrator manages every account, a manager those of the farm's managers and
// farmers, and an officer the inspectors of the region and the officers of divisions
// within it: who tests or watches over a farm is not appointed by it.
func Can(p Principal, a Action, o Object) bool {
	if a == Find {
		return p.Role == Administrator || (p.Role == Manager || p.Role == Farmer) && p.Tenant != "" ||
			(p.Role == Bureau || p.Role == Inspector) && farm.RegionContains(p.Region, p.Region)
	}
	if a == Manage {
		return mayManage(p, o)
	}
	switch p.Role {
	case Administrator:
		return a != Override && a != Recall && a != CloseRecall && a != Answer
	case Bureau:
		return (a == Read || a == Override || a == Recall || a == CloseRecall || a == Answer || a == Package) && farm.RegionContains(p.Region, o.Region)
	case Inspector:
		return (a == Read || a == Inspect) && farm.RegionContains(p.Region, o.Region)
	case Laboratory:
		return p.Tenant != "" && p.Tenant == o.Laboratory && (a == Read || a == Report)
	case Manager:
		return p.Tenant != "" && p.Tenant == o.Tenant && (a == Read || a == Write || a == Command || a == Administer || a == Recall || a == Answer || a == Package)
	case Farmer:
		return p.Tenant != "" && p.Tenant == o.Tenant && (a == Read || a == Write || a == Command)
	case Writer:
		return p.Tenant != "" && p.Tenant == o.Tenant && (a == Read || a == Write || a == Administer)
	case Reader:
		return p.Tenant != "" && p.Tenant == o.Tenant && a == Read
	}
	return false
}

func mayManage(p Principal, o Object) bool {
	switch p.Role {
	case Administrator:
		return true
	case Manager:
		return p.Tenant != "" && p.Tenant == o.Tenant && (o.Role == Manager || o.Role == Farmer)
	case Bureau:
		below := o.Role == Bureau && o.Region != p.Region
		return o.Tenant == "" && (o.Role == Inspector || below) && farm.RegionContains(p.Region, o.Region)
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
