package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"tianhai/cmd/internal/store"
	"tianhai/trace"
	"tianhai/trace/ledger"
)

// auditAfter is how long after values were deleted the nightly audit begins.
const auditAfter = 30 * time.Minute

// errAudit reports that an audit found faults; they were printed.
var errAudit = errors.New("the log and the records do not agree")

// audit compares the log with the records, going on where the last one was broken
// off unless it is to begin afresh.
func audit(ctx context.Context, db *store.Store, l *ledger.Ledger, log *slog.Logger, fresh bool) (trace.Audit, error) {
	open, state, err := trace.Audit{}, "", error(nil)
	if !fresh {
		if open, state, err = db.OpenAudit(ctx, l.Number()); err != nil {
			return trace.Audit{}, err
		}
	}
	scan, err := l.Scan(state)
	if err != nil {
		// A checkpoint that cannot be read is the worst fault of all.
		a := trace.Audit{Log: l.Number(), Began: time.Now().UTC().Truncate(time.Millisecond), FaultCount: 1, Faults: []trace.Fault{{Kind: trace.FaultLog, Leaf: -1, Detail: err.Error()}}}
		a.Ended = a.Began
		return a, db.SaveAudit(ctx, a, "")
	}
	auditor := &trace.Auditor{
		Store: db, Log: l.Number(), Scan: scan, Logger: log,
		Verify: func(receipt string) (int64, []byte, error) {
			p, err := ledger.Verify(l.VerifierKey(), receipt)
			return p.Index, p.Leaf, err
		},
	}
	return auditor.Run(ctx, open)
}

// audits remembers the faults of the last audit, for metrics and /readyz.
type audits struct {
	faults atomic.Int64 // -1 before the first
	ended  atomic.Int64 // Unix seconds
}

func (s *server) loadAudits(ctx context.Context) error {
	s.audits.faults.Store(-1)
	all, err := s.store.Audits(ctx, 10)
	for _, a := range all {
		if !a.Ended.IsZero() {
			s.audits.note(a)
			break
		}
	}
	return err
}

func (a *audits) note(last trace.Audit) {
	a.faults.Store(last.FaultCount)
	a.ended.Store(last.Ended.Unix())
}

// runAudits audits every night, and at the start where one was broken off.
func (s *server) runAudits(ctx context.Context) error {
	open, _, err := s.store.OpenAudit(ctx, s.ledger.Number())
	if err != nil {
		s.log.WarnContext(ctx, "cannot see whether an audit was broken off", "error", err)
	}
	next := nextPurge(time.Now()).Add(auditAfter)
	if !open.Began.IsZero() {
		next = time.Now()
	}
	for sleepUntil(ctx, next) {
		s.auditOnce(ctx)
		next = nextPurge(time.Now()).Add(auditAfter)
	}
	return nil
}

func (s *server) auditOnce(ctx context.Context) {
	a, err := audit(ctx, s.store, s.ledger, s.log, false)
	switch {
	case ctx.Err() != nil: // the next start goes on
	case err != nil:
		s.log.ErrorContext(ctx, "the audit of the log could not be ended; the next night goes on", "error", err)
	case a.FaultCount > 0:
		s.log.ErrorContext(ctx, "audit: the log and the records do not agree", "faults", a.FaultCount, "leaves", a.Leaves, "records", a.Records)
		s.audits.note(a)
	default:
		s.log.InfoContext(ctx, "audit: every record has its leaf and every leaf its record", "leaves", a.Leaves, "records", a.Records, "repeats", a.Repeats)
		s.audits.note(a)
	}
}

// sleepUntil returns false when ctx is done first.
func sleepUntil(ctx context.Context, at time.Time) bool {
	timer := time.NewTimer(time.Until(at))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

type auditCommand struct {
	configFlags
	Fresh bool `help:"Begin anew instead of going on with an audit that was broken off."`
}

// Run audits the log of a data directory beside a server that runs, or without one.
func (c *auditCommand) Run(ctx context.Context) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	db, err := openStore(ctx, cfg)
	if err != nil {
		return err
	}
	return errors.Join(c.run(ctx, cfg, db), db.Close())
}

func (c *auditCommand) run(ctx context.Context, cfg config, db *store.Store) error {
	l, err := ledger.OpenReadOnly(cfg.path("ledger"))
	if err != nil {
		return err
	}
	a, err := audit(ctx, db, l, slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError + 1})), c.Fresh)
	if err != nil {
		return err
	}
	fmt.Printf("log %d: %d leaves, %d records at their leaf, %d leaves that stand there again (harmless), %d whose record waits for its receipt\n",
		a.Log, a.Leaves, a.Records, a.Repeats, a.Waiting)
	for _, f := range a.Faults {
		fmt.Printf("FAULT %s, leaf %d, record %s %s: %s\n", f.Kind, f.Leaf, f.Record, f.Code, f.Detail)
	}
	if a.FaultCount > 0 {
		return fmt.Errorf("%d faults: %w", a.FaultCount, errAudit)
	}
	fmt.Println("Every record has its leaf and every leaf its record; the tiles lead to the root that was signed.")
	return nil
}
