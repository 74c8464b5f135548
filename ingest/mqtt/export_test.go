package mqtt

import (
	"context"
	"net"
)

// The pauses between reads of a busy connection.
const (
	PausePerMessage = pausePerMessage
	ShortestPause   = shortestPause
	LongestPause    = longestPause
)

// Calm is what a connection without TLS is read through, where so many messages
// come with every read.
func Calm(c net.Conn, messages int) net.Conn { return &counted{calmConn{Conn: c}, messages} }

type counted struct {
	calmConn
	each int
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.calmConn.Read(p)
	c.messages = c.each
	return n, err
}

// Take does with a message what the session does, to whatever is there to take it.
func (o Options) Take(ctx context.Context, topic string, payload []byte) error {
	if f, ok := o.reading(topic, payload); ok {
		return o.Intake.Keep(ctx, f)
	}
	return o.accept(ctx, topic, payload)
}
