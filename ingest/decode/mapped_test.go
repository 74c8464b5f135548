package decode_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	_ "time/tzdata"

	"tianhai/ingest"
	"tianhai/ingest/decode"
)

func mapping(tb testing.TB, doc string) func([]byte) ([]ingest.Value, error) {
	tb.Helper()
	m, err := decode.ParseMapping([]byte(doc))
	if err != nil {
		tb.Fatal(err)
	}
	return m.Decode
}

func TestMapped(t *testing.T) {
	files, err := filepath.Glob("testdata/mapped/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no test data: %v", err)
	}
	for _, file := range files {
		doc, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, "mapped/"+strings.TrimSuffix(filepath.Base(file), ".yaml")+".json", mapping(t, string(doc)))
	}
}

func TestMappedErrors(t *testing.T) {
	decoder := mapping(t, `
time: {path: "d[*].at", format: unix_ms}
channels:
  - {channel: a, path: "d[*].v", missing: [-1], quoted: true}
  - {channel: b, path: "d[*].l[k=B].v", optional: true, scale: 1e300}
`)
	refused(t, "mapped", decoder, map[string]wrong{
		"not JSON":          {`{"d":[`, 6, "d[0]"},
		"no array":          {`{"d":1}`, 5, "d"},
		"empty array":       {`{"d":[]}`, 0, ""},
		"nothing there":     {`{"e":1}`, 0, ""},
		"value not there":   {`{"d":[{"at":1,"v":1},{"at":1}]}`, 21, "d[1]"},
		"time not there":    {`{"d":[{"v":1}]}`, 6, "d[0]"},
		"value is a list":   {`{"d":[{"at":1,"v":[1]}]}`, 18, "d[0].v"},
		"value is a word":   {`{"d":[{"at":1,"v":"on"}]}`, 18, "d[0].v"},
		"value is infinite": {`{"d":[{"at":1,"v":"Inf"}]}`, 18, "d[0].v"},
		"scaled too far":    {`{"d":[{"at":1,"v":1,"l":[{"k":"B","v":1e10}]}]}`, 38, "d[0].l[0].v"},
		"time is a word":    {`{"d":[{"at":"now","v":1}]}`, 12, "d[0].at"},
		"time is true":      {`{"d":[{"at":true,"v":1}]}`, 12, "d[0].at"},
		"time before 1970":  {`{"d":[{"at":-1,"v":1}]}`, 12, "d[0].at"},
	})
	refused(t, "mapped", mapping(t, `{channels: [{channel: a, path: v}]}`), map[string]wrong{
		"quoted without leave": {`{"v":"1"}`, 5, "v"},
		"value not there":      {`{"d":{}}`, 0, ""},
	})
	refused(t, "mapped", mapping(t, `{time: {path: t, format: "2006-01-02 15:04", zone: "+08:00"}, channels: [{channel: a, path: v}]}`), map[string]wrong{
		"another layout": {`{"v":1,"t":"2026-08-01T09:00"}`, 11, "t"},
	})
}

func TestParseMappingErrors(t *testing.T) {
	channel := "channels:\n  - {channel: a, path: v}\n"
	many := "channels:\n"
	for i := range 257 {
		many += fmt.Sprintf("  - {channel: c%d, path: v}\n", i)
	}
	for name, tt := range map[string]struct{ doc, want string }{
		"empty":                 {"", "channels: 0 channels"},
		"two documents":         {channel + "---\n" + channel, "line 4: a second document"},
		"no YAML":               {"channels: [", "line 1: "},
		"unknown key":           {channel + "chanels: 1\n", "line 3: unknown field"},
		"repeated key":          {channel + "channels: []\n", "line 3: "},
		"text for a number":     {"channels:\n  - {channel: a, path: v, scale: big}\n", "line 2: "},
		"no channel":            {"channels:\n  - {path: v}\n", "line 2: channels[0].channel"},
		"channel twice":         {channel + "  - {channel: a, path: w}\n", `line 3: channels[1].channel: "a" is there twice`},
		"too many":              {many, "257 channels"},
		"no path":               {"channels:\n  - {channel: a}\n", "line 2: channels[0].path: empty"},
		"bracket not closed":    {"channels:\n  - channel: a\n    path: v[0\n", "line 3: channels[0].path"},
		"bad index":             {"channels:\n  - {channel: a, path: \"v[-1]\"}\n", "line 2: channels[0].path"},
		"two dots":              {"channels:\n  - {channel: a, path: v..w}\n", "channels[0].path"},
		"dot at the end":        {"channels:\n  - {channel: a, path: v.}\n", "channels[0].path"},
		"no dot":                {"channels:\n  - {channel: a, path: \"v[0]w\"}\n", "channels[0].path"},
		"bad tilde":             {"channels:\n  - {channel: a, path: /v~2}\n", "channels[0].path"},
		"scale 0":               {"channels:\n  - channel: a\n    path: v\n    scale: 0\n", "line 4: channels[0].scale"},
		"offset NaN":            {"channels:\n  - {channel: a, path: v, offset: .nan}\n", "channels[0].offset"},
		"missing is a list":     {"channels:\n  - {channel: a, path: v, missing: [[1]]}\n", "channels[0].missing[0]"},
		"time without path":     {"time: {format: unix}\n" + channel, "line 1: time.path"},
		"time without format":   {"time: {path: t}\n" + channel, "time.format"},
		"layout without time":   {"time: {path: t, format: \"2006-01-02\", zone: UTC}\n" + channel, "time.format"},
		"layout without zone":   {"time: {path: t, format: \"2006-01-02 15:04:05\"}\n" + channel, "time.zone: missing"},
		"layout with letters":   {"time: {path: t, format: \"2006-01-02 15:04:05 MST\"}\n" + channel, "time.format: MST"},
		"unknown zone":          {"time:\n  path: t\n  format: \"2006-01-02 15:04:05\"\n  zone: Asia/Atlantis\n" + channel, "line 4: time.zone"},
		"zone of the server":    {"time: {path: t, format: \"2006-01-02 15:04:05\", zone: Local}\n" + channel, "time.zone"},
		"zone of unix time":     {"time: {path: t, format: unix, zone: UTC}\n" + channel, "time.zone"},
		"time of another array": {"time: {path: \"t[*]\", format: unix}\n" + channel, "line 3: channels[0].path: does not go through"},
		"too large":             {"# " + strings.Repeat("x", 64<<10) + "\n" + channel, "larger than"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := decode.ParseMapping([]byte(tt.doc))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

func FuzzMapped(f *testing.F) {
	seed(f, "mapped/*.json")
	doc, err := os.ReadFile("testdata/mapped/buffer.yaml")
	if err != nil {
		f.Fatal(err)
	}
	decoder := mapping(f, string(doc))
	f.Fuzz(func(t *testing.T, payload []byte) {
		values, err := decoder(payload)
		sound(t, payload, values, err)
	})
}

func FuzzParseMapping(f *testing.F) {
	seed(f, "mapped/*.yaml")
	f.Fuzz(func(t *testing.T, doc []byte) {
		m, err := decode.ParseMapping(doc)
		if (m == nil) != (err != nil) {
			t.Fatalf("mapping %v with error %v", m, err)
		}
		if err == nil {
			values, err := m.Decode([]byte(`{"data":{"list":[{"key":"T1","val":1}]},"records":[{"v":[1]}]}`))
			if (values == nil) != (err != nil) {
				t.Fatalf("values %v with error %v", values, err)
			}
		}
	})
}
