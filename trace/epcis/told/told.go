// Package told tells what farms record here as EPCIS events, so that who queries the
// repository sees our own operations beside what partners captured.
//
// Records are told in the order in which they were written, each once, from an outbox
// that the transaction of the record fills: the event of a record is there or its
// record still waits. An event names its record and the hash of its leaf in the log,
// so that it can be proven, and its eventID is its hash of CBV 2.0.
package told

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"tianhai/trace"
	"tianhai/trace/chain"
	"tianhai/trace/epcis"
	"tianhai/trace/epcis/repository"
	"tianhai/trace/label"
)

const (
	tellBatch  = 256 // records read at a time
	tellEvery  = 30 * time.Second
	minBackoff = time.Second
	maxBackoff = time.Minute
)

// Kinds returns the kinds of trace.Record of which events are made.
func Kinds() []string {
	return []string{trace.OperationRecord, trace.MovementRecord, trace.BatchRecord, trace.ShipmentRecord, trace.ArrivalRecord}
}

// A Batch is what an event says of a batch.
type Batch struct {
	ID, Tenant, Site, Lot string
	GTIN                  string // of its product, where its maker holds one
	Made                  chain.Amount
}

// Source is where records wait, and where their events go.
type Source interface {
	// Untold returns records of Kinds of which no event was made yet, oldest first.
	Untold(ctx context.Context, limit int) ([]trace.Record, error)
	RecordsOf(ctx context.Context, subject string) ([]trace.Record, error) // oldest first
	EventBatch(ctx context.Context, id string) (Batch, error)              // farm.ErrNotFound
	// NameBatch returns what a batch is called in events: as it was called before, or
	// else by the first of the names that no other batch has.
	NameBatch(ctx context.Context, batch string, names ...string) (string, error)
	// Tell appends the events of a record and takes it off the outbox, all or nothing;
	// events that are there are left out, and nothing is done for a record that was
	// told already.
	Tell(ctx context.Context, record string, b repository.Batch) error
}

// A Teller makes events of records.
type Teller struct {
	Source    Source
	PublicURL string // what is ours is named under it
	// Told is called when events were appended; it must not block. May be nil.
	Told   func()
	Logger *slog.Logger

	wake chan struct{}
}

// New returns a Teller, whose fields the caller fills; Run does its work.
func New(source Source, logger *slog.Logger) *Teller {
	return &Teller{Source: source, Logger: logger, wake: make(chan struct{}, 1)}
}

// Wake tells that there is a new record. It never blocks.
func (t *Teller) Wake() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// Run tells records until ctx is done, then returns nil. It looks when woken and every
// half minute; after a failure, which it logs, it waits from a second up to a minute.
func (t *Teller) Run(ctx context.Context) error {
	backoff := minBackoff
	for {
		n, err := t.round(ctx)
		wait := tellEvery
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			t.Logger.WarnContext(ctx, "records wait to be told as events", "error", err, "retry_in", backoff)
			wait, backoff = backoff, min(2*backoff, maxBackoff)
		case n == tellBatch: // there may be more
			continue
		default:
			backoff = minBackoff
		}
		select {
		case <-ctx.Done():
			return nil
		case <-t.wake:
		case <-time.After(wait):
		}
	}
}

// round tells what waits, at most tellBatch records, and returns how many there were.
// A record that cannot be told does not keep the others; its error is the round's.
func (t *Teller) round(ctx context.Context) (int, error) {
	records, err := t.Source.Untold(ctx, tellBatch)
	if err != nil {
		return 0, fmt.Errorf("read records: %w", err)
	}
	for _, rec := range records {
		if bad := t.tell(ctx, rec); bad != nil {
			err = fmt.Errorf("tell %s record %s: %w", rec.Kind, rec.ID, bad)
		}
	}
	if len(records) > 0 && t.Told != nil {
		t.Told()
	}
	return len(records), err
}

func (t *Teller) tell(ctx context.Context, rec trace.Record) error {
	drafts, err := t.events(ctx, rec)
	if err != nil {
		return err
	}
	b := repository.Batch{Tenant: rec.Tenant, NewID: func() string { return "" }} // each has its own
	for _, d := range drafts {
		e, err := t.finish(d)
		if err != nil {
			return err
		}
		b.Events = append(b.Events, e)
	}
	return t.Source.Tell(ctx, rec.ID, b)
}

// finish makes an event of a draft: with its context and its hash for an ID, and only
// if it is one by the standard.
func (t *Teller) finish(d draft) (*epcis.Event, error) {
	doc, err := epcis.Parse(d.text(t.PublicURL, ""))
	if err != nil {
		return nil, err
	}
	if faults := doc.Validate(); len(faults) > 0 {
		return nil, fmt.Errorf("the event is none: %s", faults[0])
	}
	hashes, err := doc.Hashes()
	if err != nil {
		return nil, err
	}
	if doc, err = epcis.Parse(d.text(t.PublicURL, hashes[0])); err != nil {
		return nil, err
	}
	return doc.Event(0)
}

// name returns what a batch is called in events: by GTIN and lot for whoever holds a
// GTIN, and where one such name would mean two batches, or there is none, by its ID,
// which nobody guesses.
func (t *Teller) name(ctx context.Context, b Batch) (string, error) {
	names := []string{t.uri("batch", b.ID)}
	if b.GTIN != "" {
		link, err := label.MakeLink("https://id.gs1.org", []label.Element{{AI: "01", Value: b.GTIN}, {AI: "10", Value: b.Lot}})
		if err == nil {
			names = append([]string{link.String()}, names...)
		}
	}
	return t.Source.NameBatch(ctx, b.ID, names...)
}

// uri names a thing of ours.
func (t *Teller) uri(of, id string) string {
	return strings.TrimSuffix(t.PublicURL, "/") + "/epcis/id/" + of + "/" + id
}
