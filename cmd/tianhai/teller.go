package main

import (
	"context"
	"log/slog"
	"time"

	"tianhai/monitor/alert"
)

// tellEvery is how often is looked for what another process recorded. A notice that
// could not be delivered is tried again sooner, after alert.FirstPause, and then after
// pauses that double up to this one.
const tellEvery = time.Minute

// A teller tells the outside, by the alarm webhook, of what people have to look
// into. What nobody was told of stands in the database, so that a crash repeats a
// message rather than losing one; screens read the lists themselves.
type teller struct {
	// untold returns what nobody was told of.
	untold func(ctx context.Context) ([]news, error)
	// send delivers a message, and says whether another attempt is worth making; nil
	// where nobody is to be told.
	send func(ctx context.Context, id string, message any) (retry bool, err error)
	log  *slog.Logger
	wake chan struct{}
}

// news is one thing to tell.
type news struct {
	id      string
	message any
	told    func(ctx context.Context) error
}

func newTeller(send func(context.Context, string, any) (bool, error), log *slog.Logger, untold func(context.Context) ([]news, error)) *teller {
	return &teller{untold: untold, send: send, log: log, wake: make(chan struct{}, 1)}
}

// Wake tells of new ones; it never blocks.
func (t *teller) Wake() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// Run tells until ctx is done.
func (t *teller) Run(ctx context.Context) error {
	failed := 0
	for {
		pause := tellEvery
		if err := t.tell(ctx); err == nil {
			failed = 0
		} else if ctx.Err() == nil {
			pause = min(alert.FirstPause<<min(failed, 10), tellEvery)
			failed++
			t.log.WarnContext(ctx, "messages wait to be delivered", "error", err, "retry_in", pause)
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		case <-t.wake:
			timer.Stop()
		}
	}
}

// tell tells of everything that nobody was told of. One that cannot be delivered
// does not keep the others.
func (t *teller) tell(ctx context.Context) error {
	all, err := t.untold(ctx)
	if err != nil {
		return err
	}
	for _, n := range all {
		if t.send != nil {
			if retry, failed := t.send(ctx, n.id, n.message); failed != nil {
				if err = failed; retry {
					continue
				}
			}
		}
		if err := n.told(ctx); err != nil {
			return err
		}
	}
	return err
}
