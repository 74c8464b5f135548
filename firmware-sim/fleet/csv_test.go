package fleet_test

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tianhai/firmware-sim/fleet"
)

// grandBay is the mapping of the file in shared/data/grand-bay.
const grandBay = `
time: {column: DateTimeStamp, layout: 1/2/2006 15:04, utc_offset: -6h}
columns:
  Temp: temperature
  SpCond: specific_conductance
  Sal: salinity
  DO_Pct: oxygen_saturation
  DO_mgl: dissolved_oxygen
  Depth: depth
  pH: ph
  Turb: turbidity
`

func grandBayRows(t *testing.T) *fleet.Rows {
	t.Helper()
	file, err := os.Open(filepath.Join("..", "..", "..", "shared", "data", "grand-bay", "water-quality-2021.csv"))
	if errors.Is(err, os.ErrNotExist) {
		t.Skip("the Grand Bay measurements are not beside the repository, in ../shared/data")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	mapping, err := fleet.ReadMapping(strings.NewReader(grandBay))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := fleet.NewRows(file, mapping)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func TestGrandBay(t *testing.T) {
	rows := grandBayRows(t)
	count := map[string]int{}
	n, empty := 0, 0
	var first, last sample
	for {
		row, err := rows.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		last = parse(t, row.Payload)
		if n == 0 {
			first = last
		}
		n++
		if row.Number != n || row.Line != n+1 || !row.Time.Equal(last.at) {
			t.Fatalf("row %d says number %d, line %d, time %s", n, row.Number, row.Line, row.Time)
		}
		if len(last.values)+len(last.null) != 8 {
			t.Fatalf("row %d has not eight channels: %s", n, row.Payload)
		}
		if len(last.values) == 0 {
			empty++
		}
		for name := range last.values {
			count[name]++
		}
	}
	if n != 5856 || empty != 523 {
		t.Errorf("%d rows, %d of them empty; want 5856 and 523", n, empty)
	}
	for name, got := range count {
		if got != 5333 {
			t.Errorf("%s has %d values, want 5333", name, got)
		}
	}
	if want := `{"ts":1625205600000,"temperature":30.7,"specific_conductance":13.73,"salinity":7.9,` +
		`"oxygen_saturation":52.4,"dissolved_oxygen":3.8,"depth":0.63,"ph":6.9,"turbidity":11}`; string(first.raw) != want {
		t.Errorf("first row\n%s, want\n%s", first.raw, want)
	}
	if want := time.Date(2021, 9, 1, 5, 45, 0, 0, time.UTC); !last.at.Equal(want) {
		t.Errorf("last row is of %s, want %s", last.at, want)
	}
}

func TestRows(t *testing.T) {
	base := fleet.Mapping{TimeColumn: "t", Columns: map[string]string{"A": "a", "B c": "b"}}
	with := func(change func(*fleet.Mapping)) fleet.Mapping {
		m := base
		change(&m)
		return m
	}
	const at = "2026-06-01T00:00:00Z"
	for name, c := range map[string]struct {
		mapping fleet.Mapping
		file    string
		want    []string // payloads, or how the error begins
	}{
		"plain":             {base, "t,A,B c\n" + at + ",1,2.50\n", []string{`{"ts":1780272000000,"a":1,"b":2.5}`}},
		"order of the file": {base, "B c,x,A,t\n2,y,1," + at + "\n", []string{`{"ts":1780272000000,"b":2,"a":1}`}},
		"gaps":              {base, "t,A,B c\n" + at + ",,\n" + at + ", ,-3e-2", []string{`{"ts":1780272000000,"a":null,"b":null}`, `{"ts":1780272000000,"a":null,"b":-0.03}`}},
		"mark, CRLF, quotes, spaces": {
			base, "\ufeff\"t\", A ,\"B c\"\r\n \"" + at + "\", 1 ,\" 2\"\r\n",
			[]string{`{"ts":1780272000000,"a":1,"b":2}`},
		},
		"missing words": {
			with(func(m *fleet.Mapping) { m.Missing = []string{"NA", "-9999"} }), "t,A,B c\n" + at + ",NA,-9999\n",
			[]string{`{"ts":1780272000000,"a":null,"b":null}`},
		},
		"decimal comma": {
			with(func(m *fleet.Mapping) { m.Decimal, m.Separator = ",", ";" }), "t;A;B c\n" + at + ";1,25;-0,5\n",
			[]string{`{"ts":1780272000000,"a":1.25,"b":-0.5}`},
		},
		"lines before": {
			with(func(m *fleet.Mapping) { m.SkipLines = 2 }), "Logger 7\n\"serial\nt,A,B c\n" + at + ",1,x\n",
			[]string{`line 4 (row 1), column "B c": "x" is not a number`},
		},
		"unix": {with(func(m *fleet.Mapping) { m.TimeLayout = "unix" }), "t,A,B c\n1780272000,1,2\n", []string{`{"ts":1780272000000,"a":1,"b":2}`}},
		"zone": {with(func(m *fleet.Mapping) {
			m.TimeLayout, m.Zone = "2006-01-02 15:04:05", time.FixedZone("", 8*3600)
		}), "t,A,B c\n2026-06-01 08:00:00,1,2\n", []string{`{"ts":1780272000000,"a":1,"b":2}`}},
		"bad time":         {base, "t,A,B c\nyesterday,1,2\n", []string{`line 2 (row 1), column "t": time "yesterday" does not fit`}},
		"not finite":       {base, "t,A,B c\n" + at + ",NaN,2\n", []string{`line 2 (row 1), column "A": "NaN" is not a number`}},
		"hexadecimal":      {base, "t,A,B c\n" + at + ",0x1p4,2\n", []string{`line 2 (row 1), column "A": "0x1p4" is not a number`}},
		"short row":        {base, "t,A,B c\n" + at + ",1,2\n" + at + ",1\n", []string{`{"ts":1780272000000,"a":1,"b":2}`, "line 3 (row 2), byte"}},
		"column not there": {base, "t,A\n", []string{`mapping does not fit: the file has no column "B c"`}},
		"no time":          {base, "A,B c\n", []string{`mapping does not fit: the file has no column "t"`}},
		"column twice":     {base, "t,A,A,B c\n", []string{`mapping does not fit: column "A" is there twice`}},
		"empty file":       {base, "", []string{"mapping does not fit: the file has no headings"}},
		"channel twice": {
			with(func(m *fleet.Mapping) { m.Columns = map[string]string{"A": "a", "B c": "a"} }), "t,A,B c\n",
			[]string{`mapping does not fit: column "B c": channel "a" is taken`},
		},
		"channel ts": {
			with(func(m *fleet.Mapping) { m.Columns = map[string]string{"A": "ts"} }), "t,A\n",
			[]string{`mapping does not fit: column "A": channel "ts" is taken`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			rows, err := fleet.NewRows(strings.NewReader(c.file), c.mapping)
			for err == nil {
				var row fleet.Row
				if row, err = rows.Next(); err == nil {
					got = append(got, string(row.Payload))
				}
			}
			if !errors.Is(err, io.EOF) {
				got = append(got, err.Error())
			}
			if len(got) == len(c.want) && len(got) > 0 && !errors.Is(err, io.EOF) && strings.HasPrefix(got[len(got)-1], c.want[len(got)-1]) {
				got[len(got)-1] = c.want[len(got)-1]
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestReadMappingRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"unknown key":     "time: {column: t}\ncolumns: {A: a}\ncolums: {B: b}\n",
		"no time":         "columns: {A: a}\n",
		"no columns":      "time: {column: t}\n",
		"offset and zone": "time: {column: t, utc_offset: 8h, zone: Asia/Shanghai}\ncolumns: {A: a}\n",
		"bad offset":      "time: {column: t, utc_offset: 8}\ncolumns: {A: a}\n",
		"far offset":      "time: {column: t, utc_offset: 30h}\ncolumns: {A: a}\n",
		"bad zone":        "time: {column: t, zone: Atlantis/Poseidonis}\ncolumns: {A: a}\n",
		"decimal":         "time: {column: t}\ncolumns: {A: a}\ndecimal: \"'\"\n",
		"not YAML":        "{",
	} {
		if m, err := fleet.ReadMapping(strings.NewReader(text)); err == nil {
			t.Errorf("%s: read as %+v", name, m)
		}
	}
}

func FuzzRows(f *testing.F) {
	f.Add("t,A\n2026-06-01T00:00:00Z,1\n", "", ".", ",", 0)
	f.Add("\ufefft;A\r\n1780272000;\"1,5\"\r\n", "unix", ",", ";", 0)
	f.Add("x\nt,A\n7/2/2021 0:00,\n", "1/2/2006 15:04", "", "", 1)
	f.Fuzz(func(t *testing.T, file, layout, decimal, separator string, skip int) {
		rows, err := fleet.NewRows(strings.NewReader(file), fleet.Mapping{
			TimeColumn: "t", TimeLayout: layout, Columns: map[string]string{"A": "a"},
			Decimal: decimal, Separator: separator, SkipLines: min(skip, 10),
		})
		for n := 1; err == nil; n++ {
			var row fleet.Row
			if row, err = rows.Next(); err != nil {
				return
			}
			var members map[string]*float64
			if err := json.Unmarshal(row.Payload, &members); err != nil || len(members) != 2 {
				t.Fatalf("row %d is %q: %v", n, row.Payload, err)
			}
			if row.Number != n || row.Line <= 1 || row.Time.UnixMilli() != int64(*members["ts"]) {
				t.Fatalf("row %d says number %d, line %d, time %s: %s", n, row.Number, row.Line, row.Time, row.Payload)
			}
		}
	})
}

func FuzzReadMapping(f *testing.F) {
	f.Add(grandBay)
	f.Add("time: {column: t, zone: Asia/Shanghai}\ncolumns: {A: a}\nmissing: [NA]\ndecimal: \",\"\nseparator: \";\"\nskip_lines: 3\n")
	f.Fuzz(func(t *testing.T, text string) {
		m, err := fleet.ReadMapping(strings.NewReader(text))
		if err != nil {
			return
		}
		if m.TimeColumn == "" || len(m.Columns) == 0 || m.Zone == nil {
			t.Fatalf("accepted %+v", m)
		}
		_, _ = fleet.NewRows(strings.NewReader("t,A\n"), m)
	})
}
