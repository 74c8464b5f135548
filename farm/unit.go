package farm

import (
	"errors"
	"fmt"
	"strings"
)

// ErrUnit reports a unit in which a quantity cannot be given.
var ErrUnit = errors.New("unit does not fit")

// Convert returns v, which is in unit, in the unit of q.
//
// Units are named by their UCUM code, their name in SenML (RFC 8428 §12.1,
// RFC 8798) or as data sheets print them; one that is unknown, or not of the
// same kind as the quantity, is an ErrUnit that names both. Three customs of the
// field are followed: practical salinity, which has no unit, may be called ppt
// or ‰; ppm in water is mg/L; rain may be given as L/m². And one is not:
// specific conductance is conductivity brought to 25 °C, so that a unit that says
// so ("mS/cm@25C") fits only the former.
func (q Quantity) Convert(v float64, unit string) (float64, error) {
	if unit == q.Unit {
		return v, nil
	}
	to, _ := q.scale()
	from, known := lookupUnit(normalUnit(unit))
	if !known {
		return 0, fmt.Errorf("%w: %q is not a known unit; %s is in %q", ErrUnit, unit, q.ID, q.Unit)
	}
	if from, ok := from.as(q, to); ok {
		if from == to {
			return v, nil
		}
		return (v*from.factor + from.zero - to.zero) / to.factor, nil
	}
	return 0, fmt.Errorf("%w: %q does not convert to %q of %s", ErrUnit, unit, q.Unit, q.ID)
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
	ofNothing unitKind = iota
	temperature
	ratio
	relativeHumidity
	charge
	salinity
	switched
	conductivity
	at25
	acidity
	concentration
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
	case s.kind == relativeHumidity && q.ID == "air.humidity":
	case s.kind == areal && q.ID == "air.rain":
	default:
		return scale{}, false
	}
	s.kind = to.kind
	return s, true
}

// normalUnit brings the micro signs, and the degree signs of data sheets, to one.
func normalUnit(unit string) string {
	for i := range len(unit) {
		if unit[i] >= 0x80 || unit[i] == ' ' {
			return strings.NewReplacer("µ", "u", "μ", "u", "℃", "Cel", "°C", "Cel", "℉", "[degF]", "°F", "[degF]",
				"³", "3", "²", "2", " ", "").Replace(unit)
		}
	}
	return unit
}

// lookupUnit is the table of units. Codes of one line mean the same.
func lookupUnit(code string) (scale, bool) {
	switch code {
	case "Cel", "degC", "C":
		return scale{temperature, 1, 273.15}, true
	case "K":
		return scale{temperature, 1, 0}, true
	case "[degF]", "degF", "F":
		return scale{temperature, 5. / 9, 459.67 * 5 / 9}, true

	case "1", "/", "{1}":
		return scale{ratio, 1, 0}, true
	case "%", "/100":
		return scale{ratio, 1e-2, 0}, true
	case "[ppth]", "ppt", "‰", "/1000":
		return scale{ratio, 1e-3, 0}, true
	case "[ppm]", "ppm":
		return scale{ratio, 1e-6, 0}, true
	case "[ppb]", "ppb":
		return scale{ratio, 1e-9, 0}, true
	case "%RH", "%{RH}":
		return scale{relativeHumidity, 1e-2, 0}, true
	case "%EL":
		return scale{charge, 1e-2, 0}, true
	case "PSU", "psu", "{PSU}", "[psu]":
		return scale{salinity, 1, 0}, true

	case "S/m":
		return scale{conductivity, 1, 0}, true
	case "mS/cm", "dS/m":
		return scale{conductivity, 0.1, 0}, true
	case "mS/m":
		return scale{conductivity, 1e-3, 0}, true
	case "uS/cm":
		return scale{conductivity, 1e-4, 0}, true
	case "S/m@25C", "S/m{25Cel}":
		return scale{at25, 1, 0}, true
	case "mS/cm@25C", "mS/cm@25Cel", "mS/cm{25Cel}":
		return scale{at25, 0.1, 0}, true
	case "uS/cm@25C", "uS/cm@25Cel", "uS/cm{25Cel}":
		return scale{at25, 1e-4, 0}, true

	case "[pH]", "pH":
		return scale{acidity, 1, 0}, true
	case "{NTU}", "NTU", "[NTU]":
		return scale{turbidity, 1, 0}, true
	default:
		return lookupSIUnit(code)
	}
}

func lookupSIUnit(code string) (scale, bool) {
	switch code {
	case "kg/m3", "g/L", "g/l":
		return scale{concentration, 1, 0}, true
	case "mg/L", "mg/l", "g/m3":
		return scale{concentration, 1e-3, 0}, true
	case "ug/L", "ug/l", "mg/m3":
		return scale{concentration, 1e-6, 0}, true
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
	case "lx":
		return scale{illuminance, 1, 0}, true
	case "klx":
		return scale{illuminance, 1e3, 0}, true
	case "W/m2":
		return scale{irradiance, 1, 0}, true
	case "dB[mW]", "dBm":
		return scale{power, 1, 0}, true
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
		return scale{pressure, 133.322387415, 0}, true
	default:
		return scale{}, false
	}
}
