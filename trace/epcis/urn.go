package epcis

import (
	"fmt"
	"strings"
)

// What a Digital Link escapes and an EPC URN does not, and the other way
// round.
var urnEscapes = strings.NewReplacer("%21", "!", "%28", "(", "%29", ")", "%2A", "*", "%2a", "*", "%2B", "+", "%2b", "+",
	"%2C", ",", "%2c", ",", "%3A", ":", "%3a", ":", `"`, "%22", "<", "%3C", ">", "%3E")

// EPC returns the EPC URN of a GS1 Digital Link, of a class where the link
// names no instance. A link does not tell how many digits of its key are the
// company prefix; that is known to who was given it: 6 to 12.
func EPC(link string, companyDigits int) (string, error) {
	if short, ok := canonicalLink(link); ok {
		link = short
	}
	path, ok := strings.CutPrefix(link, canonicalHost+"/")
	if !ok {
		return "", fmt.Errorf("%q is not a GS1 Digital Link", shorten(link))
	}
	ai, rest, _ := strings.Cut(path, "/")
	key, qualifier, _ := strings.Cut(rest, "/")
	name, serial := "", ""
	for kind, scheme := range epcSchemes {
		if scheme.ai != ai {
			continue
		}
		// The kind whose qualifier the link has, else the one of items.
		if after, has := strings.CutPrefix("/"+qualifier, scheme.join); scheme.join != "" && qualifier != "" && has {
			name, serial = kind, after
		} else if qualifier == "" && (ai != "01" || kind == "id:sgtin") {
			name = kind
		}
	}
	if name == "" {
		return "", fmt.Errorf("%q has no key that has an EPC", shorten(link))
	}
	urn, err := epcSchemes[name].urn(name, key, urnEscapes.Replace(serial), companyDigits)
	if err != nil {
		return "", err
	}
	back, err := DigitalLink(urn)
	if err != nil {
		return "", fmt.Errorf("%q: %w", shorten(link), err)
	}
	if urnEscapes.Replace(back) != urnEscapes.Replace(link) {
		return "", fmt.Errorf("%q has a wrong check digit; want %s", shorten(link), back)
	}
	return urn, nil
}

// urn puts a key's parts into the order of its URN. Whether they are right,
// the way back says.
func (s epcScheme) urn(name, key, serial string, companyDigits int) (string, error) {
	need := len(s.lead) + s.digits + 1 // with the check digit
	if s.digits == 0 {
		need = companyDigits
	}
	if companyDigits < 6 || companyDigits > 12 || len(key) < need {
		return "", fmt.Errorf("the key %q is too short, or its company prefix has not 6 to 12 digits", shorten(key))
	}
	if s.digits == 0 {
		parts := []string{key[:companyDigits], urnEscapes.Replace(key[companyDigits:])}
		return join(name, parts, s, serial), nil
	}
	number, after := key[len(s.lead):need-1], key[need:]
	parts := []string{number[:companyDigits], number[companyDigits:]}
	if s.indicator {
		parts = []string{number[1 : companyDigits+1], number[:1] + number[companyDigits+1:]}
	}
	if s.parts == 3 {
		if len(after) != 4 {
			return "", fmt.Errorf("the key %q has not two digits each for piece and total", shorten(key))
		}
		parts = append(parts, after[:2], after[2:])
		after = ""
	}
	if s.join == "" {
		serial = urnEscapes.Replace(after)
	}
	return join(name, parts, s, serial), nil
}

// join makes the URN: of an instance, or of the class where there is no
// serial. A location without extension has the extension 0.
func join(name string, parts []string, s epcScheme, serial string) string {
	switch {
	case s.parts == 0:
	case serial != "":
		parts = append(parts, serial)
	case name == "id:sgln":
		parts = append(parts, "0")
	default:
		name = strings.Replace(name, "id:", "idpat:", 1)
		parts = append(parts, "*")
	}
	return "urn:epc:" + name + ":" + strings.Join(parts, ".")
}
