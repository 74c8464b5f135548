package journal

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tianhai/ingest"
)

const (
	// A batch that is handled again quarantines its bad frames again; within
	// this time the repeats are recognised.
	quarantineDuplicates = 10 * time.Minute

	maxReason = 1024 // bytes; a longer one is cut
	maxListed = 1000
)

// Quarantine sets a frame aside, with the reason why it could not be stored. It
// returns nil once that is durable. Its error wraps ingest.ErrBusy when the
// quarantine is full or out of reach: the frame must then not be passed over.
func (j *Journal) Quarantine(ctx context.Context, f ingest.Frame, reason string) error {
	if f.Device == "" {
		return fmt.Errorf("quarantine frame without device: %w", ingest.ErrRefused)
	}
	if err := j.takes(uint64(len(f.Payload)), j.opt.reserve/2); err != nil {
		return fmt.Errorf("quarantine frame: %w: %w", ingest.ErrBusy, err)
	}
	if len(reason) > maxReason {
		reason = reason[:maxReason]
	}
	var opts []jetstream.PublishOpt
	if f.Seq > 0 {
		h := fnv.New64a()
		h.Write([]byte(reason))
		opts = append(opts, jetstream.WithMsgID(fmt.Sprintf("%d-%x", f.Seq, h.Sum64())))
	}
	_, err := j.js.PublishMsg(ctx, &nats.Msg{
		Subject: quarantineSubject + token(f.Device),
		Data:    encodeQuarantined(f, reason),
	}, opts...)
	if err != nil {
		return fmt.Errorf("quarantine frame: %w: %w", ingest.ErrBusy, err)
	}
	return nil
}

// Quarantined returns up to limit frames (1,000 at most) that were set aside
// after the given place in quarantine, oldest first; of one device, or of all
// when device is empty. Continue with the last one's Seq.
func (j *Journal) Quarantined(ctx context.Context, device string, after uint64, limit int) ([]ingest.Quarantined, error) {
	stream, err := j.js.Stream(ctx, quarantine)
	if err != nil {
		return nil, fmt.Errorf("look up quarantine: %w", err)
	}
	subject := quarantineSubject + "*"
	if device != "" {
		subject = quarantineSubject + token(device)
	}
	var list []ingest.Quarantined
	for len(list) < min(limit, maxListed) {
		m, err := stream.GetMsg(ctx, after+1, jetstream.WithGetMsgSubject(subject))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("read quarantine: %w", err)
		}
		after = m.Sequence
		reason, f, err := decodeQuarantined(m.Data)
		if err != nil {
			reason, f = err.Error(), ingest.Frame{Payload: m.Data}
		}
		f.Device = deviceOf(m.Subject)
		list = append(list, ingest.Quarantined{Seq: m.Sequence, At: m.Time.UTC(), Reason: reason, Frame: f})
	}
	return list, nil
}
