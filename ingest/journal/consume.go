package journal

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tianhai/ingest"
)

const (
	// A batch ends at whichever comes first: no room for another record, so many
	// bytes of payload, or so long after its first frame. Screens want news soon,
	// the time-series store wants it in bulk.
	maxBatch      = 5000
	maxBatchBytes = 8 << 20
	watchLinger   = 50 * time.Millisecond
	storeLinger   = 200 * time.Millisecond
	// cursorEvery is how long what was handled may stay before the cursor: each
	// move writes a file. After a crash as much is handed out again.
	cursorEvery = 500 * time.Millisecond

	// maxFetched bounds the records on their way to one reader.
	maxFetched    = 1000
	maxAckPending = 10 * maxFetched
	// redeliverAfter is out of the way: redelivery is the business of session,
	// which starts again at the cursor, so that order is kept.
	redeliverAfter = 24 * time.Hour

	minBackoff = 100 * time.Millisecond
	maxBackoff = 10 * time.Second
)

var errSession = errors.New("delivery interrupted")

// Consume hands the frames of a partition to handle, in the order in which they
// were kept, in batches of up to 5,000 frames, until ctx is done; it then
// returns nil. Any other return is an error in the arguments.
//
// The reader's cursor moves on only after handle has returned nil. When handle
// returns an error, the same batch is handed to it again after a pause that
// grows to ten seconds; nothing is skipped and nothing overtakes. After a crash,
// frames since the last cursor are handed out again. A handle that needs hours
// is no trouble.
//
// There must be at most one Consume for each reader and partition at a time, in
// all processes. Payloads are handle's to keep, the slice of frames is not.
func (j *Journal) Consume(ctx context.Context, reader string, partition int, handle func(context.Context, []ingest.Frame) error) error {
	if reader != Store && reader != Watch || partition < 0 || partition >= j.partitions {
		return fmt.Errorf("consume: no reader %q of partition %d", reader, partition)
	}
	var pause backoff
	for {
		progress, err := j.session(ctx, reader, partition, handle)
		if ctx.Err() != nil {
			return nil
		}
		if progress {
			pause = 0
		}
		j.opt.Logger.WarnContext(ctx, "journal reader starts again at its cursor",
			"reader", reader, "partition", partition, "error", err)
		if !pause.wait(ctx) {
			return nil
		}
	}
}

// session reads from the cursor on for as long as every message arrives exactly
// in turn. It reports whether it moved the cursor.
func (j *Journal) session(ctx context.Context, reader string, partition int, handle func(context.Context, []ingest.Frame) error) (progress bool, err error) {
	name := cursor(reader, partition)
	cons, err := j.js.Consumer(ctx, frames, name)
	if err != nil {
		return false, fmt.Errorf("look up reader: %w", err)
	}
	// Whatever an earlier session was handed and did not finish comes again
	// first, and the server counts its deliveries from 1.
	if _, err := j.js.ResetConsumer(ctx, frames, name); err != nil {
		return false, fmt.Errorf("return to cursor: %w", err)
	}
	// A lost connection may have lost deliveries with it.
	lost := j.nc.StatusChanged(nats.RECONNECTING, nats.CLOSED)
	defer j.nc.RemoveStatusListener(lost)

	ctx, stop := context.WithCancelCause(ctx)
	in := make(chan jetstream.Msg, maxFetched)
	delivery, err := cons.Consume(func(m jetstream.Msg) {
		select {
		case in <- m:
		case <-ctx.Done():
		}
	},
		jetstream.PullMaxMessagesWithBytesLimit(maxFetched, maxBatchBytes),
		jetstream.ConsumeErrHandler(func(_ jetstream.ConsumeContext, err error) { stop(err) }))
	if err != nil {
		stop(nil)
		return false, fmt.Errorf("start delivery: %w", err)
	}
	defer func() {
		stop(nil)
		delivery.Stop()
		<-delivery.Closed()
	}()

	t := turn{in: in, lost: lost, linger: watchLinger}
	if reader == Store {
		t.linger = storeLinger
	}
	defer func() { err = errors.Join(err, t.moveCursor()) }()
	for {
		batch, last, err := j.gather(ctx, &t)
		if err != nil {
			return progress, err
		}
		if err := j.deliver(ctx, name, batch, handle); err != nil {
			return progress, err
		}
		clear(batch)
		t.room = batch
		if t.handled == nil {
			t.due = time.After(cursorEvery)
		}
		t.handled, progress = last, true
		select {
		case <-t.due:
			err = t.moveCursor()
		default:
		}
		if err != nil {
			return progress, err
		}
	}
}

