package ingest

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"
)

// How long to wait between attempts: twice as long each time, less a random
// part of up to a half.
const (
	minPause = 100 * time.Millisecond
	maxPause = 10 * time.Second
)

// An outage is the time in which one piece of work, done by several partitions,
// does not succeed. It logs when it begins and when it ends, however many
// attempts it takes in between. Its zero value logs nothing.
type outage struct {
	log  *slog.Logger // nil discards
	work string

	mu      sync.Mutex // guards what follows
	failing int        // partitions that are trying again
	since   time.Time
	last    error // why the last attempt failed
}

// heldUp returns since when the work does not succeed, and why it did not the
// last time; nil when it does.
func (o *outage) heldUp() (since time.Time, why error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.failing == 0 {
		return time.Time{}, nil
	}
	return o.since, o.last
}

// outlast tries until it succeeds or ctx is done, and then returns its cause.
func (o *outage) outlast(ctx context.Context, try func() error) error {
	err := try()
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	o.begin(ctx, err)
	defer o.end(ctx)
	for pause := minPause; ; pause = min(2*pause, maxPause) {
		wait := pause/2 + rand.N(pause/2)
		if asked := (interface{ RetryAfter() time.Duration })(nil); errors.As(err, &asked) {
			wait = max(wait, asked.RetryAfter())
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		}
		if err = try(); err == nil {
			return nil
		}
		o.failed(err)
	}
}

func (o *outage) begin(ctx context.Context, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.last = err
	if o.failing++; o.failing > 1 {
		return
	}
	o.since = time.Now().UTC()
	if o.log != nil {
		o.log.WarnContext(ctx, "work is held up, trying again until it succeeds", "work", o.work, "error", err)
	}
}

func (o *outage) failed(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.last = err
}

func (o *outage) end(ctx context.Context) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.failing--; o.failing == 0 && o.log != nil && ctx.Err() == nil {
		o.log.InfoContext(ctx, "work goes on", "work", o.work, "after", time.Since(o.since))
	}
}
