package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/uptrace/bun"

	"tianhai/farm"
	"tianhai/trace"
	"tianhai/trace/unit"
)

type unitKeyRow struct {
	bun.BaseModel `bun:"table:unit_keys,alias:uk"`

	ID     int
	Secret []byte
}

// UnitKey returns the key of unit codes. It is made when it is first asked for, from
// random, and stays for ever.
func (s *Store) UnitKey(ctx context.Context, random io.Reader) (*unit.Key, error) {
	row := unitKeyRow{ID: 1, Secret: make([]byte, unit.KeySize)}
	if random == nil {
		random = rand.Reader
	}
	if _, err := io.ReadFull(random, row.Secret); err != nil {
		return nil, fmt.Errorf("make key of unit codes: %w", err)
	}
	if _, err := s.write.NewInsert().Model(&row).On("CONFLICT (id) DO NOTHING").Exec(ctx); err != nil {
		return nil, fail("make key of unit codes", err)
	}
	if err := s.write.NewSelect().Model(&row).Where("uk.id = 1").Scan(ctx); err != nil {
		return nil, fail("read key of unit codes", err)
	}
	return unit.NewKey(row.Secret)
}

type rollRow struct {
	bun.BaseModel `bun:"table:rolls,alias:ro"`

	ID      string
	Tenant  string
	Product string `bun:",nullzero"`
	GTIN    string `bun:"gtin,nullzero"`
	Codes   int
	Covered bool
	Note    string
	Root    string
	Account string
	Issued  instant
	Number  int64
	Steps   int
	Tree    []byte
}

func (r rollRow) roll() unit.Roll {
	return unit.Roll{
		ID: r.ID, Tenant: r.Tenant, Product: r.Product, GTIN: r.GTIN, Codes: r.Codes, Covered: r.Covered, Note: r.Note,
		Root: r.Root, Account: r.Account, Issued: r.Issued.Time, Number: r.Number, Steps: r.Steps,
	}
}

type rollStepRow struct {
	bun.BaseModel `bun:"table:roll_steps,alias:rs"`

	ID        string
	Roll      string
	Tenant    string
	Seq       int
	Kind      unit.Kind
	First     int
	Last      int
	Batch     string `bun:",nullzero"`
	Withdraws string `bun:",nullzero"`
	Reason    string
	Account   string
	At        instant
}

func (r rollStepRow) step() unit.Step {
	return unit.Step{
		ID: r.ID, Roll: r.Roll, Tenant: r.Tenant, Seq: r.Seq, Kind: r.Kind, First: r.First, Last: r.Last, Batch: r.Batch,
		Withdraws: r.Withdraws, Reason: r.Reason, Account: r.Account, At: r.At.Time,
	}
}

// Roll returns a range of unit codes; farm.ErrNotFound.
func (s *Store) Roll(ctx context.Context, id string) (unit.Roll, error) {
	var row rollRow
	err := s.read.NewSelect().Model(&row).ExcludeColumn("tree").Where("ro.id = ?", id).Scan(ctx)
	return row.roll(), fail("read roll", err)
}

// RollNumbered returns the roll whose codes are made of a number; farm.ErrNotFound.
func (s *Store) RollNumbered(ctx context.Context, number int64) (unit.Roll, error) {
	var row rollRow
	err := s.read.NewSelect().Model(&row).ExcludeColumn("tree").Where("ro.number = ?", number).Scan(ctx)
	return row.roll(), fail("read roll", err)
}

// RollTree returns the kept part of a roll's tree; farm.ErrNotFound.
func (s *Store) RollTree(ctx context.Context, id string) ([]byte, error) {
	var row rollRow
	err := s.read.NewSelect().Model(&row).Column("tree").Where("ro.id = ?", id).Scan(ctx)
	return row.Tree, fail("read tree of roll", err)
}

// RollRecord returns the record of a roll's issue; farm.ErrNotFound.
func (s *Store) RollRecord(ctx context.Context, id string) (trace.Record, error) {
	var row recordRow
	err := s.read.NewSelect().Model(&row).Where("r.subject = ? AND r.kind = ?", id, unit.RollRecord).Scan(ctx)
	return row.record(), fail("read record of roll", err)
}

