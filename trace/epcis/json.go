package epcis

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"unicode/utf8"
)

// An object is a JSON object whose members keep their order. A nil object
// has none.
type object struct {
	order  []string
	values map[string]any
}

func (o *object) get(name string) any {
	if o == nil {
		return nil
	}
	return o.values[name]
}

func (o *object) set(name string, v any) {
	if !o.has(name) {
		o.order = append(o.order, name)
	}
	o.values[name] = v
}

func (o *object) has(name string) bool {
	if o == nil {
		return false
	}
	_, ok := o.values[name]
	return ok
}

func (o *object) names() []string {
	if o == nil {
		return nil
	}
	return o.order
}

func asObject(v any) *object {
	o, _ := v.(*object)
	return o
}

// kind names a value in a message.
func kind(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return "a boolean"
	case json.Number:
		return "a number"
	case string:
		return strconv.Quote(shorten(v))
	case []any:
		return "a list"
	default:
		return "an object"
	}
}

// shorten keeps messages to a line.
func shorten(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	cut := most
	for cut > most-utf8.UTFMax && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}

// A jsonParser reads JSON as encoding/json does, but keeps numbers as they
// are written, and notes repeated keys, which encoding/json passes over.
type jsonParser struct {
	decoder  *json.Decoder
	repeated []Fault
}

func parseJSON(raw []byte) (*jsonParser, any, error) {
	if len(raw) > MaxSize {
		return nil, nil, fmt.Errorf("the document has %d bytes; at most %d are read", len(raw), MaxSize)
	}
	raw = bytes.TrimPrefix(raw, []byte("\uFEFF")) // which some editors write; RFC 8259 section 8.1
	if !utf8.Valid(raw) {
		return nil, nil, fmt.Errorf("byte %d is not UTF-8", validPrefix(raw))
	}
	p := &jsonParser{decoder: json.NewDecoder(bytes.NewReader(raw))}
	p.decoder.UseNumber()
	v, err := p.value("", 0)
	if err == nil {
		if _, err = p.decoder.Token(); errors.Is(err, io.EOF) {
			return p, v, nil
		}
		err = errors.New("there is more after the document")
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return nil, nil, fmt.Errorf("byte %d: %w", p.decoder.InputOffset(), err)
}

func validPrefix(raw []byte) int {
	n := 0
	for n < len(raw) {
		r, size := utf8.DecodeRune(raw[n:])
		if r == utf8.RuneError && size <= 1 {
			break
		}
		n += size
	}
	return n
}

func (p *jsonParser) value(at string, depth int) (any, error) {
	token, err := p.decoder.Token()
	if err != nil {
		return nil, err
	}
	open, ok := token.(json.Delim)
	if !ok {
		return token, nil
	}
	if depth == MaxDepth {
		return nil, fmt.Errorf("objects and lists are more than %d deep", MaxDepth)
	}
	var v any
	if open == '{' {
		v, err = p.object(at, depth)
	} else {
		v, err = p.list(at, depth)
	}
	if err != nil {
		return nil, err
	}
	_, err = p.decoder.Token() // the closing one
	return v, err
}

func (p *jsonParser) object(at string, depth int) (*object, error) {
	o := &object{values: map[string]any{}}
	for p.decoder.More() {
		token, err := p.decoder.Token()
		if err != nil {
			return nil, err
		}
		name, _ := token.(string) // the decoder refuses other keys
		where := pointerTo(at, name)
		v, err := p.value(where, depth+1)
		if err != nil {
			return nil, err
		}
		if !o.has(name) {
			o.order = append(o.order, name)
		} else if len(p.repeated) < MaxFaults {
			p.repeated = append(p.repeated, Fault{Pointer: where, Message: "the key is there twice; which of the values counts is undefined"})
		}
		o.values[name] = v
	}
	return o, nil
}

func (p *jsonParser) list(at string, depth int) ([]any, error) {
	list := []any{}
	for p.decoder.More() {
		v, err := p.value(at+"/"+strconv.Itoa(len(list)), depth+1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, nil
}
