package api_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"tianhai/farm"
	"tianhai/ingest/device"
)

func (w *world) AddCalibration(_ context.Context, c device.Calibration) error {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return err
	}
	w.wrote++
	w.tuned = append(w.tuned, c)
	return nil
}

func (w *world) Calibrations(_ context.Context, id string) ([]device.Calibration, error) {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return nil, err
	}
	if id != "do-1" {
		return nil, nil
	}
	return w.tuned, nil
}

// Install knows only the tenants' own sites, as the store does.
func (w *world) Install(_ context.Context, in device.Installation) error {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return err
	}
	for _, s := range w.sites {
		if s.ID == in.Site && s.Tenant == w.devices[in.Device].Tenant {
			w.wrote++
			w.moved = append(w.moved, in)
			return nil
		}
	}
	return farm.ErrNotFound
}

func TestCalibrations(t *testing.T) {
	w := newWorld()
	base, _ := serve(t, w)
	c := client{t, base, "manager"}
	want(t, "none", `{"calibrations":[]}`, c.do("GET", "/devices/do-1/calibrations", "").body)
	a := c.do("POST", "/devices/do-1/calibrations", `{"channel":"t","slope":1.02,"offset":-0.3,"from":"2026-06-30T08:00:00+08:00","note":"标准液"}`)
	want(t, "status", 201, a.status)
	const first = `{"device":"do-1","channel":"t","slope":1.02,"offset":-0.3,"from":"2026-06-30T00:00:00Z","recorded":"2026-07-01T04:00:00Z","account":"manager","note":"标准液"}`
	want(t, "answer", first, a.body)
	want(t, "from now on", 201, c.do("POST", "/devices/do-1/calibrations", `{"channel":"t","slope":1,"offset":0}`).status)
	if list := c.do("GET", "/devices/do-1/calibrations", "").body; !strings.Contains(list, first) || !strings.Contains(list, `"from":"2026-07-01T04:00:00Z"`) {
		t.Errorf("list %s", list)
	}
	for name, body := range map[string]string{
		"no slope":        `{"channel":"t","offset":1}`,
		"unknown channel": `{"channel":"x","slope":1}`,
		"future":          `{"channel":"t","slope":1,"from":"2026-07-01T04:06:00Z"}`,
		"long ago":        `{"channel":"t","slope":1,"from":"1969-07-01T04:06:00Z"}`,
		"endless note":    `{"channel":"t","slope":1,"note":"` + strings.Repeat("x", 501) + `"}`,
		"somebody else":   `{"channel":"t","slope":1,"account":"li"}`,
	} {
		if a := c.do("POST", "/devices/do-1/calibrations", body); a.status != 400 {
			t.Errorf("%s: status %d: %s", name, a.status, a.body)
		}
	}
	want(t, "recorded", 2, len(w.tuned))
}

func TestInstallations(t *testing.T) {
	w := newWorld()
	base, _ := serve(t, w)
	c := client{t, base, "manager"}
	want(t, "history", `{"installations":[{"device":"do-1","site":"raft-1","from":"2026-06-30T04:00:00Z"}]}`, c.do("GET", "/devices/do-1/installations", "").body)
	a := c.do("POST", "/devices/shelf/installations", `{"site":"raft-1"}`)
	want(t, "moved", `{"device":"shelf","site":"raft-1","from":"2026-07-01T04:00:00Z"}`, a.body)
	want(t, "another's site", 404, c.do("POST", "/devices/shelf/installations", `{"site":"garden-1"}`).status)
	want(t, "no site", "site", c.do("POST", "/devices/shelf/installations", `{}`).problem(t).Field)
	want(t, "moves", 1, len(w.moved))
}

// A farmer may put a mistake right on the day; later a move is the manager's.
func TestSecondThoughts(t *testing.T) {
	w := newWorld()
	base, _ := serve(t, w)
	c := client{t, base, "farmer"}
	want(t, "after a day", 403, c.do("POST", "/devices/do-1/installations", `{"site":"raft-1"}`).status)
	w.newer = time.Second
	want(t, "within a day", 201, c.do("POST", "/devices/do-1/installations", `{"site":"raft-1"}`).status)
}
