package main_test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tianhai/ingest"
)

// A mosquitto runs as deploy/mosquitto/mosquitto.conf says, on a port and files
// of its own, and can be killed and started again.
type mosquitto struct {
	t          *testing.T
	path, conf string
	addr       string
	p          *peer
}

func newMosquitto(t *testing.T, secrets map[string]string) *mosquitto {
	t.Helper()
	path, ok := findPeer("mosquitto")
	passwd, err := exec.LookPath("mosquitto_passwd")
	if !ok || err != nil {
		t.Skip("mosquitto is not installed")
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	m := &mosquitto{t: t, path: path, conf: filepath.Join(dir, "mosquitto.conf"), addr: free.Addr().String()}
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	_, port, _ := strings.Cut(m.addr, ":")
	conf := strings.NewReplacer(
		"listener 1883", "listener "+port+" 127.0.0.1",
		"/mosquitto/data/", dir+"/",
		"/mosquitto/config/", dir+"/",
	).Replace(read(t, "deploy", "mosquitto", "mosquitto.conf"))
	users := "tianhai:server\n"
	for device, secret := range secrets {
		users += device + ":" + secret + "\n"
	}
	for name, text := range map[string]string{"mosquitto.conf": conf + "user root\n", "acl": read(t, "deploy", "mosquitto", "acl"), "passwd": users} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.CommandContext(t.Context(), passwd, "-U", filepath.Join(dir, "passwd")).CombinedOutput(); err != nil {
		t.Fatalf("mosquitto_passwd: %v\n%s", err, out)
	}
	m.start()
	return m
}

func (m *mosquitto) start() {
	m.t.Helper()
	m.p = startPeer(m.t, m.path, "-c", m.conf)
	waitFor(m.t, "mosquitto", 10*time.Second, func() bool {
		c, err := net.Dial("tcp", m.addr)
		return err == nil && c.Close() == nil
	})
}

// behind puts the server of a trial behind a Mosquitto.
func (x *trial) behind() *mosquitto {
	x.t.Helper()
	m := newMosquitto(x.t.(*testing.T), x.secrets)
	m.t.Setenv("TIANHAI_MQTT_URL", "tcp://"+m.addr)
	m.t.Setenv("TIANHAI_MQTT_USERNAME", "tianhai")
	m.t.Setenv("TIANHAI_MQTT_PASSWORD", "server")
	x.where.Store(&m.addr)
	x.start()
	waitFor(x.t, "the session with mosquitto", 30*time.Second, func() bool { return x.s.ready().Ready })
	return m
}

// Behind Mosquitto the server is killed under load: Mosquitto keeps what it has
// acknowledged and hands it on.
func TestKillBehindMosquitto(t *testing.T) {
	x := newTrial(t, "behind", 4)
	x.behind()
	x.load()
	for range 3 {
		x.more(500)
		x.s.kill()
		x.more(500)
		x.start()
		waitFor(t, "the session with mosquitto", time.Minute, func() bool { return x.s.ready().Ready })
	}
	x.more(500)
	x.sum()
}

// unsaved is how many of the frames that Mosquitto acknowledged last one kill of
// it may cost: it saves after every 100 changes, of which a frame is several.
// docs/operations.md says so.
const unsaved = 200

// TestKillMosquitto kills Mosquitto under load. What it had acknowledged and not
// yet saved or handed on is its to lose; everything else is stored.
func TestKillMosquitto(t *testing.T) {
	x := newTrial(t, "broker", 4)
	m := x.behind()
	x.load()
	const kills = 3
	for range kills {
		x.more(1000)
		m.p.stop()
		waitFor(t, "readiness to tell", 30*time.Second, func() bool { r := x.s.ready(); return !r.Ready && r.is("broker mqtt") == "down" })
		m.start()
		waitFor(t, "the session with mosquitto", time.Minute, func() bool { return x.s.ready().Ready })
	}
	x.more(1000)
	a := x.count()
	t.Logf("%d lost by mosquitto", len(a.lost))
	if len(a.lost) > kills*unsaved {
		t.Errorf("%d acknowledged frames are lost in %d kills, the first: %s", len(a.lost), kills, a.lost[0])
	}
}

// Mosquitto acknowledges nothing that is too large for the server behind it.
func TestLargeFramesBehindMosquitto(t *testing.T) {
	x := newTrial(t, "wide", 1)
	m := x.behind()
	s := x.senders[0]
	for size, kept := range map[int]bool{ingest.MaxPayload - 100: true, ingest.MaxPayload + 1: false} {
		line, err := dialRaw(m.addr, s.device, s.secret)
		if err != nil {
			t.Fatal(err)
		}
		s.frame = func(s *sender, n int) ([]byte, bool) { return huge(s, n, size), false }
		if _, err := s.ping(line); (err == nil) != kept {
			t.Errorf("a frame of %d bytes: %v", size, err)
		}
		line.conn.Close()
	}
	waitFor(t, "mosquitto to hand on what it acknowledged", time.Minute, func() bool {
		return strings.Contains(x.s.metrics(), "tianhai_frames_received_total{source=\"mqtt\"} 1\n")
	})
	x.sum()
}
