package alert_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tianhai/farm"
	"tianhai/ingest"
	"tianhai/monitor/alert"
)

const silenceRules = `
rules:
- {id: silent, title: {zh: 无数据, en: Silent}, severity: warning, no_data_for: 30m}
- {id: blind, title: {zh: 溶氧无数据, en: No oxygen}, severity: critical, site_kinds: [pond], quantity: water.dissolved_oxygen, no_data_for: 15m}
`

// fleet is a list of devices that a test may change between ticks.
type fleet struct {
	mu      sync.Mutex
	watched []alert.Watched
	err     error
	during  func() // what happens meanwhile
}

func (f *fleet) Watched(context.Context) ([]alert.Watched, error) {
	f.mu.Lock()
	list, err, during := slices.Clone(f.watched), f.err, f.during
	f.during = nil
	f.mu.Unlock()
	if during != nil {
		during()
	}
	return list, err
}

func (f *fleet) change(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do()
}

func inPond(devices ...string) *fleet {
	f := &fleet{}
	for _, d := range devices {
		f.watched = append(f.watched, alert.Watched{Device: d, Place: pond, Quantities: []string{"water.ph", "water.dissolved_oxygen"}})
	}
	return f
}

// run starts an engine inside a synctest bubble and returns it with its stop.
func run(t *testing.T, rules string, m *memory, f alert.Fleet) (*alert.Engine, func()) {
	t.Helper()
	e := alert.New(alert.Config{Rules: parse(t, rules), Store: m, Fleet: f, Channels: []string{"hook"}})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	synctest.Wait()
	return e, func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run returned %v", err)
		}
	}
}

// now returns a reading taken at this moment of the bubble's clock.
func now(device, q string, value float64) ingest.Observation {
	at := time.Now().UTC()
	return ingest.Observation{
		Device: device, Place: pond, Time: at, Received: at,
		Readings: []ingest.Reading{{Quantity: quantity(q), Value: value, Flag: ingest.Good}},
	}
}

func TestSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, f := newMemory(), inPond("a", "never")
		f.watched = append(f.watched, alert.Watched{Device: "tea", Place: ingest.Place{Site: "hill", Kind: farm.Garden}, Quantities: []string{"air.rain"}})
		e, stop := run(t, silenceRules, m, f)
		defer stop()
		start := time.Now().UTC()

		time.Sleep(10 * time.Minute)
		observe(t, e, now("a", "water.dissolved_oxygen", 6))
		time.Sleep(6 * time.Minute)
		want(t, "only what never spoke", []string{"blind never firing"}, m.changes())
		want(t, "limit in seconds", 900.0, m.only(t).Limit)
		want(t, "no value", nil, m.only(t).Value)
		want(t, "silent since", start, m.only(t).Began)

		observe(t, e, now("a", "water.ph", 8))
		time.Sleep(10 * time.Minute)
		want(t, "pH is not oxygen", []string{"blind never firing", "blind a firing"}, m.changes())

		time.Sleep(5 * time.Minute)
		observe(t, e, now("tea", "air.rain", 0), now("never", "water.dissolved_oxygen", 5))
		want(t, "one reading ends every silence of the device", []string{
			"blind never firing", "blind a firing", "silent never firing", "silent tea firing",
		}, sortedTail(m.changes()[:2], m.changes()[2:4]))
		want(t, "ended", []string{"silent tea resolved", "silent never resolved", "blind never resolved"}, m.changes()[4:])
	})
}

// sortedTail puts two changes of the same tick, whose order says nothing, in order.
func sortedTail(head, tail []string) []string {
	out := append([]string{}, head...)
	if len(tail) == 2 && tail[0] > tail[1] {
		tail = []string{tail[1], tail[0]}
	}
	return append(out, tail...)
}

// Silence is told by when a reading came, not when it was taken; one without a
// usable value says nothing.
func TestSilenceIsOfReceipt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		e, stop := run(t, silenceRules, m, inPond("a"))
		defer stop()
		time.Sleep(14 * time.Minute)
		late := now("a", "water.dissolved_oxygen", 6)
		late.Time = late.Time.Add(-13 * time.Minute)
		observe(t, e, late)
		time.Sleep(14 * time.Minute)
		want(t, "a stored reading was received", nil, m.changes())
		missing := now("a", "water.dissolved_oxygen", 0)
		missing.Readings[0].Flag = ingest.Missing
		observe(t, e, missing)
		time.Sleep(2 * time.Minute)
		want(t, "a missing one is silence", []string{"blind a firing"}, m.changes())
	})
}

