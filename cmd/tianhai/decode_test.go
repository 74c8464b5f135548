package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestDecode(t *testing.T) {
	received := time.Date(2026, 8, 1, 8, 0, 0, 0, time.UTC)
	for name, tt := range map[string]struct {
		format, payload string
		want            string // a part of the error if it does not begin with '{'
	}{
		"native": {
			"json", `{"ts":1785546000000,"temp":24.5,"do":null}`,
			`{"channel":"temp","time":"2026-08-01T01:00:00Z","value":24.5}
{"channel":"do","time":"2026-08-01T01:00:00Z","missing":true}
`,
		},
		"relative time, unit, text": {
			"application/senml+json", `[{"n":"temp","t":-90,"u":"Cel","v":0},{"n":"label","vs":"<raft>"}]`,
			`{"channel":"temp","time":"2026-08-01T07:58:30Z","value":0,"unit":"Cel"}
{"channel":"label","text":"<raft>","extra":true}
`,
		},
		"sparkplug birth": {"sparkplug", "\x12\x09\x0a\x01a\x10\x01\x20\x03\x50\x05\x18\x00", `{"channel":"a","value":5}` + "\n"},
		"byte and member": {"json", `{"temp":"24"}`, `json member "temp" at byte 8`},
		"unknown format":  {"xml", `<a/>`, `format "xml" is not known; known are json`},
		"too large":       {"json", strings.Repeat(" ", 1<<20+1), "larger than 1048576 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			c := decodeCommand{Format: tt.format, Topic: "spBv1.0/g/NBIRTH/n", Received: received}
			var out bytes.Buffer
			err := c.decode(strings.NewReader(tt.payload), &out)
			if strings.HasPrefix(tt.want, "{") {
				if err != nil || out.String() != tt.want {
					t.Errorf("error %v, got\n%swant\n%s", err, &out, tt.want)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) || out.Len() > 0 {
				t.Errorf("error %v and %q, want %q", err, &out, tt.want)
			}
		})
	}
}

func TestDecodeMapped(t *testing.T) {
	file := filepath.Join(t.TempDir(), "m.yaml")
	if err := os.WriteFile(file, []byte("channels:\n  - {channel: temp, path: data.t, scale: 0.1, unit: Cel}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := decodeCommand{Format: "mapped", Mapping: file}
	var out bytes.Buffer
	err := c.decode(strings.NewReader(`{"data":{"t":245}}`), &out)
	if want := `{"channel":"temp","value":24.5,"unit":"Cel"}` + "\n"; err != nil || out.String() != want {
		t.Errorf("error %v, got %s", err, &out)
	}
	for name, c := range map[string]decodeCommand{
		"needs a mapping":  {Format: "mapped"},
		"takes no mapping": {Format: "json", Mapping: file},
	} {
		if err := c.decode(strings.NewReader(`{"a":1}`), &out); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("error %v, want %q", err, name)
		}
	}
}
