package store_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"tianhai/cmd/internal/store"
	"tianhai/trace/scan"
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
	saw := func() {
		t.Helper()
		check(t, s.AddSightings(t.Context(), []scan.Sighting{{Code: "CODE1", Day: scan.Day(noon), Count: 1, First: noon, Last: noon}}))
	}
	saw()
	moved("somebody looked at a code", false)
	stop := make(chan struct{})
	var looking sync.WaitGroup
	looking.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				saw()
			}
		}
	})
	for n := range 20 {
		op, rec := newOperation(fmt.Sprintf("beside-%d", n), noon)
		check(t, s.AddOperation(t.Context(), op, rec))
		moved("a record was added beside looks", true)
		moved("there were looks alone", false)
	}
	close(stop)
	looking.Wait()
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Revision(gone); err == nil {
		t.Error("a revision for somebody who left")
	}
	last, err = s.Revision(t.Context())
	check(t, err)
	moved("nothing was done since an error", false)
}
