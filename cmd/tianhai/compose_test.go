package main

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

const repoRoot = "../.."

func loadCompose(t *testing.T) *types.Project {
	t.Helper()
	env := []string{"COMPOSE_PROJECT_NAME=tianhai"}
	raw, err := os.ReadFile(filepath.Join(repoRoot, "deploy", "env.example"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(raw)) {
		line = strings.TrimSpace(line)
		if name, value, ok := strings.Cut(line, "="); ok && !strings.HasPrefix(line, "#") {
			if value == "" {
				value = "secret-" + strings.ToLower(name)
			}
			env = append(env, name+"="+value)
		}
	}
	opts, err := cli.NewProjectOptions([]string{filepath.Join(repoRoot, "docker-compose.yml")},
		cli.WithEnv(env), cli.WithResolvedPaths(true), cli.WithConsistency(true), cli.WithInterpolation(true))
	if err != nil {
		t.Fatal(err)
	}
	project, err := opts.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return project
}

func readRepo(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(repoRoot, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func service(t *testing.T, p *types.Project, name string) types.ServiceConfig {
	t.Helper()
	s, err := p.GetService(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func environ(s types.ServiceConfig) []string {
	var out []string
	for k, v := range s.Environment {
		if v != nil {
			out = append(out, k+"="+*v)
		}
	}
	return out
}

// What the compose file says to tianhai is understood by it, and means the
// servers that stand beside it.
func TestComposeConfiguresTianhai(t *testing.T) {
	p := loadCompose(t)
	tianhai := service(t, p, "tianhai")
	c, err := loadConfig("", environ(tianhai))
	if err != nil {
		t.Fatal(err)
	}
	for name, u := range map[string]string{"mosquitto": c.MQTT.URL, "influxdb": c.Influx.URL, "postgres": string(c.Database.URL)} {
		if !strings.Contains(u, name+":") {
			t.Errorf("no service called %s in %q", name, u)
		}
		service(t, p, name)
		if _, ok := tianhai.DependsOn[name]; !ok {
			t.Errorf("tianhai does not wait for %s", name)
		}
	}
	influx := service(t, p, "influxdb").Environment
	for variable, value := range map[string]string{
		"DOCKER_INFLUXDB_INIT_ADMIN_TOKEN": string(c.Influx.Token),
		"DOCKER_INFLUXDB_INIT_ORG":         c.Influx.Org,
		"DOCKER_INFLUXDB_INIT_BUCKET":      c.Influx.Bucket,
	} {
		if got := influx[variable]; got == nil || *got != value {
			t.Errorf("%s differs from what tianhai is told", variable)
		}
	}
	pg := service(t, p, "postgres").Environment
	want := "postgres://" + *pg["POSTGRES_USER"] + ":" + *pg["POSTGRES_PASSWORD"] + "@postgres:5432/" + *pg["POSTGRES_DB"] + "?sslmode=disable"
	if string(c.Database.URL) != want {
		t.Error("TIANHAI_DATABASE_URL does not match what postgres is told")
	}
	if mq := service(t, p, "mosquitto").Environment["MQTT_PASSWORD"]; mq == nil || *mq != string(c.MQTT.Password) {
		t.Error("MQTT_PASSWORD differs from what tianhai is told")
	}
}

// The image is built from the Dockerfile here; every other one is pinned to a
// minor version at least, and nothing else is pulled.
func TestComposeImages(t *testing.T) {
	p := loadCompose(t)
	want := map[string]string{
		"tianhai":    "tianhai:latest",
		"mosquitto":  "eclipse-mosquitto:2.0",
		"influxdb":   "influxdb:2.7",
		"postgres":   "postgres:17",
		"prometheus": "prom/prometheus:v3.5.0",
		"grafana":    "grafana/grafana:12.0.0",
	}
	got := map[string]string{}
	for name, s := range p.Services {
		got[name] = s.Image
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("images are %v, want %v", got, want)
	}
	if b := service(t, p, "tianhai").Build; b == nil || (b.Dockerfile != "" && b.Dockerfile != "Dockerfile") {
		t.Error("tianhai is not built from the Dockerfile here")
	}
}

// Ports, mounts and the user agree with the Dockerfile and the configuration.
func TestComposeMatchesDockerfile(t *testing.T) {
	p := loadCompose(t)
	tianhai := service(t, p, "tianhai")
	raw, err := os.ReadFile(filepath.Join(repoRoot, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	final := string(raw)[strings.LastIndex(string(raw), "\nFROM "):]
	line := func(instruction string) string {
		m := regexp.MustCompile(`(?m)^` + instruction + ` (.*)$`).FindStringSubmatch(final)
		if m == nil {
			t.Fatalf("the Dockerfile's last stage has no %s", instruction)
		}
		return m[1]
	}
	if user := line("USER"); strings.HasPrefix(user, "0") || strings.HasPrefix(user, "root") {
		t.Errorf("the image runs as %s", user)
	}
	if from := line("FROM"); from != "scratch" {
		t.Errorf("the image is built on %s, want scratch", from)
	}
	volume := line("VOLUME")
	c, err := loadConfig("", append(strings.Fields(line("ENV")), environ(tianhai)...))
	if err != nil {
		t.Fatal(err)
	}
	if c.Data != volume {
		t.Errorf("state is kept in %s, the volume is %s", c.Data, volume)
	}
	exposed := strings.Fields(line("EXPOSE"))
	_, httpPort, _ := strings.Cut(c.HTTP.Addr, ":")
	if !slices.Contains(exposed, httpPort) {
		t.Errorf("port %s is not exposed by the image (%v)", httpPort, exposed)
	}
	_, scraped, _ := strings.Cut(c.HTTP.MetricsAddr, ":")
	if targets := readRepo(t, "deploy/prometheus/prometheus.yml"); scraped == "" || !strings.Contains(targets, `["tianhai:`+scraped+`"]`) {
		t.Errorf("prometheus does not scrape port %q", scraped)
	}
	for _, port := range tianhai.Ports {
		if fmt.Sprint(port.Target) == scraped {
			t.Errorf("port %s, which asks for no login, is published", scraped)
		}

		if target := port.Target; httpPort != "" && !slices.Contains(exposed, fmt.Sprint(target)) {
			t.Errorf("port %d is published but not exposed", target)
		}
	}
	mounted := false
	for _, v := range tianhai.Volumes {
		mounted = mounted || v.Target == volume
	}
	if !mounted {
		t.Errorf("%s is not on a volume, so state is lost with the container", volume)
	}
	if cmd := tianhai.HealthCheck.Test; len(cmd) < 3 || cmd[1] != "/tianhai" {
		t.Errorf("the health check runs %v; the image holds nothing but /tianhai", cmd)
	} else if _, err := parseArgs(cmd[2:]); err != nil {
		t.Errorf("the health check's %v: %v", cmd[2:], err)
	}
	if _, err := parseArgs([]string{"account", "add", "admin", "--role", "administrator"}); err != nil {
		t.Errorf("the command in the file's head: %v", err)
	}
}

// Every file that is mounted from the repository is there.
func TestComposeMounts(t *testing.T) {
	for name, s := range loadCompose(t).Services {
		for _, v := range s.Volumes {
			if v.Type != types.VolumeTypeBind {
				continue
			}
			if _, err := os.Stat(v.Source); err != nil {
				t.Errorf("%s mounts what does not exist: %v", name, err)
			}
		}
	}
}

// Grafana's data source uses only variables that Grafana is given, and the
// dashboards query only measurements and fields that we write.
func TestComposeGrafana(t *testing.T) {
	grafana := service(t, loadCompose(t), "grafana")
	raw, err := os.ReadFile(filepath.Join(repoRoot, "dashboards", "grafana", "datasources", "tianhai.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`\$([A-Z_]+)`).FindAllStringSubmatch(string(raw), -1) {
		if _, ok := grafana.Environment[m[1]]; !ok {
			t.Errorf("the data source reads $%s, which the service does not set", m[1])
		}
	}
}
