package store

import (
	"context"
	"errors"
	"time"

	"github.com/uptrace/bun"

	"tianhai/farm"
	"tianhai/trace/complaint"
)

type complaintRow struct {
	bun.BaseModel `bun:"table:complaints,alias:c"`

	ID        string
	Reference string
	Code      string
	Batch     string
	Tenant    string
	Region    string
	Kind      complaint.Kind
	Words     string
	Phone     string
	Photo     string
	Place     string
	Language  string
	Received  instant
	Told      instant
	State     complaint.State
}

func (r complaintRow) complaint() complaint.Complaint {
	return complaint.Complaint{
		ID: r.ID, Reference: r.Reference, Code: r.Code, Batch: r.Batch, Tenant: r.Tenant, Region: r.Region, Kind: r.Kind, Words: r.Words,
		Phone: r.Phone, Photo: r.Photo, Place: r.Place, Language: r.Language, Received: r.Received.Time, State: r.State, Answers: []complaint.Answer{},
	}
}

type answerOfComplaintRow struct {
	bun.BaseModel `bun:"table:complaint_answers,alias:a"`

	ID        string
	Complaint string
	Words     string
	Closes    bool
	Office    complaint.Office
	Account   string
	At        instant
}

func (r answerOfComplaintRow) answer() complaint.Answer {
	return complaint.Answer{ID: r.ID, Words: r.Words, Closes: r.Closes, Office: r.Office, Account: r.Account, At: r.At.Time}
}

// AddComplaint stores a complaint with the region of its batch's site.
func (s *Store) AddComplaint(ctx context.Context, c complaint.Complaint) (complaint.Complaint, error) {
	row := complaintRow{
		ID: c.ID, Reference: c.Reference, Code: c.Code, Batch: c.Batch, Tenant: c.Tenant, Kind: c.Kind, Words: c.Words,
		Phone: c.Phone, Photo: c.Photo, Place: c.Place, Language: c.Language, Received: instant{c.Received}, State: c.State,
	}
	err := s.inTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		err := tx.NewRaw("SELECT s.region FROM batches AS b JOIN sites AS s ON s.id = b.site WHERE b.id = ? AND b.tenant = ?", c.Batch, c.Tenant).Scan(ctx, &row.Region)
		if err == nil {
			_, err = tx.NewInsert().Model(&row).Exec(ctx)
		}
		return err
	})
	return row.complaint(), fail("add complaint", err)
}

// CountComplaints returns how many came since a time, and how many of them about a
// code.
func (s *Store) CountComplaints(ctx context.Context, code string, since time.Time) (all, ofCode int, err error) {
	err = s.read.NewSelect().Model((*complaintRow)(nil)).ColumnExpr("count(*)").
		ColumnExpr("coalesce(sum(CASE WHEN c.code = ? THEN 1 ELSE 0 END), 0)", code).
		Where("c.received >= ?", instant{since}).Scan(ctx, &all, &ofCode)
	return all, ofCode, fail("count complaints", err)
}

// A ComplaintFilter narrows a list of complaints; zero fields do not.
type ComplaintFilter struct {
	Tenant, Region, Batch string
	Open                  bool // not closed
	State                 complaint.State
	Untold                bool
	From, To              time.Time // received from here until before there
	After                 Place
	Limit                 int // 0: MaxPage
}

// Complaints returns a page of complaints without their answers, the latest first.
func (s *Store) Complaints(ctx context.Context, f ComplaintFilter) ([]complaint.Complaint, error) {
	var rows []complaintRow
	q := newestFirst(s.read.NewSelect().Model(&rows), "c.received", "c.id", f.After, f.Limit)
	if f.Open {
		q = q.Where("c.state <> ?", complaint.Closed)
	}
	if f.State != "" {
		q = q.Where("c.state = ?", f.State)
	}
	if f.Untold {
		q = q.Where("c.told IS NULL")
	}
	q = aboutBatch(q, "c.batch", f.Batch, "c.received", f.From, f.To)
	err := within(q, "c.tenant", f.Tenant, "c.region", f.Region).Scan(ctx)
	return each(rows, complaintRow.complaint), fail("read complaints", err)
}

