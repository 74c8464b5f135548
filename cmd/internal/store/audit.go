package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/uptrace/bun"

	"tianhai/trace"
)

type auditRow struct {
	bun.BaseModel `bun:"table:audits,alias:a"`

	Log   int
	Began instant
	Ended instant
	Doc   string
	State string
}

func (r auditRow) audit() (a trace.Audit, err error) {
	if err = json.Unmarshal([]byte(r.Doc), &a); err != nil {
		err = fmt.Errorf("audit of %v: %w", r.Began.Time, err)
	}
	return a, err
}

// Placed returns the sealed records of a log from a leaf on, by leaf, at most limit.
func (s *Store) Placed(ctx context.Context, log int, from int64, limit int) ([]trace.Record, error) {
	var rows []recordRow
	err := s.read.NewSelect().Model(&rows).Where("r.log = ? AND r.leaf >= ? AND r.leaf >= 0", log, from).
		Order("r.leaf").Limit(int64(max(limit, 1))).Scan(ctx)
	return each(rows, recordRow.record), fail("read records of a log", err)
}

// UnsealedBefore counts records from before then that have no receipt.
func (s *Store) UnsealedBefore(ctx context.Context, then time.Time) (int, error) {
	n, err := s.read.NewSelect().Model((*recordRow)(nil)).Where("r.leaf < 0 AND r.at < ?", then.UnixMicro()).Count(ctx)
	return int(n), fail("count unsealed records", err)
}

// SaveAudit stores an audit by its log and beginning, and what it goes on from.
func (s *Store) SaveAudit(ctx context.Context, a trace.Audit, state string) error {
	doc, err := json.Marshal(a)
	if err != nil {
		return fail("save audit", err)
	}
	if !a.Ended.IsZero() {
		state = ""
	}
	row := auditRow{Log: a.Log, Began: instant{a.Began}, Ended: instant{a.Ended}, Doc: string(doc), State: state}
	_, err = s.write.NewInsert().Model(&row).On("CONFLICT (log, began) DO UPDATE").
		Set("ended = EXCLUDED.ended, doc = EXCLUDED.doc, state = EXCLUDED.state").Exec(ctx)
	return fail("save audit", err)
}

// Audits returns audits behind a place, whose ID is the number of the log, newest
// first; at most limit.
func (s *Store) Audits(ctx context.Context, after Place, limit int) ([]trace.Audit, error) {
	var rows []auditRow
	q := s.read.NewSelect().Model(&rows).Order("a.began DESC", "a.log DESC").Limit(bounded(limit, 1, MaxPage))
	if log, err := strconv.Atoi(after.ID); err == nil {
		q = q.Where("(a.began < ? OR a.began = ? AND a.log < ?)", instant{after.At}, instant{after.At}, log)
	}
	if err := q.Scan(ctx); err != nil {
		return nil, fail("read audits", err)
	}
	out := make([]trace.Audit, len(rows))
	for i, r := range rows {
		var err error
		if out[i], err = r.audit(); err != nil {
			return nil, fail("read audits", err)
		}
	}
	return out, nil
}

// OpenAudit returns the newest audit of a log if it has not ended, and what it
// goes on from; the zero Audit where there is none.
func (s *Store) OpenAudit(ctx context.Context, log int) (trace.Audit, string, error) {
	var rows []auditRow
	err := s.read.NewSelect().Model(&rows).Where("a.log = ?", log).Order("a.began DESC").Limit(1).Scan(ctx)
	if err != nil || len(rows) == 0 || !rows[0].Ended.IsZero() {
		return trace.Audit{}, "", fail("read audit", err)
	}
	a, err := rows[0].audit()
	return a, rows[0].State, fail("read audit", err)
}
