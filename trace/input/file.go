package input

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"tianhai/table"
)

// Limits of a file of products or lots.
const (
	MaxFile   = 8 << 20 // bytes
	MaxRows   = 20_000
	MaxFaults = 1000 // that are told; there may be more
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
// needed must be there.
func readRows(raw []byte, columns, needed []string, f *faults) []row {
	lines, err := table.Read(raw, MaxRows)
	if bad := (*csv.ParseError)(nil); errors.As(err, &bad) {
		f.add(bad.Line, "line", "%v at byte %d", bad.Err, bad.Column)
		return nil
	}
	switch {
	case errors.Is(err, table.ErrTooMany):
		f.add(0, "file", "more than %d rows, or more than %d columns", MaxRows, table.MaxColumns)
		return nil
	case err != nil:
		f.add(0, "file", "is no table that can be read; save it as .xlsx or CSV")
		return nil
	case len(lines) == 0:
		f.add(1, "file", "is empty: the first line names the columns %s", strings.Join(columns, ","))
		return nil
	}
	header := lines[0].Cells
	if !checkHeader(header, columns, needed, f) {
		return nil
	}
	var out []row
	for _, l := range lines[1:] {
		if len(l.Cells) > len(header) {
			f.add(l.Line, "line", "%d cells under %d columns", len(l.Cells), len(header))
			continue
		}
		r := row{l.Line, map[string]string{}}
		for i, c := range l.Cells {
			r.cells[header[i]] = c
		}
		out = append(out, r)
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

// readFile returns a file as UTF-8, or as it is where it is a workbook.
func readFile(file io.Reader, f *faults) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(file, MaxFile+1))
	if err != nil {
		return nil, err
	}
	if len(raw) > MaxFile {
		return nil, ErrTooLarge
	}
	if table.IsWorkbook(raw) {
		return raw, nil
	}
	text, err := table.Text(raw)
	if err != nil || strings.ContainsAny(text, "\x00\ufffd") {
		f.add(1, "file", "is neither a workbook nor text in UTF-8, UTF-16 or GB18030")
		return nil, nil
	}
	return []byte(text), nil
}
