package epcis

import (
	"fmt"
	"regexp"
	"strings"

	"tianhai/trace/label"
)

const canonicalHost = "https://id.gs1.org"

// An epcScheme says how an EPC URN of its kind becomes a GS1 Digital Link.
type epcScheme struct {
	ai        string
	digits    int    // of company prefix and reference together; 0: the reference is text
	indicator bool   // the reference's first digit goes before the company prefix
	lead      string // a digit that the key has and the URN has not
	parts     int    // after the reference
	text      int    // the longest serial, or reference without digits
	join      string // between key and serial
}

// Tag Data Standard 2.0 section 6.3; the company prefix has 6 to 12 digits.
var (
	epcSchemes = map[string]epcScheme{
		"id:sgtin":    {ai: "01", digits: 13, indicator: true, parts: 1, text: 20, join: "/21/"},
		"id:sscc":     {ai: "00", digits: 17, indicator: true},
		"id:sgln":     {ai: "414", digits: 12, parts: 1, text: 20, join: "/254/"},
		"id:grai":     {ai: "8003", digits: 12, lead: "0", parts: 1, text: 16},
		"id:giai":     {ai: "8004", text: 30},
		"id:gsrn":     {ai: "8018", digits: 17},
		"id:gsrnp":    {ai: "8017", digits: 17},
		"id:gdti":     {ai: "253", digits: 12, parts: 1, text: 17},
		"id:cpi":      {ai: "8010", text: 30, parts: 1, join: "/8011/"},
		"id:sgcn":     {ai: "255", digits: 12, parts: 1, text: 12},
		"id:ginc":     {ai: "401", text: 30},
		"id:gsin":     {ai: "402", digits: 16},
		"id:itip":     {ai: "8006", digits: 13, indicator: true, parts: 3, text: 20, join: "/21/"},
		"id:upui":     {ai: "01", digits: 13, indicator: true, parts: 1, text: 28, join: "/235/"},
		"id:pgln":     {ai: "417", digits: 12},
		"class:lgtin": {ai: "01", digits: 13, indicator: true, parts: 1, text: 20, join: "/10/"},
	}
	patterns     = map[string]bool{"sgtin": true, "grai": true, "gdti": true, "sgcn": true, "cpi": true, "itip": true, "upui": true}
	companyPart  = regexp.MustCompile(`^[0-9]{6,12}$`)
	digitsOnly   = regexp.MustCompile(`^[0-9]*$`)
	twoDigits    = regexp.MustCompile(`^[0-9]{2}$`)
	serialDigits = regexp.MustCompile(`^[0-9]{1,12}$`)
	// Characters of GS1's set 82 as an EPC URN writes them, TDS table A-1,
	// and of set 39 for component references, table A-2.
	serialText = regexp.MustCompile(`^(%2[125-9A-Fa-f]|%3[0-9A-Fa-f]|%4[1-9A-Fa-f]|%5[0-9AaFf]|%6[1-9A-Fa-f]|%7[0-9Aa]|[!'()*+,.0-9:;=A-Za-z_-])+$`)
	partText   = regexp.MustCompile(`^(%2[3DFdf]|[0-9A-Z-])+$`)
	// What a Digital Link percent-encodes and an EPC URN does not.
	linkEscapes = strings.NewReplacer("!", "%21", "(", "%28", ")", "%29", "*", "%2A", "+", "%2B", ",", "%2C", ":", "%3A")
)

// DigitalLink returns the canonical GS1 Digital Link of an EPC URN, of a
// class or an instance; its error says what the URN should be like. Of a
// pattern, only the class is left.
func DigitalLink(urn string) (string, error) {
	space, name, body, err := splitURN(urn)
	if err != nil {
		return "", err
	}
	pattern := space == "idpat"
	if pattern {
		space = "id"
	}
	scheme, known := epcSchemes[space+":"+name]
	if !known || pattern && !patterns[name] {
		return "", fmt.Errorf("%s is not a kind of EPC that has a GS1 Digital Link", shorten(name))
	}
	company, rest, _ := strings.Cut(body, ".")
	if !companyPart.MatchString(company) {
		return "", fmt.Errorf("the company prefix %q has not 6 to 12 digits", shorten(company))
	}
	if scheme.digits == 0 {
		return scheme.textKey(name, company, rest, pattern)
	}
	return scheme.digitKey(name, company, rest, pattern)
}

func splitURN(urn string) (space, name, body string, err error) {
	parts := strings.SplitN(urn, ":", 5)
	if len(parts) != 5 || parts[0] != "urn" || parts[1] != "epc" {
		return "", "", "", fmt.Errorf("want urn:epc:id:KIND:COMPANY.REFERENCE…")
	}
	return parts[2], parts[3], parts[4], nil
}

