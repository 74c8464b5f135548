package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"tianhai/farm"
	"tianhai/trace"
	"tianhai/trace/chain"
	"tianhai/trace/gate"
)

// Version returns how far the history of a site has grown; farm.ErrNotFound.
func (s *Store) Version(ctx context.Context, site string) (v int64, err error) {
	err = s.read.NewSelect().Model((*siteRow)(nil)).ColumnExpr("s.version").Where("s.id = ?", site).Scan(ctx, &v)
	return v, fail("read version of site", err)
}

// grow makes the history of a site longer. Whoever has seen a version writes only
// where it is still that one: the row is locked here until the end of the
// transaction, and the next one waits and finds it changed.
func grow(ctx context.Context, tx bun.Tx, site, tenant string, seen int64) error {
	q := tx.NewUpdate().Model((*siteRow)(nil)).Set("version = s.version + 1").Where("s.id = ? AND s.tenant = ?", site, tenant)
	none := farm.ErrNotFound
	if seen != 0 {
		q, none = q.Where("s.version = ?", seen), trace.ErrMoved
	}
	res, err := q.Exec(ctx)
	return changed(res, err, none)
}

type overrideRow struct {
	bun.BaseModel `bun:"table:overrides,alias:o"`

	ID       string
	Tenant   string
	Site     string
	Batch    string `bun:",nullzero"`
	Acts     []gate.ActKind
	Refusals []gate.Refusal
	Reason   string
	Account  string
	Asked    instant
}

func (r overrideRow) override() trace.Override {
	return trace.Override{
		ID: r.ID, Tenant: r.Tenant, Site: r.Site, Batch: r.Batch, Acts: r.Acts, Refusals: r.Refusals,
		Reason: r.Reason, Account: r.Account, Asked: r.Asked.Time,
	}
}

type decisionRow struct {
	bun.BaseModel `bun:"table:override_decisions,alias:d"`

	Override string
	Tenant   string
	Granted  bool
	Reason   string
	Region   string
	Account  string
	Decided  instant
	Until    instant
}

type overrideUseRow struct {
	bun.BaseModel `bun:"table:override_uses,alias:u"`

	Override string
	Act      gate.ActKind
	Subject  string
}

// useOverrides stores by what overrides are used; trace.ErrMoved where one is used
// up by another meanwhile.
func useOverrides(ctx context.Context, tx bun.Tx, by []trace.Leave, subject string) error {
	for _, l := range by {
		res, err := tx.NewInsert().Model(&overrideUseRow{Override: l.Override, Act: l.Act, Subject: subject}).On("CONFLICT (override, act) DO NOTHING").Exec(ctx)
		if err := changed(res, err, trace.ErrMoved); err != nil {
			return err
		}
	}
	return nil
}

// AddOverride stores what a farm asks to be allowed, and the record of it. The same
// again is nothing new; another under its ID is farm.ErrConflict, and a site or batch
// that the tenant does not have farm.ErrNotFound.
func (s *Store) AddOverride(ctx context.Context, o trace.Override, rec trace.Record) error {
	if rec.Tenant != o.Tenant || rec.Kind != trace.AskedRecord {
		return fmt.Errorf("add override: record %s does not say so", rec.ID)
	}
	row := overrideRow{
		ID: o.ID, Tenant: o.Tenant, Site: o.Site, Batch: o.Batch, Acts: o.Acts, Refusals: o.Refusals,
		Reason: o.Reason, Account: o.Account, Asked: instant{o.Asked},
	}
	return fail("add override", s.inTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		res, err := tx.NewInsert().Model(&row).On("CONFLICT (id) DO NOTHING").Exec(ctx)
		if err := changed(res, err, farm.ErrConflict); errors.Is(err, farm.ErrConflict) {
			var known overrideRow
			if err := tx.NewSelect().Model(&known).Where("o.id = ?", o.ID).Scan(ctx); err != nil {
				return err
			}
			if known.Tenant != o.Tenant || known.Site != o.Site || known.Batch != o.Batch || known.Reason != o.Reason {
				return farm.ErrConflict
			}
			return nil
		} else if err != nil {
			return err
		}
		return addRecord(ctx, tx, rec)
	}))
}

