package store_test

import (
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
	equal(t, "models", []device.Model{station})(s.Models(ctx))
	changed := station
	changed.Interval, changed.Commands = time.Minute, nil
	check(t, s.PutModel(ctx, changed))
	equal(t, "changed model", []device.Model{changed})(s.Models(ctx))

	changed.Channels = append(changed.Channels, changed.Channels[0])
	if err := s.PutModel(ctx, changed); err == nil {
		t.Error("took a model with one channel twice")
	}

	spare := device.Device{ID: "spare", Tenant: "oysters", Model: "station", SecretHash: []byte{3}, Created: noon, State: device.Claimed}
	check(t, s.CreateDevice(ctx, spare))
	equal(t, "device", buoy)(s.Device(ctx, "buoy-1"))
	placed := []device.Placed{{Device: buoy, Site: "raft-1"}, {Device: leaf, Site: "garden-1"}, {Device: spare}}
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
	equal(t, "newest first", []device.CommandRecord{third, second, first})(s.Commands(ctx, "buoy-1", 0))
	equal(t, "limited", []device.CommandRecord{third})(s.Commands(ctx, "buoy-1", 1))
	equal(t, "of another", []device.CommandRecord{})(s.Commands(ctx, "leaf-1", 0))
}
