package label

import (
	"math"
	"math/big"
	"math/bits"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// base64url in the order of its values, RFC 4648 §5.
const base64url = letters + lower + digits + "-_"

// sequences are the codes of AIs that often stand together: one byte for all of
// them. GS1 Digital Link Standard 1.1.3, compression, table of optimisations; in
// the order in which GS1's prototype writes them, by AI.
var sequences = []struct {
	code string
	ais  []string
}{
	{"0A", []string{"01", "22"}},
	{"0B", []string{"01", "10"}},
	{"0C", []string{"01", "21"}},
	{"0D", []string{"01", "17"}},
	{"0E", []string{"01", "7003"}},
	{"0F", []string{"01", "30"}},
	{"1A", []string{"01", "10", "17", "21"}},
	{"1B", []string{"01", "15"}},
	{"1C", []string{"01", "11"}},
	{"1D", []string{"01", "16"}},
	{"1E", []string{"01", "91"}},
	{"1F", []string{"01", "10", "15"}},
	{"9A", []string{"8010", "8011"}},
	{"9B", []string{"8017", "8019"}},
	{"9C", []string{"8018", "8019"}},
	{"9D", []string{"254", "414"}},
}

// sequenceOf returns the AIs that a code of two hexadecimal digits stands for.
func sequenceOf(code string) []string {
	for _, s := range sequences {
		if s.code == code {
			return s.ais
		}
	}
	for _, family := range []struct{ first, key, ai, digits string }{
		{"2", "01", "310", "ABCDEF"},
		{"3", "01", "320", "ABCDEF"},
		{"A", "01", "392", digits},
		{"C", "255", "390", digits},
		{"C", "255", "394", "ABCD"},
	} {
		if at := strings.IndexByte(family.digits, code[1]); code[:1] == family.first && at >= 0 {
			return []string{family.key, family.ai + strconv.Itoa(at)}
		}
	}
	return nil
}

// A field is a part of a value as compression has it: it knows digits (N) and all
// else (X), and neighbours of one kind are one.
type field struct {
	kind     byte
	max      int
	variable bool
}

func (id *identifier) fields() []field {
	var out []field
	for _, c := range id.components {
		f := field{'X', c.max, c.optional || c.min < c.max}
		if c.kind == 'N' {
			f.kind = 'N'
		}
		if n := len(out) - 1; n >= 0 && out[n].kind == f.kind && (f.kind == 'X' || out[n].variable == f.variable) {
			out[n].max += f.max
			out[n].variable = out[n].variable || f.variable
			continue
		}
		out = append(out, f)
	}
	return out
}

// bitsOf returns how many bits a number of so many digits has. None has one: the
// standard's formula rounds up a little more than nothing.
func bitsOf(digits int) int { return int(math.Ceil(float64(digits)*math.Log2(10) + 0.01)) }

// An encoding is how characters of no number are written.
type encoding struct {
	width   int            // bits of a character
	letters string         // by value; "" is ASCII
	suits   *regexp.Regexp // the texts that it can hold
}

// encodings have their numbers for indexes; 0 is a number of decimal digits.
var encodings = []encoding{
	{suits: regexp.MustCompile(`^[0-9]+$`)},
	{4, "0123456789abcdef", regexp.MustCompile(`^[0-9a-f]+$`)},
	{4, "0123456789ABCDEF", regexp.MustCompile(`^[0-9A-F]+$`)},
	{6, base64url, regexp.MustCompile(`^[-_0-9A-Za-z]+$`)},
	{7, "", regexp.MustCompile(``)},
}

// A bitReader takes bits from the left. Once it has run out it gives zeros and
// says so.
type bitReader struct {
	bits string // '0' and '1'
	out  bool
}

func newBitReader(text string) *bitReader {
	var b strings.Builder
	for _, c := range []byte(text) {
		v := strings.IndexByte(base64url, c)
		for at := 5; at >= 0; at-- {
			b.WriteByte('0' + byte(v>>at&1))
		}
	}
	return &bitReader{bits: b.String()}
}

func (r *bitReader) take(n int) *big.Int {
	v := new(big.Int)
	if n > len(r.bits) {
		r.bits, r.out = "", true
		return v
	}
	v.SetString("0"+r.bits[:n], 2)
	r.bits = r.bits[n:]
	return v
}

func (r *bitReader) number(n int) int { return int(r.take(n).Int64()) }

func (r *bitReader) hex() string { return string("0123456789ABCDEF"[r.number(4)]) }

// decimal reads a number of so many digits with its zeros.
func (r *bitReader) decimal(n int) string {
	s := r.take(bitsOf(n)).String()
	if n == 0 {
		return ""
	}
	return strings.Repeat("0", max(0, n-len(s))) + s
}

// text reads so many characters in one of the encodings.
func (r *bitReader) text(encoding, n int) (string, bool) {
	if encoding == 0 {
		return r.decimal(n), true
	}
	if encoding >= len(encodings) {
		return "", false
	}
	e := encodings[encoding]
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.number(e.width))
		if e.letters != "" {
			b[i] = e.letters[b[i]]
		}
	}
	return string(b), true
}

