// Package table writes and reads tables as CSV and as workbooks (.xlsx), the way
// that Excel and WPS open them without asking: CSV begins with a byte order mark,
// and no cell that somebody typed is taken for a formula.
package table

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/xuri/excelize/v2"
)

// The media types of the two.
const (
	CSVType  = "text/csv; charset=utf-8"
	XLSXType = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
)

// MaxRows is the most that a workbook's sheet holds; CSV has no such limit.
const MaxRows = excelize.TotalRows

// A Writer takes a table row by row. A cell is a string, a float64, a bool or nil; one of
// a Book's Sheet may be a Moment or a Day as well, as the clock of its location has it.
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
	b := NewBook(w)
	s, err := b.Sheet(sheet, nil)
	return &xlsxWriter{b, s}, err
}

type xlsxWriter struct {
	book *Book
	*Sheet
}

// Close ends the only sheet, and writes the workbook.
func (x *xlsxWriter) Close() error { return x.book.Close() }

// A Moment is a day with hour and minute, which a workbook can sort and reckon with.
type Moment time.Time

// A Day is a day alone.
type Day time.Time

// A Book is a workbook of several sheets, which are filled side by side. Rows go to
// temporary files as they come, and to its writer on Close.
type Book struct {
	out    io.Writer
	file   *excelize.File
	sheets []*Sheet
	styles styles // of the sheets with widths; made with the first
}

// styles are how cells look.
type styles struct{ head, text, moment, day int }

func (b *Book) newStyles() (s styles, err error) {
	for _, of := range []struct {
		to     *int
		format string
		bold   bool
	}{{&s.head, "@", true}, {&s.text, "@", false}, {&s.moment, "yyyy-mm-dd hh:mm", false}, {&s.day, "yyyy-mm-dd", false}} {
		style := &excelize.Style{Alignment: &excelize.Alignment{Horizontal: "left", Vertical: "top", WrapText: true}, CustomNumFmt: &of.format}
		if of.bold {
			style.Font = &excelize.Font{Bold: true, Family: "Calibri", Size: 11}
			style.Fill = excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{"DFF0E8"}}
		}
		if *of.to, err = b.file.NewStyle(style); err != nil {
			return s, err
		}
	}
	return s, nil
}

// NewBook returns a workbook without sheets; one must be added before Close.
func NewBook(w io.Writer) *Book { return &Book{out: w, file: excelize.NewFile()} }

// Sheet adds a sheet, whose first row stays in sight, with the widths of its columns
// in characters; nil leaves them to the reader. One with widths is made to be looked at
// and printed: its first row stands out and is on each page, long texts are wrapped, texts
// of digits stay texts, and its columns go on as few pages as can be read, each with the
// first. Two must not have one name.
func (b *Book) Sheet(name string, widths []float64) (*Sheet, error) {
	const first = "Sheet1"
	name = sheetName(name)
	if len(b.sheets) == 0 {
		if err := b.file.SetSheetName(first, name); err != nil {
			return nil, err
		}
	} else if _, err := b.file.NewSheet(name); err != nil {
		return nil, err
	}
	s := &Sheet{}
	if widths != nil { // before the stream, which writes them first
		if err := b.layOut(name, widths); err != nil {
			return nil, err
		}
		s.styles, s.widths = b.styles, widths
	}
	stream, err := b.file.NewStreamWriter(name)
	if err != nil {
		return nil, err
	}
	s.stream = stream
	for i, width := range widths {
		if err := stream.SetColWidth(i+1, i+1, width); err != nil {
			return nil, err
		}
	}
	b.sheets = append(b.sheets, s)
	return s, stream.SetPanes(&excelize.Panes{Freeze: true, YSplit: 1, TopLeftCell: "A2", ActivePane: "bottomLeft"})
}

