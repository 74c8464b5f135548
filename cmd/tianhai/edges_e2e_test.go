package main_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// An edgeNode is a Sparkplug edge node with one device, made without any of the
// product's code. It does what it is told, and obeys rebirth requests.
type edgeNode struct {
	t      *testing.T
	client paho.Client

	mu     sync.Mutex
	seq    uint64
	asked  int  // how often it was asked for its births
	deaf   bool // to such requests
	last   time.Time
	values map[float64]time.Time
}

// A spMetric of a payload; births have its name and datatype, data its alias.
type spMetric struct {
	name  string
	alias uint64
	kind  uint64 // 10 is Double, 8 UInt64, 11 Boolean
	value float64
	old   bool
}

func spField(b []byte, number, wire uint64) []byte { return binary.AppendUvarint(b, number<<3|wire) }

func spPayload(at time.Time, seq uint64, birth bool, metrics ...spMetric) []byte {
	out := binary.AppendUvarint(spField(nil, 1, 0), uint64(at.UnixMilli()))
	for _, m := range metrics {
		var x []byte
		if birth {
			x = append(binary.AppendUvarint(spField(x, 1, 2), uint64(len(m.name))), m.name...)
			x = binary.AppendUvarint(spField(x, 4, 0), m.kind)
		}
		if m.alias > 0 {
			x = binary.AppendUvarint(spField(x, 2, 0), m.alias)
		}
		x = binary.AppendUvarint(spField(x, 3, 0), uint64(at.UnixMilli()))
		if m.old {
			x = binary.AppendUvarint(spField(x, 5, 0), 1)
		}
		switch m.kind {
		case 8:
			x = binary.AppendUvarint(spField(x, 11, 0), uint64(m.value))
		case 11:
			x = binary.AppendUvarint(spField(x, 14, 0), uint64(m.value))
		default:
			x = binary.LittleEndian.AppendUint64(spField(x, 13, 1), math.Float64bits(m.value))
		}
		out = append(binary.AppendUvarint(spField(out, 2, 2), uint64(len(x))), x...)
	}
	return binary.AppendUvarint(spField(out, 3, 0), seq)
}

const (
	spNode  = "spBv1.0/North Farm/%s/Raft 3"
	spProbe = spNode + "/Probe-1"
)

func startEdgeNode(t *testing.T, addr string) *edgeNode {
	t.Helper()
	n := &edgeNode{t: t, values: map[float64]time.Time{}}
	death := spPayload(time.Now(), 0, true, spMetric{name: "bdSeq", kind: 8, value: 1})
	opt := paho.NewClientOptions().AddBroker("tcp://"+addr).SetClientID("raft-3").SetAutoReconnect(false).
		SetBinaryWill(fmt.Sprintf(spNode, "NDEATH"), death, 1, false)
	n.client = paho.NewClient(opt)
	settle(t, n.client.Connect())
	t.Cleanup(func() { n.client.Disconnect(0) })
	settle(t, n.client.Subscribe(fmt.Sprintf(spNode, "NCMD"), 1, func(_ paho.Client, m paho.Message) {
		if !strings.Contains(string(m.Payload()), "Node Control/Rebirth") {
			t.Errorf("command % x", m.Payload())
		}
		n.mu.Lock()
		defer n.mu.Unlock()
		if n.asked++; !n.deaf {
			go n.birth()
		}
	}))
	return n
}

func (n *edgeNode) publish(topic string, payload []byte) {
	tok := n.client.Publish(topic, 1, false, payload)
	if !tok.WaitTimeout(20*time.Second) || tok.Error() != nil {
		n.t.Errorf("publish to %s: %v", topic, tok.Error())
	}
}

// now returns a time that was not returned before: a point is keyed by it.
func (n *edgeNode) now() time.Time {
	now := time.Now().Truncate(time.Millisecond)
	if !now.After(n.last) {
		now = n.last.Add(time.Millisecond)
	}
	n.last = now
	return now
}

// birth publishes all births.
func (n *edgeNode) birth() {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := n.now()
	n.publish(fmt.Sprintf(spNode, "NBIRTH"), spPayload(now, 0, true,
		spMetric{name: "bdSeq", kind: 8, value: 1}, spMetric{name: "Node Control/Rebirth", kind: 11}))
	n.publish(fmt.Sprintf(spProbe, "DBIRTH"), spPayload(now, 1, true, spMetric{name: "Water/Temp", alias: 5, kind: 10, value: 19}))
	n.seq = 1
	n.values[19] = now
}

// data publishes a value that was never published before.
func (n *edgeNode) data(value float64, old bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := n.now()
	n.seq = (n.seq + 1) % 256
	n.publish(fmt.Sprintf(spProbe, "DDATA"), spPayload(now, n.seq, false, spMetric{alias: 5, kind: 10, value: value, old: old}))
	n.values[value] = now
}

// lose skips a message, as a broker may that has too much to keep.
func (n *edgeNode) lose() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.seq = (n.seq + 1) % 256
}

func (n *edgeNode) heardRequests() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.asked
}

func (n *edgeNode) setDeaf(deaf bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.deaf = deaf
}

const edgeFarm = `
tenants: [{id: oysters, name: {zh: 合作社}, region: "450700"}]
sites: [{id: raft-1, tenant: oysters, region: "450702", kind: raft, name: {zh: 一号排}, latitude: 21.7, longitude: 108.5}]
models: [{id: edge, name: {zh: 边缘节点探头}, format: sparkplug, interval: 1m, channels: [{key: Water/Temp, quantity: water.temperature}]}]
devices: [{id: probe, tenant: oysters, model: edge, name: {zh: 探头}, site: raft-1, from: 2026-01-01T00:00:00Z}]
accounts: [{login: root, name: 管理员, role: administrator}]
`

