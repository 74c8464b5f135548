package repository

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/oklog/ulid/v2"

	"tianhai/farm"
	"tianhai/trace/epcis"
)

const (
	jobPoll  = 5 * time.Second
	jobRetry = 2 * time.Second // after a failure of the database
	// jobStep is how many events of a job that proceeds are appended at once.
	jobStep = 100
)

// newEventID returns a URN of RFC 9562.
func newEventID() string {
	var b [16]byte
	_, _ = rand.Read(b[:])                      // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80 // version 4, variant 10
	s := hex.EncodeToString(b[:])
	return "urn:uuid:" + s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}

// An Order is a document that somebody wants captured.
type Order struct {
	Tenant, Account string
	Document        []byte
	Proceed         bool
}

// Capture stores a job for a document. With rollback the whole document must be valid
// now, or the error is an *InvalidError; with proceed only what holds the events
// together, and what is wrong with an event is among the errors of the job. ErrLimit
// where it is too large.
func (r *Repository) Capture(ctx context.Context, o Order) (Job, error) {
	if len(o.Document) > MaxDocument {
		return Job{}, ErrLimit
	}
	d, err := epcis.Parse(o.Document)
	if err != nil {
		return Job{}, &InvalidError{[]epcis.Fault{{Message: err.Error()}}}
	}
	if d.Len() > MaxEvents {
		return Job{}, ErrLimit
	}
	if d.Single() {
		return Job{}, &InvalidError{[]epcis.Fault{{Pointer: "/type", Message: "is not EPCISDocument or EPCISQueryDocument; a single event goes to events"}}}
	}
	if faults := wrong(d, o.Proceed); len(faults) > 0 {
		return Job{}, &InvalidError{faults}
	}
	j := Job{
		ID: ulid.Make().String(), Tenant: o.Tenant, Account: o.Account, Created: r.cfg.Now().UTC().Truncate(time.Microsecond),
		Proceed: o.Proceed, Success: true, Total: d.Len(), Document: o.Document,
	}
	if err := r.cfg.Jobs.AddCapture(ctx, j); err != nil {
		return Job{}, err
	}
	select {
	case r.wake <- struct{}{}:
	default:
	}
	return j, nil
}

// wrong returns the faults for which a document is refused at once.
func wrong(d *epcis.Document, proceed bool) []epcis.Fault {
	document, each := d.ValidateEach()
	if proceed {
		return document
	}
	for i, faults := range each {
		if len(document) < epcis.MaxFaults {
			document = append(document, eventFaults(d, i, faults)...)
		}
	}
	return document[:min(len(document), epcis.MaxFaults)]
}

// eventFaults adds to what the standard has against an event what the repository has.
func eventFaults(d *epcis.Document, i int, faults []epcis.Fault) []epcis.Fault {
	if len(faults) > 0 {
		return faults
	}
	e, err := d.Event(i)
	if err != nil {
		return []epcis.Fault{{Pointer: fmt.Sprintf("event %d", i), Message: err.Error()}}
	}
	if len(e.ID) > MaxEventID {
		return []epcis.Fault{{Pointer: e.Pointer + "/eventID", Message: fmt.Sprintf("has %d bytes; at most %d are kept", len(e.ID), MaxEventID)}}
	}
	return nil
}

// Add captures one event, at once. An *InvalidError, ErrLimit or ErrTaken says why not.
// It returns the event's ID.
func (r *Repository) Add(ctx context.Context, tenant string, raw []byte) (string, error) {
	if len(raw) > MaxDocument {
		return "", ErrLimit
	}
	d, err := epcis.Parse(raw)
	if err != nil {
		return "", &InvalidError{[]epcis.Fault{{Message: err.Error()}}}
	}
	if !d.Single() {
		return "", &InvalidError{[]epcis.Fault{{Pointer: "/type", Message: "is a document; want one event, such as ObjectEvent; documents go to capture"}}}
	}
	faults := d.Faults()
	if faults = eventFaults(d, 0, faults); len(faults) > 0 {
		return "", &InvalidError{faults}
	}
	e, err := d.Event(0)
	if err != nil {
		return "", err
	}
	taken, err := r.cfg.Shelf.CaptureEvents(ctx, Batch{Tenant: tenant, Events: []*epcis.Event{e}, NewID: newEventID})
	if err == nil && len(taken) > 0 {
		err = ErrTaken
	}
	if err != nil {
		return "", err
	}
	r.cfg.Captured()
	return e.ID, nil
}

// Run works at jobs, the oldest first, until ctx is done, then returns nil. Where the
// database fails, the job goes on later.
func (r *Repository) Run(ctx context.Context) error {
	poll := time.NewTicker(jobPoll)
	defer poll.Stop()
	for {
		if err := r.work(ctx); err != nil && ctx.Err() == nil {
			r.cfg.Logger.WarnContext(ctx, "EPCIS capture waits for the database", "error", err)
			pause := time.NewTimer(jobRetry)
			select {
			case <-pause.C:
			case <-ctx.Done():
			}
			pause.Stop()
		}
		select {
		case <-ctx.Done():
			return nil
		case <-r.wake:
		case <-poll.C:
		}
	}
}

