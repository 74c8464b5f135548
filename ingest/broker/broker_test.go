package broker_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"tianhai/farm"
	"tianhai/ingest"
	"tianhai/ingest/broker"
)

// A farmyard is everything behind the broker: it keeps frames while open, knows
// who is online, and settles commands.
type farmyard struct {
	mu      sync.Mutex
	shut    bool // the journal refuses
	tries   int
	frames  []ingest.Frame
	online  map[string]bool
	settled []ingest.CommandResult
	away    bool // the records cannot be written
	asked   int
	heard   int // secrets
}

func newFarmyard() *farmyard { return &farmyard{online: make(map[string]bool)} }

func (y *farmyard) intake() *ingest.Intake {
	return &ingest.Intake{Journal: y, Presence: y, Commands: y}
}

func (y *farmyard) Append(_ context.Context, frames ...ingest.Frame) error {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.tries++
	if y.shut {
		return fmt.Errorf("append: %w", ingest.ErrBusy)
	}
	for _, f := range frames {
		f.Payload = slices.Clone(f.Payload)
		y.frames = append(y.frames, f)
	}
	return nil
}

func (y *farmyard) SetOnline(_ context.Context, device string, online bool, _ time.Time) error {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.asked++
	if y.away {
		return errors.New("database is locked")
	}
	y.online[device] = online
	return nil
}

func (y *farmyard) SettleCommand(_ context.Context, _ string, res ingest.CommandResult, _ time.Time) error {
	y.mu.Lock()
	defer y.mu.Unlock()
	if res.ID == "unknown" {
		return farm.ErrNotFound
	}
	y.settled = append(y.settled, res)
	return nil
}

func (y *farmyard) Authenticate(_ context.Context, device string, secret []byte) bool {
	y.mu.Lock()
	y.heard++
	y.mu.Unlock()
	return device != "stranger" && string(secret) == secretOf(device)
}

func (y *farmyard) authenticated() int {
	y.mu.Lock()
	defer y.mu.Unlock()
	return y.heard
}

func (y *farmyard) setShut(shut bool) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.shut = shut
}

func (y *farmyard) tried() int {
	y.mu.Lock()
	defer y.mu.Unlock()
	return y.tries
}

// payloads returns what device has sent.
func (y *farmyard) payloads(device string) []string {
	y.mu.Lock()
	defer y.mu.Unlock()
	var list []string
	for _, f := range y.frames {
		if f.Device == device {
			list = append(list, string(f.Payload))
		}
	}
	return list
}

// isOnline returns "online", "offline" or, where nothing was said yet, "".
func (y *farmyard) isOnline(device string) string {
	y.mu.Lock()
	defer y.mu.Unlock()
	online, known := y.online[device]
	switch {
	case !known:
		return ""
	case online:
		return "online"
	default:
		return "offline"
	}
}

func secretOf(device string) string { return "secret of " + device }

