package store

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"

	"tianhai/farm"
	"tianhai/trace/epcis"
	"tianhai/trace/epcis/repository"
)

// epcisLock is the PostgreSQL advisory lock that makes events visible in the order of
// their numbers. SQLite has one writer anyway.
const epcisLock = 0x65706373

// epcisRows is how many rows one statement inserts.
const epcisRows = 400

type epcisEventRow struct {
	bun.BaseModel `bun:"table:epcis_events,alias:e"`

	Seq      int64
	Tenant   string
	EventID  string
	Declared bool
	Type     string
	At       instant
	Recorded instant
	Context  string
	Body     string
}

func (r epcisEventRow) stored() repository.Stored {
	return repository.Stored{
		Seq: r.Seq, Tenant: r.Tenant, ID: r.EventID, Type: r.Type, Time: r.At.Time, Recorded: r.Recorded.Time,
		Context: r.Context, JSON: []byte(r.Body),
	}
}

type epcisTextRow struct {
	bun.BaseModel `bun:"table:epcis_texts,alias:t"`

	Tenant string
	Field  string
	Text   string
	Event  int64
}

type epcisNumberRow struct {
	bun.BaseModel `bun:"table:epcis_numbers,alias:n"`

	Tenant string
	Field  string
	Number float64
	Event  int64
}

type epcisAttributeRow struct {
	bun.BaseModel `bun:"table:epcis_attributes,alias:a"`

	Tenant  string
	Element string
	Name    string
	Value   string
}

type epcisChildRow struct {
	bun.BaseModel `bun:"table:epcis_children,alias:ch"`

	Tenant string
	Parent string
	Child  string
}

// CaptureEvents appends events; see repository.Shelf.
func (s *Store) CaptureEvents(ctx context.Context, b repository.Batch) (taken []int, err error) {
	err = s.inTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		taken = nil
		last, err := lastEvent(ctx, tx)
		if err != nil {
			return err
		}
		if taken, err = takenEvents(ctx, tx, b); err != nil || len(taken) > 0 {
			return err
		}
		if err := s.appendEvents(ctx, tx, b, last); err != nil {
			return err
		}
		if b.Job == nil {
			return nil
		}
		return setCapture(ctx, tx, *b.Job)
	})
	return taken, fail("capture events", err)
}

// appendEvents writes events behind the last one, and what is said of elements.
func (s *Store) appendEvents(ctx context.Context, tx bun.Tx, b repository.Batch, last epcisEventRow) error {
	// Nobody's clock may put an event before one that was recorded earlier.
	now := s.now().UTC().Truncate(time.Microsecond)
	if now.Before(last.Recorded.Time) {
		now = last.Recorded.Time
	}
	if err := insertEvents(ctx, tx, b, last.Seq, now); err != nil {
		return err
	}
	return putMaster(ctx, tx, b.Tenant, b.Master)
}

// lastEvent returns number and time of the last event, and keeps others from adding one
// before this transaction ends.
func lastEvent(ctx context.Context, tx bun.Tx) (epcisEventRow, error) {
	if tx.Dialect().Name() == dialect.PG {
		if _, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock(?)", epcisLock); err != nil {
			return epcisEventRow{}, err
		}
	}
	var rows []epcisEventRow
	err := tx.NewSelect().Model(&rows).Column("seq", "recorded").OrderExpr("e.seq DESC").Limit(1).Scan(ctx)
	if err != nil || len(rows) == 0 {
		return epcisEventRow{}, err
	}
	return rows[0], nil
}

func takenEvents(ctx context.Context, tx bun.Tx, b repository.Batch) ([]int, error) {
	places := map[epcisEventRow]int{}
	var ids []string
	for i, e := range b.Events {
		if e.ID != "" {
			places[epcisEventRow{EventID: e.ID, Declared: e.Declared}] = i
			ids = append(ids, e.ID)
		}
	}
	var taken []int
	for some := range slices.Chunk(ids, epcisRows) {
		var rows []epcisEventRow
		if err := tx.NewSelect().Model(&rows).Column("event_id", "declared").Where("e.tenant = ? AND e.event_id IN (?)", b.Tenant, bun.List(some)).Scan(ctx); err != nil {
			return nil, err
		}
		for _, r := range rows {
			if i, ok := places[epcisEventRow{EventID: r.EventID, Declared: r.Declared}]; ok {
				taken = append(taken, i)
			}
		}
	}
	slices.Sort(taken)
	return taken, nil
}

