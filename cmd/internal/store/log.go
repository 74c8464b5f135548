package store

import (
	"context"
	"errors"
	"time"

	"github.com/uptrace/bun"

	"tianhai/farm"
	"tianhai/trace"
)

type logRow struct {
	bun.BaseModel `bun:"table:logs,alias:l"`

	Number      int
	VerifierKey string
	Size        int64
	Checkpoint  string
	At          instant
}

func (r logRow) state() trace.LogState {
	return trace.LogState{Number: r.Number, VerifierKey: r.VerifierKey, Size: r.Size, Checkpoint: r.Checkpoint, At: r.At.Time}
}

// Logs returns what every log has signed last, by number.
func (s *Store) Logs(ctx context.Context) ([]trace.LogState, error) {
	var rows []logRow
	err := s.read.NewSelect().Model(&rows).Order("l.number").Scan(ctx)
	return each(rows, logRow.state), fail("read logs", err)
}

// KeepLog remembers what a log has signed. A smaller tree than before, another
// one of the same size, or another key is farm.ErrConflict.
func (s *Store) KeepLog(ctx context.Context, l trace.LogState) error {
	row := logRow{Number: l.Number, VerifierKey: l.VerifierKey, Size: l.Size, Checkpoint: l.Checkpoint, At: instant{s.now().UTC().Truncate(time.Microsecond)}}
	return fail("keep log", s.inTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		var was logRow
		err := tx.NewSelect().Model(&was).Where("l.number = ?", l.Number).Scan(ctx)
		switch {
		case errors.Is(fail("", err), farm.ErrNotFound):
			_, err = tx.NewInsert().Model(&row).Exec(ctx)
			return err
		case err != nil:
			return err
		case was.VerifierKey != l.VerifierKey, was.Size > l.Size, was.Size == l.Size && was.Checkpoint != l.Checkpoint:
			return farm.ErrConflict
		}
		res, err := tx.NewUpdate().Model((*logRow)(nil)).Set("size = ?, checkpoint = ?, at = ?", row.Size, row.Checkpoint, row.At).
			Where("l.number = ? AND l.size <= ?", l.Number, l.Size).Exec(ctx)
		return changed(res, err, farm.ErrConflict)
	}))
}
