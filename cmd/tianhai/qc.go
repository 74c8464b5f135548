package main

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"tianhai/ingest"
	"tianhai/ingest/qc"
)

// maxQCFile bounds what is held in memory: tests look ahead.
const maxQCFile = 256 << 20

type qcCommand struct {
	Tests      string            `type:"existingfile" help:"Tests in the form of ioos_qc, by column; the server's own, by quantity, when left out." placeholder:"FILE"`
	As         map[string]string `help:"Test only this column, by the tests of this stream: --as Temp=water.temperature. Repeat for more." placeholder:"COLUMN=STREAM"`
	Time       string            `help:"Column of times. Default: the one that is called time, timestamp, datetime or so." placeholder:"COLUMN"`
	TimeLayout string            `help:"How times are written, as Go writes 2006-01-02T15:04:05, or unix or unix_ms. Default: RFC 3339 or near it, or Unix seconds." placeholder:"LAYOUT"`
	Missing    []string          `help:"What stands for a missing value, such as --missing=-9999, besides an empty cell, NaN, NA, null, None and --." placeholder:"TEXT"`
	UTCOffset  time.Duration     `name:"utc-offset" help:"Of times that do not name theirs, such as -6h." placeholder:"OFFSET"`
	Z          string            `help:"Column of depths." placeholder:"COLUMN"`
	Aggregate  bool              `help:"Print the flag that stands only, not that of each test."`
	Compare    string            `help:"Print no values, but how the flags agree with those in the columns of this prefix, such as F_." placeholder:"PREFIX"`
	File       string            `arg:"" type:"existingfile" help:"CSV with headings, at most 256 MiB."`
}

// Run prints the file with flags beside its values.
func (c *qcCommand) Run() error {
	out := bufio.NewWriter(os.Stdout)
	if err := c.run(out); err != nil {
		return err
	}
	return out.Flush()
}

func (c *qcCommand) run(out io.Writer) error {
	tests, err := c.loadTests()
	if err != nil {
		return err
	}
	table, err := readTable(c.File)
	if err != nil {
		return fmt.Errorf("%s: %w", c.File, err)
	}
	columns, err := c.judge(table, tests)
	if err != nil {
		return fmt.Errorf("%s: %w", c.File, err)
	}
	if c.Compare != "" {
		return c.compare(out, table, columns)
	}
	return c.print(out, table, columns)
}

// loadTests returns the tests of each column.
func (c *qcCommand) loadTests() (map[string][]qc.Test, error) {
	config, err := qc.Default()
	if c.Tests != "" {
		raw, readErr := os.ReadFile(c.Tests)
		if readErr != nil {
			return nil, fmt.Errorf("read tests: %w", readErr)
		}
		config, err = qc.Parse(raw)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Tests, err)
	}
	if len(c.As) == 0 {
		return config.Streams, nil
	}
	columns := map[string][]qc.Test{}
	for column, stream := range c.As {
		tests, ok := config.Streams[stream]
		if !ok {
			return nil, fmt.Errorf("--as %s=%s: there are no tests for %s", column, stream, stream)
		}
		columns[column] = tests
	}
	return columns, nil
}

// A csvTable is a whole CSV file.
type csvTable struct {
	comma rune
	heads []string
	rows  [][]string
	lines []int // of each row, where it begins in the file
}

// readTable bears a byte order mark, CRLF, quoted cells, space around cells, and
// semicolons or tabs between them.
func readTable(file string) (*csvTable, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	raw, err := io.ReadAll(io.LimitReader(f, maxQCFile+1))
	if err != nil {
		return nil, err
	}
	if len(raw) > maxQCFile {
		return nil, fmt.Errorf("longer than %d MiB", maxQCFile>>20)
	}
	in := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(raw, []byte("\ufeff"))))
	t := &csvTable{comma: comma(raw)}
	in.Comma, in.TrimLeadingSpace = t.comma, true
	if t.heads, err = in.Read(); err != nil {
		return nil, fmt.Errorf("no headings: %w", err)
	}
	for {
		row, err := in.Read()
		if errors.Is(err, io.EOF) {
			return t, nil
		}
		if err != nil {
			return nil, err
		}
		line, _ := in.FieldPos(0)
		t.rows, t.lines = append(t.rows, row), append(t.lines, line)
	}
}

// comma returns what stands between the headings.
func comma(raw []byte) rune {
	heads, _, _ := bytes.Cut(raw, []byte("\n"))
	for _, c := range ",;\t" {
		if bytes.ContainsRune(heads, c) {
			return c
		}
	}
	return ','
}

