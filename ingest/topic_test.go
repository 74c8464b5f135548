package ingest_test

import (
	"strings"
	"testing"

	"tianhai/ingest"
)

func TestPattern(t *testing.T) {
	for name, tt := range map[string]struct{ pattern, topic, want string }{
		"ChirpStack":          {"application/+/device/{device}/event/up", "application/7f3c/device/0102030405060708/event/up", "0102030405060708"},
		"another event":       {"application/+/device/{device}/event/up", "application/7f3c/device/0102030405060708/event/join", ""},
		"The Things Stack":    {"v3/+/devices/{device}/up", "v3/farm@ttn/devices/soil-3/up", "soil-3"},
		"longer topic":        {"v3/+/devices/{device}/up", "v3/farm@ttn/devices/soil-3/up/service-data", ""},
		"shorter topic":       {"v3/+/devices/{device}/up", "v3/farm@ttn/devices/soil-3", ""},
		"first level":         {"{device}/data", "weather-9/data", "weather-9"},
		"only level":          {"{device}", "weather-9", "weather-9"},
		"Chinese name":        {"w/{device}", "w/气象站3", "气象站3"},
		"empty name":          {"w/{device}/up", "w//up", ""},
		"empty level for +":   {"w/+/{device}", "w//a", "a"},
		"everything below":    {"w/{device}/#", "w/a/b/c", "a"},
		"nothing below":       {"w/{device}/#", "w/a", "a"},
		"everything, no name": {"w/{device}/#", "w//b", ""},
		"other beginning":     {"w/{device}/#", "v/a/b", ""},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := ingest.ParsePattern(tt.pattern)
			if err != nil {
				t.Fatal(err)
			}
			if got, ok := p.Device(tt.topic); got != tt.want && ok || ok != (tt.want != "") {
				t.Errorf("device %q, %v; want %q", got, ok, tt.want)
			}
			if got, want := p.Filter(), strings.Replace(tt.pattern, "{device}", "+", 1); got != want {
				t.Errorf("filter %q, want %q", got, want)
			}
		})
	}
}

func TestParsePatternErrors(t *testing.T) {
	for pattern, want := range map[string]string{
		"":                    "no level is {device}",
		"a/+/b":               "no level is {device}",
		"{device}/{device}":   "twice",
		"a/x{device}":         "whole level",
		"a/{device}/b+":       "whole level",
		"a/#/{device}":        "whole level",
		"a/{dev}/{device}":    "whole level",
		"$share/g/a/{device}": "broker's own",
	} {
		if _, err := ingest.ParsePattern(pattern); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q", pattern, err, want)
		}
	}
}

// A topic that a pattern takes is one that its filter brings.
func FuzzPattern(f *testing.F) {
	f.Add("application/+/device/{device}/event/up", "application/1/device/2/event/up")
	f.Add("w/{device}/#", "w/a")
	f.Fuzz(func(t *testing.T, pattern, topic string) {
		p, err := ingest.ParsePattern(pattern)
		if err != nil {
			return
		}
		device, ok := p.Device(topic)
		if !ok {
			return
		}
		if device == "" || strings.Contains(device, "/") {
			t.Fatalf("device %q", device)
		}
		filter, levels := strings.Split(p.Filter(), "/"), strings.Split(topic, "/")
		for i, level := range filter {
			if level == "#" {
				return
			}
			if i >= len(levels) || level != "+" && level != levels[i] {
				t.Fatalf("%s is not in %s", topic, p.Filter())
			}
		}
		if len(filter) != len(levels) {
			t.Fatalf("%s is not in %s", topic, p.Filter())
		}
	})
}
