package epcishttp

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"tianhai/api/auth"
	"tianhai/farm"
	"tianhai/trace/epcis"
	"tianhai/trace/epcis/query"
	"tianhai/trace/epcis/repository"
	"tianhai/trace/epcis/standing"
)

// strictly reads a JSON body with no members but those of a struct.
func strictly(r *request, into any) error {
	if err := isJSON(r.Header); err != nil {
		return err
	}
	raw, err := io.ReadAll(r.Body)
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return refuse("QueryTooComplex", "the body has more than %d bytes", maxQuery)
	}
	if err != nil {
		return err
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return refuse("Validation", "byte %d: %v", dec.InputOffset(), err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return refuse("Validation", "byte %d: there is more after the object", dec.InputOffset())
	}
	return nil
}

// queryView is a named query.
type queryView struct {
	Name    string          `json:"name"`
	Query   json.RawMessage `json:"query"`
	Created time.Time       `json:"createdAt,omitzero"`
}

func (s *server) listQueries(w http.ResponseWriter, r *request) error {
	p, err := s.page(r, "")
	if err != nil {
		return err
	}
	queries, err := s.Queries.NamedQueries(r.ctx(), r.who.Tenant, p.Value, p.per+1)
	if err != nil {
		return err
	}
	if len(queries) > p.per {
		queries = queries[:p.per]
		p.Value = queries[p.per-1].Name
		s.more(w, r, p)
	}
	views := make([]queryView, len(queries))
	for i, q := range queries {
		views[i] = queryView{q.Name, q.Definition, q.Created}
	}
	return r.answer(w, http.StatusOK, views)
}

func (s *server) addQuery(w http.ResponseWriter, r *request) error {
	tenant, err := r.owner(auth.Write)
	if err != nil {
		return err
	}
	var in queryView
	if err := strictly(r, &in); err != nil {
		return err
	}
	q := standing.Query{Tenant: tenant, Name: in.Name, Definition: in.Query, Account: r.who.Login, Created: s.Now().UTC().Truncate(time.Microsecond)}
	if err := q.Check(); err != nil {
		return err
	}
	switch err := s.Queries.AddNamedQuery(r.ctx(), q); {
	case errors.Is(err, farm.ErrConflict):
		return refuse("ResourceAlreadyExists", "a query %s exists; delete it first", q.Name)
	case errors.Is(err, standing.ErrFull):
		return refuse("QueryTooComplex", "the operator has %d queries, which is the most", standing.MaxQueries)
	case err != nil:
		return err
	}
	w.Header().Set("Location", s.at("queries", q.Name))
	w.WriteHeader(http.StatusCreated)
	return nil
}

// named returns the query of the path; NoSuchName where there is none.
func (s *server) named(r *request) (standing.Query, error) {
	name := r.values["queryName"]
	if name == repository.SimpleEventQuery {
		return standing.Query{Tenant: r.who.Tenant, Name: name, Definition: json.RawMessage("{}")}, nil
	}
	q, err := s.Queries.NamedQuery(r.ctx(), r.who.Tenant, name)
	if errors.Is(err, farm.ErrNotFound) {
		err = refuse("NoSuchName", "there is no query %.64q", name)
	}
	return q, err
}

func (s *server) queryExists(_ http.ResponseWriter, r *request) error {
	_, err := s.named(r)
	return err
}

func (s *server) getQuery(w http.ResponseWriter, r *request) error {
	q, err := s.named(r)
	if err != nil {
		return err
	}
	return r.answer(w, http.StatusOK, queryView{q.Name, q.Definition, q.Created})
}

