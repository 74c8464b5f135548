package main_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// outsideBroker starts a Mosquitto of its own.
func outsideBroker(t *testing.T) (addr string) {
	t.Helper()
	path, ok := findPeer("mosquitto")
	if !ok {
		t.Skip("mosquitto is not installed")
	}
	_, addr = startMosquitto(t, path)
	return addr
}

// anyone connects to a broker that lets everybody in.
func anyone(t *testing.T, addr, id string) paho.Client {
	t.Helper()
	c := paho.NewClient(paho.NewClientOptions().AddBroker("tcp://" + addr).SetClientID(id).SetAutoReconnect(false).SetConnectTimeout(10 * time.Second))
	settle(t, c.Connect())
	t.Cleanup(func() { c.Disconnect(0) })
	return c
}

func settle(t *testing.T, tok paho.Token) {
	t.Helper()
	if !tok.WaitTimeout(20 * time.Second) {
		t.Fatal("the broker does not answer")
	}
	if tok.Error() != nil {
		t.Fatal(tok.Error())
	}
}

// passwordOf finds a new account's password in what import printed.
func passwordOf(t testing.TB, printed, login string) string {
	t.Helper()
	for line := range strings.Lines(printed) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == login {
			return f[1]
		}
	}
	t.Fatalf("no password of %s in %q", login, printed)
	return ""
}

const manyFarms = `
tenants: [{id: oysters, name: {zh: 合作社}, region: "450700"}]
sites: [{id: raft-1, tenant: oysters, region: "450702", kind: raft, name: {zh: 一号排}, latitude: 21.7, longitude: 108.5}]
models:
  - {id: station, name: {zh: 水质站}, format: json, interval: 1m, channels: [{key: t, quantity: water.temperature}], commands: [wipe]}
  - {id: lora, name: {zh: 无线探头}, format: chirpstack, interval: 1m, channels: [{key: t, quantity: water.temperature}]}
devices:
  - {id: sonde, tenant: oysters, model: station, name: {zh: 探头}, site: raft-1, from: 2026-01-01T00:00:00Z}
  - {id: "0102030405060708", tenant: oysters, model: lora, name: {zh: 浮标}, site: raft-1, from: 2026-01-01T00:00:00Z}
  - {id: soil-3, tenant: oysters, model: lora, name: {zh: 墒情}, site: raft-1, from: 2026-01-01T00:00:00Z}
accounts: [{login: li, name: 老李, role: farmer, tenant: oysters}, {login: root, name: 管理员, role: administrator}]
`

// Several brokers at once: each device is heard through its own, and told there;
// one that is away holds up nobody.
func TestSeveralBrokers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	data, creds, file := filepath.Join(dir, "data"), filepath.Join(dir, "creds.csv"), filepath.Join(dir, "farm.yaml")
	if err := os.WriteFile(file, []byte(manyFarms), 0o600); err != nil {
		t.Fatal(err)
	}
	printed, err := runTianhai(t, "import", file, "--data", data, "--credentials", creds)
	if err != nil {
		t.Fatalf("import: %v\n%s", err, printed)
	}
	lora, own := outsideBroker(t), outsideBroker(t)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	away := free.Addr().String()
	free.Close()
	config := filepath.Join(dir, "tianhai.yaml")
	if err := os.WriteFile(config, fmt.Appendf(nil, `
brokers:
  - {name: away, url: "tcp://%s"}
  - name: lora
    url: "tcp://%s"
    topics:
      - {topic: "application/+/device/{device}/event/up", format: chirpstack}
      - {topic: "v3/+/devices/{device}/up", format: ttn}
  - {name: own, url: "tcp://%s", shared_group: servers}
`, away, lora, own), 0o600); err != nil {
		t.Fatal(err)
	}
	s := startServer(t, "serve", data, "--config", config)
	waitFor(t, "the two that are there", 30*time.Second, func() bool {
		r := s.ready()
		return r.is("broker lora") == "ok" && r.is("broker own") == "ok"
	})
	if r := s.ready(); !r.Ready || r.is("broker away") != "down" || r.is("journal") != "ok" {
		t.Errorf("readiness %+v", r)
	}

	server := anyone(t, lora, "chirpstack")
	uplink := `{"deviceInfo":{"devEui":"0102030405060708"},"object":{"t":21.5}}`
	settle(t, server.Publish("application/7f3c/device/0102030405060708/event/up", 1, false, uplink))
	settle(t, server.Publish("application/7f3c/device/0102030405060708/event/join", 1, false, `{}`))
	settle(t, server.Publish("application/7f3c/device/ffffffffffffffff/event/up", 1, false, uplink))
	settle(t, server.Publish("v3/farm@ttn/devices/soil-3/up", 1, false, `{"uplink_message":{"decoded_payload":{"t":22.5}}}`))
	sonde := anyone(t, own, "sonde")
	heard := make(chan string, 10)
	settle(t, sonde.Subscribe("th/sonde/down", 1, func(_ paho.Client, m paho.Message) { heard <- string(m.Payload()) }))
	settle(t, sonde.Publish("th/sonde/up", 1, false, `{"t":23.5}`))
	token := embeddedToken(t, data)
	for device, want := range map[string]float64{"0102030405060708": 21.5, "soil-3": 22.5, "sonde": 23.5} {
		waitFor(t, "what "+device+" said", 30*time.Second, func() bool {
			rows := queryInflux(t, s.Influx, token, fmt.Sprintf(`SELECT temperature FROM water WHERE device='%s'`, device))
			return len(rows) == 1 && rows[0][1] == want
		})
	}

	root := newBrowser(t, s.HTTP)
	root.login("root", passwordOf(t, printed, "root"))
	var set struct {
		Frames []struct{ Device, Reason string }
	}
	waitFor(t, "the unknown device to be set aside", 20*time.Second, func() bool {
		root.getJSON("/api/v1/quarantine", &set)
		return len(set.Frames) > 0
	})
	if len(set.Frames) != 1 || set.Frames[0].Device != "ffffffffffffffff" || !strings.Contains(set.Frames[0].Reason, "unknown device") {
		t.Errorf("quarantine %+v, want the unknown device alone", set.Frames)
	}

	li := newBrowser(t, s.HTTP)
	li.login("li", passwordOf(t, printed, "li"))
	if status, answer := li.send("POST", "/api/v1/devices/sonde/commands", []byte(`{"name":"wipe","value":"on"}`)); status != http.StatusAccepted {
		t.Fatalf("command: %d %s", status, answer)
	}
	select {
	case m := <-heard:
		var order struct{ ID, Value string }
		if err := json.Unmarshal([]byte(m), &order); err != nil || order.Value != "on" {
			t.Fatalf("command %s: %v", m, err)
		}
		settle(t, sonde.Publish("th/sonde/ack", 1, false, fmt.Sprintf(`{"id":%q,"ok":true}`, order.ID)))
	case <-time.After(20 * time.Second):
		t.Fatal("the command does not come to where the device is")
	}
	var answer struct{ Commands []struct{ State string } }
	waitFor(t, "the command to be done", 20*time.Second, func() bool {
		li.getJSON("/api/v1/devices/sonde/commands", &answer)
		return answer.Commands[0].State == "done"
	})

	status, raw := newBrowser(t, s.HTTP).send("GET", "/metrics", nil)
	for _, line := range []string{`tianhai_broker_connected{broker="away"} 0`, `tianhai_broker_connected{broker="own"} 1`, `tianhai_frames_journalled_total{source="lora"} 3`} {
		if !strings.Contains(string(raw), line) {
			t.Errorf("status %d: no %s in the metrics", status, line)
		}
	}
}
