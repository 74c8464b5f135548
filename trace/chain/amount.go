package chain

import (
	"encoding/json"
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"
)

// maxAmount bounds an amount in smallest units: a thousand tonnes in milligrams.
const maxAmount = 1e15

// An Amount is an exact amount: a whole number of the smallest unit of what it
// measures, and the unit that people speak of. In JSON it is a decimal number, not
// rounded, and its unit.
type Amount struct {
	N    int64  // in milligrams, microlitres, or thousandths of any other unit
	Unit string // UCUM, or what people write on a farm
}

// scale returns what a unit measures, and how many smallest units are in one. A
// unit that is no mass and no volume, such as {box} or {head}, measures itself.
func scale(unit string) (dim string, n int64) {
	switch unit {
	case "mg":
		return "mg", 1
	case "g", "克":
		return "mg", 1e3
	case "kg", "公斤", "千克":
		return "mg", 1e6
	case "斤":
		return "mg", 5e5
	case "t", "吨":
		return "mg", 1e9
	case "uL":
		return "uL", 1
	case "mL", "毫升":
		return "uL", 1e3
	case "L", "升":
		return "uL", 1e6
	case "m3", "立方米":
		return "uL", 1e9
	default:
		return unit, 1e3
	}
}

// decimal is a number as people write it.
var decimal = regexp.MustCompile(`^[0-9]{1,15}(\.[0-9]{1,9})?$`)

// Measure reads a decimal number of a unit, exactly. Errors are *FieldError.
func Measure(number, unit string) (Amount, error) {
	if !decimal.MatchString(number) {
		return Amount{}, field("quantity", "is not a number such as 12.5")
	}
	if strings.TrimSpace(unit) == "" || len(unit) > maxUnit {
		return Amount{}, field("unit", "is empty or longer than %d bytes", maxUnit)
	}
	_, n := scale(unit)
	v, _ := new(big.Rat).SetString(number)
	v.Mul(v, new(big.Rat).SetInt64(n))
	if v.Cmp(new(big.Rat).SetInt64(maxAmount)) > 0 {
		return Amount{}, field("quantity", "is too large")
	}
	if !v.IsInt() {
		return Amount{}, field("quantity", "has too many decimals for its unit")
	}
	return Amount{v.Num().Int64(), unit}, nil
}

// Round returns v of a unit, rounded to the smallest unit; ok is false where that is
// nothing, or too much.
func Round(v float64, unit string) (a Amount, ok bool) {
	_, n := scale(unit)
	r := math.Round(v * float64(n))
	if !(r >= 1 && r <= maxAmount) {
		return Amount{}, false
	}
	return Amount{int64(r), unit}, true
}

// Dim returns what the amount measures. Amounts of one Dim can be added.
func (a Amount) Dim() string {
	dim, _ := scale(a.Unit)
	return dim
}

// In returns the amount in another unit of its Dim.
func (a Amount) In(unit string) (b Amount, ok bool) {
	dim, _ := scale(unit)
	return Amount{a.N, unit}, dim == a.Dim()
}

// Number returns the amount in its unit, as an exact decimal.
func (a Amount) Number() string {
	_, n := scale(a.Unit)
	digits := len(strconv.FormatInt(n, 10)) // one more than enough, for 斤
	s := new(big.Rat).SetFrac64(a.N, n).FloatString(digits)
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}

// Float returns the amount in its unit, as near as a float64 comes.
func (a Amount) Float() float64 {
	_, n := scale(a.Unit)
	return float64(a.N) / float64(n)
}

// String returns number and unit.
func (a Amount) String() string { return a.Number() + " " + a.Unit }

type amountJSON struct {
	Quantity json.Number `json:"quantity"`
	Unit     string      `json:"unit"`
}

func (a Amount) json() amountJSON { return amountJSON{json.Number(a.Number()), a.Unit} }

// MarshalJSON writes the exact number.
func (a Amount) MarshalJSON() ([]byte, error) { return json.Marshal(a.json()) }

// UnmarshalJSON reads what MarshalJSON wrote; *FieldError.
func (a *Amount) UnmarshalJSON(raw []byte) error {
	var in amountJSON
	if err := json.Unmarshal(raw, &in); err != nil {
		return err
	}
	var err error
	*a, err = Measure(in.Quantity.String(), in.Unit)
	return err
}
