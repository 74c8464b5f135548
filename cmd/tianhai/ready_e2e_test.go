package main_test

import (
	"encoding/json"
	"net/http"
	"time"
)

// A readiness is what /readyz says.
type readiness struct {
	Status int `json:"-"`
	Ready  bool
	Parts  map[string]struct {
		State, Detail, Means string
		Since                time.Time
	}
}

// is returns the state of a part.
func (r readiness) is(part string) string { return r.Parts[part].State }

func (s *server) ready() readiness {
	s.t.Helper()
	resp, err := http.Get(s.HTTP + "/readyz")
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	var r readiness
	if err := json.NewDecoder(resp.Body).Decode(&r); err != nil {
		s.t.Fatal(err)
	}
	r.Status = resp.StatusCode
	if r.Ready != (r.Status == http.StatusOK) {
		s.t.Errorf("readyz answers %d and says %+v", r.Status, r)
	}
	return r
}
