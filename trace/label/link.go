package label

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// MaxLink is the longest GS1 Digital Link that is read or made, in bytes.
const MaxLink = 8192

// LinkBase is where a link points that is made without a base: GS1's resolver.
const LinkBase = "https://id.gs1.org"

// An Element is a GS1 Application Identifier and its value, without
// percent-encoding: "10", "ABC/1".
type Element struct{ AI, Value string }

// A Link is a valid GS1 Digital Link URI (GS1 Digital Link Standard: URI Syntax
// 1.1 and later). Its zero value is none.
type Link struct {
	base  string    // scheme, domain and stem, without a slash at the end
	path  []Element // the key and its qualifiers
	query []Element // attributes, in the order they were given
}

// A LinkError says what keeps a text from being a link, or elements from making
// one.
type LinkError struct {
	Part   string // length, characters, scheme, domain, path, query or AI
	AI     string // the AI at fault, where one is; (01) without brackets
	Reason string // what is wrong, and what would be right
}

// Error tells the case in English, for command lines.
func (e *LinkError) Error() string {
	if e.AI == "" {
		return fmt.Sprintf("digital link: %s: %s", e.Part, e.Reason)
	}
	if id := identifiers()[e.AI]; id != nil {
		return fmt.Sprintf("digital link: %s: (%s) %s: %s", e.Part, e.AI, id.title, e.Reason)
	}
	return fmt.Sprintf("digital link: %s: (%s): %s", e.Part, e.AI, e.Reason)
}

func linkError(part, ai, format string, args ...any) *LinkError {
	return &LinkError{Part: part, AI: ai, Reason: fmt.Sprintf(format, args...)}
}

// LinkOptions let through what the standard has dropped or does not know. The
// zero value is strict.
type LinkOptions struct {
	ShortGTIN bool // GTIN-8, -12 and -13 in the path, filled up with zeros
	Alphas    bool // names instead of AIs in the path: /gtin/…/lot/…
	UnknownAI bool // AIs of 2 to 4 digits that are not in the table, in the query
}

// alphas are the names that older releases of the standard had for AIs.
var alphas = map[string]string{
	"sscc": "00", "gtin": "01", "lot": "10", "ser": "21", "cpv": "22", "gdti": "253", "glnx": "254", "gcn": "255",
	"ginc": "401", "gsin": "402", "gln": "414", "party": "417", "grai": "8003", "giai": "8004", "itip": "8006",
	"cpid": "8010", "cpsn": "8011", "gmn": "8013", "gsrnp": "8017", "gsrn": "8018", "srin": "8019", "refno": "8020",
}

// Elements returns the key, its qualifiers and the attributes, in the order in
// which the link has them.
func (l Link) Elements() []Element { return slices.Concat(l.path, l.query) }

// String returns the canonical form on the link's own base: the values in the
// path and query percent-encoded but for letters, digits and -._~, attributes
// sorted by AI, no other parameters and no fragment.
func (l Link) String() string {
	var b strings.Builder
	b.WriteString(l.base)
	for _, e := range l.path {
		b.WriteString("/" + e.AI + "/" + escape(e.Value))
	}
	separator := byte('?')
	for _, e := range sorted(l.query) {
		b.WriteByte(separator)
		b.WriteString(e.AI + "=" + escape(e.Value))
		separator = '&'
	}
	return b.String()
}

func sorted(elements []Element) []Element {
	return slices.SortedFunc(slices.Values(elements), func(a, b Element) int { return strings.Compare(a.AI, b.AI) })
}

// Brackets returns the elements as people read them: "(01)09506000134352(10)ABC".
// A bracket that opens within a value has a backslash before it.
func (l Link) Brackets() string {
	var b strings.Builder
	for _, e := range l.Elements() {
		fmt.Fprintf(&b, "(%s)%s", e.AI, strings.ReplaceAll(e.Value, "(", `\(`))
	}
	return b.String()
}

