package trace

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"tianhai/farm"
)

const (
	// MaxFaults is how many faults of an audit are kept word for word; all are counted.
	MaxFaults     = 100
	auditPage     = 256              // records read at a time
	auditSave     = 64               // pages between two notes of the progress
	auditPatience = 10 * time.Minute // for a record to be sealed before that is a fault
)

// The kinds of Fault.
const (
	FaultLog      = "log"      // checkpoint, entries or tiles do not agree
	FaultRecord   = "record"   // body, salt or place of a record are not what was sealed
	FaultReceipt  = "receipt"  // a receipt does not prove its record
	FaultMissing  = "missing"  // a leaf whose record is not in the database
	FaultUnsealed = "unsealed" // a record has waited long for its leaf
)

// A Fault is one thing that an audit found wrong.
type Fault struct {
	Kind   string `json:"kind"`
	Leaf   int64  `json:"leaf"`             // index in the log; -1 where it is about none
	Record string `json:"record,omitempty"` // ID
	Code   string `json:"code,omitempty"`   // trace code
	Detail string `json:"detail"`           // English, for who runs the server
}

// An Audit is the comparison of a log with the records, while it runs and when it
// has ended.
type Audit struct {
	Log     int       `json:"log"`
	Began   time.Time `json:"began"`
	Ended   time.Time `json:"ended,omitzero"` // zero while it runs
	Size    int64     `json:"size"`           // leaves to read
	Leaves  int64     `json:"leaves"`         // read
	Records int64     `json:"records"`        // that stand at their leaf
	// Repeats are leaves that stand in the log more than once, because a crash came
	// between leaf and receipt. They are harmless: the receipt is for one of them.
	Repeats int64 `json:"repeats"`
	// Waiting are leaves whose record has no receipt yet, for the same reason.
	Waiting    int64   `json:"waiting"`
	FaultCount int64   `json:"fault_count"`
	Faults     []Fault `json:"faults"` // the first MaxFaults
}

// Scanner reads a log from its beginning, comparing its tiles; *ledger.Scan is one.
type Scanner interface {
	Next(ctx context.Context) (leaves [][]byte, faults []string, err error)
	Position() int64
	Size() int64
	State() (string, error)
}

// AuditStore is what an Auditor compares the log with, and where it writes.
type AuditStore interface {
	// Placed returns the sealed records of a log from a leaf on, by leaf.
	Placed(ctx context.Context, log int, from int64, limit int) ([]Record, error)
	// RecordsOf returns the records about a batch or an operation.
	RecordsOf(ctx context.Context, subject string) ([]Record, error)
	// RecordByCode returns a closed batch's record; farm.ErrNotFound.
	RecordByCode(ctx context.Context, code string) (Record, error)
	// UnsealedBefore counts records from before then that have no receipt.
	UnsealedBefore(ctx context.Context, then time.Time) (int, error)
	// SaveAudit stores an audit by its beginning, and what it goes on from.
	SaveAudit(ctx context.Context, a Audit, state string) error
}

// An Auditor compares a log with the records: every record stands at its leaf with
// a receipt that proves it, every leaf has its record, and the tiles lead to the
// root that was signed. It reads everything again, a page at a time.
type Auditor struct {
	Store  AuditStore
	Log    int // number
	Scan   Scanner
	Verify func(receipt string) (index int64, leaf []byte, err error)
	// Left says that the log's newest part is lost, and another log goes on. A
	// record of that part stands by its receipt alone.
	Left   bool
	Logger *slog.Logger
	Now    func() time.Time // nil means time.Now

	audit   Audit
	records []Record // read ahead, by leaf
	more    bool     // there may be records behind them
}

// Run audits to the end, or goes on with one that was broken off, and returns it.
// What is wrong is in the audit; an error means that it could not be ended.
func (a *Auditor) Run(ctx context.Context, from Audit) (Audit, error) {
	a.audit, a.more = from, true
	if a.audit.Began.IsZero() {
		a.audit = Audit{Log: a.Log, Began: a.now(), Faults: []Fault{}}
	}
	a.audit.Size = a.Scan.Size()
	for pages := 1; ; pages++ {
		if err := ctx.Err(); err != nil {
			return a.audit, errors.Join(err, a.save(context.WithoutCancel(ctx)))
		}
		first := a.Scan.Position()
		leaves, faults, err := a.Scan.Next(ctx)
		if err != nil {
			a.fault(Fault{Kind: FaultLog, Leaf: first, Detail: err.Error()})
			break
		}
		for _, f := range faults {
			a.fault(Fault{Kind: FaultLog, Leaf: -1, Detail: f})
		}
		if len(leaves) == 0 {
			break
		}
		if err := a.page(ctx, first, leaves); err != nil {
			return a.audit, err
		}
		if pages%auditSave == 0 {
			if err := a.save(ctx); err != nil {
				return a.audit, err
			}
		}
	}
	if err := a.rest(ctx); err != nil {
		return a.audit, err
	}
	a.audit.Ended = a.now()
	return a.audit, a.save(ctx)
}

// page compares leaves with the records that say they stand there.
func (a *Auditor) page(ctx context.Context, first int64, leaves [][]byte) error {
	for i, leaf := range leaves {
		index := first + int64(i)
		rec, found, err := a.at(ctx, index)
		if err != nil {
			return err
		}
		if found {
			a.compare(rec, leaf)
		} else if err := a.orphan(ctx, index, leaf); err != nil {
			return err
		}
		a.audit.Leaves++
	}
	return nil
}

