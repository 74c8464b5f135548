package trace

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	sealBatch   = 256 // records read from the outbox at a time
	sealAtOnce  = 64  // of them waiting for the log at a time
	sealEvery   = 30 * time.Second
	sealPatient = 30 * time.Second // for one receipt
	followEvery = 2 * time.Second  // looks at what the witnesses have cosigned
	minBackoff  = time.Second
	maxBackoff  = time.Minute
)

// A Sealer brings records from the database into the log: first the row, which
// is there when it begins; second the leaf; third the receipt, back into the
// row. It may be stopped or killed between any two steps and goes on with the
// next start. A record whose receipt was not stored is then appended once more,
// so a leaf can stand in the log twice. That is harmless: a receipt is for one
// of them, and both say the same.
type Sealer struct {
	outbox Outbox
	log    Log
	logger *slog.Logger
	wake   chan struct{}

	mu sync.Mutex
	// placed guards against appending twice within one run: records whose leaf is
	// in the log but whose row does not say so yet.
	placed map[string]int64
}

// NewSealer returns a Sealer; Run does its work.
func NewSealer(outbox Outbox, log Log, logger *slog.Logger) *Sealer {
	return &Sealer{outbox: outbox, log: log, logger: logger, wake: make(chan struct{}, 1), placed: map[string]int64{}}
}

// Wake tells the Sealer that there is a new record. It never blocks.
func (s *Sealer) Wake() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Run seals records until ctx is done, then returns nil. It looks when woken and
// every half minute; after a failure, which it logs, it waits from a second up
// to a minute.
func (s *Sealer) Run(ctx context.Context) error {
	var g errgroup.Group
	g.Go(func() error { return s.run(ctx) })
	g.Go(func() error { return s.follow(ctx) })
	return g.Wait()
}

func (s *Sealer) run(ctx context.Context) error {
	backoff := minBackoff
	for {
		n, err := s.round(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			s.logger.WarnContext(ctx, "records wait to be sealed", "error", err, "retry_in", backoff)
			if !sleep(ctx, backoff, nil) {
				return nil
			}
			backoff = min(2*backoff, maxBackoff)
			continue
		case n == sealBatch: // there may be more
		case !sleep(ctx, sealEvery, s.wake):
			return nil
		}
		backoff = minBackoff
	}
}

// round seals what waits, at most sealBatch records, and returns how many there
// were. One record's failure does not keep the others.
func (s *Sealer) round(ctx context.Context) (int, error) {
	records, err := s.outbox.Unsealed(ctx, sealBatch)
	if err != nil {
		return 0, fmt.Errorf("read outbox: %w", err)
	}
	var g errgroup.Group
	g.SetLimit(sealAtOnce)
	for _, r := range records {
		g.Go(func() error {
			if err := s.seal(ctx, r); err != nil {
				return fmt.Errorf("seal %s record %s: %w", r.Kind, r.ID, err)
			}
			return nil
		})
	}
	return len(records), g.Wait()
}

func (s *Sealer) seal(ctx context.Context, r Record) error {
	ctx, cancel := context.WithTimeoutCause(ctx, sealPatient, errors.New("the log is slow"))
	defer cancel()
	index, err := s.place(ctx, r)
	if err != nil {
		return err
	}
	receipt, err := s.log.Receipt(ctx, index)
	if err != nil {
		return err
	}
	if err := s.outbox.Sealed(ctx, r.ID, Seal{Log: s.log.Number(), Index: index, Receipt: receipt}); err != nil {
		return fmt.Errorf("store receipt: %w", err)
	}
	s.mu.Lock()
	delete(s.placed, r.ID)
	s.mu.Unlock()
	return nil
}

// place appends the record's leaf unless this run has done so.
func (s *Sealer) place(ctx context.Context, r Record) (int64, error) {
	s.mu.Lock()
	index, ok := s.placed[r.ID]
	s.mu.Unlock()
	if ok {
		return index, nil
	}
	index, err := s.log.Append(ctx, r.Leaf())
	if err != nil {
		return 0, err
	}
	s.mu.Lock()
	s.placed[r.ID] = index
	s.mu.Unlock()
	return index, nil
}

// follow exchanges receipts as the witnesses go on.
func (s *Sealer) follow(ctx context.Context) error {
	var done int64
	backoff := followEvery
	for sleep(ctx, backoff, nil) {
		size := s.log.CosignedSize()
		if size <= done {
			backoff = followEvery
			continue
		}
		n, err := s.exchange(ctx, size)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			backoff = min(2*backoff, maxBackoff)
			s.logger.WarnContext(ctx, "cosigned receipts wait to be stored", "error", err, "retry_in", backoff)
		case n < sealBatch:
			done, backoff = size, followEvery
		default:
			backoff = time.Millisecond // there are more
		}
	}
	return nil
}

// exchange stores cosigned receipts, at most sealBatch, and returns how many
// records there were.
func (s *Sealer) exchange(ctx context.Context, size int64) (int, error) {
	records, err := s.outbox.Uncosigned(ctx, s.log.Number(), size, sealBatch)
	if err != nil {
		return 0, err
	}
	for _, r := range records {
		receipt, err := s.log.CosignedReceipt(ctx, r.Index)
		if err != nil {
			return 0, fmt.Errorf("record %s: %w", r.ID, err)
		}
		if err := s.outbox.Cosigned(ctx, r.ID, receipt); err != nil {
			return 0, fmt.Errorf("record %s: %w", r.ID, err)
		}
	}
	return len(records), nil
}

// sleep waits for d or for wake; it returns false when ctx is done.
func sleep(ctx context.Context, d time.Duration, wake <-chan struct{}) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
	case <-wake:
	}
	return true
}