// Rolls returns those of a tenant, those issued last first.
func (s *Store) Rolls(ctx context.Context, tenant string) ([]unit.Roll, error) {
	var rows []rollRow
	err := s.read.NewSelect().Model(&rows).ExcludeColumn("tree").Where("ro.tenant = ?", tenant).
		Order("ro.issued DESC", "ro.id DESC").Limit(unit.MaxRolls).Scan(ctx)
	return each(rows, rollRow.roll), fail("read rolls", err)
}

// AddRoll stores a roll, the kept part of its tree and its record. trace.ErrMoved
// where its number is taken, farm.ErrConflict where its ID is, farm.ErrNotFound for an
// unknown tenant, product or GTIN, unit.ErrFull.
func (s *Store) AddRoll(ctx context.Context, r unit.Roll, kept []byte, rec trace.Record) error {
	if rec.Tenant != r.Tenant || rec.Kind != unit.RollRecord || rec.Subject != r.ID {
		return fmt.Errorf("add roll: record %s does not say so", rec.ID)
	}
	if kept == nil {
		kept = []byte{}
	}
	row := rollRow{
		ID: r.ID, Tenant: r.Tenant, Product: r.Product, GTIN: r.GTIN, Codes: r.Codes, Covered: r.Covered, Note: r.Note,
		Root: r.Root, Account: r.Account, Issued: instant{r.Issued}, Number: r.Number, Tree: kept,
	}
	return fail("add roll", s.inTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		n, err := tx.NewSelect().Model((*rollRow)(nil)).Where("ro.tenant = ?", r.Tenant).Count(ctx)
		if err != nil {
			return err
		}
		if n >= unit.MaxRolls {
			return unit.ErrFull
		}
		res, err := tx.NewInsert().Model(&row).On("CONFLICT (number) DO NOTHING").Exec(ctx)
		if err := changed(res, err, trace.ErrMoved); err != nil {
			return err
		}
		return addRecord(ctx, tx, rec)
	}))
}

// RollSteps returns those steps of a roll that touch the codes from first to last, in
// their order.
func (s *Store) RollSteps(ctx context.Context, roll string, first, last int) ([]unit.Step, error) {
	var rows []rollStepRow
	err := s.read.NewSelect().Model(&rows).Where("rs.roll = ? AND rs.first <= ? AND rs.last >= ?", roll, last, first).Order("rs.seq").Scan(ctx)
	return each(rows, rollStepRow.step), fail("read steps of roll", err)
}

// RollStepsOf returns the steps that bind codes to a batch, and those that withdraw
// such a step, in the order of time.
func (s *Store) RollStepsOf(ctx context.Context, batch string) ([]unit.Step, error) {
	var rows []rollStepRow
	err := s.read.NewSelect().Model(&rows).
		Where("rs.batch = ? OR rs.withdraws IN (SELECT b.id FROM roll_steps AS b WHERE b.batch = ?)", batch, batch).Order("rs.at", "rs.id").Scan(ctx)
	return each(rows, rollStepRow.step), fail("read codes of batch", err)
}

// AddRollStep stores a step with its record. The same again is nothing new; another
// under its ID is farm.ErrConflict, and trace.ErrMoved where the roll has another step
// of its Seq, farm.ErrNotFound for a batch that the tenant does not have.
func (s *Store) AddRollStep(ctx context.Context, st unit.Step, rec trace.Record) error {
	if rec.Tenant != st.Tenant || rec.Kind != unit.StepRecord || rec.Subject != st.Roll {
		return fmt.Errorf("add step of roll: record %s does not say so", rec.ID)
	}
	row := rollStepRow{
		ID: st.ID, Roll: st.Roll, Tenant: st.Tenant, Seq: st.Seq, Kind: st.Kind, First: st.First, Last: st.Last, Batch: st.Batch,
		Withdraws: st.Withdraws, Reason: st.Reason, Account: st.Account, At: instant{st.At},
	}
	return fail("add step of roll", s.inTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		var known rollStepRow
		switch err := tx.NewSelect().Model(&known).Where("rs.id = ?", st.ID).Scan(ctx); {
		case err == nil && known.step().Same(st):
			return nil
		case err == nil:
			return farm.ErrConflict
		case !errors.Is(err, sql.ErrNoRows):
			return err
		}
		// Steps of one roll wait for each other here, and the later one has not seen the
		// earlier.
		res, err := tx.NewUpdate().Model((*rollRow)(nil)).Set("steps = ?", st.Seq).
			Where("ro.id = ? AND ro.tenant = ? AND ro.steps = ?", st.Roll, st.Tenant, st.Seq-1).Exec(ctx)
		if err := changed(res, err, trace.ErrMoved); err != nil {
			return err
		}
		if _, err := tx.NewInsert().Model(&row).Exec(ctx); err != nil {
			return err
		}
		return addRecord(ctx, tx, rec)
	}))
}

