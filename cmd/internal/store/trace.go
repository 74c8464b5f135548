package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"tianhai/farm"
	"tianhai/trace"
)

// How many batches are returned at most.
const (
	DefaultBatches = 200
	MaxBatches     = 1001
)

type productRow struct {
	bun.BaseModel `bun:"table:products,alias:p"`

	ID      string
	Kind    trace.ProductKind
	Species string
	Name    farm.Text
}

func (r productRow) product() trace.Product {
	return trace.Product{ID: r.ID, Kind: r.Kind, Species: r.Species, Name: r.Name}
}

type operationRow struct {
	bun.BaseModel `bun:"table:operations,alias:o"`

	ID       string
	Tenant   string
	Site     string
	Kind     string
	At       instant
	Recorded instant
	Person   string
	Position *trace.Position
	Far      bool
	Items    []trace.Item
	Catalog  int
	Corrects string `bun:",nullzero"`
}

func (r operationRow) operation() trace.Operation {
	return trace.Operation{
		ID: r.ID, Tenant: r.Tenant, Site: r.Site, Kind: r.Kind, At: r.At.Time, Recorded: r.Recorded.Time,
		Person: r.Person, Position: r.Position, Far: r.Far, Items: r.Items, Catalog: r.Catalog, Corrects: r.Corrects,
	}
}

type batchRow struct {
	bun.BaseModel `bun:"table:batches,alias:b"`

	ID       string
	Code     string `bun:",nullzero"`
	Tenant   string
	Site     string
	Product  string
	Lot      string
	Quantity float64
	Unit     string
	Began    instant
	Harvest  instant
	Opened   instant
	Closed   instant
}

func newBatchRow(b trace.Batch) *batchRow {
	return &batchRow{
		ID: b.ID, Code: b.Code, Tenant: b.Tenant, Site: b.Site, Product: b.Product, Lot: b.Lot,
		Quantity: b.Quantity, Unit: b.Unit,
		Began: instant{b.Began}, Harvest: instant{b.Harvest}, Opened: instant{b.Opened}, Closed: instant{b.Closed},
	}
}

func (r batchRow) batch() trace.Batch {
	return trace.Batch{
		ID: r.ID, Code: r.Code, Tenant: r.Tenant, Site: r.Site, Product: r.Product, Lot: r.Lot,
		Quantity: r.Quantity, Unit: r.Unit,
		Began: r.Began.Time, Harvest: r.Harvest.Time, Opened: r.Opened.Time, Closed: r.Closed.Time,
	}
}

// A BatchFilter chooses batches. Its zero value chooses the newest of all.
type BatchFilter struct {
	Tenant string
	Region string // GB/T 2260, of the batch's site; with all divisions within it
	Stock  bool   // those of which something is left
	After  Place
	Limit  int // 0: DefaultBatches; at most MaxBatches
}

// PutProduct adds a product or replaces the one with its ID. What was sealed
// about batches of it stays as it was. GTINs are their holders': see AddHolding.
func (s *Store) PutProduct(ctx context.Context, p trace.Product) error {
	_, err := s.write.NewInsert().Model(&productRow{ID: p.ID, Kind: p.Kind, Species: p.Species, Name: p.Name}).On("CONFLICT (id) DO UPDATE").
		Set("kind = EXCLUDED.kind, species = EXCLUDED.species, name = EXCLUDED.name").Exec(ctx)
	return fail("put product", err)
}

// Product returns a product; farm.ErrNotFound.
func (s *Store) Product(ctx context.Context, id string) (trace.Product, error) {
	var row productRow
	err := s.read.NewSelect().Model(&row).Where("p.id = ?", id).Scan(ctx)
	return row.product(), fail("read product", err)
}

// Products returns every product, by ID.
func (s *Store) Products(ctx context.Context) ([]trace.Product, error) {
	var rows []productRow
	err := s.read.NewSelect().Model(&rows).Order("p.id").Scan(ctx)
	return each(rows, productRow.product), fail("read products", err)
}

// AddOperation stores an operation and its record. The same operation again,
// whenever it was recorded, is nothing new and its second record is dropped;
// another one under its ID, or a second correction of one operation, is
// farm.ErrConflict. A site that is unknown or of another tenant, and a
// correction of what is unknown, is farm.ErrNotFound; so is a picture that
// the tenant has not uploaded. What the operation draws
// leaves the stock and what it corrects had drawn comes back, or nothing is
// written: *input.ShortError. Where the site is not of the version that op has seen,
// or an override is used up, nothing is written either: trace.ErrMoved.
func (s *Store) AddOperation(ctx context.Context, op trace.Operation, rec trace.Record) error {
	if rec.Subject != op.ID || rec.Tenant != op.Tenant {
		return fmt.Errorf("add operation: record %s is not about operation %s", rec.ID, op.ID)
	}
	row := operationRow{
		ID: op.ID, Tenant: op.Tenant, Site: op.Site, Kind: op.Kind, At: instant{op.At}, Recorded: instant{op.Recorded},
		Person: op.Person, Position: op.Position, Far: op.Far, Items: op.Items, Catalog: op.Catalog, Corrects: op.Corrects,
	}
	return fail("add operation", s.inTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		res, err := tx.NewInsert().Model(&row).On("CONFLICT (id) DO NOTHING").Exec(ctx)
		if err := changed(res, err, farm.ErrConflict); errors.Is(err, farm.ErrConflict) {
			return sameOperation(ctx, tx, op, rec.Personal)
		} else if err != nil {
			return err
		}
		if err := grow(ctx, tx, op.Site, op.Tenant, op.Seen); err != nil {
			return err
		}
		if err := useOverrides(ctx, tx, op.Leave, op.ID); err != nil {
			return err
		}
		if err := moveStock(ctx, tx, op); err != nil {
			return err
		}
		if err := addLate(ctx, tx, op.Late); err != nil {
			return err
		}
		if err := addPhotos(ctx, tx, op.ID, op.Tenant, op.Photos); err != nil {
			return err
		}
		return addRecord(ctx, tx, rec)
	}))
}

