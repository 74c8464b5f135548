package farm

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// ErrUnit reports a unit in which a quantity cannot be given.
var ErrUnit = errors.New("unit does not fit")

// Convert returns v, which is in unit, in the unit of q, right to 15 digits and
// rounded to them: 300 K are 26.85 °C.
//
// Units are named by their UCUM code (case-sensitive), their name in SenML (RFC
// 8428 §12.1, RFC 8798) or as data sheets print them; one that is unknown, or not
// of the same kind as the quantity, is an ErrUnit that names both. "C" and "F"
// are coulomb and farad in both codes, and so no temperatures.
//
// Four customs of the field are followed: practical salinity, which has no unit,
// may be called ppt or ‰; ppm in water is mg/L; rain may be given as L/m²;
// dissolved oxygen may be given in µmol/L. And one is not: specific conductance
// is conductivity brought to 25 °C, so that a unit that says so ("mS/cm@25C")
// fits only the former.
func (q Quantity) Convert(v float64, unit string) (float64, error) {
	if unit == q.Unit {
		return v, nil
	}
	to, _ := q.scale()
	from, known := lookupUnit(normalUnit(unit))
	if !known {
		return 0, fmt.Errorf("%w: %q is not a known unit%s; %s is in %q", ErrUnit, unit, meant(unit), q.ID, q.Unit)
	}
	if from, ok := from.as(q, to); ok {
		return from.convert(v, to), nil
	}
	return 0, fmt.Errorf("%w: %q does not convert to %q of %s", ErrUnit, unit, q.Unit, q.ID)
}

// meant returns what to write in place of a unit that is often written wrong.
func meant(unit string) string {
	switch unit {
	case "C", "c", "cel", "CEL", "celsius", "Celsius":
		return ", write \"Cel\" or \"°C\""
	case "F", "f", "fahrenheit", "Fahrenheit":
		return ", write \"[degF]\" or \"°F\""
	default:
		return ""
	}
}

// InVocabulary returns v, which is in unit, in the unit that the vocabulary has
// for its kind, and that unit's code; ok is false where the unit is unknown, or
// the vocabulary has none or several: a length may be a depth or rain.
func InVocabulary(v float64, unit string) (x float64, code string, ok bool) {
	from, _ := lookupUnit(normalUnit(unit))
	var to scale
	for _, q := range Quantities() {
		s, known := lookupUnit(q.Unit)
		if !known || from.kind == ofNothing || s.kind != from.kind || q.Unit == code {
			continue
		}
		if code != "" {
			return 0, "", false
		}
		to, code = s, q.Unit
	}
	if code == "" {
		return 0, "", false
	}
	return from.convert(v, to), code, true
}

// ConvertValue returns v, which is in the unit from, in the unit to, right to 15 digits;
// false where either is unknown or they are not of one kind.
func ConvertValue(v float64, from, to string) (float64, bool) {
	a, b, ok := alike(from, to)
	if !ok {
		return 0, false
	}
	return a.convert(v, b), true
}

// ConvertDifference is ConvertValue for the difference of two values: 9 degrees Fahrenheit
// are 5 kelvins.
func ConvertDifference(v float64, from, to string) (float64, bool) {
	a, b, ok := alike(from, to)
	if !ok {
		return 0, false
	}
	a.zero, b.zero = 0, 0
	return a.convert(v, b), true
}

func alike(from, to string) (a, b scale, ok bool) {
	a, _ = lookupUnit(normalUnit(from))
	b, _ = lookupUnit(normalUnit(to))
	return a, b, a.kind != ofNothing && a.kind == b.kind
}

// A scale is a unit as its kind's base unit has it: base = factor·v + zero.
type scale struct {
	kind   unitKind
	factor float64
	zero   float64
}

// A unitKind is a set of units that convert into each other.
type unitKind uint8

const (
	ofNothing   unitKind = iota
	temperature          // base °C
	ratio
	relativeHumidity
	oxygenSaturation
	waterContent
	charge
	salinity
	switched
	conductivity
	at25
	acidity
	concentration // base kg/m³
	amount        // base µmol/L
	turbidity
	length
	areal
	speed
	illuminance
	volume
	voltage
	pressure
	irradiance
	power
	gain
	angle
)

// convert returns v of the unit s in the unit to, which is of the same kind.
func (s scale) convert(v float64, to scale) float64 {
	if s == to {
		return v
	}
	x := (v*s.factor + s.zero - to.zero) / to.factor
	// What a difference has lost, it has lost of its larger part.
	largest := max(math.Abs(x), math.Abs(s.zero/to.factor), math.Abs(to.zero/to.factor))
	if largest == 0 || math.IsInf(largest, 0) {
		return x
	}
	digits := max(0, 14-int(math.Floor(math.Log10(largest))))
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(x, 'f', digits, 64), 64)
	if err != nil {
		return x
	}
	return rounded + 0 // no negative zero
}

