package fleet_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"tianhai/firmware-sim/fleet"
)

func newFleet(t *testing.T, cfg fleet.Config) *fleet.Fleet {
	t.Helper()
	for i := range cfg.Devices {
		d := &cfg.Devices[i]
		if d.ID == "" {
			d.ID = d.Kind
		}
		d.Secret = "secret-" + d.ID
	}
	f, err := fleet.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// arrived returns the distinct times that a device's payloads carry, and
// whether the first deliveries came in order.
func arrived(t *testing.T, w *watcher, device string) (times map[int64]bool, ordered bool) {
	t.Helper()
	times, ordered = map[int64]bool{}, true
	last := int64(0)
	for _, p := range w.on("th/" + device + "/up") {
		ts := parse(t, []byte(p)).at.UnixMilli()
		if !times[ts] {
			ordered = ordered && ts > last
			last = ts
		}
		times[ts] = true
	}
	return times, ordered
}

func TestFleetPublishes(t *testing.T) {
	kinds := []string{"raft", "pond", "garden", "orchard", "barn"}
	broker := startMosquitto(t, kinds...)
	w := watch(t, broker)
	cfg := fleet.Config{Broker: broker.url(), Seed: 7, Start: summer, Speed: 6000, Interval: 10 * time.Minute}
	for _, k := range kinds {
		cfg.Devices = append(cfg.Devices, fleet.Device{Kind: k})
	}
	f := newFleet(t, cfg)
	stop := running(t, f.Run)
	eventually(t, "five measurements of each device", func() bool {
		for _, k := range kinds {
			if len(w.on("th/"+k+"/up")) < 5 {
				return false
			}
		}
		return true
	})
	if s := f.Stats(); s.Online != 5 || s.Devices != 5 {
		t.Errorf("%d of %d devices are online, want 5 of 5", s.Online, s.Devices)
	}
	for _, k := range kinds {
		if got := w.last("th/" + k + "/status"); got != "online" {
			t.Errorf("%s says %q, want online", k, got)
		}
	}
	stop()
	s := f.Stats()
	if s.Measured == 0 || s.Measured != s.Acknowledged || s.Stored != 0 || s.Dropped != 0 || s.Online != 0 {
		t.Errorf("in the end %+v; want all measured acknowledged", s)
	}
	eventually(t, "all is seen", func() bool {
		n := 0
		for _, k := range kinds {
			n += len(w.on("th/" + k + "/up"))
			if w.last("th/"+k+"/status") != "offline" {
				return false
			}
		}
		return n >= int(s.Measured)
	})
	// Over MQTT come the very bytes that History foretells.
	for _, k := range kinds {
		seen := w.on("th/" + k + "/up")
		want := history(t, 7, fleet.Device{ID: k, Kind: k}, summer, time.Minute, time.Minute)
		if seen[0] != string(want[0].raw) {
			t.Errorf("first measurement\n%s, foretold\n%s", seen[0], want[0].raw)
		}
	}
}

func TestWrongPasswordStores(t *testing.T) {
	broker := startMosquitto(t, "raft")
	f, err := fleet.New(fleet.Config{
		Broker: broker.url(), Interval: 10 * time.Millisecond, Grace: time.Millisecond,
		Devices: []fleet.Device{{ID: "raft", Kind: "raft", Secret: "guess"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	stop := running(t, f.Run)
	eventually(t, "measurements", func() bool { return f.Stats().Measured > 20 })
	stop()
	if s := f.Stats(); s.Acknowledged != 0 || s.Stored != int(s.Measured) {
		t.Errorf("with a wrong password %+v, want all stored", s)
	}
}

// TestOutage stops the broker, and then cuts the cable, under a fleet. Every
// measurement arrives, in order, and the wills tell of the loss.
func TestOutage(t *testing.T) {
	devices := []fleet.Device{{Kind: "raft"}, {Kind: "pond"}, {Kind: "barn"}}
	broker := startMosquitto(t, "raft", "pond", "barn")
	line := newCable(t, broker)
	w := watch(t, broker)
	f := newFleet(t, fleet.Config{Broker: line.url(), Devices: devices, Interval: 5 * time.Millisecond, Grace: 30 * time.Second})
	stop := running(t, f.Run)
	outages := []struct{ begin, end func() }{
		{broker.stop, func() { broker.start(t) }},
		{func() {
			line.cut()
			eventually(t, "the last wills", func() bool {
				return w.last("th/raft/status") == "offline" && w.last("th/pond/status") == "offline" && w.last("th/barn/status") == "offline"
			})
		}, line.mend},
	}
	for _, outage := range outages {
		before := f.Stats().Acknowledged
		eventually(t, "acknowledgements", func() bool { return f.Stats().Acknowledged > before+200 })
		outage.begin()
		measured := f.Stats().Measured
		eventually(t, "measuring without a broker", func() bool { s := f.Stats(); return s.Measured > measured+200 && s.Stored > 150 })
		outage.end()
	}
	eventually(t, "the backlog is gone", func() bool { return f.Stats().Stored < 10 })
	stop()
	s := f.Stats()
	if s.Acknowledged != s.Measured || s.Stored != 0 || s.Dropped != 0 {
		t.Fatalf("in the end %+v; want all measured acknowledged", s)
	}
	eventually(t, "every measurement arrives", func() bool {
		total := 0
		for _, d := range devices {
			times, _ := arrived(t, w, d.ID)
			total += len(times)
		}
		return total == int(s.Measured)
	})
	for _, d := range devices {
		if _, ordered := arrived(t, w, d.ID); !ordered {
			t.Errorf("%s: measurements came out of order", d.ID)
		}
	}
}

// TestRadioLoss: the device goes on measuring, its will is read out, and the
// burst afterwards leaves no hole.
func TestRadioLoss(t *testing.T) {
	broker := startMosquitto(t, "raft")
	w := watch(t, broker)
	outage := fleet.Fault{Kind: fleet.RadioLoss, From: summer.Add(time.Hour), For: 2 * time.Hour}
	f := newFleet(t, fleet.Config{
		Broker: broker.url(), Start: summer, Speed: 3600, Interval: time.Minute,
		Devices: []fleet.Device{{Kind: "raft", Faults: []fleet.Fault{outage}}},
	})
	stop := running(t, f.Run)
	during := 0
	eventually(t, "the last will", func() bool { return w.last("th/raft/status") == "offline" })
	eventually(t, "a store", func() bool { during = max(during, f.Stats().Stored); return during > 60 })
	eventually(t, "being online again", func() bool { return w.last("th/raft/status") == "online" })
	eventually(t, "the end of the burst", func() bool { return f.Stats().Stored < 3 })
	stop()
	s := f.Stats()
	if s.Acknowledged != s.Measured {
		t.Errorf("in the end %+v; want all measured acknowledged", s)
	}
	eventually(t, "every measurement arrives", func() bool {
		times, ordered := arrived(t, w, "raft")
		return ordered && len(times) == int(s.Measured)
	})
	times, _ := arrived(t, w, "raft")
	inside := 0
	for ts := range times {
		if at := time.UnixMilli(ts); !at.Before(outage.From) && at.Before(outage.From.Add(outage.For)) {
			inside++
		}
	}
	if inside != 120 {
		t.Errorf("%d measurements are of the two hours without radio, want 120", inside)
	}
}

func TestCommandsOverMQTT(t *testing.T) {
	broker := startMosquitto(t, "pond")
	w := watch(t, broker)
	f := newFleet(t, fleet.Config{Broker: broker.url(), Interval: time.Hour, Devices: []fleet.Device{{Kind: "pond"}}})
	stop := running(t, f.Run)
	eventually(t, "being online", func() bool { return w.last("th/pond/status") == "online" && len(w.on("th/pond/up")) > 0 })
	send := func(id, name, value string, in time.Duration) {
		w.client.Publish("th/pond/down", 1, false, fmt.Sprintf(`{"id":%q,"name":%q,"value":%q,"expires":%q}`,
			id, name, value, time.Now().Add(in).Format(time.RFC3339Nano))).Wait()
	}
	send("1", "aerator", "on", time.Minute)
	send("1", "aerator", "on", time.Minute)
	send("2", "door", "open", time.Minute)
	send("3", "feeder", "on", -time.Minute)
	eventually(t, "four answers", func() bool { return len(w.on("th/pond/ack")) == 4 })
	want := []string{`{"id":"1","ok":true}`, `{"id":"1","ok":true}`, `{"id":"2","ok":false,"error":"unknown_command"}`, `{"id":"3","ok":false,"error":"expired"}`}
	for i, got := range w.on("th/pond/ack") {
		if got != want[i] {
			t.Errorf("answer %d is %s, want %s", i, got, want[i])
		}
	}
	// One measurement at the start, and one for the only command obeyed.
	eventually(t, "a report of the aerator", func() bool { return parse(t, []byte(w.last("th/pond/up"))).values["aerator"] == 1 })
	stop()
	if n := f.Stats().Measured; n != 2 {
		t.Errorf("%d measurements, want 2", n)
	}

	// A command given while the device is away waits in its session.
	send("4", "aerator", "off", time.Minute)
	f = newFleet(t, fleet.Config{Broker: broker.url(), Interval: time.Hour, Devices: []fleet.Device{{Kind: "pond"}}})
	stop = running(t, f.Run)
	eventually(t, "the answer to what waited", func() bool { return w.last("th/pond/ack") == `{"id":"4","ok":true}` })
	stop()
	if got := w.on("th/pond/ack"); len(got) != 5 {
		t.Errorf("in all %d answers, want 5: what was obeyed must not come again: %s", len(got), got)
	}
}

// TestOnlyPUBACKCounts runs against a broker that takes measurements and never
// acknowledges: first it hangs up, then it stays silent. paho's tokens must not
// be mistaken for proofs.
func TestOnlyPUBACKCounts(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	const swallow = 3 // measurements before it hangs up
	taken := make(chan []string, 10)
	go func() {
		for n := 0; ; n++ {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			taken <- serveOnce(conn, n, swallow)
		}
	}()
	f := newFleet(t, fleet.Config{
		Broker: "tcp://" + listener.Addr().String(), Start: summer, Interval: time.Minute, Speed: 6000,
		AckTimeout: 200 * time.Millisecond, Grace: time.Millisecond, Devices: []fleet.Device{{Kind: "raft"}},
	})
	stop := running(t, f.Run)
	connection := func() []string {
		select {
		case ups := <-taken:
			return ups
		case <-time.After(20 * time.Second):
			t.Fatal("the device stays on a connection without acknowledgements")
			return nil
		}
	}
	hungUp, silent, acked := connection(), connection(), connection()
	stop()
	for name, got := range map[string][]string{"hung up": hungUp, "silent": silent} {
		if len(got) < swallow {
			t.Fatalf("%s: only %d measurements were sent", name, len(got))
		}
		if got[0] != acked[0] {
			t.Errorf("after the broker %s the device goes on with\n%s, not with\n%s", name, acked[0], got[0])
		}
	}
	if s := f.Stats(); s.Acknowledged != 1 || s.Measured != s.Acknowledged+uint64(s.Stored) {
		t.Errorf("%+v; want 1 acknowledged", s)
	}
}

// serveOnce is a broker for one connection. The first hangs up after it has
// swallowed some measurements, the second stays until the device hangs up, the
// third acknowledges one measurement and hangs up after the next.
func serveOnce(conn net.Conn, n, swallow int) (ups []string) {
	defer conn.Close()
	for {
		packet, err := packets.ReadPacket(conn)
		if err != nil {
			return ups
		}
		switch p := packet.(type) {
		case *packets.ConnectPacket:
			_ = packets.NewControlPacket(packets.Connack).Write(conn)
		case *packets.SubscribePacket:
			ack := packets.NewControlPacket(packets.Suback).(*packets.SubackPacket)
			ack.MessageID, ack.ReturnCodes = p.MessageID, []byte{1}
			_ = ack.Write(conn)
		case *packets.PingreqPacket:
			_ = packets.NewControlPacket(packets.Pingresp).Write(conn)
		case *packets.PublishPacket:
			up := strings.HasSuffix(p.TopicName, "/up")
			if up {
				ups = append(ups, string(p.Payload))
			}
			if !up || n == 2 && len(ups) == 1 {
				ack := packets.NewControlPacket(packets.Puback).(*packets.PubackPacket)
				ack.MessageID = p.MessageID
				_ = ack.Write(conn)
			}
			if n == 0 && len(ups) == swallow || n == 2 && len(ups) == 2 {
				if n == 2 { // the acknowledgement must not be lost with the connection
					_ = conn.(*net.TCPConn).CloseWrite()
					_, _ = io.Copy(io.Discard, conn)
				}
				return ups
			}
		}
	}
}

func TestFullStoreDropsOldest(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := "tcp://" + listener.Addr().String()
	listener.Close()
	f := newFleet(t, fleet.Config{
		Broker: nobody, Start: summer, Interval: time.Minute, Speed: 60_000, Keep: 10,
		Grace: time.Millisecond, Devices: []fleet.Device{{Kind: "raft"}},
	})
	stop := running(t, f.Run)
	eventually(t, "dropping", func() bool { return f.Stats().Dropped > 10 })
	stop()
	if s := f.Stats(); s.Stored != 10 || s.Measured != uint64(s.Stored)+s.Dropped {
		t.Errorf("%+v; want 10 stored and the rest dropped", s)
	}
}

// TestCatchUp starts an hour ago: the past comes quickly, in order and without
// a hole, and device time ends up with real time.
func TestCatchUp(t *testing.T) {
	broker := startMosquitto(t, "raft")
	w := watch(t, broker)
	start := time.Now().Add(-time.Hour)
	f := newFleet(t, fleet.Config{
		Broker: broker.url(), Start: start, Speed: 100_000, CatchUp: true, Interval: time.Second,
		Keep: 3, Devices: []fleet.Device{{Kind: "raft"}},
	})
	stop := running(t, f.Run)
	eventually(t, "the present", func() bool { return f.Stats().Acknowledged > 3600 })
	stop()
	s := f.Stats()
	if s.Dropped != 0 || s.Acknowledged != s.Measured {
		t.Errorf("%+v; want all measured acknowledged", s)
	}
	eventually(t, "every measurement arrives", func() bool { times, _ := arrived(t, w, "raft"); return len(times) == int(s.Measured) })
	if _, ordered := arrived(t, w, "raft"); !ordered {
		t.Error("measurements came out of order")
	}
	latest := parse(t, []byte(w.last("th/raft/up"))).at
	if latest.After(time.Now()) {
		t.Errorf("device time %s is ahead of real time", latest)
	}
}

func TestNewRefuses(t *testing.T) {
	good := fleet.Config{Broker: "tcp://127.0.0.1:1", Devices: []fleet.Device{{ID: "a", Kind: "raft"}}}
	for name, change := range map[string]func(*fleet.Config){
		"no broker":       func(c *fleet.Config) { c.Broker = "" },
		"odd scheme":      func(c *fleet.Config) { c.Broker = "http://127.0.0.1" },
		"same id twice":   func(c *fleet.Config) { c.Devices = append(c.Devices, c.Devices[0]) },
		"unknown kind":    func(c *fleet.Config) { c.Devices = []fleet.Device{{ID: "a", Kind: "b"}} },
		"backward":        func(c *fleet.Config) { c.Speed = -1 },
		"negative period": func(c *fleet.Config) { c.Interval = -time.Second },
	} {
		c := good
		change(&c)
		if _, err := fleet.New(c); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := fleet.New(good); err != nil {
		t.Errorf("good configuration: %v", err)
	}
}

func TestNoSecretInText(t *testing.T) {
	d := fleet.Device{ID: "a", Kind: "raft", Secret: "hunter2"}
	b, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{fmt.Sprint(d), fmt.Sprintf("%+v", []fleet.Device{d}), string(b)} {
		if strings.Contains(text, "hunter2") {
			t.Errorf("the secret shows in %s", text)
		}
	}
	_, err = fleet.New(fleet.Config{Broker: "ftp://user:hunter2@x", Devices: []fleet.Device{d}})
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("error is %v", err)
	}
}
