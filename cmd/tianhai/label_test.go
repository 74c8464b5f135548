package main

import (
	"bytes"
	"strings"
	"testing"
)

const scanned = "https://trace.example.cn/01/09506000134352/10/A%2F1?17=270630"

func TestLabelParse(t *testing.T) {
	for format, want := range map[string]string{
		"json": `{"01":"09506000134352","10":"A/1","17":"270630"}`,
		"ai":   "(01)09506000134352(10)A/1(17)270630",
		"fnc1": "^010950600013435210A/1^17270630",
		"uri":  scanned,
	} {
		var out bytes.Buffer
		c := labelParseCommand{Format: format, URI: scanned}
		if err := c.parse(&out); err != nil || out.String() != want+"\n" {
			t.Errorf("%s: %v, got %s, want %s", format, err, &out, want)
		}
	}
	var out bytes.Buffer
	if err := (&labelParseCommand{Format: "json", URI: "https://a/01/09506000134352/10/%3C%26"}).parse(&out); err != nil || !strings.Contains(out.String(), `"<&"`) {
		t.Errorf("%v, got %s: characters that HTML has are not to be escaped", err, &out)
	}
}

// Through the flags, as a shell calls it; what the exit code says.
func TestLabelCommand(t *testing.T) {
	for name, tt := range map[string]struct {
		args []string
		code int
	}{
		"parse":           {[]string{"parse", scanned}, 0},
		"parse bad":       {[]string{"parse", "https://a/01/09506000134353"}, 1},
		"parse nothing":   {[]string{"parse", ""}, 1},
		"parse short":     {[]string{"parse", "https://a/01/9506000134352"}, 1},
		"short allowed":   {[]string{"parse", "--short-gtin", "https://a/01/9506000134352"}, 0},
		"name allowed":    {[]string{"parse", "--alphas", "https://a/gtin/09506000134352"}, 0},
		"unknown allowed": {[]string{"parse", "--unknown", "https://a/01/09506000134352?89=A"}, 0},
		"make":            {[]string{"make", "--gtin", "9506000134352", "--lot", "A/1", "--serial", "7", "--ai", "17=270630", "--ai=99=a,b"}, 0},
		"make other":      {[]string{"make", "--ai", "00=952012345678912345", "--domain", "a.cn"}, 0},
		"make compressed": {[]string{"make", "--gtin", "9506000134352", "--compressed"}, 0},
		"make bad":        {[]string{"make", "--gtin", "9506000134353"}, 1},
		"make empty lot":  {[]string{"make", "--gtin", "9506000134352", "--lot", ""}, 1},
		"make no key":     {[]string{"make", "--lot", "A"}, 1},
		"make no value":   {[]string{"make", "--gtin", "9506000134352", "--ai", "17"}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			if code := run(append([]string{"label"}, tt.args...)); code != tt.code {
				t.Errorf("exit code %d, want %d", code, tt.code)
			}
		})
	}
}

func TestLabelMake(t *testing.T) {
	var out bytes.Buffer
	gtin, lot := "9506000134352", "A/1"
	c := labelMakeCommand{GTIN: &gtin, Lot: &lot, AI: []string{"17=270630"}, Domain: "trace.example.cn"}
	if err := c.make(&out); err != nil || out.String() != scanned+"\n" {
		t.Errorf("%v, got %s, want %s", err, &out, scanned)
	}
	// In GS1's compression it is shorter, and read as the same.
	out.Reset()
	c.Compressed = true
	if err := c.make(&out); err != nil || len(out.String()) >= len(scanned) {
		t.Fatalf("compressed: %v, got %s", err, &out)
	}
	again := labelParseCommand{Format: "uri", URI: strings.TrimSpace(out.String())}
	out.Reset()
	if err := again.parse(&out); err != nil || out.String() != scanned+"\n" {
		t.Errorf("%s: %v, got %s, want %s", again.URI, err, &out, scanned)
	}
}
