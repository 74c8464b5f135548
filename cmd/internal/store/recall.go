package store

import (
	"context"
	"fmt"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"

	"tianhai/farm"
	"tianhai/trace"
	"tianhai/trace/cert"
	"tianhai/trace/chain"
	"tianhai/trace/recall"
)

// How many recalls are returned at most.
const (
	DefaultRecalls = 50
	MaxRecalls     = 1001 // a page and one more
)

type recallRow struct {
	bun.BaseModel `bun:"table:recalls,alias:rc"`

	ID     string
	Number string
	Tenant string
	Region string
	Year   int
	Opened instant
	Closed instant
}

type recallStepRow struct {
	bun.BaseModel `bun:"table:recall_steps,alias:rs"`

	ID      string
	Recall  string
	N       int
	Account string
	Record  string
}

type recallCauseRow struct {
	bun.BaseModel `bun:"table:recall_causes,alias:ca"`

	Recall  string
	Kind    recall.CauseKind
	Subject string
}

type recallHolderRow struct {
	bun.BaseModel `bun:"table:recall_holders,alias:rh"`

	Recall string
	Tenant string
}

type recallNoticeRow struct {
	bun.BaseModel `bun:"table:recall_notices,alias:rn"`

	ID       string
	Recall   string
	Step     string
	Holder   string `bun:",nullzero"`
	Channel  string
	Due      instant
	Attempts int
	Next     instant
	Sent     instant
	Reason   string
}

func (r recallNoticeRow) notice() recall.Notice {
	return recall.Notice{
		Recall: r.Recall, Step: r.Step, Holder: r.Holder, Channel: r.Channel, Due: r.Due.Time,
		Attempts: r.Attempts, Next: r.Next.Time, Sent: r.Sent.Time, Reason: r.Reason,
	}
}

// recallLock is the PostgreSQL advisory lock between recalls and what moves batches.
const recallLock = 0x72656361

// holdBatches keeps movements of batches and recalls apart for the rest of a
// transaction: many movements may be under way at once, or one step of a recall. SQLite
// has one writer anyway.
func holdBatches(ctx context.Context, tx bun.Tx, recalling bool) error {
	if tx.Dialect().Name() != dialect.PG {
		return nil
	}
	query := "SELECT pg_advisory_xact_lock_shared(?)"
	if recalling {
		query = "SELECT pg_advisory_xact_lock(?)"
	}
	_, err := tx.ExecContext(ctx, query, recallLock)
	return err
}

// desk is what a decision about a recall is made on.
type desk struct {
	past
	recall string
}

// Steps returns what was said of the recall so far.
func (d desk) Steps(ctx context.Context) ([]recall.Entry, error) {
	return recallSteps(ctx, d.db, d.recall)
}

// Serial returns the number of the next recall of a region in a year.
func (d desk) Serial(ctx context.Context, region string, year int) (int, error) {
	n, err := d.db.NewSelect().Model((*recallRow)(nil)).Where("rc.region = ? AND rc.year = ?", region, year).Count(ctx)
	return int(n) + 1, err
}

// Certificates returns what would take back those of batches that are in force.
func (d desk) Certificates(ctx context.Context, batches []string) ([]cert.Void, error) {
	if len(batches) == 0 {
		return nil, nil
	}
	var rows []certificateRow
	err := d.db.NewSelect().Model(&rows).Where("ce.batch IN (?)", bun.List(batches)).
		Where("NOT EXISTS (SELECT 1 FROM voids AS v WHERE v.certificate = ce.id)").Order("ce.id").Scan(ctx)
	return each(rows, func(r certificateRow) cert.Void {
		return cert.Void{Tenant: r.Tenant, Batch: r.Batch, Voids: r.ID, Number: cert.NumberOf(int(r.Year), int(r.N))}
	}), err
}

