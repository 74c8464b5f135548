package mqtt_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"tianhai/ingest"
	"tianhai/ingest/mqtt"
)

// A mosquitto is a real broker with its own port and files.
type mosquitto struct {
	t    *testing.T
	bin  string
	conf string
	addr string
	cmd  *exec.Cmd
}

func startMosquitto(t *testing.T, settings ...string) *mosquitto {
	t.Helper()
	bin, err := exec.LookPath("mosquitto")
	if err != nil {
		bin = "/usr/sbin/mosquitto"
	}
	if _, err := os.Stat(bin); err != nil {
		t.Skip("mosquitto is not installed")
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	_, port, _ := net.SplitHostPort(addr)
	ln.Close()
	dir := t.TempDir()
	conf := filepath.Join(dir, "mosquitto.conf")
	lines := append([]string{
		"listener " + port + " 127.0.0.1",
		"allow_anonymous true",
		"persistence true",
		"persistence_location " + dir + "/",
		"max_queued_messages 0",
		"user root",
	}, settings...)
	if err := os.WriteFile(conf, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	m := &mosquitto{t: t, bin: bin, conf: conf, addr: addr}
	m.start()
	t.Cleanup(func() { m.end(syscall.SIGKILL) })
	return m
}

func (m *mosquitto) start() {
	m.t.Helper()
	m.cmd = exec.Command(m.bin, "-c", m.conf)
	var out bytes.Buffer
	m.cmd.Stderr = &out
	if err := m.cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	eventually(m.t, "mosquitto listens", func() bool {
		c, err := net.Dial("tcp", m.addr)
		if err != nil {
			return false
		}
		return c.Close() == nil
	})
}

func (m *mosquitto) end(sig os.Signal) {
	if m.cmd == nil {
		return
	}
	_ = m.cmd.Process.Signal(sig) // it may have ended by itself
	_ = m.cmd.Wait()
	m.cmd = nil
}

func (m *mosquitto) url() string { return "tcp://" + m.addr }

// A farmyard is what stands behind the session.
type farmyard struct {
	mu      sync.Mutex
	shut    bool
	tries   int
	frames  []ingest.Frame
	online  map[string]bool
	settled []ingest.CommandResult
}

func (y *farmyard) Append(_ context.Context, frames ...ingest.Frame) error {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.tries++
	if y.shut {
		return fmt.Errorf("append: %w", ingest.ErrBusy)
	}
	for _, f := range frames {
		f.Payload = bytes.Clone(f.Payload) // a journal does not hold on to it
		y.frames = append(y.frames, f)
	}
	return nil
}

func (y *farmyard) SetOnline(_ context.Context, device string, online bool, _ time.Time) error {
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.online == nil {
		y.online = make(map[string]bool)
	}
	y.online[device] = online
	return nil
}

func (y *farmyard) SettleCommand(_ context.Context, _ string, res ingest.CommandResult, _ time.Time) error {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.settled = append(y.settled, res)
	return nil
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

// firsts returns a device's payloads in the order in which each first came.
func (y *farmyard) firsts(device string) []string {
	y.mu.Lock()
	defer y.mu.Unlock()
	var list []string
	seen := make(map[string]bool)
	for _, f := range y.frames {
		if p := string(f.Payload); f.Device == device && !seen[p] {
			seen[p] = true
			list = append(list, p)
		}
	}
	return list
}

func (y *farmyard) count() int {
	y.mu.Lock()
	defer y.mu.Unlock()
	return len(y.frames)
}

// run runs a session until stop is called or the test ends.
func run(t *testing.T, y *farmyard, opt mqtt.Options) (s *mqtt.Session, stop func()) {
	t.Helper()
	opt.Intake = &ingest.Intake{Journal: y, Presence: y, Commands: y}
	s, err := mqtt.New(opt)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := s.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	stop = sync.OnceFunc(func() { cancel(); wg.Wait() })
	t.Cleanup(stop)
	return s, stop
}

// device connects as a device does.
func device(t *testing.T, m *mosquitto, id string) paho.Client {
	t.Helper()
	c := paho.NewClient(paho.NewClientOptions().AddBroker(m.url()).SetClientID(id).SetAutoReconnect(false))
	wait(t, c.Connect())
	t.Cleanup(func() { c.Disconnect(0) })
	return c
}

func publish(t *testing.T, c paho.Client, id string, from, to int) {
	t.Helper()
	for n := from; n < to; n++ {
		wait(t, c.Publish(ingest.Topic(id, "up"), 1, false, fmt.Sprint(n)))
	}
}

func wait(t *testing.T, tok paho.Token) {
	t.Helper()
	if !tok.WaitTimeout(20 * time.Second) {
		t.Fatal("the client waits in vain")
	}
	if err := tok.Error(); err != nil {
		t.Fatal(err)
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

func wantSeries(t *testing.T, y *farmyard, id string, n int) {
	t.Helper()
	eventually(t, "all is there", func() bool { return len(y.firsts(id)) >= n })
	for i, p := range y.firsts(id) {
		if p != fmt.Sprint(i) {
			t.Fatalf("%s: message %d is %q", id, i, p)
		}
	}
}

// Whatever devices send arrives by its topic, each device's in order.
func TestReceive(t *testing.T) {
	for _, group := range []string{"", "keepers"} {
		t.Run("group="+group, func(t *testing.T) {
			m := startMosquitto(t)
			y := &farmyard{}
			s, _ := run(t, y, mqtt.Options{URL: m.url(), Group: group})
			eventually(t, "it is connected", s.Connected)
			var wg sync.WaitGroup
			for _, id := range []string{"raft-1", "pond-7", "塘口3"} {
				c := device(t, m, id)
				wg.Go(func() { publish(t, c, id, 0, 300) })
			}
			wg.Wait()
			for _, id := range []string{"raft-1", "pond-7", "塘口3"} {
				wantSeries(t, y, id, 300)
			}
			if got := y.count(); got != 900 {
				t.Errorf("%d frames without any interruption, want 900", got)
			}
			c := device(t, m, "raft-1")
			wait(t, c.Publish("th/raft-1/status", 1, true, "online"))
			wait(t, c.Publish("th/raft-1/ack", 1, false, `{"id":"01J","ok":true}`))
			wait(t, c.Publish("th/raft-1/ack", 1, false, `no JSON`))
			wait(t, c.Publish("th/raft-1/status", 1, true, "offline"))
			eventually(t, "status and answer are there", func() bool {
				y.mu.Lock()
				defer y.mu.Unlock()
				online, known := y.online["raft-1"]
				return known && !online && len(y.settled) == 1
			})
		})
	}
}

// A message that the journal did not take is not acknowledged to the broker: it
// is there for the next session, and before anything newer.
func TestAcknowledgedOnlyWhenKept(t *testing.T) {
	m := startMosquitto(t)
	y := &farmyard{}
	s, stop := run(t, y, mqtt.Options{URL: m.url()})
	eventually(t, "it is connected", s.Connected)
	c := device(t, m, "raft-1")
	publish(t, c, "raft-1", 0, 50)
	wantSeries(t, y, "raft-1", 50)

	y.setShut(true)
	publish(t, c, "raft-1", 50, 150) // more than Mosquitto sends unacknowledged
	before := y.tried()
	eventually(t, "it is tried again", func() bool { return y.tried() > before+3 })
	stop()
	if got := y.count(); got != 50 {
		t.Fatalf("%d frames kept, want 50", got)
	}

	y.setShut(false)
	publish(t, c, "raft-1", 150, 160)
	run(t, y, mqtt.Options{URL: m.url()})
	wantSeries(t, y, "raft-1", 160)
}

// A journal that is busy for a while costs neither the connection nor the order.
func TestBusy(t *testing.T) {
	m := startMosquitto(t)
	y := &farmyard{shut: true}
	s, _ := run(t, y, mqtt.Options{URL: m.url()})
	eventually(t, "it is connected", s.Connected)
	publish(t, device(t, m, "raft-1"), "raft-1", 0, 100)
	eventually(t, "it is tried again", func() bool { return y.tried() > 5 })
	y.setShut(false)
	wantSeries(t, y, "raft-1", 100)
	if !s.Connected() {
		t.Error("the connection was lost")
	}
	if got := y.count(); got != 100 {
		t.Errorf("%d frames, want 100 without repeats", got)
	}
}

// The broker goes away and comes back with its files: nothing that it had
// acknowledged to a device is lost.
func TestBrokerRestarts(t *testing.T) {
	m := startMosquitto(t)
	y := &farmyard{}
	s, _ := run(t, y, mqtt.Options{URL: m.url()})
	eventually(t, "it is connected", s.Connected)
	publish(t, device(t, m, "raft-1"), "raft-1", 0, 100)
	wantSeries(t, y, "raft-1", 100)

	y.setShut(true) // so that the broker goes with messages in its hands
	publish(t, device(t, m, "raft-1"), "raft-1", 100, 200)
	m.end(syscall.SIGTERM)
	eventually(t, "the loss is seen", func() bool { return !s.Connected() })
	if err := s.Send(t.Context(), ingest.Command{ID: "1", Device: "raft-1"}); !errors.Is(err, ingest.ErrBusy) {
		t.Errorf("Send without a broker: %v, want ErrBusy", err)
	}
	y.setShut(false)
	m.start()
	wantSeries(t, y, "raft-1", 200)
	publish(t, device(t, m, "raft-1"), "raft-1", 200, 250)
	wantSeries(t, y, "raft-1", 250)
}

// kill -9 of the broker: what this side had acknowledged to it is kept here.
func TestBrokerKilled(t *testing.T) {
	m := startMosquitto(t, "autosave_on_changes true", "autosave_interval 1")
	y := &farmyard{}
	s, _ := run(t, y, mqtt.Options{URL: m.url()})
	from := 0
	for range 3 {
		eventually(t, "it is connected", s.Connected)
		c := device(t, m, "raft-1")
		publish(t, c, "raft-1", from, from+100)
		from += 100
		wantSeries(t, y, "raft-1", from)
		m.end(syscall.SIGKILL)
		eventually(t, "the loss is seen", func() bool { return !s.Connected() })
		m.start()
	}
	eventually(t, "it is connected", s.Connected)
	publish(t, device(t, m, "raft-1"), "raft-1", from, from+100)
	wantSeries(t, y, "raft-1", from+100)
}

func TestSend(t *testing.T) {
	m := startMosquitto(t)
	s, _ := run(t, &farmyard{}, mqtt.Options{URL: m.url()})
	eventually(t, "it is connected", s.Connected)
	got := make(chan string, 1)
	opt := paho.NewClientOptions().AddBroker(m.url()).SetClientID("pond-7").SetCleanSession(false)
	opt.SetDefaultPublishHandler(func(_ paho.Client, m paho.Message) { got <- m.Topic() + " " + string(m.Payload()) })
	c := paho.NewClient(opt)
	wait(t, c.Connect())
	wait(t, c.Subscribe("th/pond-7/down", 1, nil))
	c.Disconnect(250)

	cmd := ingest.Command{ID: "01J", Device: "pond-7", Name: "aerator", Value: "on", Expires: time.Now().Add(time.Hour).UTC()}
	if err := s.Send(t.Context(), cmd); err != nil {
		t.Fatal(err)
	}
	c = paho.NewClient(opt)
	wait(t, c.Connect())
	defer c.Disconnect(0)
	select {
	case msg := <-got:
		payload, _ := json.Marshal(cmd)
		if want := "th/pond-7/down " + string(payload); msg != want {
			t.Errorf("received %s, want %s", msg, want)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the command does not arrive")
	}

	cmd.Expires = time.Now().Add(-time.Second)
	if err := s.Send(t.Context(), cmd); err == nil {
		t.Error("an expired command is sent")
	}
}

func TestConnectionRefused(t *testing.T) {
	m := startMosquitto(t, "allow_anonymous false")
	s, stop := run(t, &farmyard{}, mqtt.Options{URL: m.url(), Username: "x", Password: "y"})
	if err := s.Send(t.Context(), ingest.Command{Device: "a"}); !errors.Is(err, ingest.ErrBusy) {
		t.Errorf("Send: %v, want ErrBusy", err)
	}
	stop()
	if s.Connected() {
		t.Error("connected")
	}
}

// A broker that does not grant the subscriptions is not taken for one that does.
// Mosquitto always grants, so this one is made of a few bytes.
func TestSubscriptionRefused(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	s, stop := run(t, &farmyard{}, mqtt.Options{URL: "tcp://" + ln.Addr().String()})
	defer stop()
	conn, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	read := func() []byte {
		head := make([]byte, 2)
		if _, err := io.ReadFull(conn, head); err != nil {
			t.Fatal(err)
		}
		body := make([]byte, head[1])
		if _, err := io.ReadFull(conn, body); err != nil {
			t.Fatal(err)
		}
		return append(head, body...)
	}
	write := func(b ...byte) {
		if _, err := conn.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	read() // CONNECT
	write(0x20, 2, 0, 0)
	sub := read()
	write(0x90, 5, sub[2], sub[3], 1, 0x80, 1)
	if got := read(); got[0] != 0xE0 {
		t.Errorf("packet % x, want DISCONNECT", got)
	}
	if s.Connected() {
		t.Error("connected")
	}
}

func TestTLS(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	files := map[string]*pem.Block{
		filepath.Join(dir, "cert.pem"): {Type: "CERTIFICATE", Bytes: der},
		filepath.Join(dir, "key.pem"):  {Type: "PRIVATE KEY", Bytes: secret},
	}
	pool := x509.NewCertPool()
	for name, block := range files {
		text := pem.EncodeToMemory(block)
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
		pool.AppendCertsFromPEM(text)
	}
	m := startMosquitto(t, "certfile "+filepath.Join(dir, "cert.pem"), "keyfile "+filepath.Join(dir, "key.pem"))
	url := "ssl://" + m.addr

	trusting, _ := run(t, &farmyard{}, mqtt.Options{URL: url, TLS: &tls.Config{RootCAs: pool, ServerName: "localhost"}})
	eventually(t, "it is connected", trusting.Connected)
	if err := trusting.Send(t.Context(), ingest.Command{ID: "1", Device: "a"}); err != nil {
		t.Error(err)
	}

	var log lockedBuffer
	wary, stop := run(t, &farmyard{}, mqtt.Options{URL: url, ClientID: "wary", Logger: slog.New(slog.NewTextHandler(&log, nil))})
	eventually(t, "the failure is logged", func() bool { return strings.Contains(log.String(), "certificate") })
	stop()
	if wary.Connected() {
		t.Error("an unknown certificate is trusted")
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *lockedBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *lockedBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// A broker that accepts the connection and says nothing does not hold up the end.
func TestSilentBroker(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	accepted := make(chan net.Conn, 10)
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			accepted <- c
		}
	}()
	_, stop := run(t, &farmyard{}, mqtt.Options{URL: "tcp://" + ln.Addr().String()})
	defer (<-accepted).Close()
	stop()
}

func TestNewRefuses(t *testing.T) {
	in := &ingest.Intake{}
	tests := map[string]mqtt.Options{
		"no intake":      {URL: "tcp://127.0.0.1:1883"},
		"no URL":         {Intake: in},
		"no host":        {Intake: in, URL: "tcp://"},
		"unknown scheme": {Intake: in, URL: "http://u:hunter2@127.0.0.1"},
		"malformed":      {Intake: in, URL: "tcp://u:hunter2@[::1"},
	}
	for name, opt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := mqtt.New(opt)
			if err == nil {
				t.Fatal("accepted")
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("err shows the password: %v", err)
			}
		})
	}
}
