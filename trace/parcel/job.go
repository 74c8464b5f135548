package parcel

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tianhai/farm"
	"tianhai/table"
)

// State is how far a Package is.
type State string

// The states of a package.
const (
	Waiting   State = "waiting"
	Running   State = "running"
	Done      State = "done"
	Failed    State = "failed"
	Cancelled State = "cancelled" // called off before it was done
	Deleted   State = "deleted"   // somebody deleted its files
	Expired   State = "expired"   // its files made room for later ones, were Keep old, or may hold what was erased since
)

// A Form is one of the files of a package.
type Form string

// The forms.
const (
	JSON Form = "json"
	XLSX Form = "xlsx"
)

// Forms lists them.
func Forms() []Form { return []Form{JSON, XLSX} }

// Media is the media type of a form.
func (f Form) Media() string {
	if f == XLSX {
		return table.XLSXType
	}
	return "application/json"
}

// Limits of packages that are ordered. What is beyond MaxKept and MaxBytes are an
// operator's oldest, which are deleted: another can always be made.
const (
	MaxOpen  = 5                   // of one operator that wait or run
	MaxKept  = 50                  // of one operator that are kept
	MaxBytes = 4 << 30             // of files of one operator, and so of one package
	Keep     = 30 * 24 * time.Hour // of files
)

// ErrFull reports that as many packages wait or run as may.
var ErrFull = fmt.Errorf("%d packages wait or run already", MaxOpen)

// errTooLarge reports files of more than MaxBytes.
var errTooLarge = errors.New("the files are too large; make the period shorter")

// Why a package failed.
const (
	ReasonTooMany  = "too_many"  // ErrTooMany
	ReasonTooLarge = "too_large" // beyond MaxBytes
	ReasonDisk     = "disk_full"
	ReasonInternal = "internal" // the log says more
)

// A File is one of a package's.
type File struct {
	Form   Form   `json:"form"`
	Size   int64  `json:"size"`   // bytes
	SHA256 string `json:"sha256"` // hex
}

// A Package is an order for one, and what has become of it.
type Package struct {
	ID       string `json:"id"` // ULID, the client's
	Operator string `json:"operator"`
	// Region and Name are the operator's, as stored; read only.
	Region string    `json:"-"`
	Name   farm.Text `json:"operator_name"`
	Period
	Account string    `json:"account"` // who ordered it
	State   State     `json:"state"`
	Created time.Time `json:"created"`
	Ended   time.Time `json:"ended,omitzero"`
	Expires time.Time `json:"expires,omitzero"` // when its files are deleted
	Done    int       `json:"done"`             // records that are written
	Total   int       `json:"total"`            // records to write; 0 until they are counted
	Tally   Tally     `json:"tally"`
	Files   []File    `json:"files"`            // empty where there are none
	Reason  string    `json:"reason,omitempty"` // of a failure
	// Handover is how it is handed over to the platform, as stored; read only. Nil:
	// nobody asked for it.
	Handover *Handover `json:"handover,omitempty"`
}

// Same reports whether two were ordered alike.
func (p Package) Same(o Package) bool {
	return p.ID == o.ID && p.Operator == o.Operator && p.From.Equal(o.From) && p.To.Equal(o.To)
}

// Size is that of its files, in bytes.
func (p Package) Size() (n int64) {
	for _, f := range p.Files {
		n += f.Size
	}
	return n
}

// A Book keeps packages.
type Book interface {
	// AddPackage stores an order; one under its ID is farm.ErrConflict, ErrFull one
	// beyond MaxOpen.
	AddPackage(ctx context.Context, p Package) error
	Package(ctx context.Context, id string) (Package, error) // farm.ErrNotFound
	// OpenPackage returns the oldest that waits or runs; farm.ErrNotFound.
	OpenPackage(ctx context.Context) (Package, error)
	// SetPackage stores what has become of one that is in one of the states; from any
	// other it is farm.ErrConflict.
	SetPackage(ctx context.Context, p Package, from ...State) error
	// StalePackages returns those that are done and expire by a time, or are beyond
	// MaxKept or MaxBytes of their operator, counted from the latest, or were ordered
	// before an erasure of its.
	StalePackages(ctx context.Context, now time.Time) ([]Package, error)
}
