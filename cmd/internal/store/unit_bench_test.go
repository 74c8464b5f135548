package store_test

import (
	"runtime"
	"runtime/metrics"
	"sync"
	"testing"
	"time"

	"tianhai/cmd/internal/store"
	"tianhai/farm"
	"tianhai/trace/unit"
)

// BenchmarkUnits issues a roll of a million codes, writes all of its labels out one
// after the other, and looks single codes up in it. It reports seconds, codes a second
// and the most memory that was in use beyond what was before.
func BenchmarkUnits(b *testing.B) {
	onBoth(b, benchUnits)
}

func benchUnits(b *testing.B, opt store.Options) {
	s, err := store.Open(b.Context(), opt)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	if err := s.CreateTenant(b.Context(), farm.Tenant{ID: "tea", Name: farm.Text{Zh: "茶场"}, Region: "450400"}); err != nil {
		b.Fatal(err)
	}
	w := newUnitWorld(b, s)
	var r unit.Roll
	b.Run("issue", func(b *testing.B) {
		for b.Loop() {
			stop := peak()
			began := time.Now()
			asked := newRoll(unit.MaxCodes)
			asked.Product = ""
			if r, err = w.Issue(b.Context(), asked); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(time.Since(began).Seconds(), "s/million")
			b.ReportMetric(float64(stop())/(1<<20), "peak-MiB")
		}
		b.ReportMetric(0, "ns/op")
	})
	b.Run("labels", func(b *testing.B) {
		for b.Loop() {
			stop := peak()
			began, n := time.Now(), 0
			for range w.Labels(r, 1, r.Codes) {
				n++
			}
			b.ReportMetric(float64(n)/time.Since(began).Seconds(), "codes/s")
			b.ReportMetric(float64(stop())/(1<<20), "peak-MiB")
		}
		b.ReportMetric(0, "ns/op")
	})
	b.Run("lookup", func(b *testing.B) { benchLookup(b, w, r) })
}

func benchLookup(b *testing.B, w *unitWorld, r unit.Roll) {
	const asked = 2000
	for b.Loop() {
		began := time.Now()
		for l := range w.Labels(r, 500_000, 500_000+asked-1) {
			if u, err := w.Lookup(b.Context(), l.Code); err != nil || u.Number != l.Number {
				b.Fatal(u, err)
			}
		}
		b.ReportMetric(float64(time.Since(began).Microseconds())/asked, "µs/code")
		for l := range w.Labels(r, r.Codes, r.Codes) {
			began := time.Now()
			if _, err := w.Prove(b.Context(), l.Code); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(time.Since(began).Microseconds()), "µs/proof")
		}
	}
	b.ReportMetric(0, "ns/op")
}

// peak watches how much of the heap is in use until the function that it returns is
// called, which tells by how much that rose.
func peak() (stop func() uint64) {
	runtime.GC()
	inUse := func() uint64 {
		sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		metrics.Read(sample)
		return sample[0].Value.Uint64()
	}
	before := inUse()
	most := before
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				most = max(most, inUse())
			}
		}
	})
	return func() uint64 {
		close(done)
		wg.Wait()
		return most - before
	}
}
