package history

import (
	"context"
	"errors"
	"time"

	"tianhai/ingest"
)

const (
	// damaged is the device of a record of the journal that could not be read.
	damaged = "="
	// warmUp is how much of what was kept before its period a replay reads first,
	// so that quality tests which look back have something to compare with.
	warmUp = 24 * time.Hour
	// clockSlack is how far the journal's times may be from ours.
	clockSlack = 10 * time.Minute
	// maxIndex bounds the quarantined frames that a replay has in mind.
	maxIndex  = 500_000
	pageLimit = 1000 // frames of quarantine read at once
)

// A frameKey tells frames apart; the journal's numbers begin anew where its files
// were lost.
type frameKey struct {
	seq      uint64
	received int64 // Unix ns
}

func keyOf(f *ingest.Frame) frameKey { return frameKey{f.Seq, f.Received.UnixNano()} }

// An aside is a frame's place in quarantine, and why it is there.
type aside struct {
	place  uint64
	reason string
}

// A replayer is a replay at work.
type replayer struct {
	*run
	in      *ingest.Interpreter
	devices map[string]bool // nil: all
	list    []string        // the same; empty: all
	asides  map[frameKey][]aside
	pack    pack
	frames  []ingest.Frame // of the pack
}

// replay reads frames again: in order those that the journal still has, with as
// much before them as quality tests need, and then those that only the quarantine
// has. A quarantined frame that reads completely is let go once it is stored; one
// that does not stays, with the reason of now.
func (r *run) replay(ctx context.Context) error {
	a := &replayer{run: r}
	if err := a.choose(ctx); err != nil {
		return err
	}
	if a.devices != nil && len(a.devices) == 0 {
		return nil
	}
	for after := uint64(0); ; {
		next, more, err := a.index(ctx, after)
		if err != nil {
			return err
		}
		if more && !r.job.Replay.QuarantineOnly {
			return wrong("quarantine", "holds more than %d of these frames; replay the quarantine alone first", maxIndex)
		}
		if err := a.round(ctx); err != nil {
			return err
		}
		if after = next; !more {
			return nil
		}
	}
}

// choose finds out which devices are meant.
func (a *replayer) choose(ctx context.Context) error {
	a.list = a.job.Replay.Devices
	if len(a.list) == 0 && a.job.Tenant == "" {
		return nil
	}
	if len(a.list) == 0 {
		err := a.outlast(ctx, func() (err error) { a.list, err = a.Fleet.DevicesOf(ctx, a.job.Tenant); return err })
		if err != nil {
			return err
		}
	}
	a.devices = map[string]bool{}
	for _, d := range a.list {
		a.devices[d] = true
	}
	return nil
}

func (a *replayer) means(device string) bool { return a.devices == nil || a.devices[device] }

func (a *replayer) inPeriod(f *ingest.Frame) bool {
	o := a.job.Replay
	return !f.Received.Before(o.From) && f.Received.Before(o.To)
}

// index notes what of the period is in quarantine, from a place on. more reports
// that there is too much to note at once, and goes on after next.
func (a *replayer) index(ctx context.Context, after uint64) (next uint64, more bool, err error) {
	a.asides = map[frameKey][]aside{}
	next = after
	err = a.quarantined(ctx, after, func(q *ingest.Quarantined) bool {
		k := keyOf(&q.Frame)
		a.asides[k] = append(a.asides[k], aside{q.Seq, q.Reason})
		next = q.Seq
		more = len(a.asides) == maxIndex
		return !more
	})
	return next, more, err
}

// quarantined visits what of the period was in quarantine when the job was made,
// until visit returns false.
func (a *replayer) quarantined(ctx context.Context, after uint64, visit func(*ingest.Quarantined) bool) error {
	only := ""
	if len(a.list) == 1 {
		only = a.list[0]
	}
	for {
		var page []ingest.Quarantined
		err := a.outlast(ctx, func() (err error) { page, err = a.Quarantine.Quarantined(ctx, only, after, pageLimit); return err })
		if err != nil || len(page) == 0 {
			return err
		}
		for i := range page {
			q := &page[i]
			if q.At.After(a.job.Created.Add(clockSlack)) {
				return nil
			}
			if a.means(q.Frame.Device) && a.inPeriod(&q.Frame) && q.Frame.Device != damaged && !visit(q) {
				return nil
			}
		}
		after = page[len(page)-1].Seq
		if err := a.save(ctx); errors.Is(err, errGone) {
			return err
		}
	}
}

// round replays what was indexed and, unless the order is for quarantine only,
// everything else of the period.
func (a *replayer) round(ctx context.Context) error {
	o, c := a.job.Replay, &a.job.Progress.Cursor
	since, until := o.From, o.To
	if o.QuarantineOnly {
		if len(a.asides) == 0 {
			return nil
		}
		since, until = a.span()
	}
	if c.Basis != inRest {
		if err := a.outlast(ctx, func() error { return a.scan(ctx, since, until) }); err != nil {
			return err
		}
		*c = Cursor{Basis: inRest}
	}
	if err := a.rest(ctx); err != nil {
		return err
	}
	*c = Cursor{}
	return nil
}

// What a replay's cursor counts in: the journal's numbers, or nothing, where the
// journal was read to its end.
const (
	inJournal = "journal"
	inRest    = "quarantine"
)