// scale returns the scale of the quantity's own unit.
func (q Quantity) scale() (scale, bool) {
	switch q.ID {
	case "water.salinity":
		return scale{salinity, 1, 0}, true
	case "water.specific_conductance":
		return scale{at25, 0.1, 0}, true
	case "device.aerator", "device.feeder":
		return scale{switched, 1, 0}, true
	}
	return lookupUnit(q.Unit)
}

// as returns s as a scale of the kind that q is in, where the one may stand for
// the other.
func (s scale) as(q Quantity, to scale) (scale, bool) {
	switch {
	case s.kind == to.kind:
	case s.kind == ratio && s.factor == 1e-6 && to.kind == concentration && q.Medium() == Water:
		s.factor = 1e-3 // ppm of water, kg/m³
	case s.kind == ratio && s.factor == 1e-3 && to.kind == salinity, // ppt, ‰
		s.kind == ratio && s.factor == 1 && (to.kind == salinity || to.kind == switched):
		s.factor = 1
	case s.kind == conductivity && to.kind == at25: // the quantity says what the unit leaves open
	case s.kind == relativeHumidity && q.ID == "air.humidity",
		s.kind == oxygenSaturation && q.ID == "water.oxygen_saturation",
		s.kind == waterContent && q.ID == "soil.moisture":
	case s.kind == amount && q.ID == "water.dissolved_oxygen":
		s.factor *= 31.9988e-6 // g/mol of O₂
	case s.kind == areal && q.ID == "air.rain":
	default:
		return scale{}, false
	}
	s.kind = to.kind
	return s, true
}

// normalUnit brings what data sheets print to the spelling of the table: micro
// and degree signs, raised digits, the square characters of Chinese typefaces,
// and products with negative powers ("mg·L⁻¹").
func normalUnit(unit string) string {
	plain := true
	for i := range len(unit) {
		plain = plain && 0x20 < unit[i] && unit[i] < 0x80 && unit[i] != '.'
	}
	if plain {
		return unit
	}
	unit = strings.NewReplacer("µ", "u", "μ", "u", "℃", "Cel", "°C", "Cel", "℉", "[degF]", "°F", "[degF]", "％", "%",
		"³", "3", "²", "2", "¹", "1", "⁻", "-", "−", "-", "·", ".", "⋅", ".", "•", ".", "／", "/",
		"㎎", "mg", "㎍", "ug", "㎏", "kg", "㎜", "mm", "㎝", "cm", "㎞", "km", "㎡", "m2", "㎥", "m3", "㎖", "mL", "ℓ", "L",
		"㎷", "mV", "㎩", "Pa", "㎪", "kPa", "㏗", "pH").Replace(strings.TrimSpace(unit))
	if !strings.Contains(unit, "-") {
		return strings.ReplaceAll(unit, " ", "")
	}
	factors := strings.FieldsFunc(unit, func(r rune) bool { return r == '.' || r == ' ' })
	for i := 1; i < len(factors); i++ {
		base, power, divides := strings.Cut(factors[i], "-")
		if !divides || base == "" {
			return unit
		}
		factors[i] = "/" + base + strings.TrimPrefix(power, "1")
	}
	return strings.Join(factors, "")
}

