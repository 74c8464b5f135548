package consumer

import (
	"bytes"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"time"

	"tianhai/farm"
	"tianhai/trace"
	"tianhai/trace/ledger"
	"tianhai/trace/recall"
)

// A recalled is a recall that the batch is in, read from the records of how it was
// opened and, if it was, closed.
type recalled struct {
	opened recall.Step
	closed time.Time
	sealed bool // the receipt proves the record
}

func (r recalled) open() bool { return r.closed.IsZero() }

func (r recalled) status() string {
	if r.open() {
		return "recalled"
	}
	return "closed"
}

// recallsOf returns the recalls that a batch is in at this moment, and answers the
// request itself where that cannot be known: a page without a banner would say that
// there is none. Whatever else is wrong, a recall is shown; what its receipt does not
// prove is only said to be not sealed.
func (s *server) recallsOf(w http.ResponseWriter, r *http.Request, rec trace.Record) ([]recalled, bool) {
	if s.Recalls == nil {
		return nil, true
	}
	found, err := s.Recalls.Of(r.Context(), rec.Subject)
	if err != nil {
		s.Logger.ErrorContext(r.Context(), "cannot read the recalls of a batch", "code", rec.Code, "error", err)
		s.unavailable(w, r, rec.Code)
		return nil, false
	}
	var all []recalled
	for _, records := range found {
		opened, err := recall.ParseStep(records[0].Body, records[0].Personal)
		if err != nil {
			s.Logger.ErrorContext(r.Context(), "a recall's record cannot be read", "code", rec.Code, "record", records[0].ID, "error", err)
			s.unavailable(w, r, rec.Code)
			return nil, false
		}
		one := recalled{opened: opened, sealed: s.proves(records[0])}
		for _, later := range records[1:] {
			if step, err := recall.ParseStep(later.Body, nil); err == nil && step.Kind == recall.StepClose {
				one.closed = step.At
			}
		}
		all = append(all, one)
	}
	return all, true
}

// proves reports whether a record's receipt is for its bytes.
func (s *server) proves(rec trace.Record) bool {
	origin, err := ledger.Origin(rec.Receipt)
	if rec.Receipt == "" || err != nil {
		return false
	}
	proof, err := ledger.Verify(s.Key(origin), rec.Receipt)
	return err == nil && bytes.Equal(proof.Leaf, rec.Leaf())
}

// withRecalls puts recalls before the members of a record's body. Of bytes that do not
// match their receipt it leaves nothing.
func withRecalls(body []byte, v view) ([]byte, error) {
	// Who has what, and what it was traced from, is between the offices and the holders.
	type notice struct {
		Status  string    `json:"status"` // "recalled", "closed"
		Number  string    `json:"number"`
		Opened  time.Time `json:"opened"`
		Closed  time.Time `json:"closed,omitzero"`
		Reason  farm.Text `json:"reason"`
		Hazard  farm.Text `json:"hazard"`
		Advice  farm.Text `json:"advice"`
		Contact string    `json:"contact,omitempty"`
		Sealed  bool      `json:"sealed"`
	}
	var all []notice
	for _, r := range v.recalls {
		o := r.opened.Opening
		all = append(all, notice{r.status(), r.opened.Number, r.opened.At, r.closed, o.Reason, o.Hazard, o.Advice, o.Contact, r.sealed})
	}
	raw, err := json.Marshal(struct {
		Recalls []notice `json:"recalls"`
	}{all})
	rest, ok := bytes.CutPrefix(bytes.TrimSpace(body), []byte("{"))
	if err != nil || !ok || v.state == broken {
		return raw, err
	}
	raw[len(raw)-1] = ','
	return append(raw, rest...), nil
}

// recallBanner is a recall as the page shows it.
type recallBanner struct {
	Number, Advice, Reason, Hazard string
	Contact                        *contact
	Since, Closed                  string
	Sealed                         bool
}

type contact struct{ Text, Tel string }

// telephone matches what can be dialled as it is.
func telephone() *regexp.Regexp { return regexp.MustCompile(`^\+?[0-9][0-9 -]{4,20}$`) }

func (b base) recall(r recalled) recallBanner {
	o := r.opened.Opening
	out := recallBanner{
		Number: r.opened.Number, Advice: o.Advice.In(b.Lang), Reason: o.Reason.In(b.Lang), Hazard: o.Hazard.In(b.Lang),
		Since: b.T("consumer.recall.open", "time", at(r.opened.At).Unbroken()), Sealed: r.sealed,
	}
	if o.Contact != "" {
		out.Contact = &contact{Text: o.Contact}
		if telephone().MatchString(o.Contact) {
			out.Contact.Tel = strings.ReplaceAll(o.Contact, " ", "")
		}
	}
	if !r.open() {
		out.Closed = b.T("consumer.recall.closed", "time", at(r.closed).Unbroken())
	}
	return out
}
