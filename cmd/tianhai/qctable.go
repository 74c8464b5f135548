package main

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxQCFile bounds what is held in memory: tests look ahead.
const maxQCFile = 256 << 20

// A csvTable is a whole CSV file.
type csvTable struct {
	comma rune
	heads []string
	rows  [][]string
	lines []int // of each row, where it begins in the file
}

// readTable reads a file.
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
	return parseTable(raw)
}

// parseTable bears a byte order mark, CRLF, quoted cells, space around cells, and
// semicolons or tabs between them.
func parseTable(raw []byte) (*csvTable, error) {
	t := &csvTable{comma: comma(raw)}
	in := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(raw, []byte("\ufeff"))))
	in.Comma, in.TrimLeadingSpace = t.comma, true
	heads, err := in.Read()
	if err != nil {
		return nil, fmt.Errorf("no headings: %w", err)
	}
	t.heads = heads
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
