package alert_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tianhai/ingest"
	"tianhai/monitor/alert"
)

const oxygenRule = `
rules:
- id: low
  title: {zh: 缺氧, en: Low oxygen}
  severity: critical
  site_kinds: [pond]
  quantity: water.dissolved_oxygen
  below: 4
  clear: 4.5
  for: 2m
`

// engine returns one whose clock stands just after each observation.
func engine(t *testing.T, rules string, m *memory) *alert.Engine {
	t.Helper()
	return alert.New(alert.Config{
		Rules: parse(t, rules), Store: m, Channels: []string{"hook"},
		Now: func() time.Time { return noon },
	})
}

func observe(t *testing.T, e *alert.Engine, obs ...ingest.Observation) {
	t.Helper()
	if err := e.Observe(t.Context(), obs); err != nil {
		t.Fatal(err)
	}
}

func want[T any](t *testing.T, what string, want, got T) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Fatalf("%s (-want +got)\n%s", what, d)
	}
}

// One episode from the first bad reading to the last word about it.
func TestThreshold(t *testing.T) {
	m := newMemory()
	e := engine(t, oxygenRule, m)

	observe(t, e, oxygen("a", 0, 4.0))
	want(t, "4.0 is not below 4", nil, m.changes())

	observe(t, e, oxygen("a", 1, 3.9), oxygen("a", 2, 3.0))
	want(t, "bad for a minute", []string{"low a pending"}, m.changes())
	want(t, "nobody is told of a pending alert", nil, m.told())

	observe(t, e, oxygen("a", 3, 3.8))
	fired := m.only(t)
	value := 3.8
	want(t, "bad for two minutes", alert.Alert{
		ID: fired.ID, Rule: "low", Title: parse(t, oxygenRule)[0].Title, Severity: alert.Critical,
		Tenant: pond.Tenant, Region: pond.Region, Site: pond.Site, Device: "a", Quantity: "water.dissolved_oxygen",
		State: alert.Firing, Value: &value, Limit: 4,
		Began: noon.Add(time.Minute), Fired: noon.Add(3 * time.Minute),
	}, fired)
	want(t, "told", []string{"low a firing"}, m.told())

	observe(t, e, oxygen("a", 4, 4.4), oxygen("a", 5, 3.9))
	want(t, "between threshold and clear it keeps firing", alert.Firing, m.only(t).State)

	observe(t, e, oxygen("a", 6, 4.5), oxygen("a", 7, 4.6))
	resolved := m.only(t)
	want(t, "clear", alert.Resolved, resolved.State)
	want(t, "end", noon.Add(6*time.Minute), resolved.Ended)
	want(t, "same episode", fired.ID, resolved.ID)
	want(t, "told", []string{"low a firing", "low a resolved"}, m.told())

	observe(t, e, oxygen("a", 8, 3), oxygen("a", 10, 3))
	want(t, "a second episode has its own notices", []string{"low a firing", "low a resolved", "low a firing"}, m.told())
}

// What a device says that it kept is history, however new: it neither raises an
// alarm nor ends one.
func TestKeptReadings(t *testing.T) {
	m := newMemory()
	e := engine(t, oxygenRule, m)
	kept := func(minute, value float64) ingest.Observation {
		o := oxygen("a", minute, value)
		o.Old = true
		return o
	}
	observe(t, e, kept(0, 3), kept(2, 3), kept(4, 3))
	want(t, "low, but kept", nil, m.changes())
	observe(t, e, oxygen("a", 5, 3), oxygen("a", 8, 3))
	want(t, "low now", []string{"low a firing"}, m.told())
	observe(t, e, kept(9, 8), kept(12, 8))
	want(t, "well, but kept", []string{"low a firing"}, m.told())
}

// A value that swings about the limit never holds for long enough to wake anybody.
func TestFlapping(t *testing.T) {
	m := newMemory()
	e := engine(t, oxygenRule, m)
	for i := range 60 {
		observe(t, e, oxygen("a", float64(i), 3.9+0.2*float64(i%2)))
	}
	want(t, "told", nil, m.told())
	if len(m.alerts) > 1 {
		t.Errorf("flapping left %d alerts", len(m.alerts))
	}
}

// One that has fired stays one episode however it swings below its clear value.
func TestFlappingWhileFiring(t *testing.T) {
	m := newMemory()
	e := engine(t, oxygenRule, m)
	observe(t, e, oxygen("a", 0, 3), oxygen("a", 2, 3))
	saves := m.saves
	for i := range 60 {
		observe(t, e, oxygen("a", float64(3+i), 3.9+0.2*float64(i%2)))
	}
	want(t, "told", []string{"low a firing"}, m.told())
	want(t, "writes while nothing changes", saves, m.saves)
}

