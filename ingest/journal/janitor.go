package journal

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	tidyEvery = 5 * time.Second
	// Above crowdedAt of MaxBytes, frames that every reader has passed are
	// removed until roomyAt is reached.
	crowdedAt = 0.8
	roomyAt   = 0.6
)

// Run makes room: while it runs, the oldest frames that every reader has passed
// are removed when the journal is more than four fifths full. It also brings the
// embedded journal back after a full disk, once there is room on it. It returns
// nil when ctx is done.
func (j *Journal) Run(ctx context.Context) error {
	tick := time.NewTicker(tidyEvery)
	defer tick.Stop()
	for {
		if err := j.tidy(ctx); err != nil && ctx.Err() == nil {
			j.opt.Logger.WarnContext(ctx, "tidy journal", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-j.crowded:
			// Readers may need a moment to pass what fills the journal.
			pause := backoff(minBackoff)
			if !pause.wait(ctx) {
				return nil
			}
		}
	}
}

func (j *Journal) tidy(ctx context.Context) error {
	if j.writable() != nil {
		if err := j.srv.restart(); err != nil {
			return fmt.Errorf("reopen journal: %w", err)
		}
		j.opt.Logger.InfoContext(ctx, "journal writes again")
	}
	stream, err := j.js.Stream(ctx, frames)
	if err != nil {
		return fmt.Errorf("look up frames: %w", err)
	}
	state := stream.CachedInfo().State // fetched by the look-up
	limit := float64(j.opt.MaxBytes)
	if float64(state.Bytes) < crowdedAt*limit {
		return nil
	}
	floor, err := j.floor(ctx, state.LastSeq)
	if err != nil {
		return err
	}
	surplus := (float64(state.Bytes) - roomyAt*limit) / float64(state.Bytes)
	enough := state.FirstSeq + uint64(math.Ceil(surplus*float64(state.LastSeq-state.FirstSeq+1)))
	if upTo := min(floor+1, enough); upTo > state.FirstSeq {
		if err := stream.Purge(ctx, jetstream.WithPurgeSequence(upTo)); err != nil {
			return fmt.Errorf("remove passed frames: %w", err)
		}
	}
	return nil
}

// floor returns the last frame that every reader has passed, given the last
// frame there was before it is called.
func (j *Journal) floor(ctx context.Context, last uint64) (uint64, error) {
	floor := last
	for _, reader := range []string{Store, Watch} {
		for p := range j.partitions {
			info, err := j.reader(ctx, cursor(reader, p))
			if err != nil {
				return 0, err
			}
			if info.NumPending > 0 || info.NumAckPending > 0 {
				floor = min(floor, info.AckFloor.Stream)
			}
		}
	}
	return floor, nil
}

// Stats are the journal's figures of one moment.
type Stats struct {
	Records          uint64 // of up to 512 frames each; kept, passed by all readers or not
	Bytes, MaxBytes  uint64
	LastSeq          uint64    // of the last record
	Oldest           time.Time // zero when there is none
	Refused          uint64    // frames whose Append failed since Open
	Lag              map[string]uint64
	Quarantined      uint64 // frames
	QuarantinedBytes uint64
}

// Stats returns the journal's figures. An error means that the journal does not
// answer, and that frames are being refused.
func (j *Journal) Stats(ctx context.Context) (Stats, error) {
	if err := j.writable(); err != nil {
		return Stats{}, err
	}
	up, err := j.js.Stream(ctx, frames)
	if err != nil {
		return Stats{}, fmt.Errorf("look up frames: %w", err)
	}
	aside, err := j.js.Stream(ctx, quarantine)
	if err != nil {
		return Stats{}, fmt.Errorf("look up quarantine: %w", err)
	}
	lag, err := j.Lag(ctx)
	if err != nil {
		return Stats{}, err
	}
	state, asideState := up.CachedInfo().State, aside.CachedInfo().State
	return Stats{
		Records: state.Msgs, Bytes: state.Bytes, MaxBytes: uint64(j.opt.MaxBytes),
		LastSeq: state.LastSeq, Oldest: oldest(state), Refused: j.refused.Load(), Lag: lag,
		Quarantined: asideState.Msgs, QuarantinedBytes: asideState.Bytes,
	}, nil
}

func oldest(s jetstream.StreamState) time.Time {
	if s.Msgs == 0 {
		return time.Time{}
	}
	return s.FirstTime.UTC()
}
