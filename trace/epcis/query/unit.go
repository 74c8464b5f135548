package query

import (
	"slices"
	"strings"

	"tianhai/farm"
)

// A unit is one of UN/CEFACT Recommendation 20, in which events give what sensors
// measured, and what UCUM calls it.
type unit struct{ code, ucum string }

// units are those that the queries convert. Others are compared as they are written.
func units() []unit {
	return []unit{
		{"CEL", "Cel"},
		{"FAH", "[degF]"},
		{"KEL", "K"},
		{"P1", "%"},
		{"NX", "[ppth]"},
		{"59", "[ppm]"},
		{"61", "[ppb]"},
		{"KMQ", "kg/m3"},
		{"GL", "g/L"},
		{"A93", "g/m3"},
		{"M1", "mg/L"},
		{"GP", "mg/m3"},
		{"H29", "ug/L"},
		{"GQ", "ug/m3"},
		{"D10", "S/m"},
		{"H61", "mS/cm"},
		{"G42", "uS/cm"},
		{"KMT", "km"},
		{"MTR", "m"},
		{"CMT", "cm"},
		{"MMT", "mm"},
		{"FOT", "[ft_i]"},
		{"INH", "[in_i]"},
		{"MTS", "m/s"},
		{"KMH", "km/h"},
		{"KNT", "[kn_i]"},
		{"HM", "[mi_i]/h"},
		{"MTQ", "m3"},
		{"LTR", "L"},
		{"MLT", "mL"},
		{"MPA", "MPa"},
		{"KPA", "kPa"},
		{"A97", "hPa"},
		{"PAL", "Pa"},
		{"BAR", "bar"},
		{"MBR", "mbar"},
		{"ATM", "atm"},
		{"PS", "[psi]"},
		{"HN", "mm[Hg]"},
		{"VLT", "V"},
		{"2Z", "mV"},
		{"LUX", "lx"},
		{"KLX", "klx"},
	}
}

// A Reading is a field in another unit, and the numbers of a condition in that unit.
type Reading struct {
	Field   string
	Numbers []float64
}

// elsewhere returns what a condition on what a sensor measured says of the same
// quantity in other units; nothing of other fields.
func elsewhere(field string, numbers []float64) []Reading {
	name, code, _ := strings.Cut(field, "_")
	all := units()
	i := slices.IndexFunc(all, func(u unit) bool { return u.code == code })
	if i < 0 || name == "quantity" {
		return nil
	}
	convert := farm.ConvertValue
	if name == "sDev" {
		convert = farm.ConvertDifference
	}
	var out []Reading
	for _, to := range all {
		r := Reading{Field: name + "_" + to.code}
		for _, n := range numbers {
			if x, ok := convert(n, all[i].ucum, to.ucum); ok && to.code != code {
				r.Numbers = append(r.Numbers, x)
			}
		}
		if len(numbers) > 0 && len(r.Numbers) == len(numbers) {
			out = append(out, r)
		}
	}
	return out
}
