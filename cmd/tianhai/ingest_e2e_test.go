package main_test

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// sondeFarm registers one multi-parameter water sonde per name.
func sondeFarm(from time.Time, devices ...string) string {
	var b strings.Builder
	b.WriteString(`
tenants: [{id: reserve, region: "450500", name: {zh: 河口保护区, en: Estuary reserve}}]
sites: [{id: estuary, tenant: reserve, region: "450500", kind: raft, name: {zh: 河口, en: Estuary}, town: {zh: 营盘镇, en: Yingpan Town}, latitude: 21.45, longitude: 109.45}]
models:
  - id: sonde
    name: {zh: 多参数水质仪, en: Water sonde}
    interval: 15m
    channels:
`)
	for _, c := range sondeChannels {
		fmt.Fprintf(&b, "      - {key: %s, quantity: water.%s}\n", c.field, c.field)
	}
	b.WriteString("    commands: [wipe]\n")
	b.WriteString("accounts: [{login: keeper, name: 管理员, role: administrator}]\ndevices:\n")
	for _, d := range devices {
		fmt.Fprintf(&b, "  - {id: %s, tenant: reserve, model: sonde, site: estuary, from: %s, name: {zh: 水质仪, en: Sonde}}\n", d, from.Format(time.RFC3339))
	}
	return b.String()
}

var sondeChannels = []struct{ column, field string }{
	{"Temp", "temperature"},
	{"SpCond", "specific_conductance"},
	{"Sal", "salinity"},
	{"DO_Pct", "oxygen_saturation"},
	{"DO_mgl", "dissolved_oxygen"},
	{"Depth", "depth"},
	{"pH", "ph"},
	{"Turb", "turbidity"},
}

// queryInflux runs InfluxQL as the owner of the data directory would.
func queryInflux(t testing.TB, base, token, query string) [][]any {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", base+"/query?epoch=ms&db=tianhai&q="+url.QueryEscape(query), nil)
	if err != nil {
		t.Fatal(err)
	}
	user, password, _ := strings.Cut(token, ":")
	req.SetBasicAuth(user, password)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil // down; the caller waits
	}
	defer resp.Body.Close()
	var answer struct {
		Results []struct {
			Error  string
			Series []struct{ Values [][]any }
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	if len(answer.Results) != 1 || answer.Results[0].Error != "" {
		t.Fatalf("%s: %s %+v", query, resp.Status, answer)
	}
	var rows [][]any
	for _, s := range answer.Results[0].Series {
		rows = append(rows, s.Values...)
	}
	return rows
}

func embeddedToken(t testing.TB, dir string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, "influx", "password"))
	if err != nil {
		t.Fatal(err)
	}
	return "tianhai:" + strings.TrimSpace(string(raw))
}

func number(t testing.TB, rows [][]any) int {
	t.Helper()
	if len(rows) == 0 {
		return 0
	}
	return int(rows[0][1].(float64))
}

// A day's numbers of one channel.
type daily struct {
	n              int
	sum, low, high float64
}

