package store_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"tianhai/api/once"
	"tianhai/cmd/internal/store"
	"tianhai/ingest"
	"tianhai/ingest/device"
	"tianhai/ingest/history"
	"tianhai/monitor/alert"
	"tianhai/trace"
)

func testOnce(t *testing.T, s *store.Store) {
	ctx := t.Context()
	now := noon
	desk := &once.Desk{Store: s, Now: func() time.Time { return now }}
	ask := func(account, key, what string) (*once.Claim, *once.Answer, error) {
		var print [32]byte
		copy(print[:], what)
		return desk.Begin(ctx, once.Request{Account: account, Key: key, Print: print})
	}
	const key = "0123456789abcdef"
	claim, kept, err := ask("li", key, "this")
	check(t, err)
	if claim == nil || kept != nil {
		t.Fatal("the first has no claim")
	}
	_, _, err = ask("li", key, "this")
	wantErr(t, "while it is in progress", err, once.ErrBusy)
	_, _, err = ask("li", key, "that")
	wantErr(t, "another under its key", err, once.ErrOther)
	check(t, claim.Keep(ctx, once.Answer{Status: 201, Header: map[string][]string{"Content-Type": {"application/json"}}, Body: []byte(`{"secret":"s3cr3t"}`)}))
	_, kept, err = ask("li", key, "this")
	check(t, err)
	if kept == nil || kept.Status != 201 || string(kept.Body) != `{"secret":"s3cr3t"}` {
		t.Fatalf("kept: %+v", kept)
	}
	other, kept, err := ask("wei", key, "this")
	check(t, err)
	if other == nil || kept != nil {
		t.Fatal("another's key is one's own")
	}
	check(t, other.Drop(ctx))
	if other, _, err = ask("wei", key, "this else"); err != nil || other == nil {
		t.Fatalf("after it was dropped: %v", err)
	}
	now = now.Add(once.Lease + time.Second) // a crash ended wei's
	_, _, err = ask("wei", key, "this")
	wantErr(t, "another under a key whose request a crash ended", err, once.ErrOther)
	if other, _, err = ask("wei", key, "this else"); err != nil || other == nil {
		t.Fatalf("after a crash: %v", err)
	}
	now = noon.Add(once.Kept + time.Second)
	if claim, _, err = ask("li", key, "that"); err != nil || claim == nil {
		t.Fatalf("the day after: %v", err)
	}
	for _, bad := range []string{"", "short", "0123456789abcde\n", string(make([]byte, 200))} {
		_, _, err = ask("li", bad, "this")
		wantErr(t, fmt.Sprintf("key %q", bad), err, once.ErrKey)
	}
}

// Of many at the same time one is carried out, and one has what only one may have.
func testOnceRace(t *testing.T, s *store.Store) {
	desk := &once.Desk{Store: s, Now: func() time.Time { return noon }}
	for what, try := range map[string]func() error{
		"a request": func() error {
			_, _, err := desk.Begin(t.Context(), once.Request{Account: "li", Key: "0123456789abcdef"})
			return err
		},
		"a hold": func() error {
			_, err := desk.Hold(t.Context(), "/inputs/x")
			return err
		},
	} {
		var mu sync.Mutex
		var wg sync.WaitGroup
		won := 0
		for range 8 {
			wg.Go(func() {
				err := try()
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					won++
				} else if !errors.Is(err, once.ErrBusy) {
					t.Errorf("%s: %v", what, err)
				}
			})
		}
		wg.Wait()
		if won != 1 {
			t.Errorf("%s: %d had it", what, won)
		}
	}
}

// Whoever walks a list in pages of one meets everything once, also where many are of
// one moment, and though newer ones come meanwhile.
func testPages(t *testing.T, s *store.Store) {
	ctx := t.Context()
	seed(t, s)
	add := func(i int, at time.Time) {
		b := newBatch(fmt.Sprintf("01JZ000000000000000000B%03d", i))
		b.Opened = at
		check(t, s.AddBatch(ctx, b))
		check(t, s.SaveAlert(ctx, alert.Alert{
			ID: fmt.Sprintf("01JZ000000000000000000A%03d", i), Rule: "r", Tenant: "tea", Region: "450421", Site: "garden-1", Device: "leaf-1", State: alert.Firing, Began: at,
		}, nil))
		c := device.CommandRecord{Command: ingest.Command{ID: fmt.Sprintf("01JZ000000000000000000C%03d", i), Device: "leaf-1", Name: "n", Expires: at}, Tenant: "tea", State: device.Queued, Created: at}
		check(t, s.CreateCommand(ctx, c))
		check(t, s.CreateJob(ctx, history.Job{ID: fmt.Sprintf("01JZ000000000000000000J%03d", i), Kind: history.KindReplay, Account: "a", State: history.Done, Replay: &history.Replay{}, Created: at, Ended: at}))
	}
	for i := range 10 {
		add(i, noon.Add(time.Duration(i/3)*time.Second))
	}
	newest := 10
	for name, page := range map[string]func(after store.Place) ([]store.Place, error){
		"batches": func(after store.Place) ([]store.Place, error) {
			all, err := s.Batches(ctx, store.BatchFilter{After: after, Limit: 1})
			return places(all, func(b trace.Batch) store.Place { return store.Place{At: b.Opened, ID: b.ID} }), err
		},
		"alerts": func(after store.Place) ([]store.Place, error) {
			all, err := s.Alerts(ctx, store.AlertFilter{After: after, Limit: 1})
			return places(all, func(a alert.Alert) store.Place { return store.Place{At: a.Began, ID: a.ID} }), err
		},
		"commands": func(after store.Place) ([]store.Place, error) {
			all, err := s.Commands(ctx, "leaf-1", after.At, after.ID, 1)
			return places(all, func(c device.CommandRecord) store.Place { return store.Place{At: c.Created, ID: c.ID} }), err
		},
		"jobs": func(after store.Place) ([]store.Place, error) {
			all, err := s.Jobs(ctx, store.JobFilter{After: after, Limit: 1})
			return places(all, func(j history.Job) store.Place { return store.Place{At: j.Created, ID: j.ID} }), err
		},
	} {
		there, seen := newest, map[string]bool{}
		var after store.Place
		for {
			got, err := page(after)
			check(t, err)
			if len(got) == 0 {
				break
			}
			if seen[got[0].ID] || after.ID != "" && got[0].At.After(after.At) {
				t.Fatalf("%s: %v after %v", name, got[0], after)
			}
			after = got[0]
			seen[after.ID] = true
			if len(seen) == 4 {
				add(newest, noon.Add(time.Hour))
				newest++
			}
		}
		if len(seen) != there {
			t.Errorf("%s: met %d of %d", name, len(seen), there)
		}
	}
}

func places[T any](all []T, of func(T) store.Place) []store.Place {
	out := make([]store.Place, len(all))
	for i, v := range all {
		out[i] = of(v)
	}
	return out
}
