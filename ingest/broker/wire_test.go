package broker_test

import (
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tianhai/ingest"
	"tianhai/ingest/broker"
)

// Packets as bytes, so that they can be bent.

func str(s string) []byte { return append([]byte{byte(len(s) >> 8), byte(len(s))}, s...) }

func packet(head byte, parts ...[]byte) []byte {
	body := slices.Concat(parts...)
	p := []byte{head}
	for n := len(body); ; {
		b := byte(n & 0x7F)
		if n >>= 7; n > 0 {
			p = append(p, b|0x80)
			continue
		}
		return append(append(p, b), body...)
	}
}

// props is an empty property list in MQTT 5, and nothing before it.
func props(version byte) []byte {
	if version == 5 {
		return []byte{0}
	}
	return nil
}

// connectPacket has a last will, a user name and a secret, and asks for a clean
// session.
func connectPacket(version byte, device string) []byte {
	return packet(0x10, str("MQTT"), []byte{version, 0xC6, 0, 60}, props(version), str(device),
		props(version), str(ingest.Topic(device, "status")), str("offline"), str(device), str(secretOf(device)))
}

// connectWith has a last will of its own.
func connectWith(device, will string) []byte {
	return packet(0x10, str("MQTT"), []byte{4, 0xC6, 0, 60}, str(device),
		str(ingest.Topic(device, "status")), str(will), str(device), str(secretOf(device)))
}

func publishPacket(version, qos byte) []byte {
	return packet(0x30|qos<<1, str("th/a/up"), []byte{0, 1}, props(version), []byte(`{"do":7}`))
}

func dial(t *testing.T, b *broker.Broker) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", b.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn
}

func send(t *testing.T, conn net.Conn, packets ...[]byte) {
	t.Helper()
	if _, err := conn.Write(slices.Concat(packets...)); err != nil {
		t.Fatal(err)
	}
}

// conversation returns packets of every kind that a client may send.
func conversation(version byte) [][]byte {
	sub := []byte{1}
	publish5 := []byte(nil)
	if version == 5 {
		publish5 = packet(0x32, str("th/a/up"), []byte{0, 9},
			append([]byte{36}, slices.Concat(
				[]byte{0x01, 1}, []byte{0x02, 0, 0, 0, 60}, append([]byte{0x03}, str("a/json")...),
				append([]byte{0x08}, str("re")...), append([]byte{0x09}, str("co")...), append([]byte{0x26}, append(str("k"), str("v")...)...),
				[]byte{0x23, 0, 0})...), []byte("{}"))
	}
	return [][]byte{
		connectPacket(version, "a"),
		packet(0x82, []byte{0, 2}, props(version), str("th/a/down"), sub),
		publishPacket(version, 1),
		publishPacket(version, 2),
		packet(0x62, []byte{0, 1}),
		publish5,
		packet(0x30, str("th/a/status"), props(version), []byte("online")),
		packet(0x40, []byte{0, 1}),
		packet(0x50, []byte{0, 1}),
		packet(0x70, []byte{0, 1}),
		packet(0xA2, []byte{0, 3}, props(version), str("th/a/down")),
		{0xC0, 0},
		packet(0xF0, []byte{0}, props(version)),
		{0xE0, 0},
	}
}

// bend damages a stream of bytes as a bad line, a bad client or an attacker does.
func bend(r *rand.Rand, b []byte) []byte {
	b = slices.Clone(b)
	for range 1 + r.IntN(4) {
		if len(b) == 0 {
			return b
		}
		i := r.IntN(len(b))
		switch r.IntN(6) {
		case 0:
			b[i] = byte(r.Uint32())
		case 1:
			b[i] ^= 1 << r.IntN(8)
		case 2:
			b = slices.Delete(b, i, min(len(b), i+1+r.IntN(4)))
		case 3:
			b = slices.Insert(b, i, byte(r.Uint32()), byte(r.Uint32()))
		case 4:
			b = b[:i]
		case 5:
			b[i] = []byte{0, 0x7F, 0x80, 0xFF}[r.IntN(4)]
		}
	}
	return b
}

// Damaged conversations neither end the process nor hold up an honest device.
func TestDamagedPackets(t *testing.T) {
	var log syncBuffer
	y := newFarmyard()
	b := open(t, y, broker.Options{Logger: newLog(&log), Patience: time.Millisecond, Door: ingest.NewDoor(y, 1<<30, nil)})
	rounds := 3000
	if testing.Short() {
		rounds = 300
	}
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(worker), 20))
			for n := range rounds {
				talk := conversation([]byte{3, 4, 4, 5, 5, 5}[r.IntN(6)])
				// Mostly let it in first, or nothing past CONNECT is ever tried.
				var out []byte
				if from := r.IntN(3); from > 0 {
					out = slices.Concat(talk[0], bend(r, slices.Concat(talk[1:]...)))
				} else {
					out = bend(r, slices.Concat(talk...))
				}
				conn, err := net.Dial("tcp", b.Addr().String())
				if err != nil {
					t.Errorf("round %d: %v", n, err)
					return
				}
				_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
				_, _ = conn.Write(out)
				_ = conn.(*net.TCPConn).CloseWrite()
				_, _ = io.Copy(io.Discard, conn)
				_ = conn.Close()
			}
		})
	}
	wg.Wait()
	for _, where := range strings.Split(log.String(), "connection ended by a panic")[1:] {
		if !strings.Contains(where, "SubscribeDecode") {
			t.Errorf("a panic other than the known one was contained: %s", cut(where, 2000))
		}
	}
	c := mustConnect(t, settings(b, "honest"))
	if err := wait(t, c.Publish("th/honest/up", 1, false, "{}")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the others are gone", func() bool { return b.Connections() == 1 })
}

