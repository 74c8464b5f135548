package told

import (
	"strings"
	"time"

	"tianhai/trace"
)

// A measured is how EPCIS calls what a unit measures: a measurement type of the GS1
// Web Vocabulary, and the unit's code of UN/CEFACT Recommendation 20.
type measured struct{ kind, uom string }

// measurement returns it for a quantity; false for those that have no type there, such
// as pH and turbidity, which are then not told.
func measurement(quantity, unit string) (measured, bool) {
	switch {
	case unit == "Cel":
		return measured{"Temperature", "CEL"}, true
	case unit == "mg/L":
		return measured{"MassConcentration", "M1"}, true
	case quantity == "air.humidity" && unit == "%":
		return measured{"RelativeHumidity", "P1"}, true
	case unit == "lx":
		return measured{"Illuminance", "LUX"}, true
	}
	return measured{}, false
}

// sensed tells the sensor record of a batch: of each quantity the least, the mean and
// the greatest value, and the hash of the series that they can be computed from.
func (t *Teller) sensed(e trace.PublicEvidence) []any {
	var elements []any
	for _, s := range e.Series {
		m, ok := measurement(s.Quantity, s.Unit)
		if !ok || s.N == 0 {
			continue
		}
		report := map[string]any{"type": m.kind, "uom": m.uom, "minValue": s.Min, "meanValue": s.Mean, "maxValue": s.Max, "tianhai:quantity": s.Quantity}
		if sum := checkSum(s.SHA256); sum != "" {
			report["tianhai:series"] = sum
		}
		metadata := map[string]any{"startTime": stamp(e.From), "endTime": stamp(e.To)}
		if len(s.Devices) == 1 {
			metadata["deviceID"] = t.device(s.Devices[0])
		}
		elements = append(elements, map[string]any{"sensorMetadata": metadata, "sensorReport": []any{report}})
	}
	return elements
}

// trips tells what the loggers of a shipment recorded.
func (t *Teller) trips(s trace.Shipment) []any {
	var elements []any
	for i, trip := range s.Trips {
		if trip.N == 0 || i >= len(s.Loggers) {
			continue
		}
		report := map[string]any{"type": "Temperature", "uom": "CEL", "minValue": trip.Min, "meanValue": trip.Mean, "maxValue": trip.Max}
		if sum := checkSum(trip.SHA256); sum != "" {
			report["tianhai:series"] = sum
		}
		elements = append(elements, map[string]any{
			"sensorMetadata": map[string]any{"startTime": stamp(s.Departed), "endTime": stamp(s.Arrived), "deviceID": t.device(s.Loggers[i])},
			"sensorReport":   []any{report},
		})
	}
	return elements
}

func (t *Teller) device(id string) string { return strings.TrimSuffix(t.PublicURL, "/") + "/d/" + id }

func stamp(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05.000Z") }
