package store

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"

	"tianhai/farm"
	"tianhai/trace"
	"tianhai/trace/chain"
)

// How many movements are returned at most.
const (
	DefaultMovements = 200
	MaxMovements     = 1001
)

type movementRow struct {
	bun.BaseModel `bun:"table:movements,alias:m"`

	ID       string
	Tenant   string
	Kind     chain.Kind
	Step     string
	At       instant
	Recorded instant
	Person   string
	Site     string `bun:",nullzero"`
	Receiver string `bun:",nullzero"`
	Handover string `bun:",nullzero"`
	Corrects string `bun:",nullzero"`
	Doc      string
	VoidedBy string `bun:",nullzero"`
	TakenBy  string `bun:",nullzero"`
}

func newMovementRow(m chain.Movement) (*movementRow, error) {
	at := m.At.Truncate(time.Microsecond)
	row := movementRow{
		ID: m.ID, Tenant: m.Tenant, Kind: m.Kind, Step: m.Step, At: instant{at}, Recorded: instant{m.Recorded}, Person: m.Person,
		Site: m.Site, Receiver: m.To, Handover: m.Handover, Corrects: m.Corrects,
	}
	m.Buyer, m.VoidedBy, m.TakenBy = nil, "", "" // they change; the rest does not
	m.At, m.Recorded = at.UTC(), m.Recorded.UTC()
	doc, err := json.Marshal(m)
	row.Doc = string(doc)
	return &row, err
}

func (r movementRow) movement() (m chain.Movement, err error) {
	if err = json.Unmarshal([]byte(r.Doc), &m); err != nil {
		return m, fmt.Errorf("movement %s: %w", r.ID, err)
	}
	m.VoidedBy, m.TakenBy = r.VoidedBy, r.TakenBy
	return m, nil
}

type movedRow struct {
	bun.BaseModel `bun:"table:movement_batches,alias:mb"`

	Movement string
	Tenant   string
	Batch    string
	Owner    string
	Made     bool
	N        int64
	Unit     string
	Handover string `bun:",nullzero"`
}

type stockRow struct {
	bun.BaseModel `bun:"table:stocks,alias:st"`

	Batch   string
	Tenant  string
	Dim     string
	Unit    string
	Made    int64
	Remains int64
	Since   instant
	Void    bool
}

func newStockRow(b trace.Batch, a chain.Amount, since time.Time) *stockRow {
	return &stockRow{Batch: b.ID, Tenant: b.Tenant, Dim: a.Dim(), Unit: a.Unit, Made: a.N, Remains: a.N, Since: instant{since}}
}

// Move stores a movement, the batches it makes and its record, and takes its inputs
// out of stock, or writes nothing. The same movement again is nothing new; another
// one under its ID, a second correction of one, and one that takes back or receives
// what was already, are farm.ErrConflict. *chain.ShortError where there is not so
// much of an input; *recall.Refused where one is recalled and the movement does not
// belong to the recall; *chain.DependentError where something hangs on what is taken
// back. A batch, site or tenant that is unknown or of another tenant is
// farm.ErrNotFound. made are m's outputs, in their order; where the site of what is
// harvested is not of the version that it has seen, nothing is written: trace.ErrMoved.
func (s *Store) Move(ctx context.Context, m chain.Movement, made []trace.Batch, rec trace.Record) error {
	if rec.Subject != m.ID || rec.Tenant != m.Tenant || len(made) != len(m.Outputs) {
		return fmt.Errorf("move: record %s is not about movement %s", rec.ID, m.ID)
	}
	row, err := newMovementRow(m)
	if err != nil {
		return fmt.Errorf("move: %w", err)
	}
	return fail("move", s.inTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		res, err := tx.NewInsert().Model(row).On("CONFLICT (id) DO NOTHING").Exec(ctx)
		if err := changed(res, err, farm.ErrConflict); errors.Is(err, farm.ErrConflict) {
			return sameMovement(ctx, tx, m)
		} else if err != nil {
			return err
		}
		if err := refuseMove(ctx, tx, m); err != nil {
			return err
		}
		if err := s.resolve(ctx, tx, m); err != nil {
			return err
		}
		for _, site := range m.Seen { // after the stocks, as where a batch is closed
			if err := grow(ctx, tx, site.Site, site.Tenant, site.Version); err != nil {
				return err
			}
		}
		if err := drawInputs(ctx, tx, m); err != nil {
			return err
		}
		if err := addMade(ctx, tx, m, made); err != nil {
			return err
		}
		return addRecord(ctx, tx, rec)
	}))
}