func (s *server) deleteQuery(w http.ResponseWriter, r *request) error {
	tenant, err := r.owner(auth.Write)
	if err != nil {
		return err
	}
	if err := s.queryExists(w, r); err != nil {
		return err
	}
	if err := s.Queries.DeleteNamedQuery(r.ctx(), tenant, r.values["queryName"]); err != nil {
		return err
	}
	s.Bell.Wake() // whoever listens to it is told that it has ended
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// queryEvents answers a query by its name, or tells who asks for a WebSocket. What the
// URL asks besides must be met too.
func (s *server) queryEvents(w http.ResponseWriter, r *request) error {
	named, err := s.named(r)
	if err != nil {
		return err
	}
	q, err := query.ParseJSON(named.Definition)
	if err != nil {
		return err
	}
	params, controls, controlled, err := r.controls()
	if err != nil {
		return err
	}
	if upgrades(r.Header) {
		if err := controls.Check(); err != nil {
			return err
		}
		return s.socket(w, r, named, q, controls)
	}
	if controlled {
		return refuse("SubscriptionControls", "stream and schedules go with a WebSocket, or with subscriptions")
	}
	more, err := query.Parse(params, r.names)
	if err != nil {
		return err
	}
	return s.answerQuery(w, r, q.And(more), named.Name)
}

// controls parts what says when to tell from the rest of the URL; headers say the same.
func (r *request) controls() (rest url.Values, c standing.Controls, any bool, err error) {
	rest = r.URL.Query()
	values := map[string]string{}
	for _, name := range []string{"second", "minute", "hour", "dayOfMonth", "month", "dayOfWeek", "stream", "reportIfEmpty", "initialRecordTime"} {
		v := r.Header.Get("GS1-Query-" + name)
		if rest.Has(name) {
			v = rest.Get(name)
			rest.Del(name)
		}
		any = any || v != ""
		values[name] = v
	}
	c.Schedule = standing.Schedule{
		Second: values["second"], Minute: values["minute"], Hour: values["hour"],
		DayOfMonth: values["dayOfMonth"], Month: values["month"], DayOfWeek: values["dayOfWeek"],
	}
	for name, into := range map[string]*bool{"stream": &c.Stream, "reportIfEmpty": &c.ReportIfEmpty} {
		switch values[name] {
		case "true":
			*into = true
		case "", "false":
		default:
			return rest, c, any, refuse("SubscriptionControls", "%s: %.40q is not true or false", name, values[name])
		}
	}
	if v := values["initialRecordTime"]; v != "" {
		if c.InitialRecordTime, err = time.Parse(time.RFC3339Nano, strings.Replace(v, " ", "+", 1)); err != nil {
			return rest, c, any, refuse("SubscriptionControls", "initialRecordTime: %.40q is not a date and time with a zone", v)
		}
	}
	return rest, c, any, nil
}

// subscriptionView is a subscription, without its token.
type subscriptionView struct {
	ID                string             `json:"subscriptionID"`
	Query             string             `json:"queryName"`
	Dest              string             `json:"dest"`
	Created           time.Time          `json:"createdAt"`
	InitialRecordTime time.Time          `json:"initialRecordTime,omitzero"`
	Stream            bool               `json:"stream,omitempty"`
	Schedule          *standing.Schedule `json:"schedule,omitempty"`
	ReportIfEmpty     bool               `json:"reportIfEmpty,omitempty"`
	Signed            bool               `json:"signed"`
	Format            epcis.Format       `json:"epcFormat"`
	Program           string             `json:"program,omitempty"` // with which it ends
	// Of a receiver that does not answer with 2xx.
	Failed int       `json:"failedAttempts,omitempty"`
	Reason string    `json:"lastFailure,omitempty"`
	Next   time.Time `json:"nextAttempt,omitzero"`
}

func subscriptionOf(sub standing.Subscription) subscriptionView {
	v := subscriptionView{
		ID: sub.ID, Query: sub.Query, Dest: sub.Dest, Created: sub.Created, InitialRecordTime: sub.InitialRecordTime,
		Stream: sub.Stream, ReportIfEmpty: sub.ReportIfEmpty, Signed: sub.Token != "", Format: sub.Format, Program: sub.Program, Failed: sub.Attempts, Reason: sub.Reason,
	}
	if !sub.Stream {
		v.Schedule = &sub.Schedule
	}
	if !sub.Stream || sub.Attempts > 0 {
		v.Next = sub.Next
	}
	return v
}

func (s *server) listSubscriptions(w http.ResponseWriter, r *request) error {
	named, err := s.named(r)
	if err != nil {
		return err
	}
	p, err := s.page(r, "")
	if err != nil {
		return err
	}
	subs, err := s.Subscriptions.Subscriptions(r.ctx(), named.Tenant, named.Name, p.Value, p.per+1)
	if err != nil {
		return err
	}
	if len(subs) > p.per {
		subs = subs[:p.per]
		p.Value = subs[p.per-1].ID
		s.more(w, r, p)
	}
	views := make([]subscriptionView, len(subs))
	for i, sub := range subs {
		views[i] = subscriptionOf(sub)
	}
	return r.answer(w, http.StatusOK, views)
}

// subscribeRequest is the body. Secret is what drafts of the standard called the token.
type subscribeRequest struct {
	Dest              string            `json:"dest"`
	Token             string            `json:"signatureToken"`
	Secret            string            `json:"secret"`
	Stream            bool              `json:"stream"`
	Schedule          standing.Schedule `json:"schedule"`
	ReportIfEmpty     bool              `json:"reportIfEmpty"`
	InitialRecordTime time.Time         `json:"initialRecordTime"`
}

// subscribe needs a manager: from then on events leave the house by themselves.
func (s *server) subscribe(w http.ResponseWriter, r *request) error {
	tenant, err := r.owner(auth.Administer)
	if err != nil {
		return err
	}
	named, err := s.named(r)
	if err != nil {
		return err
	}
	if named.Created.IsZero() {
		return refuse("SubscriptionControls", "%s cannot be subscribed to; give your query a name under queries", named.Name)
	}
	var in subscribeRequest
	if err := strictly(r, &in); err != nil {
		return err
	}
	now := s.Now().UTC().Truncate(time.Microsecond)
	sub := standing.Subscription{
		ID: ulid.Make().String(), Tenant: tenant, Query: named.Name, Account: r.who.Login, Program: r.who.Program, Created: now, Format: r.format, Dest: in.Dest, Token: in.Token,
		Controls: standing.Controls{Stream: in.Stream, Schedule: in.Schedule, ReportIfEmpty: in.ReportIfEmpty, InitialRecordTime: in.InitialRecordTime.UTC()},
	}
	if sub.Token == "" {
		sub.Token = in.Secret
	}
	if err := sub.Check(); err != nil {
		return err
	}
	if sub.Next = now; !sub.Stream {
		sub.Next = sub.Schedule.Next(now)
	}
	if sub.InitialRecordTime.IsZero() {
		if sub.Seq, err = s.Events.LastEvent(r.ctx()); err != nil {
			return err
		}
	}
	switch err := s.Subscriptions.AddSubscription(r.ctx(), sub); {
	case errors.Is(err, standing.ErrFull):
		return refuse("SubscriptionControls", "the operator has %d subscriptions, which is the most", standing.MaxSubscriptions)
	case err != nil:
		return err
	}
	s.Bell.Wake()
	w.Header().Set("Location", s.at("queries", named.Name, "subscriptions", sub.ID))
	return r.answer(w, http.StatusCreated, subscriptionOf(sub))
}

// subscription returns that of the path; NoSuchName where there is none.
func (s *server) subscription(r *request) (standing.Subscription, error) {
	named, err := s.named(r)
	if err != nil {
		return standing.Subscription{}, err
	}
	sub, err := s.Subscriptions.Subscription(r.ctx(), named.Tenant, named.Name, r.values["subscriptionID"])
	if errors.Is(err, farm.ErrNotFound) {
		err = refuse("NoSuchName", "the query %s has no such subscription", named.Name)
	}
	return sub, err
}

func (s *server) subscriptionExists(w http.ResponseWriter, r *request) error {
	sub, err := s.subscription(r)
	if err == nil {
		w.Header().Set("GS1-Query-Min-Record-Time", stamp(sub.InitialRecordTime, sub.Created))
	}
	return err
}

// stamp writes the time that somebody asked for, or what counts otherwise.
func stamp(asked, otherwise time.Time) string {
	if asked.IsZero() {
		asked = otherwise
	}
	return asked.UTC().Format(time.RFC3339Nano)
}

func (s *server) getSubscription(w http.ResponseWriter, r *request) error {
	sub, err := s.subscription(r)
	if err != nil {
		return err
	}
	w.Header().Set("GS1-Query-Min-Record-Time", stamp(sub.InitialRecordTime, sub.Created))
	return r.answer(w, http.StatusOK, subscriptionOf(sub))
}

func (s *server) unsubscribe(w http.ResponseWriter, r *request) error {
	if _, err := r.owner(auth.Administer); err != nil {
		return err
	}
	sub, err := s.subscription(r)
	if err != nil {
		return err
	}
	if err := s.Subscriptions.DeleteSubscription(r.ctx(), sub.Tenant, sub.Query, sub.ID); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
