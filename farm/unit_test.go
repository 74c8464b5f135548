package farm_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"tianhai/farm"
)

func TestConvert(t *testing.T) {
	for name, tt := range map[string]struct {
		quantity string
		x        float64
		unit     string
		want     float64
	}{
		"own unit":              {"water.dissolved_oxygen", 6.8, "mg/L", 6.8},
		"Fahrenheit":            {"air.temperature", 212, "[degF]", 100},
		"Fahrenheit as printed": {"air.temperature", 32, "°F", 0},
		"kelvin":                {"water.temperature", 273.15, "K", 0},
		"degree sign":           {"water.temperature", 12.5, "℃", 12.5},
		"microsiemens":          {"water.conductivity", 48200, "uS/cm", 48.2},
		"Greek mu":              {"water.conductivity", 48200, "μS/cm", 48.2},
		"micro sign":            {"water.specific_conductance", 48200, "µS/cm", 48.2},
		"SenML conductivity":    {"water.conductivity", 4.82, "S/m", 48.2},
		"brought to 25 °C":      {"water.specific_conductance", 48200, "µS/cm@25°C", 48.2},
		"ratio":                 {"soil.moisture", 0.31, "/", 31},
		"SenML humidity":        {"air.humidity", 64, "%RH", 64},
		"ppm in water":          {"water.dissolved_oxygen", 6.8, "ppm", 6.8},
		"micrograms":            {"water.dissolved_oxygen", 6800, "ug/L", 6.8},
		"ppb in air":            {"air.ammonia", 2500, "ppb", 2.5},
		"per mille salinity":    {"water.salinity", 31.2, "‰", 31.2},
		"PSU":                   {"water.salinity", 31.2, "PSU", 31.2},
		"knots":                 {"air.wind_speed", 9, "[kn_i]", 4.63},
		"rain by area":          {"air.rain", 3, "L/m2", 3},
		"inches of rain":        {"air.rain", 2, "in", 50.8},
		"feet":                  {"water.depth", 10, "[ft_i]", 3.048},
		"millivolts":            {"device.battery", 3600, "mV", 3.6},
		"on":                    {"device.aerator", 1, "1", 1},
		"cubic metres":          {"animal.water_intake", 1.5, "m3", 1500},
		"pH":                    {"water.ph", 8.1, "pH", 8.1},
		"turbidity":             {"water.turbidity", 12, "NTU", 12},
		"kilolux":               {"air.illuminance", 55, "klx", 55000},
		"degree Celsius in SI":  {"water.temperature", 300, "K", 26.85},
		"Fahrenheit, tenths":    {"water.temperature", 98.6, "[degF]", 37},
		"Fahrenheit sign":       {"air.temperature", -40, "℉", -40},
		"conductivity in UCUM":  {"water.conductivity", 48200, "uS.cm-1", 48.2},
		"raised minus":          {"water.conductivity", 48.2, "mS·cm⁻¹", 48.2},
		"American":              {"water.conductivity", 48200, "umho/cm", 48.2},
		"millisiemens by metre": {"water.conductivity", 4820, "mS/m", 48.2},
		"siemens at 25 °C":      {"water.specific_conductance", 4.82, "S/m @ 25 °C", 48.2},
		"oxygen with raised":    {"water.dissolved_oxygen", 6.8, "mg·L⁻¹", 6.8},
		"oxygen with space":     {"water.dissolved_oxygen", 6.8, "mg L-1", 6.8},
		"square characters":     {"water.dissolved_oxygen", 6.8, "㎎/ℓ", 6.8},
		"oxygen of an optode":   {"water.dissolved_oxygen", 250, "µmol/L", 7.9997},
		"kilogram":              {"water.dissolved_oxygen", 0.0068, "kg/m3", 6.8},
		"saturation":            {"water.oxygen_saturation", 96, "% sat", 96},
		"SenML hundredths":      {"water.oxygen_saturation", 96, "/100", 96},
		"volumetric":            {"soil.moisture", 0.31, "m³/m³", 31},
		"volumetric per cent":   {"soil.moisture", 31, "%VWC", 31},
		"full-width percent":    {"air.humidity", 64, "％", 64},
		"humidity ratio":        {"air.humidity", 0.64, "1", 64},
		"salinity of CF":        {"water.salinity", 31.2, "1e-3", 31.2},
		"metre per second":      {"air.wind_speed", 3.5, "m.s-1", 3.5},
		"kilometres per hour":   {"air.wind_speed", 36, "km/h", 10},
		"miles per hour":        {"air.wind_speed", 10, "[mi_i]/h", 4.4704},
		"rain in UCUM":          {"air.rain", 2, "[in_i]", 50.8},
		"lux":                   {"air.illuminance", 55000, "lux", 55000},
	} {
		t.Run(name, func(t *testing.T) {
			q, _ := farm.LookupQuantity(tt.quantity)
			got, err := q.Convert(tt.x, tt.unit)
			if err != nil || got != tt.want {
				t.Errorf("%v %s is %v %s, error %v; want %v", tt.x, tt.unit, got, q.Unit, err, tt.want)
			}
		})
	}
}

