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
	equal(t, "audit", []device.Event{{Device: "new-1", At: yesterday, Kind: "issued", Account: "admin"}, {Device: "new-1", At: noon, Kind: "claimed", Account: "li"}})(s.DeviceEvents(ctx, "new-1"))

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

// Another code unlocks a device that nobody owns.
func testClaimCodes(t *testing.T, s *store.Store) {
	ctx := t.Context()
	seed(t, s)
	for _, id := range []string{"new-1", "new-2", "new-3"} {
		check(t, s.Issue(ctx, []device.Issued{{ID: id, Model: "station", Name: station.Name, SecretHash: []byte{7}, ClaimHash: []byte{8}, Created: yesterday, Account: "admin"}}))
	}
	claim := device.Claim{Device: "new-2", ClaimHash: []byte{9}, Site: raft, Account: "li", At: noon}
	for range device.MaxGuesses {
		wantErr(t, "guess", s.Claim(ctx, claim), device.ErrClaim)
	}
	list := func(f store.IssuedFilter) (ids string) {
		t.Helper()
		devices, err := s.Issued(ctx, f)
		check(t, err)
		for _, d := range devices {
			ids += d.ID + " "
			if d.Locked {
				ids += "locked "
			}
		}
		return ids
	}
	equal(t, "issued", "new-1 new-2 locked new-3 ")(list(store.IssuedFilter{}), nil)
	equal(t, "a page", "new-2 locked ")(list(store.IssuedFilter{After: "new-1", Limit: 1, Model: "station"}), nil)
	equal(t, "by text", "new-3 ")(list(store.IssuedFilter{Text: "W-3"}), nil)
	equal(t, "of another model", "")(list(store.IssuedFilter{Model: "x"}), nil)

	again := device.Event{Device: "new-2", At: noon, Kind: device.Reissued, Account: "admin", Reason: "标签丢失"}
	check(t, s.SetClaim(ctx, again, []byte{7}))
	equal(t, "unlocked", "new-2 ")(list(store.IssuedFilter{Text: "new-2"}), nil)
	claim.ClaimHash = []byte{8}
	wantErr(t, "the code before", s.Claim(ctx, claim), device.ErrClaim)
	claim.ClaimHash, claim.At = []byte{7}, noon.Add(time.Second)
	check(t, s.Claim(ctx, claim))
	again.At = noon.Add(time.Minute)
	wantErr(t, "a code for one that somebody owns", s.SetClaim(ctx, again, []byte{6}), farm.ErrConflict)
	again.Device = "nobody"
	wantErr(t, "a code for nobody", s.SetClaim(ctx, again, []byte{6}), farm.ErrNotFound)
	events, err := s.DeviceEvents(ctx, "new-2")
	check(t, err)
	if len(events) != 3 || events[1].Kind != device.Reissued || events[1].Reason != "标签丢失" {
		t.Errorf("audit %+v", events)
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