// AppendRecall runs decide while no other step of a recall is written and no batch is
// moved, and stores the entry that it returns with its record and notices; everything
// or nothing. farm.ErrConflict where the step's ID is taken.
func (s *Store) AppendRecall(ctx context.Context, id string, decide func(context.Context, recall.Desk) (*recall.Entry, error)) error {
	return fail("append to recall", s.inTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		if err := holdBatches(ctx, tx, true); err != nil {
			return err
		}
		e, err := decide(ctx, desk{past{tx}, id})
		if err != nil || e == nil {
			return err
		}
		if e.Record.Subject != id || e.Recall != id || e.Record.Tenant != e.Tenant {
			return fmt.Errorf("record %s is not about recall %s", e.Record.ID, id)
		}
		return writeEntry(ctx, tx, *e)
	}))
}

func writeEntry(ctx context.Context, tx bun.Tx, e recall.Entry) error {
	if err := addRecord(ctx, tx, e.Record); err != nil {
		return err
	}
	switch e.Kind {
	case recall.StepOpen:
		row := recallRow{ID: e.Recall, Number: e.Number, Tenant: e.Tenant, Region: e.Region, Year: e.At.Add(8 * time.Hour).Year(), Opened: instant{e.At}}
		if _, err := tx.NewInsert().Model(&row).Exec(ctx); err != nil {
			return err
		}
	case recall.StepClose:
		res, err := tx.NewUpdate().Model((*recallRow)(nil)).Set("closed = ?", instant{e.At}).Where("rc.id = ? AND rc.closed IS NULL", e.Recall).Exec(ctx)
		if err := changed(res, err, farm.ErrConflict); err != nil {
			return err
		}
	}
	step := recallStepRow{ID: e.ID, Recall: e.Recall, N: e.N, Account: e.Account, Record: e.Record.ID}
	if _, err := tx.NewInsert().Model(&step).Exec(ctx); err != nil {
		return err
	}
	for _, c := range e.Causes {
		if _, err := tx.NewInsert().Model(&recallCauseRow{Recall: e.Recall, Kind: c.Kind, Subject: c.Subject}).Exec(ctx); err != nil {
			return err
		}
	}
	for _, h := range e.Holdings {
		if _, err := tx.NewInsert().Model(&recallHolderRow{Recall: e.Recall, Tenant: h.Holder}).On("CONFLICT DO NOTHING").Exec(ctx); err != nil {
			return err
		}
	}
	for i, v := range e.Voids {
		if err := addVoid(ctx, tx, v, e.VoidRecords[i]); err != nil {
			return err
		}
	}
	for _, n := range e.Notices {
		row := recallNoticeRow{ID: n.ID(), Recall: n.Recall, Step: n.Step, Holder: n.Holder, Channel: n.Channel, Due: instant{n.Due}, Next: instant{n.Due}}
		if _, err := tx.NewInsert().Model(&row).Exec(ctx); err != nil {
			return err
		}
	}
	return nil
}

// RecallSteps returns what was said of a recall, in order; farm.ErrNotFound.
func (s *Store) RecallSteps(ctx context.Context, id string) ([]recall.Entry, error) {
	entries, err := recallSteps(ctx, s.read, id)
	if err == nil && len(entries) == 0 {
		err = farm.ErrNotFound
	}
	return entries, fail("read recall", err)
}