func TestConvertRefuses(t *testing.T) {
	for name, tt := range map[string]struct{ quantity, unit string }{
		"another kind":                     {"water.temperature", "kPa"},
		"unknown":                          {"water.temperature", "furlong"},
		"empty":                            {"water.temperature", ""},
		"specific conductance":             {"water.conductivity", "mS/cm@25C"},
		"percent salinity":                 {"water.salinity", "%"},
		"absolute salinity":                {"water.salinity", "g/kg"},
		"ppm of gas is not mass by volume": {"air.ammonia", "mg/m3"},
		"battery level is no voltage":      {"device.battery", "%EL"},
		"humidity of air is not of soil":   {"soil.moisture", "%RH"},
		"per mille of a switch":            {"device.aerator", "‰"},
		"depth from pressure":              {"water.depth", "kPa"},
		"another turbidity":                {"water.turbidity", "FNU"},
		"coulomb":                          {"water.temperature", "C"},
		"farad":                            {"air.temperature", "F"},
		"upper case":                       {"water.temperature", "CEL"},
		"milli is not mega":                {"water.dissolved_oxygen", "Mg/L"},
		"by mass of water":                 {"water.dissolved_oxygen", "umol/kg"},
		"amount of another substance":      {"air.ammonia", "umol/L"},
		"saturation is not soil moisture":  {"soil.moisture", "% sat"},
		"soil moisture is not saturation":  {"water.oxygen_saturation", "m3/m3"},
		"trillionths":                      {"water.salinity", "[pptr]"},
		"pressure is no depth":             {"water.depth", "m[H2O]"},
		"conductance without length":       {"water.conductivity", "mS"},
		"lonely power":                     {"water.temperature", "-1"},
	} {
		t.Run(name, func(t *testing.T) {
			q, _ := farm.LookupQuantity(tt.quantity)
			v, err := q.Convert(1, tt.unit)
			if !errors.Is(err, farm.ErrUnit) || !strings.Contains(err.Error(), `"`+tt.unit+`"`) || !strings.Contains(err.Error(), `"`+q.Unit+`"`) {
				t.Errorf("%v, error %v; want one that names both units", v, err)
			}
		})
	}
}

// Every quantity can be given in its own unit, and through another one.
func TestConvertKnowsTheVocabulary(t *testing.T) {
	for _, q := range farm.Quantities() {
		if v, err := q.Convert(7, " "+q.Unit+" "); err != nil || math.Abs(v-7) > 1e-9 {
			t.Errorf("%s: 7 %s is %v, error %v", q.ID, q.Unit, v, err)
		}
	}
}

