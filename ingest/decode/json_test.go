package decode_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tianhai/ingest"
	"tianhai/ingest/decode"
)

// lines writes values as the .want files have them.
func lines(values []ingest.Value) string {
	var b strings.Builder
	for _, v := range values {
		if v.Missing {
			fmt.Fprintln(&b, v.Channel, v.Time.Format(time.RFC3339Nano), "missing")
		} else {
			fmt.Fprintln(&b, v.Channel, v.Time.Format(time.RFC3339Nano), v.Number)
		}
	}
	return b.String()
}

func TestJSON(t *testing.T) {
	files, err := filepath.Glob("testdata/json/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no test data: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			payload, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			want, err := os.ReadFile(strings.TrimSuffix(file, ".json") + ".want")
			if err != nil {
				t.Fatal(err)
			}
			values, err := decode.JSON(payload)
			if err != nil {
				t.Fatal(err)
			}
			if got := lines(values); got != string(want) {
				t.Errorf("got\n%swant\n%s", got, want)
			}
		})
	}
}

// wide returns an object with n channels.
func wide(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"c%d":%d`, i, i)
	}
	return "{" + b.String()[1:] + "}"
}

func TestJSONLimits(t *testing.T) {
	object := `{"ts":1,"a":1}`
	key := strings.Repeat("k", 64)
	for name, tt := range map[string]struct {
		payload string
		want    int // values
	}{
		"most members":      {wide(256), 256},
		"with a time":       {`{"ts":1,` + wide(255)[1:], 255},
		"longest name":      {`{"` + key + `":1}`, 1},
		"most objects":      {"[" + strings.Repeat(object+",", 4095) + object + "]", 4096},
		"largest number":    {`{"a":1.7976931348623157e308}`, 1},
		"last time":         {`{"ts":9223372036854,"a":1}`, 1},
		"space everywhere":  {" \t\r\n{ \"a\" : 1 , \"b\" : 2 } \n", 2},
		"escapes in a name": {`{"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00":1}`, 1},
	} {
		t.Run(name, func(t *testing.T) {
			values, err := decode.JSON([]byte(tt.payload))
			if err != nil || len(values) != tt.want {
				t.Errorf("%d values, error %v; want %d", len(values), err, tt.want)
			}
		})
	}
}

func TestJSONErrors(t *testing.T) {
	object := `{"ts":1,"a":1}`
	for name, tt := range map[string]struct {
		payload string
		offset  int
		member  string
	}{
		"empty":                  {``, 0, ""},
		"only space":             {`  `, 2, ""},
		"byte order mark":        {"\ufeff{\"a\":1}", 0, ""},
		"not UTF-8":              {"{\"a\xff\":1}", 3, ""},
		"number alone":           {`1`, 0, ""},
		"no channel":             {`{}`, 0, ""},
		"time alone":             {`{"ts":1}`, 0, ""},
		"empty array":            {`[]`, 1, ""},
		"empty object in array":  {`[{"ts":1,"a":1},{}]`, 16, ""},
		"no time in array":       {`[{"a":1}]`, 1, ""},
		"number in array":        {`[1]`, 1, ""},
		"nested array":           {`[[{"ts":1,"a":1}]]`, 1, ""},
		"array not closed":       {`[{"ts":1,"a":1}`, 15, ""},
		"comma at end of array":  {`[{"ts":1,"a":1},]`, 16, ""},
		"too many objects":       {"[" + strings.Repeat(object+",", 4096) + object + "]", 1 + 15*4096, ""},
		"not closed":             {`{"a":1`, 6, "a"},
		"comma at end":           {`{"a":1,}`, 7, ""},
		"no colon":               {`{"a" 1}`, 5, "a"},
		"name without quotes":    {`{a:1}`, 1, ""},
		"no value":               {`{"a":}`, 5, "a"},
		"string value":           {`{"a":"1"}`, 5, "a"},
		"true":                   {`{"a":true}`, 5, "a"},
		"object value":           {`{"a":1,"b":{"c":1}}`, 11, "b"},
		"array value":            {`{"a":[1]}`, 5, "a"},
		"NaN":                    {`{"a":NaN}`, 5, "a"},
		"Infinity":               {`{"a":-Infinity}`, 5, "a"},
		"nul":                    {`{"a":nul}`, 5, "a"},
		"leading zero":           {`{"a":01}`, 6, "a"},
		"leading plus":           {`{"a":+1}`, 5, "a"},
		"point without digits":   {`{"a":1.}`, 7, "a"},
		"exponent without digit": {`{"a":1e}`, 7, "a"},
		"hexadecimal":            {`{"a":0x1}`, 6, "a"},
		"too large":              {`{"a":1,"b":1e309}`, 11, "b"},
		"repeated":               {`{"a":1,"b":2,"a":3}`, 13, "a"},
		"repeated by escape":     {`{"a":1,"\u0061":3}`, 7, "a"},
		"repeated time":          {`{"ts":1,"a":1,"ts":2}`, 14, "ts"},
		"empty name":             {`{"":1}`, 1, ""},
		"name too long":          {`{"` + strings.Repeat("k", 65) + `":1}`, 1, ""},
		"control character":      {"{\"a\nb\":1}", 3, ""},
		"lone surrogate":         {`{"\ud83d":1}`, 2, ""},
		"half a pair":            {`{"\ud83d\u0041":1}`, 2, ""},
		"unknown escape":         {`{"\x":1}`, 2, ""},
		"escape cut off":         {`{"\`, 2, ""},
		"too many members":       {wide(257), strings.Index(wide(257), `"c256"`), "c256"},
		"trailing object":        {`{"a":1}{"a":2}`, 7, ""},
		"trailing comma":         {`{"a":1},`, 7, ""},
		"trailing NUL":           {"{\"a\":1}\x00", 7, ""},
		"time null":              {`{"ts":null,"a":1}`, 6, "ts"},
		"time with fraction":     {`{"ts":1.5,"a":1}`, 6, "ts"},
		"time negative":          {`{"ts":-1,"a":1}`, 6, "ts"},
		"time in nanoseconds":    {`{"ts":1627776000000000000,"a":1}`, 6, "ts"},
		"time without zone":      {`{"ts":"2021-08-01T00:00:00","a":1}`, 6, "ts"},
		"time with a space":      {`{"ts":"2021-08-01 00:00:00Z","a":1}`, 6, "ts"},
		"time, one digit":        {`{"ts":"2021-08-01T9:00:00Z","a":1}`, 6, "ts"},
		"time, comma":            {`{"ts":"2021-08-01T09:00:00,5Z","a":1}`, 6, "ts"},
		"time, far zone":         {`{"ts":"2021-08-01T09:00:00+24:00","a":1}`, 6, "ts"},
		"time, no such day":      {`{"ts":"2021-02-29T09:00:00Z","a":1}`, 6, "ts"},
		"time, no leap second":   {`{"ts":"2016-12-31T22:59:60Z","a":1}`, 6, "ts"},
		"time before 1970":       {`{"ts":"1969-12-31T00:00:00Z","a":1}`, 6, "ts"},
	} {
		t.Run(name, func(t *testing.T) {
			values, err := decode.JSON([]byte(tt.payload))
			e := (*ingest.DecodeError)(nil)
			if !errors.As(err, &e) {
				t.Fatalf("values %v, error %v; want a DecodeError", values, err)
			}
			if e.Format != "json" || e.Offset != tt.offset || e.Member != tt.member {
				t.Errorf("%v\ngot byte %d, member %q; want byte %d, member %q", e, e.Offset, e.Member, tt.offset, tt.member)
			}
		})
	}
}

// The times are those of RFC 3339 §5.8, and some that its grammar allows.
func TestJSONTime(t *testing.T) {
	for ts, want := range map[string]string{
		`"1985-04-12T23:20:50.52Z"`:        "1985-04-12T23:20:50.52Z",
		`"1996-12-19T16:39:57-08:00"`:      "1996-12-20T00:39:57Z",
		`"1990-12-31T23:59:60Z"`:           "1991-01-01T00:00:00Z",
		`"1990-12-31T15:59:60-08:00"`:      "1991-01-01T00:00:00Z",
		`"2026-08-01t01:00:00z"`:           "2026-08-01T01:00:00Z",
		`"2026-08-01T01:00:00-00:00"`:      "2026-08-01T01:00:00Z",
		`"2026-08-01T01:00:00.123456789Z"`: "2026-08-01T01:00:00.123456789Z",
		`1785546000000`:                    "2026-08-01T01:00:00Z",
	} {
		values, err := decode.JSON([]byte(`{"ts":` + ts + `,"a":1}`))
		if err != nil || values[0].Time.Format(time.RFC3339Nano) != want {
			t.Errorf("%s: %v, error %v; want %s", ts, values, err, want)
		}
	}
}

func TestJSONDoesNotKeepPayload(t *testing.T) {
	payload := []byte(`{"temp":1}`)
	values, err := decode.JSON(payload)
	if err != nil {
		t.Fatal(err)
	}
	clear(payload)
	if values[0].Channel != "temp" {
		t.Errorf("channel is %q after the payload was reused", values[0].Channel)
	}
}

// The standard library is the judge: what JSON takes is valid and says the same
// there, and a plain object of numbers that it takes is taken here.
func FuzzJSON(f *testing.F) {
	files, err := filepath.Glob("testdata/json/*.json")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		payload, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(payload)
	}
	f.Add([]byte(`{"a":1,"\u0061":2}`))
	f.Add([]byte(`{"a":1e999}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		values, err := decode.JSON(payload)
		if err != nil {
			e := (*ingest.DecodeError)(nil)
			if !errors.As(err, &e) || e.Offset < 0 || e.Offset > len(payload) {
				t.Fatalf("%v is not an error at a byte of the payload", err)
			}
			return
		}
		if !json.Valid(payload) {
			t.Fatal("taken, but not JSON")
		}
		for _, v := range values {
			if math.IsNaN(v.Number) || math.IsInf(v.Number, 0) || v.Missing && v.Number != 0 {
				t.Fatalf("value %+v", v)
			}
		}
		var object map[string]any
		if json.Unmarshal(payload, &object) != nil {
			return // an array
		}
		delete(object, "ts")
		if len(object) != len(values) {
			t.Fatalf("%d values, the standard library has %d", len(values), len(object))
		}
		for _, v := range values {
			want, ok := object[v.Channel]
			if number, is := want.(float64); !ok || is == v.Missing || is && number != v.Number {
				t.Fatalf("channel %q: %+v, the standard library has %v", v.Channel, v, want)
			}
		}
	})
}

func raft(tb testing.TB) []byte {
	payload, err := os.ReadFile("testdata/json/raft.json")
	if err != nil {
		tb.Fatal(err)
	}
	return payload
}

func TestJSONAllocates(t *testing.T) {
	payload := raft(t)
	n := testing.AllocsPerRun(100, func() {
		if _, err := decode.JSON(payload); err != nil {
			t.Fatal(err)
		}
	})
	if n > 2 {
		t.Errorf("%v allocations, want one for the names and one for the values", n)
	}
}

func BenchmarkJSON(b *testing.B) {
	payload := raft(b)
	b.SetBytes(int64(len(payload)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := decode.JSON(payload); err != nil {
			b.Fatal(err)
		}
	}
}

func TestByFormat(t *testing.T) {
	for _, name := range []string{"json", "application/json", "Application/JSON; charset=utf-8"} {
		if _, known := decode.ByFormat(name); !known {
			t.Errorf("%q is not known", name)
		}
	}
	for _, name := range []string{"", "xml", "application/octet-stream", ";"} {
		if _, known := decode.ByFormat(name); known {
			t.Errorf("%q is known", name)
		}
	}
}

// What an earlier frame left in the room for values is gone.
func TestRoom(t *testing.T) {
	d, known := decode.ByFormat("json")
	if !known {
		t.Fatal("json is not known")
	}
	room := make([]ingest.Value, 0, 3)
	for range cap(room) {
		room = append(room, ingest.Value{Channel: "old", Cut: 1, Number: 7, Unit: "Cel", Text: "x", Missing: true, Extra: true, Old: true})
	}
	for _, payload := range []string{`{"a":1}`, `{"ts":1785546000000,"a":null,"b":2}`, `[{"ts":1,"a":1,"b":2},{"ts":2,"a":1,"b":2}]`} {
		want, err := decode.JSON([]byte(payload))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := d([]byte(payload), room); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s in a room: %v, error %v, want %v", payload, got, err, want)
		}
	}
}
