// Package recall takes products back: it knows which batches share a cause of harm,
// who holds them, and what has become of every part of them.
//
// A recall begins with causes: a batch, a lot of an input, what grew on a site in a
// period. Every batch that one of them touches is in it, and every batch made of one
// that is, also where it was made, opened or coded after the recall began: whether a
// batch is recalled is asked anew each time, not looked up in a list. Only a batch
// that was cleared, with a reason, is out, and what was made of it alone.
//
// Everything said of a recall is a Step: to open it, to widen or narrow it, what was
// located, returned, destroyed or released, to close it. Steps are appended and
// sealed as trace.Records; what a recall is now is read from their bytes. Of each
// holding every part is always in exactly one State, so that progress can never
// come to more than there was.
package recall

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"tianhai/farm"
	"tianhai/trace/chain"
)

// RecordKind is the kind of a trace.Record that holds a Step; its subject is the
// recall's ID.
const RecordKind = "recall"

// Limits of one recall.
const (
	MaxBatches = 5000 // in it
	MaxCauses  = 500
	MaxSteps   = 10000
	maxText    = 2000 // characters of each text
)

var (
	// ErrClosed reports a step of a recall that is closed. It stays so; what comes
	// to light later is another recall.
	ErrClosed = errors.New("recall is closed")
	// ErrEmpty reports a start that no batch shares anything with.
	ErrEmpty = errors.New("no batch is concerned")
	// ErrTooLarge reports a recall beyond MaxBatches or MaxCauses: several, each of a
	// shorter period, can be followed up, one of everything cannot.
	ErrTooLarge = errors.New("too many batches or causes for one recall")
	// ErrUnaccounted reports a closure without a reason while some of it is not
	// accounted for.
	ErrUnaccounted = errors.New("not everything is accounted for")
)

// A FieldError says which field of a step cannot be, and why.
type FieldError struct {
	Field  string // JSON member
	Reason string // English
}

// Error implements error.
func (e *FieldError) Error() string { return e.Field + " " + e.Reason }

func field(name, format string, args ...any) error {
	return &FieldError{name, fmt.Sprintf(format, args...)}
}

// An AmountError reports progress of more than there is.
type AmountError struct {
	Batch string
	State State        // that it was to be taken from; empty for any
	Left  chain.Amount // in that state
}

// Error implements error.
func (e *AmountError) Error() string {
	return fmt.Sprintf("of batch %s there is only %s to take from", e.Batch, e.Left)
}

// A Refused reports that a batch may not be moved or sold, because it is recalled.
type Refused struct {
	Batch  string
	Recall string // ID
	Number string
}

// Error implements error.
func (e *Refused) Error() string { return fmt.Sprintf("batch %s is recalled by %s", e.Batch, e.Number) }

// A StartKind is what a recall begins with.
type StartKind string

// What a recall can begin with.
const (
	FromBatch StartKind = "batch"
	FromLot   StartKind = "lot"  // of an input
	FromSite  StartKind = "site" // and a period
	FromTest  StartKind = "test" // a laboratory report
)

// A Start is what is known when a recall begins.
type Start struct {
	Kind StartKind `json:"kind"`
	ID   string    `json:"id"` // of the batch, lot, site or report
	// From and To are a site's period, by whole Beijing days, both included.
	From time.Time `json:"from,omitzero"`
	To   time.Time `json:"to,omitzero"`
	// Without are keys of causes that are left out, see Cause.Key.
	Without []string `json:"without,omitempty"`
}

// Check reports what keeps s from being a start: *FieldError.
func (s Start) Check() error {
	switch s.Kind {
	case FromBatch, FromLot, FromSite, FromTest:
	default:
		return field("start.kind", "is none of batch, lot, site, test")
	}
	if s.ID == "" || len(s.ID) > farm.MaxIDLength {
		return field("start.id", "is missing or too long")
	}
	if s.Kind != FromSite {
		if !s.From.IsZero() || !s.To.IsZero() {
			return field("start.from", "is only for a site")
		}
		return nil
	}
	if s.From.IsZero() || s.To.IsZero() || s.To.Before(s.From) {
		return field("start.to", "is missing or before from")
	}
	if s.To.Sub(s.From) > 10*366*24*time.Hour {
		return field("start.to", "is more than ten years after from")
	}
	return nil
}

// A Reason is why a batch is in a recall.
type Reason string

// The reasons.
const (
	ByStart   Reason = "start"   // the recall begins with it
	ByOrigin  Reason = "origin"  // what the recall begins with was made of it
	ByHarvest Reason = "harvest" // harvested on the same site and day
	ByLot     Reason = "lot"     // the lot was used where and while it grew
	BySite    Reason = "site"    // it grew on the site in the period
	ByMade    Reason = "made"    // made of a batch in the recall
	ByName    Reason = "name"    // added by name
)

// A Why is one reason, and what it is about.
type Why struct {
	Reason Reason `json:"reason"`
	Of     string `json:"of"` // the batch, lot or site
}

// An Opening is what is said when a recall begins. All of it is public.
type Opening struct {
	Start  Start     `json:"start"`
	Reason farm.Text `json:"reason"` // why products are taken back
	Hazard farm.Text `json:"hazard"` // what they may do
	Advice farm.Text `json:"advice"` // what consumers should do
	// Contact is whom to call. Of a natural person it is personal data, and the
	// sealed bytes hold a commitment in its place.
	Contact string `json:"contact,omitempty"`
}

// Check reports what is missing or too long: *FieldError.
func (o Opening) Check() error {
	if err := o.Start.Check(); err != nil {
		return err
	}
	for _, f := range []struct {
		name string
		text farm.Text
	}{{"reason", o.Reason}, {"hazard", o.Hazard}, {"advice", o.Advice}} {
		if err := checkText(f.name+".zh", f.text.Zh, true); err != nil {
			return err
		}
		if err := checkText(f.name+".en", f.text.En, false); err != nil {
			return err
		}
	}
	return checkText("contact", o.Contact, true)
}

func checkText(name, text string, needed bool) error {
	if needed && strings.TrimSpace(text) == "" {
		return field(name, "is missing")
	}
	if n := len([]rune(text)); n > maxText {
		return field(name, "has %d characters, at most %d are allowed", n, maxText)
	}
	return nil
}

// A Holding is what somebody has, or had, of a batch when it was recalled.
type Holding struct {
	Batch   string       `json:"batch"`
	Code    string       `json:"code,omitempty"` // empty where none was issued yet
	Holder  string       `json:"holder"`         // tenant; of a sale to somebody outside, who sold it
	Sale    string       `json:"sale,omitempty"` // the movement by which it left, to somebody outside or on the way to Holder
	Product string       `json:"product"`
	Lot     string       `json:"lot"`
	Made    chain.Amount `json:"made"` // of the batch
	Held    chain.Amount `json:"held"` // of it by this holder
	// Used is what of the batch had gone into others; of a sale nothing is said. It
	// tells later what of that came back.
	Used chain.Amount `json:"used,omitzero"`
	Why  []Why        `json:"why"`
}

// Key names the holding within a recall.
func (h Holding) Key() string { return holdingKey(h.Batch, h.Sale) }

func holdingKey(batch, sale string) string { return batch + "/" + sale }
