package press

import (
	"math"

	"tianhai/trace/label"
)

// A drawing is a label laid out, in mm from its upper left corner.
type drawing struct {
	width, height float64
	texts         []text
	codes         []code
}

// A text is one line; y is its baseline.
type text struct {
	x, y, size float64
	s          string
}

// A code is a QR code with its quiet zone.
type code struct {
	x, y, side float64
	modules    [][]bool
}

// minModule is the smallest module of a code, in mm: what a phone of some years
// ago reads from a hand's distance, and three dots of the coarsest printer.
const minModule = 0.375

// A paper is what a label is laid out on, in mm.
type paper struct {
	width, height float64
	dpi           int // 0: shapes, which are not of dots
}

// encode returns the code of an address, and the least side that it is read at. On dots
// a module is whole dots, as many as make it large enough.
func (p paper) encode(url string) (c code, least float64, err error) {
	modules, err := label.Modules(url)
	if err != nil {
		return code{}, 0, err
	}
	module := minModule
	if p.dpi > 0 {
		dot := 25.4 / float64(p.dpi)
		module = math.Ceil(minModule/dot) * dot
	}
	return code{modules: modules}, module * float64(len(modules)), nil
}

// runs calls draw for every run of dark modules of a row.
func (c code) runs(draw func(x, y, length int)) {
	for y, row := range c.modules {
		for x := 0; x < len(row); x++ {
			n := 0
			for x+n < len(row) && row[x+n] {
				n++
			}
			if n > 0 {
				draw(x, y, n)
				x += n
			}
		}
	}
}
