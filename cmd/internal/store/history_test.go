package store_test

import (
	"fmt"
	"testing"
	"time"

	"tianhai/cmd/internal/store"
	"tianhai/farm"
	"tianhai/ingest"
	"tianhai/ingest/history"
)

func newJob(id, tenant string, created time.Duration) history.Job {
	return history.Job{
		ID: id, Kind: history.KindBackfill, Tenant: tenant, Account: "li", State: history.Waiting, Created: noon.Add(created),
		Backfill: &history.Backfill{File: "旧数据.csv", Device: "buoy-1", Zone: "Asia/Shanghai", Columns: map[string]string{"水温": "t"}},
	}
}

// A job is taken once, the one that was interrupted before those that wait, and
// whoever works on it learns that it was called off.
func testJobs(t *testing.T, s *store.Store) {
	ctx := t.Context()
	seed(t, s)
	_, err := s.TakeJob(ctx, noon)
	wantErr(t, "no job", err, farm.ErrNotFound)
	first, second := newJob("j1", "oysters", 0), newJob("j2", "tea", time.Second)
	replay := history.Job{
		ID: "j3", Kind: history.KindReplay, Account: "chief", State: history.Waiting, Created: noon.Add(2 * time.Second),
		Replay: &history.Replay{Devices: []string{"ghost"}, From: yesterday, To: noon, QuarantineOnly: true},
	}
	for _, j := range []history.Job{second, first, replay} {
		check(t, s.CreateJob(ctx, j))
	}
	wantErr(t, "the same again", s.CreateJob(ctx, first), farm.ErrConflict)
	wantErr(t, "of nobody", s.CreateJob(ctx, newJob("j9", "nobody", 0)), farm.ErrNotFound)
	equal(t, "job of all", replay)(s.Job(ctx, "j3"))
	equal(t, "jobs", []history.Job{replay, second, first})(s.Jobs(ctx, store.JobFilter{}))
	equal(t, "jobs of a tenant", []history.Job{first})(s.Jobs(ctx, store.JobFilter{Tenant: "oysters"}))
	equal(t, "two of them", []history.Job{replay, second})(s.Jobs(ctx, store.JobFilter{Limit: 2}))
	wantErr(t, "progress of one that waits", s.SaveJob(ctx, first), farm.ErrConflict)

	first.State, first.Started, first.Tries = history.Running, noon.Add(time.Minute), 1
	equal(t, "the oldest", first)(s.TakeJob(ctx, noon.Add(time.Minute)))
	first.Updated = noon.Add(2 * time.Minute)
	first.Progress = history.Progress{
		Done: 7, Total: 9, Stored: 5, Refused: 2, Readings: 12, Ignored: []string{"备注"},
		Problems: []history.Problem{{Line: 3, Column: "水温", Reason: "is not a number"}},
		Cursor:   history.Cursor{Basis: "rows", At: 7, Since: 5},
	}
	check(t, s.SaveJob(ctx, first))
	first.Tries = 2
	equal(t, "after a crash", first)(s.TakeJob(ctx, noon.Add(time.Hour)))
	equal(t, "open", []string{"j1", "j2", "j3"})(s.OpenJobs(ctx))

	check(t, s.CancelJob(ctx, "j1"))
	wantErr(t, "progress of one called off", s.SaveJob(ctx, first), farm.ErrConflict)
	wantErr(t, "called off twice", s.CancelJob(ctx, "j1"), farm.ErrConflict)
	wantErr(t, "call off nothing", s.CancelJob(ctx, "j9"), farm.ErrNotFound)
	check(t, s.CancelJob(ctx, "j2"))
	first.State, first.Ended = history.Cancelled, noon
	equal(t, "called off", first)(s.Job(ctx, "j1"))
	last, err := s.TakeJob(ctx, noon.Add(time.Hour))
	check(t, err)
	if last.ID != "j3" {
		t.Errorf("took %s, want the one that is left", last.ID)
	}
	last.State, last.Error, last.Ended = history.Failed, "file: is empty", noon.Add(time.Hour)
	check(t, s.SaveJob(ctx, last))
	equal(t, "open at the end", []string{})(s.OpenJobs(ctx))
}

// Nobody can fill the disk with orders, and what ended long ago is forgotten.
func testJobLimits(t *testing.T, s *store.Store) {
	ctx := t.Context()
	seed(t, s)
	old := newJob("old", "tea", -400*24*time.Hour)
	old.State, old.Ended = history.Done, old.Created
	check(t, s.CreateJob(ctx, old))
	for i := range history.MaxOpen {
		check(t, s.CreateJob(ctx, newJob(fmt.Sprint("j", i), "oysters", 0)))
	}
	wantErr(t, "one more", s.CreateJob(ctx, newJob("more", "oysters", 0)), ingest.ErrBusy)
	automatic := newJob("auto", "oysters", 0)
	automatic.Account = history.System
	check(t, s.CreateJob(ctx, automatic))
	check(t, s.CreateJob(ctx, newJob("tea", "tea", 0)))
	_, err := s.Job(ctx, "old")
	wantErr(t, "what ended long ago", err, farm.ErrNotFound)
}

func testMends(t *testing.T, s *store.Store) {
	ctx := t.Context()
	check(t, s.PutMends(ctx, nil))
	check(t, s.PutMends(ctx, map[string]string{"a": "1", "b": "1", "c": "1"}))
	check(t, s.PutMends(ctx, map[string]string{"b": "2"}))
	equal(t, "mends", map[string]string{"a": "1", "b": "2", "c": "1"})(s.Mends(ctx))
	check(t, s.ForgetMends(ctx, "a", "x"))
	equal(t, "one forgotten", map[string]string{"b": "2", "c": "1"})(s.Mends(ctx))
	check(t, s.ForgetMends(ctx))
	equal(t, "all forgotten", map[string]string{})(s.Mends(ctx))
	seed(t, s)
	equal(t, "owner", "tea")(s.Owner(ctx, "leaf-1"))
	_, err := s.Owner(ctx, "ghost")
	wantErr(t, "owner of nothing", err, farm.ErrNotFound)
	equal(t, "devices", []string{"leaf-1"})(s.DevicesOf(ctx, "tea"))
}
