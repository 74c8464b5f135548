package store_test

import (
	"testing"
	"time"

	"tianhai/cmd/internal/store"
	"tianhai/farm"
	"tianhai/trace"
	"tianhai/trace/complaint"
)

func testComplaints(t *testing.T, s *store.Store) {
	seed(t, s)
	ctx := t.Context()
	check(t, s.AddBatch(ctx, trace.Batch{ID: "b1", Tenant: "tea", Site: "garden-1", Product: "liubao", Lot: "L1", Quantity: 1, Unit: "kg", Began: yesterday, Harvest: noon, Opened: noon}))
	site, err := s.Site(ctx, "garden-1")
	check(t, err)
	c := complaint.Complaint{
		ID: "01", Reference: "REF1", Code: "CODE1", Batch: "b1", Tenant: "tea", Kind: "quality", Words: "茶有霉味", Phone: "13800000000",
		Place: "北海", Photo: "ab", Language: "zh-CN", Received: noon, State: complaint.Received, Answers: []complaint.Answer{},
	}
	want := c
	want.Region = site.Region
	equal(t, "stored", want)(s.AddComplaint(ctx, c))
	c.ID, c.Tenant, c.Reference = "02", "oysters", "REF2"
	_, err = s.AddComplaint(ctx, c)
	wantErr(t, "of another's batch", err, farm.ErrNotFound)
	c.Tenant, c.Code, c.Received = "tea", "CODE2", noon.Add(time.Hour)
	second, err := s.AddComplaint(ctx, c)
	check(t, err)
	if all, of, err := s.CountComplaints(ctx, "CODE1", noon); err != nil || all != 2 || of != 1 {
		t.Errorf("counted %d and %d, %v", all, of, err)
	}
	if all, of, err := s.CountComplaints(ctx, "CODE1", noon.Add(time.Minute)); err != nil || all != 1 || of != 0 {
		t.Errorf("counted later %d and %d, %v", all, of, err)
	}

	equal(t, "all", []complaint.Complaint{second, want})(s.Complaints(ctx, store.ComplaintFilter{Open: true, Untold: true}))
	equal(t, "the batch's", []complaint.Complaint{second, want})(s.Complaints(ctx, store.ComplaintFilter{Batch: want.Batch}))
	equal(t, "another batch's", []complaint.Complaint{})(s.Complaints(ctx, store.ComplaintFilter{Batch: "b9"}))
	equal(t, "since", []complaint.Complaint{second})(s.Complaints(ctx, store.ComplaintFilter{From: second.Received}))
	equal(t, "until", []complaint.Complaint{want})(s.Complaints(ctx, store.ComplaintFilter{To: second.Received}))
	equal(t, "received", []complaint.Complaint{second, want})(s.Complaints(ctx, store.ComplaintFilter{State: complaint.Received}))
	equal(t, "closed", []complaint.Complaint{})(s.Complaints(ctx, store.ComplaintFilter{State: complaint.Closed}))
	equal(t, "behind the first", []complaint.Complaint{want})(s.Complaints(ctx, store.ComplaintFilter{After: store.Place{At: second.Received, ID: second.ID}, Limit: 1}))
	equal(t, "another's", []complaint.Complaint{})(s.Complaints(ctx, store.ComplaintFilter{Tenant: "oysters"}))
	equal(t, "the city's", []complaint.Complaint{second, want})(s.Complaints(ctx, store.ComplaintFilter{Region: site.Region}))
	check(t, s.ToldComplaint(ctx, "02", noon))
	equal(t, "untold", []complaint.Complaint{want})(s.Complaints(ctx, store.ComplaintFilter{Untold: true, Tenant: "tea"}))

	first := complaint.Answer{ID: "11", Words: "We look into it", Office: complaint.Producer, Account: "wei", At: noon.Add(time.Minute)}
	last := complaint.Answer{ID: "12", Words: "The lot was stored wet", Closes: true, Office: complaint.Bureau, Account: "li", At: noon.Add(time.Hour)}
	for range 2 {
		want.State, want.Answers = complaint.Answered, []complaint.Answer{first}
		equal(t, "answered", want)(s.AddAnswer(ctx, "01", first))
	}
	other := first
	other.Words = "Something else"
	_, err = s.AddAnswer(ctx, "01", other)
	wantErr(t, "another under its ID", err, farm.ErrConflict)
	want.State, want.Answers = complaint.Closed, []complaint.Answer{first, last}
	equal(t, "closed", want)(s.AddAnswer(ctx, "01", last))
	last.ID = "13"
	_, err = s.AddAnswer(ctx, "01", last)
	wantErr(t, "after the end", err, farm.ErrConflict)
	_, err = s.AddAnswer(ctx, "99", last)
	wantErr(t, "to nothing", err, farm.ErrNotFound)
	equal(t, "looked up", want)(s.ComplaintByReference(ctx, "REF1"))
	_, err = s.ComplaintByReference(ctx, "REF9")
	wantErr(t, "looked up in vain", err, farm.ErrNotFound)

	check(t, s.ErasePhone(ctx, "01"))
	want.Phone = ""
	equal(t, "without number", want)(s.Complaint(ctx, "01"))
	check(t, s.ErasePhones(ctx, second.Received))
	equal(t, "not due", second)(s.Complaint(ctx, "02"))
	check(t, s.ErasePhones(ctx, second.Received.Add(time.Microsecond)))
	second.Phone = ""
	equal(t, "due", second)(s.Complaint(ctx, "02"))
}
