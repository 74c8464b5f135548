package ingest

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// MaxLines is how many lines with one message a calm log has in a minute.
const MaxLines = 60

// Calm returns a handler that passes on at most MaxLines records with one message
// a minute, so that no stranger can fill a disk with the log of his attempts. The
// first one after says how many were left out. Messages must be constants.
func Calm(h slog.Handler) slog.Handler {
	return calm{h, &counts{now: time.Now, lines: map[string]*lines{}}}
}

type calm struct {
	slog.Handler
	counts *counts
}

// counts are those of a handler and of all that were made from it.
type counts struct {
	now func() time.Time

	mu    sync.Mutex // guards lines
	lines map[string]*lines
}

type lines struct {
	began         time.Time
	told, unheard int
}

// Handle passes on what there is room for.
func (c calm) Handle(ctx context.Context, r slog.Record) error {
	pass, before := c.counts.pass(r.Message)
	if !pass {
		return nil
	}
	if before > 0 {
		r = r.Clone()
		r.AddAttrs(slog.Int("lines_left_out", before))
	}
	return c.Handler.Handle(ctx, r)
}

// WithAttrs shares the counts.
func (c calm) WithAttrs(attrs []slog.Attr) slog.Handler {
	return calm{c.Handler.WithAttrs(attrs), c.counts}
}

// WithGroup shares the counts.
func (c calm) WithGroup(name string) slog.Handler { return calm{c.Handler.WithGroup(name), c.counts} }

func (c *counts) pass(message string) (pass bool, before int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	l := c.lines[message]
	if l == nil {
		l = &lines{began: now}
		c.lines[message] = l
	}
	if now.Sub(l.began) >= time.Minute {
		before = l.unheard
		*l = lines{began: now}
	}
	if l.told >= MaxLines {
		l.unheard++
		return false, 0
	}
	l.told++
	return true, before
}
