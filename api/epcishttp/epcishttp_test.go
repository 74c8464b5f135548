package epcishttp_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"tianhai/api/auth"
	"tianhai/api/epcishttp"
	"tianhai/farm"
	"tianhai/trace/epcis/repository"
	"tianhai/trace/epcis/standing"
)

// empty is a repository in which there is nothing, for what comes before it is asked.
type empty struct{}

func (empty) Principal(context.Context, string) (auth.Principal, error) {
	return auth.Principal{Login: "wang", Role: auth.Manager, Tenant: "oysters"}, nil
}

func (empty) FindEvents(context.Context, repository.Ask) ([]repository.Stored, error) {
	return nil, nil
}
func (empty) CountEvents(context.Context, repository.Ask, int) (int, error)    { return 0, nil }
func (empty) EventValues(context.Context, repository.Values) ([]string, error) { return nil, nil }
func (empty) LastEvent(context.Context) (int64, error)                         { return 0, nil }
func (empty) CompanyPrefixes(context.Context, repository.Scope) ([]string, error) {
	return nil, nil
}
func (empty) CaptureEvents(context.Context, repository.Batch) ([]int, error) { return nil, nil }
func (empty) AddCapture(context.Context, repository.Job) error               { return nil }
func (empty) SetCapture(context.Context, repository.Job) error               { return nil }
func (empty) AddNamedQuery(context.Context, standing.Query) error            { return nil }
func (empty) DeleteNamedQuery(context.Context, string, string) error         { return farm.ErrNotFound }
func (empty) AddSubscription(context.Context, standing.Subscription) error   { return nil }
func (empty) DeleteSubscription(context.Context, string, string, string) error {
	return farm.ErrNotFound
}
func (empty) Listen() (<-chan struct{}, func()) { return nil, func() {} }
func (empty) Wake()                             {}

func (empty) OpenCapture(context.Context, string) (repository.Job, error) {
	return repository.Job{}, farm.ErrNotFound
}

func (empty) CaptureJob(context.Context, repository.Scope, string) (repository.Job, error) {
	return repository.Job{}, farm.ErrNotFound
}

func (empty) CaptureJobs(context.Context, repository.Scope, string, int) ([]repository.Job, error) {
	return nil, nil
}

func (empty) NamedQuery(_ context.Context, tenant, name string) (standing.Query, error) {
	return standing.Query{Tenant: tenant, Name: name, Definition: json.RawMessage("{}")}, nil
}

func (empty) NamedQueries(context.Context, string, string, int) ([]standing.Query, error) {
	return nil, nil
}

func (empty) Subscription(context.Context, string, string, string) (standing.Subscription, error) {
	return standing.Subscription{}, farm.ErrNotFound
}

func (empty) Subscriptions(context.Context, string, string, string, int) ([]standing.Subscription, error) {
	return nil, nil
}

// Whatever is sent, the answer is what was asked for or an exception of the standard,
// and never that the server failed.
func FuzzRequest(f *testing.F) {
	f.Add("GET", "/events?EQ_bizStep=shipping&perPage=3&nextPageToken=eyJvIjoiIn0", "ex=https://ns.example.com/", "application/ld+json;q=0.5, */*", "2.0", "")
	f.Add("POST", "/queries", `{"ex": "https://ns.example.com/"}`, "application/json", "2.0.1", `{"name": "q", "query": {"EQ_ex:a": [5]}}`)
	f.Add("POST", "/queries/q/subscriptions", "", "", "", `{"dest": "https://x.example/", "schedule": {"hour": "[1-5]"}, "initialRecordTime": "2026-01-01T00:00:00Z"}`)
	f.Add("POST", "/capture", "", "", "", `{"@context": [], "type": "EPCISDocument", "schemaVersion": "2.0", "creationDate": "2026-01-01T00:00:00Z", "epcisBody": {"eventList": []}}`)
	f.Add("GET", "/epcs/https:%2F%2Fid.gs1.org%2F01%2F04012345111118/events?stream=true&second=5", "", "", "", "")
	r := repository.New(repository.Config{Shelf: empty{}, Jobs: empty{}})
	h := epcishttp.New(epcishttp.Config{Sessions: empty{}, Capture: r, Events: empty{}, Jobs: empty{}, Queries: empty{}, Subscriptions: empty{}, Bell: empty{}})
	f.Fuzz(func(t *testing.T, method, target, extensions, accept, version, body string) {
		req, err := http.NewRequestWithContext(t.Context(), method, "http://x"+epcishttp.Prefix+"/"+strings.TrimLeft(target, "/"), strings.NewReader(body))
		if err != nil {
			return
		}
		for name, value := range map[string]string{"Authorization": "Bearer x", "Content-Type": "application/json", "GS1-Extensions": extensions, "Accept": accept, "GS1-EPCIS-Version": version} {
			if value != "" {
				req.Header.Set(name, value)
			}
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, req)
		if w.Code == http.StatusInternalServerError {
			t.Errorf("%s %s: %s", method, target, w.Body)
		}
		if raw := w.Body.Bytes(); len(raw) > 0 && !json.Valid(raw) {
			t.Errorf("%s %s: no JSON: %s", method, target, raw)
		}
		if w.Code >= 400 && w.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s %s: %d without a problem", method, target, w.Code)
		}
	})
}
