package api_test

import (
	"testing"
	"time"

	"tianhai/farm"
	"tianhai/ingest"
)

func TestRetentions(t *testing.T) {
	w := newWorld()
	base, _ := serve(t, w)
	c := client{t, base, "admin"}
	want(t, "nothing", `{"changes":[],"delay_hours":24,"deletes":true,"floor_days":30,"retentions":[]}`, c.do("GET", "/retentions", "").body)

	const rule = `"tenant":"oyster","medium":"water","keep_raw_days":90,"keep_hour_days":800,"keep_day_days":0`
	const said = `"at":"2026-07-01T04:00:00Z","effective":"2026-07-02T04:00:00Z","account":"admin"`
	a := c.do("PUT", "/retentions", "{"+rule+"}")
	want(t, "set", "{"+rule+`,"clear":false,`+said+`,"pending":true}`, a.body)
	a = c.do("DELETE", "/retentions?tenant=oyster&medium=water", "")
	want(t, "cleared", `{"tenant":"oyster","medium":"water","keep_raw_days":0,"keep_hour_days":0,"keep_day_days":0,"clear":true,`+said+`,"pending":true}`, a.body)
	want(t, "audit", 2, len(w.keeps))

	for name, tt := range map[string]struct{ method, path, body, field string }{
		"below the floor": {"PUT", "/retentions", `{"keep_raw_days":7}`, "keep_raw_days"},
		"hours first":     {"PUT", "/retentions", `{"keep_raw_days":90,"keep_hour_days":30}`, "keep_hour_days"},
		"no such medium":  {"PUT", "/retentions", `{"medium":"fire","keep_raw_days":90}`, "medium"},
		"unknown member":  {"PUT", "/retentions", `{"keep_raw":90}`, "keep_raw"},
		"clear what":      {"DELETE", "/retentions?medium=fire", "", "medium"},
		"yesterday":       {"GET", "/retentions/preview?at=2026-06-30T00:00:00Z", "", "at"},
	} {
		t.Run(name, func(t *testing.T) {
			if p := c.do(tt.method, tt.path, tt.body).problem(t); p.Status != 400 || p.Field != tt.field {
				t.Errorf("%+v, want field %s", p, tt.field)
			}
		})
	}
	want(t, "unknown tenant", 404, c.do("PUT", "/retentions", `{"tenant":"nobody","keep_raw_days":90}`).status)
	want(t, "still", 2, len(w.keeps))

	// A store that cannot delete takes no rule, but one may be taken away.
	w.noDelete = true
	if p := c.do("PUT", "/retentions", "{"+rule+"}").problem(t); p.Status != 409 || p.Code != "no_delete" {
		t.Errorf("set where nothing can be deleted: %+v", p)
	}
	want(t, "cleared all the same", 200, c.do("DELETE", "/retentions", "").status)
}

func TestRetentionPreview(t *testing.T) {
	w := newWorld()
	w.purges = []ingest.Purge{{Tenant: "oyster", Medium: farm.Water, What: "raw", From: noon.Add(-48 * time.Hour), To: noon, Days: 2}}
	base, _ := serve(t, w)
	a := client{t, base, "admin"}.do("GET", "/retentions/preview?at=2026-07-02T04:00:00Z", "")
	want(t, "preview", `{"at":"2026-07-02T04:00:00Z","purges":[{"tenant":"oyster","medium":"water","what":"raw","from":"2026-06-29T04:00:00Z","to":"2026-07-01T04:00:00Z","device_days":2}]}`, a.body)
	want(t, "asked", noon.Add(24*time.Hour), w.previews)
}
