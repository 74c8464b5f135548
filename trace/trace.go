// Package trace ties a batch to the place it grew in, what was done to it, and
// what the sensors of that place said meanwhile.
//
// Records are appended, never edited. Every operation and every closed batch
// becomes a Record: exact bytes, a salt, and a receipt from the transparency
// log. What a consumer is shown is read from those bytes and from nowhere else.
package trace

import (
	"context"
	"errors"
	"time"

	"tianhai/farm"
	"tianhai/trace/catalog"
	"tianhai/trace/input"
)

// ProductKind groups products that share stages.
type ProductKind string

// The kinds of product.
const (
	Tea       ProductKind = "tea"
	Vegetable ProductKind = "vegetable"
	Fruit     ProductKind = "fruit"
	Livestock ProductKind = "livestock"
	Aquatic   ProductKind = "aquatic"
)

// A Product is what a batch is a batch of.
type Product struct {
	ID      string      `json:"id"`
	Kind    ProductKind `json:"kind"`
	Species string      `json:"species,omitempty"` // the catalog's product: a crop or a kind of animal
	Name    farm.Text   `json:"name"`
	GTIN    string      `json:"gtin,omitempty"` // in a sealed record: what GS1 gave the batch's operator for it
}

// An Operation is one thing done on a site, such as spraying or a harvest. It is
// never changed: another one corrects it, or takes it back where that one's kind
// is catalog.Void.
type Operation struct {
	ID       string    `json:"id"` // ULID, minted by the client when it saves
	Tenant   string    `json:"tenant"`
	Site     string    `json:"site"`
	Kind     string    `json:"kind"`               // "spray": a catalog.Operation's
	At       time.Time `json:"at"`                 // by the client's clock
	Recorded time.Time `json:"recorded"`           // by the server's
	Person   string    `json:"person"`             // account; never public
	Position *Position `json:"position,omitempty"` // where the client was; never public
	Far      bool      `json:"far,omitempty"`      // the position is out of the site's reach
	Items    []Item    `json:"items,omitempty"`    // what, how much
	Catalog  int       `json:"catalog"`            // the version it was checked against; 0 before there was one
	Corrects string    `json:"corrects,omitempty"` // the operation this one replaces or takes back; both stay

	Draw   *input.Draw `json:"-"` // what it takes from stock, for Journal.AddOperation; nil where nothing, and when read
	Photos []string    `json:"-"` // hashes of the pictures that Items name, for who stores it; not read back

	Seen  int64     `json:"-"` // version of the site that it was held against; 0: any. Not read back
	Leave []Leave   `json:"-"` // overrides that it uses; not read back
	Late  []LateUse `json:"-"` // batches for which it comes late; not read back
}

// An Item is one detail of an operation.
type Item = catalog.Item

// A Position is where a client was, on WGS 84.
type Position struct {
	Longitude float64 `json:"longitude"` // degrees
	Latitude  float64 `json:"latitude"`
	Accuracy  float64 `json:"accuracy,omitempty"` // metres; 0 when unknown
}

// InForce returns the operations that hold: those that no other one corrects or
// takes back, without those that only take back. It keeps the order, and needs all
// operations that may correct these.
func InForce(ops []Operation) []Operation {
	replaced := map[string]bool{}
	for _, op := range ops {
		replaced[op.Corrects] = true
	}
	hold := []Operation{}
	for _, op := range ops {
		if !replaced[op.ID] && op.Kind != catalog.Void {
			hold = append(hold, op)
		}
	}
	return hold
}

// A Batch is an amount of one product with one history.
type Batch struct {
	ID       string    `json:"id"`   // ULID; the in-batch (入库批次)
	Code     string    `json:"code"` // the out-batch or trace code (出库批次, 追溯码); empty until closed
	Tenant   string    `json:"tenant"`
	Site     string    `json:"site"`
	Product  string    `json:"product"`
	Lot      string    `json:"lot"` // the producer's own number
	Quantity float64   `json:"quantity"`
	Unit     string    `json:"unit"`  // UCUM: "kg"
	Began    time.Time `json:"began"` // sown, stocked, or last harvest: start of the growing time
	Harvest  time.Time `json:"harvest"`
	Opened   time.Time `json:"opened"`
	Closed   time.Time `json:"closed,omitzero"`

	Seen  int64   `json:"-"` // as of an Operation
	Leave []Leave `json:"-"`
}

// The kinds of Record.
const (
	OperationRecord = "operation"
	BatchRecord     = "batch"
)

// The leaves that a log has about itself: where its key was changed, the last
// names the next log and the first the one before.
const (
	LogEnd   = "log-end"
	LogBegin = "log-begin"
)

