package store_test

import (
	"testing"

	"tianhai/cmd/internal/store"
	"tianhai/farm"
	"tianhai/ingest/device"
)

func testAliases(t *testing.T, s *store.Store) {
	ctx := t.Context()
	seed(t, s)
	eui := device.Alias{Alias: "ac1f09fffe000001", Device: "buoy-1", Account: "root", Created: noon}
	node := device.Alias{Alias: "farm/raft/探头", Device: "buoy-1", Account: "root", Created: noon}
	check(t, s.AddAlias(ctx, eui))
	check(t, s.AddAlias(ctx, node))
	check(t, s.AddAlias(ctx, eui))
	taken := eui
	taken.Device = "leaf-1"
	wantErr(t, "another device's name", s.AddAlias(ctx, taken), farm.ErrConflict)
	wantErr(t, "a name for nobody", s.AddAlias(ctx, device.Alias{Alias: "x", Device: "nobody", Created: noon}), farm.ErrNotFound)
	equal(t, "names", []device.Alias{eui, node})(s.Aliases(ctx, "buoy-1"))
	equal(t, "all names", []device.Alias{eui, node})(s.Aliases(ctx, ""))
	equal(t, "device", "buoy-1")(s.DeviceOfAlias(ctx, node.Alias))
	equal(t, "owner by name", "oysters")(s.Owner(ctx, node.Alias))
	wantErr(t, "another's name", s.DeleteAlias(ctx, "leaf-1", eui.Alias), farm.ErrNotFound)
	check(t, s.DeleteAlias(ctx, "buoy-1", eui.Alias))
	_, err := s.DeviceOfAlias(ctx, eui.Alias)
	wantErr(t, "deleted", err, farm.ErrNotFound)
	_, err = s.Owner(ctx, eui.Alias)
	wantErr(t, "owner by a deleted name", err, farm.ErrNotFound)
	check(t, s.AddAlias(ctx, taken))
}
