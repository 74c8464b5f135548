package history_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tianhai/ingest"
	"tianhai/ingest/history"
)

// newLive returns a plant on the clock of the journal, which notes when a frame
// was kept.
func newLive(t *testing.T) (p *plant, start time.Time) {
	p = newPlant(t)
	p.desk.Now = time.Now
	return p, time.Now().UTC().Truncate(time.Minute).Add(-2 * time.Hour)
}

func payload(at time.Time, members string) string {
	return fmt.Sprintf(`{"ts":%d,%s}`, at.UnixMilli(), members)
}

// A device that nobody registered has sent; once it is registered, its frames are
// stored at their own times and leave the quarantine.
func TestReplayOfUnknownDevice(t *testing.T) {
	p, start := newLive(t)
	const n = 50
	for i := range n {
		at := start.Add(time.Duration(i) * time.Minute)
		p.append("late-1", payload(at, `"t":20`), at.Add(time.Second))
	}
	p.append("buoy-1", payload(start, `"t":20`), start)
	p.keep()
	if got := p.reasons("late-1"); len(got) != n {
		t.Fatalf("%d frames in quarantine, want %d", len(got), n)
	}
	j := p.replay("", history.Replay{Devices: []string{"late-1"}, QuarantineOnly: true})
	if j.Progress.Released != 0 || j.Progress.Refused != n || len(p.reasons("late-1")) != n {
		t.Errorf("before it is registered: %+v, %d in quarantine", j.Progress, len(p.reasons("late-1")))
	}
	p.change("late-1", func(*ingest.Profile) {})
	j = p.replay("oysters", history.Replay{Devices: []string{"late-1"}, QuarantineOnly: true})
	if j.State != history.Done || j.Progress.Released != n || j.Progress.Stored != n || j.Progress.Readings != n {
		t.Errorf("%s %s %+v", j.State, j.Error, j.Progress)
	}
	if got := p.reasons("late-1"); len(got) != 0 {
		t.Errorf("%d frames are still in quarantine: %s", len(got), got[0])
	}
	got := p.points("late-1", "water.temperature")
	if len(got) != n || !got[0].at.Equal(start) || got[0].value != 20.5 {
		t.Fatalf("%d points, the first %+v", len(got), got[0])
	}
}

// A frame that was stored in part is stored whole; one that still cannot be stays,
// with the reason of now, and once.
func TestReplayReasons(t *testing.T) {
	p, start := newLive(t)
	p.append("buoy-1", payload(start, `"t":20,"ph":8.1`), start)
	p.append("buoy-1", payload(start.Add(time.Minute), `"t":21,"orp":200`), start)
	p.append("buoy-1", `{"t":`, start)
	p.keep()
	before := p.reasons("buoy-1")
	p.change("buoy-1", func(pr *ingest.Profile) {
		pr.Channels["ph"] = ingest.Channel{Quantity: quantity("water.ph"), Slope: 1}
		pr.Channels["t"] = ingest.Channel{Quantity: quantity("water.temperature"), Slope: 1, Offset: -1}
		delete(pr.Channels, "s")
	})
	for range 2 {
		j := p.replay("oysters", history.Replay{QuarantineOnly: true})
		if d := cmp.Diff(before[1:], p.reasons("buoy-1")); d != "" || j.Error != "" {
			t.Fatalf("in quarantine (-want +got)\n%s%s", d, j.Error)
		}
		if got := p.points("buoy-1", "water.ph"); len(got) != 2 || got[0].value != 8.1 {
			t.Errorf("pH %+v", got)
		}
		if got := p.points("buoy-1", "water.temperature"); len(got) != 2 || got[0].value != 19.0 || got[1].value != 20.0 {
			t.Errorf("temperature %+v", got)
		}
	}
	p.change("buoy-1", func(pr *ingest.Profile) { pr.Installations = nil })
	p.replay("oysters", history.Replay{QuarantineOnly: true})
	want := []string{before[2], "device buoy-1 is not installed at any site"}
	if d := cmp.Diff(want, p.reasons("buoy-1")); d != "" {
		t.Errorf("after it was taken away (-want +got)\n%s", d)
	}
	// The reason it had minutes ago is no repeat that may be dropped.
	p.change("buoy-1", func(*ingest.Profile) {})
	p.replay("oysters", history.Replay{QuarantineOnly: true})
	if got := p.reasons("buoy-1"); len(got) != 2 || !slices.Contains(got, before[1]) {
		t.Errorf("after it was put back: %q", got)
	}
}

