package press

import (
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/image/font/sfnt"
)

// lineHeight is how far lines are apart, and ascent how far their baseline is
// below their top, as multiples of the size.
const lineHeight, ascent = 1.28, 0.98

// minSize is the smallest text, in mm: its figures are 1.4 mm high and its Chinese
// characters 1.8 mm, which is what GB 7718 asks of the words on a packet.
const minSize = 2.0

// A FitError says which text a label cannot hold.
type FitError struct {
	Text          string
	Missing       rune    // a character that the font does not have, or 0: too long
	Width, Height float64 // of the label, in mm
}

// Error tells the case in English, for command lines.
func (e *FitError) Error() string {
	if e.Missing != 0 {
		return fmt.Sprintf("the font of labels does not have %q (%U), in %q", e.Missing, e.Missing, e.Text)
	}
	if e.Text == "" {
		return fmt.Sprintf("a label of %v × %v mm is too small for its code; take a larger one", e.Width, e.Height)
	}
	return fmt.Sprintf("%q does not fit on a label of %v × %v mm; shorten it or take a larger label", e.Text, e.Width, e.Height)
}

// closing may not begin a line, opening may not end one.
const (
	closing = "、。，．：；？！）】》」』”’…·%℃,.:;?!)]}-"
	opening = "（【《「『“‘([{"
)

// wrap breaks a text into lines of at most width, at the size given. Chinese is
// broken between any two characters, words of other scripts between words; a word
// that is wider than a line, such as an identifier, anywhere.
func (f *face) wrap(buf *sfnt.Buffer, s string, size, width float64) []string {
	var lines []string
	runes := []rune(s)
	for len(runes) > 0 {
		n, sum := 0, 0.0
		for n < len(runes) {
			g, _ := f.glyph(buf, runes[n])
			if sum += g.width * size; sum > width && n > 0 {
				break
			}
			n++
		}
		if n < len(runes) {
			n = breakBefore(runes, n)
		}
		lines = append(lines, strings.TrimSpace(string(runes[:n])))
		for runes = runes[n:]; len(runes) > 0 && runes[0] == ' '; runes = runes[1:] {
			continue
		}
	}
	return lines
}

// breakBefore returns where to break at n or before it.
func breakBefore(runes []rune, n int) int {
	for i := n; i > 0; i-- {
		before, after := runes[i-1], runes[i]
		if strings.ContainsRune(closing, after) || strings.ContainsRune(opening, before) {
			continue
		}
		if after == ' ' || before == ' ' || ideograph(before) || ideograph(after) || before == '-' || before == '/' {
			return i
		}
	}
	return n
}

func ideograph(r rune) bool {
	return unicode.Is(unicode.Han, r) || r >= 0x3000 && r < 0x3100 || r >= 0xff00 && r < 0xfff0
}
