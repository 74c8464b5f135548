package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"tianhai/farm"
	"tianhai/trace"
	"tianhai/trace/input"
)

type inputRow struct {
	bun.BaseModel `bun:"table:input_products,alias:ip"`

	ID      string
	Version int
	Doc     string
	Account string
	Created instant
}

func (r inputRow) product() (input.Product, error) {
	var p input.Product
	if err := json.Unmarshal([]byte(r.Doc), &p); err != nil {
		return input.Product{}, fmt.Errorf("product %s, version %d: %w", r.ID, r.Version, err)
	}
	return p, nil
}

// PutInput appends a version of a registered product with its labels. The same
// again is nothing new; one that is not valid is refused. Two versions at once are
// farm.ErrConflict for one of them.
func (s *Store) PutInput(ctx context.Context, p input.Product, account string) error {
	return s.PutInputs(ctx, []input.Product{p}, account)
}

// PutInputs is PutInput for many, all or none.
func (s *Store) PutInputs(ctx context.Context, all []input.Product, account string) error {
	for _, p := range all {
		if err := p.Check(); err != nil {
			return fmt.Errorf("put input %s: %w", p.ID, err)
		}
	}
	return fail("put inputs", s.inTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		for _, p := range all {
			if err := s.putInput(ctx, tx, p, account); err != nil {
				return err
			}
		}
		return nil
	}))
}

func (s *Store) putInput(ctx context.Context, tx bun.Tx, p input.Product, account string) error {
	doc, err := json.Marshal(p)
	if err != nil {
		return err
	}
	var last []inputRow
	if err := tx.NewSelect().Model(&last).Where("ip.id = ?", p.ID).Order("ip.version DESC").Limit(1).Scan(ctx); err != nil {
		return err
	}
	row := inputRow{ID: p.ID, Version: 1, Doc: string(doc), Account: account, Created: instant{s.now()}}
	if len(last) > 0 {
		if last[0].Doc == row.Doc {
			return nil
		}
		row.Version = last[0].Version + 1
	}
	_, err = tx.NewInsert().Model(&row).Exec(ctx)
	return err
}

// Input returns a product as it was at a time, with the labels of then; of one that
// was entered later, its first version; farm.ErrNotFound.
func (s *Store) Input(ctx context.Context, id string, at time.Time) (input.Product, error) {
	var row inputRow
	err := s.read.NewSelect().Model(&row).Where("ip.id = ?", id).
		OrderExpr("CASE WHEN ip.created <= ? THEN ip.version ELSE -ip.version END DESC", instant{at}).Limit(1).Scan(ctx)
	if err != nil {
		return input.Product{}, fail("read input", err)
	}
	p, err := row.product()
	return p, fail("read input", err)
}

// Inputs returns every product as it is now, by ID.
func (s *Store) Inputs(ctx context.Context) ([]input.Product, error) {
	var rows []inputRow
	newest := s.read.NewSelect().TableExpr("input_products AS n").ColumnExpr("max(n.version)").Where("n.id = ip.id")
	err := s.read.NewSelect().Model(&rows).Where("ip.version = (?)", newest).Order("ip.id").Scan(ctx)
	all := []input.Product{}
	for _, r := range rows {
		p, err := r.product()
		if err != nil {
			return nil, fail("read inputs", err)
		}
		all = append(all, p)
	}
	return all, fail("read inputs", err)
}

type lotRow struct {
	bun.BaseModel `bun:"table:lots,alias:l"`

	ID       string
	Tenant   string
	Product  string
	Batch    string
	Made     instant
	Expires  instant
	Supplier string
	Quantity float64
	Unit     string
	Document string
	Recorded instant
	Account  string
	Dim      input.Dimension
	Bought   int64
	Remains  int64
}

func (r lotRow) stock() input.Stock {
	left, _ := input.Amount{N: r.Remains, Dim: r.Dim}.In(r.Unit)
	return input.Stock{Left: left, Lot: input.Lot{
		ID: r.ID, Tenant: r.Tenant, Product: r.Product, Batch: r.Batch, Made: r.Made.Time, Expires: r.Expires.Time, Supplier: r.Supplier,
		Quantity: r.Quantity, Unit: r.Unit, Document: r.Document, Recorded: r.Recorded.Time, Account: r.Account,
	}}
}

// AddLot stores what was bought, as Buy does, without a record.
func (s *Store) AddLot(ctx context.Context, l input.Lot) error {
	return s.Buy(ctx, []input.Lot{l}, nil)
}

