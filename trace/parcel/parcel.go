// Package parcel makes packages for the platforms of province and state: everything
// that one operator had sealed in a period, as one JSON document for programs and as
// a workbook for officers.
//
// Both files of a package are written in one pass over the records, so they hold the
// same ones. A record is of the period in which it was recorded, by the server's
// clock and whatever time it tells of: packages of neighbouring periods share no
// record, and together hold what one package of both would.
//
// The form is this system's own. The interfaces of the platforms and the tables of
// NY/T 4712-2025 were not to be had.
package parcel

import (
	"context"
	_ "embed"
	"fmt"
	"time"

	"tianhai/farm"
	"tianhai/trace"
	"tianhai/trace/catalog"
	"tianhai/trace/chain"
)

// Format and Version name the form of the JSON document. A change that an old reader
// would misread makes another version.
const (
	Format  = "tianhai-package"
	Version = 2
)

//go:embed package-v2.schema.json
var schema []byte

// SchemaID names the schema wherever it is kept; SchemaPath is where a server has it.
const (
	SchemaID   = "urn:tianhai:package:2"
	SchemaPath = "/schemas/package-v2.schema.json"
)

// Schema returns the JSON Schema (2020-12) of the JSON document.
func Schema() []byte { return schema }

// Limits of a package.
const (
	MaxRecords = 500_000 // each is a row of one sheet, and a sheet has room for twice as many
	MaxDays    = 366
)

// ErrTooMany reports a period with more than MaxRecords.
var ErrTooMany = fmt.Errorf("more than %d records; make the period shorter", MaxRecords)

// A FieldError says which field of an order cannot be, and why.
type FieldError struct {
	Field  string // JSON member
	Reason string // English
}

// Error implements error.
func (e *FieldError) Error() string { return e.Field + " " + e.Reason }

// A Period is days in Beijing, as the instants From ≤ t < To.
type Period struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// beijing is what the days of a period, and the times of a workbook, are reckoned by.
func beijing() *time.Location { return time.FixedZone("UTC+8", 8*3600) }

// Days returns the period from a first day to a last, both included, written as
// 2026-01-31. Errors: *FieldError.
func Days(first, last string) (Period, error) {
	from, err := time.ParseInLocation(time.DateOnly, first, beijing())
	if err != nil {
		return Period{}, &FieldError{"first", "is not a day such as 2026-01-31"}
	}
	to, err := time.ParseInLocation(time.DateOnly, last, beijing())
	if err != nil {
		return Period{}, &FieldError{"last", "is not a day such as 2026-01-31"}
	}
	switch days := int(to.Sub(from).Hours()/24) + 1; {
	case days < 1:
		return Period{}, &FieldError{"last", "is before the first day"}
	case days > MaxDays:
		return Period{}, &FieldError{"last", fmt.Sprintf("makes it %d days; a package is of %d at most", days, MaxDays)}
	}
	return Period{from.UTC(), to.AddDate(0, 0, 1).UTC()}, nil
}

// Month returns the month before the one in which t is, in Beijing.
func Month(t time.Time) Period {
	y, m, _ := t.In(beijing()).Date()
	first := time.Date(y, m, 1, 0, 0, 0, 0, beijing())
	return Period{first.AddDate(0, -1, 0).UTC(), first.UTC()}
}

// First and Last are the days that the period begins and ends with.
func (p Period) First() string { return p.From.In(beijing()).Format(time.DateOnly) }

// Last is the last day of the period.
func (p Period) Last() string { return p.To.In(beijing()).AddDate(0, 0, -1).Format(time.DateOnly) }

// Facts are what a package says of its operator. They are not sealed, and stand as
// they are when it is made.
type Facts struct {
	Operator farm.Tenant
	Sites    []farm.Site
	Licences []farm.Licence
	Logs     []trace.LogState // whose checkpoints cover the leaves
}

// Source knows what goes into a package.
type Source interface {
	Facts(ctx context.Context, operator string) (Facts, error) // farm.ErrNotFound
	// CountRecords returns how many EachRecord would pass, by kind.
	CountRecords(ctx context.Context, operator string, from, to time.Time) (map[string]int, error)
	// EachRecord passes the records with from ≤ At < to, oldest first, with the
	// personal data that were not erased.
	EachRecord(ctx context.Context, operator string, from, to time.Time, each func(trace.Record) error) error
	// EachBatchRecord passes those of closed batches with at ≥ from.
	EachBatchRecord(ctx context.Context, operator string, from time.Time, each func(trace.Record) error) error
	Goods(ctx context.Context, batches []string) ([]chain.Goods, error)
}

// Catalogs has the words of operations and items; *catalog.Library does.
type Catalogs interface {
	Current() *catalog.Catalog
	At(ctx context.Context, version int) (*catalog.Catalog, error)
}
