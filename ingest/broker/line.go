package broker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"tianhai/ingest"
	"tianhai/ingest/packet"
)

// readBuffer is how many bytes of a connection are read at once, which bounds
// the readings that are kept and acknowledged together.
const readBuffer = 4 << 10

// A line is a connection whose first bytes were read already, and what the gate
// must know of it.
//
// Readings that came in one piece are kept together and acknowledged together:
// they are held until mochi has used up what was read, and settled before the
// line waits for more, or before any other packet is handled. Nothing is held
// while the line waits for the device.
//
// Its fields belong to the goroutine of serve.
type line struct {
	net.Conn
	head    []byte
	client  *mqtt.Client // from the moment it speaks for a device
	before  *mqtt.Client // which it takes over from
	holding bool         // it is this device's turn, in gate.sessions

	settle func() error // keeps and acknowledges what is held
	held   []ingest.Frame
	acks   []byte // the PUBACKs of held

	pace   pacer
	paced  bool                // the log was told
	linger func(time.Duration) // waits, for as long as the broker is open

	deadline atomic.Int64 // Unix seconds, of what SetDeadline was told last
}

func (l *line) Read(p []byte) (int, error) {
	if len(l.head) > 0 {
		n := copy(p, l.head)
		l.head = l.head[n:]
		return n, nil
	}
	if len(l.held) > 0 {
		if err := l.settle(); err != nil {
			return 0, err
		}
	}
	if l.pace.count > 0 {
		if ahead := l.pace.wait(time.Now()); ahead > 0 {
			l.linger(ahead)
		}
	}
	return l.Conn.Read(p)
}

// SetDeadline spares the system what makes no difference: mochi moves the
// deadline, which is a keep-alive and a half away, with every packet.
func (l *line) SetDeadline(t time.Time) error {
	if s := t.Unix(); l.deadline.Swap(s) == s {
		return nil
	}
	return l.Conn.SetDeadline(t)
}

// SetWriteDeadline holds until the next SetDeadline.
func (l *line) SetWriteDeadline(t time.Time) error {
	l.deadline.Store(0)
	return l.Conn.SetWriteDeadline(t)
}

// hold notes a reading that is to be kept, and the acknowledgement it shall get.
func (l *line) hold(f ingest.Frame, id uint16) {
	l.held = append(l.held, f)
	l.acks = packet.AppendPuback(l.acks, id)
}

// drop forgets what is held; the device sends it again.
func (l *line) drop() {
	clear(l.held)
	l.held, l.acks = l.held[:0], l.acks[:0]
}

// settle keeps what a line holds and acknowledges it. An error ends the
// connection.
func (g *gate) settle(cl *mqtt.Client, l *line) error {
	defer l.drop()
	g.opt.Intake.Metrics.Received(len(l.held))
	err := g.patiently(func() error { return g.opt.Intake.Keep(g.ctx, l.held...) })
	if err != nil {
		return g.giveUp(cl, err)
	}
	g.opt.Intake.Metrics.Acknowledged(len(l.held))
	_, err = l.Write(l.acks)
	return err
}

// linger leaves a device alone that sends too fast.
func (g *gate) linger(cl *mqtt.Client, l *line, ahead time.Duration) {
	if !l.paced {
		l.paced = true
		g.log.WarnContext(g.ctx, "device sends too fast and is heard more slowly from here on", "device", cl.ID, "messages_per_second", maxRate)
	}
	timer := time.NewTimer(ahead)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-g.ctx.Done():
	}
}

// patiently offers something to the Intake until it is taken or Patience ends.
// The device waits meanwhile, which is all the back-pressure there is in MQTT 3.
func (g *gate) patiently(offer func() error) error {
	err := offer()
	if err == nil || errors.Is(err, ingest.ErrRefused) {
		return err
	}
	ctx, cancel := context.WithTimeout(g.ctx, g.opt.Patience)
	defer cancel()
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		again := time.NewTimer(pause)
		select {
		case <-again.C:
		case <-ctx.Done():
			again.Stop()
			return err
		}
		if err = offer(); err == nil || errors.Is(err, ingest.ErrRefused) {
			return err
		}
	}
}

// giveUp closes a connection, because a client sends again only on a new one.
func (g *gate) giveUp(cl *mqtt.Client, err error) error {
	g.log.WarnContext(g.ctx, "message not acknowledged, connection closed", "device", cl.ID, "error", err)
	if cl.Properties.ProtocolVersion == 5 {
		_ = cl.WritePacket(packets.Packet{
			FixedHeader: packets.FixedHeader{Type: packets.Disconnect},
			ReasonCode:  packets.ErrServerBusy.Code,
		})
	}
	cl.Stop(packets.ErrServerBusy)
	return fmt.Errorf("message not acknowledged: %w", err)
}
