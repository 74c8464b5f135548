package store_test

import (
	"testing"
	"time"

	"tianhai/cmd/internal/store"
	"tianhai/farm"
	"tianhai/monitor/alert"
)

func newAlert(id string, state alert.State, began time.Time) alert.Alert {
	low := 2.75
	return alert.Alert{
		ID: id, Rule: "oxygen", Title: farm.Text{Zh: "溶解氧低"}, Severity: alert.Critical,
		Tenant: "oysters", Region: "450702", Site: "raft-1", Device: "buoy-1", Quantity: "water.dissolved_oxygen",
		State: state, Value: &low, Limit: 3, Began: began,
	}
}

func testAlerts(t *testing.T, s *store.Store) {
	ctx := t.Context()
	seed(t, s)
	pending := newAlert("a1", alert.Pending, noon)
	check(t, s.SaveAlert(ctx, pending, nil))
	equal(t, "pending", []alert.Alert{pending})(s.OpenAlerts(ctx))

	firing := pending
	firing.State, firing.Fired = alert.Firing, noon.Add(time.Minute)
	check(t, s.SaveAlert(ctx, firing, nil))
	equal(t, "firing", []alert.Alert{firing})(s.OpenAlerts(ctx))

	resolved := firing
	resolved.State, resolved.Ended, resolved.Value, resolved.Reason = alert.Resolved, noon.Add(time.Hour), nil, alert.RuleRemoved
	check(t, s.SaveAlert(ctx, resolved, nil))
	equal(t, "open", []alert.Alert{})(s.OpenAlerts(ctx))
	equal(t, "resolved", []alert.Alert{resolved})(s.Alerts(ctx, store.AlertFilter{}))

	brief := newAlert("a2", alert.Pending, noon)
	check(t, s.SaveAlert(ctx, brief, nil))
	brief.State = alert.Inactive
	check(t, s.SaveAlert(ctx, brief, nil))
	check(t, s.SaveAlert(ctx, brief, nil))
	equal(t, "forgotten", []alert.Alert{})(s.Alerts(ctx, store.AlertFilter{State: alert.Inactive}))

	stray := newAlert("a3", alert.Pending, noon)
	stray.Device = "nobody"
	wantErr(t, "alert of an unknown device", s.SaveAlert(ctx, stray, nil), farm.ErrNotFound)
}

func testAlertFilters(t *testing.T, s *store.Store) {
	ctx := t.Context()
	seed(t, s)
	old := newAlert("a1", alert.Resolved, yesterday)
	recent := newAlert("a2", alert.Firing, noon)
	other := newAlert("a3", alert.Firing, noon)
	other.Tenant, other.Region, other.Site, other.Device = "tea", "450406", "garden-1", "leaf-1"
	for _, a := range []alert.Alert{old, recent, other} {
		check(t, s.SaveAlert(ctx, a, nil))
	}
	tests := map[string]struct {
		filter store.AlertFilter
		want   []alert.Alert
	}{
		"all":          {store.AlertFilter{}, []alert.Alert{other, recent, old}},
		"newest":       {store.AlertFilter{Limit: 1}, []alert.Alert{other}},
		"tenant":       {store.AlertFilter{Tenant: "oysters"}, []alert.Alert{recent, old}},
		"region":       {store.AlertFilter{Region: "450400"}, []alert.Alert{other}},
		"bad region":   {store.AlertFilter{Region: "000000"}, []alert.Alert{}},
		"site":         {store.AlertFilter{Site: "garden-1"}, []alert.Alert{other}},
		"state":        {store.AlertFilter{State: alert.Resolved}, []alert.Alert{old}},
		"all together": {store.AlertFilter{Tenant: "oysters", Region: "450000", Site: "raft-1", State: alert.Firing}, []alert.Alert{recent}},
	}
	for name, tt := range tests {
		equal(t, name, tt.want)(s.Alerts(ctx, tt.filter))
	}
}

func testNotices(t *testing.T, s *store.Store) {
	ctx := t.Context()
	seed(t, s)
	firing := newAlert("a1", alert.Firing, yesterday)
	firing.Fired = noon
	resolved := firing
	resolved.State, resolved.Ended = alert.Resolved, noon.Add(time.Minute)
	notice := func(id string, a alert.Alert, next time.Time) alert.Notice {
		return alert.Notice{ID: id, Alert: a, Channel: "webhook", Next: next}
	}
	// The names say nothing about the order: the change told of does.
	fired, ended := notice("n2", firing, firing.Fired), notice("n1", resolved, resolved.Ended)
	check(t, s.SaveAlert(ctx, firing, []alert.Notice{fired}))
	check(t, s.SaveAlert(ctx, resolved, []alert.Notice{ended}))

	due := noon.Add(time.Hour)
	equal(t, "too early", []alert.Notice{})(s.DueNotices(ctx, noon.Add(-time.Microsecond), 10))
	equal(t, "first", []alert.Notice{fired})(s.DueNotices(ctx, noon, 10))
	equal(t, "both", []alert.Notice{fired, ended})(s.DueNotices(ctx, due, 10))
	equal(t, "limited", []alert.Notice{fired})(s.DueNotices(ctx, due, 1))

	// A retry keeps its place, and repeating the save changes nothing of it.
	fired.Attempts, fired.Next = 1, noon.Add(30*time.Minute)
	check(t, s.NoticeFailed(ctx, "n2", "no answer", fired.Next))
	check(t, s.SaveAlert(ctx, firing, []alert.Notice{notice("n2", firing, firing.Fired)}))
	check(t, s.SaveAlert(ctx, resolved, []alert.Notice{notice("n1", resolved, resolved.Ended)}))
	equal(t, "while one waits", []alert.Notice{ended})(s.DueNotices(ctx, noon.Add(2*time.Minute), 10))
	equal(t, "after the wait", []alert.Notice{fired, ended})(s.DueNotices(ctx, due, 10))

	check(t, s.NoticeSent(ctx, "n2", due))
	check(t, s.NoticeSent(ctx, "n2", due))
	equal(t, "one sent", []alert.Notice{ended})(s.DueNotices(ctx, due, 10))
	check(t, s.NoticeFailed(ctx, "n1", "gone for ever", time.Time{}))
	equal(t, "one given up", []alert.Notice{})(s.DueNotices(ctx, due.AddDate(100, 0, 0), 10))
	wantErr(t, "unknown sent", s.NoticeSent(ctx, "n9", due), farm.ErrNotFound)
	wantErr(t, "unknown failed", s.NoticeFailed(ctx, "n9", "", due), farm.ErrNotFound)

	// All or none: the second notice's alert does not exist.
	firing.ID = "a2"
	bad := notice("n4", firing, noon)
	bad.Channel = "nul \x00"
	if err := s.SaveAlert(ctx, firing, []alert.Notice{notice("n3", firing, noon), bad}); err == nil {
		t.Error("saved a notice that cannot be written")
	}
	equal(t, "half a save", []alert.Alert{})(s.Alerts(ctx, store.AlertFilter{State: alert.Firing}))
	equal(t, "notices of half a save", []alert.Notice{})(s.DueNotices(ctx, due, 10))

	// An alert that somebody was told of is never forgotten, but it is not open.
	resolved.State = alert.Inactive
	check(t, s.SaveAlert(ctx, resolved, nil))
	equal(t, "told of", []alert.Alert{resolved})(s.Alerts(ctx, store.AlertFilter{State: alert.Inactive}))
	equal(t, "open", []alert.Alert{})(s.OpenAlerts(ctx))
}
