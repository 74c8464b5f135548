package decode

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"tianhai/ingest"
)

// Limits of the native JSON format.
const (
	maxMembers = 256  // of an object, "ts" among them
	maxKey     = 64   // bytes of a member's name
	maxObjects = 4096 // of a burst
)

// maxMillis is the last time that fits nanoseconds in 64 bits, in the year 2262.
const maxMillis = math.MaxInt64 / 1_000_000

// JSON reads the native format: an object (RFC 8259) with one member for each
// channel, a number or, for a missing value, null:
//
//	{"ts": 1785546000000, "temp": 24.5, "do": null}
//
// The optional member "ts" is the time of all others, in Unix milliseconds or
// as an RFC 3339 string. A device that was out of reach may send what it stored
// as an array of such objects, each with its "ts".
//
// JSON is strict: a repeated or empty name, a string, boolean or nested value, a
// number beyond float64, bytes that follow, or an object without a channel make
// the whole payload an error. Objects have at most 256 members with names of at
// most 64 bytes, arrays 4,096 objects.
func JSON(payload []byte) ([]ingest.Value, error) { return jsonIn(payload, nil) }

// jsonIn is JSON, with the values in room where they fit.
func jsonIn(payload []byte, room []ingest.Value) ([]ingest.Value, error) {
	p := parser{s: string(payload), values: room[:0]}
	values, err := p.document()
	if err != nil {
		return nil, &ingest.DecodeError{Format: "json", Offset: p.fault, Member: p.member, Err: err}
	}
	return values, nil
}

// A parser passes once over s. Names that have no escapes are parts of s.
type parser struct {
	s      string
	pos    int
	member string // being read, for errors
	fault  int    // where the error is
	values []ingest.Value
	nodes  int // read so far, where a tree is read
}

// fail notes an error at a byte.
func (p *parser) fail(at int, format string, args ...any) error {
	p.fault = at
	return fmt.Errorf(format, args...)
}

func (p *parser) document() ([]ingest.Value, error) {
	if at := invalidUTF8(p.s); at >= 0 {
		return nil, p.fail(at, "not UTF-8")
	}
	var err error
	switch p.space(); p.peek() {
	case '{':
		if n := min(strings.Count(p.s, ":"), maxMembers); n > cap(p.values) {
			p.values = make([]ingest.Value, 0, n)
		}
		_, err = p.object()
	case '[':
		err = p.array()
	default:
		err = p.unexpected("an object or an array of objects")
	}
	if err != nil {
		return nil, err
	}
	p.member = ""
	if p.space(); p.pos < len(p.s) {
		return nil, p.unexpected("the end")
	}
	return p.values, nil
}

func invalidUTF8(s string) int {
	if utf8.ValidString(s) {
		return -1
	}
	for i, r := range s {
		if r == utf8.RuneError {
			if _, size := utf8.DecodeRuneInString(s[i:]); size == 1 {
				return i
			}
		}
	}
	return -1
}

func (p *parser) array() error {
	p.pos++
	for n := 0; ; n++ {
		if p.space(); p.peek() != '{' {
			return p.unexpected("an object")
		}
		if n == maxObjects {
			return p.fail(p.pos, "more than %d objects", maxObjects)
		}
		start := p.pos
		timed, err := p.object()
		if err != nil {
			return err
		}
		p.member = ""
		if !timed {
			return p.fail(start, `an object of an array needs a "ts"`)
		}
		switch p.space(); p.peek() {
		case ',':
			p.pos++
		case ']':
			p.pos++
			return nil
		default:
			return p.unexpected("',' or ']'")
		}
	}
}

// object appends the values of one object, and reports whether it had a time.
func (p *parser) object() (timed bool, err error) {
	start, first := p.pos, len(p.values)
	var ts time.Time
	p.pos++
	if p.space(); p.peek() == '}' {
		return false, p.fail(start, "no channel")
	}
	for {
		p.space()
		at := p.pos
		name, err := p.name()
		if err != nil {
			return false, err
		}
		p.member = name
		if p.repeated(name, first, timed) {
			return false, p.fail(at, "repeated")
		}
		if members := len(p.values) - first; members == maxMembers || timed && members == maxMembers-1 {
			return false, p.fail(at, "more than %d members", maxMembers)
		}
		if name == "ts" {
			ts, err = p.time()
			timed = true
		} else {
			err = p.value(name)
		}
		if err != nil {
			return false, err
		}
		p.space()
		if p.peek() == '}' {
			break
		}
		if p.peek() != ',' {
			return false, p.unexpected("',' or '}'")
		}
		p.pos++
	}
	p.pos++
	if len(p.values) == first {
		p.member = ""
		return false, p.fail(start, "no channel")
	}
	for i := first; i < len(p.values); i++ {
		p.values[i].Time = ts
	}
	return timed, nil
}

func (p *parser) repeated(name string, first int, timed bool) bool {
	if name == "ts" {
		return timed
	}
	for i := first; i < len(p.values); i++ {
		if p.values[i].Channel == name {
			return true
		}
	}
	return false
}

// name reads a member's name and the colon.
func (p *parser) name() (string, error) {
	p.member = ""
	if p.peek() != '"' {
		return "", p.unexpected("a name in quotes")
	}
	at := p.pos
	name, err := p.str()
	if err != nil {
		return "", err
	}
	if name == "" {
		return "", p.fail(at, "empty name")
	}
	if len(name) > maxKey {
		return "", p.fail(at, "name longer than %d bytes", maxKey)
	}
	p.member = name
	if p.space(); p.peek() != ':' {
		return "", p.unexpected("':'")
	}
	p.pos++
	p.space()
	return name, nil
}

// value reads a number or null.
func (p *parser) value(channel string) error {
	if len(p.s)-p.pos >= 4 && p.s[p.pos:p.pos+4] == "null" {
		p.pos += 4
		p.values = append(p.values, ingest.Value{Channel: channel, Missing: true})
		return nil
	}
	at := p.pos
	digits, err := p.number()
	if err != nil {
		return err
	}
	v, err := strconv.ParseFloat(digits, 64)
	if err != nil {
		return p.fail(at, "number beyond the range of float64")
	}
	p.values = append(p.values, ingest.Value{Channel: channel, Number: v})
	return nil
}

// time reads the value of "ts".
func (p *parser) time() (time.Time, error) {
	at := p.pos
	if p.peek() == '"' {
		s, err := p.str()
		if err != nil {
			return time.Time{}, err
		}
		t, err := parseRFC3339(s)
		if err != nil {
			return time.Time{}, p.fail(at, "%w", err)
		}
		return t, nil
	}
	digits, err := p.number()
	if err != nil {
		return time.Time{}, err
	}
	ms, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || ms < 0 || ms > maxMillis {
		return time.Time{}, p.fail(at, "not a whole number of Unix milliseconds between 1970 and 2262")
	}
	return time.UnixMilli(ms).UTC(), nil
}
