package device_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"tianhai/farm"
	"tianhai/ingest/device"
)

func newModel() device.Model {
	return device.Model{
		ID: "station", Name: farm.Text{Zh: "水质站"}, Format: "json", Interval: 10 * time.Second,
		Channels: []device.Channel{
			{Key: "t", Quantity: "water.temperature", Slope: 0.1, Offset: -0.5, Limits: farm.Range{Min: -40, Max: 125}},
			{Key: "盐度", Quantity: "water.salinity"},
		},
		Commands: []string{"aerator", "feeder"},
	}
}

func TestModelValidate(t *testing.T) {
	if err := newModel().Validate(); err != nil {
		t.Errorf("a good model: %v", err)
	}
	tests := map[string]struct {
		change func(*device.Model)
		says   string
	}{
		"identifier":             {func(m *device.Model) { m.ID = "A" }, "identifier"},
		"format":                 {func(m *device.Model) { m.Format = "" }, "format"},
		"interval":               {func(m *device.Model) { m.Interval = -1 }, "interval"},
		"no key":                 {func(m *device.Model) { m.Channels[1].Key = "" }, "key"},
		"long key":               {func(m *device.Model) { m.Channels[1].Key = strings.Repeat("k", 129) }, "key"},
		"time as key":            {func(m *device.Model) { m.Channels[1].Key = "ts" }, "time"},
		"key twice":              {func(m *device.Model) { m.Channels[1].Key = "t" }, `"t"`},
		"quantity twice":         {func(m *device.Model) { m.Channels[1].Quantity = "water.temperature" }, "water.temperature"},
		"unknown quantity":       {func(m *device.Model) { m.Channels[1].Quantity = "water.taste" }, "water.taste"},
		"endless slope":          {func(m *device.Model) { m.Channels[1].Slope = math.Inf(1) }, "slope"},
		"offset that is none":    {func(m *device.Model) { m.Channels[1].Offset = math.NaN() }, "offset"},
		"limits upside down":     {func(m *device.Model) { m.Channels[1].Limits = farm.Range{Min: 2, Max: 1} }, "limits"},
		"limits of one value":    {func(m *device.Model) { m.Channels[1].Limits = farm.Range{Min: 2, Max: 2} }, "limits"},
		"limits that are none":   {func(m *device.Model) { m.Channels[1].Limits = farm.Range{Min: math.NaN(), Max: 2} }, "limits"},
		"limits without sense":   {func(m *device.Model) { m.Channels[1].Limits = farm.Range{Min: 100, Max: 200} }, "salinity"},
		"command":                {func(m *device.Model) { m.Commands[1] = "Turn on" }, "command"},
		"command twice":          {func(m *device.Model) { m.Commands[1] = "aerator" }, "aerator"},
		"second of two mistakes": {func(m *device.Model) { m.Format, m.Channels[1].Key = "", "t" }, `"t"`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m := newModel()
			tt.change(&m)
			if err := m.Validate(); err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("error %v, want one about %s", err, tt.says)
			}
		})
	}
}
