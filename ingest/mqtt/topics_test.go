package mqtt_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"tianhai/farm"
	"tianhai/ingest"
	"tianhai/ingest/mqtt"
)

// Whatever comes on whatever topic is kept of the device that the topic names, or
// refused: a payload has no say in whose it is, and an answer is settled at most once.
func FuzzTake(f *testing.F) {
	f.Add("th/raft-1/up", []byte(`{"do":7.1}`))
	f.Add("th/raft-1/status", []byte("online"))
	f.Add("th/raft-1/ack", []byte(`{"id":"01J","ok":true}`))
	f.Add("th/raft-1/down", []byte("x"))
	f.Add("farm/raft-2/data", []byte("x"))
	f.Add("farm//data", []byte(""))
	f.Add("th//up", []byte(nil))
	f.Add("", []byte(nil))
	f.Fuzz(func(t *testing.T, topic string, payload []byte) {
		y := &farmyard{}
		opt := mqtt.Options{
			Intake: &ingest.Intake{Journal: y, Presence: y, Commands: y, Now: func() time.Time { return time.Unix(1_800_000_000, 0) }},
			Topics: append(mqtt.Native(), mqtt.Topic{Filter: "farm/+/data", Locate: func(topic string) (string, string, bool) {
				device, ok := strings.CutPrefix(topic, "farm/")
				device, data := strings.CutSuffix(device, "/data")
				return device, "application/json", ok && data && !strings.Contains(device, "/")
			}}),
		}
		err := opt.Take(t.Context(), topic, payload)
		if told := len(y.frames) + len(y.online) + len(y.settled); err != nil && told != 0 || err == nil && told != 1 {
			t.Fatalf("%q: %v, and %d were told of it", topic, err, told)
		}
		if err != nil && !errors.Is(err, ingest.ErrRefused) && !errors.Is(err, farm.ErrNotFound) {
			t.Errorf("%q: %v, would come again for ever", topic, err)
		}
		for _, fr := range y.frames {
			if levels := strings.Split(topic, "/"); len(levels) != 3 || fr.Device != levels[1] || fr.Device == "" || string(fr.Payload) != string(payload) {
				t.Errorf("%q is of %q", topic, fr.Device)
			}
		}
	})
}