// turn is what a session must watch to see that messages come in turn.
type turn struct {
	in        <-chan jetstream.Msg
	lost      <-chan nats.Status
	linger    time.Duration
	delivered uint64         // the server's count of deliveries in this session
	seq       uint64         // the last record's
	room      []ingest.Frame // of the last batch, used again

	handled jetstream.Msg    // the last one that was handled, if the cursor is before it
	due     <-chan time.Time // when the cursor is to be moved there
}

// moveCursor moves the cursor to what was handled.
func (t *turn) moveCursor() error {
	if t.handled == nil {
		return nil
	}
	err := t.handled.Ack()
	t.handled, t.due = nil, nil
	if err != nil {
		return fmt.Errorf("move cursor: %w", err)
	}
	return nil
}

// gather waits for a message and takes what else comes within the bounds of a
// batch. last is the message to acknowledge. The batch is empty where nothing
// but unreadable envelopes came.
func (j *Journal) gather(ctx context.Context, t *turn) (batch []ingest.Frame, last jetstream.Msg, err error) {
	batch = t.room[:0]
	var timeout <-chan time.Time
	for size := 0; len(batch) <= maxBatch-maxGroup && size < maxBatchBytes; {
		var m jetstream.Msg
		select {
		case m = <-t.in:
		case <-t.due:
			if err := t.moveCursor(); err != nil {
				return nil, nil, err
			}
			continue
		case <-timeout:
			return batch, last, nil
		case <-t.lost:
			return nil, nil, fmt.Errorf("connection lost: %w", errSession)
		case <-ctx.Done():
			return nil, nil, context.Cause(ctx)
		}
		var fresh bool
		if batch, fresh, err = j.unwrap(ctx, t, m, batch); err != nil {
			return nil, nil, err
		}
		if fresh {
			last = m
			size += len(m.Data())
		}
		if timeout == nil && last != nil {
			timer := time.NewTimer(t.linger)
			defer timer.Stop()
			timeout = timer.C
		}
	}
	return batch, last, nil
}

// unwrap checks that m comes in turn and appends its frames to the batch. A repeat
// is not fresh; an unreadable record is set aside and has no frames.
func (j *Journal) unwrap(ctx context.Context, t *turn, m jetstream.Msg, batch []ingest.Frame) (all []ingest.Frame, fresh bool, err error) {
	meta, err := m.Metadata()
	if err != nil {
		return nil, false, fmt.Errorf("read delivery: %w", err)
	}
	if meta.Sequence.Consumer != t.delivered+1 {
		return nil, false, fmt.Errorf("delivery %d follows %d: %w", meta.Sequence.Consumer, t.delivered, errSession)
	}
	t.delivered = meta.Sequence.Consumer
	if meta.Sequence.Stream <= t.seq {
		return batch, false, nil
	}
	t.seq = meta.Sequence.Stream
	if batch, err = j.appendFrames(batch, m, t.seq); err != nil {
		whole := ingest.Frame{Seq: frameSeq(t.seq, 0), Device: deviceOf(m.Subject()), Received: meta.Timestamp.UTC(), Payload: m.Data()}
		err = j.Quarantine(ctx, whole, err.Error())
	}
	return batch, true, err
}

