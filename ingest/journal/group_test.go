package journal_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tianhai/ingest"
	"tianhai/ingest/journal"
)

// Frames that are appended at once share records, and still arrive whole, once,
// in their device's order, each with a place of its own.
func TestAppendTogether(t *testing.T) {
	both(t, func(t *testing.T, open func(journal.Options) *journal.Journal) {
		const each = 1300 // more than one record holds
		j := open(journal.Options{})
		var devices []string
		for n := range 24 {
			devices = append(devices, fmt.Sprintf("raft-%d", n))
		}
		var wg sync.WaitGroup
		for n, d := range devices {
			wg.Go(func() {
				for some := range slices.Chunk(series(d, 0, each), 1+n*57) {
					if err := j.Append(t.Context(), some...); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
		s, err := j.Stats(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if all := uint64(len(devices) * each); s.Records > all/2 {
			t.Errorf("%d frames take %d records", all, s.Records)
		}
		c := &collector{}
		stop := consume(t, j, journal.Store, c)
		defer stop()
		eventually(t, "all has come", func() bool { return c.count() >= len(devices)*each })
		stop()
		places := map[uint64]bool{}
		last := map[string]uint64{}
		for _, f := range c.got {
			if places[f.Seq] || f.Seq <= last[f.Device] {
				t.Fatalf("frame of %s at %d, after %d", f.Device, f.Seq, last[f.Device])
			}
			places[f.Seq], last[f.Device] = true, f.Seq
		}
		for _, d := range devices {
			if diff := cmp.Diff(series(d, 0, each), c.of(d)); diff != "" {
				t.Errorf("%s (-want +got)\n%s", d, diff)
			}
		}
	})
}

// Frames of several devices in one Append go to their own partitions.
func TestAppendMixed(t *testing.T) {
	both(t, func(t *testing.T, open func(journal.Options) *journal.Journal) {
		j := open(journal.Options{})
		var mixed []ingest.Frame
		for n := range 50 {
			for _, d := range []string{"raft-1", "pond.7", "塘口 3", "tea*>"} {
				mixed = append(mixed, frame(d, n))
			}
		}
		large := ingest.Frame{Device: "pond.7", Received: frame("", 50).Received, Payload: make([]byte, ingest.MaxPayload)}
		mixed = append(mixed, large, frame("pond.7", 51))
		if err := j.Append(t.Context(), mixed...); err != nil {
			t.Fatal(err)
		}
		c := &collector{}
		defer consume(t, j, journal.Watch, c)()
		eventually(t, "all has come", func() bool { return c.count() >= len(mixed) })
		for _, d := range []string{"raft-1", "塘口 3", "tea*>"} {
			if diff := cmp.Diff(series(d, 0, 50), c.of(d)); diff != "" {
				t.Errorf("%s (-want +got)\n%s", d, diff)
			}
		}
		if diff := cmp.Diff(append(series("pond.7", 0, 50), large, frame("pond.7", 51)), c.of("pond.7")); diff != "" {
			t.Error("pond.7 differs, with its largest frame")
		}
	})
}
