package device_test

import (
	"context"
	"errors"
	"testing"

	"tianhai/farm"
	"tianhai/ingest"
	"tianhai/ingest/device"
)

func TestFoldAlias(t *testing.T) {
	for s, want := range map[string]string{
		"AC-1F-09-FF-FE-00-00-01": "ac1f09fffe000001",
		"ac:1f:09:ff:fe:00:00:01": "ac1f09fffe000001",
		"AC1F09FFFE000001":        "ac1f09fffe000001",
		"AC1F09FFFE0001":          "AC1F09FFFE0001", // no EUI-64
		"Farm/Raft-3/T":           "Farm/Raft-3/T",
	} {
		if got := device.FoldAlias(s); got != want {
			t.Errorf("%s: %s, want %s", s, got, want)
		}
	}
}

// names are other names of devices.
type names map[string]string

func (n names) DeviceOfAlias(_ context.Context, alias string) (string, error) {
	if id, ok := n[alias]; ok {
		return id, nil
	}
	return "", farm.ErrNotFound
}

// A frame that came under another name is the device's, until the name is taken
// away; its own identifier goes first.
func TestProfileByAlias(t *testing.T) {
	w := setup(t, 0)
	other := names{"ac1f09fffe000001": "buoy", "farm/raft": "buoy", "gone": "nobody"}
	w.Registry = device.NewRegistry(device.RegistryOptions{Directory: w.dir, Aliases: other})
	for name, want := range map[string]string{"AC-1F-09-FF-FE-00-00-01": "buoy", "farm/raft": "buoy", "buoy": "buoy", "gone": "", "Farm/raft": ""} {
		p, err := w.Profile(t.Context(), name)
		switch {
		case want == "" && !errors.Is(err, ingest.ErrUnknownDevice):
			t.Errorf("%s: error %v, want unknown", name, err)
		case want != "" && (err != nil || p.Device != want || len(p.Installations) != 1):
			t.Errorf("%s: profile %+v, %v", name, p, err)
		}
	}
	delete(other, "farm/raft")
	w.Forget("buoy")
	if _, err := w.Profile(t.Context(), "farm/raft"); !errors.Is(err, ingest.ErrUnknownDevice) {
		t.Errorf("a name that was taken away: %v", err)
	}
	other["gone"] = "buoy"
	w.Forget("buoy")
	if _, err := w.Profile(t.Context(), "gone"); err != nil {
		t.Errorf("a name that was given: %v", err)
	}
	if w.Authenticate(t.Context(), "gone", []byte(w.secret)) {
		t.Error("another name logs in")
	}
}
