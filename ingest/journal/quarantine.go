package journal

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tianhai/ingest"
)

const (
	// A batch that is handled again quarantines its bad frames again; within
	// this time the repeats are recognised. Each costs memory for as long.
	quarantineDuplicates = time.Minute

	maxReason = 1024 // bytes; a longer one is cut
	maxListed = 1001 // a page of 1,000, and the one that shows that there are more
)

// Quarantine sets a frame aside, with the reason why it could not be stored. It
// returns nil once that is durable. Its error wraps ingest.ErrBusy when the
// quarantine is full or out of reach: the frame must then not be passed over.
func (j *Journal) Quarantine(ctx context.Context, f ingest.Frame, reason string) error {
	var opts []jetstream.PublishOpt
	if f.Seq > 0 {
		h := fnv.New64a()
		h.Write([]byte(cut(reason)))
		opts = append(opts, jetstream.WithMsgID(fmt.Sprintf("%d-%x", f.Seq, h.Sum64())))
	}
	return j.setAside(ctx, f, reason, opts...)
}

// Requarantine sets a frame aside with the reason of now, instead of at the places
// where it is; there may be none. A crash in between leaves it at both. Its error
// is Quarantine's.
func (j *Journal) Requarantine(ctx context.Context, f ingest.Frame, reason string, places ...uint64) error {
	// Not by Quarantine: a reason that the frame had minutes ago is no repeat.
	if err := j.setAside(ctx, f, reason); err != nil {
		return err
	}
	return j.Release(ctx, places...)
}

func cut(reason string) string { return reason[:min(len(reason), maxReason)] }

func (j *Journal) setAside(ctx context.Context, f ingest.Frame, reason string, opts ...jetstream.PublishOpt) error {
	if f.Device == "" {
		return fmt.Errorf("quarantine frame without device: %w", ingest.ErrRefused)
	}
	if err := j.takes(uint64(len(f.Payload)), j.opt.reserve/2); err != nil {
		return fmt.Errorf("quarantine frame: %w: %w", ingest.ErrBusy, err)
	}
	_, err := j.js.PublishMsg(ctx, &nats.Msg{
		Subject: quarantineSubject + token(f.Device),
		Data:    encodeQuarantined(f, cut(reason)),
	}, opts...)
	if err != nil {
		return fmt.Errorf("quarantine frame: %w: %w", ingest.ErrBusy, err)
	}
	return nil
}

// Quarantined returns up to limit frames (1,001 at most) that were set aside
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

// Release lets frames go for good, by their places in quarantine: they were stored
// after all. One that is not there is no error.
func (j *Journal) Release(ctx context.Context, places ...uint64) error {
	if len(places) == 0 {
		return nil
	}
	stream, err := j.js.Stream(ctx, quarantine)
	if err != nil {
		return fmt.Errorf("look up quarantine: %w", err)
	}
	for _, p := range places {
		if err := stream.DeleteMsg(ctx, p); err != nil && !isGone(err) {
			return fmt.Errorf("release from quarantine: %w", err)
		}
	}
	return nil
}

// isGone reports JetStream's answer about a message that is not there (any more).
// The client makes text of it.
func isGone(err error) bool {
	said := func(text string) bool { return strings.Contains(err.Error(), text) }
	return errors.Is(err, jetstream.ErrMsgNotFound) || said("err_code=10043") ||
		said("err_code=10057") && (said("not found") || said("deleted") || said("EOF"))
}

// QuarantinedDevices returns how many frames of each device are in quarantine.
func (j *Journal) QuarantinedDevices(ctx context.Context) (map[string]uint64, error) {
	stream, err := j.js.Stream(ctx, quarantine)
	if err != nil {
		return nil, fmt.Errorf("look up quarantine: %w", err)
	}
	info, err := stream.Info(ctx, jetstream.WithSubjectFilter(quarantineSubject+"*"))
	if err != nil {
		return nil, fmt.Errorf("look up quarantine: %w", err)
	}
	counts := make(map[string]uint64, len(info.State.Subjects))
	for subject, n := range info.State.Subjects {
		counts[deviceOf(subject)] += n
	}
	return counts, nil
}