// digitKey makes the link of a key whose reference fills up a number of
// digits and that ends with a check digit.
func (s epcScheme) digitKey(name, company, rest string, pattern bool) (string, error) {
	parts := strings.SplitN(rest, ".", s.parts+1)
	reference := parts[0]
	if len(company)+len(reference) != s.digits || !digitsOnly.MatchString(reference) {
		return "", fmt.Errorf("company prefix and reference of %s have not %d digits together", name, s.digits)
	}
	if len(parts) != s.parts+1 {
		return "", fmt.Errorf("%s has %d parts after the reference; want %d", name, len(parts)-1, s.parts)
	}
	number := s.lead + company + reference
	if s.indicator {
		number = reference[:1] + company + reference[1:]
	}
	link := canonicalHost + "/" + s.ai + "/" + number + string(label.CheckDigit(number))
	if s.parts == 3 {
		if !twoDigits.MatchString(parts[1]) || !twoDigits.MatchString(parts[2]) {
			return "", fmt.Errorf("piece and total of %s have not two digits each", name)
		}
		link += parts[1] + parts[2]
	}
	if s.parts == 0 || pattern && parts[s.parts] == "*" {
		return link, nil
	}
	serial := parts[s.parts]
	if err := s.checkSerial(name, serial); err != nil {
		return "", err
	}
	if name == "sgln" && serial == "0" { // no extension: the location itself
		return link, nil
	}
	return link + s.join + linkEscapes.Replace(serial), nil
}

func (s epcScheme) checkSerial(name, serial string) error {
	if name == "sgcn" && !serialDigits.MatchString(serial) {
		return fmt.Errorf("the serial %q of %s has not 1 to 12 digits", shorten(serial), name)
	}
	if !serialText.MatchString(serial) {
		return fmt.Errorf("the serial %q of %s is empty or has a character that an EPC URN must escape", shorten(serial), name)
	}
	if n := textLength(serial); n > s.text {
		return fmt.Errorf("the serial of %s has %d characters; want at most %d", name, n, s.text)
	}
	return nil
}

// textKey makes the link of a key whose reference is text.
func (s epcScheme) textKey(name, company, rest string, pattern bool) (string, error) {
	serial := ""
	if s.parts == 1 {
		cut := strings.LastIndexByte(rest, '.')
		if cut < 0 {
			return "", fmt.Errorf("%s has no serial", name)
		}
		rest, serial = rest[:cut], rest[cut+1:]
	}
	allowed := serialText
	if name == "cpi" {
		allowed = partText
	}
	if !allowed.MatchString(rest) {
		return "", fmt.Errorf("the reference %q of %s is empty or has a character that an EPC URN must escape", shorten(rest), name)
	}
	if n := len(company) + textLength(rest); n > s.text {
		return "", fmt.Errorf("company prefix and reference of %s have %d characters; want at most %d", name, n, s.text)
	}
	link := canonicalHost + "/" + s.ai + "/" + company + linkEscapes.Replace(rest)
	if s.parts == 0 || pattern && serial == "*" {
		return link, nil
	}
	if !serialDigits.MatchString(serial) {
		return "", fmt.Errorf("the serial %q of %s has not 1 to 12 digits", shorten(serial), name)
	}
	return link + s.join + serial, nil
}

// textLength counts an escape as the one character that it stands for.
func textLength(s string) int { return len(s) - 2*strings.Count(s, "%") }

