package main_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What cannot work stops the start with one clear line that names the key.
func TestStartRefuses(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	busy := taken.Addr().String()
	file := filepath.Join(t.TempDir(), "a-file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	strict := filepath.Join(t.TempDir(), "strict.yaml")
	if err := os.WriteFile(strict, []byte("mqtt:\n  adress: :1883\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	rules := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(rules, []byte("rules:\n  - {id: a, titel: x}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		args []string
		want string
	}{
		"unknown key":          {[]string{"--config", strict}, "mqtt.adress"},
		"http port in use":     {[]string{"--http", busy}, "http.addr"},
		"mqtt port in use":     {[]string{"--mqtt", busy}, "mqtt.addr"},
		"influx port in use":   {[]string{"--influx", busy}, "influx.addr"},
		"influx off loopback":  {[]string{"--influx", "0.0.0.0:0"}, "influx.addr"},
		"data under a file":    {[]string{"--data", filepath.Join(file, "data")}, "data"},
		"rules not understood": {[]string{"--rules", rules}, "alerts.rules"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			args := []string{"serve", "--data", t.TempDir(), "--http", "127.0.0.1:0", "--mqtt", "127.0.0.1:0", "--influx", "127.0.0.1:0"}
			if tt.args[0] == "--rules" {
				t.Setenv("TIANHAI_ALERTS_RULES", tt.args[1])
			} else {
				args = append(args, tt.args...)
			}
			out, err := runTianhai(t, args...)
			if err == nil {
				t.Fatal("started")
			}
			last := tail(out, 1)
			if !strings.HasPrefix(last, "tianhai: ") || !strings.Contains(last, tt.want) {
				t.Errorf("the last line is %q; it should name %s", last, tt.want)
			}
		})
	}
}

// A second server on the same data directory refuses to start, whatever its ports.
func TestSecondServerRefuses(t *testing.T) {
	dir := t.TempDir()
	startServer(t, "serve", dir)
	out, err := runTianhai(t, "serve", "--data", dir, "--http", "127.0.0.1:0", "--mqtt", "127.0.0.1:0", "--influx", "127.0.0.1:0")
	if err == nil || !strings.Contains(tail(out, 1), "data: ") || !strings.Contains(out, "in use") {
		t.Errorf("a second server on the same directory: %v\n%s", err, out)
	}
}
