package table_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"
	"golang.org/x/text/encoding/simplifiedchinese"

	"tianhai/table"
)

var odd = []any{"=1+1", "-5", "+86 771", "@x", "a,\"b\"\r\nc", "'quoted", "大蚝", -2.5, true, nil}

// What is written is read again, whichever file it is, and no text is a formula.
func TestRoundTrip(t *testing.T) {
	want := []table.Row{{1, []string{"名称", "b", "c", "d", "e", "f", "g", "h", "i"}}, {2, []string{"=1+1", "-5", "+86 771", "@x", "a,\"b\"\nc", "'quoted", "大蚝", "-2.5"}}}
	for name, open := range map[string]func(*bytes.Buffer) table.Writer{
		"csv": func(b *bytes.Buffer) table.Writer { return table.NewCSV(b) },
		"xlsx": func(b *bytes.Buffer) table.Writer {
			w, err := table.NewXLSX(b, "批次/[x]:"+strings.Repeat("长", 40))
			if err != nil {
				t.Fatal(err)
			}
			return w
		},
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			w := open(&b)
			heads := []any{}
			for _, h := range want[0].Cells {
				heads = append(heads, h)
			}
			for _, row := range [][]any{heads, odd, {nil, ""}} {
				if err := w.Row(row); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			if name == "csv" && !strings.Contains(b.String(), `'=1+1,-5,'+86 771,'@x`) {
				t.Errorf("not guarded: %q", b.String())
			}
			rows, err := table.Read(b.Bytes(), 10)
			if err != nil {
				t.Fatal(err)
			}
			for i := range rows {
				rows[i].Cells = rows[i].Cells[:min(len(rows[i].Cells), len(want[i].Cells))]
				for j := range rows[i].Cells {
					rows[i].Cells[j] = strings.ReplaceAll(rows[i].Cells[j], "\r\n", "\n")
				}
			}
			if d := cmp.Diff(want, rows); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
		})
	}
}

func TestRead(t *testing.T) {
	want := []table.Row{{1, []string{"编号", "名称"}}, {3, []string{"a", "茶"}}}
	gbk, err := simplifiedchinese.GB18030.NewEncoder().String("编号;名称\r\n;\r\n a ;茶\r\n")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"UTF-8":       "编号,名称\n\na,茶\n",
		"with a mark": "\ufeff编号\t名称\n\t\na\t茶",
		"GB18030":     gbk,
	} {
		rows, err := table.Read([]byte(text), 10)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if d := cmp.Diff(want, rows); d != "" {
			t.Errorf("%s (-want +got)\n%s", name, d)
		}
	}
}

// A book that is to be looked at: its head stays in sight and on each page, days are
// days, and digits that are a code stay as they are.
func TestBookToBeLookedAt(t *testing.T) {
	var out bytes.Buffer
	b := table.NewBook(&out)
	s, err := b.Sheet("批次 batch", []float64{16, 17, 12})
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 3, 1, 8, 30, 0, 0, time.FixedZone("UTC+8", 8*3600))
	for _, row := range [][]any{{"追溯码 codes", "时间 at", "到期 expires"}, {"1200000000000", table.Moment(at), table.Day(at)}} {
		if err := s.Row(row); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := excelize.OpenReader(&out)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := f.GetRows("批次 batch")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([][]string{{"追溯码 codes", "时间 at", "到期 expires"}, {"1200000000000", "2026-03-01 08:30", "2026-03-01"}}, rows); d != "" {
		t.Errorf("as it looks (-want +got)\n%s", d)
	}
	for cell, want := range map[string]excelize.CellType{"A2": excelize.CellTypeInlineString, "B2": excelize.CellTypeUnset, "C2": excelize.CellTypeUnset} { // a date is a number, which is no type
		if got, err := f.GetCellType("批次 batch", cell); err != nil || got != want {
			t.Errorf("%s is of type %v, want %v: %v", cell, got, want, err)
		}
	}
	if raw, err := f.GetCellValue("批次 batch", "B2", excelize.Options{RawCellValue: true}); err != nil || !strings.HasPrefix(raw, "46082.354166") {
		t.Errorf("the time is %q: %v", raw, err)
	}
	panes, err := f.GetPanes("批次 batch")
	if err != nil || !panes.Freeze || panes.YSplit != 1 {
		t.Errorf("the head is %+v: %v", panes, err)
	}
	layout, err := f.GetPageLayout("批次 batch")
	props, err2 := f.GetSheetProps("批次 batch")
	if err != nil || err2 != nil || *layout.Orientation != "landscape" || props.FitToPage == nil || !*props.FitToPage {
		t.Errorf("on paper: %+v %+v", layout, props)
	}
	if width, err := f.GetColWidth("批次 batch", "B"); err != nil || width != 17 {
		t.Errorf("a column is %v wide: %v", width, err)
	}
}

func TestReadRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		text string
		want error
	}{
		"a picture":        {"\x89PNG\r\n\x1a\n\x00\x00", table.ErrNoTable},
		"a broken archive": {"PK\x03\x04 and no more", table.ErrNoTable},
		"too many rows":    {"a\n1\n2\n3\n", table.ErrTooMany},
		"too many columns": {strings.Repeat("a,", 300), table.ErrTooMany},
	} {
		if _, err := table.Read([]byte(tt.text), 2); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("a,b\n1,2\n"))
	f.Add([]byte("PK\x03\x04"))
	f.Add([]byte("\xff\xfea\x00\x00\x00,\x00"))
	f.Add([]byte("\xff\xfea\x00,\x00b\x00"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		rows, err := table.Read(raw, 100)
		if err == nil && len(rows) > 101 {
			t.Errorf("%d rows", len(rows))
		}
		for _, row := range rows {
			if text := strings.Join(row.Cells, ""); row.Line < 1 || !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
				t.Errorf("line %d: %q is no text", row.Line, row.Cells)
			}
		}
	})
}
