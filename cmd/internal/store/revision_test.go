package store_test

import (
	"context"
	"testing"

	"tianhai/cmd/internal/store"
)

// testRevision reads the revision between writes of every kind of outcome.
func testRevision(t *testing.T, s *store.Store) {
	last := ""
	moved := func(what string, want bool) {
		t.Helper()
		now, err := s.Revision(t.Context())
		check(t, err)
		if (now != last) != want {
			t.Errorf("%s: the revision is %q after %q", what, now, last)
		}
		last = now
	}
	moved("at first", true)
	moved("nothing was done", false)
	seed(t, s)
	moved("rows were added", true)
	_, err := s.Tenants(t.Context())
	check(t, err)
	moved("rows were read", false)
	op, rec := newOperation("o1", noon)
	check(t, s.AddOperation(t.Context(), op, rec))
	moved("a record was added", true)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Revision(gone); err == nil {
		t.Error("a revision for somebody who left")
	}
	last, err = s.Revision(t.Context())
	check(t, err)
	moved("nothing was done since an error", false)
}