// sameMovement returns farm.ErrConflict unless m is stored as it is.
func sameMovement(ctx context.Context, tx bun.Tx, m chain.Movement) error {
	var row movementRow
	if err := tx.NewSelect().Model(&row).Where("m.id = ?", m.ID).Scan(ctx); err != nil {
		return err
	}
	stored, err := row.movement()
	if err != nil {
		return err
	}
	m.At = m.At.Truncate(time.Microsecond)
	if !m.Same(stored) {
		return farm.ErrConflict
	}
	return nil
}

// resolve takes back what m corrects and answers what m receives or declines. Before,
// it locks every stock that the movement may change, in one order: two movements
// about the same batches wait for each other and never in a ring.
func (s *Store) resolve(ctx context.Context, tx bun.Tx, m chain.Movement) error {
	batches := []string{}
	for _, in := range m.Inputs {
		batches = append(batches, in.Batch)
	}
	var parts []movedRow
	if m.Corrects != "" || m.Kind == chain.Decline {
		err := tx.NewSelect().Model(&parts).Where("mb.movement = ?", cmp.Or(m.Corrects, m.Handover)).Order("mb.batch").Scan(ctx)
		if err != nil {
			return err
		}
		for _, p := range parts {
			batches = append(batches, p.Batch)
		}
	}
	if err := s.lockStocks(ctx, tx, batches); err != nil {
		return err
	}
	switch {
	case m.Kind == chain.Decline:
		return takeBack(ctx, tx, m, m.Handover, parts)
	case m.Corrects != "":
		if err := takeBack(ctx, tx, m, m.Corrects, parts); err != nil {
			return err
		}
	}
	if m.Kind != chain.Receive {
		return nil
	}
	res, err := tx.NewUpdate().Model((*movementRow)(nil)).Set("taken_by = ?", m.ID).
		Where("m.id = ? AND m.receiver = ? AND m.voided_by IS NULL AND m.taken_by IS NULL", m.Handover, m.Tenant).Exec(ctx)
	return changed(res, err, farm.ErrConflict)
}

// lockStocks keeps others from these stocks until the transaction ends. SQLite has
// one writer anyway.
func (s *Store) lockStocks(ctx context.Context, tx bun.Tx, batches []string) error {
	if len(batches) == 0 || s.write.Dialect().Name() != dialect.PG {
		return nil
	}
	var rows []stockRow
	return tx.NewSelect().Model(&rows).Column("batch").Where("st.batch IN (?)", bun.List(batches)).Order("st.batch").For("UPDATE").Scan(ctx)
}

// takeBack voids a movement, unless something hangs on it, and gives back what it
// drew.
func takeBack(ctx context.Context, tx bun.Tx, by chain.Movement, id string, parts []movedRow) error {
	var row movementRow
	if err := tx.NewSelect().Model(&row).Where("m.id = ?", id).Scan(ctx); err != nil {
		return err
	}
	old, err := row.movement()
	if err != nil {
		return err
	}
	if by.Kind != chain.Decline && old.Tenant != by.Tenant || by.Kind == chain.Decline && old.To != by.Tenant {
		return farm.ErrNotFound
	}
	if old.TakenBy != "" {
		return &chain.DependentError{Movements: []string{old.TakenBy}}
	}
	res, err := tx.NewUpdate().Model((*movementRow)(nil)).Set("voided_by = ?", by.ID).
		Where("m.id = ? AND m.voided_by IS NULL AND m.taken_by IS NULL", id).Exec(ctx)
	if err := changed(res, err, farm.ErrConflict); err != nil {
		return err
	}
	if old.Handover != "" { // it waits for an answer again
		res, err := tx.NewUpdate().Model((*movementRow)(nil)).Set("taken_by = NULL").Where("m.id = ? AND m.taken_by = ?", old.Handover, id).Exec(ctx)
		if err := changed(res, err, farm.ErrConflict); err != nil {
			return err
		}
	}
	var made []string
	for _, p := range parts {
		if p.Made {
			made = append(made, p.Batch)
		}
	}
	if err := unmake(ctx, tx, made); err != nil {
		return err
	}
	if !old.Draws() {
		return nil
	}
	for _, p := range parts {
		if p.Made {
			continue
		}
		res, err := tx.NewUpdate().Model((*stockRow)(nil)).Set("remains = remains + ?", p.N).Where("st.batch = ?", p.Batch).Exec(ctx)
		if err := changed(res, err, farm.ErrNotFound); err != nil {
			return err
		}
	}
	return nil
}