// column returns the place of a column.
func (t *csvTable) column(name string) (int, error) {
	found := -1
	for i, h := range t.heads {
		if strings.TrimSpace(h) != name {
			continue
		}
		if found >= 0 {
			return 0, fmt.Errorf("column %q is there twice", name)
		}
		found = i
	}
	if found < 0 {
		return 0, fmt.Errorf("there is no column %q, only %s", name, strings.Join(t.heads, ", "))
	}
	return found, nil
}

// timeColumn returns the name of the column that is called as those of times are.
func (t *csvTable) timeColumn() (string, error) {
	var found []string
	for _, h := range t.heads {
		switch strings.NewReplacer("_", "", " ", "", "-", "").Replace(strings.ToLower(h)) {
		case "time", "times", "timestamp", "datetime", "datetimestamp", "date", "ts", "时间", "监测时间", "采集时间":
			found = append(found, strings.TrimSpace(h))
		}
	}
	if len(found) != 1 {
		return "", fmt.Errorf("which column is the time? Name one of %s by --time", strings.Join(t.heads, ", "))
	}
	return found[0], nil
}

// numbers returns a column, NaN for missing values.
func (t *csvTable) numbers(name string, missing []string) ([]float64, error) {
	column, err := t.column(name)
	if err != nil {
		return nil, err
	}
	values := make([]float64, len(t.rows))
	for i, row := range t.rows {
		cell := strings.TrimSpace(row[column])
		switch strings.ToLower(cell) {
		case "", "nan", "na", "n/a", "null", "none", "--":
			values[i] = math.NaN()
			continue
		}
		if slices.Contains(missing, cell) {
			values[i] = math.NaN()
			continue
		}
		if values[i], err = strconv.ParseFloat(cell, 64); err != nil || math.IsNaN(values[i]) || math.IsInf(values[i], 0) {
			return nil, fmt.Errorf("line %d: column %q: %q is not a number; a missing value is an empty cell, or what --missing names", t.lines[i], name, cell)
		}
	}
	return values, nil
}

func (c *qcCommand) times(t *csvTable) ([]time.Time, error) {
	name, err := c.Time, error(nil)
	if name == "" {
		if name, err = t.timeColumn(); err != nil {
			return nil, err
		}
	}
	column, err := t.column(name)
	if err != nil {
		return nil, fmt.Errorf("--time: %w", err)
	}
	zone := time.FixedZone("", int(c.UTCOffset.Seconds()))
	times := make([]time.Time, len(t.rows))
	for i, row := range t.rows {
		cell := strings.TrimSpace(row[column])
		times[i], err = parseTime(cell, c.TimeLayout, zone)
		if err != nil {
			return nil, fmt.Errorf("line %d: column %q: %w", t.lines[i], name, err)
		}
		if i > 0 && times[i].Before(times[i-1]) {
			return nil, fmt.Errorf("line %d: column %q: %s is before the line before; sort the file by time", t.lines[i], name, cell)
		}
	}
	return times, nil
}

func parseTime(cell, layout string, zone *time.Location) (time.Time, error) {
	switch layout {
	case "unix", "unix_ms":
		x, err := strconv.ParseFloat(cell, 64)
		if layout == "unix" {
			x *= 1000
		}
		if err != nil || !(math.Abs(x) < 1e15) {
			return time.Time{}, fmt.Errorf("%q is no Unix time", cell)
		}
		return time.UnixMicro(int64(math.Round(x * 1000))).In(zone), nil
	case "":
		return parseAnyTime(cell, zone)
	}
	t, err := time.ParseInLocation(layout, cell, zone)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is not a time such as %s", cell, layout)
	}
	return t, nil
}

// parseAnyTime reads a time that can be read in one way only: dates with the year
// first, and Unix seconds.
func parseAnyTime(cell string, zone *time.Location) (time.Time, error) {
	for _, layout := range []string{
		time.RFC3339, "2006-01-02T15:04:05", time.DateTime, "2006-01-02 15:04:05Z07:00", "2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly,
		"2006/1/2 15:04:05", "2006/1/2 15:04", "2006/1/2",
	} {
		if t, err := time.ParseInLocation(layout, cell, zone); err == nil {
			return t, nil
		}
	}
	if x, err := strconv.ParseFloat(cell, 64); err == nil && math.Abs(x) < 1e11 {
		return parseTime(cell, "unix", zone)
	}
	return time.Time{}, fmt.Errorf("%q is not a time such as 2021-07-01T00:00:00Z or 2021-07-01 00:00, nor Unix seconds; say how it is written by --time-layout", cell)
}

