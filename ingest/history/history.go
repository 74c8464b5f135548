// Package history brings old data in: files of measurements from before
// (backfill), and frames that were read wrongly or not at all (replay).
//
// Either is a job, kept in the records database: it takes minutes to hours, goes
// on where it was after a restart or a crash, and can be called off. A job reads
// with the registry, the formats and the calibrations of now, and every value
// gets the site and the calibration of its own time. Nothing of it passes
// through the journal: old data can neither crowd out live data, raise an alarm,
// nor change what the quality tests expect of the readings that arrive. A point
// is keyed by series and time, so a job that runs again changes nothing.
package history

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/oklog/ulid/v2"

	"tianhai/farm"
	"tianhai/ingest"
)

// Kind is what a job does.
type Kind string

// The kinds of jobs.
const (
	KindBackfill Kind = "backfill"
	KindReplay   Kind = "replay"
)

// State is how far a job has come.
type State string

// The states of a job. One that is done may have refused rows: see Progress.
const (
	Waiting   State = "waiting"
	Running   State = "running"
	Done      State = "done"
	Failed    State = "failed" // Job.Error says why
	Cancelled State = "cancelled"
)

// Limits of jobs.
const (
	MaxProblems = 100  // that a job keeps; Progress.Refused counts all
	MaxOpen     = 20   // jobs of one tenant that wait or run, those of the system apart
	MaxDevices  = 1000 // that one replay names
	// KeepJobs is how long a job that ended can be read.
	KeepJobs = 365 * 24 * time.Hour
)

// System is the account of jobs that nobody asked for: replays after a device, a
// model or the program was mended.
const System = "system"

// ErrTooMany reports that a tenant has MaxOpen jobs already. It is passing.
var ErrTooMany = fmt.Errorf("%w: %d jobs wait or run already", ingest.ErrBusy, MaxOpen)

// A Job is one piece of work. Exactly one of Backfill and Replay is set.
type Job struct {
	ID       string    `json:"id"` // ULID
	Kind     Kind      `json:"kind"`
	Tenant   string    `json:"tenant,omitempty"` // whose devices it may touch; empty: everybody's
	Account  string    `json:"account"`          // who asked; System
	State    State     `json:"state"`
	Backfill *Backfill `json:"backfill,omitempty"`
	Replay   *Replay   `json:"replay,omitempty"`
	Progress Progress  `json:"progress"`
	Error    string    `json:"error,omitempty"`
	Tries    int       `json:"-"` // starts without progress
	Created  time.Time `json:"created"`
	Started  time.Time `json:"started,omitzero"` // first
	Updated  time.Time `json:"updated,omitzero"` // last progress
	Ended    time.Time `json:"ended,omitzero"`
}

// A Backfill says how to read a file.
type Backfill struct {
	File   string `json:"file"`             // its name, for people
	Device string `json:"device,omitempty"` // of rows without one of their own
	Zone   string `json:"zone"`             // of times without one of their own, such as "Asia/Shanghai"
	Sheet  string `json:"sheet,omitempty"`  // of a workbook; empty: the first
	// Columns says what a column is, by its header: a channel's key or a quantity
	// of the device's model, or one of "time", "date", "device" and "-" (not read).
	// Columns that it does not name are told by their headers.
	Columns map[string]string `json:"columns,omitempty"`
	// Measured says that the values are in the units of the headers and final. As
	// a rule they are what the device says, and the calibration of their time
	// applies.
	Measured bool `json:"measured,omitempty"`
}

// A Replay chooses frames received From ≤ t < To.
type Replay struct {
	Devices        []string  `json:"devices,omitempty"` // empty: all of the job's tenant
	From           time.Time `json:"from,omitzero"`     // zero: the oldest there is
	To             time.Time `json:"to,omitzero"`       // zero: when the job was made
	QuarantineOnly bool      `json:"quarantine_only"`   // leave alone what was stored whole
}

// Progress is what a job has done. Repeats after a crash do not count.
type Progress struct {
	Done     int64     `json:"done"`     // rows of the file; records of the journal, which hold up to 512 frames each
	Total    int64     `json:"total"`    // 0 before it is known
	Stored   int64     `json:"stored"`   // rows or frames of which something was stored
	Refused  int64     `json:"refused"`  // rows or frames of which something was not
	Readings int64     `json:"readings"` // stored
	Released int64     `json:"released"` // frames that left quarantine
	Ignored  []string  `json:"ignored"`  // columns of the file that were not read
	Problems []Problem `json:"problems"` // the first MaxProblems
	Cursor   Cursor    `json:"-"`        // where to go on
}

