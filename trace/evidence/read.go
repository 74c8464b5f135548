package evidence

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"tianhai/farm"
)

// maxLine is the longest line of a series, in bytes.
const maxLine = 512

// A LineError says which line of a series is not in the canonical form.
type LineError struct {
	Line int // from 1
	Err  error
}

func (e *LineError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }

// Unwrap returns what is wrong.
func (e *LineError) Unwrap() error { return e.Err }

// A Reader reads a series row by row, and hashes it on its way. It takes nothing but
// the canonical form: what it reads to the end, Writer would write again, byte for
// byte.
type Reader struct {
	Header Header
	in     *bufio.Reader
	sum    hash.Hash
	line   int
	rows   int
	last   farm.Sample
}

// NewReader reads the head of a series. A *LineError says where it is none.
func NewReader(r io.Reader) (*Reader, error) {
	s := &Reader{sum: sha256.New()}
	s.in = bufio.NewReaderSize(r, 32<<10)
	var fields [7]string
	for i, key := range []string{form, "", "quantity", "unit", "from", "to", columns} {
		text, err := s.next()
		if err != nil {
			return nil, err
		}
		if i == 0 || i == len(fields)-1 {
			if text != key {
				return nil, s.fault("want %q", key)
			}
			continue
		}
		name, value, _ := strings.Cut(text, ",")
		if i == 1 {
			key = "site"
			if name == "shipment" {
				key = name
			}
		}
		if name != key {
			return nil, s.fault("want %q and a comma", key)
		}
		fields[i] = value
		switch key {
		case "shipment":
			s.Header.Shipment = value
		case "site":
			s.Header.Site = value
		}
	}
	s.Header.Quantity, s.Header.Unit = fields[2], fields[3]
	for i, t := range []*time.Time{&s.Header.From, &s.Header.To} {
		ms, err := strconv.ParseInt(fields[4+i], 10, 64)
		if err != nil || strconv.FormatInt(ms, 10) != fields[4+i] {
			return nil, &LineError{5 + i, fmt.Errorf("%q is no time in Unix milliseconds", fields[4+i])}
		}
		*t = time.UnixMilli(ms).UTC()
	}
	if err := s.Header.check(); err != nil {
		return nil, s.fault("%w", err)
	}
	return s, nil
}

func (r *Reader) fault(format string, args ...any) error {
	return &LineError{r.line, fmt.Errorf(format, args...)}
}

// next returns a line without its LF; io.EOF behind the last.
func (r *Reader) next() (string, error) {
	line, err := r.in.ReadSlice('\n')
	if len(line) == 0 && errors.Is(err, io.EOF) {
		if r.line < 7 {
			return "", r.fault("the series ends within its head")
		}
		return "", io.EOF
	}
	r.line++
	switch {
	case errors.Is(err, io.EOF):
		return "", r.fault("the last line has no LF: the file was cut off")
	case errors.Is(err, bufio.ErrBufferFull) || len(line) > maxLine:
		return "", r.fault("is longer than %d bytes", maxLine)
	case err != nil:
		return "", err
	}
	r.sum.Write(line)
	return string(line[:len(line)-1]), nil
}

// Next returns the next row; io.EOF behind the last one.
func (r *Reader) Next() (farm.Sample, error) {
	text, err := r.next()
	if err != nil {
		return farm.Sample{}, err
	}
	cells := strings.Split(text, ",")
	if len(cells) != 4 {
		return farm.Sample{}, r.fault("has %d cells, want %s", len(cells), columns)
	}
	s := farm.Sample{Quantity: r.Header.Quantity, Device: cells[0], Value: math.NaN()}
	if s.Time, err = strconv.ParseInt(cells[1], 10, 64); err != nil {
		return farm.Sample{}, r.fault("%q is no time in Unix milliseconds", cells[1])
	}
	if cells[2] != "" {
		if s.Value, err = strconv.ParseFloat(cells[2], 64); err != nil || math.IsNaN(s.Value) {
			return farm.Sample{}, r.fault("%q is no value", cells[2])
		}
	}
	if s.Flag, err = strconv.Atoi(cells[3]); err != nil {
		return farm.Sample{}, r.fault("%q is no flag", cells[3])
	}
	if err := r.Header.admits(s); err != nil {
		return farm.Sample{}, r.fault("%w", err)
	}
	if want := string(appendRow(nil, s)); want != text+"\n" {
		return farm.Sample{}, r.fault("is not in the canonical form, which is %q", strings.TrimSuffix(want, "\n"))
	}
	if r.rows > 0 && compare(r.last, s) > 0 {
		return farm.Sample{}, r.fault("stands out of order")
	}
	r.last = s
	r.rows++
	return s, nil
}

// Sum returns the hash of what was read, in hex: the series' after io.EOF.
func (r *Reader) Sum() string { return hex.EncodeToString(r.sum.Sum(nil)) }

// Each passes every row to a function and returns the hash of the series.
func (r *Reader) Each(pass func(farm.Sample) error) (string, error) {
	for {
		s, err := r.Next()
		if errors.Is(err, io.EOF) {
			return r.Sum(), nil
		}
		if err == nil {
			err = pass(s)
		}
		if err != nil {
			return "", err
		}
	}
}
