package query

import (
	"regexp"
	"strings"

	"tianhai/trace/epcis"
)

// A Pattern matches texts that begin with Prefix and go on as Rest says, in which _ is
// any one character, % any number of them, and \ takes the meaning from the next.
type Pattern struct{ Prefix, Rest string }

// Like returns the whole as SQL's LIKE with the escape \ has it.
func (p Pattern) Like() string { return escape(p.Prefix) + p.Rest }

func escape(s string) string { return strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`).Replace(s) }

const host = "https://id.gs1.org"

// Key lengths behind which a company prefix stands, Tag Data Standard 2.0 section 6.3:
// digits of the whole key, and what comes before the prefix.
var patternKeys = map[string]struct {
	ai     string
	digits int
	before string
	serial string
}{
	"sgtin": {"01", 14, "_", "/21/"}, "sscc": {"00", 18, "_", ""}, "sgln": {"414", 13, "", "/254/"}, "grai": {"8003", 14, "_", ""},
	"giai": {"8004", 0, "", ""}, "gsrn": {"8018", 18, "", ""}, "gsrnp": {"8017", 18, "", ""}, "gdti": {"253", 13, "", ""},
	"sgcn": {"255", 13, "", ""}, "cpi": {"8010", 0, "", "/8011/"}, "lgtin": {"01", 14, "_", "/10/"}, "upui": {"01", 14, "_", "/235/"},
	"itip": {"8006", 18, "_", "/21/"},
}

var companyPrefix = regexp.MustCompile(`^[0-9]{6,12}$`)

// patternOf reads a pure identity pattern, EPCIS 2.0 section 8.2.7.1.1, or a Digital
// Link that ends with *. Another URI is no pattern.
func patternOf(uri string) (Pattern, bool, error) {
	if !strings.Contains(uri, "*") {
		return Pattern{}, false, nil
	}
	if link, ok := strings.CutSuffix(uri, "*"); ok && (strings.HasPrefix(link, "https://") || strings.HasPrefix(link, "http://")) {
		return linkPattern(link), true, nil
	}
	rest, ok := strings.CutPrefix(uri, "urn:epc:idpat:")
	if !ok {
		rest, ok = strings.CutPrefix(uri, "urn:epc:class:")
	}
	kind, body, found := strings.Cut(rest, ":")
	key, known := patternKeys[kind]
	if !ok || !found || !known {
		return Pattern{}, false, bad("", "%q is no pattern of an EPC, such as urn:epc:idpat:sgtin:4012345.011111.*", uri)
	}
	company, reference, _ := strings.Cut(body, ".")
	switch {
	case company == "*":
		return Pattern{Prefix: host + "/" + key.ai + "/", Rest: "%"}, true, nil
	case !companyPrefix.MatchString(company):
		return Pattern{}, false, bad("", "%q has not 6 to 12 digits of a company", uri)
	case strings.HasPrefix(reference, "*"):
		return ofCompany(key.ai, key.before, company, key.digits), true, nil
	}
	// Only the serial is open: of an instance, whose class is a key.
	one := strings.TrimSuffix(body, "*") + "0"
	space := "id:"
	if kind == "lgtin" {
		space = "class:"
	}
	link, err := epcis.DigitalLink("urn:epc:" + space + kind + ":" + one)
	if err != nil {
		return Pattern{}, false, bad("", "%q: %v", uri, err)
	}
	if kind == "sgln" { // the extension 0 is the location itself, which the pattern holds too
		return Pattern{Prefix: link, Rest: "%"}, true, nil
	}
	return Pattern{Prefix: strings.TrimSuffix(link, "0"), Rest: "%"}, true, nil
}

func linkPattern(link string) Pattern {
	for _, ai := range []string{"21", "10", "235", "254", "8011"} {
		if class, ok := strings.CutSuffix(link, "/"+ai+"/"); ok {
			return Pattern{Prefix: epcis.Names{}.Text(class) + "/" + ai + "/", Rest: "%"}
		}
	}
	return Pattern{Prefix: link, Rest: "%"}
}

// ofCompany matches every key of a company: what comes before its prefix is open.
func ofCompany(ai, before, company string, digits int) Pattern {
	head := host + "/" + ai + "/"
	if before == "" {
		return Pattern{Prefix: head + company, Rest: "%"}
	}
	return Pattern{Prefix: head, Rest: before + company + strings.Repeat("_", digits-1-len(company)) + "%"}
}
