package journal_test

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tianhai/ingest"
	"tianhai/ingest/journal"
)

// The stored format, byte by byte: what an earlier version wrote must be read.
func TestEnvelopeV1(t *testing.T) {
	f := ingest.Frame{
		Seq:         7,
		ContentType: "a/b",
		Received:    time.Unix(0, 64).UTC(),
		Payload:     []byte{0xFF, 0x00},
	}
	if got, want := hex.EncodeToString(journal.EncodeFrame(f)), "01"+"8001"+"03612f62"+"ff00"; got != want {
		t.Errorf("frame = %s, want %s", got, want)
	}
	if got, want := hex.EncodeToString(journal.EncodeQuarantined(f, "no")), "01"+"07"+"026e6f"+"01"+"8001"+"03612f62"+"ff00"; got != want {
		t.Errorf("quarantined = %s, want %s", got, want)
	}
}

func TestEnvelopeV2(t *testing.T) {
	frames := []ingest.Frame{
		{Device: "raft", ContentType: "a/b", Received: time.Unix(0, 64).UTC(), Payload: []byte{0xFF, 0x00}},
		{Device: "池", Received: time.Unix(0, -1).UTC(), Payload: []byte{}},
	}
	b := []byte{2}
	for i := range frames {
		b = journal.AppendGrouped(b, &frames[i])
	}
	if got, want := hex.EncodeToString(b), "02"+"0472616674"+"8001"+"03612f62"+"02ff00"+"03e6b1a0"+"01"+"00"+"00"; got != want {
		t.Errorf("group = %s, want %s", got, want)
	}
	got, err := journal.AppendFrames(nil, b)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(frames, got); d != "" {
		t.Errorf("frames (-want +got)\n%s", d)
	}
	for n := range b {
		if got, err := journal.AppendFrames(nil, b[:n]); err == nil && len(got) != 1 {
			t.Errorf("%d of %d bytes are read as %d frames", n, len(b), len(got))
		}
	}
	room := append(make([]ingest.Frame, 0, 8), frames[1])
	if got, err := journal.AppendFrames(room, b); err != nil || cmp.Diff(append(frames[1:2:2], frames...), got) != "" {
		t.Errorf("after another frame: %v, error %v", got, err)
	}
	if got, err := journal.AppendFrames(room, b[:len(b)-1]); err == nil || cmp.Diff(room, got) != "" {
		t.Errorf("torn, after another frame: %v, error %v", got, err)
	}
}

func TestToken(t *testing.T) {
	tests := map[string]string{
		"raft-1":  "raft-1",
		"a.b":     "a=2Eb",
		"a b":     "a=20b",
		"*":       "=2A",
		"a=b":     "a=3Db",
		"塘口":      "=E5=A1=98=E5=8F=A3",
		"x\xFF>y": "x=FF=3Ey",
	}
	for device, want := range tests {
		t.Run(device, func(t *testing.T) {
			got := journal.Token(device)
			if got != want {
				t.Errorf("Token(%q) = %q, want %q", device, got, want)
			}
			if back := journal.DeviceOf("th.up.3." + got); back != device {
				t.Errorf("DeviceOf(Token(%q)) = %q", device, back)
			}
		})
	}
}

// A device must stay where it is for as long as the journal exists.
func TestPartitionIsStable(t *testing.T) {
	tests := map[string]int{"": 1, "a": 0, "raft-1": 0, "塘口": 2}
	for device, want := range tests {
		if got := journal.PartitionOf(device, 4); got != want {
			t.Errorf("partition of %q = %d, want %d", device, got, want)
		}
	}
}

func FuzzDecodeFrame(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{1, 0x80})
	f.Add([]byte{1, 2, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1})
	f.Add(journal.EncodeFrame(ingest.Frame{ContentType: "application/json", Received: time.Unix(1, 2), Payload: []byte("{}")}))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := journal.DecodeFrame(b)
		if err != nil {
			return
		}
		again, err := journal.DecodeFrame(journal.EncodeFrame(got))
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(got, again); d != "" {
			t.Errorf("after another round (-first +second)\n%s", d)
		}
	})
}

func FuzzAppendFrames(f *testing.F) {
	f.Add([]byte{2})
	f.Add([]byte{2, 1, 'a', 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1})
	f.Add(journal.AppendGrouped([]byte{2}, &ingest.Frame{Device: "a", Received: time.Unix(1, 2), Payload: []byte("{}")}))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := journal.AppendFrames(nil, b)
		if err != nil || b[0] != 2 {
			return
		}
		again := []byte{2}
		for i := range got {
			again = journal.AppendGrouped(again, &got[i])
		}
		frames, err := journal.AppendFrames(nil, again)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(got, frames); d != "" {
			t.Errorf("after another round (-first +second)\n%s", d)
		}
	})
}

func FuzzDecodeQuarantined(f *testing.F) {
	f.Add([]byte{1, 1, 5})
	f.Add(journal.EncodeQuarantined(ingest.Frame{Seq: 9, Received: time.Unix(1, 2), Payload: []byte("x")}, "no such channel"))
	f.Fuzz(func(t *testing.T, b []byte) {
		reason, got, err := journal.DecodeQuarantined(b)
		if err != nil {
			return
		}
		reason2, again, err := journal.DecodeQuarantined(journal.EncodeQuarantined(got, reason))
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(got, again); d != "" || reason != reason2 {
			t.Errorf("after another round: %q, %q (-first +second)\n%s", reason, reason2, d)
		}
	})
}

func TestDecodeFrameNewer(t *testing.T) {
	_, err := journal.AppendFrames(nil, append([]byte{3}, bytes.Repeat([]byte{0}, 10)...))
	if err == nil || !strings.Contains(err.Error(), "version 3") {
		t.Errorf("err = %v, want one that names version 3", err)
	}
}