func recallSteps(ctx context.Context, db bun.IDB, id string) ([]recall.Entry, error) {
	var steps []recallStepRow
	if err := db.NewSelect().Model(&steps).Where("rs.recall = ?", id).Order("rs.n").Scan(ctx); err != nil || len(steps) == 0 {
		return nil, err
	}
	var rows []recordRow
	if err := db.NewSelect().Model(&rows).Where("r.subject = ? AND r.kind = ?", id, recall.RecordKind).Scan(ctx); err != nil {
		return nil, err
	}
	var open []openingRow
	err := db.NewSelect().Model(&open).Join("JOIN records AS r ON r.id = o.record").Where("r.subject = ? AND r.kind = ?", id, recall.RecordKind).Scan(ctx)
	if err != nil {
		return nil, err
	}
	records := map[string]trace.Record{}
	for _, r := range rows {
		records[r.ID] = r.record()
	}
	for _, o := range open {
		rec := records[o.Record]
		rec.Personal = append(rec.Personal, trace.Personal{Path: o.Path, Salt: o.Salt, Text: o.Text})
		records[o.Record] = rec
	}
	entries := make([]recall.Entry, len(steps))
	for i, st := range steps {
		rec := records[st.Record]
		step, err := recall.ParseStep(rec.Body, rec.Personal)
		if err != nil {
			return nil, fmt.Errorf("record %s: %w", st.Record, err)
		}
		entries[i] = recall.Entry{Step: step, Account: st.Account, Record: rec}
	}
	return entries, nil
}

// Recalls returns the IDs of recalls that f chooses, those opened last first.
func (s *Store) Recalls(ctx context.Context, f recall.Filter) ([]string, error) {
	ids := []string{}
	q := s.read.NewSelect().Model((*recallRow)(nil)).Column("rc.id").
		Order("rc.opened DESC", "rc.id DESC").Limit(bounded(f.Limit, DefaultRecalls, MaxRecalls))
	if f.Open {
		q = q.Where("rc.closed IS NULL")
	}
	if f.After != "" {
		q = q.Where("(rc.opened, rc.id) < (SELECT a.opened, a.id FROM recalls AS a WHERE a.id = ?)", f.After)
	}
	if f.Holder != "" {
		q = q.Where("(rc.tenant = ? OR EXISTS (SELECT 1 FROM recall_holders AS h WHERE h.recall = rc.id AND h.tenant = ?))", f.Holder, f.Holder)
	}
	if f.Region != "" {
		prefix, ok := regionPrefix(f.Region)
		if !ok {
			return []string{}, nil
		}
		q = q.Where(`((length(rc.region) = 6 AND substr(rc.region, 1, ?) = ?) OR EXISTS (SELECT 1 FROM recall_holders AS h
			JOIN tenants AS t ON t.id = h.tenant WHERE h.recall = rc.id AND length(t.region) = 6 AND substr(t.region, 1, ?) = ?))`, len(prefix), prefix, len(prefix), prefix)
	}
	err := q.Scan(ctx, &ids)
	return ids, fail("read recalls", err)
}

// RecallsOf returns the IDs of the recalls that a batch is in, open ones first, then
// those opened last: asked anew each time, so that a batch is in a recall from when the
// recall was opened, or the batch made.
func (s *Store) RecallsOf(ctx context.Context, batch string) ([]string, error) {
	covering, err := recallsOf(ctx, past{s.read}, batch)
	return each(covering, func(r recall.Recall) string { return r.ID }), fail("read recalls of a batch", err)
}

