package input

import (
	"math"
)

// Dimension is what an amount is an amount of. Amounts of different dimensions
// never convert: nobody here knows a density.
type Dimension uint8

// The dimensions of amounts.
const (
	Mass   Dimension = iota + 1 // in milligrams
	Volume                      // in microlitres
	Count                       // in thousandths: doses, tablets, animals
	Area                        // in thousandths of a square metre
)

// maxAmount bounds an amount: a billion tonnes in milligrams does not overflow.
const maxAmount = 1e15

// An Amount is a whole number of the smallest unit of its dimension.
type Amount struct {
	N   int64
	Dim Dimension
}

type unit struct {
	dim   Dimension
	scale float64 // smallest units in one
}

// lookup is the table of units: UCUM codes, and what people write on a farm.
func lookup(code string) (unit, bool) {
	switch code {
	case "mg":
		return unit{Mass, 1}, true
	case "g", "克":
		return unit{Mass, 1e3}, true
	case "kg", "公斤", "千克":
		return unit{Mass, 1e6}, true
	case "斤":
		return unit{Mass, 5e5}, true
	case "t", "吨":
		return unit{Mass, 1e9}, true
	case "uL", "ul":
		return unit{Volume, 1}, true
	case "mL", "ml", "毫升":
		return unit{Volume, 1e3}, true
	case "L", "l", "升":
		return unit{Volume, 1e6}, true
	case "m3", "立方米":
		return unit{Volume, 1e9}, true
	case "1", "{dose}", "{head}", "头份", "羽份", "头", "尾", "只":
		return unit{Count, 1e3}, true
	case "m2", "平方米":
		return unit{Area, 1e3}, true
	case "har", "ha", "hm2", "公顷": // UCUM: har
		return unit{Area, 1e7}, true
	case "[mu_chn]", "mu", "亩": // 1/15 ha
		return unit{Area, 1e7 / 15.}, true
	default:
		return unit{}, false
	}
}

// Measure returns v of a unit as an amount, rounded to its smallest unit. Errors
// are *FieldError, for unit or quantity.
func Measure(v float64, code string) (Amount, error) {
	u, known := lookup(code)
	if !known {
		return Amount{}, field("unit", "is not known; use mg, g, kg, t, mL, L, m3, {dose}, {head}, m2, [mu_chn] or har")
	}
	n := math.Round(v * u.scale)
	if !finite(v) || v < 0 || n > maxAmount {
		return Amount{}, field("quantity", "is negative or too large")
	}
	if n == 0 && v > 0 {
		return Amount{}, field("quantity", "is too small for its unit")
	}
	return Amount{int64(n), u.dim}, nil
}

// In returns the amount in a unit; ok is false where the unit measures something
// else.
func (a Amount) In(code string) (v float64, ok bool) {
	u, known := lookup(code)
	if !known || u.dim != a.Dim {
		return 0, false
	}
	return float64(a.N) / u.scale, true
}

// Basis is what a dose is reckoned by.
type Basis string

// The bases of doses.
const (
	PerArea  Basis = "area"  // of land or pond surface
	PerWater Basis = "water" // of volume of water
	PerBody  Basis = "body"  // of body mass
	PerFeed  Basis = "feed"  // of mass of feed
	PerHead  Basis = "head"  // of animals
)

func (b Basis) dimension() Dimension {
	switch b {
	case PerArea:
		return Area
	case PerWater:
		return Volume
	case PerBody, PerFeed:
		return Mass
	case PerHead:
		return Count
	default:
		return 0
	}
}

// A Dose is how much of a product goes on how much of its target: from Min to Max
// of Unit to each Per. The zero Dose means that the label states none.
type Dose struct {
	Min   float64 `json:"min"`
	Max   float64 `json:"max"`
	Unit  string  `json:"unit"` // "mL"
	Basis Basis   `json:"basis"`
	Per   string  `json:"per"` // "mu"
}

// IsZero reports whether no dose is stated.
func (d Dose) IsZero() bool { return d == Dose{} }

func (d Dose) check(at string) error {
	if d.IsZero() {
		return nil
	}
	if !(d.Min >= 0 && d.Max > 0 && d.Min <= d.Max) || !finite(d.Max) {
		return field(at+"max", "is not positive, or smaller than min")
	}
	if u, known := lookup(d.Unit); !known || u.dim == Area {
		return field(at+"unit", "is no unit of mass, volume or number")
	}
	if d.Basis.dimension() == 0 {
		return field(at+"basis", "is none of area, water, body, feed, head")
	}
	if u, known := lookup(d.Per); !known || u.dim != d.Basis.dimension() {
		return field(at+"per", "is no unit of the basis")
	}
	return nil
}

// Of returns the dose that a quantity on an extent is, in Unit to each Per; ok is
// false where one of them is of another dimension or the extent is nothing.
func (d Dose) Of(quantity, extent Amount) (v float64, ok bool) {
	q, fits := quantity.In(d.Unit)
	e, fitsToo := extent.In(d.Per)
	if !fits || !fitsToo || e <= 0 {
		return 0, false
	}
	return q / e, true
}

// Exceeds reports whether a dose is over the label's, beyond what rounding to the
// smallest unit can make.
func (d Dose) Exceeds(v float64) bool { return v > d.Max*(1+1e-9) }
