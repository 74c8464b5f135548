package fleet

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
)

// A Mapping says how to read measurements from a CSV file. TimeColumn and
// Columns are needed; the zero of everything else is usable.
type Mapping struct {
	TimeColumn string
	// TimeLayout is a layout of package time, or "unix" or "unix_ms"; RFC 3339
	// when empty.
	TimeLayout string
	Zone       *time.Location    // of times that do not name theirs; UTC when nil
	Columns    map[string]string // heading → channel; other columns are skipped
	Missing    []string          // cells that mean no value, besides the empty one
	Decimal    string            // "." or ","; "." when empty
	Separator  string            // one character; "," when empty
	SkipLines  int               // lines before the headings
}

// ErrMapping reports a Mapping that cannot be used, or that a file does not fit.
var ErrMapping = errors.New("mapping does not fit")

// ReadMapping reads a Mapping from YAML. Unknown keys are an error.
//
//	time: {column: DateTimeStamp, layout: 1/2/2006 15:04, utc_offset: -6h}  # or zone: Asia/Shanghai
//	columns: {Temp: temperature, Sal: salinity}
//	missing: [NA]
//	decimal: "."
//	separator: ","
//	skip_lines: 0
func ReadMapping(r io.Reader) (Mapping, error) {
	var y struct {
		Time struct {
			Column string `yaml:"column"`
			Layout string `yaml:"layout"`
			Offset string `yaml:"utc_offset"`
			Zone   string `yaml:"zone"`
		} `yaml:"time"`
		Columns   map[string]string `yaml:"columns"`
		Missing   []string          `yaml:"missing"`
		Decimal   string            `yaml:"decimal"`
		Separator string            `yaml:"separator"`
		SkipLines int               `yaml:"skip_lines"`
	}
	if err := yaml.NewDecoder(r, yaml.Strict()).Decode(&y); err != nil {
		return Mapping{}, fmt.Errorf("read mapping: %w", err)
	}
	zone, err := Zone(y.Time.Offset, y.Time.Zone)
	if err != nil {
		return Mapping{}, fmt.Errorf("read mapping: %w", err)
	}
	m := Mapping{y.Time.Column, y.Time.Layout, zone, y.Columns, y.Missing, y.Decimal, y.Separator, y.SkipLines}
	return m, m.check()
}

// Zone returns the zone of a UTC offset such as "-6h" or "5h30m", or of a name
// such as "Asia/Shanghai"; UTC when both are empty.
func Zone(offset, name string) (*time.Location, error) {
	switch {
	case offset != "" && name != "":
		return nil, fmt.Errorf("%w: both a UTC offset and a zone", ErrMapping)
	case name != "":
		return time.LoadLocation(name)
	case offset == "":
		return time.UTC, nil
	}
	d, err := time.ParseDuration(offset)
	if err != nil || d.Abs() > 14*time.Hour {
		return nil, fmt.Errorf("%w: UTC offset %q is not one such as -6h or 5h30m", ErrMapping, offset)
	}
	return time.FixedZone("", int(d.Seconds())), nil
}

func (m Mapping) check() error {
	bad := func(what string) error { return fmt.Errorf("%w: %s", ErrMapping, what) }
	switch {
	case m.TimeColumn == "":
		return bad("no time column")
	case len(m.Columns) == 0:
		return bad("no column is mapped to a channel")
	case m.Decimal != "" && m.Decimal != "." && m.Decimal != ",":
		return bad(`decimal is neither "." nor ","`)
	case m.Separator != "" && (len(m.Separator) != 1 || strings.Contains("\"\r\n", m.Separator)):
		return bad("separator is not one character")
	case m.SkipLines < 0:
		return bad("skip_lines is negative")
	}
	channels := map[string]bool{"ts": true, "": true}
	for _, column := range slices.Sorted(maps.Keys(m.Columns)) {
		if c := m.Columns[column]; channels[c] {
			return bad(fmt.Sprintf("column %q: channel %q is taken", column, c))
		}
		channels[m.Columns[column]] = true
	}
	return nil
}

// A Row is one line of measurements.
type Row struct {
	Number  int // 1 is the first after the headings
	Line    int // in the file
	Time    time.Time
	Payload []byte // what a device would have sent; null for each missing value
}

// Rows reads the rows of a CSV file one by one. It bears a byte order mark,
// CRLF, quoted cells, and space around cells. It is not safe for concurrent use.
type Rows struct {
	m      Mapping
	csv    *csv.Reader
	skip   int // lines cut off before the reader
	time   int // column index
	cells  []cell
	number int
}

type cell struct {
	index  int
	column string
	member []byte // the channel as a JSON string
}