// Everything of a period is read again by what the records say now, and nothing
// outside of it; a flag that was bad becomes good.
func TestReplayPeriod(t *testing.T) {
	p, start := newLive(t)
	p.change("buoy-1", func(pr *ingest.Profile) { // in °F by mistake of whoever registered it
		pr.Channels["t"] = ingest.Channel{Quantity: quantity("water.temperature"), Slope: 1.8, Offset: 32}
	})
	at := func(i int) time.Time { return start.Add(time.Duration(i) * 10 * time.Minute) }
	begin := time.Now()
	came := func(i int) time.Time { return begin.Add(time.Duration(i) * time.Millisecond) }
	for i := range 6 {
		p.append("buoy-1", payload(at(i), `"t":25`), came(i))
		p.append("buoy-2", payload(at(i), `"t":25`), came(i))
	}
	p.keep()
	if got := p.points("buoy-1", "water.temperature"); got[2].value != 77.0 || got[2].flag != 4.0 {
		t.Fatalf("before: %+v", got[2])
	}
	p.change("buoy-1", func(pr *ingest.Profile) {
		pr.Channels["t"] = ingest.Channel{Quantity: quantity("water.temperature"), Slope: 1}
	})
	before := p.points("buoy-2", "water.temperature")
	j := p.replay("oysters", history.Replay{Devices: []string{"buoy-1"}, From: came(2), To: came(4)})
	if j.Progress.Stored != 2 || j.Progress.Refused != 0 || j.Progress.Done != j.Progress.Total {
		t.Errorf("%+v", j.Progress)
	}
	for i, pt := range p.points("buoy-1", "water.temperature") {
		value, flag := any(77.0), any(4.0)
		if i == 2 || i == 3 {
			value, flag = 25.0, 1.0
		}
		if pt.value != value || pt.flag != flag {
			t.Errorf("point %d: %+v, want %v with flag %v", i, pt, value, flag)
		}
	}
	if d := cmp.Diff(before, p.points("buoy-2", "water.temperature"), cmp.AllowUnexported(point{})); d != "" {
		t.Errorf("another device's\n%s", d)
	}
	// What the model no longer knows is set aside, once however often it is replayed.
	p.change("buoy-1", func(pr *ingest.Profile) { delete(pr.Channels, "t") })
	for range 2 {
		j = p.replay("oysters", history.Replay{Devices: []string{"buoy-1"}, From: came(2), To: came(4)})
	}
	if got := p.reasons("buoy-1"); len(got) != 2 || j.Progress.Refused != 2 || len(j.Progress.Problems) != 2 {
		t.Errorf("in quarantine: %q, %+v", got, j.Progress)
	}
}

// Tests that look back know what came before the period.
func TestReplayKnowsWhatCameBefore(t *testing.T) {
	p, start := newLive(t)
	at := func(i int) time.Time { return start.Add(time.Duration(i) * time.Minute) }
	begin := time.Now()
	came := func(i int) time.Time { return begin.Add(time.Duration(i) * time.Millisecond) }
	for i := range 30 {
		p.append("buoy-1", payload(at(i), `"do":6`), came(i))
	}
	p.append("buoy-1", payload(at(30), `"do":12,"new":1`), came(30)) // in quarantine, and a spike
	p.append("buoy-1", payload(at(31), `"do":6`), came(31))
	p.keep()
	live := p.points("buoy-1", "water.dissolved_oxygen")
	if live[30].flag != 3.0 || live[31].flag != 3.0 { // so fast a change, twice
		t.Fatalf("live flags %v, %v", live[30].flag, live[31].flag)
	}
	p.change("buoy-1", func(pr *ingest.Profile) {
		pr.Channels["new"] = ingest.Channel{Quantity: quantity("water.ph"), Slope: 1}
	})
	j := p.replay("oysters", history.Replay{QuarantineOnly: true})
	if got := p.points("buoy-1", "water.dissolved_oxygen"); j.Progress.Stored != 1 || got[30].flag != 3.0 {
		t.Errorf("after: flag %v, %+v", got[30].flag, j.Progress)
	}
	j = p.replay("oysters", history.Replay{From: came(30), To: came(32)})
	if got := p.points("buoy-1", "water.dissolved_oxygen"); j.Progress.Stored != 2 || got[30].flag != 3.0 || got[31].flag != live[31].flag {
		t.Errorf("of the period: %+v %+v", got[30:], j.Progress)
	}
}

