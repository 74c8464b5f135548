package decode

import (
	"errors"
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// number reads the text of a number as RFC 8259 §6 has it.
func (p *parser) number() (string, error) {
	start := p.pos
	if p.peek() == '-' {
		p.pos++
	}
	switch c := p.peek(); {
	case c == '0':
		p.pos++
	case '1' <= c && c <= '9':
		p.digits()
	default:
		p.pos = start
		return "", p.unexpected("a number or null")
	}
	if p.peek() == '.' {
		p.pos++
		if !p.digits() {
			return "", p.unexpected("a digit")
		}
	}
	if c := p.peek(); c == 'e' || c == 'E' {
		p.pos++
		if c := p.peek(); c == '+' || c == '-' {
			p.pos++
		}
		if !p.digits() {
			return "", p.unexpected("a digit")
		}
	}
	return p.s[start:p.pos], nil
}

func (p *parser) digits() bool {
	start := p.pos
	for c := p.peek(); '0' <= c && c <= '9'; c = p.peek() {
		p.pos++
	}
	return p.pos > start
}

// str reads a string, RFC 8259 §7.
func (p *parser) str() (string, error) {
	p.pos++
	start := p.pos
	for p.pos < len(p.s) {
		switch c := p.s[p.pos]; {
		case c == '"':
			p.pos++
			return p.s[start : p.pos-1], nil
		case c == '\\':
			return p.escaped(start)
		case c < ' ':
			return "", p.unexpected("no control character in a string")
		default:
			p.pos++
		}
	}
	return "", p.unexpected(`'"'`)
}

// escaped reads on in a string that began at start and has a first escape at pos.
func (p *parser) escaped(start int) (string, error) {
	b := []byte(p.s[start:p.pos])
	for p.pos < len(p.s) {
		switch c := p.s[p.pos]; {
		case c == '"':
			p.pos++
			return string(b), nil
		case c == '\\':
			r, err := p.escape()
			if err != nil {
				return "", err
			}
			b = utf8.AppendRune(b, r)
		case c < ' ':
			return "", p.unexpected("no control character in a string")
		default:
			b = append(b, c)
			p.pos++
		}
	}
	return "", p.unexpected(`'"'`)
}

// escape reads one escape, or two that are a surrogate pair.
func (p *parser) escape() (rune, error) {
	at := p.pos
	p.pos++
	c := p.peek()
	p.pos++
	switch c {
	case '"', '\\', '/':
		return rune(c), nil
	case 'b':
		return '\b', nil
	case 'f':
		return '\f', nil
	case 'n':
		return '\n', nil
	case 'r':
		return '\r', nil
	case 't':
		return '\t', nil
	case 'u':
		r, ok := p.hex()
		if ok && utf16.IsSurrogate(r) && len(p.s)-p.pos >= 2 && p.s[p.pos:p.pos+2] == `\u` {
			p.pos += 2
			low, _ := p.hex()
			r = utf16.DecodeRune(r, low)
			ok = r != utf8.RuneError
		}
		if ok && !utf16.IsSurrogate(r) {
			return r, nil
		}
	}
	if c == 'u' {
		return 0, p.fail(at, "not an escape of four digits, or half of a surrogate pair")
	}
	return 0, p.fail(at, "not an escape")
}

func (p *parser) hex() (rune, bool) {
	if len(p.s)-p.pos < 4 {
		return 0, false
	}
	v, err := strconv.ParseUint(p.s[p.pos:p.pos+4], 16, 16)
	p.pos += 4
	return rune(v), err == nil
}

func (p *parser) space() {
	for p.pos < len(p.s) {
		switch p.s[p.pos] {
		case ' ', '\t', '\n', '\r':
			p.pos++
		default:
			return
		}
	}
}

// peek returns the next byte, 0 at the end.
func (p *parser) peek() byte {
	if p.pos < len(p.s) {
		return p.s[p.pos]
	}
	return 0
}

var errEnd = errors.New("ends too early")

func (p *parser) unexpected(want string) error {
	if p.pos >= len(p.s) {
		p.fault = len(p.s)
		return fmt.Errorf("%w, expected %s", errEnd, want)
	}
	r, _ := utf8.DecodeRuneInString(p.s[p.pos:])
	if r == '\ufeff' {
		return p.fail(p.pos, "found a byte order mark, which JSON must not have (RFC 8259 §8.1)")
	}
	return p.fail(p.pos, "found %q, expected %s", r, want)
}
