package decode

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"tianhai/ingest"
)

// Limits of InfluxDB line protocol.
const (
	maxLines  = 4096
	maxFields = 1024 // of a line
)

// Influx returns a decoder of InfluxDB line protocol with timestamps in a
// precision of "ns", "us", "ms" or "s"; false for another.
//
//	pond,id=7 temp=24.5,do=6.8,aerator=true 1785546000000000000
//
// Field names are the channels; floats, integers (1i) and unsigned integers (1u)
// are numbers, booleans 1 and 0, strings text. Measurement and tags tell series
// apart: where two of them have the same field, so that its values are of two
// sensors, every channel of the payload is the series, a space and the field,
// cut after the space. Empty lines and comments are passed over.
//
// Source: InfluxDB v2 documentation, line protocol reference.
func Influx(precision string) (Decoder, bool) {
	unit, known := map[string]time.Duration{
		"ns": time.Nanosecond, "us": time.Microsecond, "ms": time.Millisecond, "s": time.Second,
	}[precision]
	return Roomless(func(payload []byte) ([]ingest.Value, error) {
		p := lineParser{s: string(payload), unit: unit, seriesOf: map[string]string{}, long: -1}
		values, err := p.lines()
		if err != nil {
			return nil, &ingest.DecodeError{Format: "influx", Offset: p.fault, Member: p.member, Err: err}
		}
		return values, nil
	}), known
}

// A lineParser passes once over s.
type lineParser struct {
	s      string
	pos    int
	unit   time.Duration // of timestamps
	member string        // the field being read, for errors
	fault  int           // where the error is
	values []ingest.Value
	series []string // of each value
	// seriesOf has the series of each field, as long as it is one; shared says
	// that it no longer is for some field.
	seriesOf map[string]string
	shared   bool
	long     int // where a series begins that is too long for a name; -1 if none does
}

func (p *lineParser) fail(at int, format string, args ...any) error {
	p.fault = at
	return fmt.Errorf(format, args...)
}

func (p *lineParser) lines() ([]ingest.Value, error) {
	if at := invalidUTF8(p.s); at >= 0 {
		return nil, p.fail(at, "not UTF-8")
	}
	for n := 0; p.pos < len(p.s); {
		switch p.s[p.pos] {
		case '\n', '\r', ' ', '\t':
			p.pos++
			continue
		case '#':
			if end := strings.IndexByte(p.s[p.pos:], '\n'); end >= 0 {
				p.pos += end
			} else {
				p.pos = len(p.s)
			}
			continue
		}
		if n++; n > maxLines {
			return nil, p.fail(p.pos, "more than %d lines", maxLines)
		}
		if err := p.line(); err != nil {
			return nil, err
		}
		p.member = ""
	}
	if len(p.values) == 0 {
		return nil, p.fail(len(p.s), "no line")
	}
	if p.shared && p.long >= 0 {
		return nil, p.fail(p.long, "measurement and tags longer than %d bytes, and another series has the same field", maxName)
	}
	if p.shared {
		for i := range p.values {
			v := &p.values[i]
			v.Channel, v.Cut = p.series[i]+" "+v.Channel, len(p.series[i])+1
		}
	}
	return p.values, nil
}

// line reads one point.
func (p *lineParser) line() error {
	start, first := p.pos, len(p.values)
	if name, err := p.key(", ", "a measurement"); err != nil {
		return err
	} else if strings.HasPrefix(name, "_") {
		return p.fail(start, "a measurement must not begin with '_'")
	}
	for p.next() == ',' {
		p.pos++
		if err := p.tag(); err != nil {
			return err
		}
	}
	series := p.s[start:p.pos]
	if len(series) > maxName && p.long < 0 {
		p.long = start
	}
	if err := p.spaces("fields"); err != nil {
		return err
	}
	for {
		if err := p.field(series, first); err != nil {
			return err
		}
		if p.next() != ',' {
			break
		}
		p.pos++
	}
	p.member = ""
	return p.timestamp(p.values[first:])
}

func (p *lineParser) next() byte {
	if p.pos < len(p.s) {
		return p.s[p.pos]
	}
	return '\n'
}

func (p *lineParser) spaces(before string) error {
	if p.next() != ' ' {
		return p.fail(p.pos, "expected a space and %s", before)
	}
	for p.next() == ' ' {
		p.pos++
	}
	return nil
}

// key reads a name or tag value up to one of ends. A backslash before a comma,
// equals sign or space takes away its meaning; before all else it has none.
func (p *lineParser) key(ends, what string) (string, error) {
	start := p.pos
	var b []byte // only if there are escapes
	for ; p.pos < len(p.s); p.pos++ {
		c := p.s[p.pos]
		if c == '\\' && p.pos+1 < len(p.s) && strings.IndexByte(",= ", p.s[p.pos+1]) >= 0 {
			if b == nil {
				b = append(make([]byte, 0, 32), p.s[start:p.pos]...)
			}
			p.pos++
			b = append(b, p.s[p.pos])
			continue
		}
		if strings.IndexByte(ends, c) >= 0 || c < ' ' {
			break
		}
		if b != nil {
			b = append(b, c)
		}
	}
	name := p.s[start:p.pos]
	if b != nil {
		name = string(b)
	}
	if name == "" {
		return "", p.fail(start, "expected %s", what)
	}
	if len(name) > maxName {
		return "", p.fail(start, "%s longer than %d bytes", what, maxName)
	}
	return name, nil
}