// DecideOverride stores what an officer decided, and the record of it; once, then
// farm.ErrConflict.
func (s *Store) DecideOverride(ctx context.Context, o trace.Override, rec trace.Record) error {
	d := o.Decision
	if d == nil || rec.Tenant != o.Tenant || rec.Kind != trace.OverrideRecord {
		return fmt.Errorf("decide override %s: there is no decision, or record %s does not say so", o.ID, rec.ID)
	}
	row := decisionRow{
		Override: o.ID, Tenant: o.Tenant, Granted: d.Granted, Reason: d.Reason, Region: d.Region, Account: d.Account,
		Decided: instant{d.Decided}, Until: instant{d.Until},
	}
	return fail("decide override", s.inTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		if _, err := tx.NewInsert().Model(&row).Exec(ctx); err != nil {
			return err
		}
		return addRecord(ctx, tx, rec)
	}))
}

// Override returns one, with its decision and uses; farm.ErrNotFound.
func (s *Store) Override(ctx context.Context, id string) (trace.Override, error) {
	all, err := s.overrides(ctx, func(q *bun.SelectQuery) *bun.SelectQuery { return q.Where("o.id = ?", id) })
	if err == nil && len(all) == 0 {
		err = farm.ErrNotFound
	}
	if err != nil {
		return trace.Override{}, fail("read override", err)
	}
	return all[0], nil
}

// OverridesOf returns those of a site, those asked for last first.
func (s *Store) OverridesOf(ctx context.Context, site string) ([]trace.Override, error) {
	all, err := s.overrides(ctx, func(q *bun.SelectQuery) *bun.SelectQuery { return q.Where("o.site = ?", site) })
	return all, fail("read overrides", err)
}

// An OverrideFilter chooses overrides. Its zero value chooses all.
type OverrideFilter struct {
	Tenant string
	Region string // GB/T 2260, of the site; with all divisions within it
	Open   bool   // those that nobody has decided yet
	After  Place
	Limit  int // 0: MaxPage, which is the most
}

// Overrides returns those that f chooses, those asked for last first.
func (s *Store) Overrides(ctx context.Context, f OverrideFilter) ([]trace.Override, error) {
	all, err := s.overrides(ctx, func(q *bun.SelectQuery) *bun.SelectQuery {
		q = within(q.Join("JOIN sites AS s ON s.id = o.site"), "o.tenant", f.Tenant, "s.region", f.Region)
		if f.Open {
			q = q.Where("NOT EXISTS (SELECT 1 FROM override_decisions AS d WHERE d.override = o.id)")
		}
		return behind(q, "o.asked", "o.id", f.After).Limit(bounded(f.Limit, MaxPage, MaxPage))
	})
	return all, fail("read overrides", err)
}

func (s *Store) overrides(ctx context.Context, which func(*bun.SelectQuery) *bun.SelectQuery) ([]trace.Override, error) {
	var rows []overrideRow
	if err := which(s.read.NewSelect().Model(&rows)).Order("o.asked DESC", "o.id DESC").Scan(ctx); err != nil || len(rows) == 0 {
		return []trace.Override{}, err
	}
	all, at := make([]trace.Override, len(rows)), map[string]int{}
	ids := make([]string, len(rows))
	for i, r := range rows {
		all[i], at[r.ID], ids[i] = r.override(), i, r.ID
	}
	var decisions []decisionRow
	if err := s.read.NewSelect().Model(&decisions).Where("d.override IN (?)", bun.List(ids)).Scan(ctx); err != nil {
		return nil, err
	}
	for _, d := range decisions {
		all[at[d.Override]].Decision = &trace.Decision{
			Granted: d.Granted, Reason: d.Reason, Region: d.Region, Account: d.Account, Decided: d.Decided.Time, Until: d.Until.Time,
		}
	}
	var uses []overrideUseRow
	if err := s.read.NewSelect().Model(&uses).Where("u.override IN (?)", bun.List(ids)).Order("u.override", "u.act").Scan(ctx); err != nil {
		return nil, err
	}
	for _, u := range uses {
		o := &all[at[u.Override]]
		o.Uses = append(o.Uses, trace.OverrideUse{Act: u.Act, Subject: u.Subject})
	}
	return all, nil
}

type lateRow struct {
	bun.BaseModel `bun:"table:late_uses,alias:l"`

	Operation string
	Batch     string
	Tenant    string
	Site      string
	Refusals  []gate.Refusal
	Found     instant
	Told      instant
}

func (r lateRow) late() trace.LateUse {
	return trace.LateUse{Operation: r.Operation, Batch: r.Batch, Tenant: r.Tenant, Site: r.Site, Refusals: r.Refusals, Found: r.Found.Time}
}

