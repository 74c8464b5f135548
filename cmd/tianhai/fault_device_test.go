package main_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"tianhai/ingest"
)

// ping publishes one numbered frame and returns how long its acknowledgement took.
func (s *sender) ping(c *rawClient) (time.Duration, error) {
	n, payload := s.next()
	start := time.Now()
	if err := c.conn.SetDeadline(start.Add(30 * time.Second)); err != nil {
		return 0, err
	}
	if _, err := c.conn.Write(publishPacket("th/"+s.device+"/up", uint16(n%60000+1), payload)); err != nil {
		return 0, err
	}
	if _, err := c.readAck(); err != nil {
		return 0, err
	}
	s.acknowledge(n)
	return time.Since(start), nil
}

// A choir is devices that send politely: one frame, and after its acknowledgement
// and a pause the next, each on one connection that nobody may end.
type choir struct {
	t     *testing.T
	lines []*rawClient
	all   []*sender
}

func newChoir(x *trial, all []*sender) *choir {
	x.t.Helper()
	c := &choir{t: x.t.(*testing.T), all: all}
	for _, s := range all {
		line, err := dialRaw(x.s.MQTT, s.device, s.secret)
		if err != nil {
			x.t.Fatal(err)
		}
		x.t.Cleanup(func() { line.conn.Close() })
		c.lines = append(c.lines, line)
	}
	return c
}

// sing has every device send so many frames; it returns the median time to an
// acknowledgement.
func (c *choir) sing(frames int) time.Duration {
	c.t.Helper()
	var mu sync.Mutex
	var took []time.Duration
	var singing sync.WaitGroup
	for i, s := range c.all {
		singing.Go(func() {
			beat := time.NewTicker(20 * time.Millisecond)
			defer beat.Stop()
			for range frames {
				d, err := s.ping(c.lines[i])
				if err != nil {
					c.t.Errorf("%s lost service: %v", s.device, err)
					return
				}
				mu.Lock()
				took = append(took, d)
				mu.Unlock()
				<-beat.C
			}
		})
	}
	singing.Wait()
	if len(took) == 0 {
		c.t.Fatal("nobody was served")
	}
	slices.Sort(took)
	return took[len(took)/2]
}

// fastest is how many messages a second one device is heard at, and how many at
// once; docs/operations.md says so.
const (
	fastest = 5_000
	atOnce  = 20_000
)

// TestFlood has one device send as fast as it can. It is heard no faster than is
// documented, and twenty others hardly notice.
func TestFlood(t *testing.T) {
	x := newTrial(t, "flood", 21)
	x.start()
	polite := newChoir(x, x.senders[1:])
	polite.sing(10) // until everything is warm
	quiet := polite.sing(50)

	flood := x.senders[0]
	line, err := dialRaw(x.s.MQTT, flood.device, flood.secret)
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	var flooding sync.WaitGroup
	stop := make(chan struct{})
	flooding.Go(func() { flood.pour(line, stop) })
	waitFor(t, "the burst to be over", time.Minute, func() bool { return flood.acknowledged() > atOnce })
	loud := polite.sing(100)
	close(stop)
	flooding.Wait()
	heard, most := flood.acknowledged(), atOnce+int(fastest*time.Since(start).Seconds())+fastest
	t.Logf("median time to an acknowledgement: %v alone, %v beside a flood of %d frames", quiet, loud, heard)
	if heard > most {
		t.Errorf("%d frames of the flood were heard, more than %d", heard, most)
	}
	// The load generator, which encodes the flood, shares the machine with the server.
	if loud > 30*quiet {
		t.Errorf("beside a flood an acknowledgement takes %v, alone %v", loud, quiet)
	}
	x.sum()
	x.bounded()
}

// pour publishes as fast as the connection takes it, and reads acknowledgements
// beside that. Everything is acknowledged when it returns.
func (s *sender) pour(c *rawClient, stop <-chan struct{}) {
	const ids = 60000
	unacknowledged := make(chan int, 2000) // less than there are identifiers
	var reading sync.WaitGroup
	reading.Go(func() {
		for n := range unacknowledged {
			if _, err := c.readAck(); err != nil { // they come in order
				for range unacknowledged {
				}
				return
			}
			s.acknowledge(n)
		}
	})
	for {
		select {
		case <-stop:
			close(unacknowledged)
			reading.Wait()
			_ = c.conn.Close()
			return
		default:
		}
		var burst []byte
		for range 50 {
			n, payload := s.next()
			burst = append(burst, publishPacket("th/"+s.device+"/up", uint16(n%ids+1), payload)...)
			unacknowledged <- n
		}
		if _, err := c.conn.Write(burst); err != nil {
			<-stop
		}
	}
}

// huge is a frame of exactly so many bytes.
func huge(s *sender, n, size int) []byte {
	head := fmt.Appendf(nil, `{"ts":%d,"turbidity":%d`, s.base+int64(n), n)
	return append(append(head, bytes.Repeat([]byte{' '}, size-len(head)-1)...), '}')
}

