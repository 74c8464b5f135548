package alert_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tianhai/monitor/alert"
)

// charges are the limits of single devices, which come and go.
type charges struct {
	mu    sync.Mutex
	rules []alert.Rule
	err   error
}

func (c *charges) OwnRules(context.Context) ([]alert.Rule, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.rules), c.err
}

func (c *charges) set(err error, rules ...alert.Rule) {
	c.mu.Lock()
	c.rules, c.err = rules, err
	c.mu.Unlock()
	time.Sleep(time.Minute) // of the bubble: until the engine has seen it
}

func tooWarm(id string, limit float64, devices ...string) alert.Rule {
	return alert.Rule{ID: "shipment/" + id + "/above", Severity: alert.Critical, Quantity: "air.temperature", Above: &limit, Devices: devices, For: 5 * time.Minute}
}

// A truck's own limits wake somebody for its loggers and for nobody else's, over a
// restart, until it arrives.
func TestOwnLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, c := newMemory(), &charges{}
		start := func() (*alert.Engine, func()) {
			e := alert.New(alert.Config{Rules: parse(t, oxygenRule), Store: m, Charge: c, Channels: []string{"hook"}})
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- e.Run(ctx) }()
			synctest.Wait()
			return e, func() {
				cancel()
				if err := <-done; err != nil {
					t.Error(err)
				}
			}
		}
		e, stop := start()
		measure := func(minutes int, value float64, devices ...string) {
			t.Helper()
			for range minutes {
				for _, d := range devices {
					observe(t, e, now(d, "air.temperature", value))
				}
				time.Sleep(time.Minute)
			}
		}
		measure(10, 9, "cold-1", "cold-2")
		want(t, "nobody has limits", nil, m.told())

		c.set(nil, tooWarm("s1", 4, "cold-1"))
		measure(10, 3, "cold-1")
		measure(4, 9, "cold-1", "cold-2")
		measure(1, 3, "cold-1")
		want(t, "the door was open for four minutes", nil, m.told())
		measure(7, 9, "cold-1", "cold-2")
		want(t, "too warm", []string{"shipment/s1/above cold-1 firing"}, m.told())

		c.set(errors.New("database is away"))
		want(t, "what cannot be read changes nothing", alert.Firing, m.only(t).State)
		c.set(nil, tooWarm("s1", 4, "cold-1"), tooWarm("s2", 8, "cold-2"))
		stop()
		e, stop = start()
		measure(7, 9, "cold-1", "cold-2")
		want(t, "after a restart", []string{"shipment/s1/above cold-1 firing", "shipment/s2/above cold-2 firing"}, m.told())

		c.set(nil, tooWarm("s2", 8, "cold-2"))
		want(t, "it has arrived", []string{"shipment/s1/above cold-1 firing", "shipment/s1/above cold-1 resolved", "shipment/s2/above cold-2 firing"}, sorted(m.told()))
		for _, a := range m.alerts {
			if a.Device == "cold-1" && a.State == alert.Resolved && a.Reason != alert.LimitsEnded {
				t.Errorf("it ended because %q", a.Reason)
			}
		}
		stop()

		// It arrives while nobody watches.
		c.set(nil)
		e, stop = start()
		measure(1, 9, "cold-2")
		want(t, "arrived meanwhile", 4, len(m.told()))
		want(t, "no limit any more", 4, func() int { measure(10, 9, "cold-1", "cold-2"); return len(m.told()) }())
		stop()
	})
}

func sorted(said []string) []string { slices.Sort(said); return said }