func TestAboveWithoutHoldTime(t *testing.T) {
	m := newMemory()
	e := engine(t, "rules:\n- {id: high, title: {zh: 高, en: High}, severity: warning, quantity: water.dissolved_oxygen, above: 20}\n", m)
	observe(t, e, oxygen("a", 0, 20), oxygen("a", 1, 20.1))
	want(t, "fires at once", []string{"high a firing"}, m.changes())
	observe(t, e, oxygen("a", 2, 20))
	want(t, "ends at the threshold", []string{"high a firing", "high a resolved"}, m.told())
}

// Values that cannot be used neither raise an alarm nor end one.
func TestUnusableReadings(t *testing.T) {
	for _, flag := range []ingest.Flag{ingest.Fail, ingest.Missing} {
		m := newMemory()
		e := engine(t, oxygenRule, m)
		bad := func(minute, value float64) ingest.Observation {
			o := oxygen("a", minute, value)
			o.Readings[0].Flag = flag
			return o
		}
		observe(t, e, bad(0, 0), bad(5, 0))
		want(t, "no alarm from nothing", nil, m.changes())
		observe(t, e, oxygen("a", 6, 3), bad(7, 9), oxygen("a", 8, 3), bad(9, 9))
		want(t, "still firing", alert.Firing, m.only(t).State)
	}
}

// A device that had no network for an hour sends what it stored: that is history.
func TestLateBurst(t *testing.T) {
	burst := func(value float64) []ingest.Observation {
		var obs []ingest.Observation
		for i := range 50 {
			o := oxygen("a", float64(i), value)
			o.Received = noon.Add(61 * time.Minute)
			obs = append(obs, o)
		}
		return obs
	}
	t.Run("raises nothing", func(t *testing.T) {
		m := newMemory()
		e := engine(t, oxygenRule, m)
		observe(t, e, burst(2)...)
		observe(t, e, oxygen("a", 61, 6))
		want(t, "changes", nil, m.changes())
	})
	t.Run("ends nothing", func(t *testing.T) {
		m := newMemory()
		e := engine(t, oxygenRule, m)
		observe(t, e, oxygen("a", 57, 3), oxygen("a", 60, 3))
		observe(t, e, burst(8)...)
		want(t, "state", alert.Firing, m.only(t).State)
	})
}

func TestOlderReadingsAndRepeats(t *testing.T) {
	m := newMemory()
	e := engine(t, oxygenRule, m)
	observe(t, e, oxygen("a", 5, 3))
	older := oxygen("a", 4, 9)
	older.Received = noon.Add(5 * time.Minute)
	observe(t, e, older)
	want(t, "an older good reading is not news", alert.Pending, m.only(t).State)
	observe(t, e, oxygen("a", 7, 3), oxygen("a", 8, 9))
	want(t, "state", alert.Resolved, m.only(t).State)
	observe(t, e, oxygen("a", 5, 3), oxygen("a", 7, 3), oxygen("a", 8, 9))
	want(t, "told once", []string{"low a firing", "low a resolved"}, m.told())
}

// A clock that runs ahead does not shorten the hold time, nor does setting it
// back make the engine blind.
func TestClockAhead(t *testing.T) {
	m := newMemory()
	e := engine(t, oxygenRule, m)
	ahead := oxygen("a", 4, 3)
	ahead.Received = noon
	observe(t, e, ahead)
	want(t, "began", noon, m.only(t).Began)
	observe(t, e, oxygen("a", 2, 3))
	want(t, "state", alert.Firing, m.only(t).State)
}

func TestDevicesAreIndependent(t *testing.T) {
	m := newMemory()
	e := engine(t, oxygenRule, m)
	observe(t, e, oxygen("a", 0, 3), oxygen("b", 0, 3), oxygen("b", 1, 9), oxygen("a", 2, 3), oxygen("b", 2, 3))
	want(t, "changes", []string{"low a pending", "low b pending", "low b inactive", "low a firing", "low b pending"}, m.changes())
}

func TestPlace(t *testing.T) {
	m := newMemory()
	e := engine(t, oxygenRule, m)
	at := func(o ingest.Observation, site string, kind string) ingest.Observation {
		o.Place.Site, o.Place.Kind = site, map[string]ingest.Place{"pond": pond}[kind].Kind
		return o
	}
	observe(t, e, at(oxygen("a", 0, 3), "tank", ""), at(oxygen("a", 3, 3), "tank", ""))
	want(t, "the rule is for ponds", nil, m.changes())
	observe(t, e, oxygen("a", 4, 3), oxygen("a", 6, 3))
	observe(t, e, at(oxygen("a", 7, 3), "pond-2", "pond"))
	want(t, "another pond, another alert", []string{"low a pending", "low a firing", "low a resolved", "low a pending"}, m.changes())
	for _, a := range m.alerts {
		if a.State == alert.Resolved {
			want(t, "reason", alert.DeviceMoved, a.Reason)
			want(t, "site", "pond-1", a.Site)
		}
	}
}

