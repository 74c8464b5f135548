package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tianhai/farm"
	"tianhai/ingest"
)

// ledger notes what an Intake hands on; each call fails with err where it is set.
type ledger struct {
	frames []ingest.Frame
	notes  []string
	err    error
}

func (l *ledger) Append(_ context.Context, frames ...ingest.Frame) error {
	if l.err == nil {
		l.frames = append(l.frames, frames...)
	}
	return l.err
}

func (l *ledger) SetOnline(_ context.Context, device string, online bool, _ time.Time) error {
	l.notes = append(l.notes, fmt.Sprintf("%s online=%t", device, online))
	return l.err
}

func (l *ledger) SettleCommand(_ context.Context, device string, res ingest.CommandResult, _ time.Time) error {
	l.notes = append(l.notes, fmt.Sprintf("%s %+v", device, res))
	return l.err
}

func newIntake(l *ledger, at time.Time) *ingest.Intake {
	return &ingest.Intake{Journal: l, Presence: l, Commands: l, Now: func() time.Time { return at }}
}

func TestAcceptRoutes(t *testing.T) {
	at := time.Date(2026, 6, 1, 12, 0, 0, 5, time.FixedZone("CST", 8*3600))
	tests := map[string]struct {
		topic, payload string
		frames         []ingest.Frame
		notes          []string
	}{
		"readings": {"th/raft-1/up", `{"do":7.1}`, []ingest.Frame{{
			Device: "raft-1", ContentType: "application/json", Received: at.UTC(), Payload: []byte(`{"do":7.1}`),
		}}, nil},
		"online":  {"th/raft-1/status", "online", nil, []string{"raft-1 online=true"}},
		"offline": {"th/raft-1/status", "offline", nil, []string{"raft-1 online=false"}},
		"answer": {
			"th/raft-1/ack", `{"id":"01J","ok":false,"error":"jammed"}`, nil,
			[]string{"raft-1 {ID:01J OK:false Error:jammed}"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			l := &ledger{}
			in := newIntake(l, at)
			if err := in.Accept(t.Context(), "raft-1", tt.topic, "application/json", []byte(tt.payload)); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.frames, l.frames); d != "" {
				t.Errorf("frames (-want +got)\n%s", d)
			}
			if d := cmp.Diff(tt.notes, l.notes); d != "" {
				t.Errorf("notes (-want +got)\n%s", d)
			}
		})
	}
}

func TestAcceptRefuses(t *testing.T) {
	long := strings.Repeat("d", ingest.MaxDevice+1)
	tests := map[string]struct {
		device, topic, contentType, payload string
	}{
		"another device's topic": {device: "a", topic: "th/b/up"},
		"commands":               {device: "a", topic: "th/a/down"},
		"deeper topic":           {device: "a", topic: "th/a/up/x"},
		"foreign tree":           {device: "a", topic: "$SYS/a/up"},
		"empty topic":            {device: "a"},
		"payload over the limit": {device: "a", topic: "th/a/up", payload: strings.Repeat("x", ingest.MaxPayload+1)},
		"device name too long":   {device: long, topic: ingest.Topic(long, "up")},
		"content type too long":  {device: "a", topic: "th/a/up", contentType: strings.Repeat("x", ingest.MaxContentType+1)},
		"unknown status":         {device: "a", topic: "th/a/status", payload: "asleep"},
		"answer that is no JSON": {device: "a", topic: "th/a/ack", payload: "ok"},
		"answer without id":      {device: "a", topic: "th/a/ack", payload: `{"ok":true}`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			l := &ledger{}
			err := newIntake(l, time.Now()).Accept(t.Context(), tt.device, tt.topic, tt.contentType, []byte(tt.payload))
			if !errors.Is(err, ingest.ErrRefused) || errors.Is(err, ingest.ErrBusy) {
				t.Errorf("err = %v, want ErrRefused alone", err)
			}
			if len(l.frames)+len(l.notes) != 0 {
				t.Errorf("handed on: %v %v", l.frames, l.notes)
			}
		})
	}
}

// A payload of exactly the limit is taken.
func TestAcceptLargest(t *testing.T) {
	l := &ledger{}
	if err := newIntake(l, time.Now()).Accept(t.Context(), "a", "th/a/up", "", make([]byte, ingest.MaxPayload)); err != nil {
		t.Fatal(err)
	}
	if len(l.frames) != 1 {
		t.Errorf("%d frames, want 1", len(l.frames))
	}
}

func TestAcceptSortsErrors(t *testing.T) {
	tests := map[string]struct {
		topic, payload string
		err, want      error
	}{
		"journal full":            {"th/a/up", "x", fmt.Errorf("append: %w", ingest.ErrBusy), ingest.ErrBusy},
		"status, database away":   {"th/a/status", "online", errors.New("disk I/O error"), ingest.ErrBusy},
		"status, unknown device":  {"th/a/status", "online", farm.ErrNotFound, ingest.ErrRefused},
		"answer, database away":   {"th/a/ack", `{"id":"1"}`, errors.New("disk I/O error"), ingest.ErrBusy},
		"answer, unknown command": {"th/a/ack", `{"id":"1"}`, farm.ErrNotFound, ingest.ErrRefused},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			err := newIntake(&ledger{err: tt.err}, time.Now()).Accept(t.Context(), "a", tt.topic, "", []byte(tt.payload))
			if !errors.Is(err, tt.want) {
				t.Errorf("err = %v, want %v", err, tt.want)
			}
		})
	}
}

func FuzzParseTopic(f *testing.F) {
	for _, s := range []string{"th/a/up", "th//up", "th/a/", "th/a/up/x", "TH/a/up", "th/a", "", "th/+/#", "$share/g/th/a/up"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, topic string) {
		device, level, ok := ingest.ParseTopic(topic)
		if !ok {
			if device != "" || level != "" {
				t.Errorf("ParseTopic(%q) = %q, %q with false", topic, device, level)
			}
			return
		}
		if device == "" || level == "" || strings.Contains(device+level, "/") {
			t.Errorf("ParseTopic(%q) = %q, %q: empty or with a slash", topic, device, level)
		}
		if got := ingest.Topic(device, level); got != topic {
			t.Errorf("Topic(ParseTopic(%q)) = %q", topic, got)
		}
	})
}