// TestGrandBay replays two months of a real estuary station and compares what
// is stored with what the file says.
func TestGrandBay(t *testing.T) {
	file, err := filepath.Abs(filepath.Join("..", "..", "..", "shared", "data", "grand-bay", "water-quality-2021.csv"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(file); err != nil {
		t.Skipf("the Grand Bay measurements are not here: %v", err)
	}
	dir := t.TempDir()
	secrets := importFarms(t, dir, sondeFarm(time.Date(2021, 7, 1, 0, 0, 0, 0, time.UTC), "grand-bay"))
	s := startServer(t, "serve", dir)

	var mapping []string
	for _, c := range sondeChannels {
		mapping = append(mapping, c.column+"="+c.field)
	}
	sim := exec.CommandContext(t.Context(), program(t, "tianhai/firmware-sim"), "replay",
		"--broker", "tcp://"+s.MQTT, "--device", "grand-bay", "--csv", file, "--speed", "0",
		"--time-column", "DateTimeStamp", "--time-layout", "1/2/2006 15:04", "--utc-offset", "-6h",
		"--map", strings.Join(mapping, ","))
	sim.Env = append(os.Environ(), "FIRMWARE_SIM_PASSWORD="+secrets["grand-bay"])
	if out, err := sim.CombinedOutput(); err != nil {
		t.Fatalf("firmware-sim: %v\n%s", err, tail(string(out), 20))
	}

	rows, want, missing := grandBayDays(t, file)
	if rows != 5856 {
		t.Fatalf("the file has %d rows", rows)
	}
	token := embeddedToken(t, dir)
	for _, c := range sondeChannels {
		waitFor(t, "every row of "+c.field, time.Minute, func() bool {
			n := number(t, queryInflux(t, s.Influx, token, fmt.Sprintf(`SELECT count(%q) FROM water WHERE device='grand-bay'`, c.field)))
			m := number(t, queryInflux(t, s.Influx, token, fmt.Sprintf(`SELECT count(%q) FROM water WHERE device='grand-bay' AND "%s_flag" = 9`, c.field+"_flag", c.field)))
			return n == rows-missing[c.field] && m == missing[c.field]
		})
		got := queryInflux(t, s.Influx, token, fmt.Sprintf(
			`SELECT count(%[1]q), mean(%[1]q), min(%[1]q), max(%[1]q) FROM water WHERE device='grand-bay' AND time >= '2021-07-02T06:00:00Z' AND time < '2021-09-01T06:00:00Z' GROUP BY time(1d, 6h)`, c.field))
		days := 0
		for _, row := range got {
			if row[1].(float64) == 0 {
				continue
			}
			days++
			day := time.UnixMilli(int64(row[0].(float64))).UTC().Add(-6 * time.Hour).Format("2006-01-02")
			w := want[c.field][day]
			if int(row[1].(float64)) != w.n || !near(row[2].(float64), w.sum/float64(w.n)) || row[3] != w.low || row[4] != w.high {
				t.Errorf("%s on %s: stored n, mean, min, max %v, the file says %d, %v, %v, %v", c.field, day, row[1:], w.n, w.sum/float64(w.n), w.low, w.high)
			}
		}
		if days != len(want[c.field]) {
			t.Errorf("%s: %d days stored, %d in the file", c.field, days, len(want[c.field]))
		}
	}
	if missing["ph"] != 523 {
		t.Errorf("%d gaps counted, the file's README says 523", missing["ph"])
	}
}

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-9*math.Max(1, math.Abs(b)) }

// grandBayDays reads the file with nothing of the product's.
func grandBayDays(t *testing.T, file string) (rows int, days map[string]map[string]daily, missing map[string]int) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	col := map[string]int{}
	for i, name := range all[0] {
		col[name] = i
	}
	days, missing = map[string]map[string]daily{}, map[string]int{}
	for _, row := range all[1:] {
		at, err := time.Parse("1/2/2006 15:04", row[col["DateTimeStamp"]])
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range sondeChannels {
			cell := strings.TrimSpace(row[col[c.column]])
			if cell == "" {
				missing[c.field]++
				continue
			}
			v, err := strconv.ParseFloat(cell, 64)
			if err != nil {
				t.Fatal(err)
			}
			if days[c.field] == nil {
				days[c.field] = map[string]daily{}
			}
			d, seen := days[c.field][at.Format("2006-01-02")]
			if !seen {
				d.low, d.high = v, v
			}
			days[c.field][at.Format("2006-01-02")] = daily{d.n + 1, d.sum + v, min(d.low, v), max(d.high, v)}
		}
	}
	return len(all) - 1, days, missing
}

