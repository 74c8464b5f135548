package broker

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime/debug"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"
)

// accept serves each connection in a goroutine of its own, which Close awaits.
func (b *Broker) accept(ln net.Listener) {
	for {
		conn, err := ln.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // such as too many open files
			b.log.Warn("accept connection", "error", err)
			time.Sleep(100 * time.Millisecond)
			continue
		}
		if !b.admit(conn) {
			b.log.Warn("too many connections", "remote", conn.RemoteAddr())
			_ = conn.Close()
			continue
		}
		b.working.Go(func() {
			defer b.dismiss(conn)
			b.serve(conn)
		})
	}
}

func (b *Broker) admit(conn net.Conn) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || len(b.conns) >= b.opt.MaxConnections {
		return false
	}
	b.conns[conn] = struct{}{}
	return true
}

func (b *Broker) dismiss(conn net.Conn) {
	_ = conn.Close()
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.conns, conn)
}

// serve hands a connection to mochi and contains what it may do: it reads,
// parses and answers in this goroutine, so that a panic ends here. Its writer,
// in a goroutine of its own, handles nothing but packets made by this program.
func (b *Broker) serve(conn net.Conn) {
	l := &line{Conn: conn}
	remote := conn.RemoteAddr()
	defer b.gate.left(l)
	defer func() {
		if r := recover(); r != nil {
			b.log.Error("connection ended by a panic", "remote", remote, "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
		}
	}()
	// mochi itself sets no deadline before it has a CONNECT.
	if err := conn.SetDeadline(time.Now().Add(connectTimeout)); err != nil {
		return
	}
	if secure, ok := conn.(*tls.Conn); ok {
		if err := secure.HandshakeContext(b.gate.ctx); err != nil {
			b.log.Warn("TLS connection refused", "remote", remote, "error", err)
			return
		}
	}
	var err error
	if l.head, err = readHead(conn); err != nil {
		b.log.Debug("no MQTT connection", "remote", remote, "error", err)
		return
	}
	if err := b.mochi.EstablishConnection("mqtt", l); err != nil && !errors.Is(err, io.EOF) {
		b.log.Debug("connection ended", "remote", remote, "error", err)
	}
}

// readHead reads the fixed header of the first packet, which must be a CONNECT
// of moderate size, because mochi makes room for whatever length it is told.
func readHead(r io.Reader) ([]byte, error) {
	head := make([]byte, 0, 5)
	one := make([]byte, 1)
	size := 0
	for len(head) < cap(head) {
		if _, err := io.ReadFull(r, one); err != nil {
			return nil, err
		}
		head = append(head, one[0])
		if len(head) == 1 {
			if one[0] != packets.Connect<<4 {
				return nil, errors.New("first packet is no CONNECT")
			}
			continue
		}
		size |= int(one[0]&0x7F) << (7 * (len(head) - 2))
		if one[0]&0x80 == 0 {
			if size > maxConnect {
				return nil, fmt.Errorf("CONNECT of %d bytes", size)
			}
			return head, nil
		}
	}
	return nil, errors.New("malformed length")
}
