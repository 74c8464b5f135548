package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/uptrace/bun"

	"tianhai/farm"
	"tianhai/trace"
	"tianhai/trace/parcel"
)

type packageRow struct {
	bun.BaseModel `bun:"table:packages,alias:pk"`

	ID       string
	Operator string
	First    instant
	Behind   instant
	Account  string
	State    parcel.State
	Created  instant
	Ended    instant
	Expires  instant
	Done     int
	Total    int
	Records  int
	Unsealed int
	Files    string
	Size     int64
	Reason   string

	Region string    `bun:",scanonly"`
	Name   farm.Text `bun:",scanonly"`

	Handover *handoverRow `bun:"rel:belongs-to,join:id=package"`
}

type handoverRow struct {
	bun.BaseModel `bun:"table:package_deliveries,alias:d"`

	Package  string `bun:",pk"`
	Form     parcel.Form
	Sha256   string
	Platform string
	Account  string
	State    parcel.HandoverState
	Asked    instant
	Ended    instant
	Attempts int
	Due      instant
	Receipt  string
	Fault    string
}

func (r handoverRow) handover() parcel.Handover {
	return parcel.Handover{
		Package: r.Package, Form: r.Form, SHA256: r.Sha256, Platform: r.Platform, Account: r.Account, State: r.State, Asked: r.Asked.Time,
		Ended: r.Ended.Time, Attempts: r.Attempts, Due: r.Due.Time, Receipt: r.Receipt, Fault: r.Fault,
	}
}

func handoverRowOf(h parcel.Handover) handoverRow {
	return handoverRow{
		Package: h.Package, Form: h.Form, Sha256: h.SHA256, Platform: h.Platform, Account: h.Account, State: h.State, Asked: instant{h.Asked},
		Ended: instant{h.Ended}, Attempts: h.Attempts, Due: instant{h.Due}, Receipt: h.Receipt, Fault: h.Fault,
	}
}

func packageRowOf(p parcel.Package) (packageRow, error) {
	files, err := json.Marshal(p.Files)
	return packageRow{
		ID: p.ID, Operator: p.Operator, First: instant{p.From}, Behind: instant{p.To}, Account: p.Account, State: p.State, Created: instant{p.Created},
		Ended: instant{p.Ended}, Expires: instant{p.Expires}, Done: p.Done, Total: p.Total, Records: p.Tally.Records, Unsealed: p.Tally.Unsealed,
		Files: string(files), Size: p.Size(), Reason: p.Reason,
	}, err
}

func packagesOf(rows []packageRow) ([]parcel.Package, error) {
	all := make([]parcel.Package, len(rows))
	for i, r := range rows {
		all[i] = parcel.Package{
			ID: r.ID, Operator: r.Operator, Region: r.Region, Name: r.Name, Period: parcel.Period{From: r.First.Time, To: r.Behind.Time}, Account: r.Account, State: r.State, Created: r.Created.Time,
			Ended: r.Ended.Time, Expires: r.Expires.Time, Done: r.Done, Total: r.Total, Tally: parcel.Tally{Records: r.Records, Unsealed: r.Unsealed}, Reason: r.Reason,
		}
		if err := json.Unmarshal([]byte(r.Files), &all[i].Files); err != nil {
			return nil, err
		}
		if r.Handover != nil {
			h := r.Handover.handover()
			all[i].Handover = &h
		}
	}
	return all, nil
}

// unmade are the states of what is to be made.
func unmade() any { return bun.List([]parcel.State{parcel.Waiting, parcel.Running}) }

// packages begins a question, with the regions of operators and what was handed over.
func (s *Store) packages(rows *[]packageRow) *bun.SelectQuery {
	return s.read.NewSelect().Model(rows).Relation("Handover").ColumnExpr("pk.*").ColumnExpr("t.region AS region").ColumnExpr("t.name AS name").Join("JOIN tenants AS t ON t.id = pk.operator")
}

// AddPackage stores an order; farm.ErrConflict where the ID is taken, farm.ErrNotFound
// for the operator, parcel.ErrFull.
func (s *Store) AddPackage(ctx context.Context, p parcel.Package) error {
	row, err := packageRowOf(p)
	if err != nil {
		return fail("add package", err)
	}
	return fail("add package", s.inTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		taken, err := tx.NewSelect().Model((*packageRow)(nil)).Where("pk.id = ?", p.ID).Exists(ctx)
		if err != nil {
			return err
		}
		if taken {
			return farm.ErrConflict
		}
		n, err := tx.NewSelect().Model((*packageRow)(nil)).Where("pk.operator = ? AND pk.state IN (?)", p.Operator, unmade()).Count(ctx)
		if err != nil {
			return err
		}
		if n >= parcel.MaxOpen {
			return parcel.ErrFull
		}
		_, err = tx.NewInsert().Model(&row).Exec(ctx)
		return err
	}))
}

// Package returns one; farm.ErrNotFound.
func (s *Store) Package(ctx context.Context, id string) (parcel.Package, error) {
	var rows []packageRow
	err := s.packages(&rows).Where("pk.id = ?", id).Scan(ctx)
	return onePackage(rows, fail("read package", err))
}

