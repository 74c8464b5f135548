package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestConfigExample(t *testing.T) {
	c, err := loadConfig(filepath.Join("..", "..", "tianhai.example.yaml"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if time.Duration(c.Journal.Sync) != time.Second || c.HTTP.Addr != ":8080" || c.Influx.Bucket != "tianhai" {
		t.Errorf("the example file does not say what the defaults are: %+v", c)
	}
}

// A configuration that is not understood stops the start with one line that
// names the key.
func TestConfigFaults(t *testing.T) {
	tests := map[string]struct {
		yaml string
		env  []string
		want []string
	}{
		"unknown key":           {yaml: "http:\n  adr: :1\n", want: []string{"line 2", "http.adr", "unknown field"}},
		"unknown section":       {yaml: "htpp: {}\n", want: []string{"line 1", "htpp"}},
		"bad duration":          {yaml: "journal:\n  sync: 5 parsecs\n", want: []string{"line 2", "journal.sync", "5 parsecs"}},
		"wrong type":            {yaml: "journal:\n  partitions: many\n", want: []string{"line 2", "journal.partitions"}},
		"not YAML":              {yaml: "a: [\n", want: []string{"line 1"}},
		"no port":               {yaml: "http: {addr: localhost}\n", want: []string{"http.addr", "localhost"}},
		"unknown variable":      {env: []string{"TIANHAI_HTPP_ADDR=:1"}, want: []string{"TIANHAI_HTPP_ADDR"}},
		"bad variable":          {env: []string{"TIANHAI_JOURNAL_SYNC=soon"}, want: []string{"TIANHAI_JOURNAL_SYNC", "soon", "duration"}},
		"secret twice":          {yaml: "influx: {token: a, token_file: b}\n", want: []string{"influx.token", "token_file"}},
		"secret file absent":    {yaml: "influx: {token_file: /nowhere/token}\n", want: []string{"influx.token_file", "/nowhere/token"}},
		"wrong scheme":          {yaml: "database: {url: 'mysql://u:hunter2@h/d'}\n", want: []string{"database.url", "postgres"}},
		"TLS without a key":     {yaml: "mqtt: {tls_addr: ':8883'}\n", want: []string{"mqtt.tls_addr", "mqtt.cert_file"}},
		"journal too small":     {yaml: "journal: {max_bytes: 100}\n", want: []string{"journal.max_bytes", "16 MiB"}},
		"unknown level of logs": {yaml: "log: {level: loud}\n", want: []string{"log.level", "loud"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "tianhai.yaml")
			if err := os.WriteFile(file, []byte(tt.yaml), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := loadConfig(file, tt.env)
			if err == nil {
				t.Fatal("accepted")
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("more than one line: %q", err)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("a password is in the message: %q", err)
			}
			for _, w := range tt.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%q does not say %q", err, w)
				}
			}
		})
	}
}

func TestConfigOrder(t *testing.T) {
	dir := t.TempDir()
	file, token := filepath.Join(dir, "c.yaml"), filepath.Join(dir, "token")
	if err := os.WriteFile(file, []byte("http: {addr: ':1'}\njournal: {partitions: 2}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(token, []byte("sesame\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := loadConfig(file, []string{"TIANHAI_HTTP_ADDR=:2", "TIANHAI_INFLUX_TOKEN_FILE=" + token, "HOME=/x"})
	if err != nil {
		t.Fatal(err)
	}
	if c.HTTP.Addr != ":2" || c.Journal.Partitions != 2 || c.Influx.Token != "sesame" {
		t.Errorf("got %q, %d, %q", c.HTTP.Addr, c.Journal.Partitions, string(c.Influx.Token))
	}
	if printed := fmt.Sprintf("%v %+v %#v", c, c, c); strings.Contains(printed, "sesame") {
		t.Errorf("the token is printed: %s", printed)
	}
}