// value reads what follows an AI.
func (r *bitReader) value(id *identifier) (string, bool) {
	var b strings.Builder
	for _, f := range id.fields() {
		encoding, n := 0, f.max
		if f.kind == 'X' {
			encoding = r.number(3)
		}
		if f.variable {
			n = r.number(bits.Len(uint(f.max)))
		}
		s, known := r.text(encoding, n)
		if !known || n > f.max || len(s) > n {
			return "", false
		}
		b.WriteString(s)
	}
	return b.String(), true
}

// foreign passes over a parameter that is none of GS1's.
func (r *bitReader) foreign(high int) bool {
	for range high<<3 | r.number(3) {
		r.take(6)
	}
	encoding := r.number(3)
	_, known := r.text(encoding, r.number(7))
	return known
}

// ais reads the AIs that one code stands for: the AI itself, or a sequence.
func (r *bitReader) ais() ([]string, error) {
	code := r.hex() + r.hex()
	if code[0] == 'F' {
		if !r.foreign(strings.IndexByte("0123456789ABCDEF", code[1])) {
			return nil, linkError("path", "", "it is no compressed link: a parameter has an encoding that there is not")
		}
		return nil, nil
	}
	if list := sequenceOf(code); list != nil {
		return list, nil
	}
	ai := code
	for n := lengthOfAI(code); len(ai) < n; {
		ai += r.hex()
	}
	if identifiers()[ai] == nil {
		return nil, linkError("path", "", "it is no compressed link: it has no GS1 key, and there is no AI %q", ai)
	}
	return []string{ai}, nil
}

// lengthOfAI returns how many digits the AIs have that begin with these two; 0 where
// none does.
func lengthOfAI(start string) int {
	for ai := range identifiers() {
		if strings.HasPrefix(ai, start) {
			return len(ai)
		}
	}
	return 0
}

// decompress reads the elements of a compressed part of a path, in its order.
// Parameters that are none of GS1's are left out, as ParseLink leaves them out.
func decompress(text string) ([]Element, error) {
	r := newBitReader(text)
	var elements []Element
	for len(r.bits) > 8 { // no element is shorter, and fill is
		list, err := r.ais()
		if err != nil {
			return nil, err
		}
		for _, ai := range list {
			value, fits := r.value(identifiers()[ai])
			switch {
			case r.out:
				return nil, linkError("path", ai, "the compressed link ends within its value")
			case !fits:
				return nil, linkError("path", ai, "the compressed link has no such value: its length, digits or encoding cannot be")
			case slices.ContainsFunc(elements, func(e Element) bool { return e.AI == ai }):
				return nil, linkError("path", ai, "it is there twice")
			}
			elements = append(elements, Element{AI: ai, Value: value})
		}
	}
	if r.out || strings.Contains(r.bits, "1") {
		return nil, linkError("path", "", "%q is no compressed link: bits are left over or missing at its end", first(text, 40))
	}
	return elements, nil
}

