package store

import (
	"context"

	"github.com/uptrace/bun"
)

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
