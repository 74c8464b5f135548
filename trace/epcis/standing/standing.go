// Package standing keeps named queries of EPCIS and tells those who subscribed to them,
// EPCIS 2.0 sections 8.2.5 and 12.8: as soon as an event is captured, or by a schedule.
//
// A subscriber is told of every event that meets the query and is recorded after the
// subscription began, in the order of recording, at least once: where the receiver does
// not answer with 2xx, the same events are sent again later, and those behind them wait.
// A subscription is never given up; how long it has failed is shown.
package standing

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"sync"
	"time"

	"tianhai/trace/epcis"
	"tianhai/trace/epcis/query"
	"tianhai/trace/epcis/repository"
)

// Limits of a tenant.
const (
	MaxQueries       = 100
	MaxSubscriptions = 100
	maxToken         = 200  // bytes
	maxDest          = 2000 // bytes
)

// A Query is a query under a name, which is its tenant's.
type Query struct {
	Tenant     string
	Name       string
	Definition json.RawMessage // as query.ParseJSON reads it
	Account    string
	Created    time.Time
}

var queryName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._~-]{0,63}$`)

// Check says in a *query.Error what is wrong with the name or the definition.
func (q Query) Check() error {
	if !queryName.MatchString(q.Name) || q.Name == repository.SimpleEventQuery || q.Name == "SimpleMasterDataQuery" {
		return &query.Error{Kind: query.Definition, Name: "name", Reason: "is not 1 to 64 letters, digits and . _ ~ -, or is a name of the standard"}
	}
	_, err := query.ParseJSON(q.Definition)
	return err
}

// A Subscription asks to be told what a query finds.
type Subscription struct {
	ID      string // ULID
	Tenant  string
	Query   string // its name
	Account string
	Program string // of the operator, that subscribed; "" for a person. It ends with the program.
	Created time.Time
	Controls
	Format epcis.Format // of keys
	Dest   string       // where it is posted to
	// Token signs what is posted: GS1-Signature is the base64 of HMAC-SHA256 with it over
	// the body. "" for no signature.
	Token string

	Seq      int64     // of events up to it, the subscriber was told
	Next     time.Time // of the next attempt
	Attempts int       // that failed since the last that did not
	Reason   string    // of the last failure
}

// String tells no secret: many services put a key into the URL.
func (s Subscription) String() string { return "subscription " + s.ID }

// GoString is String.
func (s Subscription) GoString() string { return s.String() }

// LogValue is String.
func (s Subscription) LogValue() slog.Value { return slog.StringValue(s.String()) }

// Controls say when a subscriber is told.
type Controls struct {
	Stream        bool
	Schedule      Schedule // zero with Stream
	ReportIfEmpty bool     // also where there is nothing to tell, by schedule
	// InitialRecordTime is from when on events count; zero: those after the subscription.
	InitialRecordTime time.Time
}

// Check says in a *ControlError what is wrong.
func (c Controls) Check() error {
	switch {
	case c.Stream && !c.Schedule.IsZero():
		return &ControlError{"stream", "and schedule exclude each other"}
	case !c.Stream && c.Schedule.IsZero():
		return &ControlError{"schedule", "is missing; want a schedule, or stream true to be told at once"}
	case c.Stream && c.ReportIfEmpty:
		return &ControlError{"reportIfEmpty", "goes with a schedule; a stream tells of events alone"}
	case c.Stream:
		return nil
	}
	return c.Schedule.Check()
}

// Check says in a *ControlError what is wrong with what a subscriber wrote.
func (s Subscription) Check() error {
	u, err := url.Parse(s.Dest)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || len(s.Dest) > maxDest {
		return &ControlError{"dest", "is not of the form https://host/path"}
	}
	if len(s.Token) > maxToken {
		return &ControlError{"signatureToken", "has more than 200 bytes"}
	}
	return s.Controls.Check()
}

// ErrFull reports that a tenant has as many queries or subscriptions as it may.
var ErrFull = errors.New("the operator has as many as it may")

// Store keeps queries and subscriptions. What does not exist is farm.ErrNotFound.
type Store interface {
	// DueSubscriptions returns those that have something to do at a time, at most so
	// many: scheduled ones whose time has come, and streams that are behind an event.
	DueSubscriptions(ctx context.Context, now time.Time, last int64, limit int) ([]Subscription, error)
	// SetSubscription writes Seq, Next, Attempts and Reason.
	SetSubscription(ctx context.Context, s Subscription) error
	DeleteSubscription(ctx context.Context, tenant, query, id string) error
	NamedQuery(ctx context.Context, tenant, name string) (Query, error)
}

// Events reads events.
type Events interface {
	FindEvents(ctx context.Context, a repository.Ask) ([]repository.Stored, error)
	CountEvents(ctx context.Context, a repository.Ask, most int) (int, error)
	LastEvent(ctx context.Context) (int64, error)
	// CompanyPrefixes returns those that operators stated, sorted.
	CompanyPrefixes(ctx context.Context, in repository.Scope) ([]string, error)
}

// A Config says what a Service works with.
type Config struct {
	Store  Store
	Events Events
	// Admits reports whether a program of an operator is still let in. It is asked
	// before each document. nil: every one is.
	Admits func(ctx context.Context, program string) (bool, error)
	Client *http.Client     // dials for addresses that subscribers give; redirects are refused with any
	Now    func() time.Time // nil: time.Now
	Logger *slog.Logger     // nil: slog.DiscardHandler
}

// A Service tells subscribers; Run does its work.
type Service struct {
	cfg  Config
	wake chan struct{}

	mu        sync.Mutex // guards what follows
	listeners map[chan struct{}]bool
	busy      map[string]bool // subscriptions that have their turn
}

// New returns a Service. It does no I/O.
func New(cfg Config) *Service {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	client := http.Client{}
	if cfg.Client != nil {
		client = *cfg.Client
	}
	// Whoever may answer for an address must not send the events elsewhere.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	cfg.Client = &client
	return &Service{cfg: cfg, wake: make(chan struct{}, 1), listeners: map[chan struct{}]bool{}, busy: map[string]bool{}}
}

// Wake says that events were captured, or queries deleted. It never blocks.
func (s *Service) Wake() {
	ring(s.wake)
	s.mu.Lock()
	defer s.mu.Unlock()
	for l := range s.listeners {
		ring(l)
	}
}

func ring(bell chan struct{}) {
	select {
	case bell <- struct{}{}:
	default:
	}
}

// Listen returns a channel that has something in it after each Wake, until stop is
// called.
func (s *Service) Listen() (bell <-chan struct{}, stop func()) {
	l := make(chan struct{}, 1)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listeners[l] = true
	return l, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.listeners, l)
	}
}
