package ingest

import (
	"context"
	"errors"
	"log/slog"

	"golang.org/x/sync/errgroup"
)

// A Watcher is told of observations. It must bear to be told again.
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
}

// Run works until ctx is done and then returns nil, or until the source gives up.
func (w *Watch) Run(ctx context.Context) error {
	trouble := newOutage(w.Logger, "watching readings")
	work, ctx := errgroup.WithContext(ctx)
	for p := range w.Source.Partitions() {
		work.Go(func() error {
			return w.Source.Consume(ctx, WatchReader, p, func(ctx context.Context, frames []Frame) error {
				return w.show(ctx, frames, trouble)
			})
		})
	}
	return work.Wait()
}

func (w *Watch) show(ctx context.Context, frames []Frame, trouble *outage) error {
	obs := make([]Observation, 0, len(frames))
	for _, f := range frames {
		err := trouble.outlast(ctx, func() error {
			got, err := w.Interpreter.Interpret(ctx, f)
			if bad := (*FrameError)(nil); err != nil && !errors.As(err, &bad) {
				return err
			}
			obs = append(obs, got...)
			return nil
		})
		if err != nil {
			return err
		}
	}
	if len(obs) == 0 {
		return nil
	}
	for _, watcher := range w.Watchers {
		if err := trouble.outlast(ctx, func() error { return watcher.Observe(ctx, obs) }); err != nil {
			return err
		}
	}
	return nil
}
