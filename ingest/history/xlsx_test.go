package history_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"

	"tianhai/ingest"
	"tianhai/ingest/history"
)

// workbook makes an .xlsx file of one sheet beside an empty one.
func workbook(t testing.TB, sheet string, rows ...[]any) string {
	t.Helper()
	f := excelize.NewFile()
	if _, err := f.NewSheet(sheet); err != nil {
		t.Fatal(err)
	}
	for i, r := range rows {
		cell, err := excelize.CoordinatesToCellName(1, i+1)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.SetSheetRow(sheet, cell, &r); err != nil {
			t.Fatal(err)
		}
	}
	var b bytes.Buffer
	if err := f.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// A preview says what a backfill would do, whatever a spreadsheet made of the file.
func TestPreview(t *testing.T) {
	const text = "监测时间,水温(℃),溶解氧（mg/L）,备注\n2026-08-02 08:00:00,29,6.5,晴\n2026-08-02 08:10:00,29.1,,\n"
	gb, err := simplifiedchinese.GB18030.NewEncoder().String(text)
	if err != nil {
		t.Fatal(err)
	}
	utf16, err := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder().String(strings.ReplaceAll(text, ",", "\t"))
	if err != nil {
		t.Fatal(err)
	}
	eight := time.Date(2026, 8, 2, 8, 0, 0, 0, time.UTC) // as Excel has it, without a zone
	header := []any{"监测时间", "水温(℃)", "溶解氧（mg/L）", "备注"}
	book := workbook(t, "数据", header, []any{eight, 29, 6.5, "晴"}, []any{nil}, []any{eight.Add(10 * time.Minute), "29.1"})
	for name, tt := range map[string]struct {
		file, format, encoding, delimiter string
		line                              int // of the second row
	}{
		"UTF-8":             {text, "csv", "UTF-8", ",", 3},
		"with BOM":          {"\ufeff" + text, "csv", "UTF-8", ",", 3},
		"GB18030":           {gb, "csv", "GB18030", ",", 3},
		"UTF-16":            {utf16, "csv", "UTF-16", "\t", 3},
		"semicolons, CRLF":  {strings.NewReplacer(",", ";", "\n", "\r\n").Replace(text), "csv", "UTF-8", ";", 3},
		"quoted":            {`"` + strings.NewReplacer(",", `","`, "\n", "\"\n\"").Replace(strings.TrimSuffix(text, "\n")) + `"`, "csv", "UTF-8", ",", 3},
		"blank rows before": {"\n,,\n" + text, "csv", "UTF-8", ",", 5},
		"workbook":          {book, "xlsx", "", "", 4},
	} {
		t.Run(name, func(t *testing.T) {
			order := history.Backfill{Device: "buoy-1"}
			if tt.format == "xlsx" {
				order.Sheet = "数据"
			}
			d := newDesk(t, newRegister())
			v, err := d.Preview(t.Context(), "oysters", order, strings.NewReader(tt.file))
			if err != nil {
				t.Fatal(err)
			}
			at := time.Date(2026, 8, 2, 0, 0, 0, 0, time.UTC)
			want := history.Preview{
				Format: tt.format, Encoding: tt.encoding, Delimiter: tt.delimiter, Sheet: order.Sheet, Sheets: v.Sheets,
				Columns: []history.Column{
					{Name: "监测时间", Use: "time"},
					{Name: "水温(℃)", Use: "channel", Channel: "t", Quantity: "water.temperature", Unit: "℃"},
					{Name: "溶解氧（mg/L）", Use: "channel", Channel: "do", Quantity: "water.dissolved_oxygen", Unit: "mg/L"},
					{Name: "备注", Use: "-"},
				},
				Devices: []string{"buoy-1"}, Rows: 2, Usable: 2, From: at, To: at.Add(10 * time.Minute), Problems: []history.Problem{},
				First: []history.PreviewRow{
					{Line: tt.line - 1, Device: "buoy-1", Site: "raft-1", Time: at, Values: []history.PreviewValue{{Quantity: "water.temperature", Value: 29.5, Flag: 1}, {Quantity: "water.dissolved_oxygen", Value: 6.5, Flag: 1}}},
					{Line: tt.line, Device: "buoy-1", Site: "raft-1", Time: at.Add(10 * time.Minute), Values: []history.PreviewValue{{Quantity: "water.temperature", Value: 29.6, Flag: 1}}},
				},
			}
			if name == "workbook" { // a blank row lies between
				want.First[0].Line = 2
			}
			if d := cmp.Diff(want, v); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
			if n := (&plant{register: newRegister(), t: t, desk: d}).files(); n != 0 {
				t.Errorf("%d files are left", n)
			}
		})
	}
}

// Columns are told by their headers, and by what the order says.
func TestColumns(t *testing.T) {
	for name, tt := range map[string]struct {
		header string
		order  history.Backfill
		want   string // use of each column
	}{
		"keys":             {"ts,t,do,s", history.Backfill{}, "time t do s"},
		"quantities":       {"time,water.temperature,dissolved_oxygen,Salinity", history.Backfill{}, "time t do s"},
		"English":          {"Date Time,Water Temperature [°F],Dissolved Oxygen (mg/L)", history.Backfill{}, "time t do"},
		"date and time":    {"日期,时间,水温", history.Backfill{}, "date time t"},
		"a date alone":     {"Date,t", history.Backfill{}, "time t"},
		"said":             {"when,a,b,t", history.Backfill{Columns: map[string]string{"when": "time", "a": "do", "b": "water.salinity", "t": "-"}}, "time do s -"},
		"a device column":  {"设备编号,time,t", history.Backfill{}, "device time t"},
		"nobody's columns": {"time,t,x,,", history.Backfill{}, "time t - - -"},
	} {
		t.Run(name, func(t *testing.T) {
			order := tt.order
			order.Device = "buoy-1"
			v, err := newDesk(t, newRegister()).Preview(t.Context(), "oysters", order, strings.NewReader(tt.header+"\nbuoy-1,1,2,3,4\n"))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, c := range v.Columns {
				if c.Use == "channel" {
					c.Use = c.Channel
				}
				got = append(got, c.Use)
			}
			if s := strings.Join(got, " "); s != tt.want {
				t.Errorf("%s, want %s", s, tt.want)
			}
		})
	}
}

// What is wrong with a file as a whole is said before anything is read of it.
func TestPreviewErrors(t *testing.T) {
	for name, tt := range map[string]struct {
		file  string
		order history.Backfill
		says  string
	}{
		"empty":              {"", ofBuoy, "file: is empty"},
		"blank":              {"\n , \n", ofBuoy, "file: has no rows"},
		"no time":            {"when,t\n", ofBuoy, `columns: none is a time; there are: when, t`},
		"two times":          {"time,ts,t\n", ofBuoy, `columns: "time" and "ts" are both taken for the time`},
		"no device":          {"time,t\n", history.Backfill{}, "device: is not named"},
		"headed alike":       {"time,t,t\n", ofBuoy, `file: two columns are headed "t"`},
		"unknown column":     {"time,t\n", history.Backfill{Device: "buoy-1", Columns: map[string]string{"x": "t"}}, `columns: there is no column "x"`},
		"unknown channel":    {"time,a\n1785542400,1\n", history.Backfill{Device: "buoy-1", Columns: map[string]string{"a": "x"}}, `columns: "a" is to be x, which buoy-1 does not measure`},
		"twice":              {"time,t,水温\n1785542400,1,2\n", ofBuoy, `columns: "水温" is water.temperature, and so is column t`},
		"unit":               {"time,水温(mg/L)\n1785542400,1\n", ofBuoy, `columns: "水温(mg/L)" has unit mg/L, which does not convert to Cel`},
		"zone":               {"time,t\n", history.Backfill{Device: "buoy-1", Zone: "Mars"}, `zone: "Mars" is not a zone`},
		"open quotation":     {"time,t\n1785542400,1\n1785542401,\"2\n" + strings.Repeat("x,\n", 1<<20), ofBuoy, "file: line 3: the row is longer than"},
		"quotation at end":   {"time,t\n1785542400,\"1\n", ofBuoy, "file: line 2: a quotation mark"},
		"old Excel":          {"\xd0\xcf\x11\xe0xxxx", ofBuoy, "file: is an Excel file of before 2007"},
		"no workbook":        {"PK\x03\x04 nothing", ofBuoy, "file: is not a workbook that can be read"},
		"binary":             {"\x00\x01\x02", ofBuoy, "file: is neither CSV nor a workbook"},
		"another sheet":      {workbook(t, "数据", []any{"time", "t"}), history.Backfill{Device: "buoy-1", Sheet: "x"}, `sheet: "x" is none of Sheet1, 数据`},
		"too many columns":   {strings.Repeat("a,", 300) + "\n", ofBuoy, "file: has 301 columns, at most 256"},
		"too many devices":   {"device,time,t\n" + devices(1001), history.Backfill{}, "file: is of more than 1000 devices"},
		"larger than a file": {strings.Repeat(strings.Repeat("x", 1<<20), 201), ofBuoy, "file: is larger than"},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t, newRegister())
			v, err := d.Preview(t.Context(), "oysters", tt.order, strings.NewReader(tt.file))
			if err == nil || !strings.HasPrefix(err.Error(), tt.says) {
				t.Errorf("%+v %v; want %s", v, err, tt.says)
			}
			if n := (&plant{register: newRegister(), t: t, desk: d}).files(); n != 0 {
				t.Errorf("%d files are left", n)
			}
		})
	}
}