// A judged column has its flags.
type judged struct {
	name      string
	index     int
	tests     []qc.Test
	byTest    map[string][]ingest.Flag
	aggregate []ingest.Flag
}

func (c *qcCommand) judge(t *csvTable, tests map[string][]qc.Test) ([]judged, error) {
	times, err := c.times(t)
	if err != nil {
		return nil, err
	}
	s := qc.Series{Times: times}
	if c.Z != "" {
		if s.Z, err = t.numbers(c.Z, c.Missing); err != nil {
			return nil, fmt.Errorf("--z: %w", err)
		}
	}
	var columns []judged
	for _, name := range slices.Sorted(maps.Keys(tests)) {
		if c.Tests == "" && len(c.As) == 0 && !slices.Contains(t.heads, name) {
			continue // the server's own tests know more quantities than the file has
		}
		col := judged{name: name, tests: tests[name]}
		if col.index, err = t.column(name); err != nil {
			return nil, err
		}
		if s.Values, err = t.numbers(name, c.Missing); err != nil {
			return nil, err
		}
		col.byTest, col.aggregate = qc.Flags(col.tests, s)
		columns = append(columns, col)
	}
	if len(columns) == 0 {
		return nil, errors.New("no column is tested; name them with --as COLUMN=STREAM")
	}
	slices.SortFunc(columns, func(a, b judged) int { return a.index - b.index })
	return columns, nil
}

// print writes every row with flags behind each tested column.
func (c *qcCommand) print(out io.Writer, t *csvTable, columns []judged) error {
	w := csv.NewWriter(out)
	w.Comma = t.comma
	row := -1 // the headings
	line := func(cells []string) error {
		var all []string
		next := columns
		for i, cell := range cells {
			all = append(all, cell)
			if len(next) > 0 && next[0].index == i {
				all = append(all, next[0].cells(row, c.Aggregate)...)
				next = next[1:]
			}
		}
		return w.Write(all)
	}
	if err := line(t.heads); err != nil {
		return err
	}
	for row = range t.rows {
		if err := line(t.rows[row]); err != nil {
			return err
		}
	}
	w.Flush()
	return w.Error()
}

// cells returns the flags of a row, or the headings for row -1.
func (j judged) cells(row int, aggregate bool) []string {
	cell := func(head string, flags []ingest.Flag) string {
		if row < 0 {
			return head
		}
		return strconv.Itoa(int(flags[row]))
	}
	var cells []string
	for _, t := range j.tests {
		if !aggregate {
			cells = append(cells, cell(j.name+"_qartod_"+t.Name(), j.byTest[t.Name()]))
		}
	}
	return append(cells, cell(j.name+"_qartod_aggregate", j.aggregate))
}

// compare writes, for each column and each flag that people gave, how often the
// tests gave which flag; then which test suspected or failed how many.
func (c *qcCommand) compare(out io.Writer, t *csvTable, columns []judged) error {
	order := []ingest.Flag{ingest.Good, ingest.NotEvaluated, ingest.Suspect, ingest.Fail, ingest.Missing}
	var b strings.Builder
	b.WriteString("| column | their flag | good 1 | not evaluated 2 | suspect 3 | fail 4 | missing 9 |\n| --- | --- | --: | --: | --: | --: | --: |\n")
	for _, j := range columns {
		theirs, err := t.column(c.Compare + j.name)
		if err != nil {
			return fmt.Errorf("--compare: %w", err)
		}
		counts := map[string]map[ingest.Flag]int{}
		for i, row := range t.rows {
			their := strings.TrimSpace(row[theirs])
			if code, _, ok := strings.Cut(their, ">"); ok {
				their = code + ">"
			}
			if counts[their] == nil {
				counts[their] = map[ingest.Flag]int{}
			}
			counts[their][j.aggregate[i]]++
		}
		for _, their := range slices.Sorted(maps.Keys(counts)) {
			fmt.Fprintf(&b, "| %s | `%s` |", j.name, their)
			for _, f := range order {
				fmt.Fprintf(&b, " %d |", counts[their][f])
			}
			b.WriteString("\n")
		}
	}
	b.WriteString("\n| column | test | suspect 3 | fail 4 |\n| --- | --- | --: | --: |\n")
	for _, j := range columns {
		for _, test := range j.tests {
			n := map[ingest.Flag]int{}
			for _, f := range j.byTest[test.Name()] {
				n[f]++
			}
			fmt.Fprintf(&b, "| %s | %s | %d | %d |\n", j.name, test.Name(), n[ingest.Suspect], n[ingest.Fail])
		}
	}
	_, err := io.WriteString(out, b.String())
	return err
}