// readCompressed reads a path that ends in a compressed part, with its key before
// it or within it; it reports false where the path does not look like one.
func (l *Link) readCompressed(parts []string, opt LinkOptions) (stem []string, ok bool, err error) {
	last, before := parts[len(parts)-1], parts[:len(parts)-1]
	var elements []Element
	if n := len(before) - 2; n >= 0 {
		if ai := resolve(before[n], opt); identifiers()[ai] != nil && identifiers()[ai].key && before[n+1] != "" {
			key := Link{}
			if _, err := key.readPath("/"+strings.Join(before[n:], "/"), opt); err != nil {
				return nil, true, err
			}
			elements, before = key.path, before[:n]
		}
	}
	if last == "" || notCompact.MatchString(last) {
		return nil, false, nil
	}
	inside, err := decompress(last)
	if err != nil {
		// A GTIN alone takes ten characters, and no code of a key begins as digits do:
		// of what is neither, a fault of the compression would not help anybody.
		looks := len(elements) > 0 || len(last) >= 10 && strings.Trim(last, digits) != ""
		return nil, looks, err
	}
	elements = append(elements, inside...)
	at := slices.IndexFunc(elements, func(e Element) bool { return identifiers()[e.AI].key })
	if at < 0 {
		return nil, false, nil
	}
	l.path, l.query = arrange(elements, at)
	return before, true, nil
}

// Compressed returns the link on its base with all else in one part of base64url:
// shorter, for machines alone. GS1 Digital Link Standard 1.1.3 and 1.2.
func (l Link) Compressed() string {
	var w bitWriter
	elements := slices.Concat(l.path, sorted(l.query))
	code, list := bestSequence(elements)
	if code != "" {
		w.code(code)
		for _, ai := range list {
			at := slices.IndexFunc(elements, func(e Element) bool { return e.AI == ai })
			w.value(elements[at])
			elements = slices.Delete(elements, at, at+1)
		}
	}
	for _, e := range elements {
		w.code(e.AI)
		w.value(e)
	}
	return l.base + "/" + w.String()
}

// bestSequence returns the sequence of the most AIs that has the key.
func bestSequence(elements []Element) (code string, list []string) {
	have, most := ais(elements), 0
	for n := range 256 {
		c := strings.ToUpper(strconv.FormatInt(int64(n)+256, 16)[1:])
		candidate := sequenceOf(c)
		length := len(strings.Join(candidate, ""))
		lacks := func(ai string) bool { return !slices.Contains(have, ai) }
		if length > most && slices.Contains(candidate, have[0]) && !slices.ContainsFunc(candidate, lacks) {
			code, list, most = c, candidate, length
		}
	}
	return code, list
}

// A bitWriter is the other way round.
type bitWriter struct{ b strings.Builder }

func (w *bitWriter) put(v *big.Int, n int) {
	s := v.Text(2)
	w.b.WriteString(strings.Repeat("0", max(0, n-len(s))))
	if n > 0 {
		w.b.WriteString(s)
	}
}

func (w *bitWriter) number(v, n int) { w.put(big.NewInt(int64(v)), n) }

func (w *bitWriter) code(hex string) {
	for _, c := range []byte(hex) {
		w.number(strings.IndexByte("0123456789ABCDEF", c), 4)
	}
}

// value writes a value that its AI accepts, which must be known.
func (w *bitWriter) value(e Element) {
	rest := e.Value
	for _, f := range identifiers()[e.AI].fields() {
		part := rest[:min(f.max, len(rest))]
		rest = rest[len(part):]
		encoding := 0
		if f.kind == 'X' {
			encoding = bestEncoding(part)
			w.number(encoding, 3)
		}
		if f.variable {
			w.number(len(part), bits.Len(uint(f.max)))
		}
		w.text(encoding, part)
	}
}

func (w *bitWriter) text(encoding int, s string) {
	if encoding == 0 {
		v, _ := new(big.Int).SetString("0"+s, 10)
		w.put(v, bitsOf(len(s)))
		return
	}
	for _, c := range []byte(s) {
		v := int(c)
		if set := encodings[encoding].letters; set != "" {
			v = strings.IndexByte(set, c)
		}
		w.number(v, encodings[encoding].width)
	}
}

// bestEncoding returns the encoding that takes the fewest bits; where capitals
// and small letters do alike, that of capitals.
func bestEncoding(s string) int {
	for _, i := range []int{0, 2, 1, 3} {
		if encodings[i].suits.MatchString(s) {
			return i
		}
	}
	return 4
}

// String returns the bits as base64url without fill characters.
func (w *bitWriter) String() string {
	s := w.b.String()
	s += strings.Repeat("0", (6-len(s)%6)%6)
	var b strings.Builder
	for ; s != ""; s = s[6:] {
		v, _ := strconv.ParseUint(s[:6], 2, 8)
		b.WriteByte(base64url[v])
	}
	return b.String()
}
