package history

import (
	"context"
	"time"

	"tianhai/ingest"
)

// backfill stores the rows of the job's file. What was stored before a crash is
// read again, so that the quality tests have seen it, and not written again.
func (r *run) backfill(ctx context.Context) error {
	s, _, err := r.reader().read(ctx, r.file(r.job.ID), r.job)
	if err != nil {
		return err
	}
	in, err := r.interpreter(r.job)
	if err != nil {
		return err
	}
	p := &r.job.Progress
	if p.Cursor.Basis != s.basis() {
		*p = Progress{
			Done: s.useless, Total: s.total, Refused: s.refused, Problems: s.problems,
			Cursor: Cursor{Basis: s.basis()},
		}
		_, p.Ignored = s.list()
	}
	done := int(p.Cursor.At)
	for first := 0; first < len(s.rows); first += chunk {
		rows := s.rows[first:min(first+chunk, len(s.rows))]
		var all pack
		for i, row := range rows {
			f, values := s.frame(row)
			obs, fault, err := r.interpret(ctx, func() ([]ingest.Observation, error) { return in.Read(ctx, f, values) })
			if err != nil {
				return err
			}
			if first+i >= done {
				all.add(obs, fault)
			}
		}
		if len(all.faults) == 0 {
			continue
		}
		if err := r.yield(ctx); err != nil {
			return err
		}
		if err := r.storeRows(ctx, s, rows[len(rows)-len(all.faults):], &all); err != nil {
			return err
		}
		p.Cursor.At = uint64(first + len(rows))
	}
	return nil
}

// storeRows writes rows and counts them.
func (r *run) storeRows(ctx context.Context, s *sheet, rows []row, all *pack) error {
	readings, err := r.write(ctx, all)
	if err != nil {
		return err
	}
	p := &r.job.Progress
	for i, row := range rows {
		p.Done++
		p.Readings += int64(readings[i])
		if readings[i] > 0 {
			p.Stored++
		}
		if fault := all.faults[i]; fault != nil {
			if !row.bad {
				p.Refused++
			}
			p.note(Problem{Line: int(row.line), Device: s.devices[row.device].id, At: time.UnixMilli(row.at).UTC(), Reason: fault.Error()})
		}
	}
	return nil
}
