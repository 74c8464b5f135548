package store_test

import (
	"testing"
	"time"

	"tianhai/cmd/internal/store"
	"tianhai/farm"
	"tianhai/ingest/device"
)

func testLifeCycle(t *testing.T, s *store.Store) {
	ctx := t.Context()
	seed(t, s)
	event := func(after int, kind device.EventKind) device.Event {
		return device.Event{Device: "buoy-1", At: noon.Add(time.Duration(after) * time.Minute), Kind: kind, Account: "li", Reason: "换电池"}
	}
	check(t, s.SetOnline(ctx, "buoy-1", true, noon))
	check(t, s.ChangeState(ctx, event(1, "suspended")))
	check(t, s.ChangeState(ctx, event(2, "suspended"))) // nothing new
	check(t, s.ChangeState(ctx, event(3, "active")))
	wantErr(t, "claimed again", s.ChangeState(ctx, event(4, "claimed")), farm.ErrConflict)
	check(t, s.ChangeState(ctx, event(5, "retired")))
	wantErr(t, "back from retirement", s.ChangeState(ctx, event(6, "active")), farm.ErrConflict)
	wantErr(t, "secret of a retired device", s.SetSecret(ctx, event(6, "rotated"), []byte{9}, time.Time{}), farm.ErrConflict)
	unknown := event(7, "suspended")
	unknown.Device = "nobody"
	wantErr(t, "unknown device", s.ChangeState(ctx, unknown), farm.ErrNotFound)

	d, err := s.Device(ctx, "buoy-1")
	check(t, err)
	if d.State != device.Retired || !d.StateAt.Equal(noon.Add(5*time.Minute)) {
		t.Errorf("state %s since %s", d.State, d.StateAt)
	}
	first := device.Event{Device: "buoy-1", At: noon, Kind: "active"} // by itself
	all := []device.Event{first, event(1, "suspended"), event(3, "active"), event(5, "retired")}
	equal(t, "audit", all)(s.DeviceEvents(ctx, "buoy-1"))
	equal(t, "of another", []device.Event{})(s.DeviceEvents(ctx, "leaf-1"))
	equal(t, "lately", all[2:])(s.DeviceEventsSince(ctx, noon.Add(time.Minute)))
}

func testSecrets(t *testing.T, s *store.Store) {
	ctx := t.Context()
	seed(t, s)
	set := func(after int, hash []byte, grace time.Duration) {
		t.Helper()
		e := device.Event{Device: "buoy-1", At: noon.Add(time.Duration(after) * time.Minute), Kind: device.Rotated}
		check(t, s.SetSecret(ctx, e, hash, e.At.Add(grace)))
	}
	is := func(what string, hash, old []byte, until time.Time) {
		t.Helper()
		d, err := s.Device(ctx, "buoy-1")
		check(t, err)
		if string(d.SecretHash) != string(hash) || string(d.OldHash) != string(old) || !d.OldUntil.Equal(until) {
			t.Errorf("%s: secret %x, before %x until %s", what, d.SecretHash, d.OldHash, d.OldUntil)
		}
	}
	set(1, []byte{5}, time.Hour)
	is("with grace", []byte{5}, buoy.SecretHash, noon.Add(61*time.Minute))
	set(2, []byte{6}, 0)
	is("at once", []byte{6}, nil, time.Time{})
	set(3, []byte{}, 0)
	is("revoked", nil, nil, time.Time{})
	wantErr(t, "unknown device", s.SetSecret(ctx, device.Event{Device: "nobody", At: noon, Kind: device.Rotated}, nil, noon), farm.ErrNotFound)

	later := noon.Add(time.Second)
	check(t, s.Seen(ctx, map[string]time.Time{"buoy-1": later, "nobody": later}))
	check(t, s.Seen(ctx, map[string]time.Time{"buoy-1": noon})) // an older one, told late
	d, err := s.Device(ctx, "buoy-1")
	check(t, err)
	if !d.Seen.Equal(later) {
		t.Errorf("seen %s, want %s", d.Seen, later)
	}
}
