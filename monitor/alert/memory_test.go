package alert_test

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"tianhai/farm"
	"tianhai/ingest"
	"tianhai/monitor/alert"
)

var errDown = errors.New("store is down")

// memory keeps alerts and notices, as the records database does.
type memory struct {
	mu      sync.Mutex
	alerts  map[string]alert.Alert
	notices map[string]*notice
	log     []string // rule, device and state of every stored change
	saves   int
	fail    map[string]int // by method: how many of the next calls fail
}

type notice struct {
	alert.Notice
	sent   []time.Time
	gaveUp bool
	reason string
}

func newMemory() *memory {
	return &memory{alerts: map[string]alert.Alert{}, notices: map[string]*notice{}, fail: map[string]int{}}
}

func (m *memory) failNext(method string, times int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fail[method] = times
}

// down reports whether this call of a method fails. The caller holds the mutex.
func (m *memory) down(method string) bool {
	m.fail[method]--
	return m.fail[method] >= 0
}

func (m *memory) SaveAlert(_ context.Context, a alert.Alert, notices []alert.Notice) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.down("SaveAlert") {
		return errDown
	}
	m.saves++
	m.log = append(m.log, a.Rule+" "+a.Device+" "+string(a.State))
	m.alerts[a.ID] = a
	if a.State == alert.Inactive {
		delete(m.alerts, a.ID)
	}
	for _, n := range notices {
		if m.notices[n.ID] == nil {
			m.notices[n.ID] = &notice{Notice: n}
		}
	}
	return nil
}

func (m *memory) OpenAlerts(context.Context) ([]alert.Alert, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.down("OpenAlerts") {
		return nil, errDown
	}
	var open []alert.Alert
	for _, a := range m.alerts {
		if a.State == alert.Pending || a.State == alert.Firing {
			open = append(open, a)
		}
	}
	return open, nil
}

func (m *memory) DueNotices(_ context.Context, now time.Time, limit int) ([]alert.Notice, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.down("DueNotices") {
		return nil, errDown
	}
	var due []alert.Notice
	for _, n := range m.notices {
		if len(n.sent) == 0 && !n.gaveUp && !n.Next.After(now) {
			due = append(due, n.Notice)
		}
	}
	slices.SortFunc(due, func(a, b alert.Notice) int { return cmp.Compare(a.ID, b.ID) })
	return due[:min(limit, len(due))], nil
}

func (m *memory) NoticeSent(_ context.Context, id string, at time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.down("NoticeSent") {
		return errDown
	}
	m.notices[id].sent = append(m.notices[id].sent, at)
	return nil
}

func (m *memory) NoticeFailed(_ context.Context, id, reason string, next time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.notices[id]
	n.Attempts++
	n.Next, n.reason, n.gaveUp = next, reason, next.IsZero()
	return nil
}

// notice returns a copy of one notice.
func (m *memory) notice(id string) notice {
	m.mu.Lock()
	defer m.mu.Unlock()
	return *m.notices[id]
}

// told lists rule and state of every notice, by the time it is about.
func (m *memory) told() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []*notice
	for _, n := range m.notices {
		list = append(list, n)
	}
	slices.SortFunc(list, func(a, b *notice) int {
		at := func(n *notice) int64 { return max(n.Alert.Fired.UnixMilli(), n.Alert.Ended.UnixMilli()) }
		return cmp.Or(cmp.Compare(at(a), at(b)), cmp.Compare(a.Alert.Rule+a.Channel, b.Alert.Rule+b.Channel))
	})
	var out []string
	for _, n := range list {
		out = append(out, n.Alert.Rule+" "+n.Alert.Device+" "+string(n.Alert.State))
	}
	return out
}

// stored returns every notice by its ID.
func (m *memory) stored() map[string]alert.Notice {
	out := map[string]alert.Notice{}
	for id, n := range m.notices {
		out[id] = n.Notice
	}
	return out
}

func (m *memory) changes() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.log)
}

// only returns the one alert there is.
func (m *memory) only(t *testing.T) alert.Alert {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.alerts) != 1 {
		t.Fatalf("%d alerts are stored, want one: %v", len(m.alerts), m.alerts)
	}
	for _, a := range m.alerts {
		return a
	}
	return alert.Alert{}
}

var (
	noon = time.Date(2026, 7, 1, 4, 0, 0, 0, time.UTC) // in Guangxi
	pond = ingest.Place{Tenant: "haiyue", Region: "450512", Site: "pond-1", Kind: farm.Pond}
)

func quantity(id string) farm.Quantity {
	q, _ := farm.LookupQuantity(id)
	return q
}

// oxygen returns one reading of a device in the pond, taken and received at
// minutes past noon.
func oxygen(device string, minutes, value float64) ingest.Observation {
	at := noon.Add(time.Duration(minutes * float64(time.Minute)))
	return ingest.Observation{
		Device: device, Place: pond, Time: at, Received: at,
		Readings: []ingest.Reading{{Quantity: quantity("water.dissolved_oxygen"), Value: value, Flag: ingest.Good}},
	}
}

func parse(t testing.TB, src string) []alert.Rule {
	t.Helper()
	rules, err := alert.ParseRules([]byte(src))
	if err != nil {
		t.Fatal(err)
	}
	return rules
}
