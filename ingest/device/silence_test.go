package device_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"tianhai/ingest"
	"tianhai/ingest/device"
)

// silence is one over a registry with the buoy, which reports every so often, in
// virtual time.
func silence(t *testing.T, interval time.Duration, connected *atomic.Bool) (s *device.Silence, online func() bool) {
	t.Helper()
	w := setup(t, 0)
	w.dir.models[0].Interval = interval
	registry := device.NewRegistry(device.RegistryOptions{Directory: w.dir, Presence: w.told})
	s = &device.Silence{Registry: registry, Connected: func(string) bool { return connected.Load() }}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s, func() bool {
		synctest.Wait()
		d, err := w.dir.Device(t.Context(), "buoy")
		if err != nil {
			t.Fatal(err)
		}
		return d.Online
	}
}

func reading(t *testing.T, s *device.Silence, of string, received time.Time) {
	t.Helper()
	if err := s.Observe(t.Context(), []ingest.Observation{{Device: of, Received: received}}); err != nil {
		t.Fatal(err)
	}
}

func TestSilence(t *testing.T) {
	for name, tt := range map[string]struct{ interval, patience time.Duration }{
		"three intervals":     {10 * time.Minute, 30 * time.Minute},
		"a short interval":    {time.Second, device.MinSilence},
		"an unknown interval": {0, device.UnknownSilence},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var connected atomic.Bool
				s, online := silence(t, tt.interval, &connected)
				reading(t, s, "buoy", time.Now())
				time.Sleep(11 * time.Second)
				if !online() {
					t.Error("a device that sends is not online")
				}
				time.Sleep(tt.patience - 21*time.Second)
				if !online() {
					t.Error("it was given up too early")
				}
				time.Sleep(21 * time.Second)
				if online() {
					t.Error("a silent device is online")
				}
				reading(t, s, "buoy", time.Now())
				time.Sleep(11 * time.Second)
				if !online() {
					t.Error("it is not back")
				}
			})
		})
	}
}

// A session keeps a device online, its end ends it, and so does a last will, until
// something newer comes.
func TestSilenceAndSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var connected atomic.Bool
		connected.Store(true)
		s, online := silence(t, time.Minute, &connected)
		say := func(is bool) {
			t.Helper()
			if err := s.SetOnline(t.Context(), "buoy", is, time.Now()); err != nil {
				t.Fatal(err)
			}
		}
		say(true)
		time.Sleep(time.Hour)
		if !online() {
			t.Error("connected, and given up")
		}
		reading(t, s, "buoy", time.Now())
		time.Sleep(time.Second)
		connected.Store(false)
		say(false)
		time.Sleep(time.Minute)
		if online() {
			t.Error("a reading from before the end of the session counts")
		}
		reading(t, s, "buoy", time.Now())
		time.Sleep(11 * time.Second)
		if !online() {
			t.Error("a reading from after it does not count")
		}
		// An outside broker keeps saying that it is there, and nothing else comes.
		say(true)
		time.Sleep(4 * time.Minute)
		if online() {
			t.Error("nothing has come since it was said to be there")
		}
	})
}

// After a restart old frames are read again, and tell nothing of now; and who is
// registered nowhere harms nobody.
func TestSilenceOldNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var connected atomic.Bool
		s, online := silence(t, time.Minute, &connected)
		reading(t, s, "buoy", time.Now().Add(-time.Hour))
		reading(t, s, "ghost", time.Now())
		time.Sleep(time.Minute)
		if online() {
			t.Error("an old reading counts")
		}
	})
}