// addLate stores for which batches an operation comes too late, each with its record,
// and the records of those for which the one that it corrects does no longer.
func addLate(ctx context.Context, tx bun.Tx, found []trace.LateUse) error {
	for _, l := range found {
		if l.Withdrawn {
			if err := addRecord(ctx, tx, l.Record); err != nil {
				return err
			}
			continue
		}
		row := lateRow{Operation: l.Operation, Batch: l.Batch, Tenant: l.Tenant, Site: l.Site, Refusals: l.Refusals, Found: instant{l.Found}}
		if _, err := tx.NewInsert().Model(&row).Exec(ctx); err != nil {
			return err
		}
		if err := addRecord(ctx, tx, l.Record); err != nil {
			return err
		}
	}
	return nil
}

// A LateFilter chooses late uses. Its zero value chooses all.
type LateFilter struct {
	Tenant string
	Region string // GB/T 2260, of the site; with all divisions within it
	Untold bool   // those that nobody was told of yet
	After  Place  // its ID that of the operation, then that of the batch
	Limit  int    // 0: MaxPage, which is the most
}

// LateUses returns those that f chooses, those found last first.
func (s *Store) LateUses(ctx context.Context, f LateFilter) ([]trace.FoundLate, error) {
	var rows []struct {
		lateRow   `bun:",extend"`
		Lot       string
		Code      string
		Harvest   instant
		Withdrawn bool
	}
	q := s.read.NewSelect().TableExpr("late_uses AS l").ColumnExpr("l.*").
		ColumnExpr("b.lot, coalesce(b.code, '') AS code, b.harvest").
		ColumnExpr("EXISTS (SELECT 1 FROM operations AS o WHERE o.corrects = l.operation) AS withdrawn").
		Join("JOIN batches AS b ON b.id = l.batch").Join("JOIN sites AS s ON s.id = l.site").
		OrderExpr("l.found DESC, l.operation || l.batch DESC").Limit(bounded(f.Limit, MaxPage, MaxPage))
	if f.After != (Place{}) {
		at := instant{f.After.At}
		q = q.Where("(l.found < ? OR l.found = ? AND l.operation || l.batch < ?)", at, at, f.After.ID)
	}
	if f.Untold {
		q = q.Where("l.told IS NULL")
	}
	err := within(q, "l.tenant", f.Tenant, "s.region", f.Region).Scan(ctx, &rows)
	all := []trace.FoundLate{}
	for _, r := range rows {
		l := r.late()
		l.Withdrawn = r.Withdrawn
		all = append(all, trace.FoundLate{LateUse: l, Lot: r.Lot, Code: r.Code, Harvest: r.Harvest.Time})
	}
	return all, fail("read late uses", err)
}

// LateOf returns the late uses that an operation is, as they were found.
func (s *Store) LateOf(ctx context.Context, operation string) ([]trace.LateUse, error) {
	var rows []lateRow
	err := s.read.NewSelect().Model(&rows).Where("l.operation = ?", operation).Order("l.batch").Scan(ctx)
	return each(rows, lateRow.late), fail("read late uses", err)
}

// ToldLate marks that people were told of a late use; again is nothing new.
func (s *Store) ToldLate(ctx context.Context, l trace.LateUse, at time.Time) error {
	_, err := s.write.NewUpdate().Model((*lateRow)(nil)).Set("told = ?", instant{at}).
		Where("l.operation = ? AND l.batch = ? AND l.told IS NULL", l.Operation, l.Batch).Exec(ctx)
	return fail("mark late use told", err)
}

// HarvestedSince returns the batches of a site that were harvested at or after a
// time, oldest first; not those that were made of others, nor those taken back.
func (s *Store) HarvestedSince(ctx context.Context, site string, t time.Time) ([]trace.Batch, error) {
	var rows []batchRow
	err := s.read.NewSelect().Model(&rows).Where("b.site = ? AND b.harvest >= ?", site, instant{t}).
		Where("NOT EXISTS (SELECT 1 FROM movement_batches AS mb JOIN movements AS m ON m.id = mb.movement WHERE mb.batch = b.id AND mb.made AND m.kind <> ?)", chain.Harvest).
		Where("NOT EXISTS (SELECT 1 FROM stocks AS st WHERE st.batch = b.id AND st.void)").Order("b.harvest", "b.id").Scan(ctx)
	return each(rows, batchRow.batch), fail("read batches", err)
}