// Frames that the journal has let go are replayed from the quarantine alone.
func TestReplayOfWhatTheJournalForgot(t *testing.T) {
	p, start := newLive(t)
	for i := range 2500 {
		at := start.Add(time.Duration(i) * time.Second)
		f := ingest.Frame{Seq: uint64(i + 1e9), Device: "late-1", Received: at, Payload: []byte(payload(at, `"t":20`))}
		for _, reason := range []string{"unknown device", "unknown device: again"}[:1+i%2] {
			if err := p.journal.Quarantine(t.Context(), f, reason); err != nil {
				t.Fatal(err)
			}
		}
	}
	p.change("late-1", func(*ingest.Profile) {})
	j := p.replay("", history.Replay{QuarantineOnly: true})
	if n := p.count("late-1", "water.temperature"); n != 2500 || j.Progress.Released != 2500 {
		t.Errorf("%d points, %+v", n, j.Progress)
	}
	if got := p.reasons("late-1"); len(got) != 0 {
		t.Errorf("%d are still in quarantine", len(got))
	}
}

// A tenant's replay touches that tenant's devices.
func TestReplayOfOthers(t *testing.T) {
	p, start := newLive(t)
	for _, d := range []string{"buoy-1", "leaf-1", "ghost"} {
		p.append(d, payload(start, `"t":20,"x":1`), start)
	}
	p.keep()
	for _, d := range []string{"buoy-1", "leaf-1"} {
		p.change(d, func(pr *ingest.Profile) {
			pr.Channels["x"] = ingest.Channel{Quantity: quantity("water.ph"), Slope: 1}
		})
	}
	j := p.replay("oysters", history.Replay{})
	if j.Progress.Released != 1 || len(p.reasons("leaf-1")) != 1 || len(p.reasons("ghost")) != 1 || len(p.reasons("buoy-1")) != 0 {
		t.Errorf("%+v", j.Progress)
	}
	for _, d := range []string{"leaf-1", "ghost", "nothing", "no identifier"} {
		var wrong *history.OrderError
		if _, err := p.desk.Replay(t.Context(), "oysters", "li", history.Replay{Devices: []string{d}}); !errors.As(err, &wrong) {
			t.Errorf("a replay of %s: %v", d, err)
		}
	}
}

// A worker that is stopped in the middle of a replay goes on, and a job that is
// called off stops.
func TestReplayGoesOn(t *testing.T) {
	p, start := newLive(t)
	const n = 9000
	var frames []ingest.Frame
	for i := range n {
		at := start.Add(time.Duration(i) * time.Millisecond * 500)
		frames = append(frames, ingest.Frame{Device: "late-1", Received: at, Payload: []byte(payload(at, `"t":20`))})
	}
	for some := range slices.Chunk(frames, 500) {
		if err := p.journal.Append(t.Context(), some...); err != nil {
			t.Fatal(err)
		}
	}
	p.keep()
	p.change("late-1", func(*ingest.Profile) {})
	var ticks atomic.Int64
	begin := time.Now()
	p.desk.Now = func() time.Time { return begin.Add(time.Duration(ticks.Add(1)) * 2 * time.Second) }
	for stop := range 2 {
		j, err := p.desk.Replay(t.Context(), "oysters", "li", history.Replay{To: begin, QuarantineOnly: true})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		p.onSave = func(j history.Job) {
			if j.Progress.Stored < 2000 {
				return
			}
			if stop == 0 {
				cancel()
			} else {
				p.cancel(j.ID)
			}
		}
		done := during(t, func(context.Context) error { return p.worker().Run(ctx) })
		eventually(t, "the job to stop", func() bool { return ctx.Err() != nil || p.job(j.ID).Ended != time.Time{} })
		cancel()
		done()
		p.onSave = nil
		half := p.job(j.ID)
		if n := half.Progress.Stored; n < 2000 || n >= 9000 {
			t.Fatalf("in the middle: %+v", half.Progress)
		}
		if stop == 0 {
			p.work()
			if j := p.job(j.ID); j.Progress.Stored != n || j.Progress.Released != n || p.count("late-1", "water.temperature") != n {
				t.Fatalf("at the end: %+v, %d points", j.Progress, p.count("late-1", "water.temperature"))
			}
			for _, f := range frames { // once more, for the job that is called off
				f.Seq = uint64(f.Received.UnixMilli())
				if err := p.journal.Quarantine(t.Context(), f, "again"); err != nil {
					t.Fatal(err)
				}
			}
		} else if half.State != history.Cancelled {
			t.Errorf("called off: %s", half.State)
		}
	}
}
