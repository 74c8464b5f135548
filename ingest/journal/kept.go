package journal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"tianhai/ingest"
)

// Kept hands frames that the journal holds to handle, record by record and in the
// order in which they were kept, whether readers have passed them or not: those
// that were stored since ≤ t ≤ until, by the clock of the journal's server. Only
// partitions with one of the devices are read, all where none is named; they
// hold other devices' frames too. left is how many records of them are still to
// come, at most. What is kept after the call began is not handed out.
//
// No cursor moves. Kept returns what handle returns, and nil at the end. Damaged
// records are passed over: whoever reads the journal has them quarantined.
func (j *Journal) Kept(ctx context.Context, since, until time.Time, devices []string, handle func(frames []ingest.Frame, left uint64) error) error {
	stream, err := j.js.Stream(ctx, frames)
	if err != nil {
		return fmt.Errorf("look up frames: %w", err)
	}
	last := stream.CachedInfo().State.LastSeq
	cfg := jetstream.OrderedConsumerConfig{FilterSubjects: j.subjectsOf(devices), DeliverPolicy: jetstream.DeliverAllPolicy}
	if !since.IsZero() {
		cfg.DeliverPolicy, cfg.OptStartTime = jetstream.DeliverByStartTimePolicy, &since
	}
	cons, err := stream.OrderedConsumer(ctx, cfg)
	if err != nil {
		return fmt.Errorf("read frames: %w", err)
	}
	if info, err := cons.Info(ctx); err != nil {
		return fmt.Errorf("read frames: %w", err)
	} else if info.NumPending == 0 {
		return nil
	}
	in, err := cons.Messages(jetstream.PullMaxMessagesWithBytesLimit(maxFetched, maxBatchBytes))
	if err != nil {
		return fmt.Errorf("read frames: %w", err)
	}
	defer in.Stop()
	for {
		m, err := in.Next(jetstream.NextContext(ctx))
		if err != nil {
			return fmt.Errorf("read frames: %w", err)
		}
		meta, err := m.Metadata()
		if err != nil {
			return fmt.Errorf("read delivery: %w", err)
		}
		if meta.Sequence.Stream > last || meta.Timestamp.After(until) {
			return nil
		}
		if some, err := j.appendFrames(nil, m, meta.Sequence.Stream); err == nil {
			if err := handle(some, meta.NumPending); err != nil {
				return err
			}
		} else if !errors.Is(err, errEnvelope) {
			return err
		}
		if meta.NumPending == 0 || meta.Sequence.Stream == last {
			return nil
		}
	}
}

// subjectsOf returns the subjects that devices' frames are under, those of other
// devices too.
func (j *Journal) subjectsOf(devices []string) []string {
	if len(devices) == 0 {
		return []string{frameSubject + "*.*"}
	}
	var subjects []string
	for _, d := range devices {
		s := frameSubject + strconv.Itoa(partition(d, j.partitions)) + ".*"
		if !slices.Contains(subjects, s) {
			subjects = append(subjects, s)
		}
	}
	return subjects
}
