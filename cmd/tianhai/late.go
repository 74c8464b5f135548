package main

import (
	"context"
	"log/slog"
	"time"

	"tianhai/cmd/internal/store"
	"tianhai/i18n"
	"tianhai/monitor/alert"
	"tianhai/trace"
)

// tellEvery is how often is looked for what another process recorded. A notice that
// could not be delivered is tried again sooner, after alert.FirstPause, and then after
// pauses that double up to this one.
const tellEvery = time.Minute

// A lateTeller tells the outside of uses of inputs that came too late for the gates.
// What nobody was told of stands in the database, so that a crash repeats a notice
// rather than losing one; screens read the list itself.
type lateTeller struct {
	store interface {
		LateUses(ctx context.Context, f store.LateFilter) ([]trace.FoundLate, error)
		ToldLate(ctx context.Context, l trace.LateUse, at time.Time) error
	}
	// send delivers a message, and says whether another attempt is worth making; nil
	// where nobody is to be told.
	send  func(ctx context.Context, id string, message any) (retry bool, err error)
	texts *i18n.Catalog
	log   *slog.Logger
	wake  chan struct{}
}

// Wake tells of new ones; it never blocks.
func (l *lateTeller) Wake(context.Context, []trace.LateUse) {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Run tells until ctx is done.
func (l *lateTeller) Run(ctx context.Context) error {
	failed := 0
	for {
		pause := tellEvery
		if err := l.tell(ctx); err == nil {
			failed = 0
		} else if ctx.Err() == nil {
			pause = min(alert.FirstPause<<min(failed, 10), tellEvery)
			failed++
			l.log.WarnContext(ctx, "late uses of inputs wait to be told", "error", err, "retry_in", pause)
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		case <-l.wake:
			timer.Stop()
		}
	}
}

// lateMessage is the body of a webhook.
type lateMessage struct {
	ID      string            `json:"id"`
	Type    string            `json:"type"` // "late_use.found"
	LateUse trace.FoundLate   `json:"late_use"`
	Title   map[string]string `json:"title"` // by language
}

// tell tells of everything that nobody was told of. One that cannot be delivered
// does not keep the others.
func (l *lateTeller) tell(ctx context.Context) error {
	found, err := l.store.LateUses(ctx, store.LateFilter{Untold: true})
	if err != nil {
		return err
	}
	for _, f := range found {
		l.log.WarnContext(ctx, "an input was recorded too late to refuse a harvest", "operation", f.Operation, "batch", f.Batch, "code", f.Code, "site", f.Site)
		if retry, failed := l.post(ctx, f); failed != nil {
			err = failed
			if retry {
				continue
			}
		}
		if err := l.store.ToldLate(ctx, f.LateUse, time.Now()); err != nil {
			return err
		}
	}
	return err
}

func (l *lateTeller) post(ctx context.Context, f trace.FoundLate) (retry bool, err error) {
	if l.send == nil {
		return false, nil
	}
	m := lateMessage{ID: f.Operation + "-" + f.Batch, Type: "late_use.found", LateUse: f, Title: map[string]string{}}
	for _, lang := range l.texts.Languages() {
		m.Title[lang] = l.texts.T(lang, "late_use.title", "lot", f.Lot, "name", f.Refusals[0].Name.In(lang), "date", f.Refusals[0].Date)
	}
	return l.send(ctx, m.ID, m)
}