// scan replays what the journal has of a time, or of the part that is left of it.
func (a *replayer) scan(ctx context.Context, since, until time.Time) error {
	p := &a.job.Progress
	if at := time.Unix(0, p.Cursor.Since); p.Cursor.Basis == inJournal && at.After(since) {
		since = at
	}
	if !since.IsZero() {
		since = since.Add(-warmUp - clockSlack)
	}
	a.pack, a.frames, p.Done, p.Total = pack{}, nil, 0, 0
	if err := a.begin(); err != nil {
		return err
	}
	err := a.Journal.Kept(ctx, since, until.Add(clockSlack), a.list, func(frames []ingest.Frame, left uint64) error {
		return a.record(ctx, frames, left)
	})
	if err != nil {
		return err
	}
	p.Done = p.Total
	return a.flush(ctx)
}

// begin has the quality tests remember nothing.
func (a *replayer) begin() (err error) {
	a.in, err = a.interpreter(a.job)
	return err
}

// span returns the first and the last time at which an indexed frame was received.
func (a *replayer) span() (first, last time.Time) {
	low, high := int64(0), int64(0)
	for k := range a.asides {
		if low == 0 || k.received < low {
			low = k.received
		}
		high = max(high, k.received)
	}
	return time.Unix(0, low), time.Unix(0, high)
}

// record reads the frames of one record.
func (a *replayer) record(ctx context.Context, frames []ingest.Frame, left uint64) error {
	p := &a.job.Progress
	p.Total = max(p.Total, int64(left)+1)
	p.Done = p.Total - int64(left)
	for _, f := range frames {
		if !a.means(f.Device) {
			continue
		}
		obs, fault, err := a.interpret(ctx, func() ([]ingest.Observation, error) { return a.in.Interpret(ctx, f) })
		if err != nil {
			return err
		}
		if !a.inPeriod(&f) || p.Cursor.Basis == inJournal && f.Seq <= p.Cursor.At {
			continue
		}
		if _, aside := a.asides[keyOf(&f)]; a.job.Replay.QuarantineOnly && !aside {
			continue
		}
		a.frames = append(a.frames, f)
		a.pack.add(obs, fault)
	}
	if len(a.pack.obs) >= chunk || len(a.frames) >= chunk {
		return a.flush(ctx)
	}
	return nil
}

// rest replays what only the quarantine still has: it is older than the journal,
// so the quality tests begin anew.
func (a *replayer) rest(ctx context.Context) error {
	if len(a.asides) == 0 {
		return nil
	}
	if err := a.begin(); err != nil {
		return err
	}
	var failed error
	taken := map[frameKey]bool{} // a frame may be there twice
	err := a.quarantined(ctx, 0, func(q *ingest.Quarantined) bool {
		k := keyOf(&q.Frame)
		if _, open := a.asides[k]; !open || taken[k] {
			return true
		}
		taken[k] = true
		obs, fault, err := a.interpret(ctx, func() ([]ingest.Observation, error) { return a.in.Interpret(ctx, q.Frame) })
		if failed = err; failed != nil {
			return false
		}
		a.frames = append(a.frames, q.Frame)
		a.pack.add(obs, fault)
		if len(a.frames) >= chunk {
			failed = a.flush(ctx)
		}
		return failed == nil
	})
	if err := errors.Join(err, failed); err != nil {
		return err
	}
	return a.flush(ctx)
}

// flush writes what was read, and only then settles it with the quarantine.
func (a *replayer) flush(ctx context.Context) error {
	if len(a.frames) == 0 {
		return nil
	}
	if err := a.yield(ctx); err != nil {
		return err
	}
	readings, err := a.write(ctx, &a.pack)
	if err != nil {
		return err
	}
	for i := range a.frames {
		f := &a.frames[i]
		if err := a.outlast(ctx, func() error { return a.settle(ctx, f, a.pack.faults[i]) }); err != nil {
			return err
		}
		a.count(f, readings[i], a.pack.faults[i])
	}
	if c := &a.job.Progress.Cursor; c.Basis != inRest {
		last := &a.frames[len(a.frames)-1]
		*c = Cursor{Basis: inJournal, At: last.Seq, Since: last.Received.UnixNano()}
	}
	a.pack, a.frames = pack{}, nil
	return nil
}

// settle brings the quarantine to what is true of a frame now.
func (a *replayer) settle(ctx context.Context, f *ingest.Frame, fault error) error {
	k := keyOf(f)
	var places []uint64
	same := false
	for _, x := range a.asides[k] {
		if same = same || fault != nil && x.reason == fault.Error(); !same {
			places = append(places, x.place)
		}
	}
	var err error
	switch {
	case fault != nil && !same:
		err = a.Quarantine.Requarantine(ctx, *f, fault.Error(), places...)
	case len(places) > 0:
		err = a.Quarantine.Release(ctx, places...)
	}
	if err == nil {
		if fault == nil && len(places) > 0 {
			a.job.Progress.Released++
		}
		delete(a.asides, k)
	}
	return err
}

func (a *replayer) count(f *ingest.Frame, readings int, fault error) {
	p := &a.job.Progress
	p.Readings += int64(readings)
	if readings > 0 {
		p.Stored++
	}
	if fault != nil {
		p.Refused++
		p.note(Problem{Device: f.Device, At: f.Received, Reason: fault.Error()})
	}
}
