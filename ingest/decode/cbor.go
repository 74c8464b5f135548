package decode

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"

	"tianhai/ingest"
)

// Major types of CBOR (RFC 8949 §3.1).
const (
	cborUnsigned = iota
	cborNegative
	cborBytes
	cborText
	cborArray
	cborMap
	cborTag
	cborSimple
)

// indefinite is the length of an item that goes on to a break.
const indefinite = math.MaxUint64

// decimalFraction is the tag of a number mantissa·10^exponent (RFC 8949 §3.4.4).
const decimalFraction = 4

// A cborReader passes once over b.
type cborReader struct {
	b      []byte
	pos    int
	nodes  int
	member string                 // being read, for errors
	fault  int                    // where the error is
	label  func(key int64) string // the name of an integer key
}

// readCBOR reads a CBOR document (RFC 8949) of the kinds that SenML has: numbers,
// decimal fractions, booleans, text, bytes, arrays and maps. Keys are text, or
// integers that label gives a name.
func readCBOR(format string, payload []byte, label func(key int64) string) (node, error) {
	r := cborReader{b: payload, label: label}
	n, err := r.node(0)
	if err == nil && r.pos < len(r.b) {
		err = r.fail(r.pos, "bytes follow the end")
	}
	if err != nil {
		return node{}, &ingest.DecodeError{Format: format, Offset: r.fault, Member: r.member, Err: err}
	}
	return n, nil
}

func (r *cborReader) fail(at int, format string, args ...any) error {
	r.fault = at
	return fmt.Errorf(format, args...)
}

// head reads the type of an item, and its argument.
func (r *cborReader) head() (major byte, info byte, arg uint64, err error) {
	b, err := r.take(1)
	if err != nil {
		return 0, 0, 0, err
	}
	major, info = b[0]>>5, b[0]&31
	switch {
	case info < 24:
		return major, info, uint64(info), nil
	case info == 31 && (cborBytes <= major && major <= cborMap || major == cborSimple):
		return major, info, indefinite, nil
	case info > 27:
		return 0, 0, 0, r.fail(r.pos-1, "0x%02x begins no item", b[0])
	}
	size := 1 << (info - 24)
	if b, err = r.take(size); err != nil {
		return 0, 0, 0, err
	}
	var wide [8]byte
	copy(wide[8-size:], b)
	return major, info, binary.BigEndian.Uint64(wide[:]), nil
}

func (r *cborReader) take(n int) ([]byte, error) {
	if len(r.b)-r.pos < n {
		r.fault = len(r.b)
		return nil, errEnd
	}
	r.pos += n
	return r.b[r.pos-n : r.pos], nil
}

func (r *cborReader) node(depth int) (node, error) {
	n := node{at: r.pos}
	if r.nodes++; r.nodes > maxNodes {
		return n, r.fail(n.at, "more than %d values", maxNodes)
	}
	major, info, arg, err := r.head()
	if err != nil {
		return n, err
	}
	if depth == maxDepth && major >= cborArray && major <= cborTag {
		return n, r.fail(n.at, "more than %d levels", maxDepth)
	}
	switch major {
	case cborUnsigned:
		n.kind, n.number = number, float64(arg)
	case cborNegative:
		n.kind, n.number = number, -1-float64(arg)
	case cborBytes, cborText:
		n.kind = stringKind(major)
		n.text, err = r.text(major, arg)
	case cborArray:
		n.kind = list
		err = r.items(&n, arg, depth)
	case cborMap:
		n.kind = object
		err = r.members(&n, arg, depth)
	case cborTag:
		if arg != decimalFraction {
			return n, r.fail(n.at, "tag %d is not known", arg)
		}
		n.kind = number
		n.number, err = r.fraction(depth)
	case cborSimple:
		err = r.simple(&n, info, arg)
	}
	if err == nil && n.kind == number && (math.IsNaN(n.number) || math.IsInf(n.number, 0)) {
		err = r.fail(n.at, "%v is not a number", n.number)
	}
	return n, err
}

func stringKind(major byte) kind {
	if major == cborText {
		return text
	}
	return octets
}

// text reads a string, in chunks if its length is indefinite.
func (r *cborReader) text(major byte, length uint64) (string, error) {
	if length != indefinite {
		return r.chunk(major, length)
	}
	var whole []byte
	for {
		at := r.pos
		if r.atBreak() {
			return string(whole), nil
		}
		m, _, length, err := r.head()
		if err != nil {
			return "", err
		}
		if m != major || length == indefinite {
			return "", r.fail(at, "a chunk of another type")
		}
		chunk, err := r.chunk(major, length)
		if err != nil {
			return "", err
		}
		whole = append(whole, chunk...)
	}
}

