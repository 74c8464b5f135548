package store_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"tianhai/cmd/internal/store"
	"tianhai/farm"
	"tianhai/ingest"
	"tianhai/ingest/device"
)

func testDevices(t *testing.T, s *store.Store) {
	ctx := t.Context()
	seed(t, s)
	spare := device.Device{ID: "spare", Tenant: "oysters", Model: "station", SecretHash: []byte{3}, Created: noon, State: device.Claimed}
	check(t, s.CreateDevice(ctx, spare))
	equal(t, "device", buoy)(s.Device(ctx, "buoy-1"))
	placed := []device.Placed{
		{Device: buoy, Site: "raft-1", SiteName: raft.Name, Region: raft.Region},
		{Device: leaf, Site: "garden-1", SiteName: garden.Name, Region: garden.Region},
		{Device: spare},
	}
	equal(t, "all", placed)(s.Devices(ctx, store.DeviceFilter{}))
	equal(t, "of a tenant", []device.Placed{placed[0], placed[2]})(s.Devices(ctx, store.DeviceFilter{Tenant: "oysters"}))
	equal(t, "of a site", placed[:1])(s.Devices(ctx, store.DeviceFilter{Site: "raft-1"}))
	equal(t, "of a region", placed[1:2])(s.Devices(ctx, store.DeviceFilter{Region: "450400"}))
	equal(t, "of a site and another tenant", []device.Placed{})(s.Devices(ctx, store.DeviceFilter{Site: "raft-1", Tenant: "tea"}))

	wantErr(t, "device again", s.CreateDevice(ctx, buoy), farm.ErrConflict)
	spare.ID, spare.Model = "spare-2", "unknown"
	wantErr(t, "device of an unknown model", s.CreateDevice(ctx, spare), farm.ErrNotFound)
	_, err := s.Device(ctx, "nobody")
	wantErr(t, "unknown device", err, farm.ErrNotFound)
}

func testDevicePages(t *testing.T, s *store.Store) {
	ctx := t.Context()
	seed(t, s)
	check(t, s.PutModel(ctx, device.ModelChange{At: noon, Model: device.Model{ID: "mute", Name: farm.Text{Zh: "哑"}, Format: "json"}}))
	for _, d := range []device.Device{
		{ID: "a-1", Tenant: "tea", Model: "mute", Name: farm.Text{Zh: "100%"}, SecretHash: []byte{4}, Created: noon},
		{ID: "a_2", Tenant: "oysters", Model: "mute", Name: farm.Text{Zh: "浮标二", En: `Buoy "two"`}, SecretHash: []byte{5}, Created: noon, Online: true, State: device.Active},
	} {
		check(t, s.CreateDevice(ctx, d))
	}
	yes, no := true, false
	for name, tt := range map[string]struct {
		f    store.DeviceFilter
		want string
	}{
		"all":                      {store.DeviceFilter{}, "a-1 a_2 buoy-1 leaf-1 "},
		"first two":                {store.DeviceFilter{Limit: 2}, "a-1 a_2 "},
		"next two":                 {store.DeviceFilter{Limit: 2, After: "a_2"}, "buoy-1 leaf-1 "},
		"after the last":           {store.DeviceFilter{After: "leaf-1"}, ""},
		"of a model":               {store.DeviceFilter{Model: "mute"}, "a-1 a_2 "},
		"in a state":               {store.DeviceFilter{State: device.Active}, "a_2 "},
		"online":                   {store.DeviceFilter{Online: &yes}, "a_2 "},
		"offline, in a tenant":     {store.DeviceFilter{Online: &no, Tenant: "tea"}, "a-1 leaf-1 "},
		"Chinese in the name":      {store.DeviceFilter{Text: "浮标"}, "a_2 buoy-1 "},
		"English, whatever case":   {store.DeviceFilter{Text: `bUOY "TWO`}, "a_2 "},
		"part of the ID":           {store.DeviceFilter{Text: "LEAF"}, "leaf-1 "},
		"a sign that SQL knows":    {store.DeviceFilter{Text: "%"}, "a-1 "},
		"another":                  {store.DeviceFilter{Text: "_"}, "a_2 "},
		"a backslash":              {store.DeviceFilter{Text: `\\`}, ""},
		"a member of the JSON":     {store.DeviceFilter{Text: "zh"}, ""},
		"an attack":                {store.DeviceFilter{Text: `') OR ('1'='1`}, ""},
		"text and all other words": {store.DeviceFilter{Text: "1", Tenant: "oysters", Site: "raft-1", Model: "station", Online: &no, State: device.Claimed}, "buoy-1 "},
	} {
		got, err := s.Devices(ctx, tt.f)
		check(t, err)
		ids := ""
		for _, d := range got {
			ids += d.ID + " "
		}
		equal(t, name, tt.want)(ids, nil)
	}
}