// layOut prepares a sheet to be looked at and printed.
func (b *Book) layOut(name string, widths []float64) (err error) {
	const readable = 200 // characters on the width of a page
	var width float64
	for _, w := range widths {
		width += w
	}
	if b.styles == (styles{}) {
		if b.styles, err = b.newStyles(); err != nil {
			return err
		}
	}
	landscape, a4, wide, high, fit := "landscape", 9, int(math.Ceil(width/readable)), 0, true
	return errors.Join(
		b.file.SetPageLayout(name, &excelize.PageLayoutOptions{Orientation: &landscape, Size: &a4, FitToWidth: &wide, FitToHeight: &high}),
		b.file.SetSheetProps(name, &excelize.SheetPropsOptions{FitToPage: &fit}),
		b.file.SetDefinedName(&excelize.DefinedName{Name: "_xlnm.Print_Titles", RefersTo: "'" + name + "'!$A:$A,'" + name + "'!$1:$1", Scope: name}),
	)
}

// Close writes the workbook, and removes what was temporary.
func (b *Book) Close() error {
	for _, s := range b.sheets {
		if err := s.stream.Flush(); err != nil {
			return errors.Join(err, b.file.Close())
		}
	}
	_, err := b.file.WriteTo(b.out)
	return errors.Join(err, b.file.Close())
}

// Discard gives up a workbook that is not closed.
func (b *Book) Discard() error { return b.file.Close() }

// sheetName is what a sheet may be called: at most 31 characters, and some not.
func sheetName(s string) string {
	r := []rune(strings.NewReplacer(":", "", "\\", "", "/", "", "?", "", "*", "", "[", "", "]", "", "'", "").Replace(s))
	if len(r) == 0 {
		return "Sheet"
	}
	return string(r[:min(len(r), 31)])
}

// A Sheet of a Book takes rows as a Writer does.
type Sheet struct {
	stream *excelize.StreamWriter
	styles styles // 0: none
	widths []float64
	rows   int
}

// Row appends a row.
func (s *Sheet) Row(cells []any) error {
	s.rows++
	if s.rows > MaxRows {
		return fmt.Errorf("more than %d rows, which is all that a sheet holds", MaxRows)
	}
	at, err := excelize.CoordinatesToCellName(1, s.rows)
	if err != nil {
		return err
	}
	texts := make([]any, len(cells))
	for i, cell := range cells {
		if text, ok := cell.(string); ok && len([]rune(text)) > excelize.TotalCellChars {
			cell = string([]rune(text)[:excelize.TotalCellChars-1]) + "…"
		}
		texts[i] = s.styled(cell)
	}
	return s.stream.SetRow(at, texts, excelize.RowOpts{Height: s.height(cells)})
}

// height is that of a row in points, so that wrapped texts are seen: not every reader
// finds it out. 0 leaves it as it is.
func (s *Sheet) height(cells []any) float64 {
	const line, most = 16, 20 // points; lines
	lines := 1
	for i, cell := range cells {
		text, _ := cell.(string)
		if i >= len(s.widths) {
			break
		}
		n := 0
		for part := range strings.SplitSeq(text, "\n") {
			wide := 0
			for _, r := range part {
				wide++
				if r >= 0x1100 { // Han and the like are twice as wide
					wide++
				}
			}
			n += max(1, int(math.Ceil(1.1*float64(wide)/s.widths[i]))) // words are not broken everywhere
		}
		lines = max(lines, n)
	}
	if lines == 1 {
		return 0
	}
	return float64(min(lines, most) * line)
}

// styled gives a cell its look; one without widths has none.
func (s *Sheet) styled(cell any) any {
	style := s.styles.text
	if s.rows == 1 {
		style = s.styles.head
	}
	switch v := cell.(type) {
	case Moment:
		style, cell = s.styles.moment, time.Time(v)
	case Day:
		style, cell = s.styles.day, time.Time(v)
	case string:
	default:
		return cell
	}
	return excelize.Cell{StyleID: style, Value: cell}
}
