// Package epcishttp is the interface of EPCIS 2.0 for partners' programs, under /epcis:
// the REST binding of the standard, section 12, in JSON and JSON-LD.
//
// The default answer is no: every request but none needs a session, shown as a bearer
// token or as the cookie of our own pages, and sees the events of its own tenant, of its
// region, or, of an administrator, all. What is not in one's scope does not exist.
// Errors are application/problem+json whose type is one of the standard's fifteen
// exceptions, see exceptions.go; what went wrong inside goes to the log.
package epcishttp

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"tianhai/api/auth"
	"tianhai/trace/epcis/repository"
	"tianhai/trace/epcis/standing"
)

// Limits of a request.
const (
	MaxURL     = 8000 // bytes of path and query
	MaxPage    = 1000 // perPage
	usualPage  = 30
	maxAnswer  = 8 << 20 // bytes of events in a page; the page is shorter then
	timeout    = 15 * time.Second
	maxQuery   = 64 << 10 // bytes of a query's definition or a subscription
	tokenLives = time.Hour
)

// Sessions know who holds a token; auth.ErrDenied where nobody does.
type Sessions interface {
	Principal(ctx context.Context, token string) (auth.Principal, error)
}

// Capture takes events; *repository.Repository does.
type Capture interface {
	Capture(ctx context.Context, o repository.Order) (repository.Job, error)
	Add(ctx context.Context, tenant string, raw []byte) (id string, err error)
}

// Events reads events.
type Events interface {
	FindEvents(ctx context.Context, a repository.Ask) ([]repository.Stored, error)
	CountEvents(ctx context.Context, a repository.Ask, most int) (int, error)
	EventValues(ctx context.Context, v repository.Values) ([]string, error)
	LastEvent(ctx context.Context) (int64, error)
	CompanyPrefixes(ctx context.Context, in repository.Scope) ([]string, error)
}

// Jobs reads capture jobs. One that does not exist is farm.ErrNotFound.
type Jobs interface {
	CaptureJob(ctx context.Context, in repository.Scope, id string) (repository.Job, error)
	CaptureJobs(ctx context.Context, in repository.Scope, after string, limit int) ([]repository.Job, error)
}

// Queries keeps named queries. One that does not exist is farm.ErrNotFound.
type Queries interface {
	AddNamedQuery(ctx context.Context, q standing.Query) error // farm.ErrConflict, standing.ErrFull
	NamedQuery(ctx context.Context, tenant, name string) (standing.Query, error)
	NamedQueries(ctx context.Context, tenant, after string, limit int) ([]standing.Query, error)
	DeleteNamedQuery(ctx context.Context, tenant, name string) error
}

// Subscriptions keeps who is told. One that does not exist is farm.ErrNotFound.
type Subscriptions interface {
	AddSubscription(ctx context.Context, sub standing.Subscription) error // standing.ErrFull
	Subscription(ctx context.Context, tenant, query, id string) (standing.Subscription, error)
	Subscriptions(ctx context.Context, tenant, query, after string, limit int) ([]standing.Subscription, error)
	DeleteSubscription(ctx context.Context, tenant, query, id string) error
}

// Bell rings when events were captured; *standing.Service does.
type Bell interface {
	Listen() (bell <-chan struct{}, stop func())
	Wake()
}

// A Config says what the handler works with.
type Config struct {
	Sessions  Sessions
	Capture   Capture
	Events    Events
	Jobs      Jobs
	Queries   Queries
	Bell      Bell
	Cookie    string           // of the session of our own pages
	PublicURL string           // without a slash at the end
	Now       func() time.Time // nil: time.Now
	Logger    *slog.Logger     // nil: slog.DiscardHandler

	Subscriptions Subscriptions
}

type server struct {
	Config
	routes  []route
	origins *http.CrossOriginProtection
	sockets chan struct{} // one token for each WebSocket
}

// Prefix is where the handler is to be mounted.
const Prefix = "/epcis"

// New returns a handler for everything under Prefix. It does no I/O.
func New(cfg Config) http.Handler {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	s := &server{Config: cfg, origins: http.NewCrossOriginProtection(), sockets: make(chan struct{}, MaxSockets)}
	s.routes = s.table()
	return s
}