// OpenPackage returns the oldest that waits or runs; farm.ErrNotFound.
func (s *Store) OpenPackage(ctx context.Context) (parcel.Package, error) {
	var rows []packageRow
	err := s.packages(&rows).Where("pk.state IN (?)", unmade()).
		Order("pk.created", "pk.id").Limit(1).Scan(ctx)
	return onePackage(rows, fail("read package", err))
}

func onePackage(rows []packageRow, err error) (parcel.Package, error) {
	if err == nil && len(rows) == 0 {
		err = farm.ErrNotFound
	}
	if err != nil {
		return parcel.Package{}, err
	}
	all, err := packagesOf(rows)
	if err != nil {
		return parcel.Package{}, fail("read package", err)
	}
	return all[0], nil
}

// SetPackage stores what has become of a package that is in one of the states; from
// any other it is farm.ErrConflict.
func (s *Store) SetPackage(ctx context.Context, p parcel.Package, from ...parcel.State) error {
	row, err := packageRowOf(p)
	if err != nil {
		return fail("set package", err)
	}
	res, err := s.write.NewUpdate().Model(&row).Column("state", "ended", "expires", "done", "total", "records", "unsealed", "files", "size", "reason").
		Where("pk.id = ? AND pk.state IN (?)", p.ID, bun.List(from)).Exec(ctx)
	return fail("set package", changed(res, err, farm.ErrConflict))
}

// StalePackages returns those that are done and expire by a time, or are beyond
// parcel.MaxKept or parcel.MaxBytes of their operator, counted from the latest, or were
// ordered before an erasure of its.
func (s *Store) StalePackages(ctx context.Context, now time.Time) ([]parcel.Package, error) {
	var rows []packageRow
	const latest = "OVER (PARTITION BY p.operator ORDER BY p.ended DESC, p.id DESC)"
	counted := s.read.NewSelect().TableExpr("packages AS p").ColumnExpr("p.id AS id").
		ColumnExpr("row_number() "+latest+" AS place").ColumnExpr("sum(p.size) "+latest+" AS bytes").Where("p.state = ?", parcel.Done)
	erased := s.read.NewSelect().Model((*recordRow)(nil)).ColumnExpr("1").Where("r.tenant = pk.operator AND r.kind = ? AND r.at >= pk.created", trace.ErasureRecord)
	err := s.packages(&rows).Join("JOIN (?) AS n ON n.id = pk.id", counted).
		Where("pk.expires <= ? OR n.place > ? OR n.bytes > ? OR EXISTS (?)", instant{now}, parcel.MaxKept, int64(parcel.MaxBytes), erased).Order("pk.id").Limit(together).Scan(ctx)
	if err != nil {
		return nil, fail("read packages", err)
	}
	all, err := packagesOf(rows)
	return all, fail("read packages", err)
}

// A PackageFilter narrows a list of packages; zero fields do not.
type PackageFilter struct {
	Tenant string // the operator
	Region string // of the operator
	After  Place
	Limit  int // 0: MaxPage
}

// Packages returns packages, the latest first.
func (s *Store) Packages(ctx context.Context, f PackageFilter) ([]parcel.Package, error) {
	var rows []packageRow
	q := newestFirst(s.packages(&rows), "pk.created", "pk.id", f.After, f.Limit)
	if err := within(q, "pk.operator", f.Tenant, "t.region", f.Region).Scan(ctx); err != nil {
		return nil, fail("read packages", err)
	}
	all, err := packagesOf(rows)
	return all, fail("read packages", err)
}

// AddHandover stores one, instead of another that ended in vain; farm.ErrConflict where
// one is under way or was acknowledged.
func (s *Store) AddHandover(ctx context.Context, h parcel.Handover) error {
	row := handoverRowOf(h)
	return fail("add handover", s.inTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		ended := []parcel.HandoverState{parcel.Refused, parcel.GivenUp}
		if _, err := tx.NewDelete().Model((*handoverRow)(nil)).Where("d.package = ? AND d.state IN (?)", h.Package, bun.List(ended)).Exec(ctx); err != nil {
			return err
		}
		res, err := tx.NewInsert().Model(&row).On("CONFLICT DO NOTHING").Exec(ctx)
		return changed(res, err, farm.ErrConflict)
	}))
}

// DueHandover returns the one that is sending and was due first; farm.ErrNotFound.
func (s *Store) DueHandover(ctx context.Context) (parcel.Handover, error) {
	var row handoverRow
	err := s.read.NewSelect().Model(&row).Where("d.state = ?", parcel.Sending).Order("d.due", "d.package").Limit(1).Scan(ctx)
	return row.handover(), fail("read handover", err)
}

// SetHandover stores what has become of one.
func (s *Store) SetHandover(ctx context.Context, h parcel.Handover) error {
	row := handoverRowOf(h)
	res, err := s.write.NewUpdate().Model(&row).Column("state", "ended", "attempts", "due", "receipt", "fault").WherePK().Exec(ctx)
	return fail("set handover", changed(res, err, farm.ErrNotFound))
}