// NewRows reads the headings. A column of the mapping that the file does not
// have is an error, wrapping ErrMapping.
func NewRows(r io.Reader, m Mapping) (*Rows, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	in := bufio.NewReader(r)
	if mark, _ := in.Peek(3); string(mark) == "\ufeff" {
		_, _ = in.Discard(3)
	}
	for range m.SkipLines {
		if err := discardLine(in); errors.Is(err, io.EOF) {
			break // and no headings either
		} else if err != nil {
			return nil, fmt.Errorf("skip lines: %w", err)
		}
	}
	rows := &Rows{m: m, csv: csv.NewReader(in), skip: m.SkipLines}
	rows.csv.ReuseRecord = true
	rows.csv.TrimLeadingSpace = m.Separator != "\t"
	if m.Separator != "" {
		rows.csv.Comma = rune(m.Separator[0])
	}
	headings, err := rows.csv.Read()
	if errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: the file has no headings", ErrMapping)
	}
	if err != nil {
		return nil, fmt.Errorf("read headings: %w", err)
	}
	seen := map[string]bool{}
	for i, h := range headings {
		h = strings.TrimSpace(h)
		channel, mapped := m.Columns[h]
		if (mapped || h == m.TimeColumn) && seen[h] {
			return nil, fmt.Errorf("%w: column %q is there twice", ErrMapping, h)
		}
		seen[h] = true
		if h == m.TimeColumn {
			rows.time = i
		}
		if mapped {
			member, err := json.Marshal(channel)
			if err != nil {
				return nil, fmt.Errorf("name channel %q: %w", channel, err)
			}
			rows.cells = append(rows.cells, cell{i, h, member})
		}
	}
	for _, column := range append(slices.Sorted(maps.Keys(m.Columns)), m.TimeColumn) {
		if !seen[column] {
			return nil, fmt.Errorf("%w: the file has no column %q", ErrMapping, column)
		}
	}
	return rows, nil
}

// discardLine reads past the next line feed.
func discardLine(r *bufio.Reader) error {
	for {
		if _, err := r.ReadSlice('\n'); !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
	}
}

// Skip passes over n rows without judging what they say. It returns io.EOF
// where there are fewer.
func (r *Rows) Skip(n int) error {
	for range n {
		if _, err := r.csv.Read(); err != nil {
			if parse := new(csv.ParseError); !errors.As(err, &parse) {
				return err
			}
		}
		r.number++
	}
	return nil
}

// Next returns the next row; io.EOF after the last. Any other error names the
// line and the column.
func (r *Rows) Next() (Row, error) {
	record, err := r.csv.Read()
	if errors.Is(err, io.EOF) {
		return Row{}, io.EOF
	}
	r.number++
	if parse := new(csv.ParseError); errors.As(err, &parse) {
		return Row{}, fmt.Errorf("line %d (row %d), byte %d: %w", parse.Line+r.skip, r.number, parse.Column, parse.Err)
	}
	if err != nil {
		return Row{}, fmt.Errorf("read row %d: %w", r.number, err)
	}
	line, _ := r.csv.FieldPos(0)
	row := Row{Number: r.number, Line: line + r.skip}
	in := func(column string, err error) error {
		return fmt.Errorf("line %d (row %d), column %q: %w", row.Line, row.Number, column, err)
	}
	if row.Time, err = r.m.parseTime(strings.TrimSpace(record[r.time])); err != nil {
		return Row{}, in(r.m.TimeColumn, err)
	}
	b := strconv.AppendInt([]byte(`{"ts":`), row.Time.UnixMilli(), 10)
	for _, c := range r.cells {
		b = append(append(append(b, ','), c.member...), ':')
		if b, err = r.m.appendValue(b, strings.TrimSpace(record[c.index])); err != nil {
			return Row{}, in(c.column, err)
		}
	}
	row.Payload = append(b, '}')
	return row, nil
}

func (m Mapping) parseTime(s string) (time.Time, error) {
	zone := m.Zone
	if zone == nil {
		zone = time.UTC
	}
	var t time.Time
	switch m.TimeLayout {
	case "unix", "unix_ms":
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return t, fmt.Errorf("time %q is not a whole number", s)
		}
		if t = time.UnixMilli(n); m.TimeLayout == "unix" {
			t = time.Unix(n, 0)
		}
	default:
		layout := m.TimeLayout
		if layout == "" {
			layout = time.RFC3339
		}
		var err error
		if t, err = time.ParseInLocation(layout, s, zone); err != nil {
			return t, fmt.Errorf("time %q does not fit the layout %q", s, layout)
		}
	}
	if y := t.UTC().Year(); y < 1970 || y > 9999 {
		return t, fmt.Errorf("time %q is not between 1970 and 9999", s)
	}
	return t.UTC(), nil
}

// appendValue appends the shortest number that reads back as the same value.
func (m Mapping) appendValue(b []byte, s string) ([]byte, error) {
	if s == "" || slices.Contains(m.Missing, s) {
		return append(b, "null"...), nil
	}
	text := s
	if m.Decimal == "," {
		if strings.Contains(s, ".") {
			return b, fmt.Errorf("%q is not a number with a decimal comma", s)
		}
		text = strings.Replace(s, ",", ".", 1)
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(v, 0) || strings.Trim(text, "0123456789.eE+-") != "" {
		return b, fmt.Errorf("%q is not a number", s)
	}
	return strconv.AppendFloat(b, v, 'f', -1, 64), nil
}
