package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tianhai/ingest/decode"
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
		"short name": {
			"senml+json", `[{"bn":"urn:dev:mac:0024befffe804ff1:","bt":1785546000,"n":"temp","u":"K","v":300},{"n":"soil","u":"%","v":0.5}]`,
			`{"channel":"urn:dev:mac:0024befffe804ff1:temp","short":"temp","time":"2026-08-01T01:00:00Z","value":26.85,"unit":"Cel","sent":{"value":300,"unit":"K"}}
{"channel":"urn:dev:mac:0024befffe804ff1:soil","short":"soil","time":"2026-08-01T01:00:00Z","value":50,"unit":"%","sent":{"value":0.5,"unit":"/"}}
`,
		},
		"byte and member": {"json", `{"temp":"24"}`, `json member "temp" at byte 8`},
		"unknown format":  {"xml", `<a/>`, `format "xml" is not known; known are:` + "\njson "},
		"no format":       {"", `{}`, "--format is needed:\njson "},
		"too large":       {"json", strings.Repeat(" ", 1<<20+1), "larger than 1048576 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			c := decodeCommand{
				Format: tt.format, Topic: "spBv1.0/g/NBIRTH/n", Received: received,
				As: map[string]string{"soil": "soil.moisture"},
			}
			var out, notes bytes.Buffer
			err := c.decode(strings.NewReader(tt.payload), &out, &notes)
			if notes.Len() > 0 {
				t.Errorf("notes %q", &notes)
			}
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
	var out, notes bytes.Buffer
	err := c.decode(strings.NewReader(`{"data":{"t":245}}`), &out, &notes)
	if want := `{"channel":"temp","value":24.5,"unit":"Cel"}` + "\n"; err != nil || out.String() != want {
		t.Errorf("error %v, got %s", err, &out)
	}
	for name, c := range map[string]decodeCommand{
		"needs a mapping":  {Format: "mapped"},
		"takes no mapping": {Format: "ttn", Mapping: file},
		"is no quantity":   {Format: "json", As: map[string]string{"a": "temp"}},
		"does not convert": {Mapping: file, As: map[string]string{"temp": "water.ph"}},
	} {
		if err := c.decode(strings.NewReader(`{"data":{"t":1}}`), &out, &notes); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("error %v, want %q", err, name)
		}
	}
}

func TestDecodeLines(t *testing.T) {
	c := decodeCommand{Format: "senml+cbor", Lines: true, Hex: true}
	var out, notes bytes.Buffer
	err := c.decode(strings.NewReader("81 a2 00 6161 02 01\r\n\n81a1\nxx\n81a20061620218fa"), &out, &notes)
	if want := `{"channel":"a","value":1}` + "\n" + `{"channel":"b","value":250}` + "\n"; out.String() != want {
		t.Errorf("got %s, want %s", &out, want)
	}
	if err == nil || err.Error() != "2 of 5 lines are at fault" {
		t.Errorf("error %v", err)
	}
	for _, want := range []string{"line 3: senml+cbor member \"[0]\" at byte 2: ends too early", "line 4: the input is not hexadecimal"} {
		if !strings.Contains(notes.String(), want) {
			t.Errorf("notes %q, want %q", &notes, want)
		}
	}
}

// A time that the server would not believe is printed, and said to be so, once.
func TestDecodeNotes(t *testing.T) {
	for name, payload := range map[string]string{
		"seconds for milliseconds": `{"ts":1785546000,"a":1,"b":2}`,
		"in the future":            `{"ts":"2127-01-01T00:00:00Z","a":1}`,
	} {
		t.Run(name, func(t *testing.T) {
			c := decodeCommand{Format: "json", Received: time.Date(2026, 8, 1, 8, 0, 0, 0, time.UTC)}
			var out, notes bytes.Buffer
			if err := c.decode(strings.NewReader(payload), &out, &notes); err != nil || strings.Count(notes.String(), "is not credible") != 1 {
				t.Errorf("error %v, notes %q", err, &notes)
			}
		})
	}
}

func TestDecodeFormatsHelp(t *testing.T) {
	for _, name := range append(strings.Split(decode.Formats, ", "), "sparkplug", "mapped") {
		if !strings.Contains("\n"+formatsHelp, "\n"+name+" ") {
			t.Errorf("help does not name %s", name)
		}
	}
}
