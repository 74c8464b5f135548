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
// attempts it takes in between.
type outage struct {
	log  *slog.Logger
	work string

	mu      sync.Mutex // guards what follows
	failing int        // partitions that are trying again
	since   time.Time
}

func newOutage(log *slog.Logger, work string) *outage {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &outage{log: log, work: work}
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
	}
}

func (o *outage) begin(ctx context.Context, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.failing++; o.failing == 1 {
		o.since = time.Now()
		o.log.WarnContext(ctx, "work is held up, trying again until it succeeds", "work", o.work, "error", err)
	}
}

func (o *outage) end(ctx context.Context) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.failing--; o.failing == 0 && ctx.Err() == nil {
		o.log.InfoContext(ctx, "work goes on", "work", o.work, "after", time.Since(o.since))
	}
}
