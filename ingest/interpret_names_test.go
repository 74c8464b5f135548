package ingest_test

import (
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tianhai/farm"
	"tianhai/ingest"
)

// gauge is a device that speaks SenML.
func gauge(tb testing.TB) *ingest.Profile {
	return &ingest.Profile{
		Device: "g", Format: "senml+json",
		Channels: map[string]ingest.Channel{
			"temp":    {Quantity: quantity(tb, "water.temperature"), Slope: 1, Offset: 0.5},
			"ec":      {Quantity: quantity(tb, "water.conductivity"), Slope: 1},
			"probe/t": {Quantity: quantity(tb, "air.temperature"), Slope: 1},
		},
		Installations: []ingest.Installation{{From: installed, Place: raft}},
	}
}

func TestInterpretNamesAndUnits(t *testing.T) {
	received := time.Date(2026, 6, 10, 12, 0, 0, 0, time.UTC)
	for name, tt := range map[string]struct {
		payload string
		want    string // quantity=value@seconds before reception, ! when the server's clock counts
		fault   string // part of the error
	}{
		"converted, then calibrated": {
			`[{"bn":"urn:dev:ow:1:","n":"temp","u":"[degF]","v":77},{"n":"ec","u":"uS/cm","v":48200}]`,
			"water.temperature=25.5@0! water.conductivity=48.2@0!", "",
		},
		"whole name before its end": {`[{"n":"probe/t","u":"Cel","v":20}]`, "air.temperature=20@0!", ""},
		"relative time":             {`[{"n":"temp","t":-90,"v":20},{"n":"ec","t":-30,"v":48}]`, "water.temperature=20.5@90! water.conductivity=48@30!", ""},
		"relative, before it stood": {`[{"n":"temp","t":-9000000,"v":20}]`, "water.temperature=20.5@0!", ""},
		"relative, far ahead":       {`[{"n":"temp","t":400,"v":20}]`, "water.temperature=20.5@0!", ""},
		"absolute time":             {`[{"bt":1781092790,"n":"temp","v":20}]`, "water.temperature=20.5@10", ""},
		"unit of another kind":      {`[{"n":"temp","u":"kPa","v":101},{"n":"ec","v":48}]`, "water.conductivity=48@0!", `"kPa" does not convert to "Cel"`},
		"two sensors in one frame":  {`[{"n":"a/temp","v":20},{"n":"b/ec","v":48}]`, "water.temperature=20.5@0!", `unknown channel "b/ec"`},
		"text beside":               {`[{"n":"temp","v":20},{"n":"label","vs":"shore"}]`, "water.temperature=20.5@0!", ""},
		"text on a channel":         {`[{"n":"temp","vs":"high"},{"n":"ec","v":48}]`, "water.conductivity=48@0!", "text is no reading"},
		"nothing but text":          {`[{"n":"label","vs":"shore"}]`, "", "none of the 1 values"},
		"unknown beside known":      {`[{"n":"colour","v":20},{"n":"ec","v":48}]`, "water.conductivity=48@0!", `unknown channel "colour"`},
	} {
		t.Run(name, func(t *testing.T) {
			in := interpreter(devices{"g": gauge(t)})
			got, err := in.Interpret(t.Context(), ingest.Frame{Device: "g", Received: received, Payload: []byte(tt.payload)})
			var words []string
			for _, o := range got {
				for _, r := range o.Readings {
					word := r.Quantity.ID + "=" + strconv.FormatFloat(r.Value, 'g', 6, 64) + "@" + strconv.FormatFloat(received.Sub(o.Time).Seconds(), 'g', 6, 64)
					if o.ServerTime {
						word += "!"
					}
					words = append(words, word)
				}
			}
			if diff := cmp.Diff(tt.want, strings.Join(words, " ")); diff != "" {
				t.Errorf("error %v; -want +got\n%s", err, diff)
			}
			fault := (*ingest.FrameError)(nil)
			if tt.fault == "" && err != nil || tt.fault != "" && (!errors.As(err, &fault) || fault.Class != ingest.FaultChannel || !strings.Contains(err.Error(), tt.fault)) {
				t.Errorf("error %v, want %q", err, tt.fault)
			}
		})
	}
}

func TestInterpretKeepsUnitErrors(t *testing.T) {
	in := interpreter(devices{"g": gauge(t)})
	_, err := in.Interpret(t.Context(), ingest.Frame{Device: "g", Received: moved, Payload: []byte(`[{"n":"temp","u":"lon","v":24}]`)})
	if !errors.Is(err, farm.ErrUnit) {
		t.Errorf("error %v, want ErrUnit", err)
	}
}
