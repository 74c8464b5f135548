package main_test

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"tianhai/trace/label"
)

// meter connects as a device; nil where it is refused.
func meter(t *testing.T, s *server, id, secret string) paho.Client {
	t.Helper()
	c := paho.NewClient(paho.NewClientOptions().AddBroker("tcp://" + s.MQTT).SetClientID(id).SetUsername(id).SetPassword(secret).SetAutoReconnect(false).SetConnectTimeout(10 * time.Second))
	tok := c.Connect()
	if !tok.WaitTimeout(20 * time.Second) {
		t.Fatal("the server does not answer a device")
	}
	if tok.Error() != nil {
		return nil
	}
	t.Cleanup(func() { c.Disconnect(0) })
	return c
}

const oneFarm = `
tenants: [{id: oysters, name: {zh: 合作社}, region: "450700"}]
sites: [{id: raft-1, tenant: oysters, region: "450702", kind: raft, name: {zh: 一号排}, latitude: 21.7, longitude: 108.5}]
models: [{id: station, name: {zh: 水质站}, format: json, interval: 1m, channels: [{key: t, quantity: water.temperature}], commands: [wipe]}]
accounts: [{login: li, name: 老李, role: farmer, tenant: oysters}]
`

// A device's life, from the printed label to retirement, by the real program: the
// shell issues, a farmer claims, and what the shell changes reaches the connection.
func TestDeviceLife(t *testing.T) {
	dir := t.TempDir()
	data, labels := filepath.Join(dir, "data"), filepath.Join(dir, "labels.csv")
	run := func(args ...string) string {
		t.Helper()
		out, err := runTianhai(t, append(args, "--data", data)...)
		if err != nil {
			t.Fatalf("tianhai %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return out
	}
	if err := os.WriteFile(filepath.Join(dir, "farm.yaml"), []byte(oneFarm), 0o600); err != nil {
		t.Fatal(err)
	}
	password := ""
	for line := range strings.Lines(run("import", filepath.Join(dir, "farm.yaml"))) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "li" {
			password = f[1]
		}
	}
	importDevices(t, dir, data)
	sheet := filepath.Join(dir, "labels.html")
	run("device", "issue", "--model", "station", "--count", "2", "--out", labels, "--sheet", sheet, "--url", "https://farm.example.cn")
	id, secret, code := firstLabel(t, labels)
	page, err := os.ReadFile(sheet)
	if err != nil || !strings.Contains(string(page), label.Group(code)) || strings.Contains(string(page), secret) {
		t.Errorf("the sheet of labels, %v, should have the claim code and no secret:\n%s", err, page)
	}

	s := startServer(t, "serve", data)
	if meter(t, s, id, secret) != nil {
		t.Fatal("a device that is nobody's was let in")
	}
	li := newBrowser(t, s.HTTP)
	li.login("li", password)
	path := "/api/v1/devices/" + id
	if status, answer := li.send("POST", path+"/claim", []byte(`{"code":"0000000000000","site":"raft-1"}`)); status != http.StatusForbidden {
		t.Fatalf("a wrong code: %d %s", status, answer)
	}
	before := code
	code = strings.Fields(run("device", "reissue", id, "--reason", "label lost"))[4]
	if status, answer := li.send("POST", path+"/claim", fmt.Appendf(nil, `{"code":%q,"site":"raft-1"}`, before)); status != http.StatusForbidden {
		t.Fatalf("the code before: %d %s", status, answer)
	}
	if status, answer := li.send("POST", path+"/claim", fmt.Appendf(nil, `{"code":%q,"site":"raft-1"}`, code)); status != http.StatusCreated {
		t.Fatalf("the right code: %d %s", status, answer)
	}
	var d struct {
		State string
		Place struct{ Site string }
	}
	li.getJSON(path, &d)
	if d.State != "claimed" || d.Place.Site != "raft-1" {
		t.Errorf("after the claim: %+v", d)
	}
	c := meter(t, s, id, secret)
	if c == nil {
		t.Fatal("the claimed device was not let in")
	}
	waitFor(t, "it to be active", 20*time.Second, func() bool { li.getJSON(path, &d); return d.State == "active" })

	run("device", "suspend", id, "--reason", "进水")
	waitFor(t, "the suspended device to be cut off", 20*time.Second, func() bool { return !c.IsConnectionOpen() })
	if meter(t, s, id, secret) != nil {
		t.Error("the suspended device was let in")
	}
	run("device", "resume", id)
	fresh := strings.TrimSuffix(strings.Fields(run("device", "rotate", id, "--grace", "1h"))[3], ",")
	for what, secret := range map[string]string{"old": secret, "new": fresh} {
		if meter(t, s, id, secret) == nil {
			t.Errorf("the %s secret is not good within the grace", what)
		}
	}
	run("device", "revoke", id)
	if meter(t, s, id, fresh) != nil {
		t.Error("let in with a revoked secret")
	}
	run("device", "retire", id)
	if out, err := runTianhai(t, "device", "resume", id, "--data", data); err == nil {
		t.Errorf("back from retirement: %s", out)
	}
	if out := run("device", "list"); !strings.Contains(out, id) || !strings.Contains(out, "retired") {
		t.Errorf("list: %s", out)
	}
	if strings.Contains(s.log.String(), fresh) || strings.Contains(s.log.String(), code) {
		t.Error("a secret is in the log")
	}
}

// importDevices has a file refused and, mended, taken.
func importDevices(t *testing.T, dir, data string) {
	t.Helper()
	file, secrets := filepath.Join(dir, "devices.csv"), filepath.Join(dir, "secrets.csv")
	try := func(content, says string, args ...string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := runTianhai(t, append([]string{"device", "import", file, "--data", data}, args...)...); !strings.Contains(out, says) {
			t.Errorf("import: %v\n%s\nwant %q", err, out, says)
		}
	}
	const good = "id,tenant,model,name_zh,site\nimported-1,oysters,station,一号,raft-1\n"
	try(good+"imported-2,oysters,clock,二号,raft-1\n", "devices.csv:3: model:", "--credentials", secrets)
	try(good, "1 devices, all in order", "--dry-run")
	try(good, "1 new devices", "--credentials", secrets)
	try(good, "devices.csv:2: id: imported-1 is there already", "--dry-run")
	if raw, err := os.ReadFile(secrets); err != nil || strings.Count(string(raw), "imported-1,") != 1 {
		t.Errorf("secrets %s, %v", raw, err)
	}
}

// A command to a device that sleeps is delivered when it wakes, also when the
// server was killed meanwhile; those behind it wait for its answer.
func TestSleepingDevice(t *testing.T) {
	dir := t.TempDir()
	data, creds := filepath.Join(dir, "data"), filepath.Join(dir, "creds.csv")
	farm := oneFarm + "devices: [{id: sonde, tenant: oysters, model: station, name: {zh: 探头}, site: raft-1}]\n"
	if err := os.WriteFile(filepath.Join(dir, "farm.yaml"), []byte(farm), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := runTianhai(t, "import", filepath.Join(dir, "farm.yaml"), "--data", data, "--credentials", creds)
	if err != nil {
		t.Fatalf("import: %v\n%s", err, out)
	}
	raw, err := os.ReadFile(creds)
	if err != nil {
		t.Fatal(err)
	}
	secret := strings.Split(strings.Split(string(raw), "\n")[1], ",")[1]
	password := ""
	for line := range strings.Lines(out) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "li" {
			password = f[1]
		}
	}
	s := startServer(t, "serve", data)
	li := newBrowser(t, s.HTTP)
	li.login("li", password)
	for _, value := range []string{"first", "second"} {
		if status, answer := li.send("POST", "/api/v1/devices/sonde/commands", fmt.Appendf(nil, `{"name":"wipe","value":%q,"good":3600}`, value)); status != http.StatusAccepted {
			t.Fatalf("command: %d %s", status, answer)
		}
	}
	states := func() (list string) {
		var answer struct {
			Commands []struct{ Value, State string }
		}
		li.getJSON("/api/v1/devices/sonde/commands", &answer)
		for _, c := range answer.Commands {
			list += c.Value + " " + c.State + " "
		}
		return list
	}
	if got := states(); got != "second queued first queued " {
		t.Errorf("while it sleeps: %s", got)
	}
	s.kill()
	s = startServer(t, "serve", data)
	li = newBrowser(t, s.HTTP)
	li.login("li", password)

	type order struct{ ID, Value string }
	heard := make(chan order, 10)
	c := meter(t, s, "sonde", secret)
	if c == nil {
		t.Fatal("the device was not let in")
	}
	c.Subscribe("th/sonde/down", 1, func(_ paho.Client, m paho.Message) {
		var o order
		if err := json.Unmarshal(m.Payload(), &o); err != nil {
			t.Error(err)
		}
		heard <- o
	})
	for _, value := range []string{"first", "second"} {
		select {
		case o := <-heard:
			if o.Value != value {
				t.Fatalf("heard %q, want %q", o.Value, value)
			}
			if len(heard) > 0 {
				t.Error("heard the next before it has answered")
			}
			c.Publish("th/sonde/ack", 1, false, fmt.Sprintf(`{"id":%q,"ok":true}`, o.ID))
		case <-time.After(20 * time.Second):
			t.Fatalf("the %s command did not come: %s", value, states())
		}
	}
	waitFor(t, "both to be done", 20*time.Second, func() bool { return states() == "second done first done " })
}

func firstLabel(t *testing.T, file string) (id, secret, code string) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil || len(rows) != 3 {
		t.Fatalf("labels %v, %v", rows, err)
	}
	return rows[1][0], rows[1][2], rows[1][3]
}