// TestHTTPIngest posts frames as a device without MQTT does, and as a stranger.
func TestHTTPIngest(t *testing.T) {
	dir := t.TempDir()
	secrets := importFarms(t, dir, sondeFarm(time.Now().Add(-2*time.Hour), "post"))
	s := startServer(t, "serve", dir)
	ts := time.Now().Add(-time.Minute).UnixMilli()
	body := fmt.Sprintf("{\"ts\":%d,\"ph\":8.1}\n{\"ts\":%d,\"ph\":8.2}\n", ts, ts+1000)
	for secret, want := range map[string]int{secrets["post"]: http.StatusNoContent, "guess": http.StatusUnauthorized} {
		req, err := http.NewRequestWithContext(t.Context(), "POST", s.HTTP+"/api/v1/ingest", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth("post", secret)
		req.Header.Set("Content-Type", "application/x-ndjson")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("status %d, want %d", resp.StatusCode, want)
		}
	}
	waitFor(t, "both readings", time.Minute, func() bool {
		return number(t, queryInflux(t, s.Influx, embeddedToken(t, dir), `SELECT count(ph) FROM water WHERE device='post'`)) == 2
	})
}

// TestQuarantine sends what cannot be read. It is acknowledged, because it is
// kept, and listed with its reason; the readable part of a frame is stored.
func TestQuarantine(t *testing.T) {
	dir := t.TempDir()
	secrets := importFarms(t, dir, sondeFarm(time.Now().Add(-2*time.Hour), "odd"))
	out, err := runTianhai(t, "account", "add", "chief", "--role", "administrator", "--data", dir)
	if err != nil {
		t.Fatalf("add an account: %v\n%s", err, out)
	}
	s := startServer(t, "serve", dir)
	c, err := dialRaw(s.MQTT, "odd", secrets["odd"])
	if err != nil {
		t.Fatal(err)
	}
	defer c.conn.Close()
	for i, payload := range []string{`{"temperature":"warm"}`, `{"temperature":21.5,"mood":3}`, `not JSON at all`} {
		if _, err := c.conn.Write(publishPacket("th/odd/up", uint16(i+1), []byte(payload))); err != nil {
			t.Fatal(err)
		}
		if _, err := c.readAck(); err != nil {
			t.Fatalf("%s was not acknowledged: %v", payload, err)
		}
	}
	b := newBrowser(t, s.HTTP)
	b.login("chief", regexp.MustCompile(`password (\S+)`).FindStringSubmatch(out)[1])
	var list struct {
		Frames []struct {
			Device, Reason string
			Payload        []byte `json:"payload_base64"`
		}
	}
	waitFor(t, "three frames in quarantine", time.Minute, func() bool {
		b.getJSON("/api/v1/quarantine", &list)
		return len(list.Frames) == 3
	})
	for i, want := range []string{`"temperature"`, `"mood"`, "byte 0"} {
		if f := list.Frames[i]; f.Device != "odd" || !strings.Contains(f.Reason, want) {
			t.Errorf("frame %d (%s) of %s: the reason %q does not name %s", i, f.Payload, f.Device, f.Reason, want)
		}
	}
	waitFor(t, "the sound part of the second frame", time.Minute, func() bool {
		return number(t, queryInflux(t, s.Influx, embeddedToken(t, dir), `SELECT count(temperature) FROM water WHERE device='odd'`)) == 1
	})
}

// metric returns the sum over all labels of a metric; 0 when it is not there.
func (s *server) metric(name string) int {
	resp, err := http.Get(s.HTTP + "/metrics")
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	sum := 0.0
	var raw strings.Builder
	if _, err := fmt.Fprint(&raw, readAll(resp)); err != nil {
		return 0
	}
	for line := range strings.Lines(raw.String()) {
		if rest, ok := strings.CutPrefix(line, name); ok && (rest[0] == ' ' || rest[0] == '{') {
			fields := strings.Fields(line)
			if v, err := strconv.ParseFloat(fields[len(fields)-1], 64); err == nil {
				sum += v
			}
		}
	}
	return int(sum)
}
