package fleet_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

// A mosquitto is a real broker that a test can kill and start again.
type mosquitto struct {
	path, config, address string
	cmd                   *exec.Cmd
}

// startMosquitto starts a broker where user "raft" and so on have the password
// "secret-" + user, or skips the test.
func startMosquitto(t *testing.T, users ...string) *mosquitto {
	t.Helper()
	path, err := exec.LookPath("mosquitto")
	if err != nil {
		path = "/usr/sbin/mosquitto"
	}
	if _, err := os.Stat(path); err != nil {
		t.Skip("mosquitto is not installed; on Debian: apt-get install mosquitto")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().(*net.TCPAddr)
	listener.Close()

	dir := t.TempDir()
	passwords := ""
	for _, u := range append(users, "watcher") {
		passwords += u + ":secret-" + u + "\n"
	}
	passwordFile := filepath.Join(dir, "passwords")
	if err := os.WriteFile(passwordFile, []byte(passwords), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "mosquitto_passwd", "-U", passwordFile).CombinedOutput(); err != nil {
		t.Fatalf("hash passwords: %v: %s", err, out)
	}
	b := &mosquitto{path: path, config: filepath.Join(dir, "mosquitto.conf"), address: address.String()}
	config := fmt.Sprintf("listener %d 127.0.0.1\npassword_file %s\nallow_anonymous false\nmax_queued_messages 0\npersistence true\npersistence_location %s/\n",
		address.Port, passwordFile, dir)
	if os.Geteuid() == 0 {
		config += "user root\n" // the directory of the test is root's
	}
	if err := os.WriteFile(b.config, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	b.start(t)
	t.Cleanup(b.stop)
	return b
}

func (b *mosquitto) url() string { return "tcp://" + b.address }

func (b *mosquitto) start(t *testing.T) {
	t.Helper()
	b.cmd = exec.Command(b.path, "-c", b.config)
	if err := b.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "broker listens", func() bool {
		c, err := net.Dial("tcp", b.address)
		if err != nil {
			return false
		}
		c.Close()
		return true
	})
}

// stop ends the broker as an operator would: it forgets nothing that it
// acknowledged, which it does on kill -9.
func (b *mosquitto) stop() {
	if b.cmd != nil {
		_ = b.cmd.Process.Signal(syscall.SIGTERM)
		_ = b.cmd.Wait()
		b.cmd = nil
	}
}

// A cable joins devices to a broker and can be cut.
type cable struct {
	listener net.Listener
	to       string
	mu       sync.Mutex
	isCut    bool
	ends     []net.Conn
}

func newCable(t *testing.T, b *mosquitto) *cable {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cable{listener: listener, to: b.address}
	go c.join()
	t.Cleanup(func() {
		listener.Close()
		c.cut()
	})
	return c
}

func (c *cable) url() string { return "tcp://" + c.listener.Addr().String() }

func (c *cable) join() {
	for {
		near, err := c.listener.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", c.to)
		c.mu.Lock()
		if c.isCut || err != nil {
			near.Close()
			if err == nil {
				far.Close()
			}
		} else {
			c.ends = append(c.ends, near, far)
			go func() { _, _ = io.Copy(near, far); near.Close() }()
			go func() { _, _ = io.Copy(far, near); far.Close() }()
		}
		c.mu.Unlock()
	}
}

func (c *cable) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.isCut = true
	for _, end := range c.ends {
		end.Close()
	}
	c.ends = nil
}

func (c *cable) mend() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.isCut = false
}

// A watcher is a subscriber to everything, which outlives the broker.
type watcher struct {
	client mqtt.Client
	mu     sync.Mutex
	got    []mqtt.Message
}

func watch(t *testing.T, b *mosquitto) *watcher {
	t.Helper()
	w := &watcher{}
	ready := make(chan struct{}, 100)
	w.client = mqtt.NewClient(mqtt.NewClientOptions().AddBroker(b.url()).SetProtocolVersion(4).
		SetClientID("watcher").SetCleanSession(false).SetUsername("watcher").SetPassword("secret-watcher").
		SetMaxReconnectInterval(50 * time.Millisecond).SetConnectRetry(true).SetConnectRetryInterval(50 * time.Millisecond).
		SetOnConnectHandler(func(c mqtt.Client) {
			c.Subscribe("th/#", 1, func(_ mqtt.Client, m mqtt.Message) {
				w.mu.Lock()
				defer w.mu.Unlock()
				w.got = append(w.got, m)
			}).Wait()
			ready <- struct{}{}
		}))
	w.client.Connect()
	t.Cleanup(func() { w.client.Disconnect(0) })
	select {
	case <-ready:
	case <-time.After(10 * time.Second):
		t.Fatal("watcher cannot subscribe")
	}
	return w
}

// on returns the payloads seen on a topic, oldest first.
func (w *watcher) on(topic string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []string
	for _, m := range w.got {
		if m.Topic() == topic {
			out = append(out, string(m.Payload()))
		}
	}
	return out
}

func (w *watcher) last(topic string) string {
	all := w.on(topic)
	if len(all) == 0 {
		return ""
	}
	return all[len(all)-1]
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-deadline.C:
			t.Fatalf("in vain: %s", what)
		case <-tick.C:
		}
	}
}

// running starts run and returns a function that stops it and waits; a test
// that forgets to is helped.
func running(t *testing.T, run func(context.Context) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}
