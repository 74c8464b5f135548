package epcishttp

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"time"

	"tianhai/api/auth"
	"tianhai/farm"
	"tianhai/trace/epcis/query"
	"tianhai/trace/epcis/repository"
)

// answer writes JSON in the media type that is accepted.
func (r *request) answer(w http.ResponseWriter, status int, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return r.write(w, status, raw)
}

func (r *request) write(w http.ResponseWriter, status int, raw []byte) error {
	w.Header().Set("Content-Type", r.media)
	w.WriteHeader(status)
	_, _ = w.Write(raw) // to whoever is still there
	return nil
}

// at returns the URL of a resource.
func (s *server) at(segments ...string) string {
	path := s.PublicURL + Prefix
	for _, segment := range segments {
		path += "/" + url.PathEscape(segment)
	}
	return path
}

func (s *server) getRoot(w http.ResponseWriter, r *request) error {
	return r.answer(w, http.StatusOK, []string{"events", "eventTypes", "epcs", "bizSteps", "bizLocations", "readPoints", "dispositions", "capture", "queries"})
}

// capture takes a document and answers as soon as it is kept.
func (s *server) capture(w http.ResponseWriter, r *request) error {
	tenant, raw, err := r.document()
	if err != nil {
		return err
	}
	j, err := s.Capture.Capture(r.ctx(), repository.Order{Tenant: tenant, Account: r.who.Login, Document: raw, Proceed: r.proceed})
	if err != nil {
		return err
	}
	w.Header().Set("Location", s.at("capture", j.ID))
	w.Header().Set("GS1-Capture-Error-Behaviour", behaviour(j))
	w.WriteHeader(http.StatusAccepted)
	return nil
}

// document reads what somebody wants captured, and for whom.
func (r *request) document() (tenant string, raw []byte, err error) {
	if tenant, err = r.owner(auth.Write); err != nil {
		return "", nil, err
	}
	if err = isJSON(r.Header); err != nil {
		return "", nil, err
	}
	raw, err = io.ReadAll(r.Body)
	return tenant, raw, err
}

func (s *server) addEvent(w http.ResponseWriter, r *request) error {
	tenant, raw, err := r.document()
	if err != nil {
		return err
	}
	id, err := s.Capture.Add(r.ctx(), tenant, raw)
	if errors.Is(err, repository.ErrTaken) {
		return refuse("ResourceAlreadyExists", "an event of this eventID was captured before")
	}
	if err != nil {
		return err
	}
	w.Header().Set("Location", s.at("events", id))
	w.WriteHeader(http.StatusCreated)
	return nil
}

// jobView is a capture job, section 12.7.
type jobView struct {
	ID        string     `json:"captureID"`
	Created   time.Time  `json:"createdAt"`
	Finished  *time.Time `json:"finishedAt,omitempty"`
	Running   bool       `json:"running"`
	Success   bool       `json:"success"`
	Behaviour string     `json:"captureErrorBehaviour"`
	Errors    []problem  `json:"errors"`
}

func behaviour(j repository.Job) string {
	if j.Proceed {
		return "proceed"
	}
	return "rollback"
}

func viewOf(j repository.Job) jobView {
	v := jobView{ID: j.ID, Created: j.Created, Running: j.Running(), Success: j.Success, Behaviour: behaviour(j), Errors: []problem{}}
	if !j.Running() {
		v.Finished = &j.Finished
	}
	for _, f := range j.Errors {
		e := exceptions()[f.Exception]
		e.detail = f.Pointer + ": " + f.Detail
		p := e.problem()
		p.Type, p.Instance = typeOf(f.Exception), "#"+f.Pointer
		v.Errors = append(v.Errors, p)
	}
	return v
}

func (s *server) getJob(w http.ResponseWriter, r *request) error {
	j, err := s.Jobs.CaptureJob(r.ctx(), r.scope, r.values["captureID"])
	if err != nil {
		return err
	}
	w.Header().Set("GS1-Capture-Error-Behaviour", behaviour(j))
	return r.answer(w, http.StatusOK, viewOf(j))
}

func (s *server) jobExists(_ http.ResponseWriter, r *request) error {
	_, err := s.Jobs.CaptureJob(r.ctx(), r.scope, r.values["captureID"])
	return err
}

func (s *server) listJobs(w http.ResponseWriter, r *request) error {
	p, err := s.page(r, "")
	if err != nil {
		return err
	}
	jobs, err := s.Jobs.CaptureJobs(r.ctx(), r.scope, p.Value, p.per+1)
	if err != nil {
		return err
	}
	if len(jobs) > p.per {
		jobs = jobs[:p.per]
		p.Value = jobs[p.per-1].ID
		s.more(w, r, p)
	}
	views := make([]jobView, len(jobs))
	for i, j := range jobs {
		views[i] = viewOf(j)
	}
	return r.answer(w, http.StatusOK, views)
}

// getEvent answers with the event and what declares it to be in error.
func (s *server) getEvent(w http.ResponseWriter, r *request) error {
	events, err := s.eventsOf(r)
	if err != nil {
		return err
	}
	return s.writeEvents(w, r, repository.SimpleEventQuery, events)
}

func (s *server) eventExists(_ http.ResponseWriter, r *request) error {
	_, err := s.eventsOf(r)
	return err
}

func (s *server) eventsOf(r *request) ([]repository.Stored, error) {
	id := r.values["eventID"]
	q := query.Query{Conditions: []query.Condition{query.EventID(id)}, Order: query.Order{By: query.ByRecordTime, Ascending: true}}
	events, err := s.Events.FindEvents(r.ctx(), repository.Ask{Scope: r.scope, Query: q, Limit: MaxPage})
	if err == nil && len(events) == 0 {
		err = farm.ErrNotFound
	}
	return events, err
}
