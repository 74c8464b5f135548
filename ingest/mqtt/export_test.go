package mqtt

import "net"

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