// work finishes every job that there is. One that fails does not keep up the others.
func (r *Repository) work(ctx context.Context) error {
	var failed error
	for after := ""; ; {
		j, err := r.cfg.Jobs.OpenCapture(ctx, after)
		if errors.Is(err, farm.ErrNotFound) {
			return failed
		}
		if err != nil {
			return err
		}
		after = j.ID
		if err := r.do(ctx, &j); err != nil && !errors.Is(err, farm.ErrNotFound) { // another process was faster
			failed = fmt.Errorf("job %s: %w", j.ID, err)
		}
	}
}

// do works at a job from where it stands. What it returns nil for is written.
func (r *Repository) do(ctx context.Context, j *Job) error {
	d, err := epcis.Parse(j.Document)
	if err != nil {
		return r.end(ctx, j, Fault{"Implementation", "", "the stored document cannot be read: " + err.Error()})
	}
	if j.Proceed {
		return r.proceed(ctx, j, d)
	}
	events, err := d.Events()
	if err != nil {
		return r.end(ctx, j, Fault{"Validation", "", err.Error()})
	}
	if again := repeats(events); len(again) > 0 {
		return r.end(ctx, j, takenFaults(events, again)...)
	}
	done := *j
	done.Done, done.Finished = len(events), r.now()
	taken, err := r.cfg.Shelf.CaptureEvents(ctx, Batch{Tenant: j.Tenant, Events: events, NewID: newEventID, Master: d.MasterData(), Job: &done})
	switch {
	case err != nil:
		return err
	case len(taken) > 0:
		return r.end(ctx, j, takenFaults(events, taken)...)
	}
	r.cfg.Captured()
	return nil
}

func (r *Repository) now() time.Time { return r.cfg.Now().UTC().Truncate(time.Microsecond) }

// end finishes a job without its events.
func (r *Repository) end(ctx context.Context, j *Job, faults ...Fault) error {
	j.Success, j.Finished, j.Done = false, r.now(), j.Total
	j.Errors = append(j.Errors, faults...)
	j.Errors = j.Errors[:min(len(j.Errors), maxJobFaults)]
	return r.cfg.Jobs.SetCapture(ctx, *j)
}

// repeats returns the places of events that have the ID of one before them.
func repeats(events []*epcis.Event) []int {
	seen := map[string]bool{}
	var places []int
	for i, e := range events {
		key := fmt.Sprint(e.Declared, e.ID)
		if e.ID != "" && seen[key] {
			places = append(places, i)
		}
		seen[key] = true
	}
	return places
}

func takenFaults(events []*epcis.Event, taken []int) []Fault {
	var faults []Fault
	for _, i := range taken {
		faults = append(faults, Fault{"ResourceAlreadyExists", events[i].Pointer + "/eventID", fmt.Sprintf("an event %.200s was captured before", events[i].ID)})
	}
	return faults
}

// proceed captures what can be, some events at a time, and writes with each lot how far
// it is.
func (r *Repository) proceed(ctx context.Context, j *Job, d *epcis.Document) error {
	_, each := d.ValidateEach()
	for {
		next := *j
		b := Batch{Tenant: j.Tenant, NewID: newEventID, Job: &next}
		if j.Done == 0 {
			b.Master = d.MasterData()
		}
		for ; next.Done < j.Total && next.Done < j.Done+jobStep; next.Done++ {
			if faults := eventFaults(d, next.Done, each[next.Done]); len(faults) > 0 {
				for _, f := range faults {
					next.Errors = append(next.Errors, Fault{"Validation", f.Pointer, f.Message})
				}
				continue
			}
			e, err := d.Event(next.Done)
			if err != nil {
				return err
			}
			b.Events = append(b.Events, e)
		}
		if next.Done == j.Total {
			next.Finished = r.now()
		}
		if err := r.lot(ctx, b, &next); err != nil {
			return err
		}
		if !next.Running() {
			return nil
		}
		*j = next
	}
}

// lot writes some events of a job that proceeds. Which IDs are taken is known first, so
// that the job says so with the events in one transaction.
func (r *Repository) lot(ctx context.Context, b Batch, next *Job) error {
	taken := repeats(b.Events)
	for {
		next.Errors = append(next.Errors, takenFaults(b.Events, taken)...)
		b.Events = without(b.Events, taken)
		next.Errors = next.Errors[:min(len(next.Errors), maxJobFaults)]
		next.Success = len(next.Errors) == 0
		var err error
		if taken, err = r.cfg.Shelf.CaptureEvents(ctx, b); err != nil {
			return err
		}
		if len(taken) == 0 {
			r.cfg.Captured()
			return nil
		}
	}
}

func without(events []*epcis.Event, places []int) []*epcis.Event {
	drop := map[int]bool{}
	for _, i := range places {
		drop[i] = true
	}
	var left []*epcis.Event
	for i, e := range events {
		if !drop[i] {
			left = append(left, e)
		}
	}
	return left
}
