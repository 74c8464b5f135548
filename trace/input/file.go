package input

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/xuri/excelize/v2"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"
)

// Limits of a file of products or lots.
const (
	MaxFile   = 8 << 20 // bytes
	MaxRows   = 20_000
	MaxFaults = 1000     // that are told; there may be more
	maxUnzip  = 64 << 20 // bytes of a workbook, unpacked
)

// ErrTooLarge reports a file of more than MaxFile bytes.
var ErrTooLarge = errors.New("file is too large")

// A Fault says what of a file cannot be.
type Fault struct {
	Line   int    // the first is 1; 0: of the file as a whole
	Field  string // a column, or a key of a YAML file
	Reason string // English
}

// faults gathers what is wrong, by line.
type faults struct{ all []Fault }

func (f *faults) add(line int, field, format string, args ...any) {
	switch reason := fmt.Sprintf(format, args...); {
	case len(f.all) < MaxFaults:
		f.all = append(f.all, Fault{line, field, strings.ToValidUTF8(reason[:min(len(reason), maxText)], "")})
	case len(f.all) == MaxFaults:
		f.all = append(f.all, Fault{Field: "file", Reason: fmt.Sprintf("there are more than these %d faults", MaxFaults)})
	}
}

// A row is one line of a table, its cells by the names of columns.
type row struct {
	line  int
	cells map[string]string
}

// isWorkbook reports whether a file is an .xlsx: a zip archive.
func isWorkbook(raw []byte) bool { return bytes.HasPrefix(raw, []byte("PK\x03\x04")) }

// isTable reports whether a text begins with a header that names one of the columns,
// and not as YAML does.
func isTable(text []byte, columns []string) bool {
	first, _, _ := bytes.Cut(text, []byte("\n"))
	for _, cell := range strings.FieldsFunc(string(first), func(r rune) bool { return strings.ContainsRune(",;\t\r", r) }) {
		if slices.Contains(columns, strings.Trim(cell, `" `)) {
			return true
		}
	}
	return false
}

// readRows reads a table whose first row names columns, in any order; those that are
// needed must be there. It is CSV as spreadsheets write it, in UTF-8, UTF-16 or
// GB18030 with commas, semicolons or tabs between, or the first sheet of a workbook.
func readRows(raw []byte, columns, needed []string, f *faults) []row {
	next, done := csvRows(raw), func() {}
	if isWorkbook(raw) {
		if next, done = sheetRows(raw, f); next == nil {
			return nil
		}
	}
	defer done()
	var header []string
	var out []row
	for {
		cells, line, err := next()
		if errors.Is(err, io.EOF) {
			break
		}
		if bad := (*csv.ParseError)(nil); errors.As(err, &bad) {
			f.add(bad.Line, "line", "%v at byte %d", bad.Err, bad.Column)
			continue
		} else if err != nil {
			f.add(line, "file", "cannot be read: %v", err)
			return out
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		switch {
		case strings.Join(cells, "") == "": // a spreadsheet's empty rows
		case header == nil:
			if header = cells; !checkHeader(header, columns, needed, f) {
				return nil
			}
		case len(cells) > len(header):
			f.add(line, "line", "%d cells under %d columns", len(cells), len(header))
		case len(out) == MaxRows:
			f.add(line, "file", "more than %d rows", MaxRows)
			return out
		default:
			r := row{line, map[string]string{}}
			for i, c := range cells {
				r.cells[header[i]] = c
			}
			out = append(out, r)
		}
	}
	if header == nil {
		f.add(1, "file", "is empty: the first line names the columns %s", strings.Join(columns, ","))
	}
	return out
}

func checkHeader(header, columns, needed []string, f *faults) bool {
	for i, c := range header {
		switch {
		case !slices.Contains(columns, c):
			f.add(1, c, "unknown column; there are %s", strings.Join(columns, ","))
		case slices.Contains(header[:i], c):
			f.add(1, c, "is there twice")
		}
	}
	for _, c := range needed {
		if !slices.Contains(header, c) {
			f.add(1, c, "missing column")
		}
	}
	return len(f.all) == 0
}

type rowReader func() (cells []string, line int, err error)

func csvRows(text []byte) rowReader {
	rows := csv.NewReader(bytes.NewReader(text))
	first, _, _ := bytes.Cut(text, []byte("\n"))
	for _, c := range ",\t;" {
		if bytes.ContainsRune(first, c) {
			rows.Comma = c
			break
		}
	}
	rows.FieldsPerRecord = -1
	return func() ([]string, int, error) {
		cells, err := rows.Read()
		if err != nil {
			return nil, 0, err
		}
		line, _ := rows.FieldPos(0)
		return cells, line, nil
	}
}

// sheetRows reads the first sheet of a workbook; nil where it is none.
func sheetRows(raw []byte, f *faults) (next rowReader, done func()) {
	book, err := excelize.OpenReader(bytes.NewReader(raw), excelize.Options{RawCellValue: true, UnzipSizeLimit: maxUnzip})
	if err != nil {
		f.add(0, "file", "is no workbook that can be read; save it as .xlsx or CSV")
		return nil, func() {}
	}
	done = func() { _ = book.Close() }
	rows, err := book.Rows(book.GetSheetName(0))
	if err != nil {
		f.add(0, "file", "has no sheet that can be read")
		return nil, done
	}
	line := 0
	return func() ([]string, int, error) {
		line++
		if !rows.Next() {
			if err := rows.Error(); err != nil {
				return nil, line, err
			}
			return nil, line, io.EOF
		}
		cells, err := rows.Columns(excelize.Options{RawCellValue: true})
		return cells, line, err
	}, done
}

// readFile returns a file as UTF-8, or as it is where it is a workbook.
func readFile(file io.Reader, f *faults) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(file, MaxFile+1))
	if err != nil {
		return nil, err
	}
	if len(raw) > MaxFile {
		return nil, ErrTooLarge
	}
	if isWorkbook(raw) {
		return raw, nil
	}
	var from encoding.Encoding
	switch {
	case bytes.HasPrefix(raw, []byte("\xef\xbb\xbf")):
		raw = raw[3:]
	case bytes.HasPrefix(raw, []byte("\xff\xfe")), bytes.HasPrefix(raw, []byte("\xfe\xff")):
		from = unicode.UTF16(unicode.LittleEndian, unicode.ExpectBOM)
	case !utf8.Valid(raw):
		from = simplifiedchinese.GB18030
	}
	if from != nil {
		if raw, err = from.NewDecoder().Bytes(raw); err != nil {
			raw = []byte{0}
		}
	}
	if !utf8.Valid(raw) || bytes.ContainsRune(raw, utf8.RuneError) || bytes.Contains(raw, []byte{0}) {
		f.add(1, "file", "is neither a workbook nor text in UTF-8, UTF-16 or GB18030")
		return nil, nil
	}
	return raw, nil
}
