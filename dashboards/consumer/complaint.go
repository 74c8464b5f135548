package consumer

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"

	"tianhai/farm"
	"tianhai/trace"
	"tianhai/trace/complaint"
	"tianhai/trace/label"
)

// Complaints takes what consumers complain of; *complaint.Service does.
type Complaints interface {
	// Receive takes one from a network address, with a picture where there is one.
	Receive(ctx context.Context, c complaint.Complaint, picture []byte, address string) (complaint.Complaint, error)
	// Find returns a complaint by its reference; farm.ErrNotFound. So Forget, which
	// erases its telephone number.
	Find(ctx context.Context, reference string) (complaint.Complaint, error)
	Forget(ctx context.Context, reference string) error
}

// maxComplaint is the size of the form with its picture.
const maxComplaint = complaint.MaxPicture + 64<<10

// maxPicture is the size of a picture in MiB, as people read it.
var maxPicture = strconv.Itoa(complaint.MaxPicture >> 20)

// MaxPicture is for the template.
func (complaintPage) MaxPicture() string { return maxPicture }

// complaintPage is the form, or what has become of a complaint.
type complaintPage struct {
	base
	Code, Grouped string
	Kinds         []choice
	In            complaint.Complaint
	Limit         int    // of characters
	Problem       string // why it was not taken
	Field         string // that the problem is in

	Reference string // "" on the form
	State     string
	When      moment
	HasPhone  bool
	Answers   []shownAnswer
}

type choice struct {
	Value, Name string
	Chosen      bool
}

type shownAnswer struct {
	Office, Words string
	At            moment
}

// complain shows the form.
func (s *server) complain(w http.ResponseWriter, r *http.Request, rec trace.Record) {
	s.complaintForm(w, r, rec, http.StatusOK, complaint.Complaint{}, "", "")
}

func (s *server) complaintForm(w http.ResponseWriter, r *http.Request, rec trace.Record, status int, in complaint.Complaint, field, problem string) {
	b := s.base(w, r, "consumer.complaint")
	p := complaintPage{base: b, Code: rec.Code, Grouped: label.Group(rec.Code), In: in, Limit: complaint.MaxWords, Field: field, Problem: problem}
	for _, k := range complaint.Kinds() {
		p.Kinds = append(p.Kinds, choice{string(k), b.T("consumer.complaint.kind." + string(k)), k == in.Kind})
	}
	s.html(w, r, answer{template: "complaint.html", status: status, cache: "no-store", data: p})
}

// receive takes the form.
func (s *server) receive(w http.ResponseWriter, r *http.Request) {
	rec, ok := s.find(w, r)
	if !ok {
		return
	}
	if s.Complaints == nil {
		http.NotFound(w, r)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxComplaint)
	var in complaint.Complaint
	refuse := func(status int, field, key string) {
		b := s.base(w, r, "consumer.complaint")
		s.complaintForm(w, r, rec, status, in, field, b.T(key, "mb", maxPicture))
	}
	if err := r.ParseMultipartForm(maxComplaint); err != nil && !errors.Is(err, http.ErrNotMultipart) {
		refuse(http.StatusRequestEntityTooLarge, "photo", "consumer.complaint.error.photo")
		return
	}
	in = complaint.Complaint{
		Code: rec.Code, Batch: rec.Subject, Tenant: rec.Tenant, Kind: complaint.Kind(r.PostFormValue("kind")), Words: r.PostFormValue("words"),
		Place: r.PostFormValue("place"), Phone: r.PostFormValue("phone"), Language: s.language(w, r),
	}
	picture, err := pictureOf(r)
	if err != nil {
		refuse(http.StatusUnprocessableEntity, "photo", "consumer.complaint.error.photo")
		return
	}
	c, err := s.Complaints.Receive(r.Context(), in, picture, s.Doors.Visitor(r).Address)
	var field *complaint.FieldError
	var limit *complaint.LimitError
	switch {
	case errors.As(err, &field):
		refuse(http.StatusUnprocessableEntity, field.Field, "consumer.complaint.error."+field.Field)
	case errors.As(err, &limit):
		w.Header().Set("Retry-After", "86400")
		refuse(http.StatusTooManyRequests, "", "consumer.complaint.error.many")
	case err != nil:
		s.Logger.ErrorContext(r.Context(), "cannot take a complaint", "code", rec.Code, "error", err)
		s.unavailable(w, r, rec.Code)
	default:
		http.Redirect(w, r, "/c/"+c.Reference, http.StatusSeeOther)
	}
}

// pictureOf returns the picture of a form, nil where there is none.
func pictureOf(r *http.Request) ([]byte, error) {
	f, _, err := r.FormFile("photo")
	if errors.Is(err, http.ErrMissingFile) || errors.Is(err, http.ErrNotMultipart) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(f)
	return raw, errors.Join(err, f.Close())
}

// complaint shows what has become of one.
func (s *server) complaint(w http.ResponseWriter, r *http.Request) {
	c, ok := s.findComplaint(w, r)
	if !ok {
		return
	}
	b := s.base(w, r, "consumer.complaint")
	p := complaintPage{
		base: b, Code: c.Code, Grouped: label.Group(c.Code), In: c, Reference: label.Group(c.Reference), State: b.T("consumer.complaint.state." + string(c.State)),
		When: at(c.Received), HasPhone: c.Phone != "",
	}
	for _, a := range c.Answers {
		p.Answers = append(p.Answers, shownAnswer{b.T("consumer.complaint.from." + string(a.Office)), a.Words, at(a.At)})
	}
	slices.Reverse(p.Answers)
	s.html(w, r, answer{template: "complaint.html", status: http.StatusOK, cache: "no-store", data: p})
}

func (s *server) findComplaint(w http.ResponseWriter, r *http.Request) (complaint.Complaint, bool) {
	err := error(farm.ErrNotFound)
	var c complaint.Complaint
	if s.Complaints != nil {
		c, err = s.Complaints.Find(r.Context(), r.PathValue("reference"))
	}
	switch {
	case errors.Is(err, farm.ErrNotFound):
		b := s.base(w, r, "consumer.complaint")
		s.html(w, r, answer{
			template: "code.html", status: http.StatusNotFound, cache: "no-store",
			data: codePage{base: b, Heading: b.T("consumer.complaint"), Says: []string{b.T("consumer.complaint.unknown")}},
		})
		return c, false
	case err != nil:
		s.Logger.ErrorContext(r.Context(), "cannot read a complaint", "error", err)
		s.unavailable(w, r, "")
		return c, false
	}
	return c, true
}

// forget erases the telephone number of a complaint.
func (s *server) forget(w http.ResponseWriter, r *http.Request) {
	c, ok := s.findComplaint(w, r)
	if !ok {
		return
	}
	if err := s.Complaints.Forget(r.Context(), c.Reference); err != nil {
		s.Logger.ErrorContext(r.Context(), "cannot erase a telephone number", "error", err)
		s.unavailable(w, r, c.Code)
		return
	}
	http.Redirect(w, r, "/c/"+c.Reference, http.StatusSeeOther)
}
