package journal_test

import (
	"io"
	"net"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats-server/v2/server"

	"tianhai/ingest/journal"
)

// A line carries connections to a server and can be told to swallow what the
// server says, and to break.
type line struct {
	ln net.Listener
	to string

	mu    sync.Mutex
	mute  bool
	conns []net.Conn
}

func newLine(t *testing.T, to string) *line {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &line{ln: ln, to: to}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			s, err := net.Dial("tcp", l.to)
			if err != nil {
				c.Close()
				continue
			}
			l.mu.Lock()
			l.conns = append(l.conns, c, s)
			l.mu.Unlock()
			wg.Go(func() { io.Copy(s, c); s.Close() })
			wg.Go(func() { io.Copy(hearing{l, c}, s); c.Close() })
		}
	})
	t.Cleanup(func() { ln.Close(); l.cut(); wg.Wait() })
	return l
}

// hearing is the way from the server to the client.
type hearing struct {
	l *line
	c net.Conn
}

func (h hearing) Write(p []byte) (int, error) {
	h.l.mu.Lock()
	mute := h.l.mute
	h.l.mu.Unlock()
	if mute {
		return len(p), nil
	}
	return h.c.Write(p)
}

func (l *line) setMute(mute bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mute = mute
}

func (l *line) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.conns {
		c.Close()
	}
	l.conns = nil
}

// Frames that were on their way to a reader when the line broke come again, even
// where nothing new follows them.
func TestLostOnTheWay(t *testing.T) {
	srv := startNATS(t, server.Options{StoreDir: t.TempDir(), MaxPayload: 2 << 20})
	direct := open(t, journal.Options{URL: srv.ClientURL(), Partitions: 1})
	l := newLine(t, srv.Addr().String())
	far := open(t, journal.Options{URL: "nats://" + l.ln.Addr().String()})
	c := &collector{}
	defer consume(t, far, journal.Store, c)()
	appendAll(t, direct, series("a", 0, 10)...)
	eventually(t, "the reader is at work", func() bool { return c.count() == 10 })

	l.setMute(true)
	appendAll(t, direct, series("a", 10, 20)...)
	eventually(t, "they are on their way", func() bool { return lag(t, direct)[journal.Store] == 10 })
	l.setMute(false)
	l.cut()
	eventually(t, "they come again", func() bool { return c.count() >= 20 })
	if diff := cmp.Diff(series("a", 0, 20), c.of("a")); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
