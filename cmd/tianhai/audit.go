package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"tianhai/api"
	"tianhai/cmd/internal/store"
	"tianhai/trace"
	"tianhai/trace/ledger"
)

// auditAfter is how long after values were deleted the nightly audit begins.
const auditAfter = 30 * time.Minute

// errAudit reports that an audit found faults; they were printed.
var errAudit = errors.New("the log and the records do not agree")

// auditAll audits every log there ever was, the current one last.
func auditAll(ctx context.Context, db *store.Store, l *ledger.Ledger, log *slog.Logger, fresh bool) ([]trace.Audit, error) {
	var all []trace.Audit
	logs := l.Logs()
	for i, one := range logs {
		left := i+1 < len(logs) && one.Left(ctx, logs[i+1])
		a, err := audit(ctx, db, one, auditOptions{log: log, fresh: fresh, left: left})
		if err != nil {
			return all, fmt.Errorf("audit log %d: %w", one.Number(), err)
		}
		all = append(all, a)
	}
	return all, nil
}

type auditOptions struct {
	log   *slog.Logger
	fresh bool // do not go on with one that was broken off
	left  bool // the log's newest part is lost
}

// audit compares a log with its records.
func audit(ctx context.Context, db *store.Store, l *ledger.Ledger, o auditOptions) (trace.Audit, error) {
	open, state, err := trace.Audit{}, "", error(nil)
	if !o.fresh {
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
		Store: db, Log: l.Number(), Scan: scan, Logger: o.log, Left: o.left,
		Verify: func(receipt string) (int64, []byte, error) {
			p, err := ledger.Verify(l.VerifierKey(), receipt)
			return p.Index, p.Leaf, err
		},
	}
	return auditor.Run(ctx, open)
}

// audits remembers the faults of the last audit, for metrics and /readyz, and when
// one is asked for.
type audits struct {
	asked  chan struct{}
	faults atomic.Int64 // -1 before the first
	ended  atomic.Int64 // Unix seconds
}

func (s *server) loadAudits(ctx context.Context) error {
	s.audits.asked = make(chan struct{}, 1)
	s.audits.faults.Store(-1)
	all, err := s.store.Audits(ctx, store.Place{}, 1)
	if len(all) > 0 && !all[0].Ended.IsZero() {
		s.audits.note(all)
	}
	return err
}

func (a *audits) note(last []trace.Audit) {
	var faults int64
	for _, one := range last {
		faults += one.FaultCount
		a.ended.Store(one.Ended.Unix())
	}
	a.faults.Store(faults)
}

// An auditDesk is what the API sees of audits.
type auditDesk struct {
	*store.Store
	asked chan<- struct{}
}

// Audits returns audits, newest first.
func (d auditDesk) Audits(ctx context.Context, after api.Place, limit int) ([]trace.Audit, error) {
	return d.Store.Audits(ctx, store.Place(after), limit)
}

// StartAudit has one begin now, unless one is about to.
func (d auditDesk) StartAudit() {
	select {
	case d.asked <- struct{}{}:
	default:
	}
}

// runAudits audits every night, whenever it is asked, and at the start where one was
// broken off.
func (s *server) runAudits(ctx context.Context) error {
	open, _, err := s.store.OpenAudit(ctx, s.ledger.Number())
	if err != nil {
		s.log.WarnContext(ctx, "cannot see whether an audit was broken off", "error", err)
	}
	next := nextPurge(time.Now()).Add(auditAfter)
	if !open.Began.IsZero() {
		next = time.Now()
	}
	for sleepUntil(ctx, next, s.audits.asked) {
		s.auditOnce(ctx)
		next = nextPurge(time.Now()).Add(auditAfter)
	}
	return nil
}

func (s *server) auditOnce(ctx context.Context) {
	all, err := auditAll(ctx, s.store, s.ledger, s.log, false)
	if ctx.Err() != nil { // the next start goes on
		return
	}
	if err != nil {
		s.log.ErrorContext(ctx, "the audit of the log could not be ended; the next night goes on", "error", err)
		return
	}
	s.audits.note(all)
	for _, a := range all {
		if a.FaultCount > 0 {
			s.log.ErrorContext(ctx, "audit: the log and the records do not agree", "log", a.Log, "faults", a.FaultCount, "leaves", a.Leaves, "records", a.Records)
			continue
		}
		s.log.InfoContext(ctx, "audit: every record has its leaf and every leaf its record", "log", a.Log, "leaves", a.Leaves, "records", a.Records, "repeats", a.Repeats)
	}
}

// sleepUntil returns false when ctx is done first. A signal ends the sleep early; nil
// never comes.
func sleepUntil(ctx context.Context, at time.Time, signal <-chan struct{}) bool {
	timer := time.NewTimer(time.Until(at))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	case <-signal:
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
	silent := slog.New(slog.DiscardHandler) // the faults are printed below
	all, err := auditAll(ctx, db, l, silent, c.Fresh)
	if err != nil {
		return err
	}
	var faults int64
	for _, a := range all {
		fmt.Printf("log %d: %d leaves, %d records at their leaf, %d leaves that stand there again (harmless), %d whose record waits for its receipt\n",
			a.Log, a.Leaves, a.Records, a.Repeats, a.Waiting)
		for _, f := range a.Faults {
			fmt.Printf("FAULT %s, leaf %d, record %s %s: %s\n", f.Kind, f.Leaf, f.Record, f.Code, f.Detail)
		}
		faults += a.FaultCount
	}
	if faults > 0 {
		return fmt.Errorf("%d faults: %w", faults, errAudit)
	}
	fmt.Println("Every record has its leaf and every leaf its record; the tiles lead to the root that was signed.")
	return nil
}