// A Cursor is where a job goes on.
type Cursor struct {
	Basis string `json:"basis,omitempty"` // what At counts in; another basis begins anew
	At    uint64 `json:"at,omitempty"`
	Since int64  `json:"since,omitempty"` // Unix ns; of a replay, when the last frame was received
}

// A Problem is one thing that was not stored.
type Problem struct {
	Line   int       `json:"line,omitempty"`   // of the file, from 1
	Column string    `json:"column,omitempty"` // its header
	Device string    `json:"device,omitempty"`
	At     time.Time `json:"at,omitzero"` // of the row, or when the frame was received
	Reason string    `json:"reason"`
}

func (p Problem) String() string {
	var b strings.Builder
	if p.Line > 0 {
		fmt.Fprintf(&b, "line %d: ", p.Line)
	}
	if p.Column != "" {
		fmt.Fprintf(&b, "column %q: ", p.Column)
	}
	if p.Line == 0 && p.Device != "" {
		fmt.Fprintf(&b, "%s at %s: ", p.Device, p.At.Format(time.RFC3339))
	}
	return b.String() + p.Reason
}

// note keeps a problem while there is room.
func (p *Progress) note(pr Problem) {
	if len(p.Problems) < MaxProblems {
		pr.Reason = short(pr.Reason)
		p.Problems = append(p.Problems, pr)
	}
}

// short bounds what a file or a frame can make us keep.
func short(s string) string {
	const limit = 300 // bytes
	s = strings.ToValidUTF8(s, "�")
	if len(s) <= limit {
		return s
	}
	for s = s[:limit]; !utf8.ValidString(s); s = s[:len(s)-1] {
	}
	return s + "…"
}

// A Store keeps jobs in the records database. What it has returned nil for is on
// disk.
type Store interface {
	// CreateJob adds a job; ErrTooMany.
	CreateJob(ctx context.Context, j Job) error
	// TakeJob returns the job to work on: one that runs, since only a crash leaves
	// it so, or else the one that has waited longest, which runs from now on. Its
	// Tries count this one. farm.ErrNotFound when there is none.
	TakeJob(ctx context.Context, now time.Time) (Job, error)
	// SaveJob writes state, progress and error of a running job; farm.ErrConflict
	// when it does not run any more.
	SaveJob(ctx context.Context, j Job) error
	// OpenJobs returns the IDs of those that wait or run.
	OpenJobs(ctx context.Context) ([]string, error)
}

// A Fleet knows whose a device is.
type Fleet interface {
	// Owner returns the tenant of a device; farm.ErrNotFound.
	Owner(ctx context.Context, device string) (tenant string, err error)
	// DevicesOf returns the devices of a tenant.
	DevicesOf(ctx context.Context, tenant string) ([]string, error)
}

// newJob makes a job of an order and checks it.
func newJob(tenant, account string, now time.Time) Job {
	now = now.UTC().Truncate(time.Millisecond)
	return Job{
		ID:     ulid.MustNew(ulid.Timestamp(now), ulid.DefaultEntropy()).String(),
		Tenant: tenant, Account: account, State: Waiting, Created: now,
	}
}

// An OrderError says what is wrong with what was asked for.
type OrderError struct {
	Field  string // as in JSON, or "file"
	Reason string
}

func (e *OrderError) Error() string { return e.Field + ": " + e.Reason }

func wrong(field, format string, args ...any) error {
	return &OrderError{field, short(fmt.Sprintf(format, args...))}
}

// check completes a replay and says what is wrong with it.
func (r *Replay) check(ctx context.Context, fleet Fleet, j *Job) error {
	if len(r.Devices) > MaxDevices {
		return wrong("devices", "are more than %d", MaxDevices)
	}
	for _, d := range r.Devices {
		if d == "" || len(d) > ingest.MaxDevice {
			return wrong("devices", "%q is the name of no device", d)
		}
		if err := mayTouch(ctx, fleet, j.Tenant, d); err != nil {
			return err
		}
	}
	if r.To.IsZero() || r.To.After(j.Created) {
		r.To = j.Created
	}
	if !r.From.Before(r.To) {
		return wrong("from", "is not before to")
	}
	r.From, r.To = r.From.UTC(), r.To.UTC()
	return nil
}

// mayTouch is nil where a job of the tenant may touch the device. That of another
// tenant is as unknown as one that does not exist; nobody's are everybody's jobs'.
func mayTouch(ctx context.Context, fleet Fleet, tenant, device string) error {
	if tenant == "" {
		return nil
	}
	owner, err := fleet.Owner(ctx, device)
	if errors.Is(err, farm.ErrNotFound) || err == nil && owner != tenant {
		return wrong("devices", "%s is not known", device)
	}
	return err
}
