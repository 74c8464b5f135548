package press

import (
	_ "embed"
	"fmt"
	"sync"
	"unicode"

	"golang.org/x/image/font"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
)

// Noto Sans SC, reduced by font/subset.py; its licence is font/OFL.txt.
//
//go:embed font/NotoSansSC.ttf
var fontFile []byte

// unitsPerEm is the grid on which the font is drawn, and the size at which it is
// measured, so that nothing is rounded.
const unitsPerEm = 1000

// A face knows the font's characters: which there are, how wide, what shape.
type face struct {
	font   *sfnt.Font
	glyphs sync.Map // of rune → glyph: those that were asked for
}

func newFace() (*face, error) {
	f, err := sfnt.Parse(fontFile)
	if err != nil {
		return nil, fmt.Errorf("read label font: %w", err)
	}
	if f.UnitsPerEm() != unitsPerEm {
		return nil, fmt.Errorf("read label font: %d units per em", f.UnitsPerEm())
	}
	return &face{font: f}, nil
}

// A glyph is a character of the font; widths are parts of the font's size.
type glyph struct {
	index sfnt.GlyphIndex
	width float64
}

// glyph returns a character; ok is false where the font does not have it.
func (f *face) glyph(buf *sfnt.Buffer, r rune) (g glyph, ok bool) {
	if known, ok := f.glyphs.Load(r); ok {
		return known.(glyph), true
	}
	index, err := f.font.GlyphIndex(buf, r)
	if err != nil || index == 0 {
		return glyph{}, false
	}
	advance, err := f.font.GlyphAdvance(buf, index, fixed.I(unitsPerEm), font.HintingNone)
	if err != nil {
		return glyph{}, false
	}
	g = glyph{index, float64(advance) / 64 / unitsPerEm}
	f.glyphs.Store(r, g)
	return g, true
}

// width returns how wide a text is, as a multiple of its size.
func (f *face) width(buf *sfnt.Buffer, s string) float64 {
	sum := 0.0
	for _, r := range s {
		g, _ := f.glyph(buf, r)
		sum += g.width
	}
	return sum
}

// missing returns the first character that the font does not have; 0 for none.
func (f *face) missing(buf *sfnt.Buffer, s string) rune {
	for _, r := range s {
		if _, ok := f.glyph(buf, r); !ok {
			return r
		}
	}
	return 0
}

// clean puts a text on one line: line ends and tabs become spaces, characters
// that nobody sees are left out.
func clean(s string) string {
	var out []rune
	for _, r := range s {
		switch {
		case r == '\ufe0e' || r == '\ufe0f' || r == '\u200b' || r == '\ufeff' || r == '\u00ad':
		case unicode.IsSpace(r) && r != '\u3000':
			if len(out) > 0 && out[len(out)-1] != ' ' {
				out = append(out, ' ')
			}
		default:
			out = append(out, r)
		}
	}
	for len(out) > 0 && out[len(out)-1] == ' ' {
		out = out[:len(out)-1]
	}
	return string(out)
}

// outline calls draw for every contour of a text whose baseline begins at x, y in
// mm, at a size in mm.
func (f *face) outline(buf *sfnt.Buffer, t text, to contours) error {
	x := t.x
	for _, r := range t.s {
		g, ok := f.glyph(buf, r)
		if !ok {
			return &FitError{Text: t.s, Missing: r}
		}
		segments, err := f.font.LoadGlyph(buf, g.index, fixed.I(unitsPerEm), nil)
		if err != nil {
			return fmt.Errorf("draw %q: %w", r, err)
		}
		at := func(p fixed.Point26_6) (float64, float64) {
			return x + float64(p.X)/64/unitsPerEm*t.size, t.y + float64(p.Y)/64/unitsPerEm*t.size
		}
		for _, s := range segments {
			ax, ay := at(s.Args[0])
			switch s.Op {
			case sfnt.SegmentOpMoveTo:
				to.move(ax, ay)
			case sfnt.SegmentOpLineTo:
				to.line(ax, ay)
			default: // a font of TrueType outlines has no cubic curves
				bx, by := at(s.Args[1])
				to.curve(ax, ay, bx, by)
			}
		}
		x += g.width * t.size
	}
	return nil
}

// contours takes the shapes of characters, in mm.
type contours interface {
	move(x, y float64)
	line(x, y float64)
	curve(controlX, controlY, x, y float64)
}