// A restart neither forgets a silence that was told nor tells it again, and does
// not mistake its own absence for the devices'.
func TestSilenceAcrossRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		_, stop := run(t, silenceRules, m, inPond("a"))
		time.Sleep(16 * time.Minute)
		stop()
		time.Sleep(5 * time.Hour)
		e, stop := run(t, silenceRules, m, inPond("a", "b"))
		defer stop()
		time.Sleep(14 * time.Minute)
		want(t, "nothing new", []string{"blind a firing"}, m.changes())
		unread := now("a", "water.dissolved_oxygen", 6)
		unread.Received = unread.Received.Add(-3 * time.Hour)
		observe(t, e, unread)
		want(t, "a frame from before the silence does not end it", alert.Firing, m.only(t).State)
		observe(t, e, now("a", "water.dissolved_oxygen", 6))
		want(t, "ended", []string{"blind a firing", "blind a resolved"}, m.told())
	})
}

// A device registered long after the start gets its full time.
func TestNewDeviceIsNotSilentYet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, f := newMemory(), inPond()
		_, stop := run(t, silenceRules, m, f)
		defer stop()
		time.Sleep(3 * time.Hour)
		f.change(func() { f.watched = inPond("new").watched })
		time.Sleep(14 * time.Minute)
		want(t, "changes", nil, m.changes())
		time.Sleep(3 * time.Minute)
		want(t, "changes", []string{"blind new firing"}, m.changes())
	})
}

func TestDeviceRemovedOrMoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, f := newMemory(), inPond("a")
		e, stop := run(t, silenceRules, m, f)
		defer stop()
		time.Sleep(16 * time.Minute)
		want(t, "silent", alert.Firing, m.only(t).State)
		f.change(func() { f.watched[0].Place.Kind, f.watched[0].Place.Site = farm.Barn, "barn-1" })
		time.Sleep(2 * time.Minute)
		want(t, "reason", alert.DeviceMoved, m.only(t).Reason)

		time.Sleep(13 * time.Minute)
		want(t, "silent in the barn", "silent a firing", m.changes()[2])
		f.change(func() { f.watched = nil })
		time.Sleep(2 * time.Minute)
		want(t, "removed", "silent a resolved", m.changes()[3])
		observe(t, e, now("b", "water.ph", 7))
		time.Sleep(2 * time.Hour)
		want(t, "nobody watches it", 4, len(m.changes()))
	})
}

// A pending alert fires by the clock when no reading says otherwise, and never
// for time in which nobody listened.
func TestPendingByClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		e, stop := run(t, oxygenRule, m, inPond("a"))
		observe(t, e, now("a", "water.dissolved_oxygen", 3))
		time.Sleep(119 * time.Second)
		want(t, "not yet", alert.Pending, m.only(t).State)
		stop()
		time.Sleep(time.Hour)

		e, stop = run(t, oxygenRule, m, inPond("a"))
		defer stop()
		time.Sleep(119 * time.Second)
		want(t, "the journal may hold the reading that clears it", alert.Pending, m.only(t).State)
		time.Sleep(11 * time.Second)
		want(t, "fired", alert.Firing, m.only(t).State)
		observe(t, e, now("a", "water.dissolved_oxygen", 5))
		want(t, "told", []string{"low a firing", "low a resolved"}, m.told())
	})
}

// What the store refuses is stored at the next tick; a fleet that cannot be
// listed is not an empty one.
func TestTickBearsFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, f := newMemory(), inPond("a")
		m.fail["OpenAlerts"] = 2
		_, stop := run(t, silenceRules, m, f)
		defer stop()
		time.Sleep(2 * time.Minute)
		f.change(func() { f.err = errDown })
		m.failNext("SaveAlert", 3)
		time.Sleep(15 * time.Minute)
		want(t, "changes", []string{"blind a firing"}, m.changes())
	})
}

// A device registered while the list is made is not on it, and not gone either.
func TestDeviceHeardWhileListing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, f := newMemory(), inPond()
		e := alert.New(alert.Config{Rules: parse(t, oxygenRule), Store: m, Fleet: f})
		f.during = func() {
			observe(t, e, now("a", "water.dissolved_oxygen", 3))
			f.change(func() { f.watched = inPond("a").watched })
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
		defer cancel()
		if err := e.Run(ctx); err != nil {
			t.Error(err)
		}
		want(t, "changes", []string{"low a pending", "low a firing"}, m.changes())
	})
}