// The journal hands a batch in again when it was not taken.
func TestStoreFailsOnce(t *testing.T) {
	story := []ingest.Observation{oxygen("a", 0, 3), oxygen("a", 2, 3), oxygen("a", 3, 9)}
	for fail := range 4 {
		m := newMemory()
		e := engine(t, oxygenRule, m)
		if fail == 3 {
			m.fail["OpenAlerts"] = 1
		}
		failed := 0
		for i, o := range story {
			if i == fail {
				m.fail["SaveAlert"] = 1
			}
			if err := e.Observe(t.Context(), []ingest.Observation{o}); err != nil {
				if !errors.Is(err, errDown) {
					t.Fatalf("err = %v, want the store's", err)
				}
				failed++
				observe(t, e, o)
			}
		}
		want(t, "failures", 1, failed)
		want(t, "changes", []string{"low a pending", "low a firing", "low a resolved"}, m.changes())
		want(t, "told", []string{"low a firing", "low a resolved"}, m.told())
	}
}

// After a restart at any point, with the batch before it handed in again, the
// same things are stored and the same people told.
func TestRestart(t *testing.T) {
	story := []ingest.Observation{oxygen("a", 0, 9), oxygen("a", 1, 3), oxygen("a", 3, 3), oxygen("a", 4, 9), oxygen("a", 5, 9)}
	once := newMemory()
	observe(t, engine(t, oxygenRule, once), story...)
	for cut := range story {
		for again := range cut + 1 {
			m := newMemory()
			observe(t, engine(t, oxygenRule, m), story[:cut]...)
			observe(t, engine(t, oxygenRule, m), story[again:]...)
			want(t, "alerts", once.alerts, m.alerts)
			want(t, "notices", once.stored(), m.stored())
		}
	}
}

func TestRuleRemoved(t *testing.T) {
	for name, reading := range map[string][]ingest.Observation{
		"pending": {oxygen("a", 0, 3)},
		"firing":  {oxygen("a", 0, 3), oxygen("a", 2, 3)},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMemory()
			observe(t, engine(t, oxygenRule, m), reading...)
			before := len(m.told())
			observe(t, engine(t, "rules: []", m))
			open, _ := m.OpenAlerts(t.Context())
			want(t, "open alerts", 0, len(open))
			want(t, "a removed rule is told of where it had fired", 2*before, len(m.told()))
			if name == "firing" {
				want(t, "reason", alert.RuleRemoved, m.only(t).Reason)
			}
		})
	}
}

type listener struct{ states []alert.State }

func (l *listener) AlertChanged(a alert.Alert) { l.states = append(l.states, a.State) }

func TestListenerAndWake(t *testing.T) {
	m, l, woken := newMemory(), &listener{}, 0
	e := alert.New(alert.Config{
		Rules: parse(t, oxygenRule), Store: m, Channels: []string{"x", "y"},
		Listener: l, Wake: func() { woken++ },
	})
	observe(t, e, oxygen("a", 0, 3), oxygen("a", 2, 3), oxygen("a", 3, 9))
	want(t, "states", []alert.State{alert.Pending, alert.Firing, alert.Resolved}, l.states)
	want(t, "woken", 2, woken)
	want(t, "one notice per channel and change", 4, len(m.told()))
}

// While nothing changes, watching costs no memory and no store.
func TestHotPath(t *testing.T) {
	rules, err := alert.DefaultRules()
	if err != nil {
		t.Fatal(err)
	}
	m := newMemory()
	e := alert.New(alert.Config{Rules: rules, Store: m})
	obs := []ingest.Observation{oxygen("a", 0, 6), oxygen("b", 0, 6)}
	observe(t, e, obs...)
	allocated := testing.AllocsPerRun(100, func() {
		for i := range obs {
			obs[i].Time = obs[i].Time.Add(time.Second)
			obs[i].Received = obs[i].Time
		}
		observe(t, e, obs...)
	})
	want(t, "allocations", 0, allocated)
	want(t, "writes", 0, m.saves)
}

func BenchmarkObserve(b *testing.B) {
	rules, err := alert.DefaultRules()
	if err != nil {
		b.Fatal(err)
	}
	e := alert.New(alert.Config{Rules: rules, Store: newMemory()})
	obs := []ingest.Observation{oxygen("a", 0, 6)}
	b.ReportAllocs()
	for b.Loop() {
		obs[0].Time = obs[0].Time.Add(time.Second)
		obs[0].Received = obs[0].Time
		if err := e.Observe(context.Background(), obs); err != nil {
			b.Fatal(err)
		}
	}
}
