package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"tianhai/cmd/internal/store"
	"tianhai/trace"
	"tianhai/trace/ledger"
)

// witnessesLate is how long records may wait for their cosignatures before the
// log counts as waiting for its witnesses.
const witnessesLate = time.Minute

// keeper has the records database remember what the log has signed.
type keeper struct{ *store.Store }

// Known returns what is remembered of the newest log.
func (k keeper) Known(ctx context.Context) (ledger.Known, bool, error) {
	logs, err := k.Logs(ctx)
	if err != nil || len(logs) == 0 {
		return ledger.Known{}, false, err
	}
	l := logs[len(logs)-1]
	return ledger.Known{Number: l.Number, VerifierKey: l.VerifierKey, Size: l.Size, Checkpoint: l.Checkpoint}, true, nil
}

// Keep remembers a checkpoint before it is published.
func (k keeper) Keep(ctx context.Context, n ledger.Known) error {
	return k.KeepLog(ctx, trace.LogState{Number: n.Number, VerifierKey: n.VerifierKey, Size: n.Size, Checkpoint: n.Checkpoint})
}

// ledgerOptions says how the log of a configuration is opened.
func ledgerOptions(cfg config, db *store.Store) ledger.Options {
	opt := ledger.Options{Dir: cfg.path("ledger"), Origin: cfg.Ledger.Origin, Quorum: cfg.Ledger.Quorum, Keeper: keeper{db}}
	for _, w := range cfg.Ledger.Witnesses {
		opt.Witnesses = append(opt.Witnesses, ledger.WitnessAddress{VerifierKey: w.VerifierKey, URL: w.URL})
	}
	return opt
}

// checkLedger reports the first value of the ledger's that cannot work.
func (c *config) checkLedger() error {
	var policy ledger.Policy
	for i, w := range c.Ledger.Witnesses {
		if w.URL == "" {
			return fmt.Errorf("ledger.witnesses[%d].url: missing", i)
		}
		if err := checkURL(w.URL, []string{"http", "https"}); err != nil {
			return fmt.Errorf("ledger.witnesses[%d].url: %w", i, err)
		}
		policy.Witnesses = append(policy.Witnesses, w.VerifierKey)
	}
	if err := policy.Check(); err != nil {
		return fmt.Errorf("ledger.witnesses: %w", err)
	}
	policy.Quorum = c.Ledger.Quorum
	if err := policy.Check(); err != nil {
		return fmt.Errorf("ledger.quorum: %w", err)
	}
	return nil
}

// logKey returns the key of the log of that name, or "".
func (s *server) logKey(origin string) string {
	if key := s.ledger.KeyOf(origin); key != "" {
		return key
	}
	for _, l := range s.logs { // whose directory was lost: the database knows the key
		if strings.HasPrefix(l.VerifierKey, origin+"+") {
			return l.VerifierKey
		}
	}
	return ""
}

type ledgerCommand struct {
	Rotate rotateCommand `cmd:"" help:"Give the log a new key: end it and begin the next. Stop the server first."`
}

type rotateCommand struct {
	configFlags
	Restored bool `help:"The ledger's directory is an older copy and the newest one is lost: leave that log as it is and go on with a new one."`
}

// Run rotates the log's key.
func (c *rotateCommand) Run(ctx context.Context) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	db, err := openStore(ctx, cfg)
	if err != nil {
		return err
	}
	key, err := ledger.Rotate(ctx, ledgerOptions(cfg, db), c.Restored)
	if errors.Is(err, ledger.ErrInUse) {
		err = fmt.Errorf("%w: stop the server first", err)
	}
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	fmt.Printf("log %d begins: %s\nPublish its key beside the old one, and give it to the witnesses. Receipts of the old log stay good with the old key.\n", key.Number, key.VerifierKey)
	return nil
}

// lookAtLedger says how the log is: held, or waiting for witnesses.
func (s *server) lookAtLedger(ctx context.Context) condition {
	if err := s.ledger.Held(); err != nil {
		return condition{State: stateDown, Detail: err.Error()}
	}
	if n := s.audits.faults.Load(); n > 0 {
		return condition{State: stateFaulty, Detail: fmt.Sprintf("%d faults in the last audit", n)}
	}
	if s.ledger.Policy().Quorum == 0 {
		return condition{State: stateOK}
	}
	waiting, since, err := s.store.UncosignedCount(ctx, s.ledger.Number())
	if err != nil || waiting == 0 || time.Since(since) < witnessesLate {
		return condition{State: stateOK} // the database is a part of its own
	}
	var faults []string
	all, _ := s.ledger.Witnesses()
	for _, w := range all {
		if w.Fault != "" {
			faults = append(faults, w.Name+": "+w.Fault)
		}
	}
	return condition{State: statePending, Detail: fmt.Sprintf("%d records wait for a quorum of witnesses. %s", waiting, strings.Join(faults, "; "))}
}
