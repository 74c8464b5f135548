package mqtt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/eclipse/paho.mqtt.golang/packets"

	"tianhai/ingest"
	"tianhai/ingest/packet"
)

const (
	// waiting and waitingBytes bound the messages received that wait while others
	// are kept. Brokers mostly send fewer before they want an acknowledgement:
	// Mosquitto 20, EMQX 32.
	waiting      = 1024
	waitingBytes = 4 << 20

	minRetry = 50 * time.Millisecond
	maxRetry = 5 * time.Second
)

// A message is one that came and is to be acknowledged.
type message struct {
	topic   string
	payload []byte
	tooLong int    // the size of a payload that was not read; 0 for one that was
	id      uint16 // to acknowledge; 0 where there is nothing to acknowledge, or ack does it
	ack     func() // nil except for messages that paho has read
}

// A mailbag holds messages in the order of receipt.
type mailbag struct {
	messages []message
	data     []byte // of their payloads
}

// A receiver takes one connection's messages to the Intake and acknowledges
// them, both in the order of receipt. While those of one bag are kept, others go
// into the next: the busier the connection, the more are kept together.
type receiver struct {
	opt  *Options
	acks io.Writer     // the connection, set before anything is received
	some chan struct{} // holds a token when the bag is not empty
	room chan struct{} // holds a token after the bag was taken

	mu  sync.Mutex // guards bag
	bag *mailbag
}

func newReceiver(opt *Options) *receiver {
	return &receiver{opt: opt, some: make(chan struct{}, 1), room: make(chan struct{}, 1), bag: new(mailbag)}
}

// receive copies a message into the bag: at once, or when there is room. It
// reports false when ctx was done first; the broker then sends the message again.
func (r *receiver) receive(ctx context.Context, m message) bool {
	for {
		r.mu.Lock()
		b := r.bag
		before := len(b.messages)
		if before < waiting && (before == 0 || len(b.data)+len(m.payload) <= waitingBytes) {
			at := len(b.data)
			b.data = append(b.data, m.payload...)
			m.payload = b.data[at:len(b.data):len(b.data)]
			b.messages = append(b.messages, m)
			r.mu.Unlock()
			if before == 0 {
				notify(r.some)
			}
			return true
		}
		r.mu.Unlock()
		select {
		case <-r.room:
		case <-ctx.Done():
			return false
		}
	}
}

func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// run works until ctx is done.
func (r *receiver) run(ctx context.Context) {
	spare := new(mailbag)
	var frames []ingest.Frame
	for {
		select {
		case <-r.some:
		case <-ctx.Done():
			return
		}
		r.mu.Lock()
		full := r.bag
		r.bag = spare
		r.mu.Unlock()
		notify(r.room)
		var ok bool
		if frames, ok = r.settle(ctx, full.messages, frames); !ok {
			return
		}
		clear(full.messages)
		full.messages, full.data = full.messages[:0], full.data[:0]
		spare = full
	}
}

// settle has messages kept and acknowledges them, with frames as room to work
// in. It reports false when the connection ended first.
func (r *receiver) settle(ctx context.Context, some []message, frames []ingest.Frame) ([]ingest.Frame, bool) {
	for from := 0; from < len(some); {
		frames = frames[:0]
		to := from
		for ; to < len(some) && some[to].tooLong == 0; to++ {
			f, ok := r.opt.reading(some[to].topic, some[to].payload)
			if !ok {
				break
			}
			frames = append(frames, f)
		}
		r.opt.Intake.Metrics.Received(len(frames))
		offer := func() error { return r.opt.Intake.Keep(ctx, frames...) }
		if to == from {
			offer = func() error { return r.accept(ctx, &some[from]) }
			to++
		}
		if !r.persist(ctx, some[from].topic, offer) || !r.acknowledge(some[from:to]) {
			return frames, false
		}
		r.opt.Intake.Metrics.Acknowledged(len(frames))
		from = to
	}
	return frames, true
}

func (r *receiver) accept(ctx context.Context, m *message) error {
	if m.tooLong > 0 {
		return fmt.Errorf("payload of %d bytes: %w", m.tooLong, ingest.ErrRefused)
	}
	return r.opt.accept(ctx, m.topic, m.payload)
}

// acknowledge reports false when the connection has ended.
func (r *receiver) acknowledge(some []message) bool {
	acks := make([]byte, 0, 4*len(some))
	for i := range some {
		if m := &some[i]; m.ack != nil {
			m.ack()
		} else if m.id != 0 {
			acks = packet.AppendPuback(acks, m.id)
		}
	}
	if len(acks) == 0 {
		return true
	}
	_, err := r.acks.Write(acks)
	return err == nil
}

// receivePaho takes a message that paho has read, which is one at QoS 2.
func (r *receiver) receivePaho(ctx context.Context, m paho.Message) {
	r.receive(ctx, message{topic: m.Topic(), payload: m.Payload(), ack: m.Ack})
}

// persist offers something to the Intake until it is accepted or refused for
// good. It reports false when the connection ended first.
func (r *receiver) persist(ctx context.Context, topic string, offer func() error) bool {
	for wait := minRetry; ; wait = min(2*wait, maxRetry) {
		err := offer()
		switch {
		case err == nil:
			return true
		case errors.Is(err, ingest.ErrRefused):
			// Not acknowledged it would come again for ever.
			r.opt.Logger.WarnContext(ctx, "message refused", "topic", topic, "error", err)
			return true
		case ctx.Err() != nil:
			return false
		case wait == minRetry:
			r.opt.Logger.WarnContext(ctx, "message not taken, trying again", "topic", topic, "error", err)
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return false
		}
	}
}

// noStore keeps nothing: the broker keeps what was not acknowledged, and a
// command that was not acknowledged is reported as not sent.
type noStore struct{}

func (noStore) Open()                             {}
func (noStore) Put(string, packets.ControlPacket) {}
func (noStore) Get(string) packets.ControlPacket  { return nil }
func (noStore) All() []string                     { return nil }
func (noStore) Del(string)                        {}
func (noStore) Close()                            {}
func (noStore) Reset()                            {}
