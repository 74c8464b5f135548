// Package chain knows what may become of a batch: movements that make batches of
// batches, or take them out of a tenant's hands.
//
// A movement is one statement: so much of these batches went in, these new batches
// came out, so much was lost and why. What leaves is never more than what came in.
// A batch is made once and by one movement, of batches that were there before it,
// so the graph of all batches has no cycles, however often they are split and
// merged. Movements are appended; one may be taken back as long as nothing hangs on
// what it made.
//
// Whether there is so much left of a batch is decided where it is stored, in the
// transaction that takes it.
package chain

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Kind is what happens in a movement.
type Kind string

// The kinds of movement.
const (
	Harvest Kind = "harvest" // makes batches of what grew on a site
	Process Kind = "process" // a step of processing
	Pack    Kind = "pack"
	Split   Kind = "split"
	Merge   Kind = "merge"
	Store   Kind = "store" // put in store; makes no batch unless it says so
	Move    Kind = "move"  // to another place; or to another tenant, who then receives or declines it
	Sell    Kind = "sell"  // to a tenant, who receives or declines it, or to a buyer outside
	Loss    Kind = "loss"  // spoilt, used up, destroyed
	Receive Kind = "receive"
	Decline Kind = "decline" // gives back what was handed over
	Void    Kind = "void"    // takes a movement back and puts nothing in its place
)

// Kinds lists every kind of movement.
func Kinds() []Kind {
	return []Kind{Harvest, Process, Pack, Split, Merge, Store, Move, Sell, Loss, Receive, Decline, Void}
}

// A Movement is one statement about batches. It is never changed: another one
// corrects it, or takes it back where that one's kind is Void.
type Movement struct {
	ID       string    `json:"id"` // ULID, minted by the client when it saves
	Tenant   string    `json:"tenant"`
	Kind     Kind      `json:"kind"`
	Step     string    `json:"step,omitempty"`   // of processing: an option of the catalog's item "step"
	At       time.Time `json:"at"`               // by the client's clock
	Recorded time.Time `json:"recorded"`         // by the server's
	Person   string    `json:"person,omitempty"` // account; never public
	Site     string    `json:"site,omitempty"`   // of the tenant, where it happened
	Place    string    `json:"place,omitempty"`
	To       string    `json:"to,omitempty"`    // the tenant it is handed over to
	Buyer    *Buyer    `json:"buyer,omitempty"` // outside; can be erased
	Inputs   []Input   `json:"inputs,omitempty"`
	Outputs  []Output  `json:"outputs,omitempty"`
	Losses   []Lost    `json:"losses,omitempty"`
	Reason   string    `json:"reason,omitempty"`   // of a loss, a void, a decline or a correction
	Handover string    `json:"handover,omitempty"` // the movement by which another tenant handed over what this one receives or declines
	Corrects string    `json:"corrects,omitempty"` // the movement this one replaces or takes back; both stay

	Seen []Seen `json:"-"` // histories that a sale was held against; not read back

	VoidedBy string `json:"voided_by,omitempty"` // the movement that corrected, took back or declined this one
	TakenBy  string `json:"taken_by,omitempty"`  // the movement that received what this one handed over
}

// Seen is how far the history of a site had grown when something was held against it.
type Seen struct {
	Site    string
	Tenant  string
	Version int64
}

// A Buyer is whoever buys and has no account here. It may be a natural person, so
// it is never sealed but committed to.
type Buyer struct {
	Name  string `json:"name"`
	Phone string `json:"phone,omitempty"`
}

// An Input is what is taken of a batch.
type Input struct {
	Batch  string `json:"batch"`
	Amount Amount `json:"amount"`
}

