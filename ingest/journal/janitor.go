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
// are removed when the journal is more than four fifths full, or the disk is. It also brings the
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
	limit := j.limit(state.Bytes)
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

// limit is how large the journal may grow, given its size: MaxBytes, or as much as
// the disk lets it.
func (j *Journal) limit(size uint64) float64 {
	limit := uint64(j.opt.MaxBytes)
	if j.srv != nil {
		if free, known := room(j.opt.Dir); known {
			limit = min(limit, size+free-min(free, j.opt.reserve))
		}
	}
	return float64(limit)
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
	Waiting          map[string]time.Time // since when the oldest record waits for a reader; missing when none does
	Full             string               // why there is no room for a frame of every size; empty when there is
	Quarantined      uint64               // frames
	QuarantineFull   string               // as Full, for what goes aside
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
	lag, since, err := j.lag(ctx, up)
	if err != nil {
		return Stats{}, err
	}
	state, asideState := up.CachedInfo().State, aside.CachedInfo().State
	return Stats{
		Records: state.Msgs, Bytes: state.Bytes, MaxBytes: uint64(j.opt.MaxBytes),
		LastSeq: state.LastSeq, Oldest: oldest(state), Refused: j.refused.Load(), Lag: lag, Waiting: since,
		Full:        j.full(state.Bytes, j.opt.MaxBytes, j.opt.reserve),
		Quarantined: asideState.Msgs, QuarantinedBytes: asideState.Bytes,
		QuarantineFull: j.full(asideState.Bytes, j.opt.MaxQuarantineBytes, j.opt.reserve/2),
	}, nil
}

// full says why a stream has no room for the largest frame.
func (j *Journal) full(size uint64, most int64, reserve uint64) string {
	if size+maxMessage > uint64(most) {
		return fmt.Sprintf("%d of %d MiB are taken", size>>20, most>>20)
	}
	if err := j.takes(maxMessage, reserve); err != nil {
		return err.Error()
	}
	return ""
}

func oldest(s jetstream.StreamState) time.Time {
	if s.Msgs == 0 {
		return time.Time{}
	}
	return s.FirstTime.UTC()
}