// An edge node behind a real broker: what it publishes before anybody knows it,
// over a gap, a rebirth and kill -9 of the server, all arrives.
func TestEdgeNode(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	data, file, creds, config := filepath.Join(dir, "data"), filepath.Join(dir, "farm.yaml"), filepath.Join(dir, "creds.csv"), filepath.Join(dir, "tianhai.yaml")
	addr := outsideBroker(t)
	for name, text := range map[string]string{
		file:   edgeFarm,
		config: fmt.Sprintf("brokers: [{name: plant, url: \"tcp://%s\", sparkplug: {groups: [North Farm], host_id: tianhai}}]\n", addr),
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	printed, err := runTianhai(t, "import", file, "--data", data, "--credentials", creds)
	if err != nil {
		t.Fatalf("import: %v\n%s", err, printed)
	}
	var mu sync.Mutex
	state := ""
	watch := anyone(t, addr, "watch")
	settle(t, watch.Subscribe("spBv1.0/STATE/tianhai", 1, func(_ paho.Client, m paho.Message) {
		mu.Lock()
		defer mu.Unlock()
		state = string(m.Payload())
	}))
	host := func(online string) func() bool {
		return func() bool {
			mu.Lock()
			defer mu.Unlock()
			return strings.HasPrefix(state, `{"online":`+online)
		}
	}

	s := startServer(t, "serve", data, "--config", config)
	waitFor(t, "the host to be online", 30*time.Second, host("true"))
	n := startEdgeNode(t, addr)
	n.data(1, false) // before any birth
	waitFor(t, "a request for births", 30*time.Second, func() bool { return n.heardRequests() == 1 })
	for v := 20.0; v < 25; v++ {
		n.data(v, v == 22)
	}
	if out, err := runTianhai(t, "device", "alias", "--data", data, "probe", "North Farm/Raft 3/Probe-1"); err != nil {
		t.Fatalf("alias: %v\n%s", err, out)
	}
	token := embeddedToken(t, data)
	var have [][]any
	stored := func(value float64) bool {
		have = queryInflux(t, s.Influx, token, `SELECT temperature FROM water WHERE device='probe'`)
		rows := queryInflux(t, s.Influx, token, fmt.Sprintf(`SELECT temperature FROM water WHERE device='probe' AND temperature = %v`, value))
		for _, row := range rows {
			n.mu.Lock()
			at := n.values[value]
			n.mu.Unlock()
			if int64(row[0].(float64)) == at.UnixMilli() {
				return true
			}
		}
		return false
	}
	missing := 0.0
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the last that was missed: %v; stored: %v", missing, have)
		}
	})
	all := func(values ...float64) func() bool {
		return func() bool {
			for _, v := range values {
				if !stored(v) {
					missing = v
					return false
				}
			}
			return true
		}
	}
	waitFor(t, "what came before the probe had a name", 90*time.Second, all(19, 1, 20, 21, 22, 23, 24))

	root := newBrowser(t, s.HTTP)
	root.login("root", passwordOf(t, printed, "root"))
	online := func(want bool) func() bool {
		return func() bool {
			var d struct{ Online bool }
			root.getJSON("/api/v1/devices/probe", &d)
			return d.Online == want
		}
	}
	n.data(25, false)
	waitFor(t, "the probe to be online", 30*time.Second, online(true))

	// kill -9: births are known afterwards, and what came meanwhile is no gap.
	s.kill()
	waitFor(t, "the host to be offline", 60*time.Second, host("false"))
	for v := 30.0; v < 40; v++ {
		n.data(v, false)
	}
	before := n.heardRequests()
	s = startServer(t, "serve", data, "--config", config)
	waitFor(t, "what came while the server was away", 60*time.Second, all(25, 30, 31, 35, 39))
	if got := n.heardRequests(); got != before {
		t.Errorf("asked for births %d times although nothing was lost", got-before)
	}

	// A message is lost while the node does not listen: it is set aside with the
	// reason, and kill -9 in between changes nothing.
	n.setDeaf(true)
	n.lose()
	n.data(40, false)
	n.data(41, false)
	waitFor(t, "another request", 90*time.Second, func() bool { return n.heardRequests() > before })
	root = newBrowser(t, s.HTTP)
	root.login("root", passwordOf(t, printed, "root"))
	var set struct {
		Frames []struct{ Device, Reason string }
	}
	waitFor(t, "the frames to be set aside", 30*time.Second, func() bool {
		root.getJSON("/api/v1/quarantine", &set)
		return len(set.Frames) == 2
	})
	for _, f := range set.Frames {
		if f.Device != "North Farm/Raft 3/Probe-1" || !strings.Contains(f.Reason, "rebirth of North Farm/Raft 3 needed") {
			t.Errorf("set aside: %+v", f)
		}
	}
	s.kill()
	n.setDeaf(false)
	n.data(42, false)
	s = startServer(t, "serve", data, "--config", config)
	waitFor(t, "everything, after the rebirth", 120*time.Second, all(40, 41, 42))
	n.data(50, false)
	waitFor(t, "new data", 30*time.Second, all(50))

	root = newBrowser(t, s.HTTP)
	root.login("root", passwordOf(t, printed, "root"))
	waitFor(t, "the quarantine to be empty", 60*time.Second, func() bool {
		root.getJSON("/api/v1/quarantine", &set)
		return len(set.Frames) == 0
	})
	n.publish(fmt.Sprintf(spNode, "NDEATH"), spPayload(time.Now(), 0, true, spMetric{name: "bdSeq", kind: 8, value: 1}))
	waitFor(t, "the probe to be offline", 30*time.Second, online(false))
}
