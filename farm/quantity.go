package farm

import "strings"

// A Medium is what a quantity is measured in; it names the InfluxDB measurement.
type Medium string

// The media.
const (
	Water    Medium = "water"
	Soil     Medium = "soil"
	Air      Medium = "air"
	Animal   Medium = "animal"
	Aboard   Medium = "vessel"
	OfDevice Medium = "device"
)

// Media lists every medium.
func Media() []Medium { return []Medium{Water, Soil, Air, Animal, Aboard, OfDevice} }

// A Range is a closed interval of values in a quantity's unit.
type Range struct{ Min, Max float64 }

// Contains reports whether Min ≤ v ≤ Max.
func (r Range) Contains(v float64) bool { return r.Min <= v && v <= r.Max }

// A Quantity is one kind of measured thing.
type Quantity struct {
	ID     string `json:"id"`     // medium, dot, InfluxDB field: "water.dissolved_oxygen"
	Unit   string `json:"unit"`   // UCUM code of the stored value
	Symbol string `json:"symbol"` // the unit as people read it: "mg/L"
	Range  Range  `json:"-"`      // what can be true in a farm or coastal sea; outside it a reading fails the gross range test
	Digits int    `json:"digits"` // decimals worth showing
	Sum    bool   `json:"sum"`    // amounts that add up over time, such as rain, rather than levels
}

// Medium returns the medium of the quantity.
func (q Quantity) Medium() Medium {
	m, _, _ := strings.Cut(q.ID, ".")
	return Medium(m)
}

// Field returns the name of the quantity within its medium.
func (q Quantity) Field() string {
	_, f, _ := strings.Cut(q.ID, ".")
	return f
}

// Quantities lists the vocabulary, by medium. Ranges are the span of a field
// instrument in our climate, not of what is good for a crop or a fish.
func Quantities() []Quantity {
	return []Quantity{
		{"water.temperature", "Cel", "°C", Range{-2, 45}, 1, false},
		{"water.salinity", "1", "PSU", Range{0, 42}, 1, false},
		{"water.conductivity", "mS/cm", "mS/cm", Range{0, 80}, 2, false},
		{"water.specific_conductance", "mS/cm", "mS/cm", Range{0, 80}, 2, false},
		{"water.ph", "[pH]", "", Range{0, 14}, 2, false},
		{"water.dissolved_oxygen", "mg/L", "mg/L", Range{0, 25}, 2, false},
		{"water.oxygen_saturation", "%", "%", Range{0, 300}, 0, false},
		{"water.turbidity", "{NTU}", "NTU", Range{0, 4000}, 0, false},
		{"water.depth", "m", "m", Range{-2, 200}, 2, false},
		{"soil.moisture", "%", "%", Range{0, 100}, 1, false},
		{"soil.temperature", "Cel", "°C", Range{-10, 60}, 1, false},
		{"air.temperature", "Cel", "°C", Range{-20, 60}, 1, false},
		{"air.humidity", "%", "%", Range{0, 100}, 0, false},
		{"air.illuminance", "lx", "lx", Range{0, 200000}, 0, false},
		{"air.rain", "mm", "mm", Range{0, 100}, 1, true},
		{"air.wind_speed", "m/s", "m/s", Range{0, 75}, 1, false},
		{"air.ammonia", "[ppm]", "ppm", Range{0, 500}, 1, false},
		{"animal.water_intake", "L", "L", Range{0, 10000}, 1, true},
		{"device.battery", "V", "V", Range{0, 60}, 2, false},
		{"device.aerator", "1", "", Range{0, 1}, 0, false},
		{"device.feeder", "1", "", Range{0, 1}, 0, false},
	}
}

// LookupQuantity returns the quantity with this ID.
func LookupQuantity(id string) (Quantity, bool) {
	for _, q := range Quantities() {
		if q.ID == id {
			return q, true
		}
	}
	return Quantity{}, false
}