// Buy stores lots and a record of each, all or none; farm.ErrConflict when an ID is
// taken, farm.ErrNotFound for an unknown product or tenant, *input.FieldError.
func (s *Store) Buy(ctx context.Context, lots []input.Lot, recs []trace.Record) error {
	rows := make([]lotRow, len(lots))
	for i, l := range lots {
		p, err := s.Input(ctx, l.Product, s.now())
		if err != nil {
			return fmt.Errorf("add lot: %w", err)
		}
		if err := l.Check(p.Kind); err != nil {
			return fmt.Errorf("add lot: %w", err)
		}
		a, err := input.Measure(l.Quantity, l.Unit)
		if err != nil {
			return fmt.Errorf("add lot: %w", err)
		}
		rows[i] = lotRow{
			ID: l.ID, Tenant: l.Tenant, Product: l.Product, Batch: l.Batch, Made: instant{l.Made}, Expires: instant{l.Expires}, Supplier: l.Supplier,
			Quantity: l.Quantity, Unit: l.Unit, Document: l.Document, Recorded: instant{l.Recorded}, Account: l.Account,
			Dim: a.Dim, Bought: a.N, Remains: a.N,
		}
	}
	return fail("add lots", s.inTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		for i := range rows {
			if _, err := tx.NewInsert().Model(&rows[i]).Exec(ctx); err != nil {
				return err
			}
		}
		for _, rec := range recs {
			if err := addRecord(ctx, tx, rec); err != nil {
				return err
			}
		}
		return nil
	}))
}

// Lot returns a lot and what is left of it; farm.ErrNotFound.
func (s *Store) Lot(ctx context.Context, id string) (input.Stock, error) {
	var row lotRow
	err := s.read.NewSelect().Model(&row).Where("l.id = ?", id).Scan(ctx)
	return row.stock(), fail("read lot", err)
}

// Lots returns a tenant's behind a place, those bought last first; at most limit.
func (s *Store) Lots(ctx context.Context, tenant string, after Place, limit int) ([]input.Stock, error) {
	var rows []lotRow
	q := s.read.NewSelect().Model(&rows).Where("l.tenant = ?", tenant).Order("l.recorded DESC", "l.id DESC").Limit(bounded(limit, MaxPage, MaxPage))
	err := behind(q, "l.recorded", "l.id", after).Scan(ctx)
	return each(rows, lotRow.stock), fail("read lots", err)
}

type drawRow struct {
	bun.BaseModel `bun:"table:draws,alias:d"`

	Operation  string
	Tenant     string
	Lot        string
	N          int64
	ReturnedBy string `bun:",nullzero"`
}

// moveStock gives back what a corrected operation had drawn and takes what op
// draws. Each lot's row is changed by one statement that also asks whether there
// is so much: two phones at once wait for each other there.
func moveStock(ctx context.Context, tx bun.Tx, op trace.Operation) error {
	if op.Corrects != "" {
		if err := giveBack(ctx, tx, op); err != nil {
			return err
		}
	}
	if op.Draw == nil {
		return nil
	}
	d := *op.Draw
	if err := takeFromLot(ctx, tx, d, op.Tenant); err != nil {
		return err
	}
	_, err := tx.NewInsert().Model(&drawRow{Operation: op.ID, Tenant: op.Tenant, Lot: d.Lot, N: d.Amount.N}).Exec(ctx)
	return err
}

func takeFromLot(ctx context.Context, tx bun.Tx, d input.Draw, tenant string) error {
	res, err := tx.NewUpdate().Model((*lotRow)(nil)).Set("remains = remains - ?", d.Amount.N).
		Where("l.id = ? AND l.tenant = ? AND l.dim = ? AND l.remains >= ?", d.Lot, tenant, d.Amount.Dim, d.Amount.N).Exec(ctx)
	short := &input.ShortError{Lot: d.Lot}
	if err := changed(res, err, short); !errors.Is(err, short) {
		return err
	}
	var row lotRow
	if err := tx.NewSelect().Model(&row).Where("l.id = ? AND l.tenant = ?", d.Lot, tenant).Scan(ctx); err != nil {
		return err
	}
	short.Left = input.Amount{N: row.Remains, Dim: row.Dim}
	return short
}