func recallsOf(ctx context.Context, p past, batch string) ([]recall.Recall, error) {
	some, err := p.db.NewSelect().Model((*recallRow)(nil)).Exists(ctx)
	if err != nil || !some {
		return nil, err
	}
	own, err := p.Batches(ctx, []string{batch})
	if err != nil || len(own) == 0 {
		return nil, err
	}
	above, _, err := p.Ancestors(ctx, []string{batch})
	if err != nil {
		return nil, err
	}
	ids, sites := []string{}, []string{}
	for _, b := range append(own, above...) {
		ids, sites = append(ids, b.ID), append(sites, b.Site)
	}
	used := p.db.NewSelect().TableExpr("draws AS d").Join("JOIN operations AS o ON o.id = d.operation").
		ColumnExpr("d.lot").Where("o.site IN (?) AND d.returned_by IS NULL", bun.List(sites))
	touching := p.db.NewSelect().Model((*recallCauseRow)(nil)).Column("ca.recall").
		WhereOr("ca.kind = ? AND ca.subject IN (?)", recall.OnBatch, bun.List(ids)).
		WhereOr("ca.kind IN (?) AND ca.subject IN (?)", bun.List([]recall.CauseKind{recall.OnGrown, recall.OnHarvest}), bun.List(sites)).
		WhereOr("ca.kind = ? AND ca.subject IN (?)", recall.OnLot, used)
	var candidates []string
	err = p.db.NewSelect().Model((*recallRow)(nil)).Column("rc.id").Where("rc.id IN (?)", touching).
		OrderExpr("rc.closed IS NOT NULL, rc.opened DESC, rc.id DESC").Scan(ctx, &candidates)
	if err != nil {
		return nil, err
	}
	var all []recall.Recall
	for _, id := range candidates {
		r, err := foldRecall(ctx, p.db, id)
		if err != nil {
			return nil, err
		}
		in, err := recall.Covers(ctx, p, r.Causes, r.Cleared, batch)
		if err != nil {
			return nil, err
		}
		if in {
			all = append(all, r)
		}
	}
	return all, nil
}

func foldRecall(ctx context.Context, db bun.IDB, id string) (recall.Recall, error) {
	entries, err := recallSteps(ctx, db, id)
	if err != nil {
		return recall.Recall{}, err
	}
	return recall.Fold(each(entries, func(e recall.Entry) recall.Step { return e.Step }))
}

// refuseRecalled is for what moves or certifies batches, within its transaction: it
// returns *recall.Refused for the first that is recalled, unless may says otherwise of
// the recall, and makes recalls wait until the transaction ends.
func refuseRecalled(ctx context.Context, tx bun.Tx, batches []string, may func(recall.Recall) bool) error {
	if err := holdBatches(ctx, tx, false); err != nil {
		return err
	}
	for _, b := range batches {
		covering, err := recallsOf(ctx, past{tx}, b)
		if err != nil {
			return err
		}
		for _, r := range covering {
			bars := r.Closed.IsZero()
			if !bars {
				causes, cleared := r.Bars()
				if bars, err = recall.Covers(ctx, past{tx}, causes, cleared, b); err != nil {
					return err
				}
			}
			if bars && !may(r) {
				return &recall.Refused{Batch: b, Recall: r.ID, Number: r.Number}
			}
		}
	}
	return nil
}

// refuseMove refuses what takes a recalled batch anywhere but where the recall wants
// it: destroyed, put aside, or back with whom the recall began. Declining and taking
// back undo what was done, and are not refused.
func refuseMove(ctx context.Context, tx bun.Tx, m chain.Movement) error {
	switch {
	case m.Kind == chain.Loss, m.Kind == chain.Decline, m.Kind == chain.Void, m.Kind == chain.Store && len(m.Outputs) == 0:
		return holdBatches(ctx, tx, false)
	}
	batches := each(m.Inputs, func(in chain.Input) string { return in.Batch })
	return refuseRecalled(ctx, tx, batches, func(r recall.Recall) bool {
		return m.Kind == chain.Move && m.To == r.Tenant || m.Kind == chain.Receive && m.Tenant == r.Tenant
	})
}

// RecallNotices returns the notices of a recall, oldest first.
func (s *Store) RecallNotices(ctx context.Context, id string) ([]recall.Notice, error) {
	var rows []recallNoticeRow
	err := s.read.NewSelect().Model(&rows).Where("rn.recall = ?", id).Order("rn.due", "rn.id").Scan(ctx)
	return each(rows, recallNoticeRow.notice), fail("read notices of a recall", err)
}

// RecallNoticesDue returns those whose next attempt is due, oldest first.
func (s *Store) RecallNoticesDue(ctx context.Context, now time.Time, limit int) ([]recall.Notice, error) {
	var rows []recallNoticeRow
	err := s.read.NewSelect().Model(&rows).Where("rn.sent IS NULL AND rn.next <= ?", now.UnixMicro()).
		Order("rn.next", "rn.id").Limit(int64(max(limit, 1))).Scan(ctx)
	return each(rows, recallNoticeRow.notice), fail("read due notices of recalls", err)
}

