package device_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tianhai/farm"
	"tianhai/ingest/device"
)

func TestStates(t *testing.T) {
	all := []device.State{device.Claimed, device.Active, device.Suspended, device.Retired, "", "issued"}
	may := map[device.State]string{
		device.Claimed: "active suspended retired", device.Active: "suspended retired", device.Suspended: "active retired",
	}
	for _, from := range all {
		for _, to := range all {
			want := to != "" && strings.Contains(may[from], string(to))
			if got := from.May(to); got != want {
				t.Errorf("%s to %s: %t, want %t", from, to, got, want)
			}
		}
		if got, want := from.Connects(), from == device.Claimed || from == device.Active; got != want {
			t.Errorf("%s connects: %t, want %t", from, got, want)
		}
	}
}

// lives is what the records database is to the manager.
type lives struct {
	events []device.Event
	hash   []byte
	until  time.Time
	err    error
}

func (l *lives) ChangeState(_ context.Context, e device.Event) error {
	l.events = append(l.events, e)
	return l.err
}

func (l *lives) SetSecret(_ context.Context, e device.Event, hash []byte, until time.Time) error {
	l.events, l.hash, l.until = append(l.events, e), hash, until
	return l.err
}

func (l *lives) DeviceEvents(context.Context, string) ([]device.Event, error) { return l.events, l.err }

func TestManager(t *testing.T) {
	l, changes, ctx := &lives{}, 0, t.Context()
	m := device.Manager{Store: l, Changed: func() { changes++ }, Now: func() time.Time { return noon }}
	o := device.Order{Device: "buoy", Account: "li", Reason: "进水"}
	if err := m.SetState(ctx, o, device.Suspended); err != nil {
		t.Fatal(err)
	}
	secret, err := m.Rotate(ctx, o, time.Hour)
	if err != nil || len(secret) != 32 || !l.until.Equal(noon.Add(time.Hour)) {
		t.Errorf("secret %q until %s, %v", secret, l.until, err)
	}
	if err := m.Revoke(ctx, o); err != nil || l.hash == nil || len(l.hash) != 0 {
		t.Errorf("hash %x after revocation, %v", l.hash, err)
	}
	event := func(kind device.EventKind) device.Event {
		return device.Event{Device: "buoy", At: noon, Kind: kind, Account: "li", Reason: "进水"}
	}
	want := []device.Event{event("suspended"), event(device.Rotated), event(device.Revoked)}
	got, err := m.Events(ctx, "buoy")
	if diff := cmp.Diff(want, got); diff != "" || err != nil || changes != 3 {
		t.Errorf("%d changes, %v, events (-want +got):\n%s", changes, err, diff)
	}
	for _, to := range []device.State{device.Claimed, "", "issued"} {
		if err := m.SetState(ctx, o, to); !errors.Is(err, farm.ErrConflict) {
			t.Errorf("to %q: %v, want ErrConflict", to, err)
		}
	}
	for _, grace := range []time.Duration{-1, device.MaxGrace + 1} {
		if _, err := m.Rotate(ctx, o, grace); err == nil {
			t.Errorf("grace %v taken", grace)
		}
	}
	l.err = errDown
	if secret, err := m.Rotate(ctx, o, 0); !errors.Is(err, errDown) || secret != "" {
		t.Errorf("secret %q that nobody stored, %v", secret, err)
	}
	if changes != 3 {
		t.Errorf("told of %d changes, want 3", changes)
	}
}

func TestAuthenticateByState(t *testing.T) {
	w := setup(t, 0)
	old, oldHash := device.NewSecret()
	d := w.dir.devices["buoy"]
	d.OldHash, d.OldUntil = oldHash, noon.Add(time.Minute)
	for state, want := range map[device.State]bool{device.Claimed: true, device.Active: true, device.Suspended: false, device.Retired: false, "": false} {
		d.State = state
		w.dir.devices["buoy"] = d
		for _, secret := range []string{w.secret, old} {
			if got := w.Authenticate(t.Context(), "buoy", []byte(secret)); got != want {
				t.Errorf("%q: %t, want %t", state, got, want)
			}
		}
	}
	d.State = device.Active
	w.dir.devices["buoy"] = d
	w.now = noon.Add(time.Minute)
	if w.Authenticate(t.Context(), "buoy", []byte(old)) {
		t.Error("the secret before is good after its grace")
	}
	d.SecretHash, d.OldHash = []byte{}, nil
	w.dir.devices["buoy"] = d
	for _, secret := range []string{w.secret, ""} {
		if w.Authenticate(t.Context(), "buoy", []byte(secret)) {
			t.Errorf("let in with %q after revocation", secret)
		}
	}
}

func TestProfileBarred(t *testing.T) {
	w := setup(t, 0)
	d := w.dir.devices["buoy"]
	for state, want := range map[device.State]time.Time{device.Active: {}, device.Suspended: noon, device.Retired: noon} {
		d.State, d.StateAt = state, noon
		w.dir.devices["buoy"] = d
		w.Forget("buoy")
		if p, err := w.Profile(t.Context(), "buoy"); err != nil || !p.Barred.Equal(want) {
			t.Errorf("%s: %+v, %v; want barred since %s", state, p, err, want)
		}
	}
}