// Complaint returns one with its answers; farm.ErrNotFound.
func (s *Store) Complaint(ctx context.Context, id string) (complaint.Complaint, error) {
	return readComplaint(ctx, s.read, "c.id = ?", id)
}

// ComplaintByReference returns one with its answers; farm.ErrNotFound.
func (s *Store) ComplaintByReference(ctx context.Context, reference string) (complaint.Complaint, error) {
	return readComplaint(ctx, s.read, "c.reference = ?", reference)
}

func readComplaint(ctx context.Context, db bun.IDB, where, value string) (complaint.Complaint, error) {
	var row complaintRow
	if err := db.NewSelect().Model(&row).Where(where, value).Scan(ctx); err != nil {
		return complaint.Complaint{}, fail("read complaint", err)
	}
	c := row.complaint()
	var answers []answerOfComplaintRow
	err := db.NewSelect().Model(&answers).Where("a.complaint = ?", c.ID).Order("a.at", "a.id").Scan(ctx)
	c.Answers = each(answers, answerOfComplaintRow.answer)
	return c, fail("read answers to a complaint", err)
}

// AddAnswer stores an answer; the same again is nothing new. farm.ErrNotFound, and
// farm.ErrConflict where the complaint is closed, or another answer has the ID.
func (s *Store) AddAnswer(ctx context.Context, id string, a complaint.Answer) (c complaint.Complaint, err error) {
	err = s.inTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		// Whoever answers at the same time waits here.
		res, err := tx.NewUpdate().Model((*complaintRow)(nil)).Set("state = c.state").Where("c.id = ?", id).Exec(ctx)
		if err := changed(res, err, farm.ErrNotFound); err != nil {
			return err
		}
		if c, err = readComplaint(ctx, tx, "c.id = ?", id); err != nil {
			return err
		}
		for _, known := range c.Answers {
			if known.ID == a.ID && known.Words == a.Words && known.Closes == a.Closes && known.Account == a.Account {
				return nil
			}
		}
		if c, err = c.Add(a); err != nil {
			return err
		}
		row := answerOfComplaintRow{ID: a.ID, Complaint: id, Words: a.Words, Closes: a.Closes, Office: a.Office, Account: a.Account, At: instant{a.At}}
		if _, err := tx.NewInsert().Model(&row).Exec(ctx); err != nil {
			return err
		}
		_, err = tx.NewUpdate().Model((*complaintRow)(nil)).Set("state = ?", c.State).Where("c.id = ?", id).Exec(ctx)
		return err
	})
	if errors.Is(err, farm.ErrConflict) {
		return complaint.Complaint{}, farm.ErrConflict
	}
	return c, fail("answer a complaint", err)
}

// ErasePhone erases the telephone number of a complaint; again is nothing new.
func (s *Store) ErasePhone(ctx context.Context, id string) error {
	_, err := s.write.NewUpdate().Model((*complaintRow)(nil)).Set("phone = ''").Where("c.id = ?", id).Exec(ctx)
	return fail("erase a telephone number", err)
}

// ErasePhones erases the numbers of complaints from before a time.
func (s *Store) ErasePhones(ctx context.Context, before time.Time) error {
	_, err := s.write.NewUpdate().Model((*complaintRow)(nil)).Set("phone = ''").Where("c.phone <> '' AND c.received < ?", instant{before}).Exec(ctx)
	return fail("erase telephone numbers", err)
}

// ToldComplaint marks that people were told of a complaint; again is nothing new.
func (s *Store) ToldComplaint(ctx context.Context, id string, at time.Time) error {
	_, err := s.write.NewUpdate().Model((*complaintRow)(nil)).Set("told = ?", instant{at}).Where("c.id = ? AND c.told IS NULL", id).Exec(ctx)
	return fail("mark a complaint told", err)
}
