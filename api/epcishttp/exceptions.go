package epcishttp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"

	"github.com/oklog/ulid/v2"

	"tianhai/farm"
	"tianhai/trace/epcis"
	"tianhai/trace/epcis/query"
	"tianhai/trace/epcis/repository"
	"tianhai/trace/epcis/standing"
)

// An exception is one of the standard's errors, EPCIS 2.0 section 12.5, as an answer.
type exception struct {
	name   string // without "Exception"
	status int
	title  string
	detail string // what is there and what would be right
	// Faults are of a document; the first is also the detail.
	faults []epcis.Fault
}

func (e *exception) Error() string { return e.name + ": " + e.detail }

// The fifteen exceptions. This is the one place where they get their status.
func exceptions() map[string]exception {
	all := map[string]exception{}
	for _, e := range []exception{
		{name: "Validation", status: http.StatusBadRequest, title: "The document or a header breaks the standard"},
		{name: "QueryParameter", status: http.StatusBadRequest, title: "A parameter of the query is not right"},
		{name: "QueryValidation", status: http.StatusBadRequest, title: "The definition of the query is not right"},
		{name: "SubscriptionControls", status: http.StatusBadRequest, title: "The controls of the subscription are not right"},
		{name: "Security", status: http.StatusForbidden, title: "Not allowed"},
		{name: "NoSuchName", status: http.StatusNotFound, title: "There is no query or subscription of this name"},
		{name: "NoSuchResource", status: http.StatusNotFound, title: "There is no such resource"},
		{name: "NotAcceptable", status: http.StatusNotAcceptable, title: "Nothing that is accepted can be answered"},
		{name: "ResourceAlreadyExists", status: http.StatusConflict, title: "It exists already"},
		{name: "QueryTooLarge", status: http.StatusRequestEntityTooLarge, title: "The query finds more events than it allows"},
		{name: "QueryTooComplex", status: http.StatusRequestEntityTooLarge, title: "The query asks for too much"},
		{name: "CaptureLimitExceeded", status: http.StatusRequestEntityTooLarge, title: "The document is larger than a capture may be"},
		{name: "URITooLong", status: http.StatusRequestURITooLong, title: "The URL is too long"},
		{name: "UnsupportedMediaType", status: http.StatusUnsupportedMediaType, title: "Only JSON and JSON-LD are read"},
		{name: "Implementation", status: http.StatusInternalServerError, title: "The server failed; what was accepted is kept"},
	} {
		all[e.name] = e
	}
	return all
}

// refuse returns an exception by its name.
func refuse(name, format string, args ...any) error {
	e, ok := exceptions()[name]
	if !ok {
		panic("no exception is called " + name)
	}
	e.detail = fmt.Sprintf(format, args...)
	return &e
}

var errUnauthenticated = errors.New("no session")

// exceptionOf turns any error into an exception.
func exceptionOf(err error) *exception {
	as := func(name, detail string) *exception {
		e := exceptions()[name]
		e.detail = detail
		return &e
	}
	if e, ok := errors.AsType[*exception](err); ok {
		return e
	}
	if bad, ok := errors.AsType[*repository.InvalidError](err); ok {
		e := as("Validation", bad.Faults[0].String())
		e.faults = bad.Faults
		return e
	}
	if bad, ok := errors.AsType[*query.Error](err); ok {
		return as(map[query.Kind]string{query.Parameter: "QueryParameter", query.Definition: "QueryValidation", query.TooComplex: "QueryTooComplex"}[bad.Kind], bad.Error())
	}
	if bad, ok := errors.AsType[*standing.ControlError](err); ok {
		return as("SubscriptionControls", bad.Error())
	}
	_, tooLong := errors.AsType[*http.MaxBytesError](err)
	switch {
	case errors.Is(err, errUnauthenticated):
		e := as("Security", "show a token: Authorization: Bearer TOKEN")
		e.status, e.title = http.StatusUnauthorized, "Who is asking is not known"
		return e
	case tooLong, errors.Is(err, repository.ErrLimit):
		return as("CaptureLimitExceeded", fmt.Sprintf("at most %d events and %d bytes are taken at once", repository.MaxEvents, repository.MaxDocument))
	case errors.Is(err, repository.ErrTaken), errors.Is(err, farm.ErrConflict):
		return as("ResourceAlreadyExists", "something of this name or ID is there")
	case errors.Is(err, farm.ErrNotFound):
		return as("NoSuchResource", "what the path names does not exist, or is not yours to see")
	case errors.Is(err, context.DeadlineExceeded):
		return as("QueryTooComplex", fmt.Sprintf("no answer within %v; ask for less, such as a shorter time", timeout))
	}
	return as("Implementation", "")
}

// A problem is the body of an exception, RFC 9457.
type problem struct {
	Type     string        `json:"type"`
	Title    string        `json:"title"`
	Status   int           `json:"status"`
	Detail   string        `json:"detail,omitempty"`
	Instance string        `json:"instance,omitempty"`
	Errors   []faultInBody `json:"errors,omitempty"` // of a document, all that were looked for
}

type faultInBody struct {
	Pointer string `json:"pointer"` // RFC 6901
	Detail  string `json:"detail"`
}

func typeOf(name string) string { return "epcisException:" + name + "Exception" }

func (e *exception) problem() problem {
	p := problem{Type: typeOf(e.name), Title: e.title, Status: e.status, Detail: e.detail}
	for _, f := range e.faults {
		p.Errors = append(p.Errors, faultInBody{f.Pointer, f.Message})
	}
	return p
}

// fail answers a request with an error.
func (s *server) fail(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(r.Context().Err(), context.Canceled) {
		return // nobody is there to read it
	}
	e := exceptionOf(err)
	p := e.problem()
	p.Instance = r.URL.EscapedPath()
	if e.status == http.StatusInternalServerError {
		id := ulid.Make().String()
		s.Logger.ErrorContext(r.Context(), "EPCIS request failed", slog.String("request", id), slog.String("method", r.Method), slog.Any("error", err))
		p.Detail = strings.TrimSpace(p.Detail + " request " + id)
	}
	if e.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="EPCIS"`)
	}
	if e.name == "CaptureLimitExceeded" {
		limits(w)
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(e.status)
	_ = json.NewEncoder(w).Encode(p) // to whoever is still there
}

// limits says how much may be captured at once.
func limits(w http.ResponseWriter) {
	w.Header().Set("GS1-EPCIS-Capture-Limit", strconv.Itoa(repository.MaxEvents))
	w.Header().Set("GS1-EPCIS-Capture-File-Size-Limit", strconv.Itoa(repository.MaxDocument))
}