func giveBack(ctx context.Context, tx bun.Tx, op trace.Operation) error {
	var draws []drawRow
	err := tx.NewSelect().Model(&draws).Where("d.operation = ? AND d.tenant = ? AND d.returned_by IS NULL", op.Corrects, op.Tenant).Scan(ctx)
	if err != nil {
		return err
	}
	for _, d := range draws {
		res, err := tx.NewUpdate().Model((*drawRow)(nil)).Set("returned_by = ?", op.ID).
			Where("d.operation = ? AND d.returned_by IS NULL", d.Operation).Exec(ctx)
		if err := changed(res, err, farm.ErrConflict); err != nil {
			return err
		}
		res, err = tx.NewUpdate().Model((*lotRow)(nil)).Set("remains = remains + ?", d.N).Where("l.id = ?", d.Lot).Exec(ctx)
		if err := changed(res, err, farm.ErrNotFound); err != nil {
			return err
		}
	}
	return nil
}

type writeOffRow struct {
	bun.BaseModel `bun:"table:write_offs,alias:w"`

	ID       string
	Tenant   string
	Lot      string
	N        int64
	Reason   string
	Account  string
	Recorded instant
}

// WriteOff takes an amount from a lot without a use, and stores the record of it;
// *input.ShortError where there is not so much. The same again is nothing new, another
// under its ID farm.ErrConflict.
func (s *Store) WriteOff(ctx context.Context, w input.WriteOff, rec trace.Record) error {
	a, err := input.Measure(w.Quantity, w.Unit)
	if err != nil {
		return fmt.Errorf("write off: %w", err)
	}
	row := writeOffRow{ID: w.ID, Tenant: w.Tenant, Lot: w.Lot, N: a.N, Reason: w.Reason, Account: w.Account, Recorded: instant{w.Recorded}}
	return fail("write off", s.inTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		res, err := tx.NewInsert().Model(&row).On("CONFLICT (id) DO NOTHING").Exec(ctx)
		if err := changed(res, err, farm.ErrConflict); errors.Is(err, farm.ErrConflict) {
			var known writeOffRow
			if err := tx.NewSelect().Model(&known).Where("w.id = ?", w.ID).Scan(ctx); err != nil {
				return err
			}
			if known.Tenant != w.Tenant || known.Lot != w.Lot || known.N != a.N || known.Reason != w.Reason {
				return farm.ErrConflict
			}
			return nil
		} else if err != nil {
			return err
		}
		if err := takeFromLot(ctx, tx, input.Draw{Lot: w.Lot, Amount: a}, w.Tenant); err != nil {
			return err
		}
		return addRecord(ctx, tx, rec)
	}))
}

// LotUses returns what was taken from a lot behind a place, the last first; at most
// limit.
func (s *Store) LotUses(ctx context.Context, lot string, after Place, limit int) ([]input.LotUse, error) {
	var l lotRow
	if err := s.read.NewSelect().Model(&l).Where("l.id = ?", lot).Scan(ctx); err != nil {
		return nil, fail("read uses of lot", err)
	}
	var rows []struct {
		ID       string
		Site     string // empty: written off
		Kind     string
		At       instant
		N        int64
		Returned bool
		Reason   string
	}
	drawn := s.read.NewSelect().TableExpr("draws AS d").Join("JOIN operations AS o ON o.id = d.operation").
		ColumnExpr("o.id AS id, o.site AS site, o.kind AS kind, o.at AS at, d.n AS n, d.returned_by IS NOT NULL AS returned, '' AS reason").Where("d.lot = ?", lot)
	gone := s.read.NewSelect().TableExpr("write_offs AS w").
		ColumnExpr("w.id, '', '', w.recorded, w.n, FALSE, w.reason").Where("w.lot = ?", lot)
	q := s.read.NewSelect().TableExpr("(?) AS u", drawn.UnionAll(gone)).Order("u.at DESC", "u.id DESC").Limit(bounded(limit, MaxPage, MaxPage))
	if err := behind(q, "u.at", "u.id", after).Scan(ctx, &rows); err != nil {
		return nil, fail("read uses of lot", err)
	}
	all := []input.LotUse{}
	for _, r := range rows {
		use := input.LotUse{Site: r.Site, Kind: r.Kind, At: r.At.Time, Returned: r.Returned, Reason: r.Reason}
		use.Quantity, _ = input.Amount{N: r.N, Dim: l.Dim}.In(l.Unit)
		if r.Site == "" {
			use.WriteOff = r.ID
		} else {
			use.Operation = r.ID
		}
		all = append(all, use)
	}
	return all, nil
}
