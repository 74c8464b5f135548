package main_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const mappedFarm = `
tenants: [{id: oysters, name: {zh: 合作社}, region: "450700"}]
sites: [{id: raft-1, tenant: oysters, region: "450702", kind: raft, name: {zh: 一号排}, latitude: 21.7, longitude: 108.5}]
models: [{id: third, name: {zh: 第三方气象站}, format: "mapped;mapping=weather", interval: 1m, channels: [{key: t, quantity: water.temperature}]}]
devices: [{id: weather-9, tenant: oysters, model: third, name: {zh: 气象站}, site: raft-1, from: 2026-01-01T00:00:00Z}]
accounts: [{login: root, name: 管理员, role: administrator}]
`

// A mapping from the shell, tried, saved, mended by the API and deleted, while
// the device sends: what cannot be read waits in quarantine with the reason.
func TestMapping(t *testing.T) {
	dir := t.TempDir()
	data, file, creds := filepath.Join(dir, "data"), filepath.Join(dir, "farm.yaml"), filepath.Join(dir, "creds.csv")
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("farm.yaml", mappedFarm)
	printed, err := runTianhai(t, "import", file, "--data", data, "--credentials", creds)
	if err != nil {
		t.Fatalf("import: %v\n%s", err, printed)
	}
	secret := readCredentials(t, creds)["weather-9"]
	doc, sample := write("weather.yaml", "channels:\n  - {channel: t, path: data.T, scale: 0.1}\n"), write("sample.json", `{"data":{"T":245}}`)
	for want, args := range map[string][]string{
		`"value":24.5,"unit":"Cel"`:                        {"mapping", "try", "--data", data, "--model", "third", doc, sample},
		"sample line 1 column 9: data: an object has no T": {"mapping", "try", "--data", data, doc, write("bad.json", `{"data":{"U":245}}`)},
		"mapping line 2: channels[0].path: empty path":     {"mapping", "try", "--data", data, write("bad.yaml", "channels:\n  - {channel: t}\n"), sample},
		"parse mapping: line 2: channels[0].path: empty":   {"mapping", "save", "--data", data, "weather", filepath.Join(dir, "bad.yaml")},
		`model "fourth" is not known`:                      {"mapping", "try", "--data", data, "--model", "fourth", doc, sample},
		"read versions of mapping":                         {"mapping", "show", "--data", data, "weather"},
	} {
		if out, _ := runTianhai(t, args...); !strings.Contains(out, want) {
			t.Errorf("%v: %s, want %s", args, out, want)
		}
	}

	s := startServer(t, "serve", data)
	device := meter(t, s, "weather-9", secret)
	token := embeddedToken(t, data)
	root := newBrowser(t, s.HTTP)
	root.login("root", passwordOf(t, printed, "root"))
	setAside := func() int {
		var set struct{ Frames []struct{ Reason string } }
		root.getJSON("/api/v1/quarantine?device=weather-9", &set)
		return len(set.Frames)
	}
	settle(t, device.Publish("th/weather-9/up", 1, false, `{"data":{"T":200}}`))
	waitFor(t, "what nobody has mapped to be set aside", 20*time.Second, func() bool { return setAside() == 1 })

	if out, err := runTianhai(t, "mapping", "save", "--data", data, "weather", doc); err != nil || !strings.Contains(out, "weather version 1") {
		t.Fatalf("save: %v\n%s", err, out)
	}
	waitFor(t, "the shell's mapping to be noticed", 20*time.Second, func() bool {
		settle(t, device.Publish("th/weather-9/up", 1, false, `{"data":{"T":245}}`))
		return len(queryInflux(t, s.Influx, token, `SELECT temperature FROM water WHERE device='weather-9' AND temperature = 24.5`)) > 0
	})
	status, answer := root.send("POST", "/api/v1/mappings", []byte(`{"name":"weather","doc":"channels: [{channel: t, path: data.T, scale: 0.01}]","base":1}`))
	if status != http.StatusCreated {
		t.Fatalf("edit: %d %s", status, answer)
	}
	waitFor(t, "the edited mapping to count", 20*time.Second, func() bool {
		settle(t, device.Publish("th/weather-9/up", 1, false, `{"data":{"T":2150}}`))
		return len(queryInflux(t, s.Influx, token, `SELECT temperature FROM water WHERE device='weather-9' AND temperature = 21.5`)) > 0
	})
	waitFor(t, "what came before the mapping to be read after all", 90*time.Second, func() bool { return setAside() == 0 })
	if rows := queryInflux(t, s.Influx, token, `SELECT temperature FROM water WHERE device='weather-9' AND temperature = 2`); len(rows) != 1 {
		t.Errorf("of what came before the mapping there is %v", rows)
	}
	if out, err := runTianhai(t, "mapping", "list", "--data", data); err != nil || !strings.Contains(out, "weather  2 ") {
		t.Errorf("list: %v\n%s", err, out)
	}
}
