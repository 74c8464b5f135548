package history

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/xuri/excelize/v2"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// Limits of a file. What is larger is to be split.
const (
	MaxFile    = 200 << 20 // bytes
	MaxRows    = 2_000_000
	MaxCells   = 10_000_000 // values; a file is sorted in memory, eight bytes each
	MaxColumns = 256
	maxRecord  = 1 << 20 // bytes of one row of a CSV file
	maxUnzip   = 1 << 30 // bytes of a workbook, unpacked
)

// A table is a file of rows, read once from the beginning.
type table struct {
	format    string // "csv" or "xlsx"
	encoding  string // of CSV: "UTF-8", "UTF-16" or "GB18030"
	delimiter string // of CSV
	sheet     string // of a workbook
	sheets    []string
	since04   bool
	// next returns the next row and the line at which it begins; io.EOF after the last. The
	// cells are good until it is called again.
	next  func() (cells []string, line int, err error)
	close func() error
}

// openTable opens a file as what its first bytes say it is.
func openTable(file, sheet string) (*table, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	head := make([]byte, 4)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return nil, errors.Join(err, f.Close())
	}
	switch head = head[:n]; {
	case n == 0:
		return nil, errors.Join(wrong("file", "is empty"), f.Close())
	case bytes.HasPrefix(head, []byte("PK\x03\x04")):
		return openWorkbook(f, sheet)
	case bytes.HasPrefix(head, []byte("\xd0\xcf\x11\xe0")):
		return nil, errors.Join(wrong("file", "is an Excel file of before 2007, or has a password; save it as .xlsx or CSV"), f.Close())
	default:
		return openCSV(f)
	}
}

func openCSV(f *os.File) (*table, error) {
	name, err := encodingOf(f)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	var text io.Reader = f
	switch name {
	case "UTF-16":
		text = transform.NewReader(f, unicode.UTF16(unicode.LittleEndian, unicode.ExpectBOM).NewDecoder())
	case "GB18030":
		text = transform.NewReader(f, simplifiedchinese.GB18030.NewDecoder())
	}
	bounded := &bounded{from: text, left: maxRecord}
	lines := bufio.NewReaderSize(bounded, 64<<10)
	if bom, err := lines.Peek(3); err == nil && bytes.Equal(bom, []byte("\ufeff")) {
		_, _ = lines.Discard(3) // they were peeked
	}
	head, err := lines.Peek(4 << 10)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, errors.Join(err, f.Close())
	}
	rows := csv.NewReader(lines)
	rows.Comma = delimiterOf(head)
	rows.FieldsPerRecord = -1
	rows.ReuseRecord = true
	t := &table{format: "csv", encoding: name, delimiter: string(rows.Comma), close: f.Close}
	line := 0
	t.next = func() ([]string, int, error) {
		bounded.left = maxRecord
		cells, err := rows.Read()
		if err != nil {
			return nil, 0, csvFault(err, line+1)
		}
		line, _ = rows.FieldPos(0)
		return cells, line, nil
	}
	return t, nil
}

// csvFault says what a person can do about a row that is none, and begins at line
// or later.
func csvFault(err error, line int) error {
	if errors.Is(err, errRecord) {
		return wrong("file", "line %d: the row is longer than %d bytes; a quotation mark may be open", line, maxRecord)
	}
	var bad *csv.ParseError
	if !errors.As(err, &bad) {
		return err
	}
	if errors.Is(bad.Err, csv.ErrQuote) || errors.Is(bad.Err, csv.ErrBareQuote) {
		return wrong("file", "line %d: a quotation mark that is not closed, or stands within a cell", bad.StartLine)
	}
	return wrong("file", "line %d: %v", bad.StartLine, bad.Err)
}

var errRecord = errors.New("row is too long")

// A bounded reader ends where more was read than a row may have.
type bounded struct {
	from io.Reader
	left int
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errRecord
	}
	n, err := b.from.Read(p)
	b.left -= n
	return n, err
}

