package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tianhai/farm"
	"tianhai/ingest"
	"tianhai/ingest/decode"
	"tianhai/ingest/qc"
)

// devices is a registry.
type devices map[string]*ingest.Profile

func (d devices) Profile(_ context.Context, device string) (*ingest.Profile, error) {
	if p, ok := d[device]; ok {
		return p, nil
	}
	return nil, fmt.Errorf("registry: %w", ingest.ErrUnknownDevice)
}

func quantity(tb testing.TB, id string) farm.Quantity {
	tb.Helper()
	q, ok := farm.LookupQuantity(id)
	if !ok {
		tb.Fatalf("no quantity %q", id)
	}
	return q
}

var (
	installed = time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	moved     = time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	raft      = ingest.Place{Tenant: "hongda", Region: "450512", Site: "raft-3", Kind: farm.Raft}
	pond      = ingest.Place{Tenant: "hongda", Region: "450512", Site: "pond-1", Kind: farm.Pond}
)

// station is a device that stood on the raft in May and in the pond from June on.
func station(tb testing.TB, id string) *ingest.Profile {
	return &ingest.Profile{
		Device: id, Format: "json",
		Channels: map[string]ingest.Channel{
			"temp": {Quantity: quantity(tb, "water.temperature"), Slope: 1},
			"ph":   {Quantity: quantity(tb, "water.ph"), Slope: 0.5, Offset: 1},
			"ph2":  {Quantity: quantity(tb, "water.ph"), Slope: 1},
			"turb": {Quantity: quantity(tb, "water.turbidity"), Slope: 1, Limits: farm.Range{Min: 0, Max: 100}},
			"big":  {Quantity: quantity(tb, "water.depth"), Slope: 1e10},
		},
		Installations: []ingest.Installation{{From: installed, Place: raft}, {From: moved, Place: pond}},
	}
}

func interpreter(profiles ingest.Profiles) *ingest.Interpreter {
	quality, err := qc.New(qc.Config{})
	if err != nil {
		panic(err)
	}
	return &ingest.Interpreter{Profiles: profiles, Decode: decode.ByFormat, Quality: quality}
}

func TestInterpret(t *testing.T) {
	received := time.Date(2026, 6, 10, 12, 0, 0, 123_456_789, time.UTC)
	now := received.Truncate(time.Millisecond)
	obs := func(at time.Time, p ingest.Place, server bool, rs ...ingest.Reading) ingest.Observation {
		return ingest.Observation{Device: "d", Place: p, Time: at, Received: now, ServerTime: server, Readings: rs}
	}
	r := func(id string, v float64, f ingest.Flag) ingest.Reading {
		return ingest.Reading{Quantity: quantity(t, id), Value: v, Flag: f}
	}
	ms := func(t time.Time) string { return fmt.Sprint(t.UnixMilli()) }
	tests := map[string]struct {
		payload string
		want    []ingest.Observation
		class   ingest.FaultClass // of the error that comes with want; "" for none
	}{
		"calibrated and flagged": {
			`{"ts":` + ms(now) + `,"temp":99,"ph":14,"turb":null}`,
			[]ingest.Observation{obs(now, pond, false,
				r("water.temperature", 99, ingest.Fail), r("water.ph", 8, ingest.Good), r("water.turbidity", 0, ingest.Missing))},
			"",
		},
		"sensor's limits": {
			`{"ts":` + ms(now) + `,"turb":101}`,
			[]ingest.Observation{obs(now, pond, false, r("water.turbidity", 101, ingest.Fail))},
			"",
		},
		"no time":           {`{"temp":20}`, []ingest.Observation{obs(now, pond, true, r("water.temperature", 20, ingest.Good))}, ""},
		"a little ahead":    {`{"ts":` + ms(now.Add(5*time.Minute)) + `,"temp":20}`, []ingest.Observation{obs(now.Add(5*time.Minute), pond, false, r("water.temperature", 20, ingest.Good))}, ""},
		"too far ahead":     {`{"ts":` + ms(now.Add(5*time.Minute+time.Millisecond)) + `,"temp":20}`, []ingest.Observation{obs(now, pond, true, r("water.temperature", 20, ingest.Good))}, ""},
		"when installed":    {`{"ts":` + ms(installed) + `,"temp":20}`, []ingest.Observation{obs(installed, raft, false, r("water.temperature", 20, ingest.Good))}, ""},
		"before installed":  {`{"ts":` + ms(installed.Add(-1)) + `,"temp":20}`, []ingest.Observation{obs(now, pond, true, r("water.temperature", 20, ingest.Good))}, ""},
		"clock never set":   {`{"ts":0,"temp":20}`, []ingest.Observation{obs(now, pond, true, r("water.temperature", 20, ingest.Good))}, ""},
		"late, before move": {`{"ts":` + ms(moved.Add(-1)) + `,"temp":20}`, []ingest.Observation{obs(moved.Add(-time.Millisecond), raft, false, r("water.temperature", 20, ingest.Good))}, ""},
		"burst across a move, newest first": {
			`[{"ts":` + ms(moved) + `,"temp":21,"ph":14},{"ts":` + ms(moved.Add(-time.Hour)) + `,"temp":20}]`,
			[]ingest.Observation{
				obs(moved.Add(-time.Hour), raft, false, r("water.temperature", 20, ingest.Good)),
				obs(moved, pond, false, r("water.temperature", 21, ingest.Good), r("water.ph", 8, ingest.Good)),
			},
			"",
		},
		"unknown channel": {
			`{"temp":20,"colour":3,"turb":5}`,
			[]ingest.Observation{obs(now, pond, true, r("water.temperature", 20, ingest.Good), r("water.turbidity", 5, ingest.Good))},
			ingest.FaultChannel,
		},
		"only unknown channels": {`{"colour":3}`, nil, ingest.FaultChannel},
		"calibrates to infinity": {
			`{"big":1e308,"temp":20}`,
			[]ingest.Observation{obs(now, pond, true, r("water.temperature", 20, ingest.Good))},
			ingest.FaultChannel,
		},
		"two channels, one quantity": {
			`{"ph":14,"ph2":7}`,
			[]ingest.Observation{obs(now, pond, true, r("water.ph", 8, ingest.Good))},
			ingest.FaultRepeat,
		},
		"a burst without a clock": {
			`[{"ts":1,"temp":20},{"ts":2,"temp":21}]`,
			[]ingest.Observation{obs(now, pond, true, r("water.temperature", 20, ingest.Good))},
			ingest.FaultRepeat,
		},
		"does not parse": {`{"temp":`, nil, ingest.FaultDecode},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			in := interpreter(devices{"d": station(t, "d")})
			got, err := in.Interpret(t.Context(), ingest.Frame{Device: "d", Received: received, Payload: []byte(tt.payload)})
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("want -, got +\n%s", diff)
			}
			e := (*ingest.FrameError)(nil)
			if errors.As(err, &e) != (tt.class != "") || e != nil && e.Class != tt.class {
				t.Errorf("error %v, want class %q", err, tt.class)
			}
		})
	}
}