// TestLargeFrames has devices send 1 MiB a frame, side by side: they are kept. One
// byte more ends the connection without an acknowledgement.
func TestLargeFrames(t *testing.T) {
	t.Parallel()
	x := newTrial(t, "large", 6)
	x.start()
	for _, s := range x.senders {
		s.frame = func(s *sender, n int) ([]byte, bool) { return huge(s, n, ingest.MaxPayload), false }
	}
	var sending sync.WaitGroup
	for _, s := range x.senders {
		line, err := dialRaw(x.s.MQTT, s.device, s.secret)
		if err != nil {
			t.Fatal(err)
		}
		sending.Go(func() {
			defer line.conn.Close()
			for range 30 {
				if _, err := s.ping(line); err != nil {
					t.Errorf("%s: a frame of 1 MiB is not acknowledged: %v", s.device, err)
					return
				}
			}
		})
	}
	sending.Wait()
	for _, size := range []int{ingest.MaxPayload + 1, ingest.MaxPayload + 1<<20} {
		s := x.senders[0]
		line, err := dialRaw(x.s.MQTT, s.device, s.secret)
		if err != nil {
			t.Fatal(err)
		}
		s.frame = func(s *sender, n int) ([]byte, bool) { return huge(s, n, size), false }
		if took, err := s.ping(line); err == nil {
			t.Errorf("a frame of %d bytes is acknowledged after %v", size, took)
		} else if errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("a frame of %d bytes does not end the connection", size)
		}
		line.conn.Close()
		s.frame = func(s *sender, n int) ([]byte, bool) { return huge(s, n, ingest.MaxPayload), false }
	}
	if x.s.metric("tianhai_frames_rejected_total") == 0 {
		t.Error("no metric tells of the frame that is too large")
	}
	a := x.sum()
	if a.extra > 0 {
		t.Errorf("%d frames that are too large were stored", a.extra)
	}
	x.bounded()
}

// TestNeverReads has a device that subscribes to its commands, publishes and reads
// nothing: neither acknowledgements nor commands. Others are served, its commands
// wait, and when it is back it gets them.
func TestNeverReads(t *testing.T) {
	x := newTrial(t, "deaf", 6)
	x.start()
	polite := newChoir(x, x.senders[1:])
	deaf := x.senders[0]
	line, err := dialRaw(x.s.MQTT, deaf.device, deaf.secret)
	if err != nil {
		t.Fatal(err)
	}
	defer line.conn.Close()
	if err := line.conn.(*net.TCPConn).SetReadBuffer(4 << 10); err != nil {
		t.Fatal(err)
	}
	if _, err := line.conn.Write(subscribePacket("th/" + deaf.device + "/down")); err != nil {
		t.Fatal(err)
	}
	blocked := deaf.shout(line)
	t.Logf("%d frames until nothing more is taken", blocked)

	b := newBrowser(t, x.s.HTTP)
	b.login("chief", x.chief)
	path := "/api/v1/devices/" + deaf.device + "/commands"
	for i := range 5 {
		if status, answer := b.send("POST", path, fmt.Appendf(nil, `{"name":"wipe","value":"%d","good":3600}`, i)); status != http.StatusAccepted {
			t.Fatalf("command: %d %s", status, answer)
		}
	}
	polite.sing(20)
	var list struct {
		Commands []struct{ State, Value string }
	}
	b.getJSON(path, &list)
	if len(list.Commands) != 5 {
		t.Errorf("%d commands are there, want 5", len(list.Commands))
	}
	for _, c := range list.Commands {
		if c.State != "queued" && c.State != "sent" {
			t.Errorf("command %s is %s", c.Value, c.State)
		}
	}

	// Another connection of the same device takes over from the deaf one.
	back, err := dialRaw(x.s.MQTT, deaf.device, deaf.secret)
	if err != nil {
		t.Fatalf("the device does not come back: %v", err)
	}
	defer back.conn.Close()
	if err := back.conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := back.conn.Write(subscribePacket("th/" + deaf.device + "/down")); err != nil {
		t.Fatal(err)
	}
	for {
		kind, body, err := back.read()
		if err != nil {
			t.Fatalf("the command does not arrive: %v", err)
		}
		if kind&0xF0 == 0x30 {
			if !bytes.Contains(body, []byte(`"value":"0"`)) {
				t.Errorf("the first command is %s", body)
			}
			break
		}
	}
	x.sum()
	x.bounded()
}

func subscribePacket(topic string) []byte {
	return mqttPacket(0x82, append(append([]byte{0, 1}, mqttString(topic)...), 1))
}

// shout publishes without reading until the server takes nothing more. It returns
// how many frames went out.
func (s *sender) shout(c *rawClient) int {
	sent := 0
	for {
		n, payload := s.next()
		_ = c.conn.SetWriteDeadline(time.Now().Add(2 * time.Second))
		if _, err := c.conn.Write(publishPacket("th/"+s.device+"/up", uint16(n%60000+1), payload)); err != nil {
			return sent
		}
		sent++
	}
}

// A device that is silent in the middle of a frame, and one that never says who it
// is, hold up nobody either.
func TestHalfFrames(t *testing.T) {
	t.Parallel()
	x := newTrial(t, "half", 4)
	x.start()
	polite := newChoir(x, x.senders[1:])
	line, err := dialRaw(x.s.MQTT, x.senders[0].device, x.senders[0].secret)
	if err != nil {
		t.Fatal(err)
	}
	defer line.conn.Close()
	whole := publishPacket("th/"+x.senders[0].device+"/up", 1, make([]byte, 1000))
	if _, err := line.conn.Write(whole[:500]); err != nil {
		t.Fatal(err)
	}
	stranger, err := net.Dial("tcp", x.s.MQTT)
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	if _, err := stranger.Write([]byte{0x10}); err != nil {
		t.Fatal(err)
	}
	polite.sing(20)
	if err := stranger.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := stranger.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("who never says who it is: %v, want the connection's end", err)
	}
	if err := x.s.terminate(); err != nil {
		t.Errorf("the server does not stop cleanly: %v", err)
	}
	x.start()
	x.sum()
}
