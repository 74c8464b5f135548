package mqtt

import (
	"bufio"
	"context"
	"crypto/tls"
	"net"
	"net/url"
	"sync"
	"time"
)

// schemes says which need TLS.
var schemes = map[string]bool{"tcp": false, "mqtt": false, "ssl": true, "tls": true, "mqtts": true}

const (
	bufferSize   = 64 << 10
	writeTimeout = 10 * time.Second
)

// dial opens a buffered connection; end is told when it is closed, by whichever
// side.
func dial(ctx context.Context, u *url.URL, config *tls.Config, end context.CancelCauseFunc) (*bufferedConn, error) {
	dialer := &net.Dialer{Timeout: connectTimeout}
	if !schemes[u.Scheme] {
		c, err := dialer.DialContext(ctx, "tcp", withPort(u, "1883"))
		if err != nil {
			return nil, err
		}
		return newConn(c, end), nil
	}
	c, err := (&tls.Dialer{NetDialer: dialer, Config: config}).DialContext(ctx, "tcp", withPort(u, "8883"))
	if err != nil {
		return nil, err
	}
	return newConn(c, end), nil
}

func withPort(u *url.URL, port string) string {
	if u.Port() != "" {
		return u.Host
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// A bufferedConn spares paho, which reads byte by byte and writes packet by
// packet, most of its system calls. What is written while an earlier write is
// under way goes out together.
type bufferedConn struct {
	net.Conn
	r     *bufio.Reader
	ended context.CancelCauseFunc

	mu      sync.Mutex // guards what follows
	change  *sync.Cond
	pending []byte
	closed  bool
	err     error
	flushed chan struct{} // closed when the writer has ended
}

func newConn(c net.Conn, end context.CancelCauseFunc) *bufferedConn {
	b := &bufferedConn{Conn: c, r: bufio.NewReaderSize(c, bufferSize), ended: end, flushed: make(chan struct{})}
	b.change = sync.NewCond(&b.mu)
	go b.flush() // until Close
	return b
}

func (b *bufferedConn) Read(p []byte) (int, error) { return b.r.Read(p) }

// Write returns when there is room in the buffer. An error of an earlier write
// is returned by a later one.
func (b *bufferedConn) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.pending) >= bufferSize && !b.closed && b.err == nil {
		b.change.Wait()
	}
	if b.err != nil {
		return 0, b.err
	}
	if b.closed {
		return 0, net.ErrClosed
	}
	b.pending = append(b.pending, p...)
	b.change.Broadcast()
	return len(p), nil
}

func (b *bufferedConn) flush() {
	defer close(b.flushed)
	var out []byte
	for {
		b.mu.Lock()
		for len(b.pending) == 0 && !b.closed {
			b.change.Wait()
		}
		out, b.pending = b.pending, out[:0]
		b.change.Broadcast()
		b.mu.Unlock()
		if len(out) == 0 {
			return
		}
		err := b.SetWriteDeadline(time.Now().Add(writeTimeout))
		if err == nil {
			_, err = b.Conn.Write(out)
		}
		if err != nil {
			b.mu.Lock()
			b.err = err
			b.change.Broadcast()
			b.mu.Unlock()
			_ = b.Conn.Close() // wakes the reader
			return
		}
	}
}

// Close sends what is buffered first, within a second.
func (b *bufferedConn) Close() error {
	b.mu.Lock()
	again := b.closed
	b.closed = true
	b.change.Broadcast()
	b.mu.Unlock()
	if again {
		return nil
	}
	b.ended(net.ErrClosed)
	late := time.AfterFunc(time.Second, func() { _ = b.Conn.Close() })
	defer late.Stop()
	<-b.flushed
	return b.Conn.Close()
}
