// The race detector makes this take minutes, and what it holds itself is counted too:
// make test runs it without.

//go:build !race

package press_test

import (
	"fmt"
	"io"
	"runtime"
	"testing"

	"tianhai/trace/label/press"
)

// Long jobs are written as they are made: what is held does not grow with them, but
// for the directory of a ZIP, which is at its end.
func TestLongJobs(t *testing.T) {
	const count = 5_000
	p := newPress(t)
	for _, tt := range []struct {
		format  press.Format
		picture press.Format
		each    int // bytes a label
	}{{press.ZPL, "", 8}, {press.ZIP, press.SVG, 600}} {
		t.Run(string(tt.format), func(t *testing.T) {
			var first, last int
			done := []int{}
			job := press.Job{Stock: stock(t, "roll-40x30"), Picture: tt.picture, Count: count, Labels: many(count)}
			job.Progress = func(n int) {
				done = append(done, n)
				switch n {
				case 1000:
					first = held()
				case count:
					last = held()
				}
			}
			if err := p.Write(t.Context(), io.Discard, tt.format, job); err != nil {
				t.Fatal(err)
			}
			if grown := last - first; grown > tt.each*(count-1000)+1<<18 {
				t.Errorf("%d labels more are held in %d bytes more", count-1000, grown)
			}
			if len(done) < count/1000 || done[len(done)-1] != count {
				t.Errorf("progress %v", done)
			}
		})
	}
}

// held returns how much memory is in use.
func held() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc) //nolint:gosec // far from the end of an int
}

// BenchmarkLabels makes 100,000 labels in every way that has no end, and a full PDF.
func BenchmarkLabels(b *testing.B) {
	p := newPress(b)
	for _, bb := range []struct {
		format, picture press.Format
		count           int
	}{{press.PDF, "", press.MaxPDF}, {press.ZPL, "", 100_000}, {press.ZIP, press.SVG, 100_000}, {press.ZIP, press.PNG, 100_000}} {
		b.Run(fmt.Sprintf("%s%s-%d", bb.format, bb.picture, bb.count), func(b *testing.B) {
			before, peak := held(), 0
			for b.Loop() {
				job := press.Job{Stock: stock(b, "roll-60x40"), Picture: bb.picture, DPI: 203, Count: bb.count, Labels: many(bb.count)}
				job.Progress = func(n int) {
					if n%25_000 == 0 {
						peak = max(peak, held())
					}
				}
				size := &counter{}
				if err := p.Write(b.Context(), size, bb.format, job); err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(size.n)/float64(bb.count), "bytes/label")
			}
			b.ReportMetric(float64(bb.count)*float64(b.N)/b.Elapsed().Seconds(), "labels/s")
			b.ReportMetric(float64(max(peak-before, 0))/1e6, "MB-held")
		})
	}
}

// A counter counts bytes.
type counter struct{ n int }

func (c *counter) Write(p []byte) (int, error) { c.n += len(p); return len(p), nil }
