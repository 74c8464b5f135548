package label

import (
	_ "embed"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// aiFile says what it is itself.
//
//go:embed ai.txt
var aiFile string

// An identifier is what ai.txt says of a GS1 Application Identifier.
type identifier struct {
	title      string
	components []component
	fixed      bool       // no separator follows its value
	data       bool       // may stand in a link's query
	key        bool       // opens a link's path
	qualifiers [][]string // of a key: the orders of which it may have some
	with       [][]string // one of these sets of patterns must stand beside it
	not        []string   // patterns of what may not
}

// A component is a part of a value.
type component struct {
	kind     byte // N digits, X set 82, Y set 39, Z base64url
	min, max int
	optional bool
	rules    []string // names in valueRules
}

// identifiers has the table, by AI.
var identifiers = sync.OnceValue(func() map[string]*identifier {
	table := map[string]*identifier{}
	for line := range strings.Lines(aiFile) {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		f := strings.Split(line, " | ")
		id := &identifier{title: f[3]}
		for c := range strings.FieldsSeq(f[1]) {
			id.components = append(id.components, parseComponent(c))
		}
		id.setProperties(strings.Fields(f[2]))
		first, last, _ := strings.Cut(f[0], "-")
		table[first] = id
		for n := atoi(first) + 1; n <= atoi(last); n++ {
			table[strconv.Itoa(n)] = id
		}
	}
	return table
})

func parseComponent(s string) component {
	var c component
	if s[0] == '[' {
		c.optional, s = true, s[1:len(s)-1]
	}
	parts := strings.Split(s, ":")
	c.kind, c.rules = s[0], parts[1:]
	if length, variable := strings.CutPrefix(parts[0][1:], ".."); variable {
		c.min, c.max = 1, atoi(length)
	} else {
		c.min, c.max = atoi(length), atoi(length)
	}
	return c
}

func (id *identifier) setProperties(words []string) {
	for _, word := range words {
		name, list, given := strings.Cut(word, "=")
		switch name {
		case "fixed":
			id.fixed = true
		case "data":
			id.data = true
		case "key":
			id.key = true
			if given {
				for order := range strings.SplitSeq(list, "|") {
					id.qualifiers = append(id.qualifiers, strings.Split(order, ","))
				}
			}
		case "with":
			for set := range strings.SplitSeq(list, ",") {
				id.with = append(id.with, strings.Split(set, "+"))
			}
		case "not":
			id.not = strings.Split(list, ",")
		}
	}
}

// accepts reports whether the qualifiers may follow the key, in this order.
func (id *identifier) accepts(qualifiers []string) bool {
	return len(qualifiers) == 0 || slices.ContainsFunc(id.qualifiers, func(order []string) bool {
		at := 0
		for _, q := range qualifiers {
			i := slices.Index(order[at:], q)
			if i < 0 {
				return false
			}
			at += i + 1
		}
		return true
	})
}

// check says what is wrong with a value; "" if nothing.
func (id *identifier) check(value string) string {
	if _, most := id.lengths(); len(value) > most {
		return fmt.Sprintf("%d characters are too many; it has %s", len(value), id.length())
	}
	rest := value
	for _, c := range id.components {
		if rest == "" && c.optional {
			continue
		}
		n := min(len(rest), c.max)
		if n < c.min {
			return fmt.Sprintf("%d characters are too few; it has %s", len(value), id.length())
		}
		if fault := c.check(rest[:n]); fault != "" {
			return fault
		}
		rest = rest[n:]
	}
	return ""
}

// lengths returns the fewest and the most characters of a value.
func (id *identifier) lengths() (low, high int) {
	for _, c := range id.components {
		high += c.max
		if !c.optional {
			low += c.min
		}
	}
	return low, high
}

// length tells how long values are: "14 characters", "1 to 20 characters".
func (id *identifier) length() string {
	low, high := id.lengths()
	if low == high {
		return fmt.Sprintf("%d characters", low)
	}
	return fmt.Sprintf("%d to %d characters", low, high)
}

func (c component) check(part string) string {
	for i, r := range part {
		if !strings.ContainsRune(characters[c.kind], r) {
			return fmt.Sprintf("%q at character %d of %q is not one of %s", r, i+1, part, sets[c.kind])
		}
	}
	for _, rule := range c.rules {
		if fault := valueRules[rule](part); fault != "" {
			return fault
		}
	}
	return ""
}

const (
	digits  = "0123456789"
	letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	lower   = "abcdefghijklmnopqrstuvwxyz"
	set82   = `!"%&'()*+,-./` + digits + ":;<=>?" + letters + "_" + lower
)

var (
	characters = map[byte]string{'N': digits, 'X': set82, 'Y': "#-/" + digits + letters, 'Z': digits + letters + lower + "-_="}
	sets       = map[byte]string{
		'N': "the digits", 'X': "GS1's character set 82", 'Y': "GS1's character set 39", 'Z': "the characters of base64url",
	}
)

// valueRules are the rules that ai.txt names. Each says what is wrong with a
// part whose length and characters are right; "" if nothing.
var valueRules = map[string]func(string) string{
	"check":      checkDigit,
	"pair":       checkPair,
	"prefix":     companyPrefix,
	"prefix2":    func(s string) string { return companyPrefix(s[1:]) },
	"date":       func(s string) string { return checkDate("20060102", "20"+s, s) },
	"longdate":   func(s string) string { return checkDate("20060102", s, s) },
	"date0":      dateOrMonth,
	"time":       func(s string) string { return checkDate("1504", s, s) },
	"hour":       upTo(23, "an hour"),
	"minute":     upTo(59, "minutes or seconds"),
	"latitude":   upTo(1800000000, "a latitude"),
	"longitude":  upTo(3600000000, "a longitude"),
	"country":    listed(countryNumbers, "a country's number in ISO 3166-1, such as 156 for China"),
	"country2":   listed(countryLetters, "a country's two letters in ISO 3166-1"),
	"country999": listed(countryNumbers+"999", "a country's number in ISO 3166-1, or 999"),
	"currency":   listed(currencyNumbers, "a currency's number in ISO 4217, such as 156 for yuan"),
	"yesno":      listed("0 1", "0 or 1"),
	"winding":    listed("0 1 9", "0, 1 or 9"),
	"sex":        listed("0 1 2 9", "0, 1, 2 or 9 of ISO 5218"),
	"hyphen":     listed("-", "a hyphen"),
	"encoded":    matching(`^([^%]|%[0-9A-Fa-f]{2})*$`, "percent-encoded: % is followed by two hexadecimal digits"),
	"importer":   matching(`^[-_0-9A-Za-z]$`, "an importer index: a digit, a letter, - or _"),
	"media":      matching(`^(0[1-9]|10|[89][0-9])$`, "01 to 10 or 80 to 99"),
	"nonzero":    matching(`[^0]`, "more than 0"),
	"zero":       matching(`^0$`, "0"),
	"nozero":     matching(`^(0|[^0].*)$`, "a number without zeros before it"),
	"nondigit":   matching(`[^0-9]`, "of more than digits alone"),
	"piece":      func(s string) string { return sequence(s, s[:2], s[2:]) },
	"sequence":   slashSequence,
	"iban":       checkIBAN,
	"coupon":     checkCoupon,
	"offer":      checkOffer,
}

func listed(list, what string) func(string) string {
	return func(s string) string {
		if hasCode(list, s) {
			return ""
		}
		return fmt.Sprintf("%q is not %s", s, what)
	}
}

func matching(pattern, what string) func(string) string {
	re := regexp.MustCompile(pattern)
	return func(s string) string {
		if re.MatchString(s) {
			return ""
		}
		return fmt.Sprintf("%q is not %s", s, what)
	}
}

func upTo(limit int, what string) func(string) string {
	return func(s string) string {
		if atoi(s) <= limit {
			return ""
		}
		return fmt.Sprintf("%q is not %s: the most is %d", s, what, limit)
	}
}

// CheckDigit returns the digit that ends every numeric GS1 key whose other digits these
// are, GS1 General Specifications §7.9.1: weights 3 and 1 from the right.
func CheckDigit(digits string) byte {
	sum, weight := 0, 3
	for i := len(digits) - 1; i >= 0; i-- {
		sum += weight * int(digits[i]-'0')
		weight = 4 - weight
	}
	return byte('0' + (10-sum%10)%10)
}

func checkDigit(s string) string {
	if want := CheckDigit(s[:len(s)-1]); s[len(s)-1] != want {
		return fmt.Sprintf("check digit of %s is %c, should be %c: mistyped", s, s[len(s)-1], want)
	}
	return ""
}

// checkPair is that of alphanumeric GS1 keys: places in set 82, weighted by the
// primes from the right, modulo 1021, written as two characters.
func checkPair(s string) string {
	const written = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
	n := len(s) - 2
	if n < 0 {
		return fmt.Sprintf("%q is too short for a pair of check characters", s)
	}
	sum, prime := 0, 1
	for i := n - 1; i >= 0; i-- {
		prime = nextPrime(prime)
		sum = (sum + strings.IndexByte(set82, s[i])*prime) % 1021
	}
	if want := string([]byte{written[sum>>5], written[sum&31]}); s[n:] != want {
		return fmt.Sprintf("check characters of %s are %s, should be %s: mistyped", s, s[n:], want)
	}
	return ""
}

func nextPrime(n int) int {
	for {
		n++
		prime := true
		for d := 2; d*d <= n; d++ {
			prime = prime && n%d != 0
		}
		if prime {
			return n
		}
	}
}

// companyPrefix: the shortest GS1 Company Prefix has four digits. Who holds which
// is not known here.
func companyPrefix(s string) string {
	if len(s) < 4 || strings.Trim(s[:4], digits) != "" {
		return fmt.Sprintf("%q does not begin with a GS1 Company Prefix of at least four digits", s)
	}
	return ""
}

func checkDate(layout, s, shown string) string {
	if _, err := time.Parse(layout, s); err != nil {
		return fmt.Sprintf("%q is not a date or time that there is", shown)
	}
	return ""
}

// dateOrMonth is YYMMDD, where 00 for the day is the month as a whole.
func dateOrMonth(s string) string {
	if s[4:] == "00" {
		return checkDate("200601", "20"+s[:4], s)
	}
	return checkDate("20060102", "20"+s, s)
}

func sequence(s, place, of string) string {
	if p, n := atoi(place), atoi(of); p < 1 || n < p {
		return fmt.Sprintf("%q is not a place in a sequence, such as 1 of 3", s)
	}
	return ""
}

func slashSequence(s string) string {
	place, of, _ := strings.Cut(s, "/")
	if strings.Trim(place+of, digits) != "" || strings.HasPrefix(place, "0") || strings.HasPrefix(of, "0") {
		return fmt.Sprintf("%q is not a place in a sequence, such as 1/3", s)
	}
	return sequence(s, place, of)
}

// shortIBAN is how many characters are too few for an IBAN; no country's is as short.
const shortIBAN = 10

// checkIBAN is ISO 13616: the number with its first four characters at the end,
// letters as 10 to 35, is 1 modulo 97.
func checkIBAN(s string) string {
	rem := 0
	if len(s) > shortIBAN && hasCode(countryLetters, s[:2]) {
		for _, r := range s[4:] + s[:4] {
			switch v := strings.IndexRune(digits+letters, r); {
			case v < 0:
				return fmt.Sprintf("%q in %s is neither a digit nor a capital letter", r, s)
			case v < 10:
				rem = (rem*10 + v) % 97
			default:
				rem = (rem*100 + v) % 97
			}
		}
	}
	if rem != 1 {
		return fmt.Sprintf("%q is not an IBAN: its check digits do not fit", s)
	}
	return ""
}

// predefined returns how long the value is of an AI whose first two digits say so,
// GS1 General Specifications §7.8.5; 0 where they do not.
func predefined(ai string) int {
	switch ai[:2] {
	case "00":
		return 18
	case "01", "02", "03":
		return 14
	case "04":
		return 16
	case "11", "12", "13", "14", "15", "16", "17", "18", "19", "31", "32", "33", "34", "35", "36":
		return 6
	case "20":
		return 2
	case "41":
		return 13
	}
	return 0
}

// checkUnknown says what is wrong with an AI of digits that is not in the table, and
// its value: the AIs of two first digits are all of one length.
func checkUnknown(ai, value string) string {
	if n := len(ai); n < 2 || n > 4 {
		return "AIs have 2 to 4 digits"
	}
	if n := lengthOfAI(ai[:2]); n != 0 && n != len(ai) {
		return fmt.Sprintf("AIs that begin with %s have %d digits", ai[:2], n)
	}
	if n := predefined(ai); n != 0 && len(value) != n {
		return fmt.Sprintf("values of AIs that begin with %s have %d characters", ai[:2], n)
	}
	if strings.Trim(value, set82) != "" || len(value) > 90 {
		return "its value is not 1 to 90 characters of " + sets['X']
	}
	return ""
}

// matches reports whether an AI is of a pattern, where n is any digit.
func matches(pattern, ai string) bool {
	if len(pattern) != len(ai) {
		return false
	}
	for i := range len(ai) {
		if pattern[i] != 'n' && pattern[i] != ai[i] {
			return false
		}
	}
	return true
}

// atoi reads digits of ai.txt, or such as have been checked; 0 for none.
func atoi(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}