// An Output is a new batch.
type Output struct {
	Batch   string `json:"batch"` // ULID, minted by the client
	Product string `json:"product"`
	Lot     string `json:"lot"` // the producer's own number
	Amount  Amount `json:"amount"`
	// From is how much of what went in became this, where it is another product, is
	// counted in another unit, or lost weight on the way: the yield.
	From *Amount `json:"from,omitempty"`
	// Began and Harvest are of a harvest; what is made of batches has theirs.
	Began   time.Time `json:"began,omitzero"`
	Harvest time.Time `json:"harvest,omitzero"`
}

// A Lost is what went in and did not come out.
type Lost struct {
	Amount Amount `json:"amount"`
	Reason string `json:"reason"`
}

// Goods are what a batch is and what is left of it.
type Goods struct {
	Batch   string    `json:"batch"`
	Code    string    `json:"code,omitempty"` // trace code; empty until the batch is closed
	Tenant  string    `json:"tenant"`         // who holds it
	Site    string    `json:"site,omitempty"`
	Product string    `json:"product"`
	Lot     string    `json:"lot"`
	Made    Amount    `json:"made"`
	Left    Amount    `json:"left,omitzero"`
	Since   time.Time `json:"since"`             // when it was made
	MadeBy  string    `json:"made_by,omitempty"` // movement; empty for a batch from before there were any
	Void    bool      `json:"void,omitempty"`    // what made it was taken back
}

// Draws reports whether the movement takes its inputs out of its tenant's stock.
// A move or store that makes no batch and hands nothing over leaves them there, and
// what is received was taken from the other's.
func (m Movement) Draws() bool {
	switch m.Kind {
	case Move, Store:
		return len(m.Outputs) > 0 || m.To != ""
	case Receive:
		return false
	default:
		return true
	}
}

// HandsOver reports whether another tenant has to receive or decline it.
func (m Movement) HandsOver() bool { return m.To != "" }

// Sale reports whether goods leave the tenant's hands.
func (m Movement) Sale() bool { return m.Kind == Sell || m.HandsOver() }

// Same reports whether two movements say the same, whenever they were received and
// whatever became of them. Buyers do not count: one may have been erased.
func (m Movement) Same(o Movement) bool {
	return m.ID == o.ID && m.Tenant == o.Tenant && m.Kind == o.Kind && m.Step == o.Step && m.At.Equal(o.At) && m.Person == o.Person &&
		m.Site == o.Site && m.Place == o.Place && m.To == o.To &&
		m.Reason == o.Reason && m.Handover == o.Handover && m.Corrects == o.Corrects &&
		slices.Equal(m.Inputs, o.Inputs) && slices.Equal(m.Losses, o.Losses) && slices.EqualFunc(m.Outputs, o.Outputs, Output.same)
}

func (o Output) same(p Output) bool {
	return o.Batch == p.Batch && o.Product == p.Product && o.Lot == p.Lot && o.Amount == p.Amount && o.Began.Equal(p.Began) && o.Harvest.Equal(p.Harvest) &&
		(o.From == nil) == (p.From == nil) && (o.From == nil || *o.From == *p.From)
}

// A FieldError says which field of a movement cannot be, and why.
type FieldError struct {
	Field  string // by its JSON name: "outputs[2].lot"
	Reason string // English, without the value
}

// Error returns field and reason.
func (e *FieldError) Error() string { return e.Field + " " + e.Reason }

func field(name, reason string, args ...any) error {
	return &FieldError{Field: name, Reason: fmt.Sprintf(reason, args...)}
}

// A ShortError says that there is less left of a batch than a movement takes.
type ShortError struct {
	Batch string
	Left  Amount
}

// Error says how much is left.
func (e *ShortError) Error() string {
	return fmt.Sprintf("of batch %s there is %s left", e.Batch, e.Left)
}

// A DependentError says why a movement cannot be taken back.
type DependentError struct {
	Movements []string // that took what it made, oldest first
	Codes     []string // trace codes that were issued for what it made
}

// Error names them.
func (e *DependentError) Error() string {
	return "depended on by " + strings.Join(slices.Concat(e.Movements, e.Codes), ", ")
}
