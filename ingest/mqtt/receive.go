package mqtt

import (
	"context"
	"errors"
	"hash/maphash"
	"sync"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/eclipse/paho.mqtt.golang/packets"

	"tianhai/ingest"
)

const (
	// Messages of different devices are offered to the Intake side by side, so
	// that the journal can take them together; those of one device in turn.
	lanes = 32
	// waiting bounds the messages received and not yet acknowledged. Brokers
	// send fewer before they want an acknowledgement: Mosquitto 20, EMQX 32.
	waiting = 1024

	minRetry = 50 * time.Millisecond
	maxRetry = 5 * time.Second
)

// A receiver takes one connection's messages to the Intake and acknowledges
// them in the order of receipt.
type receiver struct {
	opt   *Options
	seed  maphash.Seed
	lanes [lanes]chan *message
	order chan *message
}

type message struct {
	paho.Message
	settled chan struct{} // closed when it may be acknowledged
}

func newReceiver(opt *Options) *receiver {
	r := &receiver{opt: opt, seed: maphash.MakeSeed(), order: make(chan *message, waiting)}
	for i := range r.lanes {
		r.lanes[i] = make(chan *message, waiting/lanes)
	}
	return r
}

// receive is paho's handler: it returns at once, or when there is room, or when
// the connection has ended; the broker then sends the message again.
func (r *receiver) receive(ctx context.Context, m paho.Message) {
	msg := &message{m, make(chan struct{})}
	device, _, _ := ingest.ParseTopic(m.Topic())
	lane := r.lanes[maphash.String(r.seed, device)%lanes]
	select {
	case r.order <- msg:
	case <-ctx.Done():
		return
	}
	select {
	case lane <- msg:
	case <-ctx.Done():
	}
}

// start works until ctx is done.
func (r *receiver) start(ctx context.Context, working *sync.WaitGroup) {
	working.Go(func() { r.acknowledge(ctx) })
	for _, lane := range r.lanes {
		working.Go(func() {
			for {
				select {
				case msg := <-lane:
					if r.settle(ctx, msg) {
						close(msg.settled)
					}
				case <-ctx.Done():
					return
				}
			}
		})
	}
}

func (r *receiver) acknowledge(ctx context.Context) {
	for {
		select {
		case msg := <-r.order:
			select {
			case <-msg.settled:
				msg.Ack()
			case <-ctx.Done():
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

// settle offers a message to the Intake until it is accepted or refused for
// good. It reports false when the connection ended first.
func (r *receiver) settle(ctx context.Context, msg *message) bool {
	device, _, _ := ingest.ParseTopic(msg.Topic())
	for pause := minRetry; ; pause = min(2*pause, maxRetry) {
		err := r.opt.Intake.Accept(ctx, device, msg.Topic(), "", msg.Payload())
		switch {
		case err == nil:
			return true
		case errors.Is(err, ingest.ErrRefused):
			// Not acknowledged it would come again for ever.
			r.opt.Logger.WarnContext(ctx, "message refused", "topic", msg.Topic(), "error", err)
			return true
		case ctx.Err() != nil:
			return false
		case pause == minRetry:
			r.opt.Logger.WarnContext(ctx, "message not taken, trying again", "topic", msg.Topic(), "error", err)
		}
		timer := time.NewTimer(pause)
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
