package main_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const historyFarm = `
tenants: [{id: oysters, name: {zh: 合作社}, region: "450700"}, {id: tea, name: {zh: 茶厂}, region: "450400"}]
sites: [{id: raft-1, tenant: oysters, region: "450702", kind: raft, name: {zh: 一号排}, latitude: 21.7, longitude: 108.5}]
models: [{id: station, name: {zh: 水质站}, format: json, interval: 1m, channels: [{key: t, quantity: water.temperature}, {key: do, quantity: water.dissolved_oxygen}]}]
devices: [{id: sonde, tenant: oysters, model: station, name: {zh: 探头}, site: raft-1, from: 2026-01-01T00:00:00+08:00}]
accounts:
  - {login: li, name: 老李, role: manager, tenant: oysters}
  - {login: zhou, name: 老周, role: manager, tenant: tea}
  - {login: chief, name: 管理员, role: administrator}
`

// A shore is a farm in the real program.
type shore struct {
	t         *testing.T
	dir, data string
	passwords map[string]string
	secret    string // of the sonde
	*server
}

func newShore(t *testing.T) *shore {
	t.Helper()
	s := &shore{t: t, dir: t.TempDir(), passwords: map[string]string{}}
	s.data = filepath.Join(s.dir, "data")
	farm, creds := filepath.Join(s.dir, "farm.yaml"), filepath.Join(s.dir, "creds.csv")
	if err := os.WriteFile(farm, []byte(historyFarm), 0o600); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(s.run("import", farm, "--credentials", creds)) {
		if f := strings.Fields(line); len(f) == 3 {
			s.passwords[f[0]] = f[1]
		}
	}
	raw, err := os.ReadFile(creds)
	if err != nil {
		t.Fatal(err)
	}
	s.secret = strings.Split(strings.Split(string(raw), "\n")[1], ",")[1]
	return s
}