// A Record is one statement, fixed for ever.
type Record struct {
	ID      string // ULID
	Tenant  string
	Kind    string
	Subject string // ID of the operation or batch
	Code    string // trace code, for a batch
	Body    []byte // JSON; these bytes, not their meaning, are what is sealed
	Salt    []byte // 16 random bytes, so that a guessable body cannot be found from its hash
	At      time.Time
	Index   int64  // leaf index in the log; -1 until sealed
	Receipt string // c2sp.org/tlog-proof@v1; empty until sealed

	Log      int  // number of the log, from 1; a change of the log's key makes the next
	Cosigned bool // whether a quorum of witnesses stands behind the receipt

	Personal []Personal // what the body commits to and can be erased; as far as it was read
}

// A Seal is a record's place in a log.
type Seal struct {
	Log     int // number, from 1
	Index   int64
	Receipt string
}

// A LogState is what a log has signed last.
type LogState struct {
	Number      int // from 1
	VerifierKey string
	Size        int64 // leaves
	Checkpoint  string
	At          time.Time // when it was stored
}

// Store keeps trace data in the records database.
type Store interface {
	Tenant(ctx context.Context, id string) (farm.Tenant, error)
	Site(ctx context.Context, id string) (farm.Site, error)
	Product(ctx context.Context, id string) (Product, error)
	Batch(ctx context.Context, id string) (Batch, error)
	// Operations returns those of a site with from ≤ At < to, oldest first,
	// with corrected ones.
	Operations(ctx context.Context, site string, from, to time.Time) ([]Operation, error)
}

// ErrMoved reports that what a statement was held against has changed meanwhile:
// something else was recorded on the site. Nothing was written; it is to be held
// against the new state.
var ErrMoved = errors.New("something else was recorded on the site meanwhile")

// Journal appends trace data. Each method writes everything or nothing. With each
// the version of the site grows; where one names the version that it has seen, and
// that is not the site's any more, or an override that is used up, it is ErrMoved.
type Journal interface {
	// Version returns how far the history of a site has grown; farm.ErrNotFound.
	Version(ctx context.Context, site string) (int64, error)
	// AddOperation stores the operation and its record. The same operation again
	// is nothing new; another one under its ID is farm.ErrConflict. What it commits to
	// is in the record's Personal. With it, what
	// it draws leaves the stock, and what it corrects had drawn comes back;
	// *input.ShortError where there is not so much.
	AddOperation(ctx context.Context, op Operation, rec Record) error
	// CloseBatch stores the closed batch and its record; farm.ErrConflict when
	// it is closed already or the code is taken.
	CloseBatch(ctx context.Context, b Batch, rec Record) error
}

// Outbox holds records between the database and the log.
type Outbox interface {
	// Unsealed returns records without a receipt, oldest first.
	Unsealed(ctx context.Context, limit int) ([]Record, error)
	// Sealed stores a record's place in the log and its receipt.
	Sealed(ctx context.Context, id string, seal Seal) error
	// Uncosigned returns records of a log at an index below a size whose receipt
	// no quorum of witnesses stands behind, in the order of the log.
	Uncosigned(ctx context.Context, log int, below int64, limit int) ([]Record, error)
	// Cosigned exchanges a record's receipt for the one that a quorum stands behind.
	Cosigned(ctx context.Context, id, receipt string) error
}

// Catalogs knows what has to be said of an operation.
type Catalogs interface {
	Current() *catalog.Catalog
	// At returns a version, farm.ErrNotFound.
	At(ctx context.Context, version int) (*catalog.Catalog, error)
}

// A ReadingsQuery asks for what was measured over From ≤ t < To at a tenant's site,
// or by one of its devices wherever it stood.
type ReadingsQuery struct {
	Tenant   string
	Site     string // this or Device
	Device   string
	From, To time.Time
}

// Evidence is what sensors said.
type Evidence interface {
	// Readings passes every reading that is stored, whatever its flag, those of one
	// quantity in the order of the canonical form; quantities come mixed. An error of
	// each ends it and is returned.
	Readings(ctx context.Context, q ReadingsQuery, each func(farm.Sample) error) error
}

// Sensors knows the devices behind the evidence.
type Sensors interface {
	// Sensor returns what is known of a device that measured a quantity: its model
	// and the last calibration that was in force at a time.
	Sensor(ctx context.Context, device, quantity string, at time.Time) (Sensor, error)
}

// Log is the transparency log.
type Log interface {
	// Append adds a leaf and returns its index once the log has it on disk.
	Append(ctx context.Context, leaf []byte) (int64, error)
	// Receipt returns a c2sp.org/tlog-proof@v1 for the leaf at index, waiting
	// until a checkpoint that covers it is published.
	Receipt(ctx context.Context, index int64) (string, error)
	// Number is the log's, from 1.
	Number() int
	// CosignedSize is the size of the newest tree that a quorum of witnesses has
	// cosigned; -1 where none is asked for or none has.
	CosignedSize() int64
	// CosignedReceipt returns a receipt for a leaf in that tree.
	CosignedReceipt(ctx context.Context, index int64) (string, error)
}
