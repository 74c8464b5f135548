package decode

import (
	"fmt"
	"strconv"

	"tianhai/ingest"
)

// Limits of every format that is read into a tree before it is understood.
const (
	maxDepth = 16    // arrays and objects within each other
	maxNodes = 16384 // values of a payload, the containers among them
	maxNames = 1024  // members of an object
)

// A kind is what a node is.
type kind uint8

const (
	null kind = iota
	boolean
	number
	text
	octets
	list
	object
)

func (k kind) String() string {
	return [...]string{"null", "a boolean", "a number", "text", "bytes", "an array", "an object"}[k]
}

// A node is a value of a JSON or CBOR document. It knows where it stands, so
// that what does not fit can be named long after it was parsed.
type node struct {
	kind   kind
	at     int     // first byte
	number float64 // of a number, and 1 for true
	text   string  // of text and bytes; of a JSON number as it is written
	name   string  // of a member of an object
	nodes  []node  // of a list or object, in order
}

// member returns the member of an object, nil if there is none.
func (n *node) member(name string) *node {
	if n == nil || n.kind != object {
		return nil
	}
	for i := range n.nodes {
		if n.nodes[i].name == name {
			return &n.nodes[i]
		}
	}
	return nil
}

// fault is an error at a node.
func (n *node) fault(format, member string, err error) error {
	return &ingest.DecodeError{Format: format, Offset: n.at, Member: member, Err: err}
}

// readJSON reads any JSON document (RFC 8259) as strictly as the native format.
func readJSON(format string, payload []byte) (node, error) {
	p := parser{s: string(payload)}
	n, err := p.whole()
	if err != nil {
		return node{}, &ingest.DecodeError{Format: format, Offset: p.fault, Member: p.member, Err: err}
	}
	return n, nil
}

func (p *parser) whole() (node, error) {
	if at := invalidUTF8(p.s); at >= 0 {
		return node{}, p.fail(at, "not UTF-8")
	}
	n, err := p.node(0)
	if err != nil {
		return node{}, err
	}
	if p.space(); p.pos < len(p.s) {
		return node{}, p.unexpected("the end")
	}
	return n, nil
}

// node reads a value of any kind.
func (p *parser) node(depth int) (node, error) {
	p.space()
	n := node{at: p.pos}
	if p.nodes++; p.nodes > maxNodes {
		return n, p.fail(n.at, "more than %d values", maxNodes)
	}
	switch p.peek() {
	case '{', '[':
		if depth == maxDepth {
			return n, p.fail(n.at, "more than %d levels", maxDepth)
		}
		if p.peek() == '{' {
			return p.objectNode(n, depth)
		}
		return p.listNode(n, depth)
	case '"':
		s, err := p.str()
		n.kind, n.text = text, s
		return n, err
	case 't':
		n.kind, n.number = boolean, 1
		return n, p.literal("true")
	case 'f':
		n.kind = boolean
		return n, p.literal("false")
	case 'n':
		return n, p.literal("null")
	}
	if c := p.peek(); c != '-' && (c < '0' || c > '9') {
		return n, p.unexpected("a value")
	}
	digits, err := p.number()
	if err != nil {
		return n, err
	}
	n.kind, n.text = number, digits
	if n.number, err = strconv.ParseFloat(digits, 64); err != nil {
		return n, p.fail(n.at, "number beyond the range of float64")
	}
	return n, nil
}

func (p *parser) literal(word string) error {
	if len(p.s)-p.pos < len(word) || p.s[p.pos:p.pos+len(word)] != word {
		return p.unexpected("a value")
	}
	p.pos += len(word)
	return nil
}

func (p *parser) listNode(n node, depth int) (node, error) {
	n.kind = list
	p.pos++
	if p.space(); p.peek() == ']' {
		p.pos++
		return n, nil
	}
	outer := p.member
	for i := 0; ; i++ {
		p.member = fmt.Sprintf("%s[%d]", outer, i)
		item, err := p.node(depth + 1)
		if err != nil {
			return n, err
		}
		n.nodes = append(n.nodes, item)
		switch p.space(); p.peek() {
		case ',':
			p.pos++
		case ']':
			p.pos++
			p.member = outer
			return n, nil
		default:
			return n, p.unexpected("',' or ']'")
		}
	}
}

func (p *parser) objectNode(n node, depth int) (node, error) {
	n.kind = object
	p.pos++
	if p.space(); p.peek() == '}' {
		p.pos++
		return n, nil
	}
	outer := p.member
	for {
		p.space()
		at := p.pos
		name, err := p.name()
		p.member = join(outer, p.member)
		if err != nil {
			return n, err
		}
		if n.member(name) != nil {
			return n, p.fail(at, "repeated")
		}
		if len(n.nodes) == maxNames {
			return n, p.fail(at, "more than %d members", maxNames)
		}
		item, err := p.node(depth + 1)
		if err != nil {
			return n, err
		}
		item.name = name
		n.nodes = append(n.nodes, item)
		switch p.space(); p.peek() {
		case ',':
			p.pos++
		case '}':
			p.pos++
			p.member = outer
			return n, nil
		default:
			return n, p.unexpected("',' or '}'")
		}
	}
}

// join returns the name of a member of a member.
func join(outer, name string) string {
	switch {
	case outer == "":
		return name
	case name == "":
		return outer
	default:
		return outer + "." + name
	}
}
