package ingest_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"tianhai/ingest"
	"tianhai/ingest/decode"
	"tianhai/ingest/qc"
)

// sonde measures what the benchmarks send.
func sonde(tb testing.TB, id string) *ingest.Profile {
	p := &ingest.Profile{Device: id, Format: "json", Channels: map[string]ingest.Channel{}, Installations: []ingest.Installation{{From: installed, Place: pond}}}
	for _, key := range []string{"temperature", "salinity", "dissolved_oxygen", "ph", "turbidity"} {
		p.Channels[key] = ingest.Channel{Quantity: quantity(tb, "water."+key), Slope: 1}
	}
	return p
}

// frames are n of a device, a millisecond apart.
func sondeFrames(device string, n int) []ingest.Frame {
	at := moved
	fs := make([]ingest.Frame, n)
	for i := range fs {
		payload := fmt.Appendf(nil, `{"ts":%d,"temperature":%.1f,"salinity":%.1f,"dissolved_oxygen":%.2f,"ph":%.2f,"turbidity":%d}`,
			at.UnixMilli()+int64(i), 20+float64(i%100)/10, 10+float64(i%200)/10, 4+float64(i%400)/100, 7+float64(i%100)/100, i%50)
		fs[i] = ingest.Frame{Seq: uint64(i + 1), Device: device, Received: at.Add(time.Hour), Payload: payload}
	}
	return fs
}

// river hands out frames in batches, once.
type river []ingest.Frame

func (river) Partitions() int { return 1 }

func (r river) Consume(ctx context.Context, _ string, _ int, handle func(context.Context, []ingest.Frame) error) error {
	for batch := range slices.Chunk(r, 1000) {
		if err := handle(ctx, batch); err != nil {
			return err
		}
	}
	return nil
}

// nowhere keeps nothing.
type nowhere struct{}

func (nowhere) Write(context.Context, []ingest.Observation) error      { return nil }
func (nowhere) Observe(context.Context, []ingest.Observation) error    { return nil }
func (nowhere) Quarantine(context.Context, ingest.Frame, string) error { return nil }

// BenchmarkReaders shows what each reader of the journal spends on a frame of
// five values, beside what it tells.
func BenchmarkReaders(b *testing.B) {
	readers := map[string]func(*ingest.Interpreter, river) error{
		"keeper": func(in *ingest.Interpreter, source river) error {
			return (&ingest.Keeper{Source: source, Quarantine: nowhere{}, Interpreter: in, Store: nowhere{}}).Run(b.Context())
		},
		"watch": func(in *ingest.Interpreter, source river) error {
			return (&ingest.Watch{Source: source, Interpreter: in, Watchers: []ingest.Watcher{nowhere{}}}).Run(b.Context())
		},
	}
	tests, err := qc.Default()
	if err != nil {
		b.Fatal(err)
	}
	for name, run := range readers {
		b.Run(name, func(b *testing.B) {
			checker, err := qc.New(tests)
			if err != nil {
				b.Fatal(err)
			}
			in := &ingest.Interpreter{Profiles: devices{"sonde-1": sonde(b, "sonde-1")}, Decode: decode.ByFormat, Quality: checker}
			frames := sondeFrames("sonde-1", b.N)
			b.ReportAllocs()
			b.ResetTimer()
			if err := run(in, frames); err != nil {
				b.Fatal(err)
			}
		})
	}
}
