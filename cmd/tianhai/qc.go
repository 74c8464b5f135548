package main

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"tianhai/ingest"
	"tianhai/ingest/qc"
)

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
