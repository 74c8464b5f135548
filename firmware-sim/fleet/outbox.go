package fleet

import (
	"context"
	"sync"
)

// A message waits in an outbox until the broker has acknowledged it.
type message struct {
	topic       string
	payload     []byte
	measurement bool
	row         int  // of a replay
	sent        bool // at least once
	acked       bool
	done        bool // acknowledged or dropped
}

// An outbox is what a device has to say, oldest first, and keeps it in memory
// until it is acknowledged. It is safe for concurrent use.
type outbox struct {
	limit int           // of measurements, and of answers
	wake  chan struct{} // has an element when there may be more to send
	room  chan struct{} // has an element when there may be room

	mu       sync.Mutex    // guards what follows
	queues   [2][]*message // answers, then measurements; each oldest first
	measured uint64
	sent     uint64
	acked    uint64
	dropped  uint64
	stored   int // measurements neither acknowledged nor dropped
}

func newOutbox(limit int) *outbox {
	return &outbox{limit: limit, wake: make(chan struct{}, 1), room: make(chan struct{}, 1)}
}

// queue is called with mu held.
func (o *outbox) queue(m *message) *[]*message {
	if m.measurement {
		return &o.queues[1]
	}
	return &o.queues[0]
}

// put takes a message. A full outbox forgets its oldest measurement, as a
// device does that must choose, and counts it as dropped.
func (o *outbox) put(m *message) {
	o.mu.Lock()
	q := o.queue(m)
	if m.measurement && o.stored >= o.limit || !m.measurement && len(*q) >= o.limit {
		o.finish((*q)[0])
	}
	*q = append(*q, m)
	if m.measurement {
		o.measured++
		o.stored++
	}
	o.mu.Unlock()
	signal(o.wake)
}

// finish lets go of a message, and is called with mu held.
func (o *outbox) finish(m *message) {
	if m.done {
		return
	}
	m.done = true
	if m.measurement {
		o.stored--
		if m.acked {
			o.acked++
		} else {
			o.dropped++
		}
	}
	q := o.queue(m)
	for len(*q) > 0 && (*q)[0].done {
		(*q)[0] = nil
		*q = (*q)[1:]
	}
}

// putWait takes a message when there is room for it.
func (o *outbox) putWait(ctx context.Context, m *message) error {
	for {
		o.mu.Lock()
		full := o.stored >= o.limit
		o.mu.Unlock()
		if !full {
			o.put(m)
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-o.room:
		}
	}
}

// next returns what may be sent now: the first n messages, answers before
// measurements, less those in flight.
func (o *outbox) next(n int, inFlight func(*message) bool) []*message {
	o.mu.Lock()
	defer o.mu.Unlock()
	var out []*message
	for _, q := range o.queues {
		for _, m := range q {
			if n == 0 {
				return out
			}
			if m.done {
				continue
			}
			n--
			if !inFlight(m) {
				out = append(out, m)
			}
		}
	}
	return out
}

// publishing counts a measurement's first sending.
func (o *outbox) publishing(m *message) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if m.measurement && !m.sent {
		o.sent++
	}
	m.sent = true
}

// acknowledged lets go of a message that the broker has.
func (o *outbox) acknowledged(m *message) {
	o.mu.Lock()
	if !m.done {
		m.acked = true
		o.finish(m)
	}
	o.mu.Unlock()
	signal(o.room)
}

// count adds what happened to the measurements to s.
func (o *outbox) count(s *Stats) {
	o.mu.Lock()
	defer o.mu.Unlock()
	s.Measured += o.measured
	s.Published += o.sent
	s.Acknowledged += o.acked
	s.Dropped += o.dropped
	s.Stored += o.stored
}

// empty reports whether everything was acknowledged.
func (o *outbox) empty() bool { return o.oldest() == nil }

// oldest returns the first message not yet acknowledged, measurements first;
// nil where there is none.
func (o *outbox) oldest() *message {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, q := range [...][]*message{o.queues[1], o.queues[0]} {
		if len(q) > 0 {
			return q[0]
		}
	}
	return nil
}

// crowded reports whether more than half of the room is taken.
func (o *outbox) crowded() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return 2*o.stored > o.limit
}

// drain waits until everything is acknowledged or ctx ends.
func (o *outbox) drain(ctx context.Context) {
	for !o.empty() {
		select {
		case <-ctx.Done():
			return
		case <-o.room:
		}
	}
}

// signal makes sure that c, of capacity 1, has an element.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
