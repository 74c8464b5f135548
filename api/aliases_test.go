package api_test

import (
	"context"
	"slices"
	"testing"

	"tianhai/farm"
	"tianhai/ingest/device"
)

func (w *world) AddAlias(_ context.Context, a device.Alias) error {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return err
	}
	w.wrote++
	w.aliases = append(w.aliases, a)
	return nil
}

func (w *world) DeleteAlias(_ context.Context, id, alias string) error {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return err
	}
	n := len(w.aliases)
	w.aliases = slices.DeleteFunc(w.aliases, func(a device.Alias) bool { return a.Device == id && a.Alias == alias })
	if len(w.aliases) == n {
		return farm.ErrNotFound
	}
	w.wrote++
	return nil
}

func (w *world) Aliases(_ context.Context, id string) ([]device.Alias, error) {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(w.aliases), func(a device.Alias) bool { return a.Device != id }), nil
}

func TestAliases(t *testing.T) {
	base, _ := serve(t, newWorld())
	c := client{t, base, "admin"}
	want(t, "none", `{"aliases":[]}`, c.do("GET", "/devices/do-1/aliases", "").body)
	const eui = `{"alias":"ac1f09fffe000001","device":"do-1","account":"admin","created":"2026-07-01T04:00:00Z"}`
	want(t, "as on the label", eui, c.do("POST", "/devices/do-1/aliases", `{"alias":"AC-1F-09-FF-FE-00-00-01"}`).body)
	want(t, "an edge node's", 201, c.do("POST", "/devices/do-1/aliases", `{"alias":"Farm/Raft 3/探头"}`).status)
	want(t, "a filter", 400, c.do("POST", "/devices/do-1/aliases", `{"alias":"a/#"}`).status)
	want(t, "empty", 400, c.do("POST", "/devices/do-1/aliases", `{"alias":""}`).status)
	want(t, "deleted", 204, c.do("DELETE", "/devices/do-1/aliases?alias=Farm/Raft%203/%E6%8E%A2%E5%A4%B4", "").status)
	want(t, "deleted again", 404, c.do("DELETE", "/devices/do-1/aliases?alias=Farm/Raft%203/%E6%8E%A2%E5%A4%B4", "").status)
	want(t, "what is left", `{"aliases":[`+eui+`]}`, client{t, base, "farmer"}.do("GET", "/devices/do-1/aliases", "").body)
}