func (r *cborReader) chunk(major byte, length uint64) (string, error) {
	at := r.pos
	if length > uint64(len(r.b)-r.pos) {
		r.fault = len(r.b)
		return "", errEnd
	}
	b, err := r.take(int(length))
	if err != nil {
		return "", err
	}
	if major == cborText && !utf8.Valid(b) {
		return "", r.fail(at, "not UTF-8")
	}
	return string(b), nil
}

// atBreak takes the break that ends an item of indefinite length, if it is next.
func (r *cborReader) atBreak() bool {
	if r.pos < len(r.b) && r.b[r.pos] == 0xff {
		r.pos++
		return true
	}
	return false
}

func (r *cborReader) items(n *node, length uint64, depth int) error {
	outer := r.member
	for i := uint64(0); i < length; i++ {
		if length == indefinite && r.atBreak() {
			break
		}
		r.member = outer + "[" + strconv.FormatUint(i, 10) + "]"
		item, err := r.node(depth + 1)
		if err != nil {
			return err
		}
		n.nodes = append(n.nodes, item)
	}
	r.member = outer
	return nil
}

func (r *cborReader) members(n *node, length uint64, depth int) error {
	outer := r.member
	for i := uint64(0); i < length; i++ {
		if length == indefinite && r.atBreak() {
			break
		}
		at := r.pos
		r.member = outer
		name, err := r.key()
		if err != nil {
			return err
		}
		r.member = join(outer, name)
		if n.member(name) != nil {
			return r.fail(at, "repeated")
		}
		if len(n.nodes) == maxNames {
			return r.fail(at, "more than %d members", maxNames)
		}
		item, err := r.node(depth + 1)
		if err != nil {
			return err
		}
		item.name = name
		n.nodes = append(n.nodes, item)
	}
	r.member = outer
	return nil
}

// key reads the key of a map.
func (r *cborReader) key() (string, error) {
	at := r.pos
	major, _, arg, err := r.head()
	if err != nil {
		return "", err
	}
	switch {
	case major == cborText:
		return r.text(major, arg)
	case major == cborUnsigned && arg <= math.MaxInt64:
		return r.label(int64(arg)), nil
	case major == cborNegative && arg <= math.MaxInt64:
		return r.label(-1 - int64(arg)), nil
	default:
		return "", r.fail(at, "a key that is neither text nor an integer of 64 bits")
	}
}

// fraction reads the two numbers of a decimal fraction.
func (r *cborReader) fraction(depth int) (float64, error) {
	at := r.pos
	pair, err := r.node(depth + 1)
	if err != nil {
		return 0, err
	}
	if pair.kind != list || len(pair.nodes) != 2 || !whole(pair.nodes[0]) || !whole(pair.nodes[1]) {
		return 0, r.fail(at, "a decimal fraction is an exponent and a mantissa, both integers below 2^53")
	}
	digits := fmt.Sprintf("%.0fe%.0f", pair.nodes[1].number, pair.nodes[0].number)
	v, err := strconv.ParseFloat(digits, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0, r.fail(at, "%w", err)
	}
	return v, nil
}

func whole(n node) bool {
	return n.kind == number && n.number == math.Trunc(n.number) && math.Abs(n.number) < 1<<53
}

// simple reads booleans, null and floating-point numbers (RFC 8949 §3.3).
func (r *cborReader) simple(n *node, info byte, arg uint64) error {
	switch info {
	case 20, 21:
		n.kind, n.number = boolean, float64(info-20)
	case 22:
		n.kind = null
	case 25:
		n.kind, n.number = number, half(uint16(arg))
	case 26:
		n.kind, n.number = number, float64(math.Float32frombits(uint32(arg)))
	case 27:
		n.kind, n.number = number, math.Float64frombits(arg)
	default:
		return r.fail(n.at, "simple value 0x%02x is not known", r.b[n.at])
	}
	return nil
}

// half returns the value of a half-precision number (RFC 8949 appendix D).
func half(h uint16) float64 {
	exponent, mantissa := int(h>>10&31), float64(h&1023)
	var v float64
	switch exponent {
	case 0:
		v = math.Ldexp(mantissa, -24)
	case 31:
		v = math.Inf(1)
		if mantissa != 0 {
			v = math.NaN()
		}
	default:
		v = math.Ldexp(mantissa+1024, exponent-25)
	}
	if h&0x8000 != 0 {
		return -v
	}
	return v
}