func insertEvents(ctx context.Context, tx bun.Tx, b repository.Batch, seq int64, now time.Time) error {
	events := make([]epcisEventRow, len(b.Events))
	var texts []epcisTextRow
	var numbers []epcisNumberRow
	for i, e := range b.Events {
		seq++
		e.Record(b.NewID(), now)
		events[i] = epcisEventRow{
			Seq: seq, Tenant: b.Tenant, EventID: e.ID, Declared: e.Declared, Type: e.Type, At: instant{e.Time}, Recorded: instant{now},
			Context: e.Context, Body: string(e.JSON()),
		}
		for _, t := range e.Terms() {
			if t.Numeric {
				numbers = append(numbers, epcisNumberRow{Tenant: b.Tenant, Field: t.Field, Number: t.Number, Event: seq})
			} else {
				texts = append(texts, epcisTextRow{Tenant: b.Tenant, Field: t.Field, Text: t.Text, Event: seq})
			}
		}
	}
	if err := insertRows(ctx, tx, events); err != nil {
		return err
	}
	// In the order of the index, which is then written from one end to the other.
	slices.SortFunc(texts, func(a, b epcisTextRow) int {
		return cmp.Or(strings.Compare(a.Field, b.Field), strings.Compare(a.Text, b.Text))
	})
	if err := insertRows(ctx, tx, texts); err != nil {
		return err
	}
	return insertRows(ctx, tx, numbers)
}

func insertRows[R any](ctx context.Context, tx bun.Tx, rows []R) error {
	for some := range slices.Chunk(rows, epcisRows) {
		if _, err := tx.NewInsert().Model(&some).Exec(ctx); err != nil {
			return err
		}
	}
	return nil
}

