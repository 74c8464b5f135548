package mqtt

import "net"

// ReadEvery is how long reads of a busy connection are apart.
const ReadEvery = readEvery

// Calm is what a connection without TLS is read through.
func Calm(c net.Conn) net.Conn { return &calmConn{Conn: c} }
