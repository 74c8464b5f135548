// Package evidence makes numbers from what sensors said that anyone who holds the
// same readings can make again: the canonical form of a series and its hash, the
// share of time in a range, hours below a limit, growing degree-days, rainfall,
// excursions of a cold chain and mean kinetic temperature.
//
// # The canonical form
//
// A series is a text of lines, each ended by one LF, in ASCII:
//
//	tianhai-series,1
//	site,raft-1
//	quantity,water.temperature
//	unit,Cel
//	from,1627776000000
//	to,1633046400000
//	device,time,value,flag
//	sonde-1,1627776000000,30.7,1
//	sonde-1,1627776900000,,9
//
// The first line names the form and its version. The second says whose readings
// these are: a site's, or, in the form "shipment,01JD…", those of a shipment.
// Quantity is a farm.Quantity's and unit its UCUM code; from and to are Unix
// milliseconds and bound the period, from ≤ time < to. Then one row for each reading
// that is stored of the quantity, those that failed a test or are missing too, in
// the order of time, then of device by bytes, then of value, none before all, then
// of flag. A value is the shortest decimal that reads back as the same 64-bit
// number, written as RFC 8785 §3.2.2.3 writes numbers (ECMAScript's), or nothing
// where none was stored; a flag is QARTOD's: 1, 2, 3, 4 or 9.
//
// The hash of a series is the SHA-256 of this text, so that sha256sum FILE answers
// what is in the record. A version is never changed, only succeeded.
package evidence

import (
	"bufio"
	"cmp"
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

// form is the first line of a series.
const form = "tianhai-series,1"

const columns = "device,time,value,flag"

// A Header says what a series is of. One of Site and Shipment is set.
type Header struct {
	Site     string
	Shipment string
	Quantity string
	Unit     string // UCUM
	From, To time.Time
}

func (h Header) check() error {
	if (h.Site == "") == (h.Shipment == "") {
		return errors.New("the series is of no site, or of a site and a shipment")
	}
	for _, s := range []string{h.Site + h.Shipment, h.Quantity, h.Unit} {
		if !plain(s) {
			return fmt.Errorf("%q cannot stand in a series", s)
		}
	}
	if h.From.UnixMilli() >= h.To.UnixMilli() {
		return errors.New("the period ends before it begins")
	}
	return nil
}

// plain reports whether a name fits between two commas.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f || s[i] == ',' {
			return false
		}
	}
	return s != "" && len(s) <= 128
}

func (h Header) append(dst []byte) []byte {
	dst = append(dst, form+"\n"...)
	if h.Site != "" {
		dst = append(dst, "site,"+h.Site...)
	} else {
		dst = append(dst, "shipment,"+h.Shipment...)
	}
	dst = append(dst, "\nquantity,"+h.Quantity+"\nunit,"+h.Unit+"\nfrom,"...)
	dst = strconv.AppendInt(dst, h.From.UnixMilli(), 10)
	dst = append(dst, "\nto,"...)
	dst = strconv.AppendInt(dst, h.To.UnixMilli(), 10)
	return append(dst, "\n"+columns+"\n"...)
}

// A Writer writes a series and hashes it on its way. It keeps one row in memory.
type Writer struct {
	header Header
	out    *bufio.Writer
	sum    hash.Hash
	row    []byte
	last   farm.Sample
	rows   int
}

// NewWriter begins a series on w.
func NewWriter(w io.Writer, h Header) (*Writer, error) {
	if err := h.check(); err != nil {
		return nil, fmt.Errorf("write series: %w", err)
	}
	s := &Writer{header: h, sum: sha256.New()}
	s.out = bufio.NewWriterSize(io.MultiWriter(s.sum, w), 32<<10)
	_, err := s.out.Write(h.append(nil))
	return s, err
}

// Write adds a row. Rows come in their order, within the period.
func (w *Writer) Write(s farm.Sample) error {
	if err := w.header.admits(s); err != nil {
		return fmt.Errorf("write series of %s: %w", w.header.Quantity, err)
	}
	if w.rows > 0 && compare(w.last, s) > 0 {
		return fmt.Errorf("write series of %s: %s at %d comes after %s at %d", w.header.Quantity, s.Device, s.Time, w.last.Device, w.last.Time)
	}
	w.last = s
	w.rows++
	w.row = appendRow(w.row[:0], s)
	_, err := w.out.Write(w.row)
	return err
}

// Sum ends the series and returns its hash, in hex.
func (w *Writer) Sum() (string, error) {
	if err := w.out.Flush(); err != nil {
		return "", err
	}
	return hex.EncodeToString(w.sum.Sum(nil)), nil
}

// admits reports why a sample cannot stand in the series.
func (h Header) admits(s farm.Sample) error {
	switch {
	case s.Time < h.From.UnixMilli() || s.Time >= h.To.UnixMilli():
		return fmt.Errorf("time %d is outside the period", s.Time)
	case !plain(s.Device):
		return fmt.Errorf("device %q cannot stand in a series", s.Device)
	case math.IsInf(s.Value, 0):
		return errors.New("the value is not finite")
	case s.Flag < 1 || s.Flag > 4 && s.Flag != 9:
		return fmt.Errorf("flag %d is none of 1, 2, 3, 4 and 9", s.Flag)
	}
	return nil
}

// compare is the order of rows.
func compare(a, b farm.Sample) int {
	return cmp.Or(cmp.Compare(a.Time, b.Time), strings.Compare(a.Device, b.Device), cmp.Compare(a.Value, b.Value), cmp.Compare(a.Flag, b.Flag))
}

func appendRow(dst []byte, s farm.Sample) []byte {
	dst = append(dst, s.Device...)
	dst = append(dst, ',')
	dst = strconv.AppendInt(dst, s.Time, 10)
	dst = append(dst, ',')
	if !math.IsNaN(s.Value) {
		dst = appendNumber(dst, s.Value)
	}
	dst = append(dst, ',')
	dst = strconv.AppendInt(dst, int64(s.Flag), 10)
	return append(dst, '\n')
}

// appendNumber writes a finite number as ECMAScript does.
func appendNumber(dst []byte, v float64) []byte {
	if v == 0 {
		return append(dst, '0') // never -0
	}
	if a := math.Abs(v); a >= 1e-6 && a < 1e21 {
		return strconv.AppendFloat(dst, v, 'f', -1, 64)
	}
	dst = strconv.AppendFloat(dst, v, 'e', -1, 64)
	if n := len(dst); n >= 4 && dst[n-4] == 'e' && dst[n-2] == '0' { // e-09 is e-9
		dst[n-2] = dst[n-1]
		dst = dst[:n-1]
	}
	return dst
}

// Row returns a sample as it stands in a series, with its LF.
func Row(s farm.Sample) string { return string(appendRow(nil, s)) }