func open(t *testing.T, y *farmyard, opt broker.Options) *broker.Broker {
	t.Helper()
	opt.Intake = y.intake()
	if opt.Door == nil {
		opt.Door = ingest.NewDoor(y, 0, opt.Logger)
	}
	if opt.Addr == "" {
		opt.Addr = "127.0.0.1:0"
	}
	b, err := broker.Open(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func settings(b *broker.Broker, device string) *paho.ClientOptions {
	return paho.NewClientOptions().AddBroker("tcp://" + b.Addr().String()).
		SetClientID(device).SetUsername(device).SetPassword(secretOf(device)).
		SetConnectTimeout(10 * time.Second).SetMaxReconnectInterval(50 * time.Millisecond).
		SetConnectRetryInterval(20 * time.Millisecond)
}

func connect(t *testing.T, opt *paho.ClientOptions) (paho.Client, error) {
	t.Helper()
	c := paho.NewClient(opt)
	err := wait(t, c.Connect())
	if err == nil {
		t.Cleanup(func() { c.Disconnect(0) })
	}
	return c, err
}

func mustConnect(t *testing.T, opt *paho.ClientOptions) paho.Client {
	t.Helper()
	c, err := connect(t, opt)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// wait fails the test where a token is not done in time.
func wait(t *testing.T, tok paho.Token) error {
	t.Helper()
	if !tok.WaitTimeout(20 * time.Second) {
		t.Fatal("the client waits in vain")
	}
	return tok.Error()
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

func TestPublish(t *testing.T) {
	for qos := range byte(3) {
		t.Run(fmt.Sprintf("qos %d", qos), func(t *testing.T) {
			y := newFarmyard()
			c := mustConnect(t, settings(open(t, y, broker.Options{}), "raft-1"))
			for n := range 50 {
				if err := wait(t, c.Publish("th/raft-1/up", qos, n == 7, fmt.Sprint(n))); err != nil {
					t.Fatal(err)
				}
				if got := len(y.payloads("raft-1")); qos > 0 && got != n+1 {
					t.Fatalf("acknowledged %d, kept %d", n+1, got)
				}
			}
			eventually(t, "all is there", func() bool { return len(y.payloads("raft-1")) == 50 })
			for n, p := range y.payloads("raft-1") {
				if p != fmt.Sprint(n) {
					t.Fatalf("frame %d is %q", n, p)
				}
			}
		})
	}
}

func TestConnectRefused(t *testing.T) {
	b := open(t, newFarmyard(), broker.Options{})
	tests := map[string]func(*paho.ClientOptions){
		"wrong secret": func(o *paho.ClientOptions) { o.SetPassword("guess") },
		"no secret":    func(o *paho.ClientOptions) { o.SetPassword("") },
		"nobody":       func(o *paho.ClientOptions) { o.SetUsername("").SetPassword("") },
		"unknown device": func(o *paho.ClientOptions) {
			o.SetUsername("stranger").SetClientID("stranger").SetPassword(secretOf("stranger"))
		},
		"another's client id":       func(o *paho.ClientOptions) { o.SetClientID("pond-7") },
		"no client id":              func(o *paho.ClientOptions) { o.SetClientID("") },
		"name with a slash":         name("a/b"),
		"name with a wildcard":      name("+"),
		"name too long":             name(strings.Repeat("x", ingest.MaxDevice+1)),
		"last will for another":     func(o *paho.ClientOptions) { o.SetWill("th/pond-7/status", "offline", 1, true) },
		"last will for own reading": func(o *paho.ClientOptions) { o.SetWill("th/raft-1/up", "{}", 1, false) },
		"last will for a command":   func(o *paho.ClientOptions) { o.SetWill("th/raft-1/down", "{}", 1, false) },
	}
	for what, change := range tests {
		t.Run(what, func(t *testing.T) {
			opt := settings(b, "raft-1")
			change(opt)
			if _, err := connect(t, opt); err == nil {
				t.Error("let in")
			}
		})
	}
	mustConnect(t, settings(b, "raft-1").SetWill("th/raft-1/status", "offline", 1, true))
}

func name(device string) func(*paho.ClientOptions) {
	return func(o *paho.ClientOptions) {
		o.SetUsername(device).SetClientID(device).SetPassword(secretOf(device))
	}
}

func TestPublishRefused(t *testing.T) {
	topics := []string{
		"th/pond-7/up", "th/pond-7/status", "th/raft-1/down", "th/raft-1", "th/raft-1/up/x",
		"th//up", "other", "/th/raft-1/up", "TH/raft-1/up", "th/raft-1/", "th/raft-1//up", "th/raft-1/up/",
		"th", "/", " th/raft-1/up", "th/raft-1/up ", "th/RAFT-1/up", "th/raft-1/UP", "th/raft-1/ack/down",
		"th/raft‑1/up", "th/ｒaft-1/up", "th/raft-1/ｕp", "th/raft-1/up\u200b", "田/raft-1/up", "$share/g/th/raft-1/up",
	}
	for _, topic := range topics {
		t.Run(topic, func(t *testing.T) {
			y := newFarmyard()
			c := mustConnect(t, settings(open(t, y, broker.Options{}), "raft-1").SetAutoReconnect(false))
			tok := c.Publish(topic, 1, false, "online")
			eventually(t, "the connection is closed", func() bool { return !c.IsConnectionOpen() })
			eventually(t, "the token is done", func() bool { return tok.WaitTimeout(0) })
			if n := y.tried(); n != 0 {
				t.Errorf("%d frames tried", n)
			}
		})
	}
}

func TestSubscribeRefused(t *testing.T) {
	b := open(t, newFarmyard(), broker.Options{})
	c := mustConnect(t, settings(b, "raft-1"))
	for _, filter := range []string{
		"#", "+/+/+", "th/#", "th/+/down", "th/raft-1/+", "th/raft-1/#", "th/raft-1/down/#", "th/pond-7/down",
		"th/raft-1/up", "th/raft-1/status", "$SYS/#", "$share/g/th/raft-1/down", "$SHARE/g/th/+/down", "th/raft-1/down/",
		"+", "/", "//", "+/raft-1/down", "th/raft-1//down", "/th/raft-1/down", "th//down", "TH/raft-1/down", "th/RAFT-1/down",
		"th/raft-1/DOWN", "th/raft-1", "th", "th/raft-1/ack", "$SYS/broker/uptime", "$SYS", "$share/g/#", "$share//th/raft-1/down",
		"$share/+/th/raft-1/down", "$queue/th/raft-1/down", "th/raft‑1/down", "th/ｒaft-1/down", "th/raft-1/down\u200b", "田/#",
		"th/raft-1/down ", " th/raft-1/down", "th/raft-1/d+", "th/raft-1/down#",
	} {
		t.Run(filter, func(t *testing.T) {
			for _, code := range subscribe(t, c, filter) {
				if code != 0x80 {
					t.Errorf("granted: %#x", code)
				}
			}
		})
	}
	if got := subscribe(t, c, "th/raft-1/down"); got["th/raft-1/down"] != 1 {
		t.Errorf("own commands: %v", got)
	}
}

// subscribe returns the SUBACK's codes, which paho does not count as errors.
func subscribe(t *testing.T, c paho.Client, filter string) map[string]byte {
	t.Helper()
	tok := c.Subscribe(filter, 1, nil).(*paho.SubscribeToken)
	if err := wait(t, tok); err != nil {
		t.Fatal(err)
	}
	if len(tok.Result()) != 1 {
		t.Fatalf("SUBACK: %v", tok.Result())
	}
	return tok.Result()
}

// While the journal refuses nothing is acknowledged, and the device sends again
// what was not, in order.
func TestJournalRefuses(t *testing.T) {
	for _, qos := range []byte{1, 2} {
		t.Run(fmt.Sprintf("qos %d", qos), func(t *testing.T) {
			y := newFarmyard()
			b := open(t, y, broker.Options{Patience: 20 * time.Millisecond})
			// paho's tokens are done when a connection ends; its store is not
			// emptied before the acknowledgement.
			store := paho.NewMemoryStore()
			c := mustConnect(t, settings(b, "raft-1").SetCleanSession(false).SetStore(store))
			y.setShut(true)
			c.Publish("th/raft-1/up", qos, false, "precious")
			// Several connections have ended without an acknowledgement by then.
			eventually(t, "it is sent again and again", func() bool { return y.tried() > 6 })
			if len(store.All()) == 0 {
				t.Fatal("acknowledged though not kept")
			}
			y.setShut(false)
			eventually(t, "it is acknowledged", func() bool { return len(store.All()) == 0 })
			if got := y.payloads("raft-1"); len(got) == 0 || got[0] != "precious" {
				t.Errorf("acknowledged, but kept is %q", got)
			}
		})
	}
}

// Byte by byte: no PUBACK and no PUBREC leave the broker for what is not kept.
func TestNoAcknowledgement(t *testing.T) {
	for name, publish := range map[string][]byte{
		"qos 1, 3.1.1": publishPacket(4, 1),
		"qos 2, 3.1.1": publishPacket(4, 2),
		"qos 1, 5":     publishPacket(5, 1),
		"qos 2, 5":     publishPacket(5, 2),
	} {
		t.Run(name, func(t *testing.T) {
			y := newFarmyard()
			y.setShut(true)
			b := open(t, y, broker.Options{Patience: 20 * time.Millisecond})
			version := byte(4)
			if strings.HasSuffix(name, " 5") {
				version = 5
			}
			conn := dial(t, b)
			send(t, conn, connectPacket(version, "a"), publish, []byte{0xC0, 0}) // and PINGREQ
			answer, err := io.ReadAll(conn)
			if err != nil {
				t.Fatal(err)
			}
			var types []byte
			for len(answer) > 1 {
				types = append(types, answer[0]>>4)
				answer = answer[2+int(answer[1]):]
			}
			want := []byte{2} // CONNACK
			if version == 5 {
				want = append(want, 14) // DISCONNECT
			}
			if !bytes.Equal(types, want) {
				t.Errorf("packet types %v, want %v", types, want)
			}

			y.setShut(false)
			conn = dial(t, b)
			send(t, conn, connectPacket(version, "a"), publish)
			ack := make([]byte, 2)
			if _, err := io.ReadFull(conn, ack); err != nil {
				t.Fatal(err)
			}
			if _, err := io.CopyN(io.Discard, conn, int64(ack[1])); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(conn, ack); err != nil {
				t.Fatal(err)
			}
			if got := ack[0] >> 4; got != 4 && got != 5 {
				t.Errorf("packet type %d, want PUBACK or PUBREC", got)
			}
			if got := y.payloads("a"); len(got) != 1 {
				t.Errorf("kept %q", got)
			}
		})
	}
}

// A message of no use is acknowledged, because sent again it would block for ever
// what comes after it.
func TestRefusedMessage(t *testing.T) {
	y := newFarmyard()
	c := mustConnect(t, settings(open(t, y, broker.Options{}), "raft-1").SetAutoReconnect(false))
	for _, m := range []struct{ level, payload string }{
		{"ack", "no JSON"}, {"ack", `{"id":"unknown"}`}, {"status", "sleepy"},
	} {
		if err := wait(t, c.Publish("th/raft-1/"+m.level, 1, false, m.payload)); err != nil {
			t.Errorf("%s %q: %v", m.level, m.payload, err)
		}
	}
	if err := wait(t, c.Publish("th/raft-1/ack", 1, false, `{"id":"01J","ok":true}`)); err != nil {
		t.Fatal(err)
	}
	y.mu.Lock()
	defer y.mu.Unlock()
	if len(y.settled) != 1 || y.settled[0].ID != "01J" {
		t.Errorf("settled %v", y.settled)
	}
}

func TestPresence(t *testing.T) {
	y := newFarmyard()
	b := open(t, y, broker.Options{})
	opt := settings(b, "raft-1").SetWill("th/raft-1/status", "offline", 1, true).SetAutoReconnect(false)
	c := mustConnect(t, opt)
	eventually(t, "it is online", func() bool { return y.isOnline("raft-1") == "online" })
	c.Disconnect(0)
	eventually(t, "it is offline", func() bool { return y.isOnline("raft-1") == "offline" })

	conn := dial(t, b)
	send(t, conn, connectPacket(4, "pond-7"))
	eventually(t, "it is online", func() bool { return y.isOnline("pond-7") == "online" })
	if err := conn.Close(); err != nil { // without DISCONNECT: the last will
		t.Fatal(err)
	}
	eventually(t, "it is offline", func() bool { return y.isOnline("pond-7") == "offline" })
	if n := y.tried(); n != 0 {
		t.Errorf("%d frames from status alone", n)
	}
}

// The newest connection of a device speaks for it. The one before it is closed,
// and its end says nothing.
func TestTakeOver(t *testing.T) {
	for _, version := range []byte{4, 5} {
		t.Run(fmt.Sprintf("version %d", version), func(t *testing.T) {
			y := newFarmyard()
			b := open(t, y, broker.Options{})
			var last net.Conn
			for range 20 {
				conn := dial(t, b)
				send(t, conn, connectPacket(version, "a"))
				if _, err := io.ReadFull(conn, make([]byte, 4)); err != nil { // CONNACK's beginning
					t.Fatal(err)
				}
				if last != nil {
					if _, err := io.Copy(io.Discard, last); err != nil {
						t.Fatalf("the connection before is not closed: %v", err)
					}
				}
				last = conn
			}
			eventually(t, "one connection is left", func() bool { return b.Connections() == 1 })
			send(t, last, publishPacket(version, 1))
			eventually(t, "the frame is there", func() bool { return len(y.payloads("a")) == 1 })
			eventually(t, "it is online", func() bool { return y.isOnline("a") == "online" })
			if err := last.Close(); err != nil {
				t.Fatal(err)
			}
			eventually(t, "it is offline", func() bool { return y.isOnline("a") == "offline" })
		})
	}
}

func TestCloseSaysOffline(t *testing.T) {
	y := newFarmyard()
	b := open(t, y, broker.Options{})
	mustConnect(t, settings(b, "raft-1").SetAutoReconnect(false))
	eventually(t, "it is online", func() bool { return y.isOnline("raft-1") == "online" })
	conn := dial(t, b) // never says a word
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if got := y.isOnline("raft-1"); got != "offline" {
		t.Errorf("after Close the device is %q", got)
	}
	if _, err := io.Copy(io.Discard, conn); err != nil && !errors.Is(err, net.ErrClosed) {
		t.Errorf("silent connection: %v", err)
	}
}

// What could not be recorded at first is recorded later, at the latest by Close.
func TestPresenceIsTriedAgain(t *testing.T) {
	setAway := func(y *farmyard, away bool) {
		y.mu.Lock()
		defer y.mu.Unlock()
		y.away = away
	}
	asked := func(y *farmyard) int {
		y.mu.Lock()
		defer y.mu.Unlock()
		return y.asked
	}
	for _, closing := range []bool{false, true} {
		t.Run(fmt.Sprintf("closing=%t", closing), func(t *testing.T) {
			y := newFarmyard()
			setAway(y, true)
			b := open(t, y, broker.Options{})
			mustConnect(t, settings(b, "raft-1").SetAutoReconnect(false))
			eventually(t, "it is tried", func() bool { return asked(y) > 0 })
			setAway(y, false)
			if closing {
				if err := b.Close(); err != nil {
					t.Fatal(err)
				}
				if got := y.isOnline("raft-1"); got != "offline" {
					t.Errorf("after Close the device is %q", got)
				}
				return
			}
			eventually(t, "it is recorded", func() bool { return y.isOnline("raft-1") == "online" })
		})
	}
}

// A command waits for a device that is away.
func TestSend(t *testing.T) {
	y := newFarmyard()
	b := open(t, y, broker.Options{})
	cmd := func(id string) ingest.Command {
		return ingest.Command{ID: id, Device: "pond-7", Name: "aerator", Value: "on", Expires: time.Now().Add(time.Hour)}
	}
	if err := b.Send(t.Context(), cmd("0")); !errors.Is(err, broker.ErrNoSession) {
		t.Errorf("err = %v before the device was ever there, want ErrNoSession", err)
	}
	got := make(chan string, 10)
	opt := settings(b, "pond-7").SetCleanSession(false)
	opt.SetDefaultPublishHandler(func(_ paho.Client, m paho.Message) { got <- m.Topic() + " " + string(m.Payload()) })
	c := mustConnect(t, opt)
	if err := b.Send(t.Context(), cmd("0")); !errors.Is(err, broker.ErrNoSession) {
		t.Errorf("err = %v before the device listens, want ErrNoSession", err)
	}
	if err := wait(t, c.Subscribe("th/pond-7/down", 1, nil)); err != nil {
		t.Fatal(err)
	}
	if err := b.Send(t.Context(), cmd("here")); err != nil {
		t.Fatal(err)
	}
	if m := receive(t, got); !strings.HasPrefix(m, `th/pond-7/down {"id":"here","name":"aerator","value":"on","expires":`) {
		t.Errorf("received %s", m)
	}
	c.Disconnect(250)
	eventually(t, "it is offline", func() bool { return y.isOnline("pond-7") == "offline" })
	if err := b.Send(t.Context(), cmd("away")); err != nil {
		t.Fatal(err)
	}
	mustConnect(t, opt)
	m := receive(t, got)
	if strings.Contains(m, `"id":"here"`) { // its acknowledgement was lost with the connection: QoS 1 sends again
		m = receive(t, got)
	}
	if !strings.Contains(m, `"id":"away"`) {
		t.Errorf("received %s", m)
	}

	late := cmd("late")
	late.Expires = time.Now().Add(-time.Second)
	if err := b.Send(t.Context(), late); err == nil {
		t.Error("an expired command is sent")
	}
}

func TestSendBounded(t *testing.T) {
	y := newFarmyard()
	b := open(t, y, broker.Options{})
	c := mustConnect(t, settings(b, "a").SetCleanSession(false))
	if err := wait(t, c.Subscribe("th/a/down", 1, nil)); err != nil {
		t.Fatal(err)
	}
	c.Disconnect(250)
	eventually(t, "it is offline", func() bool { return y.isOnline("a") == "offline" })
	for n := range 1000 {
		err := b.Send(t.Context(), ingest.Command{ID: fmt.Sprint(n), Device: "a"})
		if err == nil {
			continue
		}
		if n < 100 || !errors.Is(err, ingest.ErrBusy) {
			t.Errorf("after %d: %v", n, err)
		}
		return
	}
	t.Error("commands queue without end")
}

func receive(t *testing.T, c <-chan string) string {
	t.Helper()
	select {
	case m := <-c:
		return m
	case <-time.After(20 * time.Second):
		t.Fatal("nothing is received")
		return ""
	}
}

func TestTooManyConnections(t *testing.T) {
	b := open(t, newFarmyard(), broker.Options{MaxConnections: 2})
	first, second := dial(t, b), dial(t, b)
	eventually(t, "both are there", func() bool { return b.Connections() == 2 })
	if _, err := io.Copy(io.Discard, dial(t, b)); err != nil {
		t.Fatalf("the third is not closed: %v", err)
	}
	if err := errors.Join(first.Close(), second.Close()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "there is room again", func() bool { return b.Connections() == 0 })
	mustConnect(t, settings(b, "a"))
}

func TestTLS(t *testing.T) {
	y := newFarmyard()
	cert, pool := selfSigned(t)
	b := open(t, y, broker.Options{TLSAddr: "127.0.0.1:0", TLS: &tls.Config{Certificates: []tls.Certificate{cert}}})
	opt := paho.NewClientOptions().AddBroker("ssl://" + b.TLSAddr().String()).
		SetClientID("a").SetUsername("a").SetPassword(secretOf("a")).
		SetTLSConfig(&tls.Config{RootCAs: pool, ServerName: "localhost"})
	c := mustConnect(t, opt)
	if err := wait(t, c.Publish("th/a/up", 1, false, "{}")); err != nil {
		t.Fatal(err)
	}
	if got := y.payloads("a"); len(got) != 1 {
		t.Errorf("kept %q", got)
	}
}

func selfSigned(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

// The clients that people have in the field: 3.1.1 and 5, by another library.
func TestMosquittoClients(t *testing.T) {
	for _, tool := range []string{"mosquitto_pub", "mosquitto_sub"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed", tool)
		}
	}
	for _, version := range []string{"311", "5"} {
		t.Run(version, func(t *testing.T) {
			y := newFarmyard()
			b := open(t, y, broker.Options{})
			host, port, err := net.SplitHostPort(b.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			args := func(more ...string) []string {
				return append([]string{
					"-h", host, "-p", port, "-V", version, "-q", "1",
					"-i", "pond-7", "-u", "pond-7", "-P", secretOf("pond-7"),
				}, more...)
			}
			out, err := exec.CommandContext(t.Context(), "mosquitto_pub", args("-t", "th/pond-7/up", "-m", `{"do":7}`)...).CombinedOutput()
			if err != nil {
				t.Fatalf("publish: %v: %s", err, out)
			}
			if got := y.payloads("pond-7"); !slices.Equal(got, []string{`{"do":7}`}) {
				t.Errorf("kept %q", got)
			}
			sub := exec.CommandContext(t.Context(), "mosquitto_sub", args("-t", "th/pond-7/down", "-C", "1", "-W", "20")...)
			var heard bytes.Buffer
			sub.Stdout = &heard
			if err := sub.Start(); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the command is taken", func() bool {
				return b.Send(t.Context(), ingest.Command{ID: "1", Device: "pond-7", Name: "feeder", Value: "on"}) == nil
			})
			if err := sub.Wait(); err != nil {
				t.Fatalf("subscribe: %v", err)
			}
			if !strings.Contains(heard.String(), `"name":"feeder"`) {
				t.Errorf("heard %q", heard.String())
			}
		})
	}
}

// What a client says of itself never reaches the log with its secret.
func TestSecretsStayOutOfLog(t *testing.T) {
	var log syncBuffer
	y := newFarmyard()
	b := open(t, y, broker.Options{Logger: newLog(&log)})
	if _, err := connect(t, settings(b, "a").SetPassword("hunter2")); err == nil {
		t.Fatal("let in")
	}
	conn := dial(t, b)
	send(t, conn, connectPacket(4, "a"), connectPacket(4, "a")) // a second CONNECT is an error that mochi logs
	if _, err := io.Copy(io.Discard, conn); err != nil {
		t.Fatal(err)
	}
	eventually(t, "both are logged", func() bool {
		return strings.Contains(log.String(), "device refused") && strings.Contains(log.String(), "error processing packet")
	})
	for _, secret := range []string{"hunter2", secretOf("a"), strings.Trim(fmt.Sprintf("%d", []byte(secretOf("a"))), "[]")} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("%q is in the log:\n%s", secret, log.String())
		}
	}
}

func newLog(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func TestOpenRefuses(t *testing.T) {
	y := newFarmyard()
	taken := open(t, y, broker.Options{}).Addr().String()
	tests := map[string]broker.Options{
		"no authenticator":  {Intake: y.intake()},
		"no intake":         {Door: ingest.NewDoor(y, 0, nil)},
		"TLS without keys":  {Door: ingest.NewDoor(y, 0, nil), Intake: y.intake(), TLSAddr: "127.0.0.1:0"},
		"address in use":    {Door: ingest.NewDoor(y, 0, nil), Intake: y.intake(), Addr: taken},
		"negative patience": {Door: ingest.NewDoor(y, 0, nil), Intake: y.intake(), Patience: -1},
	}
	for name, opt := range tests {
		t.Run(name, func(t *testing.T) {
			if b, err := broker.Open(t.Context(), opt); err == nil {
				t.Error("opened")
				b.Close()
			}
		})
	}
}
