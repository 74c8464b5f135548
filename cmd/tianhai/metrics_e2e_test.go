package main_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// metrics returns everything that the server tells Prometheus.
func (s *server) metrics() string {
	s.t.Helper()
	resp, err := http.Get(s.HTTP + "/metrics")
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		s.t.Fatalf("metrics: %s, %v", resp.Status, err)
	}
	return string(raw)
}

// names returns the sorted set of metrics of ours that a text mentions in a pattern's
// first group.
func names(pattern, text string) []string {
	set := map[string]bool{}
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		set[m[1]] = true
	}
	return slices.Sorted(maps.Keys(set))
}

func read(t testing.TB, path ...string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(append([]string{"..", ".."}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// Every metric that is served is documented, and the other way round; and what
// dashboards and rules ask for is served.
func TestMetricNames(t *testing.T) {
	t.Setenv("TIANHAI_MQTT_URL", "tcp://127.0.0.1:1") // nobody is there; it has metrics all the same
	s := startServer(t, "serve", t.TempDir())
	served := names(`(?m)^# TYPE (tianhai_\w+) `, s.metrics())
	table := read(t, "docs", "operations.md")
	table = table[strings.Index(table, "| metric |"):]
	table, _, _ = strings.Cut(table, "\n\n")
	if diff := cmp.Diff(names(`(tianhai_\w+)`, table), served); diff != "" {
		t.Errorf("documented -, served +\n%s", diff)
	}
	for _, file := range []string{"dashboards/grafana/dashboards/operations.json", "deploy/prometheus/alerts.yml"} {
		asked := names(`\b(tianhai_\w+)`, read(t, strings.Split(file, "/")...))
		if len(asked) == 0 {
			t.Errorf("%s asks for nothing", file)
		}
		for _, name := range asked {
			if !slices.Contains(served, name) {
				t.Errorf("%s asks for %s, which is not served", file, name)
			}
		}
	}
}

func promtool(t *testing.T, stdin string, args ...string) {
	t.Helper()
	path, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is not installed (Debian: prometheus)")
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Stdin = strings.NewReader(stdin)
	if out, err := cmd.CombinedOutput(); err != nil || bytes.Contains(out, []byte("lint")) {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// What is served is as Prometheus asks metrics to be.
func TestMetricsLint(t *testing.T) {
	s := startServer(t, "serve", t.TempDir())
	var ours strings.Builder
	for line := range strings.Lines(s.metrics()) {
		if strings.Contains(line, "tianhai_") {
			ours.WriteString(line)
		}
	}
	promtool(t, ours.String(), "check", "metrics")
}

// The rules parse and alert when they should; so do the dashboard's queries parse.
func TestPrometheusRules(t *testing.T) {
	dir := t.TempDir()
	put := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	put("alerts.yml", read(t, "deploy", "prometheus", "alerts.yml"))
	promtool(t, "", "check", "config", put("prometheus.yml", read(t, "deploy", "prometheus", "prometheus.yml")))
	promtool(t, "", "test", "rules", put("alerts.test.yml", read(t, "cmd", "tianhai", "testdata", "alerts.test.yml")))

	var d struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal([]byte(read(t, "dashboards", "grafana", "dashboards", "operations.json")), &d); err != nil {
		t.Fatal(err)
	}
	rules := "groups:\n- name: panels\n  rules:\n"
	for i, p := range d.Panels {
		for j, target := range p.Targets {
			rules += fmt.Sprintf("  - {record: panel:%d:%d, expr: %q}\n", i, j, strings.ReplaceAll(target.Expr, "$__rate_interval", "1m"))
		}
	}
	promtool(t, "", "check", "rules", put("panels.yml", rules))
}

// Every stage counts what passes it, by source, and the sum is right.
func TestStageMetrics(t *testing.T) {
	dir := t.TempDir()
	secrets := importFarms(t, dir, sondeFarm(time.Now().Add(-2*time.Hour), "stage"))
	s := startServer(t, "serve", dir)
	c, err := dialRaw(s.MQTT, "stage", secrets["stage"])
	if err != nil {
		t.Fatal(err)
	}
	defer c.conn.Close()
	for i, payload := range []string{`{"temperature":20,"ph":8}`, `{"temperature":null}`, `{"temperature":900}`, `unreadable`, `{"mood":1}`} {
		if _, err := c.conn.Write(publishPacket("th/stage/up", uint16(i+1), []byte(payload))); err != nil {
			t.Fatal(err)
		}
		if _, err := c.readAck(); err != nil {
			t.Fatal(err)
		}
	}
	if err := postFrame(t, s, "stage", secrets["stage"], `{"temperature":21}`); err != nil {
		t.Fatal(err)
	}
	want := map[string]int{
		`tianhai_frames_received_total{source="embedded"}`: 5, `tianhai_frames_received_total{source="http"}`: 1,
		`tianhai_frames_journalled_total{source="embedded"}`: 5, `tianhai_frames_journalled_total{source="http"}`: 1,
		`tianhai_frames_acknowledged_total{source="embedded"}`: 5, `tianhai_frames_acknowledged_total{source="http"}`: 1,
		`tianhai_frames_refused_total{source="embedded"}`: 0, `tianhai_frames_rejected_total{source="embedded"}`: 0,
		`tianhai_frames_decoded_total`: 5, `tianhai_frames_stored_total`: 4,
		`tianhai_frames_quarantined_total{reason="decode"}`: 1, `tianhai_frames_quarantined_total{reason="channel"}`: 1,
		`tianhai_readings_stored_total`: 5, `tianhai_readings_flagged_total{flag="9"}`: 1, `tianhai_readings_flagged_total{flag="4"}`: 1,
		`tianhai_journal_lag_records{reader="store"}`: 0, `tianhai_journal_lag_seconds{reader="store"}`: 0, `tianhai_quarantine_frames`: 2,
		`tianhai_devices_connected`: 1, `tianhai_ready`: 1,
	}
	var wrong []string
	waitFor(t, "all stages to agree", time.Minute, func() bool {
		wrong = wrong[:0]
		text := s.metrics()
		for name, n := range want {
			if !strings.Contains(text, fmt.Sprintf("\n%s %d\n", name, n)) {
				wrong = append(wrong, name)
			}
		}
		if len(wrong) > 0 {
			t.Logf("not yet: %v", wrong)
		}
		return len(wrong) == 0
	})
}

func postFrame(t testing.TB, s *server, device, secret, payload string) error {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.HTTP+"/api/v1/ingest", strings.NewReader(payload))
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(device, secret)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		return fmt.Errorf("post a frame: %s", resp.Status)
	}
	return nil
}
