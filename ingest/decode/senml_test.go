package decode_test

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tianhai/ingest"
	"tianhai/ingest/decode"
)

// full writes values with all that a format may say of them. A name that may be
// cut has a '/' there.
func full(values []ingest.Value) string {
	var b strings.Builder
	for _, v := range values {
		b.WriteString(v.Channel[:v.Cut])
		if v.Cut > 0 {
			b.WriteString("/")
		}
		b.WriteString(v.Channel[v.Cut:])
		switch {
		case !v.Time.IsZero():
			b.WriteString(" " + v.Time.Format("2006-01-02T15:04:05.999999999Z07:00"))
		case v.Ago != 0:
			fmt.Fprintf(&b, " %v ago", v.Ago)
		default:
			b.WriteString(" -")
		}
		switch {
		case v.Missing:
			b.WriteString(" missing")
		case v.Text != "":
			fmt.Fprintf(&b, " %q", v.Text)
		default:
			fmt.Fprintf(&b, " %v", v.Number)
		}
		if v.Unit != "" {
			b.WriteString(" " + v.Unit)
		}
		if v.Extra {
			b.WriteString(" extra")
		}
		if v.Old {
			b.WriteString(" old")
		}
		b.WriteString("\n")
	}
	return b.String()
}

// golden decodes every file of a folder with this ending and compares with the
// .want file beside it.
func golden(t *testing.T, pattern string, decoder func([]byte) ([]ingest.Value, error)) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", pattern))
	if err != nil || len(files) == 0 {
		t.Fatalf("no test data: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			want, err := os.ReadFile(strings.TrimSuffix(file, filepath.Ext(file)) + ".want")
			if err != nil {
				t.Fatal(err)
			}
			values, err := decoder(payload(t, file))
			if err != nil {
				t.Fatal(err)
			}
			if got := full(values); got != string(want) {
				t.Errorf("got\n%swant\n%s", got, want)
			}
		})
	}
}

