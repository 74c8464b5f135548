package store

import (
	"context"
	"fmt"

	"github.com/uptrace/bun"

	"tianhai/trace"
	"tianhai/trace/chain"
)

// AddBatch stores a batch that no movement made, as databases hold them from before
// harvests were movements.
func (s *Store) AddBatch(ctx context.Context, b trace.Batch) error {
	a, ok := chain.Round(b.Quantity, b.Unit)
	if !ok {
		return fmt.Errorf("add batch: %v %s is nothing, or too much", b.Quantity, b.Unit)
	}
	return fail("add batch", s.inTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		return addHarvest(ctx, tx, b, a, b.Harvest)
	}))
}

// Exec runs SQL that no method would, to see the database refuse it.
func (s *Store) Exec(ctx context.Context, query string) error {
	_, err := s.write.ExecContext(ctx, query)
	return err
}

// Hold begins a transaction, writes with it, and leaves it open.
func (s *Store) Hold(ctx context.Context, query string) error {
	tx, err := s.write.BeginTx(ctx, nil)
	if err == nil {
		_, err = tx.ExecContext(ctx, query)
	}
	return err
}

// DB is the pool that writes.
func (s *Store) DB() *bun.DB { return s.write }
