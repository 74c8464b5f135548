// Package table writes and reads tables as CSV and as workbooks (.xlsx), the way
// that Excel and WPS open them without asking: CSV begins with a byte order mark,
// and no cell that somebody typed is taken for a formula.
package table

import (
	"bufio"
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/xuri/excelize/v2"
)

// The media types of the two.
const (
	CSVType  = "text/csv; charset=utf-8"
	XLSXType = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
)

// MaxRows is the most that a workbook's sheet holds; CSV has no such limit.
const MaxRows = excelize.TotalRows

// A Writer takes a table row by row. A cell is a string, a float64, a bool or nil.
// Only after Close has returned nil is the whole table with the reader.
type Writer interface {
	Row(cells []any) error
	Close() error
}

// NewCSV returns a writer of RFC 4180 with a byte order mark, row by row.
func NewCSV(w io.Writer) Writer {
	b := bufio.NewWriter(w)
	c := csv.NewWriter(b)
	c.UseCRLF = true
	return &csvWriter{out: b, csv: c}
}

type csvWriter struct {
	out   *bufio.Writer
	csv   *csv.Writer
	begun bool
}

func (c *csvWriter) Row(cells []any) error {
	if !c.begun {
		c.begun = true
		if _, err := c.out.WriteString("\ufeff"); err != nil {
			return err
		}
	}
	texts := make([]string, len(cells))
	for i, cell := range cells {
		switch v := cell.(type) {
		case nil:
		case string:
			texts[i] = Guard(v)
		case float64:
			texts[i] = strconv.FormatFloat(v, 'f', -1, 64)
		default:
			texts[i] = fmt.Sprint(v)
		}
	}
	return c.csv.Write(texts)
}

func (c *csvWriter) Close() error {
	c.csv.Flush()
	if err := c.csv.Error(); err != nil {
		return err
	}
	return c.out.Flush()
}

// Guard puts an apostrophe before a text that a spreadsheet would take for a
// formula. Numbers stay numbers.
//
// Source: OWASP, CSV Injection.
func Guard(s string) string {
	if s == "" || !strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return s
	}
	if _, err := strconv.ParseFloat(s, 64); err == nil {
		return s
	}
	return "'" + s
}

// unguard takes back what Guard did.
func unguard(s string) string {
	if len(s) > 1 && s[0] == '\'' && strings.ContainsRune("=+-@\t\r", rune(s[1])) {
		return s[1:]
	}
	return s
}

// NewXLSX returns a writer of a workbook with one sheet, whose first row stays in
// sight. Rows go to a temporary file as they come, and to w on Close.
func NewXLSX(w io.Writer, sheet string) (Writer, error) {
	f := excelize.NewFile()
	const first = "Sheet1"
	if err := f.SetSheetName(first, sheetName(sheet)); err != nil {
		return nil, err
	}
	s, err := f.NewStreamWriter(sheetName(sheet))
	if err != nil {
		return nil, err
	}
	x := &xlsxWriter{out: w, file: f, sheet: s}
	err = s.SetPanes(&excelize.Panes{Freeze: true, YSplit: 1, TopLeftCell: "A2", ActivePane: "bottomLeft"})
	return x, err
}

// sheetName is what a sheet may be called: at most 31 characters, and some not.
func sheetName(s string) string {
	r := []rune(strings.NewReplacer(":", "", "\\", "", "/", "", "?", "", "*", "", "[", "", "]", "", "'", "").Replace(s))
	if len(r) == 0 {
		return "Sheet"
	}
	return string(r[:min(len(r), 31)])
}

type xlsxWriter struct {
	out   io.Writer
	file  *excelize.File
	sheet *excelize.StreamWriter
	rows  int
}

func (x *xlsxWriter) Row(cells []any) error {
	x.rows++
	if x.rows > MaxRows {
		return fmt.Errorf("more than %d rows, which is all that a sheet holds", MaxRows)
	}
	at, err := excelize.CoordinatesToCellName(1, x.rows)
	if err != nil {
		return err
	}
	texts := make([]any, len(cells))
	for i, cell := range cells {
		if s, ok := cell.(string); ok && len([]rune(s)) > excelize.TotalCellChars {
			cell = string([]rune(s)[:excelize.TotalCellChars-1]) + "…"
		}
		texts[i] = cell
	}
	return x.sheet.SetRow(at, texts)
}

func (x *xlsxWriter) Close() error {
	if err := x.sheet.Flush(); err != nil {
		return err
	}
	if _, err := x.file.WriteTo(x.out); err != nil {
		return err
	}
	return x.file.Close()
}
