package journal_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tianhai/ingest"
	"tianhai/ingest/journal"
)

// What every reader has passed can be read again, in order, and moves no cursor.
func TestKept(t *testing.T) {
	both(t, func(t *testing.T, open func(journal.Options) *journal.Journal) {
		ctx := t.Context()
		j := open(journal.Options{})
		read := func(since, until time.Time, devices ...string) (frames []ingest.Frame, left []uint64) {
			t.Helper()
			err := j.Kept(ctx, since, until, devices, func(some []ingest.Frame, l uint64) error {
				frames, left = append(frames, some...), append(left, l)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			return frames, left
		}
		later := time.Now().Add(time.Hour)
		if frames, _ := read(time.Time{}, later); len(frames) != 0 {
			t.Errorf("an empty journal has %d frames", len(frames))
		}
		const n = 3000
		for some := range slices.Chunk(series("a", 0, n), 250) {
			if err := j.Append(ctx, some...); err != nil {
				t.Fatal(err)
			}
		}
		appendAll(t, j, series("b", 0, 5)...)
		for range 2 {
			frames, left := read(time.Time{}, later, "a")
			frames = slices.DeleteFunc(frames, func(f ingest.Frame) bool { return f.Device != "a" })
			want := series("a", 0, n)
			for i := range want {
				want[i].Seq = frames[i].Seq
			}
			if d := cmp.Diff(want, frames); d != "" {
				t.Fatalf("(-want +got)\n%s", d)
			}
			if !slices.IsSortedFunc(frames, func(x, y ingest.Frame) int { return int(x.Seq) - int(y.Seq) }) || left[len(left)-1] != 0 {
				t.Errorf("out of order, or %d left at the end", left[len(left)-1])
			}
		}
		if frames, _ := read(time.Time{}, later); len(frames) != n+5 {
			t.Errorf("%d frames of all devices", len(frames))
		}
		if frames, _ := read(later, later.Add(time.Hour)); len(frames) != 0 {
			t.Errorf("%d frames of tomorrow", len(frames))
		}
		if frames, _ := read(time.Time{}, time.Now().Add(-time.Hour)); len(frames) != 0 {
			t.Errorf("%d frames of yesterday", len(frames))
		}
		enough := errors.New("enough")
		if err := j.Kept(ctx, time.Time{}, later, nil, func([]ingest.Frame, uint64) error { return enough }); !errors.Is(err, enough) {
			t.Errorf("the handler's error became %v", err)
		}
		if lag, err := j.Lag(ctx); err != nil || lag[journal.Store] == 0 {
			t.Errorf("a cursor moved: %v, %v", lag, err)
		}
	})
}

// A frame leaves quarantine by its place, and one that is set aside anew is there
// once, also with a reason that it had a moment ago.
func TestRequarantine(t *testing.T) {
	both(t, func(t *testing.T, open func(journal.Options) *journal.Journal) {
		ctx := t.Context()
		j := open(journal.Options{})
		list := func(device string) (all []string, places []uint64) {
			t.Helper()
			q, err := j.Quarantined(ctx, device, 0, 100)
			if err != nil {
				t.Fatal(err)
			}
			for _, x := range q {
				all, places = append(all, fmt.Sprint(x.Frame.Seq, " ", x.Reason)), append(places, x.Seq)
			}
			return all, places
		}
		for i, d := range []string{"a", "a", "b.c"} {
			f := frame(d, i)
			f.Seq = uint64(i + 1)
			if err := j.Quarantine(ctx, f, "x"); err != nil {
				t.Fatal(err)
			}
		}
		first := frame("a", 0)
		first.Seq = 1
		for _, reason := range []string{"y", "x"} {
			_, places := list("a")
			if err := j.Requarantine(ctx, first, reason, places[slices.Index(places, slices.Min(places))]); err != nil {
				t.Fatal(err)
			}
			all, _ := list("a")
			if len(all) != 2 && reason == "y" {
				t.Errorf("%q", all)
			}
		}
		all, places := list("a")
		if !slices.Contains(all, "1 x") {
			t.Errorf("the frame with the reason of before is lost: %q", all)
		}
		if counts, err := j.QuarantinedDevices(ctx); err != nil || !cmp.Equal(counts, map[string]uint64{"a": uint64(len(all)), "b.c": 1}) {
			t.Errorf("by device: %v, %v", counts, err)
		}
		for range 2 { // again is no error
			if err := j.Release(ctx, append(places, 999)...); err != nil {
				t.Fatal(err)
			}
		}
		if all, _ := list("a"); len(all) != 0 {
			t.Errorf("released, and still there: %q", all)
		}
		if all, _ := list("b.c"); len(all) != 1 {
			t.Errorf("another's: %q", all)
		}
		if counts, err := j.QuarantinedDevices(ctx); err != nil || len(counts) != 1 {
			t.Errorf("by device: %v, %v", counts, err)
		}
	})
}