// sameOperation returns farm.ErrConflict unless op is stored as it is. When it
// was recorded does not count: a client that repeats itself does so later.
func sameOperation(ctx context.Context, tx bun.Tx, op trace.Operation, personal []trace.Personal) error {
	var row operationRow
	if err := tx.NewSelect().Model(&row).Where("o.id = ?", op.ID).Scan(ctx); err != nil {
		return err
	}
	known := []trace.Operation{row.operation()}
	if err := errors.Join(op.Disclose(personal), disclose(ctx, tx, known)); err != nil {
		return err
	}
	op.At = op.At.Truncate(time.Microsecond)
	if !op.Same(known[0]) {
		return farm.ErrConflict
	}
	return nil
}

// Operation returns an operation; farm.ErrNotFound.
func (s *Store) Operation(ctx context.Context, id string) (trace.Operation, error) {
	var row operationRow
	if err := s.read.NewSelect().Model(&row).Where("o.id = ?", id).Scan(ctx); err != nil {
		return trace.Operation{}, fail("read operation", err)
	}
	ops := []trace.Operation{row.operation()}
	return ops[0], fail("read operation", disclose(ctx, s.read, ops))
}

// Operations returns those of a site with from ≤ At < to, oldest first, with
// corrected ones.
func (s *Store) Operations(ctx context.Context, site string, from, to time.Time) ([]trace.Operation, error) {
	var rows []operationRow
	err := s.read.NewSelect().Model(&rows).
		Where("o.site = ? AND o.at >= ? AND o.at < ?", site, from.UnixMicro(), to.UnixMicro()).
		Order("o.at", "o.id").Scan(ctx)
	if err != nil {
		return nil, fail("read operations", err)
	}
	ops := each(rows, operationRow.operation)
	return ops, fail("read operations", disclose(ctx, s.read, ops))
}

// CloseBatch stores a closed batch and its record; farm.ErrConflict when it is
// closed already, was taken back or the code is taken, farm.ErrNotFound when the
// tenant has no such batch, trace.ErrMoved when the site
// is not of the version that b has seen. How much there is of it stays as it was.
func (s *Store) CloseBatch(ctx context.Context, b trace.Batch, rec trace.Record) error {
	if b.Code == "" || b.Closed.IsZero() || rec.Code != b.Code || rec.Subject != b.ID || rec.Tenant != b.Tenant {
		return fmt.Errorf("close batch: record %s does not close batch %s", rec.ID, b.ID)
	}
	return fail("close batch", s.inTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		// This holds the stock, so that nobody takes back meanwhile what made the batch.
		if _, err := tx.NewUpdate().Model((*stockRow)(nil)).Set("remains = remains").Where("st.batch = ? AND NOT st.void", b.ID).Exec(ctx); err != nil {
			return err
		}
		void, err := tx.NewSelect().Model((*stockRow)(nil)).Where("st.batch = ? AND st.void", b.ID).Exists(ctx)
		if err != nil {
			return err
		}
		if void {
			return farm.ErrConflict
		}
		res, err := tx.NewUpdate().Model(newBatchRow(b)).ExcludeColumn("id", "tenant", "site", "product", "quantity", "unit", "opened").
			Where("b.id = ? AND b.tenant = ? AND b.code IS NULL", b.ID, b.Tenant).Exec(ctx)
		if err := changed(res, err, farm.ErrNotFound); err != nil {
			known, existsErr := false, error(nil)
			if errors.Is(err, farm.ErrNotFound) {
				known, existsErr = tx.NewSelect().Model((*batchRow)(nil)).Where("b.id = ? AND b.tenant = ?", b.ID, b.Tenant).Exists(ctx)
			}
			if known {
				return farm.ErrConflict
			}
			return errors.Join(existsErr, err)
		}
		if err := grow(ctx, tx, b.Site, b.Tenant, b.Seen); err != nil {
			return err
		}
		return addRecord(ctx, tx, rec)
	}))
}

// Batch returns a batch; farm.ErrNotFound.
func (s *Store) Batch(ctx context.Context, id string) (trace.Batch, error) {
	var row batchRow
	err := s.read.NewSelect().Model(&row).Where("b.id = ?", id).Scan(ctx)
	return row.batch(), fail("read batch", err)
}

// Batches returns the batches that f chooses, those opened last first, without
// those whose movement was taken back.
func (s *Store) Batches(ctx context.Context, f BatchFilter) ([]trace.Batch, error) {
	var rows []batchRow
	q := s.read.NewSelect().Model(&rows).Join("JOIN sites AS s ON s.id = b.site").
		Join("JOIN stocks AS st ON st.batch = b.id").Where("NOT st.void").
		Order("b.opened DESC", "b.id DESC").Limit(bounded(f.Limit, DefaultBatches, MaxBatches))
	if f.Stock {
		q = q.Where("st.remains > 0")
	}
	err := behind(within(q, "b.tenant", f.Tenant, "s.region", f.Region), "b.opened", "b.id", f.After).Scan(ctx)
	return each(rows, batchRow.batch), fail("read batches", err)
}
