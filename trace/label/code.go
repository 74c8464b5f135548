// Package label makes what is printed on a packet: trace codes that cannot be
// guessed and catch a typing error, the QR code that carries their address, and
// GS1 Digital Links for whoever holds a GTIN.
//
// A code is 13 characters of Crockford's base 32: 60 random bits and a check
// character. It is written in upper case, because people read capitals aloud and
// copy them more surely; it is read in any. The host of the address is lower
// case, so a QR code holds the address in byte mode whatever the code's case.
package label

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
)

// CodeLength is the number of characters of a code, the check character included.
const CodeLength = 13

// CoverLength is the number of characters of a covered code, the check character
// included: 35 bits, which do while guesses are counted, and which a person copies
// from under a scratched coating.
const CoverLength = 8

// alphabet is Crockford's: no I, L, O and U. A character's place is its value.
const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// A CodeError says why a text is no code. Exactly one of its cases holds.
type CodeError struct {
	Length int // characters found, where that is not Want; otherwise 0
	Want   int // characters of such a code
	// Position and Char name a character that no code has; the first is 1.
	Position int
	Char     rune
	// Mistyped holds where the check character does not fit. Guesses are
	// characters that are easily taken for another and, exchanged, make a code.
	Mistyped bool
	Guesses  []Guess
}

// A Guess is a character that was perhaps misread.
type Guess struct {
	Position    int // the first is 1
	Read, Meant byte
	Code        string // the code with Meant in place of Read
}

// Error tells the case in English, for logs and command lines.
func (e *CodeError) Error() string {
	switch {
	case e.Position > 0:
		return fmt.Sprintf("trace code: character %d is %q; codes use digits and letters other than I, L, O, U", e.Position, e.Char)
	case e.Mistyped:
		return "trace code: mistyped, the check character does not fit"
	default:
		return fmt.Sprintf("trace code: %d characters instead of %d", e.Length, e.Want)
	}
}

// NewCode returns a code of 60 bits from random, normally crypto/rand.Reader.
// At a billion codes issued, a guess hits one in a billion times.
func NewCode(random io.Reader) (string, error) {
	var raw [8]byte
	if _, err := io.ReadFull(random, raw[:]); err != nil {
		return "", fmt.Errorf("make code: %w", err)
	}
	return Encode(binary.BigEndian.Uint64(raw[:]), CodeLength), nil
}

// Encode writes the lowest bits of v, five for each character but the last, and the
// check character: a code of length characters, 2 to CodeLength.
func Encode(v uint64, length int) string {
	code := make([]byte, length)
	sum := byte(0)
	for i := range length - 1 {
		c := byte(v>>(5*(length-2-i))) & 31
		code[i] = alphabet[c]
		sum = double(sum ^ c)
	}
	code[length-1] = alphabet[sum]
	return string(code)
}

// Decode returns the bits that Encode wrote, of a code as ParseCode and ParseCover
// return it.
func Decode(code string) uint64 {
	var v uint64
	for _, c := range code[:len(code)-1] {
		v = v<<5 | uint64(value(c)) //nolint:gosec // not negative in a code
	}
	return v
}

// double multiplies by α in GF(32) with α⁵ = α² + 1.
//
// A code c₁…c₁₃ satisfies Σ cᵢ·α^(13-i) = 0. No weight is zero, so a single wrong
// character never fits; no two are equal, so neither do two exchanged ones, be
// they neighbours or not.
func double(v byte) byte {
	v <<= 1
	if v&32 != 0 {
		v ^= 0b100101
	}
	return v
}

// ParseCode returns the code that a person meant. As Crockford says, case does
// not matter, I and L are 1, O is 0, hyphens and spaces are passed over; so are
// the full-width forms that Chinese keyboards type. Otherwise it returns a
// *CodeError.
func ParseCode(s string) (string, error) { return parse(s, CodeLength) }

// ParseCover is ParseCode for covered codes.
func ParseCover(s string) (string, error) { return parse(s, CoverLength) }

func parse(s string, length int) (string, error) {
	var code []byte
	count := 0
	for _, r := range s {
		if '！' <= r && r <= '～' { // full-width forms of ASCII
			r -= '！' - '!'
		}
		if strings.ContainsRune("-‐‑–—−_ \t\r\n\u00a0\u3000", r) {
			continue
		}
		if count++; count > length {
			continue
		}
		v := value(r)
		if v < 0 {
			return "", &CodeError{Position: count, Char: r}
		}
		code = append(code, alphabet[v])
	}
	if count != length {
		return "", &CodeError{Length: count, Want: length}
	}
	if sum := syndrome(code); sum != 0 {
		return "", &CodeError{Mistyped: true, Guesses: guesses(code, sum)}
	}
	return string(code), nil
}

// value returns what a character stands for; -1 for none.
func value(r rune) int {
	switch r {
	case 'I', 'i', 'L', 'l':
		return 1
	case 'O', 'o':
		return 0
	}
	if 'a' <= r && r <= 'z' {
		r += 'A' - 'a'
	}
	return strings.IndexRune(alphabet, r)
}

// syndrome is 0 for a code.
func syndrome(code []byte) byte {
	sum := byte(0)
	for _, c := range code {
		sum = double(sum) ^ byte(value(rune(c)))
	}
	return sum
}

// guesses tries, at every place, the one character that would make sum 0, and
// keeps those that look like what was read.
func guesses(code []byte, sum byte) []Guess {
	const alike = "0D 0Q 08 1J 17 2Z 3B 38 4A 56 5S 6G 8B 9G 9Q CG DQ EF HN KX MN MW PR PF VW VY XY QG"
	var found []Guess
	for i := len(code) - 1; i >= 0; i-- {
		// sum is the error times α^(12-i); dividing by α leaves the error alone.
		read := code[i]
		meant := alphabet[byte(value(rune(read)))^sum]
		pair, reverse := string([]byte{read, meant}), string([]byte{meant, read})
		if strings.Contains(alike, pair) || strings.Contains(alike, reverse) {
			fixed := append([]byte{}, code...)
			fixed[i] = meant
			found = append([]Guess{{Position: i + 1, Read: read, Meant: meant, Code: string(fixed)}}, found...)
		}
		sum = halve(sum)
	}
	return found
}

// halve divides by α.
func halve(v byte) byte {
	if v&1 != 0 {
		v ^= 0b100101
	}
	return v >> 1
}

// Group writes a code as it is printed, in groups: "ABCD-EFGH-JKMNP", and a covered
// one "ABCD-EFGH".
func Group(code string) string {
	switch len(code) {
	case CodeLength:
		return code[:4] + "-" + code[4:8] + "-" + code[8:]
	case CoverLength:
		return code[:4] + "-" + code[4:]
	}
	return code
}

// errURL reports an address that a QR code of useful size cannot hold.
var errURL = errors.New("address is empty or longer than 300 bytes")
