package main_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"tianhai/ingest/influx"
)

// The end-to-end tests drive the real binaries, as a stranger would: files,
// sockets, signals. What they know of the inside is what the README says.

var screenshotDir = flag.String("screenshots", "", "write a picture of each face to this directory")

// binaries are built once, into a directory that is removed at the end.
type binaries struct {
	dir   string
	built map[string]func() (string, error)
}

var programs = binaries{built: map[string]func() (string, error){}}

func TestMain(m *testing.M) {
	if dir := os.Getenv("E2E_INFLUX_DIR"); dir != "" {
		os.Exit(serveInflux(dir, os.Getenv("E2E_INFLUX_ADDR")))
	}
	flag.Parse()
	dir, err := os.MkdirTemp("", "tianhai-e2e-")
	if err != nil {
		panic(err)
	}
	programs.dir = dir
	for _, pkg := range []string{"tianhai/cmd/tianhai", "tianhai/firmware-sim"} {
		programs.built[pkg] = sync.OnceValues(func() (string, error) {
			out := filepath.Join(dir, filepath.Base(pkg))
			raw, err := exec.Command("go", "build", "-o", out, pkg).CombinedOutput()
			if err != nil {
				return "", fmt.Errorf("go build %s: %w\n%s", pkg, err, raw)
			}
			return out, nil
		})
	}
	code := m.Run()
	if err := os.RemoveAll(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

// serveInflux makes this process an InfluxDB of its own until it is killed.
func serveInflux(dir, addr string) int {
	srv, err := influx.OpenServer(context.Background(), influx.ServerOptions{Dir: dir, Addr: addr})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println(srv.URL(), srv.Token())
	select {}
}

// An outsideInflux is an InfluxDB in a process of its own, to be killed.
type outsideInflux struct {
	t          testing.TB
	dir        string
	cmd        *exec.Cmd
	URL, Token string
}

// start starts it, the second time on the address of the first.
func (o *outsideInflux) start() {
	o.t.Helper()
	exe, err := os.Executable()
	if err != nil {
		o.t.Fatal(err)
	}
	addr := "127.0.0.1:0"
	if o.URL != "" {
		addr = strings.TrimPrefix(o.URL, "http://")
	}
	o.cmd = exec.Command(exe)
	o.cmd.Env = append(os.Environ(), "E2E_INFLUX_DIR="+o.dir, "E2E_INFLUX_ADDR="+addr)
	o.cmd.Stderr = os.Stderr
	out, err := o.cmd.StdoutPipe()
	if err != nil {
		o.t.Fatal(err)
	}
	if err := o.cmd.Start(); err != nil {
		o.t.Fatal(err)
	}
	if _, err := fmt.Fscan(out, &o.URL, &o.Token); err != nil {
		o.t.Fatalf("outside influxdb: %v", err)
	}
}

// kill is kill -9.
func (o *outsideInflux) kill() {
	if err := o.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		o.t.Error(err)
	}
	_ = o.cmd.Wait() // "signal: killed" is what was asked for
}

func program(t testing.TB, pkg string) string {
	t.Helper()
	path, err := programs.built[pkg]()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// runTianhai runs a command that ends by itself and returns what it printed.
func runTianhai(t testing.TB, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program(t, "tianhai/cmd/tianhai"), args...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// A server is a running tianhai.
type server struct {
	t       testing.TB
	cmd     *exec.Cmd
	log     *lockedBuffer
	exited  chan struct{}
	exitErr error

	dir                string
	HTTP, MQTT, Influx string // http://host:port, host:port, http://host:port
}

// A lockedBuffer collects a process's output while tests read it.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// startServer starts `tianhai {command}` on the data directory, on free ports,
// and waits until it is ready.
func startServer(t testing.TB, command, dir string, args ...string) *server {
	t.Helper()
	s := launch(t, command, dir, args...)
	s.waitReady()
	return s
}

func launch(t testing.TB, command, dir string, args ...string) *server {
	t.Helper()
	args = append([]string{command, "--data", dir, "--http", "127.0.0.1:0", "--mqtt", "127.0.0.1:0", "--influx", "127.0.0.1:0"}, args...)
	s := &server{t: t, dir: dir, log: &lockedBuffer{}, exited: make(chan struct{})}
	s.cmd = exec.Command(program(t, "tianhai/cmd/tianhai"), args...)
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	if err := os.Remove(filepath.Join(dir, "run.json")); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { s.exitErr = s.cmd.Wait(); close(s.exited) }()
	t.Cleanup(func() {
		s.kill()
		if t.Failed() {
			t.Logf("tianhai %s said:\n%s", command, tail(s.log.String(), 60))
		}
	})
	return s
}

// waitReady waits for the addresses that a ready server writes.
func (s *server) waitReady() {
	s.t.Helper()
	var addrs struct{ HTTP, MQTT, Influx string }
	waitFor(s.t, "the server to be ready", time.Minute, func() bool {
		select {
		case <-s.exited:
			s.t.Fatalf("the server ended: %v\n%s", s.exitErr, s.log)
		default:
		}
		raw, err := os.ReadFile(filepath.Join(s.dir, "run.json"))
		return err == nil && json.Unmarshal(raw, &addrs) == nil && addrs.HTTP != ""
	})
	s.HTTP, s.MQTT, s.Influx = addrs.HTTP, strings.TrimPrefix(addrs.MQTT, "tcp://"), addrs.Influx
}

// kill is kill -9.
func (s *server) kill() {
	if err := s.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		s.t.Error(err)
	}
	<-s.exited
}

// terminate sends SIGTERM and returns how the server ended. A server that does
// not stop in time ends itself with an error.
func (s *server) terminate() error {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	<-s.exited
	return s.exitErr
}

// waitFor polls until ok; it fails the test with what was awaited.
func waitFor(t testing.TB, what string, limit time.Duration, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("waited %v for %s", limit, what)
		}
	}
}

