package ingest

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// A Watcher is told of observations. It must bear to be told again, and must not
// hold on to them: their memory is used for others after Observe has returned.
type Watcher interface {
	Observe(ctx context.Context, obs []Observation) error
}

// A Watch shows readings to watchers, such as the alert engine and the live
// screens, without waiting for the time-series store.
//
// Each watcher sees the observations of a device in the order of the journal,
// at least once. A watcher that fails holds up its partition and is tried again
// until it succeeds; those before it are not told the same batch again
// meanwhile. What cannot be interpreted is the Keeper's to quarantine.
type Watch struct {
	Source      Source
	Interpreter *Interpreter
	Watchers    []Watcher
	Logger      *slog.Logger // nil discards

	trouble outage
}

// HeldUp returns since when a watcher does not take readings, and why; nil when
// that is not so.
func (w *Watch) HeldUp() (since time.Time, why error) { return w.trouble.heldUp() }

// Run works until ctx is done and then returns nil, or until the source gives up.
func (w *Watch) Run(ctx context.Context) error {
	w.trouble.log, w.trouble.work = w.Logger, "watching readings"
	var spare sync.Pool // of *transcript
	work, ctx := errgroup.WithContext(ctx)
	for p := range w.Source.Partitions() {
		work.Go(func() error {
			return w.Source.Consume(ctx, WatchReader, p, func(ctx context.Context, frames []Frame) error {
				t, ok := spare.Get().(*transcript)
				if !ok {
					t = new(transcript)
				}
				defer spare.Put(t)
				t.reset()
				return w.show(ctx, frames, t)
			})
		})
	}
	return work.Wait()
}

func (w *Watch) show(ctx context.Context, frames []Frame, t *transcript) error {
	read := 0
	err := w.trouble.outlast(ctx, func() error {
		for ; read < len(frames); read++ {
			err := w.Interpreter.transcribe(ctx, &frames[read], t)
			if bad := (*FrameError)(nil); err != nil && !errors.As(err, &bad) {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, watcher := range w.Watchers {
		if len(t.observations) == 0 {
			break
		}
		if err := w.trouble.outlast(ctx, func() error { return watcher.Observe(ctx, t.observations) }); err != nil {
			return err
		}
	}
	return w.trouble.outlast(ctx, func() error { return w.Interpreter.keep(ctx) })
}