// unmake voids batches, or says what hangs on them.
func unmake(ctx context.Context, tx bun.Tx, made []string) error {
	if len(made) == 0 {
		return nil
	}
	on := &chain.DependentError{}
	err := tx.NewSelect().Model((*movementRow)(nil)).Column("m.id").
		Where("m.voided_by IS NULL AND m.id IN (SELECT mb.movement FROM movement_batches AS mb WHERE mb.batch IN (?) AND NOT mb.made)", bun.List(made)).
		Order("m.at", "m.id").Scan(ctx, &on.Movements)
	if err != nil {
		return err
	}
	err = tx.NewSelect().Model((*batchRow)(nil)).Column("b.code").Where("b.id IN (?) AND b.code IS NOT NULL", bun.List(made)).Order("b.code").Scan(ctx, &on.Codes)
	if err != nil {
		return err
	}
	if len(on.Movements)+len(on.Codes) > 0 {
		return on
	}
	_, err = tx.NewUpdate().Model((*stockRow)(nil)).Set("remains = 0, void = TRUE").Where("st.batch IN (?)", bun.List(made)).Exec(ctx)
	return err
}

// drawInputs takes what goes in out of stock. Each stock is changed by one statement
// that also asks whether there is so much: two phones at once wait for each other
// there.
func drawInputs(ctx context.Context, tx bun.Tx, m chain.Movement) error {
	inputs := slices.SortedFunc(slices.Values(m.Inputs), func(a, b chain.Input) int { return cmp.Compare(a.Batch, b.Batch) })
	for _, in := range inputs {
		row := movedRow{Movement: m.ID, Tenant: m.Tenant, Batch: in.Batch, Owner: m.Tenant, N: in.Amount.N, Unit: in.Amount.Unit, Handover: m.Handover}
		if m.Handover != "" {
			if err := tx.NewSelect().Model((*movementRow)(nil)).Column("m.tenant").Where("m.id = ?", m.Handover).Scan(ctx, &row.Owner); err != nil {
				return err
			}
		} else if err := drawInput(ctx, tx, m, in); err != nil {
			return err
		}
		if _, err := tx.NewInsert().Model(&row).Exec(ctx); err != nil {
			return err
		}
	}
	return nil
}

func drawInput(ctx context.Context, tx bun.Tx, m chain.Movement, in chain.Input) error {
	n := in.Amount.N
	if !m.Draws() {
		n = 0
	}
	res, err := tx.NewUpdate().Model((*stockRow)(nil)).Set("remains = remains - ?", n).
		Where("st.batch = ? AND st.tenant = ? AND st.dim = ? AND st.remains >= ? AND NOT st.void", in.Batch, m.Tenant, in.Amount.Dim(), in.Amount.N).Exec(ctx)
	short := &chain.ShortError{Batch: in.Batch}
	if err := changed(res, err, short); !errors.Is(err, short) {
		return err
	}
	var row stockRow
	if err := tx.NewSelect().Model(&row).Where("st.batch = ? AND st.tenant = ?", in.Batch, m.Tenant).Scan(ctx); err != nil {
		return err
	}
	short.Left = chain.Amount{N: row.Remains, Unit: row.Unit}
	return short
}

func addMade(ctx context.Context, tx bun.Tx, m chain.Movement, made []trace.Batch) error {
	for i, b := range made {
		out := m.Outputs[i]
		if b.ID != out.Batch || b.Tenant != m.Tenant {
			return fmt.Errorf("batch %s is not what movement %s makes", b.ID, m.ID)
		}
		since := m.At
		if m.Kind == chain.Harvest {
			since = b.Harvest
		}
		add := addBatch
		if m.Kind == chain.Harvest {
			add = addHarvest
		}
		if err := add(ctx, tx, b, out.Amount, since); err != nil {
			return err
		}
		row := movedRow{Movement: m.ID, Tenant: m.Tenant, Batch: b.ID, Owner: m.Tenant, Made: true, N: out.Amount.N, Unit: out.Amount.Unit}
		if _, err := tx.NewInsert().Model(&row).Exec(ctx); err != nil {
			return err
		}
	}
	return nil
}

// addHarvest adds a batch that was taken from its site: that it may be was held
// against the site's history, and perhaps allowed by an officer.
func addHarvest(ctx context.Context, tx bun.Tx, b trace.Batch, a chain.Amount, since time.Time) error {
	if err := grow(ctx, tx, b.Site, b.Tenant, b.Seen); err != nil {
		return err
	}
	if err := addBatch(ctx, tx, b, a, since); err != nil {
		return err
	}
	return useOverrides(ctx, tx, b.Leave, b.ID)
}

