package ingest_test

import (
	"errors"
	"testing"
	"time"

	"tianhai/ingest"
)

// What a suspended device sends is set aside; what was taken before is stored.
func TestInterpretBarred(t *testing.T) {
	p := station(t, "d")
	p.Barred = moved
	for received, barred := range map[time.Time]bool{moved.Add(-1): false, moved: true, moved.Add(time.Hour): true} {
		f := ingest.Frame{Device: "d", Received: received, Payload: []byte(`{"temp":20}`)}
		got, err := interpreter(devices{"d": p}).Interpret(t.Context(), f)
		e := (*ingest.FrameError)(nil)
		if errors.As(err, &e) != barred || (len(got) == 0) != barred || e != nil && e.Class != ingest.FaultDevice {
			t.Errorf("received at %s: %d observations, %v", received, len(got), err)
		}
	}
}
