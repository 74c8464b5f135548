package mqtt_test

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/nats-io/nats-server/v2/server"

	"tianhai/ingest"
	"tianhai/ingest/mqtt"
)

// Sessions of one group share what Mosquitto has: each message goes to one.
func TestShared(t *testing.T) {
	m := startMosquitto(t)
	var yards [2]*farmyard
	for i := range yards {
		yards[i] = &farmyard{}
		var log lockedBuffer
		s, _ := run(t, yards[i], mqtt.Options{URL: m.url(), Group: "keepers", ClientID: fmt.Sprint("keeper-", i), Logger: slog.New(slog.NewTextHandler(&log, nil))})
		eventually(t, "it is connected", s.Connected)
		if strings.Contains(log.String(), "does not share") {
			t.Fatalf("Mosquitto is said not to share: %s", log.String())
		}
	}
	publish(t, device(t, m, "raft-1"), "raft-1", 0, 100)
	eventually(t, "all is there", func() bool { return yards[0].count()+yards[1].count() >= 100 })
	if a, b := yards[0].count(), yards[1].count(); a+b != 100 || a == 0 || b == 0 {
		t.Errorf("%d and %d frames, want 100 in all and some of them each", a, b)
	}
}

// A session that took everything and now shares does not go on taking everything,
// although the broker keeps what it subscribed to.
func TestSharedFromNow(t *testing.T) {
	m := startMosquitto(t)
	mark := mqtt.Topic{Filter: "mark/+", Alone: true, Locate: func(topic string) (string, string, bool) {
		return topic, "mark", strings.HasPrefix(topic, "mark/")
	}}
	ups := func(alone bool) []mqtt.Topic { return []mqtt.Topic{{Filter: "th/+/up", Alone: alone}, mark} }
	options := func(i int, alone bool) mqtt.Options {
		return mqtt.Options{URL: m.url(), Group: "keepers", ClientID: fmt.Sprint("keeper-", i), Topics: ups(alone)}
	}
	for _, alone := range []bool{true, false} {
		var yards [2]*farmyard
		var stops []func()
		for i := range yards {
			yards[i] = &farmyard{}
			s, stop := run(t, yards[i], options(i, alone))
			eventually(t, "it is connected", s.Connected)
			stops = append(stops, stop)
		}
		c := device(t, m, "raft-1")
		publish(t, c, "raft-1", 0, 100)
		wait(t, c.Publish("mark/end", 1, false, "end"))
		sum := 0
		for _, y := range yards {
			eventually(t, "both have the mark", func() bool { return len(y.firsts("mark/end")) == 1 })
			sum += y.count() - 1
		}
		if want := map[bool]int{true: 200, false: 100}[alone]; sum != want {
			t.Errorf("alone %v: %d frames, want %d", alone, sum, want)
		}
		for _, stop := range stops {
			stop()
		}
	}
}

// NATS grants $share and sends nothing by it. The session sees that, says so and
// takes everything.
func TestNotShared(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := ln.Addr().(*net.TCPAddr).Port
	ln.Close()
	opt := &server.Options{ServerName: "probe", Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: t.TempDir(), NoLog: true, NoSigs: true}
	opt.MQTT.Host, opt.MQTT.Port = "127.0.0.1", port
	ns, err := server.NewServer(opt)
	if err != nil {
		t.Fatal(err)
	}
	go ns.Start()
	t.Cleanup(func() { ns.Shutdown(); ns.WaitForShutdown() })
	if !ns.ReadyForConnections(20 * time.Second) {
		t.Fatal("the NATS server does not start")
	}

	m := &mosquitto{t: t, addr: fmt.Sprintf("127.0.0.1:%d", port)}
	y := &farmyard{}
	var log lockedBuffer
	s, _ := run(t, y, mqtt.Options{URL: m.url(), Group: "keepers", Logger: slog.New(slog.NewTextHandler(&log, nil))})
	eventually(t, "it is connected", s.Connected)
	publish(t, device(t, m, "raft-1"), "raft-1", 0, 20)
	wantSeries(t, y, "raft-1", 20)
	if !strings.Contains(log.String(), "the broker does not share subscriptions") {
		t.Errorf("nobody is told: %s", log.String())
	}
}

// Devices behind a network server are known by what their topic says.
func TestForeignTopics(t *testing.T) {
	m := startMosquitto(t)
	y := &farmyard{}
	pattern, err := ingest.ParsePattern("application/+/device/{device}/event/up")
	if err != nil {
		t.Fatal(err)
	}
	s, _ := run(t, y, mqtt.Options{URL: m.url(), Topics: append(mqtt.Native(), mqtt.Topic{
		Filter: pattern.Filter(),
		Locate: func(topic string) (string, string, bool) {
			device, ok := pattern.Device(topic)
			return device, "chirpstack", ok
		},
	})})
	eventually(t, "it is connected", s.Connected)
	c := device(t, m, "chirpstack")
	wait(t, c.Publish("application/a/device/0102030405060708/event/up", 1, false, "1"))
	wait(t, c.Publish("application/a/device/0102030405060708/event/join", 1, false, "2"))
	wait(t, c.Publish("application/a/device/"+strings.Repeat("0", ingest.MaxDevice+1)+"/event/up", 1, false, "3"))
	wait(t, c.Publish("th/pond-7/up", 1, false, "4"))
	eventually(t, "both are there", func() bool { return y.count() == 2 })
	y.mu.Lock()
	defer y.mu.Unlock()
	for i, want := range []ingest.Frame{
		{Device: "0102030405060708", ContentType: "chirpstack", Payload: []byte("1")},
		{Device: "pond-7", Payload: []byte("4")},
	} {
		got := y.frames[i]
		if got.Device != want.Device || got.ContentType != want.ContentType || string(got.Payload) != string(want.Payload) {
			t.Errorf("frame %d is %+v, want %+v", i, got, want)
		}
	}
}

// Edge nodes are told when their host application comes, goes and is gone.
func TestHostState(t *testing.T) {
	m := startMosquitto(t)
	states := make(chan string, 16)
	watch := device(t, m, "watch")
	wait(t, watch.Subscribe("spBv1.0/STATE/tianhai", 1, func(_ paho.Client, msg paho.Message) { states <- string(msg.Payload()) }))
	next := func(what, want string) {
		t.Helper()
		select {
		case got := <-states:
			if !strings.HasPrefix(got, want) {
				t.Fatalf("%s: state %s, want %s", what, got, want)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("%s: nobody is told", what)
		}
	}
	_, stop := run(t, &farmyard{}, mqtt.Options{URL: m.url(), Host: "tianhai"})
	next("it came", `{"online":true,"timestamp":1`)
	stop()
	next("it went", `{"online":false,"timestamp":1`)
	way, cut := detour(t, m.addr)
	run(t, &farmyard{}, mqtt.Options{URL: "tcp://" + way, Host: "tianhai"})
	next("it came again", `{"online":true,"timestamp":1`)
	cut()
	next("it was cut off", `{"online":false,"timestamp":1`)
}

// detour leads one connection to a broker, until it is cut.
func detour(t *testing.T, to string) (addr string, cut func()) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server, err := net.Dial("tcp", to)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		client, err := ln.Accept()
		ln.Close()
		if err != nil {
			return
		}
		wg.Go(func() { _, _ = io.Copy(server, client) })
		_, _ = io.Copy(client, server)
		client.Close()
	})
	cut = func() { server.Close(); ln.Close() }
	t.Cleanup(func() { cut(); wg.Wait() })
	return ln.Addr().String(), cut
}