func (s *shore) run(args ...string) string {
	s.t.Helper()
	out, err := runTianhai(s.t, append(args, "--data", s.data)...)
	if err != nil {
		s.t.Fatalf("tianhai %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func (s *shore) browser(login string) *browser {
	s.t.Helper()
	b := newBrowser(s.t, s.HTTP)
	b.login(login, s.passwords[login])
	return b
}

func (s *shore) count(field string) int {
	s.t.Helper()
	return number(s.t, queryInflux(s.t, s.Influx, embeddedToken(s.t, s.data), "SELECT count("+field+") FROM water"))
}

type jobAnswer struct {
	ID, State string
	Progress  struct{ Done, Total, Stored, Refused, Released int }
}

// A backfill goes on after kill -9, ends with every row and nothing twice, and
// its bad old days wake nobody.
func TestBackfillAndKill(t *testing.T) {
	s := newShore(t)
	const rows = 120_000
	var file strings.Builder
	file.WriteString("监测时间,水温(℃),溶解氧(mg/L)\n")
	start := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for i := range rows {
		fmt.Fprintf(&file, "%s,%.1f,%.1f\n", start.Add(time.Duration(i)*time.Minute).Format(time.DateTime), 20+float64(i%100)/10, 0.5)
	}
	csv := filepath.Join(s.dir, "去年.csv")
	if err := os.WriteFile(csv, []byte(file.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := s.run("backfill", csv, "--device", "sonde", "--dry-run"); !strings.Contains(out, "120000 rows: 120000 would be stored, 0 have something wrong") || !strings.Contains(out, "t (water.temperature)") {
		t.Errorf("dry run: %s", out)
	}
	out := s.run("backfill", csv, "--device", "sonde")
	if !strings.Contains(out, "No server runs") {
		t.Errorf("without a server: %s", out)
	}
	id := strings.Fields(out)[1]

	s.server = startServer(t, "serve", s.data)
	li := s.browser("li")
	var j jobAnswer
	waitFor(t, "the middle of the backfill", time.Minute, func() bool {
		li.getJSON("/api/v1/history/jobs/"+id, &j)
		return j.Progress.Stored > 0
	})
	s.kill()
	if j.State != "running" || j.Progress.Stored == rows {
		t.Fatalf("killed too late: %+v", j)
	}
	s.server = startServer(t, "serve", s.data)
	if out := s.run("jobs", "show", id); !strings.Contains(out, "done  100%  120000 of 120000  stored 120000  refused 0") {
		t.Errorf("after the restart: %s", out)
	}
	for range 2 {
		if n, m := s.count("temperature"), s.count("dissolved_oxygen"); n != rows || m != rows {
			t.Errorf("%d and %d values, want %d", n, m, rows)
		}
		s.run("backfill", csv, "--device", "sonde", "--wait")
	}
	li = s.browser("li")
	var alerts struct{ Alerts []any }
	if li.getJSON("/api/v1/alerts", &alerts); len(alerts.Alerts) != 0 {
		t.Errorf("old data raised alarms: %v", alerts.Alerts)
	}
	if left, err := os.ReadDir(filepath.Join(s.data, "history")); err != nil || len(left) != 0 {
		t.Errorf("files are left: %v %v", left, err)
	}
	zhou := s.browser("zhou")
	if status, _ := zhou.send("GET", "/api/v1/history/jobs/"+id, nil); status != http.StatusNotFound {
		t.Errorf("a stranger may see the job: %d", status)
	}
	if status, _ := zhou.send("POST", "/api/v1/history/backfills?device=sonde", []byte("time,t\n")); status != http.StatusNotFound {
		t.Errorf("a stranger may backfill: %d", status)
	}
}

// What a device sent before its model knew a channel is stored by itself once the
// model does, and can be read again from the shell.
func TestQuarantineIsReplayed(t *testing.T) {
	s := newShore(t)
	s.server = startServer(t, "serve", s.data)
	li, chief := s.browser("li"), s.browser("chief")
	sonde := meter(t, s.server, "sonde", s.secret)
	if sonde == nil {
		t.Fatal("the sonde was not let in")
	}
	first := time.Now().Add(-14 * 24 * time.Hour).UTC().Truncate(time.Minute)
	const n = 200
	for i := range n {
		at := first.Add(time.Duration(i) * time.Minute).UnixMilli()
		if tok := sonde.Publish("th/sonde/up", 1, false, fmt.Sprintf(`{"ts":%d,"t":20,"s":30.5}`, at)); !tok.WaitTimeout(20*time.Second) || tok.Error() != nil {
			t.Fatalf("publish: %v", tok.Error())
		}
	}
	aside := func() int {
		var q struct{ Frames []any }
		li.getJSON("/api/v1/quarantine?device=sonde&limit=1000", &q)
		return len(q.Frames)
	}
	waitFor(t, "the frames to be set aside", 30*time.Second, func() bool { return aside() == n })

	model := `{"name":{"zh":"水质站"},"format":"json","interval":60,"channels":[{"key":"t","quantity":"water.temperature"},{"key":"do","quantity":"water.dissolved_oxygen"},{"key":"s","quantity":"water.salinity"}]}`
	if status, answer := chief.send("PUT", "/api/v1/models/station", []byte(model)); status >= 300 {
		t.Fatalf("model: %d %s", status, answer)
	}
	waitFor(t, "the quarantine to be empty", 90*time.Second, func() bool { return aside() == 0 })
	if got := s.count("salinity"); got != n {
		t.Errorf("%d values of salinity, want %d", got, n)
	}
	var jobs struct {
		Jobs []struct {
			jobAnswer
			Account string
		}
	}
	li.getJSON("/api/v1/history/jobs", &jobs)
	if len(jobs.Jobs) == 0 || jobs.Jobs[0].Account != "system" || jobs.Jobs[0].Progress.Released != n {
		t.Errorf("%+v", jobs.Jobs)
	}
	out := s.run("replay", "--device", "sonde", "--from", time.Now().Add(-time.Hour).Format(time.RFC3339), "--wait")
	if !strings.Contains(out, fmt.Sprintf("stored %d  refused 0", n)) {
		t.Errorf("replay from the shell: %s", out)
	}
	if got := s.count("salinity"); got != n {
		t.Errorf("%d values of salinity after it was replayed again", got)
	}
	status, answer := li.send("POST", "/api/v1/history/replays", []byte(`{"devices":["sonde"],"quarantine_only":true}`))
	var j jobAnswer
	if err := json.Unmarshal(answer, &j); err != nil || status != http.StatusAccepted {
		t.Fatalf("%d %s", status, answer)
	}
	waitFor(t, "the manager's replay", 30*time.Second, func() bool {
		li.getJSON("/api/v1/history/jobs/"+j.ID, &j)
		return j.State == "done"
	})
	if out := s.run("jobs"); strings.Count(out, "replay") < 3 {
		t.Errorf("jobs: %s", out)
	}
}

// Two weeks of readings that a device stored while it was cut off come in bursts
// of arrays, out of order, between live ones. Each lands at its own time, with the
// calibration and at the site of that time, and wakes nobody.
func TestTwoWeeksOfOutage(t *testing.T) {
	s := newShore(t)
	s.server = startServer(t, "serve", s.data)
	li := s.browser("li")
	now := time.Now().UTC().Truncate(time.Minute)
	start, calibrated := now.Add(-14*24*time.Hour), now.Add(-7*24*time.Hour)
	if status, answer := li.send("POST", "/api/v1/devices/sonde/calibrations", fmt.Appendf(nil, `{"channel":"t","slope":1,"offset":-2,"from":%q}`, calibrated.Format(time.RFC3339))); status != http.StatusCreated {
		t.Fatalf("calibrate: %d %s", status, answer)
	}
	sonde := meter(t, s.server, "sonde", s.secret)
	if sonde == nil {
		t.Fatal("the sonde was not let in")
	}
	send := func(payload string) {
		t.Helper()
		if tok := sonde.Publish("th/sonde/up", 1, false, payload); !tok.WaitTimeout(20*time.Second) || tok.Error() != nil {
			t.Fatalf("publish: %v", tok.Error())
		}
	}
	send(fmt.Sprintf(`{"ts":%d,"t":25,"do":6}`, now.UnixMilli()))
	const every, n, burst = 10 * time.Minute, 14 * 24 * 6, 96
	for _, odd := range []int{1, 0} { // as one that uploads from two buffers
		for b := odd; b < n/burst; b += 2 {
			var rows []string
			for i := b * burst; i < (b+1)*burst; i++ {
				rows = append(rows, fmt.Sprintf(`{"ts":%d,"t":%.2f,"do":0.5}`, start.Add(time.Duration(i)*every).UnixMilli(), 25+float64(i%50)/100))
			}
			send("[" + strings.Join(rows, ",") + "]")
		}
	}
	send(fmt.Sprintf(`{"ts":%d,"t":25.1,"do":6}`, now.Add(time.Second).UnixMilli()))

	waitFor(t, "all of it to be stored", time.Minute, func() bool { return s.count("temperature") == n+2 })
	for _, row := range queryInflux(t, s.Influx, embeddedToken(t, s.data), "SELECT temperature, site, clock_flag FROM water") {
		at := time.UnixMilli(int64(row[0].(float64))).UTC()
		i := int(at.Sub(start) / every)
		if i >= n {
			continue // live
		}
		want := 25 + float64(i%50)/100
		if !at.Before(calibrated) {
			want -= 2
		}
		if got := row[1].(float64); got < want-1e-9 || got > want+1e-9 || row[2] != "raft-1" || row[3] != nil || at.Sub(start)%every != 0 {
			t.Fatalf("%s: %v, want %.2f at raft-1", at, row, want)
		}
	}
	live := queryInflux(t, s.Influx, embeddedToken(t, s.data), fmt.Sprintf("SELECT temperature, temperature_flag, dissolved_oxygen_flag FROM water WHERE time >= %dms", now.UnixMilli()))
	if len(live) != 2 || live[1][2] != nil || live[1][3] != nil {
		t.Errorf("the live readings were flagged by old ones: %v", live)
	}
	waitFor(t, "the alerts to have seen it", 30*time.Second, func() bool {
		resp, err := http.Get(s.HTTP + "/metrics")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		raw, err := io.ReadAll(resp.Body)
		return err == nil && strings.Contains(string(raw), `tianhai_journal_lag_records{reader="watch"} 0`)
	})
	var alerts struct{ Alerts []any }
	if li.getJSON("/api/v1/alerts", &alerts); len(alerts.Alerts) != 0 {
		t.Errorf("old readings raised alarms: %v", alerts.Alerts)
	}
}