// lookupUnit is the table of units. Codes of one line mean the same.
func lookupUnit(code string) (scale, bool) {
	switch code {
	case "Cel", "degC":
		return scale{temperature, 1, 0}, true
	case "K":
		return scale{temperature, 1, -273.15}, true
	case "[degF]", "degF":
		return scale{temperature, 5. / 9, -160. / 9}, true

	case "1", "/", "{1}":
		return scale{ratio, 1, 0}, true
	case "%", "/100":
		return scale{ratio, 1e-2, 0}, true
	case "[ppth]", "ppt", "‰", "/1000", "1e-3", "10*-3":
		return scale{ratio, 1e-3, 0}, true
	case "[ppm]", "ppm":
		return scale{ratio, 1e-6, 0}, true
	case "[ppb]", "ppb":
		return scale{ratio, 1e-9, 0}, true
	case "%RH", "%{RH}":
		return scale{relativeHumidity, 1e-2, 0}, true
	case "%sat", "%{sat}":
		return scale{oxygenSaturation, 1e-2, 0}, true
	case "%VWC", "%{VWC}":
		return scale{waterContent, 1e-2, 0}, true
	case "m3/m3", "cm3/cm3":
		return scale{waterContent, 1, 0}, true
	case "%EL":
		return scale{charge, 1e-2, 0}, true
	case "PSU", "psu", "{PSU}", "[psu]":
		return scale{salinity, 1, 0}, true

	case "S/cm":
		return scale{conductivity, 100, 0}, true
	case "S/m":
		return scale{conductivity, 1, 0}, true
	case "mS/cm", "dS/m", "mmho/cm":
		return scale{conductivity, 0.1, 0}, true
	case "mS/m":
		return scale{conductivity, 1e-3, 0}, true
	case "uS/cm", "umho/cm":
		return scale{conductivity, 1e-4, 0}, true
	case "S/m@25C", "S/m@25Cel", "S/m{25Cel}":
		return scale{at25, 1, 0}, true
	case "mS/cm@25C", "mS/cm@25Cel", "mS/cm{25Cel}", "dS/m@25Cel", "dS/m{25Cel}":
		return scale{at25, 0.1, 0}, true
	case "uS/cm@25C", "uS/cm@25Cel", "uS/cm{25Cel}":
		return scale{at25, 1e-4, 0}, true

	case "[pH]", "pH":
		return scale{acidity, 1, 0}, true
	case "{NTU}", "NTU":
		return scale{turbidity, 1, 0}, true
	default:
		return lookupSIUnit(code)
	}
}

func lookupSIUnit(code string) (scale, bool) {
	switch code {
	case "kg/m3", "g/L", "g/l":
		return scale{concentration, 1, 0}, true
	case "mg/L", "mg/l", "g/m3", "mg/dm3", "ug/mL", "ug/ml":
		return scale{concentration, 1e-3, 0}, true
	case "ug/L", "ug/l", "mg/m3":
		return scale{concentration, 1e-6, 0}, true
	case "umol/L", "umol/l", "uM", "mmol/m3":
		return scale{amount, 1, 0}, true
	case "mmol/L", "mmol/l", "mol/m3":
		return scale{amount, 1e3, 0}, true
	case "ug/m3":
		return scale{concentration, 1e-9, 0}, true

	case "m":
		return scale{length, 1, 0}, true
	case "km":
		return scale{length, 1e3, 0}, true
	case "cm":
		return scale{length, 1e-2, 0}, true
	case "mm":
		return scale{length, 1e-3, 0}, true
	case "[ft_i]", "ft":
		return scale{length, 0.3048, 0}, true
	case "[in_i]", "in":
		return scale{length, 0.0254, 0}, true
	case "L/m2", "l/m2":
		return scale{areal, 1e-3, 0}, true

	case "m/s":
		return scale{speed, 1, 0}, true
	case "km/h":
		return scale{speed, 1 / 3.6, 0}, true
	case "[kn_i]", "kn":
		return scale{speed, 1852. / 3600, 0}, true
	case "[mi_i]/h", "mph":
		return scale{speed, 0.44704, 0}, true

	case "m3":
		return scale{volume, 1, 0}, true
	case "L", "l":
		return scale{volume, 1e-3, 0}, true
	case "mL", "ml":
		return scale{volume, 1e-6, 0}, true

	case "V":
		return scale{voltage, 1, 0}, true
	case "mV":
		return scale{voltage, 1e-3, 0}, true
	case "lx", "lux":
		return scale{illuminance, 1, 0}, true
	case "klx":
		return scale{illuminance, 1e3, 0}, true
	case "W/m2":
		return scale{irradiance, 1, 0}, true
	case "dB[mW]", "dBm":
		return scale{power, 1, 0}, true
	case "dB[W]", "dBW":
		return scale{power, 1, 30}, true
	case "dB":
		return scale{gain, 1, 0}, true
	case "deg":
		return scale{angle, 1, 0}, true

	case "Pa":
		return scale{pressure, 1, 0}, true
	case "hPa", "mbar":
		return scale{pressure, 1e2, 0}, true
	case "kPa":
		return scale{pressure, 1e3, 0}, true
	case "MPa":
		return scale{pressure, 1e6, 0}, true
	case "bar":
		return scale{pressure, 1e5, 0}, true
	case "atm":
		return scale{pressure, 101325, 0}, true
	case "[psi]", "psi":
		return scale{pressure, 6894.757293168361, 0}, true
	case "mm[Hg]", "mmHg":
		return scale{pressure, 133.322, 0}, true
	case "m[H2O]":
		return scale{pressure, 9806.65, 0}, true
	default:
		return scale{}, false
	}
}