func testModels(t *testing.T, s *store.Store) {
	ctx := t.Context()
	seed(t, s)
	equal(t, "models", []device.Model{station})(s.Models(ctx))
	changed := station
	changed.Interval, changed.Commands = time.Minute, nil
	check(t, s.PutModel(ctx, device.ModelChange{At: noon, Account: "li", Model: changed}))
	check(t, s.PutModel(ctx, device.ModelChange{At: noon.Add(time.Second), Account: "wang", Model: changed})) // nothing new
	equal(t, "changed model", []device.Model{changed})(s.Models(ctx))
	first, second := device.ModelChange{At: yesterday, Account: "admin", Model: station}, device.ModelChange{At: noon, Account: "li", Model: changed}
	equal(t, "audit, newest first", []device.ModelChange{second, first})(s.ModelChanges(ctx, "station", 0))
	equal(t, "of another", []device.ModelChange{})(s.ModelChanges(ctx, "nothing", 0))
	equal(t, "changed lately", true)(s.ModelsChangedSince(ctx, noon.Add(-time.Second)))
	equal(t, "not since", false)(s.ModelsChangedSince(ctx, noon))
	check(t, s.Issue(ctx, []device.Issued{{ID: "new-1", Model: "station", SecretHash: []byte{7}, ClaimHash: []byte{8}, Created: noon}}))
	equal(t, "use", map[string]int{"station": 3})(s.ModelUse(ctx))

	changed.Channels = append(changed.Channels, changed.Channels[0])
	if err := s.PutModel(ctx, device.ModelChange{At: noon.Add(time.Minute), Model: changed}); err == nil {
		t.Error("took a model with one channel twice")
	}
}

// A file of devices is stored as a whole, or not at all.
func testImport(t *testing.T, s *store.Store) {
	ctx := t.Context()
	seed(t, s)
	check(t, s.Issue(ctx, []device.Issued{{ID: "new-1", Model: "station", SecretHash: []byte{7}, ClaimHash: []byte{8}, Created: noon}}))
	equal(t, "references", device.References{
		Tenants: map[string]bool{"oysters": true, "tea": true}, Models: map[string]bool{"station": true},
		Sites: map[string]string{"raft-1": "oysters", "raft-2": "oysters", "garden-1": "tea"},
	})(s.References(ctx, ""))
	equal(t, "references of one", device.References{
		Tenants: map[string]bool{"tea": true}, Models: map[string]bool{"station": true}, Sites: map[string]string{"garden-1": "tea"},
	})(s.References(ctx, "tea"))
	equal(t, "taken", map[string]bool{"buoy-1": true, "new-1": true})(s.Taken(ctx, []string{"buoy-1", "x", "new-1"}))
	equal(t, "none taken", map[string]bool{})(s.Taken(ctx, nil))

	var many []device.NewDevice
	for i := range 1201 {
		many = append(many, device.NewDevice{
			ID: fmt.Sprintf("i-%04d", i), Tenant: "oysters", Model: "station", Name: farm.Text{Zh: "站"}, Site: "raft-1",
			From: yesterday, SecretHash: []byte{9}, Created: noon, Account: "li",
		})
	}
	for name, spoil := range map[string]func(*device.NewDevice){
		"taken": func(d *device.NewDevice) { d.ID = "buoy-1" }, "issued": func(d *device.NewDevice) { d.ID = "new-1" },
		"unknown model": func(d *device.NewDevice) { d.Model = "x" }, "another's site": func(d *device.NewDevice) { d.Site = "garden-1" },
	} {
		bad := slices.Clone(many)
		spoil(&bad[1200])
		if err := s.CreateDevices(ctx, bad); !errors.Is(err, farm.ErrConflict) && !errors.Is(err, farm.ErrNotFound) {
			t.Errorf("%s: error %v", name, err)
		}
		equal(t, name+": none are there", map[string]bool{})(s.Taken(ctx, []string{"i-0000", "i-0700"}))
	}
	many[1200].Site = ""
	check(t, s.CreateDevices(ctx, many))
	equal(t, "one of them", device.Device{
		ID: "i-0700", Tenant: "oysters", Model: "station", Name: farm.Text{Zh: "站"}, SecretHash: []byte{9},
		Created: noon, State: device.Claimed, StateAt: noon,
	})(s.Device(ctx, "i-0700"))
	equal(t, "its place", raft)(s.SiteOf(ctx, "i-0700"))
	equal(t, "its audit", []device.Event{{Device: "i-0700", At: noon, Kind: "claimed", Account: "li"}})(s.DeviceEvents(ctx, "i-0700"))
	_, err := s.SiteOf(ctx, "i-1200")
	wantErr(t, "one without a place", err, farm.ErrNotFound)
}

