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
		"knots":                 {"air.wind_speed", 10, "[kn_i]", 5.144444444},
		"rain by area":          {"air.rain", 3, "L/m2", 3},
		"inches of rain":        {"air.rain", 2, "in", 50.8},
		"feet":                  {"water.depth", 10, "[ft_i]", 3.048},
		"millivolts":            {"device.battery", 3600, "mV", 3.6},
		"on":                    {"device.aerator", 1, "1", 1},
		"cubic metres":          {"animal.water_intake", 1.5, "m3", 1500},
		"pH":                    {"water.ph", 8.1, "pH", 8.1},
		"turbidity":             {"water.turbidity", 12, "NTU", 12},
		"kilolux":               {"air.illuminance", 55, "klx", 55000},
	} {
		t.Run(name, func(t *testing.T) {
			q, _ := farm.LookupQuantity(tt.quantity)
			got, err := q.Convert(tt.x, tt.unit)
			if err != nil || math.Abs(got-tt.want) > 1e-6 {
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