// ElementString returns the elements as barcodes hold them, with ^ for FNC1: it
// begins with one, and one follows each value of no predefined length but the last.
func (l Link) ElementString() string {
	var b strings.Builder
	separate := true
	for _, e := range l.Elements() {
		if separate {
			b.WriteByte('^')
		}
		b.WriteString(e.AI + e.Value)
		if id := identifiers()[e.AI]; id != nil {
			separate = !id.fixed
		} else {
			separate = predefined(e.AI) == 0
		}
	}
	return b.String()
}

// MarshalJSON writes an object with the AIs for names, in the link's order.
func (l Link) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, e := range l.Elements() {
		if i > 0 {
			b.WriteByte(',')
		}
		// Go quotes as JSON does where all is printable ASCII, as any set of GS1's is.
		fmt.Fprintf(&b, "%q:%q", e.AI, e.Value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// MakeLink makes the link of the elements on a base: a domain, or http:// or
// https://, a domain and perhaps a stem; LinkBase where it is empty. The first
// element that may be a key is the key. Elements that may qualify it go into the
// path in their order, the others into the query. GTIN-8, -12 and -13 are filled
// up to 14 digits. What is given twice alike, as where two barcodes were read, counts
// once. What does not fit together is refused with a *LinkError.
func MakeLink(base string, elements []Element) (Link, error) {
	base, err := checkBase(base)
	if err != nil {
		return Link{}, err
	}
	key := -1
	var once []Element
	for _, e := range elements {
		id := identifiers()[e.AI]
		if id == nil {
			return Link{}, linkError("AI", e.AI, "there is no such AI")
		}
		e.Value = padGTIN(e)
		if slices.Contains(once, e) {
			continue
		}
		if once = append(once, e); key < 0 && id.key {
			key = len(once) - 1
		}
	}
	if key < 0 {
		return Link{}, linkError("path", "", "none of the AIs opens a link; give a key such as (01) GTIN")
	}
	l := Link{base: base}
	l.path, l.query = arrange(once, key)
	l.query = sorted(l.query)
	if err := l.check(LinkOptions{}); err != nil {
		return Link{}, err
	}
	if n := len(l.String()); n > MaxLink {
		return Link{}, linkError("length", "", "%d bytes are more than %d", n, MaxLink)
	}
	return l, nil
}

// arrange parts the elements into the key and its qualifiers, and the others. It
// changes the elements given.
func arrange(elements []Element, key int) (path, rest []Element) {
	path = []Element{elements[key]} // before it is deleted
	rest = slices.Delete(elements, key, key+1)
	for _, q := range bestOrder(identifiers()[path[0].AI].qualifiers, rest) {
		if i := slices.IndexFunc(rest, func(e Element) bool { return e.AI == q }); i >= 0 {
			path, rest = append(path, rest[i]), slices.Delete(rest, i, i+1)
		}
	}
	return path, rest
}

// bestOrder returns the order of qualifiers of which most are there. Those that
// may not stand in the query count before those that may.
func bestOrder(orders [][]string, elements []Element) []string {
	var best []string
	most := 0
	for _, order := range orders {
		n := 0
		for _, e := range elements {
			if slices.Contains(order, e.AI) {
				n++
				if !identifiers()[e.AI].data {
					n += len(elements)
				}
			}
		}
		if n > most {
			best, most = order, n
		}
	}
	return best
}

// checkBase returns the base in lower case but for its stem, with a scheme and
// without a slash at its end.
func checkBase(base string) (string, error) {
	if base == "" {
		return LinkBase, nil
	}
	if !strings.Contains(base, "://") {
		base = "https://" + base
	}
	scheme, rest, _ := strings.Cut(base, "://")
	scheme, domain, stem, err := splitLink(strings.ToLower(scheme) + "://" + strings.TrimRight(rest, "/") + "/")
	if err != nil {
		return "", err
	}
	if strings.ContainsAny(stem, "?#") || strings.Contains(stem, "//") {
		return "", linkError("path", "", "%q is no stem: it may have no ?, no # and no empty parts", stem)
	}
	return scheme + strings.ToLower(domain) + strings.TrimRight(stem, "/"), nil
}

// ParseLink reads a link, or says in a *LinkError what is wrong with it. The
// rightmost key in the path counts; a stem before it may be anything. A path that
// ends in a compressed part is read too. Parameters whose names are not digits
// alone, and the fragment, are left out.
func ParseLink(uri string, opt LinkOptions) (Link, error) {
	scheme, domain, rest, err := splitLink(uri)
	if err != nil {
		return Link{}, err
	}
	rest, _, _ = strings.Cut(rest, "#")
	path, query, _ := strings.Cut(rest, "?")
	l := Link{}
	stem, err := l.readPath(path, opt)
	if err != nil {
		return Link{}, err
	}
	l.base = strings.ToLower(scheme+domain) + stem
	if err := l.readQuery(query, opt); err != nil {
		return Link{}, err
	}
	if err := l.check(opt); err != nil {
		return Link{}, err
	}
	return l, nil
}

var (
	uriCharacter = regexp.MustCompile(`[^-A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%]`)
	inDomain     = regexp.MustCompile(`[^-A-Za-z0-9.:\[\]]`)
	portAtEnd    = regexp.MustCompile(`:([^\]:]*)$`)
	notCompact   = regexp.MustCompile(`[^-_A-Za-z0-9]`)
)

// splitLink returns the scheme with its slashes, the domain with its port, and
// what follows, which begins with a slash.
func splitLink(uri string) (scheme, domain, rest string, err error) {
	if len(uri) > MaxLink {
		return "", "", "", linkError("length", "", "%d bytes are more than %d", len(uri), MaxLink)
	}
	if at := uriCharacter.FindStringIndex(uri); at != nil {
		return "", "", "", linkError("characters", "", "%q at byte %d may not stand in a URI; it must be percent-encoded", uri[at[0]:at[1]], at[0]+1)
	}
	// One case throughout: capitals make for smaller QR codes, a mixture for none.
	for _, s := range []string{"https://", "http://", "HTTPS://", "HTTP://"} {
		if after, ok := strings.CutPrefix(uri, s); ok {
			scheme, domain = s, after
		}
	}
	if scheme == "" {
		return "", "", "", linkError("scheme", "", "it begins with http:// or https://, in small letters or in capitals, not with %q", first(uri, 8))
	}
	slash := strings.IndexByte(domain, '/')
	switch {
	case domain == "" || slash == 0:
		return "", "", "", linkError("domain", "", "there is none after %s", scheme)
	case slash < 0:
		return "", "", "", linkError("path", "", "there is none after the domain; it holds the key, such as /01/ and a GTIN")
	}
	domain, rest = domain[:slash], domain[slash:]
	if strings.Contains(domain, "@") {
		return "", "", "", linkError("domain", "", "%q names a user; a link may not", domain)
	}
	if at := inDomain.FindStringIndex(domain); at != nil {
		return "", "", "", linkError("domain", "", "%q may not stand in %q", domain[at[0]:at[1]], domain)
	}
	if port := portAtEnd.FindStringSubmatch(domain); port != nil && port[1] != "" { // RFC 3986 §3.2.3: it may be empty
		if n, err := strconv.ParseUint(port[1], 10, 16); err != nil || n == 0 {
			return "", "", "", linkError("domain", "", "port %q is not 1 to 65535", port[1])
		}
	}
	return scheme, domain, rest, nil
}

func first(s string, n int) string { return s[:min(n, len(s))] }

// readPath reads the pairs of AI and value from the rightmost key on.
func (l *Link) readPath(path string, opt LinkOptions) (stem string, err error) {
	parts := strings.Split(path, "/")[1:]
	start := -1
	for i := len(parts) - 2; i >= 0; i -= 2 {
		id := identifiers()[resolve(parts[i], opt)]
		if id == nil {
			break
		}
		if id.key {
			start = i
			break
		}
	}
	if start < 0 {
		before, compressed, err := l.readCompressed(parts, opt)
		switch {
		case !compressed:
			return "", noKey(parts)
		case err != nil:
			return "", err
		}
		return strings.TrimSuffix("/"+strings.Join(before, "/"), "/"), nil
	}
	for i := start; i < len(parts); i += 2 {
		ai := resolve(parts[i], opt)
		value, err := unescape(parts[i+1], ai, "path")
		if err != nil {
			return "", err
		}
		e := Element{AI: ai, Value: value}
		if full := padGTIN(e); full != value {
			if !opt.ShortGTIN {
				return "", linkError("path", ai, "%q has %d digits; a link has all 14: %s", value, len(value), full)
			}
			e.Value = full
		}
		l.path = append(l.path, e)
	}
	if start > 0 {
		stem = "/" + strings.Join(parts[:start], "/")
	}
	return stem, nil
}

// resolve returns the AI that a part of a path is, or is the name of.
func resolve(part string, opt LinkOptions) string {
	if ai, ok := alphas[part]; ok && opt.Alphas {
		return ai
	}
	return part
}

// noKey says why a path has no key, as well as can be told.
func noKey(parts []string) error {
	if last := parts[len(parts)-1]; last == "" {
		return linkError("path", "", "it ends in a slash, where a value should be")
	}
	for i := len(parts) - 2; i >= 0; i-- {
		if ai, ok := alphas[parts[i]]; ok {
			return linkError("path", "", "%q is a name that the standard has dropped; write /%s/", parts[i], ai)
		}
	}
	if i := len(parts) - 2; i >= 0 && parts[i] != "" && strings.Trim(parts[i], digits) == "" && identifiers()[parts[i]] == nil {
		return linkError("path", parts[i], "there is no such AI")
	}
	return linkError("path", "", "it has no GS1 key and its value, such as /01/ and a GTIN of 14 digits")
}

// readQuery reads the parameters whose names are digits alone.
func (l *Link) readQuery(query string, opt LinkOptions) error {
	for param := range strings.SplitSeq(query, "&") {
		ai, raw, given := strings.Cut(param, "=")
		if !given || ai == "" || strings.Trim(ai, digits) != "" {
			continue // somebody else's
		}
		if identifiers()[ai] == nil && !opt.UnknownAI {
			return linkError("query", ai, "there is no such AI, and names of digits alone are kept for AIs")
		}
		value, err := unescape(strings.ReplaceAll(raw, "+", " "), ai, "query")
		if err != nil {
			return err
		}
		// As an attribute, a GTIN was never bound to 14 digits.
		l.query = append(l.query, Element{AI: ai, Value: padGTIN(Element{AI: ai, Value: value})})
	}
	return nil
}

// padGTIN returns the value of a GTIN in 14 digits; any other as it is.
func padGTIN(e Element) string {
	if n := len(e.Value); e.AI == "01" && (n == 8 || n == 12 || n == 13) {
		return strings.Repeat("0", 14-n) + e.Value
	}
	return e.Value
}

// check holds the elements against the table, each alone and together.
func (l *Link) check(opt LinkOptions) error {
	for _, part := range []struct {
		name     string
		elements []Element
	}{{"path", l.path}, {"query", l.query}} {
		for _, e := range part.elements {
			fault := ""
			if id := identifiers()[e.AI]; id != nil {
				fault = id.check(e.Value)
			} else {
				fault = checkUnknown(e.AI, e.Value)
			}
			if fault != "" {
				return linkError(part.name, e.AI, "%s", fault)
			}
		}
	}
	if err := l.checkPath(); err != nil {
		return err
	}
	if err := l.checkTogether(); err != nil {
		return err
	}
	return l.checkQuery(opt)
}

// checkPath says what is wrong with the qualifiers, naming the first at fault.
func (l *Link) checkPath() error {
	key := l.path[0].AI
	id := identifiers()[key]
	var seen []string
	for _, e := range l.path[1:] {
		switch q := identifiers()[e.AI]; {
		case id.accepts(append(seen, e.AI)):
			seen = append(seen, e.AI)
		case slices.Contains(seen, e.AI):
			return linkError("path", e.AI, "it is there twice")
		case id.accepts([]string{e.AI}):
			return linkError("path", e.AI, "it cannot follow %s; the order is %s", strings.Join(seen, ", "), orders(id))
		case q.data:
			return linkError("path", e.AI, "it does not qualify (%s); it belongs into the query, as ?%s=%s", key, e.AI, escape(e.Value))
		default:
			return linkError("path", e.AI, "it does not qualify (%s); what may is %s", key, orders(id))
		}
	}
	return nil
}

// orders tells which qualifiers a key may have: "22, 10, 21 or 235".
func orders(id *identifier) string {
	var s []string
	for _, order := range id.qualifiers {
		s = append(s, strings.Join(order, ", "))
	}
	if len(s) == 0 {
		return "nothing"
	}
	return strings.Join(s, " or ")
}

// checkQuery refuses attributes that are there twice, belong into the path or
// into no link.
func (l *Link) checkQuery(opt LinkOptions) error {
	key := identifiers()[l.path[0].AI]
	seen := ais(l.path)
	for _, e := range l.query {
		id := identifiers()[e.AI]
		if slices.Contains(seen, e.AI) {
			return linkError("query", e.AI, "it is there twice")
		}
		seen = append(seen, e.AI)
		if l.fitsPath(key, e.AI) {
			return linkError("query", e.AI, "it belongs into the path, after (%s); the order is %s", l.path[0].AI, orders(key))
		}
		if id == nil && opt.UnknownAI || id != nil && id.data {
			continue
		}
		return linkError("query", e.AI, "it cannot be an attribute of (%s)", l.path[0].AI)
	}
	return nil
}

// fitsPath reports whether the key would take the AI somewhere among its
// qualifiers.
func (l *Link) fitsPath(key *identifier, ai string) bool {
	qualifiers := ais(l.path[1:])
	for i := range len(qualifiers) + 1 {
		if key.accepts(slices.Insert(slices.Clone(qualifiers), i, ai)) {
			return true
		}
	}
	return false
}

func ais(elements []Element) []string {
	list := make([]string, len(elements))
	for i, e := range elements {
		list[i] = e.AI
	}
	return list
}

// checkTogether holds what excludes and what needs each other against the rest. A
// qualifier has what it needs: its key, as checkPath saw. (The table would have (22)
// beside (01) alone, and the standard lets it follow (8006) too.)
func (l *Link) checkTogether() error {
	all := ais(l.Elements())
	for i, ai := range all {
		id, part := identifiers()[ai], "path"
		if i >= len(l.path) {
			part = "query"
		}
		if id == nil {
			continue
		}
		for _, other := range all {
			if other != ai && slices.ContainsFunc(id.not, func(p string) bool { return matches(p, other) }) {
				return linkError(part, ai, "it may not stand beside (%s)", other)
			}
		}
		satisfied := func(set []string) bool {
			return !slices.ContainsFunc(set, func(p string) bool {
				return !slices.ContainsFunc(all, func(other string) bool { return matches(p, other) })
			})
		}
		qualifies := i > 0 && i < len(l.path)
		if len(id.with) > 0 && !qualifies && !slices.ContainsFunc(id.with, satisfied) {
			return linkError(part, ai, "it needs %s beside it", needs(id.with))
		}
	}
	return nil
}

// needs tells of what one is needed: "(01) and (21), or (8017)".
func needs(sets [][]string) string {
	var s []string
	for _, set := range sets {
		s = append(s, "("+strings.Join(set, ") and (")+")")
	}
	return strings.Join(s, ", or ")
}

// unescape takes percent-encoding away. A value is never empty.
func unescape(s, ai, part string) (string, error) {
	if s == "" {
		return "", linkError(part, ai, "its value is empty")
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b.WriteByte(s[i])
			continue
		}
		n, err := strconv.ParseUint(s[i+1:min(i+3, len(s))], 16, 8)
		if err != nil || i+2 >= len(s) {
			return "", linkError(part, ai, "%q is no percent-encoding: %% is followed by two hexadecimal digits; itself it is %%25", first(s[i:], 3))
		}
		b.WriteByte(byte(n))
		i += 2
	}
	return b.String(), nil
}

// escape writes a value for path and query alike.
func escape(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; strings.IndexByte(digits+letters+lower+"-._~", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
