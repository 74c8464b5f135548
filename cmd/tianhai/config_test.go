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
		"second document":       {yaml: "---\nhttp: {addr: ':1'}\n---\nhtpp: {}\n", want: []string{"line 3", "second document"}},
		"no port":               {yaml: "http: {addr: localhost}\n", want: []string{"http.addr", "localhost"}},
		"unknown variable":      {env: []string{"TIANHAI_HTPP_ADDR=:1"}, want: []string{"TIANHAI_HTPP_ADDR"}},
		"bad variable":          {env: []string{"TIANHAI_JOURNAL_SYNC=soon"}, want: []string{"TIANHAI_JOURNAL_SYNC", "soon", "duration"}},
		"secret twice":          {yaml: "influx: {token: a, token_file: b}\n", want: []string{"influx.token", "token_file"}},
		"secret file absent":    {yaml: "influx: {token_file: /nowhere/token}\n", want: []string{"influx.token_file", "/nowhere/token"}},
		"wrong scheme":          {yaml: "database: {url: 'mysql://u:hunter2@h/d'}\n", want: []string{"database.url", "postgres"}},
		"TLS without a key":     {yaml: "mqtt: {tls_addr: ':8883'}\n", want: []string{"mqtt.tls_addr", "mqtt.cert_file"}},
		"journal too small":     {yaml: "journal: {max_bytes: 100}\n", want: []string{"journal.max_bytes", "16 MiB"}},
		"broker without name":   {yaml: "brokers: [{url: 'tcp://h'}]\n", want: []string{"brokers[0].name"}},
		"broker with bad URL":   {yaml: "brokers: [{name: a, url: 'tcp://h'}, {name: b, url: 'http://u:hunter2@h'}]\n", want: []string{"brokers[1].url", "tcp://"}},
		"broker without URL":    {yaml: "brokers: [{name: a}]\n", want: []string{"brokers[0].url", "missing"}},
		"broker named twice":    {yaml: "brokers: [{name: a, url: 'tcp://h'}, {name: a, url: 'tcp://i'}]\n", want: []string{"brokers[1].name", "taken"}},
		"session twice":         {yaml: "mqtt: {url: 'tcp://h'}\nbrokers: [{name: a, url: 'tcp://h'}]\n", want: []string{"brokers[0].client_id", "tianhai"}},
		"unknown broker key":    {yaml: "brokers:\n  - name: a\n    adr: x\n", want: []string{"line 3", "brokers[0].adr", "unknown field"}},
		"topic without device":  {yaml: "brokers: [{name: a, url: 'tcp://h', topics: [{topic: a/+/up}]}]\n", want: []string{"brokers[0].topics[0].topic", "{device}"}},
		"topic's format":        {yaml: "brokers: [{name: a, url: 'tcp://h', topics: [{topic: 'a/{device}', format: chripstack}]}]\n", want: []string{"brokers[0].topics[0].format", "chripstack", "chirpstack"}},
		"format and mapping":    {yaml: "brokers: [{name: a, url: 'tcp://h', topics: [{topic: 'a/{device}', format: json, mapping: m}]}]\n", want: []string{"brokers[0].topics[0].mapping"}},
		"format of own topic":   {yaml: "brokers: [{name: a, url: 'tcp://h', topics: [{topic: 'th/{device}/up', format: json}]}]\n", want: []string{"brokers[0].topics[0].format"}},
		"host of nothing":       {yaml: "brokers: [{name: a, url: 'tcp://h', sparkplug: {host_id: t}}]\n", want: []string{"brokers[0].sparkplug.host_id"}},
		"group of edge nodes":   {yaml: "brokers: [{name: a, url: 'tcp://h', sparkplug: {groups: [a, b/c]}}]\n", want: []string{"brokers[0].sparkplug.groups[1]"}},
		"secret twice in list":  {yaml: "brokers: [{name: a, url: 'tcp://h', password: hunter2, password_file: x}]\n", want: []string{"brokers[0].password", "password_file"}},
		"list in a variable":    {env: []string{"TIANHAI_BROKERS=[{name: a, url: 'tcp://h'}, {name: b, ulr: 'tcp://h'}]"}, want: []string{"TIANHAI_BROKERS", "[1].ulr"}},
		"bad list in variable":  {env: []string{"TIANHAI_BROKERS=tcp://u:hunter2@h"}, want: []string{"TIANHAI_BROKERS"}},
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

