package mqtt_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"tianhai/ingest"
	"tianhai/ingest/mqtt"
)

// Messages of every size and quality of service arrive whole and in order. One
// that is too long for a frame is refused, told in the log, and acknowledged:
// after it come others, and it does not come again.
func TestSizes(t *testing.T) {
	m := startMosquitto(t)
	y := &farmyard{}
	log := &lockedBuffer{}
	s, stop := run(t, y, mqtt.Options{URL: m.url(), Logger: slog.New(slog.NewTextHandler(log, nil))})
	eventually(t, "it is connected", s.Connected)
	c := device(t, m, "raft-1")
	var want []string
	for i, size := range []int{0, 1, 110, 127, 16 << 10, 66 << 10, 200 << 10, ingest.MaxPayload} {
		for qos := range byte(2) {
			payload := strings.Repeat(string(rune('a'+2*i+int(qos))), size)
			want = append(want, payload)
			wait(t, c.Publish("th/raft-1/up", qos, false, payload))
		}
	}
	for _, size := range []int{ingest.MaxPayload + 1, ingest.MaxPayload + 200<<10} {
		wait(t, c.Publish("th/raft-1/up", 1, false, bytes.Repeat([]byte{'!'}, size)))
	}
	wait(t, c.Publish("th/raft-1/up", 1, false, "after"))
	want = append(want, "after")
	eventually(t, "all is there", func() bool { return y.count() >= len(want) })
	y.mu.Lock()
	for i := range want {
		if got := string(y.frames[i].Payload); got != want[i] {
			t.Errorf("frame %d has %d bytes, want %d", i, len(got), len(want[i]))
		}
	}
	y.mu.Unlock()
	if n := strings.Count(log.String(), "message refused"); n != 2 {
		t.Errorf("%d messages were refused, want 2:\n%s", n, log.String())
	}
	stop()
	again := &farmyard{}
	s, _ = run(t, again, mqtt.Options{URL: m.url()})
	eventually(t, "it is connected", s.Connected)
	wait(t, c.Publish("th/raft-1/up", 1, false, "later"))
	eventually(t, "the next message is there", func() bool { return again.count() > 0 })
	if got := again.firsts("raft-1"); len(got) != 1 || got[0] != "later" {
		t.Errorf("%d messages came again", len(got))
	}
}

// While the journal takes nothing, commands go out and the connection stays.
func TestCommandWhileBusy(t *testing.T) {
	m := startMosquitto(t)
	y := &farmyard{}
	s, _ := run(t, y, mqtt.Options{URL: m.url()})
	eventually(t, "it is connected", s.Connected)
	y.setShut(true)
	c := device(t, m, "raft-1")
	publish(t, c, "raft-1", 0, 100)
	eventually(t, "it was tried", func() bool { return y.tried() > 2 })
	if err := s.Send(t.Context(), ingest.Command{ID: "c-1", Device: "raft-1", Name: "aerator", Value: "on", Expires: time.Now().Add(time.Minute)}); err != nil {
		t.Errorf("Send: %v", err)
	}
	y.setShut(false)
	wantSeries(t, y, "raft-1", 100)
	if n := y.count(); n != 100 {
		t.Errorf("%d frames: the connection was lost", n)
	}
}
