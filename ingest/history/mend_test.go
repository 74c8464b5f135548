package history_test

import (
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"tianhai/ingest"
	"tianhai/ingest/history"
)

func (p *plant) mender(changed *atomic.Int64) *history.Mender {
	return &history.Mender{
		Desk: p.desk, Store: p.register, Devices: p.journal.QuarantinedDevices, Version: func() string { return "1" },
		Changed: func() { changed.Add(1) }, Every: 10 * time.Millisecond,
	}
}

// What a device has in quarantine is replayed by itself once it can be read
// otherwise, in one job for each tenant, and not over and over.
func TestMender(t *testing.T) {
	p, start := newLive(t)
	for _, d := range []string{"late-1", "late-2", "buoy-1", "leaf-1", "ghost"} {
		p.append(d, payload(start, `"t":20,"x":1`), time.Now())
	}
	p.keep()
	// How those were read that were there already.
	var changed atomic.Int64
	stop := during(t, p.mender(&changed).Run)
	eventually(t, "a first try for the three that are known", func() bool { return len(p.all()) == 2 && len(p.mended()) == 2 })
	stop()
	for _, j := range p.all() {
		if j.Account != history.System || !j.Replay.QuarantineOnly || !slices.Equal(j.Replay.Devices, map[string][]string{"oysters": {"buoy-1"}, "tea": {"leaf-1"}}[j.Tenant]) {
			t.Errorf("%+v of %v", j, j.Replay)
		}
	}
	p.work()

	stop = during(t, p.mender(&changed).Run)
	for i := range 3 { // at once
		for _, d := range []string{"late-1", "late-2", "buoy-1"} {
			p.change(d, func(pr *ingest.Profile) {
				pr.Channels["x"] = ingest.Channel{Quantity: quantity("water.ph"), Slope: float64(i + 1)}
			})
		}
	}
	eventually(t, "a job for what was registered", func() bool { return len(p.mended()) == 4 && len(p.all()) == 3 })
	p.work()
	if j := p.all()[2]; j.Progress.Released != 3 || len(p.reasons("late-1"))+len(p.reasons("late-2"))+len(p.reasons("buoy-1")) != 0 {
		t.Errorf("%+v", j)
	}
	if n := p.count("late-2", "water.ph"); n != 1 {
		t.Errorf("%d values", n)
	}
	if changed.Load() == 0 {
		t.Error("the other readers of frames were not told")
	}
	if len(p.reasons("leaf-1")) != 1 || len(p.reasons("ghost")) != 1 {
		t.Error("others left the quarantine")
	}

	// What cannot be seen in a profile can be asked for.
	if err := p.mender(nil).ReplayQuarantine(t.Context(), "leaf-1", "ghost"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a job that was asked for", func() bool { return len(p.all()) == 4 && len(p.mended()) == 4 })
	stop()
	if j := p.all()[3]; !slices.Equal(j.Replay.Devices, []string{"leaf-1"}) {
		t.Errorf("%+v", j.Replay)
	}
	// Another program may read what this one could not.
	next := p.mender(&changed)
	next.Version = func() string { return "2" }
	stop = during(t, next.Run)
	eventually(t, "a job after an upgrade", func() bool { return len(p.all()) == 5 })
	stop()
}

func (r *register) mended() []string {
	defer r.mu.Unlock()
	r.mu.Lock()
	var all []string
	for d := range r.mends {
		all = append(all, d)
	}
	return all
}
