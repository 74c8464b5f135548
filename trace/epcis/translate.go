package epcis

import (
	"bytes"
	"encoding/json"
)

// Linked returns JSON in which each value that is an EPC URN is the GS1 Digital Link
// of the same thing; everything else stays byte for byte, as do URNs that have none.
// The hash of an event stays the same: it is of Digital Links in either case. A list
// that names a thing in both forms names it twice then.
//
// There is no way back for links whose company prefix nobody knows the length of; see
// EPC.
func Linked(raw []byte) []byte {
	var out []byte
	copied := 0
	for at := 0; at < len(raw); {
		begin := bytes.IndexByte(raw[at:], '"')
		if begin < 0 {
			break
		}
		begin += at
		end := stringEnd(raw, begin)
		text := raw[begin+1 : max(begin+1, end-1)]
		if bytes.HasPrefix(text, []byte("urn:epc:")) && !bytes.ContainsRune(text, '\\') && !isKey(raw[end:]) {
			if link, err := DigitalLink(string(text)); err == nil {
				quoted, _ := json.Marshal(link) // of text
				out = append(append(out, raw[copied:begin]...), quoted...)
				copied = end
			}
		}
		at = end
	}
	if copied == 0 {
		return raw
	}
	return append(out, raw[copied:]...)
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