// A list can be had from a variable too, which replaces the file's.
func TestConfigBrokers(t *testing.T) {
	dir := t.TempDir()
	file, password := filepath.Join(dir, "c.yaml"), filepath.Join(dir, "password")
	if err := os.WriteFile(password, []byte("sesame\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("mqtt: {url: 'tcp://instead'}\nbrokers: [{name: a, url: 'tcp://h'}, {name: b, url: 'tcp://i'}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := loadConfig(file, []string{"TIANHAI_BROKERS=[{name: lora, url: 'tls://h', password_file: " + password + ", topics: [{topic: 'v3/+/devices/{device}/up', format: ttn}]}]"})
	if err != nil {
		t.Fatal(err)
	}
	all := c.outside()
	if len(all) != 2 || all[0].URL != "tcp://instead" || all[1].Name != "lora" || all[1].ClientID != "tianhai" || all[1].Password != "sesame" {
		t.Errorf("brokers %+v", all)
	}
	if printed := fmt.Sprintf("%v %+v %#v", c, c, c); strings.Contains(printed, "sesame") {
		t.Errorf("the password is printed: %s", printed)
	}
}

// Whatever stands in a file or a variable, it is taken or refused in one line that
// names a key and never shows a password.
func FuzzConfig(f *testing.F) {
	f.Add("http: {addr: ':1'}\njournal: {sync: 1s}\n", "TIANHAI_JOURNAL_PARTITIONS=2")
	f.Add("brokers:\n  - {name: a, url: 'tcp://h', topics: [{topic: 'a/{device}', format: json}]}\n", "TIANHAI_BROKERS=[{name: a")
	f.Add("a: &a [*a]\n", "TIANHAI_HTTP_ADDR=\x00")
	f.Add("? [a]\n: !!binary x\n", "TIANHAI_")
	f.Add("---\n---\n", "=")
	f.Add("http: !!s:\n", "TIANHAI_HTTP_ADDR=!!s:")
	f.Add("database: {url: 5}\nhttp:\n", "TIANHAI_DATABASE={}")
	f.Fuzz(func(t *testing.T, text, variable string) {
		const secret = "hunter2-of-the-file"
		var c config
		err := parseStrict([]byte(text+"\ndatabase: {url: 'mysql://u:"+secret+"@h/d'}\n"), &c)
		if err == nil {
			err = applyEnviron(&c, []string{variable})
		}
		if err == nil {
			c.setDefaults()
			err = c.check()
			if err == nil {
				t.Errorf("%q: a database of MySQL is taken", text)
				return
			}
		}
		if strings.Contains(err.Error(), secret) {
			t.Errorf("%q, %q: the password is told: %v", text, variable, err)
		}
		if _, err := parseFarms([]byte(text)); err != nil && err.Error() == "" {
			t.Errorf("%q: an error without words", text)
		}
	})
}

// A time in a table is one that is written in one way only.
func FuzzAnyTime(f *testing.F) {
	for _, s := range []string{"2021-07-01T00:00:00Z", "2021-07-01 00:00", "2021/7/1", "1625097600.5", "-1", "NaN", "1e11", "0x1p-2", "9999-12-31T23:59:59-23:59", ""} {
		f.Add(s)
	}
	zone := time.FixedZone("UTC+8", 8*3600)
	f.Fuzz(func(t *testing.T, cell string) {
		at, err := parseAnyTime(cell, zone)
		if err != nil {
			if len(cell) < 100 && !strings.Contains(err.Error(), "is not a time") {
				t.Errorf("%q: %v", cell, err)
			}
			return
		}
		if again, err := parseAnyTime(at.Format(time.RFC3339Nano), zone); at.Year() >= 0 && at.Year() <= 9999 && (err != nil || !again.Equal(at)) {
			t.Errorf("%q is %v, which is %v, %v", cell, at, again, err)
		}
	})
}
