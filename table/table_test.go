package table_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
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