// Digital Links write AIs, or the short names of version 1.
var (
	shortNames = strings.NewReplacer("/gtin/", "/01/", "/itip/", "/8006/", "/cpid/", "/8010/", "/gln/", "/414/",
		"/party/", "/417/", "/gsrnp/", "/8017/", "/gsrn/", "/8018/", "/gcn/", "/255/", "/sscc/", "/00/", "/gdti/", "/253/",
		"/ginc/", "/401/", "/gsin/", "/402/", "/grai/", "/8003/", "/giai/", "/8004/", "/cpv/", "/22/", "/lot/", "/10/", "/ser/", "/21/")
	primaryKeys  = strings.Fields("00 01 253 255 401 402 414 417 8003 8004 8006 8010 8017 8018")
	linkStart    = regexp.MustCompile(`^https?://[^/?#]+(/[^?#]*)?/([a-z0-9]+)/([0-9]{4}[^/?#]+)`)
	canonical    = regexp.MustCompile(`^https://id\.gs1\.org/(00|01|253|255|401|402|414|417|8003|8004|8006|8010|8017|8018)/[0-9]{4}`)
	shortGTIN    = regexp.MustCompile(`^/01/([0-9]{8}|[0-9]{12,13})(/|$)`)
	linkVariant  = regexp.MustCompile(`^(/(?:8006/[0-9]{18}|01/[0-9]{14}))/22/` + linkText + `{0,20}(/|$)`)
	linkLot      = regexp.MustCompile(`^(/(?:8006/[0-9]{18}|01/[0-9]{14}))/10/` + linkText + `{0,20}(/21/)`)
	granularLink = regexp.MustCompile(`^/(00/[0-9]{18}` +
		`|01/[0-9]{14}(/(21|10)/` + linkText + `{0,20}|/235/` + linkText + `{0,28})?` +
		`|253/[0-9]{13}` + linkText + `{0,17}|255/[0-9]{13}[0-9]{0,12}|40[1]/` + linkText + `{0,30}|402/[0-9]{17}` +
		`|414/[0-9]{13}(/254/` + linkText + `{0,20})?|417/[0-9]{13}|8003/[0-9]{14}` + linkText + `{0,16}|8004/` + linkText + `{0,30}` +
		`|8006/[0-9]{18}(/(21|10)/` + linkText + `{0,20})?|8010/[#0-9A-Z/-]{0,30}(/8011/[0-9]{0,12})?|801[78]/[0-9]{18})$`)
)

// Characters of a key that a link writes without escapes.
const linkText = `["'.0-9;-?A-Z_a-z-]`

// canonicalLink returns the constrained canonical form of a Digital Link:
// on id.gs1.org, with AIs, GTINs of 14 digits, the most granular key and
// nothing else. Other URIs are not ok.
func canonicalLink(uri string) (string, bool) {
	if linkStart.FindStringIndex(uri) == nil {
		return "", false
	}
	uri, _, _ = strings.Cut(uri, "?")
	uri = shortNames.Replace(uri)
	path, already := strings.CutPrefix(uri, canonicalHost)
	if !already || !canonical.MatchString(uri) {
		path = ""
		for _, ai := range primaryKeys {
			if i := strings.Index(uri, "/"+ai+"/"); i >= 0 {
				path = uri[i:]
				break
			}
		}
	}
	if m := shortGTIN.FindStringSubmatch(path); m != nil {
		path = "/01/" + strings.Repeat("0", 14-len(m[1])) + path[len("/01/"):]
	}
	path = linkVariant.ReplaceAllString(path, "$1$2")
	path = linkLot.ReplaceAllString(path, "$1$2")
	if !granularLink.MatchString(path) {
		return "", false
	}
	return canonicalHost + path, true
}

// canonicalKey returns the canonical link of an EPC URN or a Digital Link,
// and other text as it is.
func canonicalKey(text string) string {
	if strings.HasPrefix(text, "urn:epc:") {
		if link, err := DigitalLink(text); err == nil {
			return link
		}
		return text
	}
	if link, ok := canonicalLink(text); ok {
		return link
	}
	return text
}

// The keys that end with a check digit, after so many digits.
var (
	checkedLink = regexp.MustCompile(`^` + canonicalHost + `/(00|01|253|255|402|414|417|8003|8006|8017|8018)/([0-9]+)`)
	checkedAt   = map[string]int{"00": 18, "01": 14, "253": 13, "255": 13, "402": 17, "414": 13, "417": 13, "8003": 14, "8006": 14, "8017": 18, "8018": 18}
)

// keyFault says what is wrong with an identification key that a URI writes,
// or nothing.
func keyFault(uri string) string {
	if strings.HasPrefix(uri, "urn:epc:id:") || strings.HasPrefix(uri, "urn:epc:class:") || strings.HasPrefix(uri, "urn:epc:idpat:") {
		space, name, _, err := splitURN(uri)
		if _, known := epcSchemes[strings.Replace(space, "idpat", "id", 1)+":"+name]; err == nil && !known {
			return "" // a kind of EPC that GS1's keys do not have, such as usdod
		}
		if _, err = DigitalLink(uri); err != nil {
			return err.Error()
		}
		return ""
	}
	link, ok := canonicalLink(uri)
	if !ok {
		return ""
	}
	m := checkedLink.FindStringSubmatch(link)
	if m == nil || len(m[2]) < checkedAt[m[1]] {
		return ""
	}
	digits := m[2][:checkedAt[m[1]]]
	if want := label.CheckDigit(digits[:len(digits)-1]); digits[len(digits)-1] != want {
		return fmt.Sprintf("the check digit of %s is wrong; want %s%c", digits, digits[:len(digits)-1], want)
	}
	return ""
}