type activationRow struct {
	bun.BaseModel `bun:"table:activations,alias:ac"`

	Roll   string
	Number int
	At     instant
	Device string
	Town   string
	Again  int
}

func (r activationRow) activation() unit.Activation {
	return unit.Activation{Roll: r.Roll, Number: r.Number, At: r.At.Time, Device: r.Device, Town: r.Town, Again: r.Again}
}

// Activation returns the first activation of a packet; farm.ErrNotFound.
func (s *Store) Activation(ctx context.Context, roll string, number int) (unit.Activation, error) {
	var row activationRow
	err := s.read.NewSelect().Model(&row).Where("ac.roll = ? AND ac.number = ?", roll, number).Scan(ctx)
	return row.activation(), fail("read activation", err)
}

// Activate stores an activation unless there is one, and returns the one that stands
// and whether it is a. One by another device, or longer ago than unit.SamePhone, is
// counted as shown again.
func (s *Store) Activate(ctx context.Context, a unit.Activation) (unit.Activation, bool, error) {
	row := activationRow{Roll: a.Roll, Number: a.Number, At: instant{a.At}, Device: a.Device, Town: a.Town}
	res, err := s.write.NewInsert().Model(&row).On("CONFLICT (roll, number) DO NOTHING").Exec(ctx)
	switch err = changed(res, err, farm.ErrConflict); {
	case err == nil:
		return row.activation(), true, nil
	case !errors.Is(err, farm.ErrConflict):
		return unit.Activation{}, false, fail("activate", err)
	}
	_, err = s.write.NewUpdate().Model((*activationRow)(nil)).Set("again = ac.again + 1").
		Where("ac.roll = ? AND ac.number = ? AND (ac.device <> ? OR ac.at <= ?)", a.Roll, a.Number, a.Device, instant{a.At.Add(-unit.SamePhone)}).Exec(ctx)
	if err != nil {
		return unit.Activation{}, false, fail("activate", err)
	}
	var stands activationRow
	err = s.write.NewSelect().Model(&stands).Where("ac.roll = ? AND ac.number = ?", a.Roll, a.Number).Scan(ctx)
	return stands.activation(), false, fail("activate", err)
}

// TryCover counts a try under a name, at most limit in a window that begins with the
// first, and returns when the window ends where there were as many already. It is one
// statement: however many come at once, no more than limit pass.
func (s *Store) TryCover(ctx context.Context, name string, limit int, now time.Time, window time.Duration) (time.Time, error) {
	at, ends := instant{now}, instant{now.Add(window)}
	if _, err := s.write.NewDelete().Table("cover_tries").Where("ends <= ?", at).Exec(ctx); err != nil {
		return time.Time{}, fail("count try", err)
	}
	res, err := s.write.NewRaw(`INSERT INTO cover_tries (name, tries, ends) VALUES (?, 1, ?)
		ON CONFLICT (name) DO UPDATE SET tries = cover_tries.tries + 1 WHERE cover_tries.tries < ?`, name, ends, limit).Exec(ctx)
	err = changed(res, err, farm.ErrConflict)
	if !errors.Is(err, farm.ErrConflict) {
		return time.Time{}, fail("count try", err)
	}
	var until instant
	err = s.write.NewSelect().Table("cover_tries").Column("ends").Where("name = ?", name).Scan(ctx, &until)
	return until.Time, fail("count try", err)
}

// ForgetTries takes the tries under a name back.
func (s *Store) ForgetTries(ctx context.Context, name string) error {
	_, err := s.write.NewDelete().Table("cover_tries").Where("name = ?", name).Exec(ctx)
	return fail("forget tries", err)
}