// mochi v2.7.9 reads past the end of an MQTT 5 SUBSCRIBE that ends after a
// filter. That costs the connection, and nothing else.
func TestPanicIsContained(t *testing.T) {
	y := newFarmyard()
	b := open(t, y, broker.Options{})
	honest := mustConnect(t, settings(b, "honest").SetAutoReconnect(false))
	conn := dial(t, b)
	send(t, conn, connectPacket(5, "a"))
	eventually(t, "it is online", func() bool { return y.isOnline("a") == "online" })
	send(t, conn, packet(0x82, []byte{0, 2, 0}, str("th/a/down")))
	if _, err := io.Copy(io.Discard, conn); err != nil {
		t.Fatalf("not closed: %v", err)
	}
	eventually(t, "it is offline", func() bool { return y.isOnline("a") == "offline" })
	if err := wait(t, honest.Publish("th/honest/up", 1, false, "{}")); err != nil {
		t.Fatal(err)
	}
	mustConnect(t, settings(b, "a"))
}

// mochi drops what is published to $SYS without a word: it is not acknowledged.
func TestSysTopic(t *testing.T) {
	y := newFarmyard()
	conn := dial(t, open(t, y, broker.Options{}))
	send(t, conn, connectPacket(4, "a"), packet(0x32, str("$SYS/a/up"), []byte{0, 1}, []byte("x")), []byte{0xC0, 0})
	for _, want := range []byte{2, 13} { // CONNACK, PINGRESP
		if got := readPacket(t, conn)[0] >> 4; got != want {
			t.Errorf("packet type %d, want %d", got, want)
		}
	}
	if n := y.tried(); n != 0 {
		t.Errorf("%d frames tried", n)
	}
}

func cut(s string, n int) string { return s[:min(n, len(s))] }

// Nobody who has not said CONNECT, in a packet of moderate size, costs memory.
func TestFirstPacket(t *testing.T) {
	b := open(t, newFarmyard(), broker.Options{})
	for name, first := range map[string][]byte{
		"HTTP":              []byte("GET / HTTP/1.1\r\n\r\n"),
		"TLS":               {0x16, 0x03, 0x01, 0x02, 0x00},
		"PUBLISH":           publishPacket(4, 1),
		"CONNECT of 1 MiB":  append([]byte{0x10, 0x80, 0x80, 0x40}, make([]byte, 64<<10)...),
		"CONNECT of 9 KiB":  connectWith("a", strings.Repeat("x", 9<<10)), // else in order
		"endless length":    {0x10, 0x80, 0x80, 0x80, 0x80, 0x80},
		"CONNECT with flag": {0x11, 0x00},
	} {
		t.Run(name, func(t *testing.T) {
			conn := dial(t, b)
			send(t, conn, first)
			answer, err := io.ReadAll(conn)
			if len(answer) > 0 {
				t.Errorf("answered % x", answer)
			}
			if err != nil && !strings.Contains(err.Error(), "reset") {
				t.Errorf("not closed: %v", err)
			}
		})
	}
}

// A payload over the limit ends the connection and is not kept.
func TestTooLarge(t *testing.T) {
	y := newFarmyard()
	b := open(t, y, broker.Options{})
	c := mustConnect(t, settings(b, "a").SetAutoReconnect(false))
	if err := wait(t, c.Publish("th/a/up", 1, false, make([]byte, ingest.MaxPayload))); err != nil {
		t.Fatalf("largest payload: %v", err)
	}
	c.Publish("th/a/up", 1, false, make([]byte, ingest.MaxPayload+16<<10))
	eventually(t, "the connection is closed", func() bool { return !c.IsConnectionOpen() })
	if got := len(y.payloads("a")); got != 1 {
		t.Errorf("kept %d", got)
	}
}

// An MQTT 5 client is told what a message of no use was.
func TestReasonCode(t *testing.T) {
	b := open(t, newFarmyard(), broker.Options{})
	for name, want := range map[string]struct {
		topic string
		code  byte
	}{
		"malformed answer": {"th/a/ack", 0x99},
		"another's topic":  {"th/b/up", 0x87},
	} {
		t.Run(name, func(t *testing.T) {
			conn := dial(t, b)
			send(t, conn, connectPacket(5, "a"), packet(0x32, str(want.topic), []byte{0, 1, 0}, []byte("x")))
			var got []byte
			for len(got) == 0 || got[0]>>4 != 4 {
				got = readPacket(t, conn)
			}
			if code := got[4]; code != want.code {
				t.Errorf("PUBACK % x, want reason %#x", got, want.code)
			}
		})
	}
}

func readPacket(t *testing.T, conn net.Conn) []byte {
	t.Helper()
	head := make([]byte, 2)
	if _, err := io.ReadFull(conn, head); err != nil {
		t.Fatal(err)
	}
	body := make([]byte, head[1])
	if _, err := io.ReadFull(conn, body); err != nil {
		t.Fatal(err)
	}
	return append(head, body...)
}

func BenchmarkPublish(b *testing.B) {
	y := newFarmyard()
	br, err := broker.Open(b.Context(), broker.Options{Addr: "127.0.0.1:0", Door: ingest.NewDoor(y, 0, nil), Intake: y.intake()})
	if err != nil {
		b.Fatal(err)
	}
	defer br.Close()
	conn, err := net.Dial("tcp", br.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write(connectPacket(4, "a")); err != nil {
		b.Fatal(err)
	}
	ack := make([]byte, 4)
	if _, err := io.ReadFull(conn, ack); err != nil {
		b.Fatal(err)
	}
	out := publishPacket(4, 1)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := conn.Write(out); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(conn, ack); err != nil {
			b.Fatal(err)
		}
	}
	if ack[0] != 0x40 {
		b.Fatalf("% x", ack)
	}
}