// encodingOf reads a file to its end: only the whole tells whether it is UTF-8.
// What is not is GB18030, which Excel in China writes.
func encodingOf(f *os.File) (string, error) {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	buf := make([]byte, 256<<10)
	first, rest := true, 0
	for {
		n, err := io.ReadAtLeast(f, buf[rest:], 1)
		if err != nil && !errors.Is(err, io.EOF) {
			return "", err
		}
		chunk := buf[:rest+n]
		if first && (bytes.HasPrefix(chunk, []byte("\xff\xfe")) || bytes.HasPrefix(chunk, []byte("\xfe\xff"))) {
			return "UTF-16", nil
		}
		if bytes.IndexByte(chunk, 0) >= 0 {
			return "", wrong("file", "is neither CSV nor a workbook (.xlsx)")
		}
		first = false
		for len(chunk) > 0 {
			r, size := utf8.DecodeRune(chunk)
			if r == utf8.RuneError && size == 1 {
				if !utf8.FullRune(chunk) && n > 0 {
					break // its other bytes come
				}
				return "GB18030", nil
			}
			chunk = chunk[size:]
		}
		if n == 0 {
			return "UTF-8", nil
		}
		rest = copy(buf, chunk)
	}
}

// delimiterOf returns what stands most often between the cells of the first line.
func delimiterOf(head []byte) rune {
	counts, quoted := map[byte]int{}, false
	for _, b := range head {
		if b == '\n' && !quoted {
			break
		}
		if b == '"' {
			quoted = !quoted
		}
		if !quoted {
			counts[b]++
		}
	}
	best := byte(',')
	for _, b := range []byte{';', '\t'} {
		if counts[b] > counts[best] {
			best = b
		}
	}
	return rune(best)
}

// openWorkbook opens a sheet of an .xlsx file; the first where none is named.
func openWorkbook(f *os.File, sheet string) (*table, error) {
	if err := f.Close(); err != nil {
		return nil, err
	}
	book, err := excelize.OpenFile(f.Name(), excelize.Options{RawCellValue: true, UnzipSizeLimit: maxUnzip, TmpDir: os.TempDir()})
	if err != nil {
		return nil, wrong("file", "is not a workbook that can be read: %v", err)
	}
	t := &table{format: "xlsx", sheets: book.GetSheetList(), sheet: sheet, close: book.Close}
	if sheet == "" && len(t.sheets) > 0 {
		t.sheet = t.sheets[0]
	}
	if props, err := book.GetWorkbookProps(); err == nil && props.Date1904 != nil {
		t.since04 = *props.Date1904
	}
	rows, err := book.Rows(t.sheet)
	if err != nil {
		return nil, errors.Join(wrong("sheet", "%q is none of %s", t.sheet, strings.Join(t.sheets, ", ")), book.Close())
	}
	t.close = func() error { return errors.Join(rows.Close(), book.Close()) }
	line := 0
	t.next = func() ([]string, int, error) {
		if !rows.Next() {
			if err := rows.Error(); err != nil {
				return nil, 0, wrong("file", "row %d: %v", line+1, err)
			}
			return nil, 0, io.EOF
		}
		line++
		cells, err := rows.Columns()
		if err != nil {
			return nil, 0, wrong("file", "row %d: %v", line, err)
		}
		return cells, line, nil
	}
	return t, nil
}

// header returns the first row that is not blank.
func (t *table) header() (cells []string, line int, err error) {
	for {
		cells, line, err = t.next()
		if errors.Is(err, io.EOF) {
			return nil, 0, wrong("file", "has no rows")
		}
		if err != nil {
			return nil, 0, err
		}
		if !blank(cells) {
			break
		}
	}
	if len(cells) > MaxColumns {
		return nil, 0, wrong("file", "has %d columns, at most %d can be read", len(cells), MaxColumns)
	}
	own := make([]string, len(cells))
	for i, c := range cells {
		own[i] = strings.Clone(short(strings.Join(strings.Fields(c), " ")))
	}
	return own, line, nil
}

func blank(cells []string) bool {
	for _, c := range cells {
		if strings.TrimSpace(c) != "" {
			return false
		}
	}
	return true
}
