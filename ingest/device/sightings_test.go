package device_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"tianhai/ingest"
	"tianhai/ingest/device"
)

// witness keeps what it is told, and counts how often.
type witness struct {
	mu    sync.Mutex
	at    map[string]time.Time
	calls int
	err   error
}

func (w *witness) Seen(_ context.Context, at map[string]time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls++
	if w.err == nil {
		w.at = maps.Clone(at)
	}
	return w.err
}

func TestSightings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		told := &witness{err: errDown}
		s := device.NewSightings(told, nil)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx) }()
		for n := range 1000 {
			s.Saw("buoy", noon.Add(time.Duration(n)*time.Second))
		}
		obs := []ingest.Observation{{Device: "buoy", Received: noon}} // told late
		if err := s.Observe(ctx, obs); err != nil {
			t.Error(err)
		}
		time.Sleep(device.SightingsEvery)
		synctest.Wait()
		told.mu.Lock()
		told.err = nil
		told.mu.Unlock()
		time.Sleep(device.SightingsEvery)
		synctest.Wait()
		want := map[string]time.Time{"buoy": noon.Add(999 * time.Second)}
		if diff := cmp.Diff(want, told.at); diff != "" || told.calls != 2 {
			t.Errorf("%d calls, told (-want +got):\n%s", told.calls, diff)
		}
		time.Sleep(3 * device.SightingsEvery) // nothing happens, nothing is written
		s.Saw("spare", noon)
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff(map[string]time.Time{"spare": noon}, told.at); diff != "" || told.calls != 3 {
			t.Errorf("%d calls, told at the end (-want +got):\n%s", told.calls, diff)
		}
	})
}

func TestSightingsBounded(t *testing.T) {
	told := &witness{}
	s := device.NewSightings(told, nil)
	for n := range device.DefaultMaxDevices + 10 {
		s.Saw(fmt.Sprint("ghost", n), noon)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Run(ctx); err != nil || len(told.at) != device.DefaultMaxDevices {
		t.Errorf("%d remembered, %v", len(told.at), err)
	}
	told.err = errDown
	s.Saw("buoy", noon)
	if err := s.Run(ctx); !errors.Is(err, errDown) {
		t.Errorf("error %v, want the database's", err)
	}
}