func addBatch(ctx context.Context, tx bun.Tx, b trace.Batch, a chain.Amount, since time.Time) error {
	if _, err := tx.NewInsert().Model(newBatchRow(b)).Exec(ctx); err != nil {
		return err
	}
	_, err := tx.NewInsert().Model(newStockRow(b, a, since)).Exec(ctx)
	return err
}

// Movement returns a movement with its buyer, where nobody had that erased;
// farm.ErrNotFound.
func (s *Store) Movement(ctx context.Context, id string) (chain.Movement, error) {
	all, err := s.movements(ctx, s.read.NewSelect().Where("m.id = ?", id))
	if err == nil && len(all) == 0 {
		err = farm.ErrNotFound
	}
	if err != nil {
		return chain.Movement{}, fail("read movement", err)
	}
	return all[0], nil
}

// EraseBuyer erases the buyer of a movement and stores the record that says so;
// false, and nothing is written, where none is known.
func (s *Store) EraseBuyer(ctx context.Context, movement string, rec trace.Record) (erased bool, err error) {
	if rec.Kind != trace.ErasureRecord {
		return false, fmt.Errorf("erase buyer: record %s does not say so", rec.ID)
	}
	err = s.inTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		of := tx.NewSelect().Model((*recordRow)(nil)).Column("r.id").Where("r.subject = ? AND r.kind = ? AND r.tenant = ?", movement, trace.MovementRecord, rec.Tenant)
		res, err := tx.NewDelete().Model((*openingRow)(nil)).Where("o.record IN (?)", of).Exec(ctx)
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		if erased = n > 0; err != nil || !erased {
			return err
		}
		return addRecord(ctx, tx, rec)
	})
	return erased && err == nil, fail("erase buyer", err)
}

// A MovementFilter chooses movements. Its zero value chooses the newest of all.
type MovementFilter struct {
	Tenant  string   // that made them, or to whom they hand over
	Region  string   // GB/T 2260, of the tenant
	Batches []string // that went in or came out; nil: any
	Pending bool     // that hand over and were not answered
	After   Place
	Limit   int // 0: DefaultMovements; at most MaxMovements
}

// Movements returns the movements that f chooses, newest first, with voided ones.
func (s *Store) Movements(ctx context.Context, f MovementFilter) ([]chain.Movement, error) {
	q := s.read.NewSelect().Order("m.at DESC", "m.id DESC").Limit(bounded(f.Limit, DefaultMovements, MaxMovements))
	q = behind(q, "m.at", "m.id", f.After)
	if f.Tenant != "" {
		q = q.Where("(m.tenant = ? OR m.receiver = ?)", f.Tenant, f.Tenant)
	}
	if f.Batches != nil {
		q = q.Where("m.id IN (SELECT mb.movement FROM movement_batches AS mb WHERE mb.batch IN (?))", bun.List(append([]string{""}, f.Batches...)))
	}
	if f.Pending {
		q = q.Where("m.receiver IS NOT NULL AND m.voided_by IS NULL AND m.taken_by IS NULL")
	}
	if f.Region != "" {
		q = within(q.Join("JOIN tenants AS t ON t.id = m.tenant"), "", "", "t.region", f.Region)
	}
	all, err := s.movements(ctx, q)
	return all, fail("read movements", err)
}

// movements reads movements and the buyers beside their records.
func (s *Store) movements(ctx context.Context, q *bun.SelectQuery) ([]chain.Movement, error) {
	var rows []movementRow
	if err := q.Model(&rows).Scan(ctx); err != nil {
		return nil, err
	}
	all, ids := []chain.Movement{}, []string{}
	for _, r := range rows {
		m, err := r.movement()
		if err != nil {
			return nil, err
		}
		all = append(all, m)
		if m.Kind == chain.Sell && m.To == "" {
			ids = append(ids, m.ID)
		}
	}
	if len(ids) == 0 {
		return all, nil
	}
	var open []struct{ Subject, Path, Text string }
	err := s.read.NewSelect().TableExpr("openings AS o").ColumnExpr("r.subject, o.path, o.text").Join("JOIN records AS r ON r.id = o.record").
		Where("r.subject IN (?) AND r.kind = ?", bun.List(ids), trace.MovementRecord).Scan(ctx, &open)
	if err != nil {
		return nil, err
	}
	for i := range all {
		for _, o := range open {
			if o.Subject != all[i].ID {
				continue
			}
			if all[i].Buyer == nil {
				all[i].Buyer = &chain.Buyer{}
			}
			switch o.Path {
			case trace.BuyerName:
				all[i].Buyer.Name = o.Text
			case trace.BuyerPhone:
				all[i].Buyer.Phone = o.Text
			}
		}
	}
	return all, nil
}
