package store_test

import (
	"testing"
	"time"

	"tianhai/cmd/internal/store"
	"tianhai/farm"
	"tianhai/ingest"
	"tianhai/ingest/device"
)

// Of every device the oldest command waits, until it is answered or expires.
func testCommandQueue(t *testing.T, s *store.Store) {
	ctx := t.Context()
	seed(t, s)
	add := func(dev, tenant, id string, created, good time.Duration) {
		t.Helper()
		at := noon.Add(created)
		check(t, s.CreateCommand(ctx, device.CommandRecord{
			Command: ingest.Command{ID: id, Device: dev, Name: "wipe", Value: "on", Expires: at.Add(good)},
			Tenant:  tenant, Account: "li", State: device.Queued, Created: at,
		}))
	}
	add("buoy-1", "oysters", "c3", time.Second, time.Hour)
	add("buoy-1", "oysters", "c2", 0, time.Hour)
	add("buoy-1", "oysters", "c1", 0, time.Minute)
	add("leaf-1", "tea", "d1", time.Second, time.Hour)
	is := func(what string, at time.Duration, want ...string) {
		t.Helper()
		open, err := s.OpenCommands(ctx, noon.Add(at))
		check(t, err)
		var got []string
		for _, c := range open {
			got = append(got, c.Device+" "+c.ID)
		}
		equal(t, what, want)(got, nil)
	}
	is("the first of each", 0, "buoy-1 c1", "leaf-1 d1")
	check(t, s.CommandSent(ctx, "c1", noon.Add(2*time.Second)))
	check(t, s.CommandSent(ctx, "c1", noon.Add(3*time.Second)))
	open, err := s.OpenCommands(ctx, noon)
	check(t, err)
	if c := open[0]; c.Tries != 2 || !c.Sent.Equal(noon.Add(3*time.Second)) || c.Name != "wipe" || !c.Expires.Equal(noon.Add(time.Minute)) {
		t.Errorf("sent twice: %+v", c)
	}
	is("one that has expired holds up nothing", time.Minute, "buoy-1 c2", "leaf-1 d1")
	check(t, s.SettleCommand(ctx, "buoy-1", ingest.CommandResult{ID: "c1", OK: true}, noon))
	check(t, s.CommandSent(ctx, "c1", noon.Add(time.Hour))) // told late
	is("the next", 0, "buoy-1 c2", "leaf-1 d1")
	// Answered before it was recorded as sent.
	check(t, s.SettleCommand(ctx, "leaf-1", ingest.CommandResult{ID: "d1", OK: true}, noon))
	is("one is left", 0, "buoy-1 c2")
	equal(t, "given up", 2)(s.ExpireCommands(ctx, noon.Add(2*time.Hour)))
	is("nothing", 0)
	states := []device.CommandState{}
	list, err := s.Commands(ctx, "buoy-1", time.Time{}, "", 0)
	check(t, err)
	for _, c := range list {
		states = append(states, c.State)
	}
	equal(t, "states", []device.CommandState{device.Expired, device.Expired, device.Done})(states, nil)
}

// A command that nobody was told can be taken back, and no other.
func testCancelCommand(t *testing.T, s *store.Store) {
	ctx := t.Context()
	seed(t, s)
	for _, id := range []string{"c1", "c2"} {
		check(t, s.CreateCommand(ctx, device.CommandRecord{
			Command: ingest.Command{ID: id, Device: "buoy-1", Name: "wipe", Value: "on", Expires: noon.Add(time.Hour)},
			Tenant:  "oysters", Account: "li", State: device.Queued, Created: noon,
		}))
	}
	check(t, s.CommandSent(ctx, "c2", noon))
	check(t, s.CancelCommand(ctx, "buoy-1", "c1", "wang", noon.Add(time.Second)))
	wantErr(t, "cancelled already", s.CancelCommand(ctx, "buoy-1", "c1", "wang", noon), farm.ErrConflict)
	wantErr(t, "sent already", s.CancelCommand(ctx, "buoy-1", "c2", "wang", noon), farm.ErrConflict)
	wantErr(t, "another device's", s.CancelCommand(ctx, "leaf-1", "c2", "wang", noon), farm.ErrNotFound)
	list, err := s.Commands(ctx, "buoy-1", time.Time{}, "", 0)
	check(t, err)
	for _, c := range list {
		if c.ID == "c1" && (c.State != device.Cancelled || c.CancelledBy != "wang" || !c.Settled.Equal(noon.Add(time.Second)) || c.Tries != 0) || c.ID == "c2" && (c.State != device.Sent || c.Tries != 1 || !c.Sent.Equal(noon)) {
			t.Errorf("%+v", c)
		}
	}
	open, err := s.OpenCommands(ctx, noon)
	check(t, err)
	if len(open) != 1 || open[0].ID != "c2" {
		t.Errorf("open: %+v", open)
	}
}
