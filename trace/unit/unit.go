// Package unit gives every single packet a code of its own, and follows codes from
// the printer to the batch or into the bin.
//
// Codes are issued by the roll: up to a million of them at once, which cost one row.
// A code is not drawn but computed, from a key of this server, the roll and the
// number on it, by a cipher over 60 bits; so whoever has no key can tell it from
// random bits as little as guess it, no two codes are ever equal, and a code that is
// scanned says by itself which roll and number it is. The Merkle root of a roll is
// sealed when it is issued, and any single code can be proven to be under it.
//
// What becomes of codes is told in Steps, each sealed: they are printed, bound to a
// batch by the first and the last, voided, destroyed. What a code is now follows from
// the steps in their order.
//
// A roll may have covered codes: a short second code under a coating that the buyer
// scratches off. It proves once that the packet is bought; guesses are counted before
// they are looked at.
package unit

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"tianhai/farm"
)

// Kinds of trace.Record; the subject of each is the roll's ID.
const (
	RollRecord = "roll"
	StepRecord = "roll_step"
)

// Limits.
const (
	MaxCodes = 1_000_000 // of one roll
	MaxSteps = 10_000    // of one roll
	MaxRolls = 10_000    // of one tenant
	maxText  = 500       // characters of a note or reason
)

// ErrFull reports a roll with MaxSteps, or a tenant with MaxRolls.
var ErrFull = errors.New("there are as many as there may be")

// A Roll is a range of unit codes that were issued together.
type Roll struct {
	ID      string    `json:"id"` // ULID, the client's
	Tenant  string    `json:"tenant"`
	Product string    `json:"product,omitempty"` // "": of any
	GTIN    string    `json:"gtin,omitempty"`    // of the product; the codes are its serial numbers (AI 21)
	Codes   int       `json:"codes"`             // 1 to MaxCodes; they are numbered from 1
	Covered bool      `json:"covered"`           // each has a covered code
	Note    string    `json:"note,omitempty"`
	Root    string    `json:"root"`    // RFC 6962 tree of Proof.Leaf, hex
	Account string    `json:"account"` // who issued it
	Issued  time.Time `json:"issued"`
	Number  int64     `json:"-"` // what codes are made of
	Steps   int       `json:"-"` // how many there are
}

// A Kind is what a Step does.
type Kind string

// What can be done with codes.
const (
	Print    Kind = "print"
	Reprint  Kind = "reprint" // labels that came out badly, once more
	Bind     Kind = "bind"
	Void     Kind = "void"    // codes that are worth nothing from now on, wherever the labels are
	Destroy  Kind = "destroy" // labels that are gone
	Withdraw Kind = "withdraw"
)

// A Step says what was done with the codes from First to Last, both included.
type Step struct {
	ID        string    `json:"id"` // ULID, the client's
	Roll      string    `json:"roll"`
	Tenant    string    `json:"tenant"`
	Kind      Kind      `json:"kind"`
	First     int       `json:"first"`
	Last      int       `json:"last"`
	Batch     string    `json:"batch,omitempty"`     // of Bind
	Withdraws string    `json:"withdraws,omitempty"` // ID of the Bind that was a mistake; First and Last are its
	Reason    string    `json:"reason,omitempty"`    // of Void, Destroy and Withdraw
	Account   string    `json:"account"`
	At        time.Time `json:"at"`
	Seq       int       `json:"-"` // place among the steps of the roll, from 1
}

// Same reports whether two say the same of the same codes.
func (s Step) Same(o Step) bool {
	return s.ID == o.ID && s.Roll == o.Roll && s.Tenant == o.Tenant && s.Kind == o.Kind && s.First == o.First && s.Last == o.Last &&
		s.Batch == o.Batch && s.Withdraws == o.Withdraws && s.Reason == o.Reason
}

// Same reports whether two were asked for alike.
func (r Roll) Same(o Roll) bool {
	return r.ID == o.ID && r.Tenant == o.Tenant && r.Product == o.Product && r.GTIN == o.GTIN && r.Codes == o.Codes && r.Covered == o.Covered && r.Note == o.Note
}

// A FieldError says which field of a roll or step cannot be, and why.
type FieldError struct {
	Field  string // JSON member
	Reason string // English
}

// Error implements error.
func (e *FieldError) Error() string { return e.Field + " " + e.Reason }

func field(name, format string, args ...any) error {
	return &FieldError{name, fmt.Sprintf(format, args...)}
}

// check holds what a client wrote against the limits.
func (r Roll) check() error {
	switch _, err := ulid.ParseStrict(r.ID); {
	case err != nil:
		return field("id", "is not a ULID")
	case r.Codes < 1 || r.Codes > MaxCodes:
		return field("codes", "is not 1 to %d; issue several rolls for more", MaxCodes)
	case len(r.Product) > farm.MaxIDLength:
		return field("product", "is too long")
	case r.GTIN != "" && r.Product == "":
		return field("product", "is missing: a GTIN is of one product")
	}
	return checkText("note", r.Note, false)
}

func (s Step) check() error {
	if _, err := ulid.ParseStrict(s.ID); err != nil {
		return field("id", "is not a ULID")
	}
	switch s.Kind {
	case Print, Reprint, Bind, Void, Destroy, Withdraw:
	default:
		return field("kind", "is none of print, reprint, bind, void, destroy, withdraw")
	}
	switch {
	case (s.Kind == Bind) != (s.Batch != ""):
		return field("batch", "goes with bind, and only with it")
	case (s.Kind == Withdraw) != (s.Withdraws != ""):
		return field("withdraws", "goes with withdraw, and only with it")
	}
	return checkText("reason", s.Reason, s.Kind == Void || s.Kind == Destroy || s.Kind == Withdraw)
}

func checkText(name, text string, needed bool) error {
	switch {
	case needed && strings.TrimSpace(text) == "":
		return field(name, "is missing")
	case len([]rune(text)) > maxText:
		return field(name, "has more than %d characters", maxText)
	case strings.ContainsFunc(text, func(r rune) bool { return r < ' ' }):
		return field(name, "is not one line")
	}
	return nil
}