// payload reads a file, from hexadecimal if it is called so.
func payload(tb testing.TB, file string) []byte {
	tb.Helper()
	b, err := os.ReadFile(file)
	if err == nil && filepath.Ext(file) == ".hex" {
		b, err = hex.DecodeString(strings.TrimSpace(string(b)))
	}
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func seed(f *testing.F, pattern string) {
	f.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", pattern))
	if err != nil || len(files) == 0 {
		f.Fatalf("no test data: %v", err)
	}
	for _, file := range files {
		f.Add(payload(f, file))
	}
}

// sound fails unless there are values as promised or an error at a place.
func sound(t *testing.T, payload []byte, values []ingest.Value, err error) {
	t.Helper()
	if err != nil {
		e := (*ingest.DecodeError)(nil)
		if !errors.As(err, &e) || e.Offset < 0 || e.Offset > len(payload) || values != nil {
			t.Fatalf("%v is not an error at a byte of the payload", err)
		}
		return
	}
	for _, v := range values {
		if math.IsNaN(v.Number) || math.IsInf(v.Number, 0) || (v.Missing || v.Text != "") && v.Number != 0 ||
			v.Channel == "" || v.Cut < 0 || v.Cut >= len(v.Channel) {
			t.Fatalf("value %+v", v)
		}
	}
}

type wrong struct {
	payload string
	offset  int
	member  string
}

func refused(t *testing.T, format string, decoder func([]byte) ([]ingest.Value, error), table map[string]wrong) {
	t.Helper()
	for name, tt := range table {
		t.Run(name, func(t *testing.T) {
			values, err := decoder([]byte(tt.payload))
			e := (*ingest.DecodeError)(nil)
			if !errors.As(err, &e) {
				t.Fatalf("values %v, error %v; want a DecodeError", values, err)
			}
			if e.Format != format || e.Offset != tt.offset || e.Member != tt.member {
				t.Errorf("%v\ngot byte %d, member %q; want byte %d, member %q", e, e.Offset, e.Member, tt.offset, tt.member)
			}
		})
	}
}

func TestSenML(t *testing.T) {
	golden(t, "senml/*.json", decode.SenMLJSON)
	golden(t, "senml/*.hex", decode.SenMLCBOR)
}

func TestSenMLJSONErrors(t *testing.T) {
	refused(t, "senml+json", decode.SenMLJSON, map[string]wrong{
		"empty":                {``, 0, ""},
		"no array":             {`{"n":"a","v":1}`, 0, ""},
		"no record":            {`[]`, 0, ""},
		"record is no object":  {`[1]`, 1, "[0]"},
		"no value":             {`[{"n":"a"}]`, 1, "[0]"},
		"no field":             {`[{}]`, 1, "[0]"},
		"a time of nothing":    {`[{"bn":"a:"},{"t":1}]`, 13, "[1]"},
		"base fields only":     {`[{"bn":"a:"},{"bt":1}]`, 0, ""},
		"two values":           {`[{"n":"a","v":1},{"n":"b","v":1,"vb":true}]`, 17, "[1]"},
		"two values and a sum": {`[{"n":"a","v":1,"vs":"x","s":1}]`, 1, "[0]"},
		"value is text":        {`[{"n":"a","v":"1"}]`, 14, "[0].v"},
		"value is null":        {`[{"n":"a","v":null}]`, 14, "[0].v"},
		"boolean is a number":  {`[{"n":"a","vb":1}]`, 15, "[0].vb"},
		"name is a number":     {`[{"n":1,"v":1}]`, 6, "[0].n"},
		"data with padding":    {`[{"n":"a","vd":"aGkgCg=="}]`, 15, "[0].vd"},
		"data is a number":     {`[{"n":"a","vd":1}]`, 15, "[0].vd"},
		"must be understood":   {`[{"n":"a","v":1,"x_":1}]`, 21, "[0].x_"},
		"no name":              {`[{"v":1}]`, 1, "[0]"},
		"name begins with -":   {`[{"n":"-a","v":1}]`, 1, "[0]"},
		"name with a space":    {`[{"n":"a b","v":1}]`, 1, "[0]"},
		"name too long":        {`[{"bn":"` + strings.Repeat("a", 256) + `","n":"a","v":1}]`, 1, "[0]"},
		"version unknown":      {`[{"bver":11,"n":"a","v":1}]`, 9, "[0].bver"},
		"version with a point": {`[{"bver":1.5,"n":"a","v":1}]`, 9, "[0].bver"},
		"version changes":      {`[{"n":"a","v":1},{"bver":5,"n":"a","v":1}]`, 25, "[1].bver"},
		"time beyond 2262":     {`[{"n":"a","t":1e10,"v":1}]`, 14, "[0].t"},
		"base time too early":  {`[{"bt":-1e9,"n":"a","v":1}]`, 7, "[0].bt"},
		"sum of values":        {`[{"bv":1.7e308,"n":"a","v":1.7e308}]`, 1, "[0]"},
		"repeated":             {`[{"n":"a","v":1,"v":2}]`, 16, "[0].v"},
		"too many records":     {"[" + strings.Repeat(`{"n":"a","s":1},`, 4096) + `{"n":"a","s":1}]`, 1 + 16*4096, ""},
		"too deep":             {strings.Repeat("[", 17), 16, strings.Repeat("[0]", 16)},
		"cut off":              {`[{"n":"a","v":1`, 15, "[0].v"},
	})
}

func TestSenMLCBORErrors(t *testing.T) {
	table := map[string]wrong{}
	for name, tt := range map[string]wrong{
		"empty":                      {"", 0, ""},
		"no array":                   {"a0", 0, ""},
		"cut off in a head":          {"81a20061610219", 7, "[0].v"},
		"cut off in a string":        {"81a10078ff61", 6, "[0].n"},
		"string longer than memory":  {"81a1007bffffffffffffffff", 12, "[0].n"},
		"map longer than memory":     {"81bbfffffffffffffff0", 10, "[0]"},
		"bytes follow":               {"81a20061610201f6", 7, ""},
		"reserved length":            {"81a2006161021c", 6, "[0].v"},
		"key is an array":            {"81a180", 2, "[0]"},
		"repeated":                   {"81a300616102010202", 7, "[0].v"},
		"repeated as text":           {"81a30061616176010202", 8, "[0].v"},
		"not UTF-8":                  {"81a10061ff", 4, "[0].n"},
		"name is bytes":              {"81a20041610201", 3, "[0].n"},
		"NaN":                        {"81a200616102f97e00", 6, "[0].v"},
		"infinite":                   {"81a200616102fa7f800000", 6, "[0].v"},
		"undefined":                  {"81a200616102f7", 6, "[0].v"},
		"bignum":                     {"81a200616102c24101", 6, "[0].v"},
		"fraction of one":            {"81a200616102c48101", 7, "[0].v"},
		"fraction beyond float64":    {"81a200616102c4821901f401", 6, "[0].v"},
		"chunk of another type":      {"81a1007f4161ff", 4, "[0].n"},
		"break where none can be":    {"81a2006161ff", 5, "[0]"},
		"too deep":                   {strings.Repeat("81", 17), 16, strings.Repeat("[0]", 16)},
		"tags within each other":     {"81a200616102" + strings.Repeat("c4", 20), 20, "[0].v"},
		"unknown must be understood": {"81a3006161020162785f01", 10, "[0].x_"},
	} {
		raw, err := hex.DecodeString(tt.payload)
		if err != nil {
			t.Fatal(err)
		}
		table[name] = wrong{string(raw), tt.offset, tt.member}
	}
	refused(t, "senml+cbor", decode.SenMLCBOR, table)
}

// Half-precision numbers of RFC 8949 appendix A.
func TestSenMLHalf(t *testing.T) {
	for bits, want := range map[uint16]float64{
		0x0000: 0, 0x3c00: 1, 0x3e00: 1.5, 0x7bff: 65504, 0x0001: 5.960464477539063e-8, 0x0400: 0.00006103515625, 0xc400: -4,
	} {
		payload := binary.BigEndian.AppendUint16([]byte{0x81, 0xa2, 0x00, 0x61, 'a', 0x02, 0xf9}, bits)
		values, err := decode.SenMLCBOR(payload)
		if err != nil || values[0].Number != want {
			t.Errorf("%04x: %v, %v; want %v", bits, values, err, want)
		}
	}
}

func FuzzSenMLJSON(f *testing.F) {
	seed(f, "senml/*.json")
	f.Fuzz(func(t *testing.T, payload []byte) {
		values, err := decode.SenMLJSON(payload)
		sound(t, payload, values, err)
	})
}

func FuzzSenMLCBOR(f *testing.F) {
	seed(f, "senml/*.hex")
	f.Fuzz(func(t *testing.T, payload []byte) {
		values, err := decode.SenMLCBOR(payload)
		sound(t, payload, values, err)
	})
}
