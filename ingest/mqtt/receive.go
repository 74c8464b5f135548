package mqtt

import (
	"context"
	"errors"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/eclipse/paho.mqtt.golang/packets"

	"tianhai/ingest"
)

const (
	// waiting bounds the messages received and not yet acknowledged. Brokers
	// send fewer before they want an acknowledgement: Mosquitto 20, EMQX 32.
	waiting = 1024
	// together is how many readings are kept at once.
	together = 512

	minRetry = 50 * time.Millisecond
	maxRetry = 5 * time.Second
)

// A receiver takes one connection's messages to the Intake and acknowledges
// them, both in the order of receipt. Readings that have come meanwhile are kept
// together.
type receiver struct {
	opt      *Options
	received chan paho.Message
}

func newReceiver(opt *Options) *receiver {
	return &receiver{opt: opt, received: make(chan paho.Message, waiting)}
}

// receive is paho's handler: it returns at once, or when there is room, or when
// the connection has ended; the broker then sends the message again.
func (r *receiver) receive(ctx context.Context, m paho.Message) {
	select {
	case r.received <- m:
	case <-ctx.Done():
	}
}

// run works until ctx is done.
func (r *receiver) run(ctx context.Context) {
	some := make([]paho.Message, 0, together)
	for {
		select {
		case m := <-r.received:
			some = append(some[:0], m)
		case <-ctx.Done():
			return
		}
		for more := true; more && len(some) < together; {
			select {
			case m := <-r.received:
				some = append(some, m)
			default:
				more = false
			}
		}
		if !r.settle(ctx, some) {
			return
		}
	}
}

// settle has messages kept and acknowledges them. It reports false when the
// connection ended first.
func (r *receiver) settle(ctx context.Context, some []paho.Message) bool {
	frames := make([]ingest.Frame, 0, len(some))
	for from := 0; from < len(some); {
		frames = frames[:0]
		to := from
		for ; to < len(some); to++ {
			f, ok := r.opt.reading(some[to].Topic(), some[to].Payload())
			if !ok {
				break
			}
			frames = append(frames, f)
		}
		r.opt.Intake.Metrics.Received(len(frames))
		offer := func() error { return r.opt.Intake.Keep(ctx, frames...) }
		if to == from {
			m := some[from]
			offer = func() error { return r.opt.accept(ctx, m.Topic(), m.Payload()) }
			to++
		}
		if !r.persist(ctx, some[from].Topic(), offer) {
			return false
		}
		for _, m := range some[from:to] {
			m.Ack()
		}
		r.opt.Intake.Metrics.Acknowledged(len(frames))
		from = to
	}
	return true
}

// persist offers something to the Intake until it is accepted or refused for
// good. It reports false when the connection ended first.
func (r *receiver) persist(ctx context.Context, topic string, offer func() error) bool {
	for pause := minRetry; ; pause = min(2*pause, maxRetry) {
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
		case pause == minRetry:
			r.opt.Logger.WarnContext(ctx, "message not taken, trying again", "topic", topic, "error", err)
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
