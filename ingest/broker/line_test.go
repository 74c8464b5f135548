package broker_test

import (
	"fmt"
	"io"
	"testing"
	"time"

	"tianhai/ingest/broker"
)

// readingPacket is a reading of raft-1 at QoS 1.
func readingPacket(id int) []byte {
	return packet(0x32, str("th/raft-1/up"), []byte{byte(id >> 8), byte(id)}, fmt.Append(nil, id))
}

// Readings that come in one piece are kept together and acknowledged in order,
// also when the connection ends with the same piece.
func TestBurst(t *testing.T) {
	y := newFarmyard()
	conn := dial(t, open(t, y, broker.Options{}))
	burst := connectPacket(4, "raft-1")
	const readings = 100
	for id := 1; id <= readings; id++ {
		burst = append(burst, readingPacket(id)...)
		if id == 60 { // something else in between
			burst = append(burst, packet(0x32, str("th/raft-1/ack"), []byte{9, 9}, []byte(`{"id":"c-1","ok":true}`))...)
		}
	}
	send(t, conn, burst, packet(0xE0))
	answer, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	want := []byte{0x20, 2, 0, 0}
	for id := 1; id <= readings; id++ {
		want = append(want, 0x40, 2, byte(id>>8), byte(id))
		if id == 60 {
			want = append(want, 0x40, 2, 9, 9)
		}
	}
	if string(answer) != string(want) {
		t.Errorf("answer\n%x, want\n%x", answer, want)
	}
	for i, p := range y.payloads("raft-1") {
		if p != fmt.Sprint(i+1) {
			t.Fatalf("frame %d is %s", i, p)
		}
	}
	if n := len(y.payloads("raft-1")); n != readings {
		t.Errorf("%d readings kept, %d sent", n, readings)
	}
	if n := y.tried(); n >= readings/2 {
		t.Errorf("%d readings were kept in %d pieces", readings, n)
	}
	if len(y.settled) != 1 {
		t.Errorf("settled %v", y.settled)
	}
}

// Nothing of a burst is acknowledged when it cannot be kept.
func TestBurstNotKept(t *testing.T) {
	y := newFarmyard()
	y.setShut(true)
	conn := dial(t, open(t, y, broker.Options{Patience: 200 * time.Millisecond}))
	send(t, conn, connectPacket(4, "raft-1"), readingPacket(1), readingPacket(2))
	answer, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	if want := []byte{0x20, 2, 0, 0}; string(answer) != string(want) {
		t.Errorf("answer %x, want %x", answer, want)
	}
	if n := len(y.payloads("raft-1")); n != 0 || y.tried() < 2 {
		t.Errorf("%d kept after %d attempts", n, y.tried())
	}
}
