package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tianhai/cmd/internal/store"
	"tianhai/trace/epcis/query"
	"tianhai/trace/epcis/repository"
)

// torn is a shelf that fails when a number of batches has been written, as a database
// does in a crash.
type torn struct {
	repository.Shelf
	left int
	stop func()
}

func (s *torn) CaptureEvents(ctx context.Context, b repository.Batch) ([]int, error) {
	if s.left == 0 {
		s.stop()
		return nil, errors.New("the process is killed")
	}
	s.left--
	return s.Shelf.CaptureEvents(ctx, b)
}

// run works at the jobs until none is open.
func run(t *testing.T, s *store.Store, r *repository.Repository) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for open := true; open; <-tick.C {
		_, err := s.OpenCapture(t.Context(), "")
		open = err == nil
	}
	cancel()
	check(t, <-ended)
}

func testEPCISJobs(t *testing.T, s *store.Store) {
	seed(t, s)
	ctx := t.Context()
	r := repository.New(repository.Config{Shelf: s, Jobs: s})
	order := func(raw string, proceed bool) repository.Job {
		t.Helper()
		j, err := r.Capture(ctx, repository.Order{Tenant: "tea", Account: "wang", Document: []byte(raw), Proceed: proceed})
		if err != nil {
			t.Fatal(err)
		}
		if !j.Running() || !j.Success {
			t.Errorf("at once: %+v", j)
		}
		return j
	}
	outcome := func(j repository.Job) string {
		t.Helper()
		run(t, s, r)
		got, err := s.CaptureJob(ctx, repository.Scope{}, j.ID)
		check(t, err)
		words := fmt.Sprintf("running %v, success %v, done %d of %d", got.Running(), got.Success, got.Done, got.Total)
		for _, f := range got.Errors {
			words += "; " + f.Exception + " " + f.Pointer
		}
		return words
	}
	events := func() string { return strings.Join(found(t, s, repository.Scope{}, query.Query{}), " ") }
	for _, step := range []struct {
		name, raw    string
		proceed      bool
		want, events string
	}{
		{"all good", epcisDocument(epcisEvent("a", 1, ""), epcisEvent("b", 2, "")), false, "running false, success true, done 2 of 2", "b a"},
		{"one is taken, so none", epcisDocument(epcisEvent("c", 3, ""), epcisEvent("b", 2, "")), false, "running false, success false, done 2 of 2; ResourceAlreadyExists /epcisBody/eventList/1/eventID", "b a"},
		{"twice in one document, so none", epcisDocument(epcisEvent("c", 3, ""), epcisEvent("c", 2, "")), false, "running false, success false, done 2 of 2; ResourceAlreadyExists /epcisBody/eventList/1/eventID", "b a"},
		{
			"those that can be", epcisDocument(epcisEvent("b", 2, ""), epcisEvent("c", 3, ""), epcisEvent("d", 4, `, "bizStep": "nonsense"`), epcisEvent("c", 5, "")), true,
			"running false, success false, done 4 of 4; Validation /epcisBody/eventList/2/bizStep; ResourceAlreadyExists /epcisBody/eventList/3/eventID; ResourceAlreadyExists /epcisBody/eventList/0/eventID", "c b a",
		},
		{"a declaration of the same ID", epcisDocument(epcisEvent("a", 6, `, "errorDeclaration": {"declarationTime": "2026-05-21T00:00:00Z"}`)), false, "running false, success true, done 1 of 1", "a c b a"},
		{"no event", epcisDocument(), false, "running false, success true, done 0 of 0", "a c b a"},
		{"no event, proceeding", epcisDocument(), true, "running false, success true, done 0 of 0", "a c b a"},
	} {
		if got := outcome(order(step.raw, step.proceed)); got != step.want {
			t.Errorf("%s: %s\nwant %s", step.name, got, step.want)
		}
		if got := events(); got != step.events {
			t.Errorf("%s: events %s, want %s", step.name, got, step.events)
		}
	}
	refused := func(name, raw string, proceed bool, want string) {
		t.Helper()
		_, err := r.Capture(ctx, repository.Order{Tenant: "tea", Document: []byte(raw), Proceed: proceed})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
	}
	refused("a wrong event", epcisDocument(epcisEvent("x", 1, ""), epcisEvent("y", 1, `, "bizStep": "x"`)), false, "/epcisBody/eventList/1/bizStep")
	refused("a wrong document", strings.Replace(epcisDocument(), `"schemaVersion": "2.0",`, "", 1), true, "/schemaVersion")
	refused("a single event", epcisEvent("x", 1, ""), true, "/type")
	refused("no JSON", "{", true, "byte 1")
	refused("a long ID", epcisDocument(epcisEvent(strings.Repeat("i", repository.MaxEventID), 1, "")), false, "/eventID")
	refused("too many", epcisDocument(slices.Repeat([]string{epcisEvent("x", 1, "")}, repository.MaxEvents+1)...), true, "larger")
	refused("too large", strings.Repeat(" ", repository.MaxDocument+1), true, "larger")
	if _, err := r.Add(ctx, "tea", []byte(strings.Replace(epcisEvent("a", 1, ""), "{", `{"@context": "https://ref.gs1.org/standards/epcis/epcis-context.jsonld", `, 1))); !errors.Is(err, repository.ErrTaken) {
		t.Errorf("one event again: %v", err)
	}
	if got := events(); got != "a c b a" {
		t.Errorf("events of what was refused: %s", got)
	}

	// A crash after the first hundred: the next start goes on behind them.
	var many []string
	for i := range 250 {
		many = append(many, epcisEvent(fmt.Sprintf("n%03d", i), 1, ""))
	}
	killed, kill := context.WithCancel(ctx)
	before := r
	r = repository.New(repository.Config{Shelf: &torn{Shelf: s, left: 1, stop: kill}, Jobs: s})
	j := order(epcisDocument(many...), true)
	check(t, r.Run(killed))
	half, err := s.CaptureJob(ctx, repository.Scope{}, j.ID)
	if err != nil || half.Done != 100 || !half.Running() {
		t.Errorf("after the crash: %+v, %v", half, err)
	}
	r = before
	if got := outcome(j); got != "running false, success true, done 250 of 250" {
		t.Errorf("after the next start: %s", got)
	}
	if n, err := s.CountEvents(ctx, repository.Ask{}, 1000); err != nil || n != 254 {
		t.Errorf("%d events, %v", n, err)
	}

	// Two processes at the same jobs: each event once, and no job says otherwise.
	other := repository.New(repository.Config{Shelf: s, Jobs: s})
	var jobs []repository.Job
	for n := range 6 {
		var some []string
		for i := range 220 {
			some = append(some, epcisEvent(fmt.Sprintf("p%d-%03d", n, i), 1, ""))
		}
		jobs = append(jobs, order(epcisDocument(some...), n%2 == 0))
	}
	both, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- other.Run(both) }()
	run(t, s, r)
	stop()
	check(t, <-ended)
	for _, j := range jobs {
		if got := outcome(j); got != "running false, success true, done 220 of 220" {
			t.Errorf("by two processes: %s", got)
		}
	}
	if n, err := s.CountEvents(ctx, repository.Ask{}, 10000); err != nil || n != 254+6*220 {
		t.Errorf("%d events, %v", n, err)
	}
}