func devices(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString("d" + strings.Repeat("0", i%20) + string(rune('a'+i%26)) + strings.Repeat("1", i/26) + ",1785542400,1\n")
	}
	return b.String()
}

// Values that are final are stored as they are.
func TestMeasured(t *testing.T) {
	for measured, want := range map[bool]float64{false: 20.5, true: 20} {
		order := history.Backfill{Device: "buoy-1", Measured: measured}
		v, err := newDesk(t, newRegister()).Preview(t.Context(), "oysters", order, strings.NewReader("time,水温[℉]\n1785812400,68\n"))
		if err != nil {
			t.Fatal(err)
		}
		if got := v.First[0].Values[0].Value; got < want-1e-9 || got > want+1e-9 {
			t.Errorf("measured %v: %v, want %v", measured, got, want)
		}
	}
}

// Whatever a file holds, it is read or refused, and every row is accounted for.
func FuzzCSV(f *testing.F) {
	f.Add("time,t,do\n2026-08-02 08:00:00,29,6.5\n2026-08-02 08:10:00,x,\n")
	f.Add("\ufeff采集时间;水温(℃)\n2026/8/2 8:00;29\n2026/8/2 8:00;30\n")
	f.Add("device\ttime\tt\nbuoy-1\t46236.5\t1\n\t1\t1\n")
	f.Add("time,\"t\n\",do\n46236.5,\"1\n\"")
	fuzzFile(f)
}

func FuzzWorkbook(f *testing.F) {
	f.Add(workbook(f, "x", []any{"time", "t"}, []any{46236.5, 29}, []any{"y", "z"}))
	fuzzFile(f)
}

func fuzzFile(f *testing.F) {
	d := newDesk(f, newRegister())
	d.Quality = func() (ingest.Quality, error) { return always{}, nil }
	f.Fuzz(func(t *testing.T, file string) {
		v, err := d.Preview(t.Context(), "oysters", ofBuoy, strings.NewReader(file))
		if err != nil {
			return
		}
		if v.Usable > v.Rows || v.Refused > v.Rows || len(v.Problems) > history.MaxProblems || len(v.First) > 10 {
			t.Errorf("%+v", v)
		}
		for _, r := range v.First {
			if r.Time.Before(v.From) || r.Time.After(v.To) || len(r.Values) == 0 {
				t.Errorf("row %+v of %s to %s", r, v.From, v.To)
			}
		}
	})
}

// always finds everything good.
type always struct{}

func (always) Flag(ingest.Sample) ingest.Flag { return ingest.Good }
