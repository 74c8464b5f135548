package store_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tianhai/cmd/internal/store"
	"tianhai/farm"
	"tianhai/ingest"
	"tianhai/ingest/device"
)

func testClaims(t *testing.T, s *store.Store) {
	ctx := t.Context()
	seed(t, s)
	issued := func(id string) device.Issued {
		return device.Issued{ID: id, Model: "station", Name: station.Name, SecretHash: []byte{7}, ClaimHash: []byte{8}, Created: yesterday, Account: "admin"}
	}
	check(t, s.Issue(ctx, []device.Issued{issued("new-1"), issued("new-2"), issued("new-3")}))
	wantErr(t, "issued again", s.Issue(ctx, []device.Issued{issued("new-4"), issued("new-1")}), farm.ErrConflict)
	wantErr(t, "a device's name", s.Issue(ctx, []device.Issued{issued("buoy-1")}), farm.ErrConflict)
	unknown := issued("new-5")
	unknown.Model = "unknown"
	wantErr(t, "unknown model", s.Issue(ctx, []device.Issued{unknown}), farm.ErrNotFound)
	taken := buoy
	taken.ID = "new-1"
	wantErr(t, "an issued device's name", s.CreateDevice(ctx, taken), farm.ErrConflict)
	_, err := s.Device(ctx, "new-1")
	wantErr(t, "issued is nobody's", err, farm.ErrNotFound)

	claim := device.Claim{Device: "new-1", ClaimHash: []byte{8}, Site: raft, Name: farm.Text{Zh: "新浮标"}, Account: "li", At: noon}
	wrong := claim
	wrong.ClaimHash = []byte{9}
	wantErr(t, "wrong code", s.Claim(ctx, wrong), device.ErrClaim)
	equal(t, "offer", device.Offer{Device: "new-1", Model: "station", Name: station.Name, Left: device.MaxGuesses - 1})(s.Offer(ctx, "new-1"))
	nowhere := claim
	nowhere.Site.ID = "nowhere"
	wantErr(t, "unknown site", s.Claim(ctx, nowhere), farm.ErrNotFound)
	check(t, s.Claim(ctx, claim))
	wantErr(t, "claimed again", s.Claim(ctx, claim), device.ErrClaim)
	_, err = s.Offer(ctx, "new-1")
	wantErr(t, "offered no more", err, farm.ErrNotFound)
	equal(t, "device", device.Device{
		ID: "new-1", Tenant: "oysters", Model: "station", Name: claim.Name, SecretHash: []byte{7},
		Created: yesterday, State: device.Claimed, StateAt: noon,
	})(s.Device(ctx, "new-1"))
	equal(t, "history", []ingest.Installation{{From: noon, Place: ingest.Place{Tenant: "oysters", Region: raft.Region, Site: "raft-1", Kind: farm.Raft}}})(s.Installations(ctx, "new-1"))
	equal(t, "audit", []device.Event{{Device: "new-1", At: noon, Kind: "claimed", Account: "li"}})(s.DeviceEvents(ctx, "new-1"))

	wrong.Device = "new-2"
	for range device.MaxGuesses {
		wantErr(t, "guess", s.Claim(ctx, wrong), device.ErrClaim)
	}
	claim.Device = "new-2"
	wantErr(t, "the right code of a locked device", s.Claim(ctx, claim), device.ErrClaim)
	wrong.Device = "nobody"
	wantErr(t, "unknown device", s.Claim(ctx, wrong), device.ErrClaim)

	claim.Device, claim.Name = "new-3", farm.Text{}
	check(t, s.Claim(ctx, claim))
	if d, err := s.Device(ctx, "new-3"); err != nil || d.Name != station.Name {
		t.Errorf("name %v, %v; want the model's", d.Name, err)
	}
}

// Of many who claim at once, one gets the device.
func testClaimRace(t *testing.T, s *store.Store) {
	ctx := t.Context()
	seed(t, s)
	check(t, s.Issue(ctx, []device.Issued{{ID: "new", Model: "station", SecretHash: []byte{7}, ClaimHash: []byte{8}, Created: noon}}))
	var won atomic.Int32
	var all sync.WaitGroup
	for i := range 8 {
		site := []farm.Site{raft, garden}[i%2]
		all.Go(func() {
			err := s.Claim(ctx, device.Claim{Device: "new", ClaimHash: []byte{8}, Site: site, At: noon.Add(time.Duration(i))})
			if err == nil {
				won.Add(1)
			} else if !errors.Is(err, device.ErrClaim) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := won.Load(); n != 1 {
		t.Errorf("%d got it, want 1", n)
	}
}