// What converts is a straight line, so that the way back is one too; and one that
// keeps 13 of 15 digits.
func TestConvertIsAffine(t *testing.T) {
	units := []string{
		"Cel", "K", "[degF]", "1", "%", "‰", "[ppm]", "[ppb]", "S/m", "mS/cm", "uS/cm", "mS/m", "mS/cm@25C", "mg/L", "ug/L", "kg/m3",
		"umol/L", "m", "km", "cm", "mm", "[ft_i]", "[in_i]", "L/m2", "m/s", "km/h", "[kn_i]", "lx", "klx", "m3", "L", "mL", "V", "mV", "[pH]",
	}
	for _, q := range farm.Quantities() {
		for _, unit := range units {
			zero, err := q.Convert(0, unit)
			if err != nil {
				continue
			}
			one, _ := q.Convert(1e6, unit)
			for _, x := range []float64{-273.15, -40, -1e-9, 1. / 3, 7.25, 98.6, 31536, 1e9} {
				y, _ := q.Convert(x, unit)
				slope := (one - zero) / 1e6
				if back := (y - zero) / slope; math.Abs(back-x) > 1e-12*max(math.Abs(x), math.Abs(zero/slope), 1e-9) {
					t.Errorf("%s: %v %s is %v %s, and back %v", q.ID, x, unit, y, q.Unit, back)
				}
			}
		}
	}
}

func TestInVocabulary(t *testing.T) {
	for name, tt := range map[string]struct {
		x    float64
		unit string
		want float64
		code string // empty: there is none, or there are several
	}{
		"temperature":       {212, "°F", 100, "Cel"},
		"its own":           {24.5, "Cel", 24.5, "Cel"},
		"conductivity":      {48200, "µS/cm", 48.2, "mS/cm"},
		"speed":             {36, "km/h", 10, "m/s"},
		"depth or rain":     {3, "ft", 0, ""},
		"moisture or gas":   {3, "[ppm]", 0, ""},
		"not in vocabulary": {1013, "hPa", 0, ""},
		"unknown":           {1, "furlong", 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, code, ok := farm.InVocabulary(tt.x, tt.unit)
			if got != tt.want || code != tt.code || ok != (tt.code != "") {
				t.Errorf("%v %q %v, want %v %q", got, code, ok, tt.want, tt.code)
			}
		})
	}
}

// Whatever is written for a unit converts or is refused, and a number stays one.
func FuzzConvert(f *testing.F) {
	for _, unit := range []string{"°F", "mg·L⁻¹", "mS/cm @ 25 °C", "W.m-2", "㎎/ℓ", "1e-3", "-1", ". -"} {
		f.Add(unit, 24.5)
	}
	quantities := farm.Quantities()
	f.Fuzz(func(t *testing.T, unit string, x float64) {
		if math.IsNaN(x) || math.Abs(x) > 1e300 {
			return
		}
		for _, q := range quantities {
			v, err := q.Convert(x, unit)
			if math.IsNaN(v) || math.IsInf(v, 0) || err != nil && !errors.Is(err, farm.ErrUnit) {
				t.Fatalf("%v %q in %s: %v, error %v", x, unit, q.Unit, v, err)
			}
		}
	})
}

func TestConvertValue(t *testing.T) {
	for _, test := range []struct {
		v                 float64
		from, to          string
		value, difference float64
	}{
		{9, "[degF]", "K", 260.372222222222, 5},
		{1, "Cel", "K", 274.15, 1},
		{2, "mg/L", "g/m3", 2, 2},
	} {
		if got, ok := farm.ConvertValue(test.v, test.from, test.to); !ok || got != test.value {
			t.Errorf("%v %s: %v %s, %v, want %v", test.v, test.from, got, test.to, ok, test.value)
		}
		if got, ok := farm.ConvertDifference(test.v, test.from, test.to); !ok || got != test.difference {
			t.Errorf("a difference of %v %s: %v %s, %v, want %v", test.v, test.from, got, test.to, ok, test.difference)
		}
	}
	for _, units := range [][2]string{{"Cel", "mg/L"}, {"", ""}, {"ell", "ell"}} {
		if _, ok := farm.ConvertValue(1, units[0], units[1]); ok {
			t.Errorf("%s became %s", units[0], units[1])
		}
	}
}
