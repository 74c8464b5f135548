package table

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/xuri/excelize/v2"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"
)

// Limits of a table that is read.
const (
	MaxColumns  = 200
	maxUnpacked = 64 << 20 // bytes of a workbook
)

var (
	// ErrTooMany reports more rows than the reader takes.
	ErrTooMany = errors.New("too many rows")
	// ErrNoTable reports what is neither CSV text nor a workbook.
	ErrNoTable = errors.New("neither CSV text nor a workbook (.xlsx)")
)

// A Row is a line of a table with something in it.
type Row struct {
	Line  int // of the file; the first is 1
	Cells []string
}

// Read returns the rows of a table, the headings first: of CSV text in UTF-8, UTF-16
// or GB18030 with commas, semicolons or tabs, or of the first sheet of a workbook.
// Spaces around a cell go, and so does the apostrophe that Guard writes. A workbook's
// dates are its serial numbers. Errors: ErrTooMany beyond limit rows, ErrNoTable,
// *csv.ParseError.
func Read(raw []byte, limit int) ([]Row, error) {
	if IsWorkbook(raw) {
		return readXLSX(raw, limit)
	}
	text, err := Text(raw)
	if err != nil {
		return nil, err
	}
	return readCSV(text, limit)
}

// IsWorkbook reports whether a file is an .xlsx: a zip archive.
func IsWorkbook(raw []byte) bool { return bytes.HasPrefix(raw, []byte("PK\x03\x04")) }

// Text returns a text as UTF-8 without its mark. What is not UTF-8 and has no mark is
// GB18030, which Excel in China writes. What is no text is ErrNoTable.
func Text(raw []byte) (string, error) {
	if bytes.IndexByte(raw, 0) >= 0 || bytes.HasPrefix(raw, []byte{0xff, 0xfe}) || bytes.HasPrefix(raw, []byte{0xfe, 0xff}) {
		out, err := unicode.UTF16(unicode.LittleEndian, unicode.ExpectBOM).NewDecoder().Bytes(raw)
		if err != nil || bytes.IndexByte(out, 0) >= 0 {
			return "", ErrNoTable
		}
		raw = out
	}
	raw = bytes.TrimPrefix(raw, []byte("\ufeff"))
	if utf8.Valid(raw) {
		return string(raw), nil
	}
	out, err := simplifiedchinese.GB18030.NewDecoder().Bytes(raw)
	if err != nil || bytes.ContainsRune(out, utf8.RuneError) {
		return "", ErrNoTable
	}
	return string(out), nil
}

func readCSV(text string, limit int) ([]Row, error) {
	r := csv.NewReader(strings.NewReader(text))
	r.Comma = delimiter(text)
	r.FieldsPerRecord, r.LazyQuotes = -1, false
	var rows []Row
	for {
		cells, err := r.Read()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			return nil, err
		}
		line, _ := r.FieldPos(0)
		if rows, err = add(rows, line, cells, limit); err != nil {
			return nil, err
		}
	}
}

// delimiter is the one that stands most often in the headings.
func delimiter(text string) rune {
	head, _, _ := strings.Cut(text, "\n")
	best := ','
	for _, d := range []rune{';', '\t'} {
		if strings.Count(head, string(d)) > strings.Count(head, string(best)) {
			best = d
		}
	}
	return best
}

func readXLSX(raw []byte, limit int) ([]Row, error) {
	f, err := excelize.OpenReader(bytes.NewReader(raw), excelize.Options{RawCellValue: true, UnzipSizeLimit: maxUnpacked, UnzipXMLSizeLimit: maxUnpacked})
	if err != nil {
		return nil, ErrNoTable
	}
	defer func() { _ = f.Close() }() // it was only read
	lines, err := f.Rows(f.GetSheetName(0))
	if err != nil {
		return nil, ErrNoTable
	}
	defer func() { _ = lines.Close() }()
	var rows []Row
	for line := 1; lines.Next(); line++ {
		cells, err := lines.Columns()
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", line, ErrNoTable)
		}
		if rows, err = add(rows, line, cells, limit); err != nil {
			return nil, err
		}
	}
	return rows, lines.Error()
}

// add appends a line unless it is empty.
func add(rows []Row, line int, cells []string, limit int) ([]Row, error) {
	if len(cells) > MaxColumns {
		return nil, fmt.Errorf("line %d has more than %d columns: %w", line, MaxColumns, ErrTooMany)
	}
	empty := true
	for i, c := range cells {
		cells[i] = unguard(strings.TrimSpace(c))
		empty = empty && cells[i] == ""
	}
	if empty {
		return rows, nil
	}
	if len(rows) > limit {
		return nil, fmt.Errorf("more than %d: %w", limit, ErrTooMany)
	}
	return append(rows, Row{line, cells}), nil
}