func (p *lineParser) tag() error {
	if _, err := p.key(",= ", "the name of a tag"); err != nil {
		return err
	}
	if p.next() != '=' {
		return p.fail(p.pos, "expected '=' and the value of a tag")
	}
	p.pos++
	_, err := p.key(",= ", "the value of a tag")
	return err
}

// field reads one field of a line whose values begin at first.
func (p *lineParser) field(series string, first int) error {
	at := p.pos
	p.member = ""
	name, err := p.key(",= ", "the name of a field")
	if err != nil {
		return err
	}
	p.member = name
	if len(p.values)-first == maxFields {
		return p.fail(at, "more than %d fields", maxFields)
	}
	for _, v := range p.values[first:] {
		if v.Channel == name {
			return p.fail(at, "repeated")
		}
	}
	if other, there := p.seriesOf[name]; there && other != series {
		p.shared = true
	}
	p.seriesOf[name] = series
	if p.next() != '=' {
		return p.fail(p.pos, "expected '=' and the value of a field")
	}
	p.pos++
	v := ingest.Value{Channel: name}
	if err := p.value(&v); err != nil {
		return err
	}
	p.values, p.series = append(p.values, v), append(p.series, series)
	return nil
}

// value reads the value of a field into v.
func (p *lineParser) value(v *ingest.Value) error {
	start := p.pos
	if p.next() == '"' {
		s, err := p.quoted()
		v.Text, v.Missing, v.Extra = s, s == "", true
		return err
	}
	for p.pos < len(p.s) && strings.IndexByte(", \r\n", p.s[p.pos]) < 0 {
		p.pos++
	}
	word, err := p.s[start:p.pos], error(nil)
	switch {
	case word == "t", word == "T", word == "true", word == "True", word == "TRUE":
		v.Number = 1
	case word == "f", word == "F", word == "false", word == "False", word == "FALSE":
	case strings.HasSuffix(word, "i"):
		var i int64
		i, err = strconv.ParseInt(word[:len(word)-1], 10, 64)
		v.Number = float64(i)
	case strings.HasSuffix(word, "u"):
		var u uint64
		u, err = strconv.ParseUint(word[:len(word)-1], 10, 64)
		v.Number = float64(u)
	case strings.Trim(word, "+-.0123456789eE") != "":
		err = strconv.ErrSyntax // Go has more numbers: NaN, Inf, hexadecimal, underscores
	default:
		v.Number, err = strconv.ParseFloat(word, 64)
	}
	switch {
	case errors.Is(err, strconv.ErrRange):
		return p.fail(start, "%s is beyond the range of its type", word)
	case err != nil:
		return p.fail(start, "%q is no value of a field", word)
	}
	return nil
}

// quoted reads a string. Only quotes and backslashes are escaped in it.
func (p *lineParser) quoted() (string, error) {
	start := p.pos
	var b strings.Builder
	for p.pos++; p.pos < len(p.s); p.pos++ {
		switch c := p.s[p.pos]; {
		case c == '"':
			p.pos++
			return b.String(), nil
		case c == '\\' && p.pos+1 < len(p.s) && (p.s[p.pos+1] == '"' || p.s[p.pos+1] == '\\'):
			p.pos++
			b.WriteByte(p.s[p.pos])
		default:
			b.WriteByte(c)
		}
	}
	return "", p.fail(start, "a string without end")
}

// timestamp reads the time of a line's values, if there is one, and its end.
func (p *lineParser) timestamp(values []ingest.Value) error {
	for p.next() == ' ' {
		p.pos++
	}
	start := p.pos
	for c := p.next(); c == '-' || '0' <= c && c <= '9'; c = p.next() {
		p.pos++
	}
	if digits := p.s[start:p.pos]; digits != "" {
		n, err := strconv.ParseInt(digits, 10, 64)
		if err != nil || n < 0 || n > math.MaxInt64/int64(p.unit) {
			return p.fail(start, "%s is no time between 1970 and 2262 in %s", digits, strings.TrimPrefix(p.unit.String(), "1"))
		}
		t := time.Unix(0, n*int64(p.unit)).UTC()
		for i := range values {
			values[i].Time = t
		}
	}
	for p.next() == ' ' || p.next() == '\r' {
		p.pos++
	}
	if c := p.next(); c != '\n' {
		return p.fail(p.pos, "found %q, expected a time or the end of the line", c)
	}
	return nil
}