// at returns the record that stands at an index.
func (a *Auditor) at(ctx context.Context, index int64) (Record, bool, error) {
	for {
		for len(a.records) > 0 && a.records[0].Index < index { // two at one leaf: the second
			a.fault(Fault{Kind: FaultRecord, Leaf: a.records[0].Index, Record: a.records[0].ID, Code: a.records[0].Code, Detail: "another record stands at its leaf"})
			a.records = a.records[1:]
		}
		if len(a.records) > 0 || !a.more {
			break
		}
		next, err := a.Store.Placed(ctx, a.Log, index, auditPage)
		if err != nil {
			return Record{}, false, fmt.Errorf("read records: %w", err)
		}
		a.records, a.more = next, len(next) == auditPage
	}
	if len(a.records) == 0 || a.records[0].Index != index {
		return Record{}, false, nil
	}
	rec := a.records[0]
	a.records = a.records[1:]
	return rec, true, nil
}

// compare holds a record and its receipt against the leaf at its place.
func (a *Auditor) compare(rec Record, leaf []byte) {
	a.audit.Records++
	fault := func(kind, detail string) {
		a.fault(Fault{Kind: kind, Leaf: rec.Index, Record: rec.ID, Code: rec.Code, Detail: detail})
	}
	if !bytes.Equal(rec.Leaf(), leaf) {
		fault(FaultRecord, "body, salt, code or kind are not what was sealed at its leaf")
	}
	index, proven, err := a.Verify(rec.Receipt)
	switch {
	case err != nil:
		fault(FaultReceipt, err.Error())
	case index != rec.Index || !bytes.Equal(proven, leaf):
		fault(FaultReceipt, "the receipt is for another leaf")
	}
}

// orphan finds out about a leaf that no record says is its own.
func (a *Auditor) orphan(ctx context.Context, index int64, leaf []byte) error {
	var says struct {
		Kind    string `json:"t"`
		Code    string `json:"b"`
		Subject string `json:"i"`
	}
	if err := json.Unmarshal(leaf, &says); err != nil {
		a.fault(Fault{Kind: FaultLog, Leaf: index, Detail: "the leaf is not one of ours"})
		return nil
	}
	if says.Kind == LogEnd || says.Kind == LogBegin {
		return nil
	}
	var candidates []Record
	var err error
	if says.Code != "" {
		var rec Record
		if rec, err = a.Store.RecordByCode(ctx, says.Code); err == nil {
			candidates = []Record{rec}
		}
	} else {
		candidates, err = a.Store.RecordsOf(ctx, says.Subject)
	}
	if err != nil && !errors.Is(err, farm.ErrNotFound) {
		return fmt.Errorf("find the record of leaf %d: %w", index, err)
	}
	for _, rec := range candidates {
		if bytes.Equal(rec.Leaf(), leaf) {
			switch {
			case rec.Receipt == "":
				a.audit.Waiting++
			case rec.Log == a.Log && rec.Index == index: // sealed since the page was read
				a.compare(rec, leaf)
			default:
				a.audit.Repeats++
			}
			return nil
		}
	}
	a.fault(Fault{Kind: FaultMissing, Leaf: index, Code: says.Code, Detail: "the " + says.Kind + " record " + says.Code + says.Subject + " of this leaf is not in the database"})
	return nil
}

// rest looks at records past the end of the log, which its next checkpoint covers
// if they are new, and at those that have waited long.
func (a *Auditor) rest(ctx context.Context) error {
	late := a.audit.Began.Add(-auditPatience)
	n, err := a.Store.UnsealedBefore(ctx, late)
	if err != nil {
		return fmt.Errorf("count unsealed records: %w", err)
	}
	if n > 0 {
		a.fault(Fault{Kind: FaultUnsealed, Leaf: -1, Detail: fmt.Sprintf("%d records from before %s have no leaf", n, late.Format(time.RFC3339))})
	}
	for from := a.audit.Size; ; {
		beyond, err := a.Store.Placed(ctx, a.Log, from, auditPage)
		if err != nil {
			return fmt.Errorf("read records: %w", err)
		}
		for _, rec := range beyond {
			from = rec.Index + 1
			if a.Left {
				a.compare(rec, rec.Leaf())
				continue
			}
			if rec.At.Before(late) {
				a.fault(Fault{Kind: FaultRecord, Leaf: rec.Index, Record: rec.ID, Code: rec.Code, Detail: "its leaf is not in the log"})
			}
		}
		if len(beyond) < auditPage {
			return nil
		}
	}
}

func (a *Auditor) fault(f Fault) {
	a.audit.FaultCount++
	if len(a.audit.Faults) < MaxFaults {
		a.audit.Faults = append(a.audit.Faults, f)
		a.Logger.Error("audit: the log and the records do not agree", "kind", f.Kind, "leaf", f.Leaf, "record", f.Record, "code", f.Code, "detail", f.Detail)
	}
}

// save stores the audit and how to go on. The records read ahead are read again.
func (a *Auditor) save(ctx context.Context) error {
	state, err := a.Scan.State()
	if err != nil {
		return err
	}
	if err := a.Store.SaveAudit(ctx, a.audit, state); err != nil {
		return fmt.Errorf("store audit: %w", err)
	}
	return nil
}

func (a *Auditor) now() time.Time {
	if a.Now != nil {
		return wireTime(a.Now())
	}
	return wireTime(time.Now())
}
