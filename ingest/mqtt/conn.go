package mqtt

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/url"
	"sync"
	"time"

	"tianhai/ingest"
	"tianhai/ingest/packet"
)

// schemes says which need TLS.
var schemes = map[string]bool{"tcp": false, "mqtt": false, "ssl": true, "tls": true, "mqtts": true}

const (
	// bufferSize holds the head of any message, as a topic has up to 64 KiB, and
	// what a busy broker sends within longestPause.
	bufferSize   = 128 << 10
	skipHead     = packet.MaxHead + 2 + 1<<16 + 2
	maxMessage   = ingest.MaxPayload + skipHead
	writeTimeout = 10 * time.Second

	// The pause between two reads of a calmConn: so much for each message that
	// the first one brought, within bounds. A broker that sends no more than so
	// many before it is acknowledged is not held below 20,000 messages a second by
	// 20, as Mosquitto has it, and not below 32,000 by any larger number.
	pausePerMessage = time.Millisecond / 32
	shortestPause   = time.Millisecond
	longestPause    = 8 * time.Millisecond
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
		calm := &calmConn{Conn: c}
		b := newConn(calm, end)
		b.calm = calm
		return b, nil
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

// A calmConn lets some time pass before it reads again, and then reads what has
// come meanwhile: a millisecond, or more where much comes. A broker writes every
// message by itself: under load, reading each as it comes costs more than taking
// it in, and what is read at once is kept at once. What comes slowly does not
// wait. It is for connections without TLS, whose reads end with a record.
type calmConn struct {
	net.Conn
	last     time.Time // when the last read ended that took all there was
	messages int       // that came with it; whoever finds them counts
}

func (c *calmConn) Read(p []byte) (int, error) {
	pause := min(max(shortestPause, time.Duration(c.messages)*pausePerMessage), longestPause)
	if rest := pause - time.Since(c.last); rest > 0 {
		time.Sleep(rest)
	}
	c.messages = 0
	n, err := c.Conn.Read(p)
	if n < len(p) {
		c.last = time.Now()
	}
	return n, err
}

// A bufferedConn spares paho, which reads byte by byte and writes packet by
// packet, most of its system calls. What is written while an earlier write is
// under way goes out together.
//
// Messages at QoS 0 and 1 never reach paho, for which each passes through three
// goroutines: they go to the receiver, which acknowledges them by itself. paho
// keeps everything else: the session, its pings, the commands.
type bufferedConn struct {
	net.Conn
	r     *bufio.Reader
	calm  *calmConn // beneath r; nil with TLS
	ended context.CancelCauseFunc

	// These belong to the goroutine that reads.
	receiver *receiver // nil where messages are paho's
	topic    string    // of the last message: the next one's is often the same, and then shared
	ctx      context.Context
	left     int // of the packet that paho is reading, in bytes

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

// divert sends messages to a receiver until ctx is done. It is called before the
// first Read.
func (b *bufferedConn) divert(ctx context.Context, r *receiver) {
	r.acks = b
	b.receiver, b.ctx = r, ctx
}

func (b *bufferedConn) Read(p []byte) (int, error) {
	if b.receiver == nil {
		return b.r.Read(p)
	}
	for b.left == 0 {
		if err := b.next(); err != nil {
			return 0, err
		}
	}
	n, err := b.r.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// next takes a message, or finds out how long paho's next packet is.
func (b *bufferedConn) next() error {
	var head []byte
	size := 0
	for n := 2; size == 0; n++ {
		var err error
		if head, err = b.r.Peek(n); err != nil {
			return err
		}
		if size, err = packet.Size(head); err != nil {
			return err
		}
	}
	switch {
	case !packet.IsPublish(head[0]):
		b.left = size
		return nil
	case size > maxMessage:
		return b.skip(size)
	case size > bufferSize:
		whole := make([]byte, size)
		if _, err := io.ReadFull(b.r, whole); err != nil {
			return err
		}
		return b.deliver(whole)
	}
	whole, err := b.r.Peek(size)
	if err != nil {
		return err
	}
	if err := b.deliver(whole); err != nil {
		return err
	}
	_, err = b.r.Discard(size)
	return err
}

func (b *bufferedConn) deliver(whole []byte) error {
	p, err := packet.ReadPublish(whole)
	if err != nil {
		return err
	}
	if b.topic != string(p.Topic) {
		b.topic = string(p.Topic)
	}
	if b.calm != nil {
		b.calm.messages++
	}
	if !b.receiver.receive(b.ctx, message{topic: b.topic, payload: p.Payload, id: p.ID}) {
		return context.Cause(b.ctx)
	}
	return nil
}

// skip reads over a message that is longer than any that is taken. It is
// acknowledged, because it would come again for ever.
func (b *bufferedConn) skip(size int) error {
	head, err := b.r.Peek(skipHead)
	if err != nil {
		return err
	}
	p, err := packet.ReadStart(head)
	if err != nil {
		return err
	}
	m := message{topic: string(p.Topic), tooLong: size, id: p.ID}
	if _, err := b.r.Discard(size); err != nil {
		return err
	}
	if !b.receiver.receive(b.ctx, m) {
		return context.Cause(b.ctx)
	}
	return nil
}

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
			b.ended(err)       // paho says nothing of a read that fails on a closed connection
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
