// Package repository keeps the EPCIS events that partners capture and answers queries
// for them, EPCIS 2.0 section 8.
//
// What is accepted is kept: a capture job is stored with its document before its
// sender is answered, and goes on after a crash where it stood. With rollback, the
// default, its events are appended all or none; with proceed, those that can be. An
// event is never changed: what was wrong is declared by another of the same ID.
//
// Each event belongs to one tenant. Events are numbered in the order in which they
// were recorded, and nobody sees a number before all lower ones.
package repository

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"tianhai/trace/epcis"
	"tianhai/trace/epcis/query"
)

// Limits of a capture, GS1-EPCIS-Capture-Limit and GS1-EPCIS-Capture-File-Size-Limit.
const (
	MaxEvents   = 1000
	MaxDocument = 4 << 20 // bytes
	MaxEventID  = 1000    // bytes
)

// A Scope says whose events may be seen: of one tenant, of those of a region, or where
// it is zero, of all.
type Scope struct {
	Tenant string
	Region string // GB/T 2260
}

// A Stored event is one as the repository has it.
type Stored struct {
	Seq      int64 // in the order of recording, over all tenants
	Tenant   string
	ID       string
	Type     string
	Time     time.Time
	Recorded time.Time
	Context  string // as epcis.Event has it
	JSON     []byte // without its context
}

// An Ask is a page of the events that meet a query.
type Ask struct {
	Scope Scope
	Query query.Query
	// Those with Since < Seq ≤ UpTo; UpTo 0 is no bound. They hold still what is
	// read in pages while events come in.
	Since, UpTo int64
	After       *Stored // the last of the page before; nil at the beginning
	Skip        int     // instead of After, where the order is that of a field
	Limit       int     // events in the page
}

// A Values asks for the different values that fields have, sorted.
type Values struct {
	Scope  Scope
	Fields []string // of terms
	After  string
	Limit  int
}

// Shelf keeps events.
type Shelf interface {
	// CaptureEvents writes a Batch, all or nothing. It returns the places of events
	// whose ID is taken; nothing is written where there are any.
	CaptureEvents(ctx context.Context, b Batch) (taken []int, err error)
	FindEvents(ctx context.Context, a Ask) ([]Stored, error)
	// CountEvents counts those that meet a query, up to a number.
	CountEvents(ctx context.Context, a Ask, most int) (int, error)
	EventValues(ctx context.Context, v Values) ([]string, error)
	// LastEvent returns the highest Seq; 0 where there is no event.
	LastEvent(ctx context.Context) (int64, error)
}

// A Batch is appended at once.
type Batch struct {
	Tenant string
	Events []*epcis.Event
	NewID  func() string   // for events without an ID
	Master []epcis.Element // what is said of an ID takes the place of what was said
	Job    *Job            // whose state is written with it; nil: none
}

// A Job is a capture, EPCIS 2.0 section 12.7.
type Job struct {
	ID       string // ULID
	Tenant   string
	Account  string
	Created  time.Time
	Finished time.Time // zero while it runs
	Proceed  bool
	Success  bool // no error so far
	Total    int  // events of the document
	Done     int  // of them, dealt with
	Errors   []Fault
	Document []byte // nil once finished
}

// Running reports whether the job is still at work.
func (j Job) Running() bool { return j.Finished.IsZero() }

// A Fault is why an event of a job was not captured.
type Fault struct {
	Exception string `json:"exception"` // of the standard, without its last word: Validation, ResourceAlreadyExists
	Pointer   string `json:"pointer"`   // RFC 6901, into the document
	Detail    string `json:"detail"`
}

// maxJobFaults is how many a job keeps.
const maxJobFaults = 1000

// Jobs keeps capture jobs. What does not exist is farm.ErrNotFound.
type Jobs interface {
	AddCapture(ctx context.Context, j Job) error
	// SetCapture writes Finished, Success, Done and Errors, and drops the document of
	// a job that is finished. It is farm.ErrNotFound where the job is as far already:
	// another process works at it too.
	SetCapture(ctx context.Context, j Job) error
	// CaptureJob returns a job without its document.
	CaptureJob(ctx context.Context, in Scope, id string) (Job, error)
	// CaptureJobs returns jobs without their documents, newest first: those behind
	// an ID, or from the newest where it is empty.
	CaptureJobs(ctx context.Context, in Scope, after string, limit int) ([]Job, error)
	// OpenCapture returns the oldest running job, with its document, of those whose ID
	// is behind one.
	OpenCapture(ctx context.Context, after string) (Job, error)
}

// An InvalidError says where a document breaks the standard.
type InvalidError struct{ Faults []epcis.Fault }

func (e *InvalidError) Error() string {
	if len(e.Faults) == 1 {
		return e.Faults[0].String()
	}
	return fmt.Sprintf("%v, and %d more", e.Faults[0], len(e.Faults)-1)
}

// Errors of a capture.
var (
	// ErrLimit reports more events or bytes than MaxEvents and MaxDocument.
	ErrLimit = errors.New("the document is larger than a capture may be")
	// ErrTaken reports an event whose ID another has.
	ErrTaken = errors.New("an event of this ID was captured before")
)

// A Config says what a Repository works with.
type Config struct {
	Shelf  Shelf
	Jobs   Jobs
	Now    func() time.Time // nil: time.Now
	Logger *slog.Logger     // nil: slog.DiscardHandler
	// Captured is called when events were appended; it must not block. May be nil.
	Captured func()
}

// A Repository captures events; Run works at its jobs. Several processes may share a
// shelf and work at the same jobs: what each brings about is there once.
type Repository struct {
	cfg  Config
	wake chan struct{}
}

// New returns a repository. It does no I/O.
func New(cfg Config) *Repository {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Captured == nil {
		cfg.Captured = func() {}
	}
	return &Repository{cfg: cfg, wake: make(chan struct{}, 1)}
}
