package decode_test

import (
	"strings"
	"testing"

	"tianhai/ingest"
	"tianhai/ingest/decode"
)

func influx(tb testing.TB, precision string) func([]byte) ([]ingest.Value, error) {
	tb.Helper()
	d, known := decode.Influx(precision)
	if !known {
		tb.Fatalf("precision %q is not known", precision)
	}
	return func(payload []byte) ([]ingest.Value, error) { return d(payload, nil) }
}

func TestInflux(t *testing.T) {
	golden(t, "influx/*.line", influx(t, "ns"))
}

func TestInfluxPrecision(t *testing.T) {
	for format, stamp := range map[string]string{
		"influx": "1785546000000000000", "influx;precision=ns": "1785546000000000000", "influx; precision=us": "1785546000000000",
		"influx;precision=ms": "1785546000000", "influx;precision=s": "1785546000",
	} {
		d, known := decode.ByFormat(format)
		if !known {
			t.Fatalf("%s is not known", format)
		}
		values, err := d([]byte("m a=1 "+stamp), nil)
		if err != nil || full(values) != "a 2026-08-01T01:00:00Z 1\n" {
			t.Errorf("%s: %v, %v", format, values, err)
		}
	}
	if _, known := decode.ByFormat("influx;precision=h"); known {
		t.Error("hours are known")
	}
}

func TestInfluxErrors(t *testing.T) {
	refused(t, "influx", influx(t, "ns"), map[string]wrong{
		"empty":                   {"", 0, ""},
		"only a comment":          {"# m a=1", 7, ""},
		"not UTF-8":               {"m a=\"\xff\"", 5, ""},
		"no fields":               {"m", 1, ""},
		"no fields after a space": {"m ", 2, ""},
		"no measurement":          {",t=1 a=1", 0, ""},
		"reserved measurement":    {"_m a=1", 0, ""},
		"tag without value":       {"m,t a=1", 3, ""},
		"tag with empty value":    {"m,t= a=1", 4, ""},
		"field without value":     {"m a", 3, "a"},
		"field with empty value":  {"m a=", 4, "a"},
		"second field missing":    {"m a=1, 1", 6, ""},
		"word":                    {"m a=on", 4, "a"},
		"null":                    {"m a=null", 4, "a"},
		"NaN":                     {"m a=NaN", 4, "a"},
		"infinite":                {"m a=Inf", 4, "a"},
		"hexadecimal":             {"m a=0x1p4", 4, "a"},
		"underscore":              {"m a=1_0", 4, "a"},
		"float beyond range":      {"m a=1e309", 4, "a"},
		"integer beyond range":    {"m a=9223372036854775808i", 4, "a"},
		"negative unsigned":       {"m a=-1u", 4, "a"},
		"integer with point":      {"m a=1.5i", 4, "a"},
		"string without end":      {"m a=\"x", 4, "a"},
		"text after a string":     {"m a=\"x\"y", 7, ""},
		"repeated":                {"m a=1,b=2,a=3", 10, "a"},
		"too long for a channel":  {"m a=1\nm,id=" + strings.Repeat("2", 256) + " a=2", 6, ""},
		"time is no number":       {"m a=1 now", 6, ""},
		"time before 1970":        {"m a=1 -1", 6, ""},
		"time too large":          {"m a=1 9223372036854775808", 6, ""},
		"after the time":          {"m a=1 1 2", 8, ""},
		"newline in a name":       {"m a\nb=1", 3, "a"},
		"name too long":           {"m " + strings.Repeat("a", 257) + "=1", 2, ""},
		"too many lines":          {strings.Repeat("m a=1\n", 4097), 6 * 4096, ""},
	})
}

func FuzzInflux(f *testing.F) {
	seed(f, "influx/*.line")
	d := influx(f, "ns")
	f.Fuzz(func(t *testing.T, payload []byte) {
		values, err := d(payload)
		sound(t, payload, values, err)
	})
}
