package press

import "tianhai/trace/label"

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
	url        string
}

// minModule is the smallest module of a code, in mm: what a phone of some years
// ago reads from a hand's distance, and three dots of the coarsest printer.
const minModule = 0.375

// encode returns the code of an address at a place; ok is false where side is too
// small for it.
func encode(url string, x, y, side float64) (c code, ok bool, err error) {
	modules, err := label.Modules(url)
	if err != nil {
		return code{}, false, err
	}
	return code{x: x, y: y, side: side, modules: modules, url: url}, side/float64(len(modules)) >= minModule, nil
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
