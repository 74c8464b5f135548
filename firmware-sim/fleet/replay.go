package fleet

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"
)

// A Replay sends rows of real measurements as one device. Broker and Device are
// needed; the zero of everything else is usable.
type Replay struct {
	Broker string      // as in Config
	TLS    *tls.Config // as in Config
	Device Device      // its Kind, Faults and LowOxygen have no meaning here
	// Speed is how much faster than they were measured the rows are sent; 0 is as
	// fast as they are acknowledged.
	Speed float64
	// FromRow is the first row to send; 1 when 0.
	FromRow    int
	AckTimeout time.Duration  // as in Config
	Grace      time.Duration  // as in Config
	Progress   func(Row, int) // called, where not nil, for each row with how many are acknowledged
	Logger     *slog.Logger   // nil discards
}

// inReplay is how many rows may wait for their acknowledgement.
const inReplay = 2 * window

// Replayed is how far a replay came.
type Replayed struct {
	Acknowledged int // rows that the broker says it has
	Next         int // the first row without; where to go on
}

// Run sends the rows in order to th/{device}/up, at QoS 1 and at least once,
// gaps included. It returns when all are acknowledged, or ctx has ended, or a
// row cannot be read; the rows before that one are delivered first. The error
// is nil only if every row is acknowledged.
func (r Replay) Run(ctx context.Context, rows *Rows) (Replayed, error) {
	orDefault(&r.FromRow, 1)
	orDefault(&r.AckTimeout, 30*time.Second)
	orDefault(&r.Grace, 5*time.Second)
	orDefault(&r.Logger, slog.New(slog.DiscardHandler))
	l, err := newLink(r.Broker, r.TLS, r.Logger)
	if err == nil {
		err = r.Device.checkID()
	}
	if err != nil || r.FromRow < 1 || r.Speed < 0 {
		return Replayed{}, errors.Join(errors.New("configure replay: broker, device, row or speed cannot be used"), err)
	}
	l.ack, l.grace = r.AckTimeout, r.Grace

	box := newOutbox(inReplay)
	orders := orders{now: time.Now} // of no kind, so that every command is refused
	s := &session{
		link: l, device: r.Device, box: box, obey: orders.obey,
		radio: func() (bool, time.Duration) { return false, 0 },
	}
	connected, hangUp := context.WithCancel(ctx)
	defer hangUp()
	var group errgroup.Group
	group.Go(func() error { return s.run(connected) })
	next, readErr := r.send(ctx, rows, box)
	box.drain(ctx)
	hangUp()
	_ = group.Wait() // a session ends without error

	var stats Stats
	box.count(&stats)
	if m := box.oldest(); m != nil && m.measurement {
		next = m.row
		if readErr == nil {
			readErr = context.Cause(ctx)
		}
	}
	if readErr != nil {
		readErr = fmt.Errorf("replay: %w", readErr)
	}
	return Replayed{int(stats.Acknowledged), next}, readErr
}

// send puts the rows into the outbox, and returns the first that it did not.
func (r Replay) send(ctx context.Context, rows *Rows, box *outbox) (next int, err error) {
	if err := rows.Skip(r.FromRow - 1); errors.Is(err, io.EOF) {
		return r.FromRow, fmt.Errorf("there is no row %d", r.FromRow)
	} else if err != nil {
		return r.FromRow, fmt.Errorf("skip to row %d: %w", r.FromRow, err)
	}
	var pace *clock
	for next = r.FromRow; ; next++ {
		row, err := rows.Next()
		if errors.Is(err, io.EOF) {
			return next, nil
		}
		if err != nil {
			return next, err
		}
		if r.Speed > 0 {
			if pace == nil {
				pace = &clock{start: row.Time, began: time.Now(), speed: r.Speed, now: time.Now}
			}
			if wait := pace.until(row.Time); wait > 0 {
				sleep(ctx, wait)
			}
		}
		m := &message{topic: "th/" + r.Device.ID + "/up", payload: row.Payload, measurement: true, row: row.Number}
		if ctx.Err() != nil {
			return next, context.Cause(ctx)
		}
		if err := box.putWait(ctx, m); err != nil {
			return next, err
		}
		if r.Progress != nil {
			var s Stats
			box.count(&s)
			r.Progress(row, int(s.Acknowledged))
		}
	}
}