// RecallNoticesAgain makes those of a recall due that were not delivered, also where
// there was to be no other attempt.
func (s *Store) RecallNoticesAgain(ctx context.Context, id string, now time.Time) error {
	_, err := s.write.NewUpdate().Model((*recallNoticeRow)(nil)).Set("next = ?", now.UnixMicro()).
		Where("rn.recall = ? AND rn.sent IS NULL", id).Exec(ctx)
	return fail("make notices of a recall due", err)
}

// RecallNoticeSent stores that a notice was delivered; farm.ErrNotFound.
func (s *Store) RecallNoticeSent(ctx context.Context, id string, at time.Time) error {
	res, err := s.write.NewUpdate().Model((*recallNoticeRow)(nil)).Set("sent = ?, next = NULL, attempts = attempts + 1, reason = ''", at.UnixMicro()).
		Where("rn.id = ? AND rn.sent IS NULL", id).Exec(ctx)
	return fail("store delivery of a notice", changed(res, err, farm.ErrNotFound))
}

// RecallNoticeFailed stores a failed attempt; with a zero next it is the last.
func (s *Store) RecallNoticeFailed(ctx context.Context, id, reason string, next time.Time) error {
	res, err := s.write.NewUpdate().Model((*recallNoticeRow)(nil)).Set("next = ?, attempts = attempts + 1, reason = ?", instant{next}, reason).
		Where("rn.id = ? AND rn.sent IS NULL", id).Exec(ctx)
	return fail("store failure of a notice", changed(res, err, farm.ErrNotFound))
}

type hookRow struct {
	bun.BaseModel `bun:"table:recall_hooks,alias:hk"`

	Tenant  string
	URL     string
	Secret  string
	Account string
	Created instant
}

// Hook returns where a tenant wants to be told of recalls; farm.ErrNotFound.
func (s *Store) Hook(ctx context.Context, tenant string) (recall.Hook, error) {
	var row hookRow
	err := s.read.NewSelect().Model(&row).Where("hk.tenant = ?", tenant).Scan(ctx)
	return recall.Hook{Tenant: row.Tenant, URL: row.URL, Key: row.Secret, Account: row.Account, Set: row.Created.Time}, fail("read hook", err)
}

// PutHook stores where a tenant wants to be told, in place of what was there. Notices
// that it has not got are tried at once; farm.ErrNotFound for an unknown tenant.
func (s *Store) PutHook(ctx context.Context, h recall.Hook) error {
	row := hookRow{Tenant: h.Tenant, URL: h.URL, Secret: h.Key, Account: h.Account, Created: instant{h.Set}}
	return fail("store hook", s.inTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewInsert().Model(&row).On("CONFLICT (tenant) DO UPDATE").
			Set("url = EXCLUDED.url, secret = EXCLUDED.secret, account = EXCLUDED.account, created = EXCLUDED.created").Exec(ctx)
		if err != nil {
			return err
		}
		_, err = tx.NewUpdate().Model((*recallNoticeRow)(nil)).Set("next = ?", instant{h.Set}).
			Where("rn.holder = ? AND rn.sent IS NULL AND rn.due > ?", h.Tenant, h.Set.Add(-recall.GiveUp).UnixMicro()).Exec(ctx)
		return err
	}))
}

// DeleteHook forgets where a tenant wanted to be told; farm.ErrNotFound.
func (s *Store) DeleteHook(ctx context.Context, tenant string) error {
	res, err := s.write.NewDelete().Model((*hookRow)(nil)).Where("hk.tenant = ?", tenant).Exec(ctx)
	return fail("delete hook", changed(res, err, farm.ErrNotFound))
}
