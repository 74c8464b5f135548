package epcis

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// A Format is the form in which identification keys come out: GS1-EPC-Format of EPCIS
// 2.0 section 12.
type Format string

// The formats.
const (
	NoPreference Format = "No_Preference"
	DigitalLinks Format = "Always_GS1_Digital_Link" // the standard's, where nothing is said
	EPCURNs      Format = "Always_EPC_URN"
	AsCaptured   Format = "Never_Translates"
)

// Formats returns all of them.
func Formats() []Format { return []Format{NoPreference, DigitalLinks, EPCURNs, AsCaptured} }

// Write returns a document of events in the format. How many digits of a key are its
// company prefix is known from companies, prefixes of 6 to 12 digits. left is the first
// key that is to be an EPC URN and cannot, since none of them fits; it is as it was.
func (f Format) Write(doc []byte, companies []string) (out []byte, left string) {
	switch f {
	case DigitalLinks:
		return Linked(doc), ""
	case EPCURNs:
		return urnsOf(doc, companies)
	default:
		return doc, ""
	}
}

// Linked returns JSON in which each value that is an EPC URN is the GS1 Digital Link
// of the same thing; everything else stays byte for byte, as do URNs that have none.
// The hash of an event stays the same: it is of Digital Links in either case. A list
// that names a thing in both forms names it twice then.
func Linked(raw []byte) []byte {
	return rewrite(raw, func(_, text string) string {
		if strings.HasPrefix(text, "urn:epc:") {
			if link, err := DigitalLink(text); err == nil {
				return link
			}
		}
		return text
	})
}

// keyMembers are those whose values are identification keys. Others have links that
// are there to be followed, such as rawData.
var keyMembers = wordsOf(`
	epcList childEPCs inputEPCList outputEPCList parentID epcClass id source destination bizTransaction transformationID deviceID`)

// urnsOf is the way back from Linked, for keys of companies.
func urnsOf(raw []byte, companies []string) (out []byte, left string) {
	out = rewrite(raw, func(member, text string) string {
		if !keyMembers[member] || !strings.HasPrefix(text, "http") {
			return text
		}
		if _, isKey := canonicalLink(text); !isKey {
			return text
		}
		for _, company := range companies {
			if urn, err := EPC(text, len(company)); err == nil && companyOf(urn) == company {
				return urn
			}
		}
		if left == "" {
			left = text
		}
		return text
	})
	return out, left
}

// companyOf returns the company prefix of an EPC URN.
func companyOf(urn string) string {
	company, _, _ := strings.Cut(urn[strings.LastIndexByte(urn, ':')+1:], ".")
	return company
}

// rewrite returns JSON in which change was made of each value that is text; member is
// the name of the nearest member before it, and text with escapes is let be.
// Everything else stays byte for byte.
func rewrite(raw []byte, change func(member, text string) string) []byte {
	var out []byte
	copied, member := 0, ""
	for at := 0; at < len(raw); {
		begin := bytes.IndexByte(raw[at:], '"')
		if begin < 0 {
			break
		}
		begin += at
		end := stringEnd(raw, begin)
		text := raw[begin+1 : max(begin+1, end-1)]
		switch {
		case isKey(raw[end:]):
			member = string(text)
		case end == len(raw) || bytes.ContainsRune(text, '\\'):
		default:
			if changed := change(member, string(text)); changed != string(text) {
				quoted, _ := json.Marshal(changed) // of text
				out = append(append(out, raw[copied:begin]...), quoted...)
				copied = end
			}
		}
		at = end
	}
	if copied == 0 {
		return raw
	}
	return slices.Concat(out, raw[copied:])
}

// stringEnd returns where the string that begins at a quotation mark is over.
func stringEnd(raw []byte, begin int) int {
	for i := begin + 1; i < len(raw); i++ {
		switch raw[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(raw)
}

// isKey reports whether what follows a string makes it the name of a member.
func isKey(rest []byte) bool {
	rest = bytes.TrimLeft(rest, " \t\r\n")
	return len(rest) > 0 && rest[0] == ':'
}