func TestInterpretFaults(t *testing.T) {
	nowhere := station(t, "nowhere")
	nowhere.Installations = nil
	registry := devices{"d": station(t, "d"), "nowhere": nowhere}
	frame := ingest.Frame{Device: "d", Received: moved, Payload: []byte(`{"temp":20}`)}
	for name, tt := range map[string]struct {
		change func(f *ingest.Frame)
		class  ingest.FaultClass
		is     error
	}{
		"unknown device":         {func(f *ingest.Frame) { f.Device = "stranger" }, ingest.FaultDevice, ingest.ErrUnknownDevice},
		"not installed":          {func(f *ingest.Frame) { f.Device = "nowhere" }, ingest.FaultPlace, nil},
		"received too early":     {func(f *ingest.Frame) { f.Received = installed.Add(-time.Hour) }, ingest.FaultPlace, nil},
		"unknown content type":   {func(f *ingest.Frame) { f.ContentType = "text/xml" }, ingest.FaultDecode, nil},
		"undecodable, at a byte": {func(f *ingest.Frame) { f.Payload = []byte(`{"temp":tepid}`) }, ingest.FaultDecode, nil},
	} {
		t.Run(name, func(t *testing.T) {
			f := frame
			tt.change(&f)
			got, err := interpreter(registry).Interpret(t.Context(), f)
			e := (*ingest.FrameError)(nil)
			if !errors.As(err, &e) || e.Class != tt.class || len(got) > 0 {
				t.Errorf("%v, error %v; want only a fault of class %s", got, err, tt.class)
			}
			if tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("%v is not %v", err, tt.is)
			}
		})
	}
}

// lame is a registry whose database does not answer.
type lame struct{}

func (lame) Profile(context.Context, string) (*ingest.Profile, error) {
	return nil, errors.New("database is locked")
}

func TestInterpretTrouble(t *testing.T) {
	_, err := interpreter(lame{}).Interpret(t.Context(), ingest.Frame{Device: "d", Received: moved, Payload: []byte(`{"temp":20}`)})
	if e := (*ingest.FrameError)(nil); err == nil || errors.As(err, &e) {
		t.Errorf("error %v, want one that may pass", err)
	}
}