// appendFrames appends the frames of a record to dst, which it leaves as it is
// where there is an error.
func (j *Journal) appendFrames(dst []ingest.Frame, m jetstream.Msg, record uint64) ([]ingest.Frame, error) {
	all, err := appendFrames(dst, m.Data())
	if err != nil {
		return dst, err
	}
	for i := range all[len(dst):] {
		f := &all[len(dst)+i]
		f.Seq = frameSeq(record, i)
		if f.Device == "" {
			f.Device = deviceOf(m.Subject())
		}
	}
	return all, nil
}

// frameSeq is the place of a frame: that of its record, and its place therein.
func frameSeq(record uint64, index int) uint64 { return record*maxGroup + uint64(index) }

// deliver hands a batch to handle until it is taken or ctx is done.
func (j *Journal) deliver(ctx context.Context, name string, batch []ingest.Frame, handle func(context.Context, []ingest.Frame) error) error {
	if len(batch) == 0 {
		return nil
	}
	var pause backoff
	for {
		err := handle(ctx, batch)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		j.opt.Logger.WarnContext(ctx, "journal batch not taken, will be handed out again",
			"reader", name, "first", batch[0].Seq, "frames", len(batch), "error", err)
		if !pause.wait(ctx) {
			return context.Cause(ctx)
		}
	}
}

// A backoff is a pause that doubles from minBackoff to maxBackoff, with jitter.
type backoff time.Duration

// wait reports false when ctx was done first.
func (b *backoff) wait(ctx context.Context) bool {
	*b = min(max(2**b, backoff(minBackoff)), backoff(maxBackoff))
	timer := time.NewTimer(time.Duration(*b/2 + rand.N(*b/2)))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// Lag returns for each reader how many records it has not yet passed. Each is one
// frame or, under load, up to 512 frames.
func (j *Journal) Lag(ctx context.Context) (map[string]uint64, error) {
	lag := make(map[string]uint64, 2)
	for _, reader := range []string{Store, Watch} {
		for p := range j.partitions {
			info, err := j.reader(ctx, cursor(reader, p))
			if err != nil {
				return nil, err
			}
			lag[reader] += waiting(info)
		}
	}
	return lag, nil
}

// waiting returns how many records a reader of one partition has not yet passed.
func waiting(info *jetstream.ConsumerInfo) uint64 {
	return info.NumPending + uint64(info.NumAckPending)
}

// lag returns the same, and since when the oldest of them waits; a reader that has
// passed everything is missing there.
func (j *Journal) lag(ctx context.Context, up jetstream.Stream) (records map[string]uint64, since map[string]time.Time, err error) {
	records, since = make(map[string]uint64, 2), make(map[string]time.Time, 2)
	for _, reader := range []string{Store, Watch} {
		for p := range j.partitions {
			info, err := j.reader(ctx, cursor(reader, p))
			if err != nil {
				return nil, nil, err
			}
			records[reader] += waiting(info)
			if waiting(info) == 0 {
				continue
			}
			m, err := up.GetMsg(ctx, info.AckFloor.Stream+1, jetstream.WithGetMsgSubject(info.Config.FilterSubject))
			if errors.Is(err, jetstream.ErrMsgNotFound) {
				continue // passed meanwhile
			}
			if err != nil {
				return nil, nil, fmt.Errorf("look up what waits for reader %s: %w", info.Name, err)
			}
			if at, ok := since[reader]; !ok || m.Time.Before(at) {
				since[reader] = m.Time.UTC()
			}
		}
	}
	return records, since, nil
}

func (j *Journal) reader(ctx context.Context, name string) (*jetstream.ConsumerInfo, error) {
	cons, err := j.js.Consumer(ctx, frames, name)
	if err != nil {
		return nil, fmt.Errorf("look up reader %s: %w", strconv.Quote(name), err)
	}
	return cons.CachedInfo(), nil // fetched by the look-up
}