func tail(s string, lines int) string {
	all := strings.Split(strings.TrimRight(s, "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// importFarms imports the file and returns the secret of every new device.
func importFarms(t testing.TB, dir, yaml string) map[string]string {
	t.Helper()
	secrets, _ := importAccounts(t, dir, yaml)
	return secrets
}

// importAccounts does so, and returns what was printed besides, for passwordOf.
func importAccounts(t testing.TB, dir, yaml string) (secrets map[string]string, printed string) {
	t.Helper()
	file, creds := filepath.Join(t.TempDir(), "farms.yaml"), filepath.Join(t.TempDir(), "credentials.csv")
	if err := os.WriteFile(file, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	printed, err := runTianhai(t, "import", "--data", dir, "--credentials", creds, file)
	if err != nil {
		t.Fatalf("import: %v\n%s", err, printed)
	}
	return readCredentials(t, creds), printed
}

func readCredentials(t testing.TB, file string) map[string]string {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(bytes.NewReader(raw)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	secrets := map[string]string{}
	for _, row := range rows[min(1, len(rows)):] { // of no devices there are none
		secrets[row[0]] = row[1]
	}
	return secrets
}

// A browser keeps cookies, as a person's does.
type browser struct {
	t    testing.TB
	base string
	http.Client
}

func newBrowser(t testing.TB, base string) *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t, base, http.Client{Jar: jar, Timeout: 20 * time.Second}}
}

func (b *browser) login(login, password string) {
	b.t.Helper()
	body, err := json.Marshal(map[string]string{"login": login, "password": password})
	if err != nil {
		b.t.Fatal(err)
	}
	if status, answer := b.send("POST", "/api/v1/session", body); status != http.StatusOK {
		b.t.Fatalf("log in as %s: %d %s", login, status, answer)
	}
}

func (b *browser) send(method, path string, body []byte) (int, []byte) {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), method, b.base+path, bytes.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := b.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return resp.StatusCode, answer
}

func (b *browser) getJSON(path string, into any) {
	b.t.Helper()
	status, answer := b.send("GET", path, nil)
	if status != http.StatusOK {
		b.t.Fatalf("GET %s: %d %s", path, status, answer)
	}
	if err := json.Unmarshal(answer, into); err != nil {
		b.t.Fatalf("GET %s: %v in %s", path, err, answer)
	}
}