// putMaster replaces what is known of elements.
func putMaster(ctx context.Context, tx bun.Tx, tenant string, elements []epcis.Element) error {
	for _, e := range elements {
		if _, err := tx.NewDelete().Model((*epcisAttributeRow)(nil)).Where("tenant = ? AND element = ?", tenant, e.ID).Exec(ctx); err != nil {
			return err
		}
		if _, err := tx.NewDelete().Model((*epcisChildRow)(nil)).Where("tenant = ? AND parent = ?", tenant, e.ID).Exec(ctx); err != nil {
			return err
		}
		for _, a := range e.Attributes {
			row := epcisAttributeRow{Tenant: tenant, Element: e.ID, Name: a.Name, Value: a.Value}
			if _, err := tx.NewInsert().Model(&row).On("CONFLICT DO NOTHING").Exec(ctx); err != nil {
				return err
			}
		}
		for _, c := range e.Children {
			row := epcisChildRow{Tenant: tenant, Parent: e.ID, Child: c}
			if _, err := tx.NewInsert().Model(&row).On("CONFLICT DO NOTHING").Exec(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// LastEvent returns the number of the last event; 0 where there is none.
func (s *Store) LastEvent(ctx context.Context) (int64, error) {
	var seq int64
	err := s.read.NewSelect().Table("epcis_events").ColumnExpr("COALESCE(MAX(seq), 0)").Scan(ctx, &seq)
	return seq, fail("read events", err)
}

type epcisCaptureRow struct {
	bun.BaseModel `bun:"table:epcis_captures,alias:c"`

	ID       string
	Tenant   string
	Account  string
	Created  instant
	Finished instant
	Proceed  bool
	Success  bool
	Total    int
	Done     int
	Errors   string
	Document *string
}

func (r epcisCaptureRow) job() (repository.Job, error) {
	j := repository.Job{
		ID: r.ID, Tenant: r.Tenant, Account: r.Account, Created: r.Created.Time, Finished: r.Finished.Time,
		Proceed: r.Proceed, Success: r.Success, Total: r.Total, Done: r.Done,
	}
	if r.Document != nil {
		j.Document = []byte(*r.Document)
	}
	return j, json.Unmarshal([]byte(r.Errors), &j.Errors)
}

func captureRow(j repository.Job) (epcisCaptureRow, error) {
	faults, err := json.Marshal(j.Errors)
	r := epcisCaptureRow{
		ID: j.ID, Tenant: j.Tenant, Account: j.Account, Created: instant{j.Created}, Finished: instant{j.Finished},
		Proceed: j.Proceed, Success: j.Success, Total: j.Total, Done: j.Done, Errors: string(faults),
	}
	if j.Running() {
		document := string(j.Document)
		r.Document = &document
	}
	return r, err
}

// AddCapture adds a job; farm.ErrConflict where its ID is taken.
func (s *Store) AddCapture(ctx context.Context, j repository.Job) error {
	row, err := captureRow(j)
	if err == nil {
		_, err = s.write.NewInsert().Model(&row).Exec(ctx)
	}
	return fail("add capture", err)
}

// SetCapture writes how far a job is; farm.ErrNotFound where somebody brought it as far.
func (s *Store) SetCapture(ctx context.Context, j repository.Job) error {
	return fail("write capture", setCapture(ctx, s.write, j))
}

func setCapture(ctx context.Context, db bun.IDB, j repository.Job) error {
	row, err := captureRow(j)
	if err != nil {
		return err
	}
	q := db.NewUpdate().Model(&row).Column("finished", "success", "done", "errors").Where("id = ? AND finished IS NULL AND (done < ? OR total = 0)", j.ID, j.Done)
	if !j.Running() {
		q = q.Column("document")
	}
	res, err := q.Exec(ctx)
	return changed(res, err, farm.ErrNotFound)
}

// CaptureJob returns a job; farm.ErrNotFound.
func (s *Store) CaptureJob(ctx context.Context, in repository.Scope, id string) (repository.Job, error) {
	var row epcisCaptureRow
	q := s.read.NewSelect().Model(&row).ExcludeColumn("document").Where("c.id = ?", id)
	if err := s.inEPCIS(q, "c.tenant", in).Scan(ctx); err != nil {
		return repository.Job{}, fail("read capture", err)
	}
	j, err := row.job()
	return j, fail("read capture", err)
}

// CaptureJobs returns jobs, newest first.
func (s *Store) CaptureJobs(ctx context.Context, in repository.Scope, after string, limit int) ([]repository.Job, error) {
	var rows []epcisCaptureRow
	q := s.inEPCIS(s.read.NewSelect().Model(&rows).ExcludeColumn("document"), "c.tenant", in)
	if after != "" {
		q = q.Where("c.id < ?", after)
	}
	if err := q.OrderExpr("c.id DESC").Limit(int64(limit)).Scan(ctx); err != nil {
		return nil, fail("read captures", err)
	}
	jobs := make([]repository.Job, len(rows))
	for i, r := range rows {
		var err error
		if jobs[i], err = r.job(); err != nil {
			return nil, fail("read captures", err)
		}
	}
	return jobs, nil
}

// OpenCapture returns the oldest job that runs, of those behind an ID; farm.ErrNotFound.
func (s *Store) OpenCapture(ctx context.Context, after string) (repository.Job, error) {
	var row epcisCaptureRow
	// The writer's connection, or a job that has just been finished may be seen again.
	if err := s.write.NewSelect().Model(&row).Where("c.finished IS NULL AND c.id > ?", after).OrderExpr("c.id").Limit(1).Scan(ctx); err != nil {
		return repository.Job{}, fail("read capture", err)
	}
	j, err := row.job()
	return j, fail("read capture", err)
}

// inEPCIS narrows a query to the tenants of a scope.
func (s *Store) inEPCIS(q *bun.SelectQuery, column string, in repository.Scope) *bun.SelectQuery {
	if in.Tenant != "" {
		q = q.Where("? = ?", bun.Ident(column), in.Tenant)
	}
	if in.Region != "" {
		q = q.Where("? IN (?)", bun.Ident(column), within(s.read.NewSelect().Table("tenants").Column("id"), "", "", "region", in.Region))
	}
	return q
}