func testInstallations(t *testing.T, s *store.Store) {
	ctx := t.Context()
	seed(t, s)
	tomorrow := noon.Add(24 * time.Hour)
	moved := device.Installation{Device: "buoy-1", Site: "raft-2", From: noon}
	check(t, s.Install(ctx, moved))
	check(t, s.Install(ctx, device.Installation{Device: "buoy-1", Site: "raft-1", From: tomorrow}))
	check(t, s.Install(ctx, moved)) // nothing new

	place := func(site farm.Site) ingest.Place {
		return ingest.Place{Tenant: site.Tenant, Region: site.Region, Site: site.ID, Kind: site.Kind}
	}
	history := []ingest.Installation{
		{From: yesterday, Place: place(raft)}, {From: noon, Place: place(raft2)}, {From: tomorrow, Place: place(raft)},
	}
	equal(t, "history", history)(s.Installations(ctx, "buoy-1"))
	equal(t, "site now", raft2)(s.SiteOf(ctx, "buoy-1"))
	equal(t, "devices that left", []device.Placed{})(s.Devices(ctx, store.DeviceFilter{Site: "raft-1"}))
	equal(t, "no history", []ingest.Installation{})(s.Installations(ctx, "nobody"))

	_, err := s.SiteOf(ctx, "nobody")
	wantErr(t, "site of an unknown device", err, farm.ErrNotFound)
	moved.Site = "raft-1"
	wantErr(t, "two sites at once", s.Install(ctx, moved), farm.ErrConflict)
	moved.Site, moved.From = "nowhere", tomorrow.Add(time.Microsecond)
	wantErr(t, "unknown site", s.Install(ctx, moved), farm.ErrNotFound)
	moved.Device = "nobody"
	wantErr(t, "unknown device", s.Install(ctx, moved), farm.ErrNotFound)
	equal(t, "history", history)(s.Installations(ctx, "buoy-1"))
}

func testCalibrations(t *testing.T, s *store.Store) {
	ctx := t.Context()
	seed(t, s)
	first := device.Calibration{Device: "buoy-1", Channel: "t", Slope: 1.25, Offset: -0.1, From: yesterday, Recorded: noon, Account: "li", Note: "标准液"}
	mended, later, other := first, first, first
	mended.Slope, mended.Recorded = 1.2, noon.Add(time.Second)
	later.From, later.Recorded = noon, noon.Add(-time.Second) // recorded before, in force after
	other.Device = "leaf-1"
	for _, c := range []device.Calibration{later, mended, first, other} {
		check(t, s.AddCalibration(ctx, c))
	}
	wantErr(t, "the same again", s.AddCalibration(ctx, first), farm.ErrConflict)
	other.Device = "nobody"
	wantErr(t, "unknown device", s.AddCalibration(ctx, other), farm.ErrNotFound)
	equal(t, "by time, then as recorded", []device.Calibration{first, mended, later})(s.Calibrations(ctx, "buoy-1"))
	equal(t, "of nobody", []device.Calibration{})(s.Calibrations(ctx, "nobody"))
}

