package catalog_test

import (
	"strings"
	"testing"

	"tianhai/trace/catalog"
)

// TestNorms: what readings are held against is read as it is written, and what makes
// no sense is named.
func TestNorms(t *testing.T) {
	p, ok := catalog.Default().Product("pearl")
	if n := p.NormsOf("water.dissolved_oxygen"); !ok || n.Floor == nil || n.Floor.Limit != 3 || n.Range == nil || *n.Range.Min != 5 || n.Range.Max != nil || n.Floor.Source != "GB 11607-1989" {
		t.Errorf("of pearls: %+v", n)
	}
	if n := p.NormsOf("air.temperature"); n.Range != nil || n.Floor != nil || n.Warmth != nil {
		t.Errorf("something is said of air over pearls: %+v", n)
	}
	line := "  - {id: eggs, group: livestock, name: {zh: 禽蛋, en: Eggs}, sites: [barn, pen], "
	doc := string(catalog.Shipped())
	if !strings.Contains(doc, line) {
		t.Fatal("eggs are not where the test looks for them")
	}
	for added, want := range map[string]string{
		"norms: [{quantity: air.heat, range: {min: 1, source: x}}]":                                                                 "is no measured quantity",
		"norms: [{quantity: device.battery, range: {min: 1, source: x}}]":                                                           "is no measured quantity",
		"norms: [{quantity: air.temperature}]":                                                                                      "says nothing",
		"norms: [{quantity: air.temperature, range: {source: x}}]":                                                                  "want min, max or both",
		"norms: [{quantity: air.temperature, range: {min: 9, max: 3, source: x}}]":                                                  "min below max",
		"norms: [{quantity: air.temperature, range: {min: 9}}]":                                                                     "want a source",
		"norms: [{quantity: air.temperature, range: {min: 9, source: x}}, {quantity: air.temperature, range: {min: 9, source: x}}]": "is there twice",
		"norms: [{quantity: water.ph, floor: {limit: 15, source: x}}]":                                                              "the limit 15 is not from 0 to 14",
		"norms: [{quantity: water.ph, warmth: {base: 5, source: x}}]":                                                               "want a temperature",
		"norms: [{quantity: air.temperature, warmth: {base: 10, upper: 5, source: x}}]":                                             "below upper",
		"cold: {min: 4, max: 0, source: x}":                                                                                         "want min below max",
		"cold: {max: 4}":                                                                                                            "want a source",
		"cold: {max: 4, activation: 0.1, source: x}":                                                                                "activation energy",
		"norms: [{quantity: air.temperature, below: 5}]":                                                                            "unknown field",
	} {
		if _, err := catalog.Parse([]byte(strings.Replace(doc, line, line+added+", ", 1))); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "line ") {
			t.Errorf("%s: %v, want %q with its line", added, err, want)
		}
	}
}