func testPresence(t *testing.T, s *store.Store) {
	ctx := t.Context()
	seed(t, s)
	later := noon.Add(time.Minute)
	for i, step := range []struct {
		online   bool
		at, want time.Time
	}{
		{false, noon, time.Time{}}, // was never there
		{true, noon, noon},
		{true, later, noon}, // no change
		{false, later, later},
		{true, noon, noon}, // the clock was set back; what was said last holds
	} {
		check(t, s.SetOnline(ctx, "buoy-1", step.online, step.at))
		want := buoy
		want.Online, want.StatusAt = step.online, step.want
		if i > 0 {
			want.State, want.StateAt = device.Active, noon
		}
		equal(t, "device", want)(s.Device(ctx, "buoy-1"))
	}
	wantErr(t, "unknown device", s.SetOnline(ctx, "nobody", true, noon), farm.ErrNotFound)
	equal(t, "there", int64(1))(s.CountOnline(ctx))

	check(t, s.ResetPresence(ctx, later))
	want := buoy
	want.StatusAt, want.State, want.StateAt = later, device.Active, noon
	equal(t, "after a start", want)(s.Device(ctx, "buoy-1"))
	equal(t, "there after a start", int64(0))(s.CountOnline(ctx))
	equal(t, "who was away already", leaf)(s.Device(ctx, "leaf-1"))
}

func testCommands(t *testing.T, s *store.Store) {
	ctx := t.Context()
	seed(t, s)
	command := func(id string, created time.Time) device.CommandRecord {
		return device.CommandRecord{
			Command: ingest.Command{ID: id, Device: "buoy-1", Name: "wipe", Value: "on", Expires: created.Add(time.Minute)},
			Tenant:  "oysters", Account: "li", State: device.Sent, Created: created,
		}
	}
	first, second, third := command("c1", noon), command("c2", noon.Add(time.Second)), command("c3", noon.Add(2*time.Second))
	for _, c := range []device.CommandRecord{first, second, third} {
		check(t, s.CreateCommand(ctx, c))
	}
	wantErr(t, "command again", s.CreateCommand(ctx, first), farm.ErrConflict)

	answered := noon.Add(5 * time.Second)
	check(t, s.SettleCommand(ctx, "buoy-1", ingest.CommandResult{ID: "c1", OK: true}, answered))
	check(t, s.SettleCommand(ctx, "buoy-1", ingest.CommandResult{ID: "c2", Error: "jammed"}, answered))
	check(t, s.SettleCommand(ctx, "buoy-1", ingest.CommandResult{ID: "c1", Error: "late"}, answered.Add(1))) // settled already
	wantErr(t, "answer of another device", s.SettleCommand(ctx, "leaf-1", ingest.CommandResult{ID: "c3", OK: true}, answered), farm.ErrNotFound)
	wantErr(t, "unknown command", s.SettleCommand(ctx, "buoy-1", ingest.CommandResult{ID: "c9"}, answered), farm.ErrNotFound)

	equal(t, "too early to expire", 0)(s.ExpireCommands(ctx, third.Expires.Add(-time.Microsecond)))
	equal(t, "expired", 1)(s.ExpireCommands(ctx, third.Expires))
	check(t, s.SettleCommand(ctx, "buoy-1", ingest.CommandResult{ID: "c3", OK: true}, third.Expires.Add(1))) // too late

	first.State, first.Settled = device.Done, answered
	second.State, second.Settled, second.Error = device.Failed, answered, "jammed"
	third.State, third.Settled = device.Expired, third.Expires
	equal(t, "newest first", []device.CommandRecord{third, second, first})(s.Commands(ctx, "buoy-1", time.Time{}, "", 0))
	equal(t, "limited", []device.CommandRecord{third})(s.Commands(ctx, "buoy-1", time.Time{}, "", 1))
	equal(t, "of another", []device.CommandRecord{})(s.Commands(ctx, "leaf-1", time.Time{}, "", 0))
}
