package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// The journal's readers by name; each has a cursor of its own.
const (
	StoreReader = "store"
	WatchReader = "watch"
)

// A Source is the journal as its readers see it.
type Source interface {
	Partitions() int
	// Consume hands the frames of a partition to handle, in order and at least
	// once, until ctx is done. The reader's cursor passes a batch only after
	// handle has returned nil; a handle may take hours. Payloads are handle's to
	// keep, the slice is not.
	Consume(ctx context.Context, reader string, partition int, handle func(context.Context, []Frame) error) error
}

// A Quarantine keeps frames that could not be stored, whole or in part. It
// returns nil once the frame is kept; the same frame again is harmless.
type Quarantine interface {
	Quarantine(ctx context.Context, f Frame, reason string) error
}

// A Store is the time-series store.
type Store interface {
	// Write returns nil when every observation is stored, a *RejectedError
	// naming those that never will be when all others are, and otherwise an
	// error after which the same observations must be written again. Repeats
	// are harmless. It must not hold on to the observations: their memory is used
	// for others afterwards.
	Write(ctx context.Context, obs []Observation) error
}

// A RejectedError names the observations that a store will never take. It has
// all others.
type RejectedError struct{ Rejections []Rejection }

// A Rejection says why one observation was not taken.
type Rejection struct {
	Index int // among those given to Write
	Err   error
}

// Add notes that the observation at index was not taken.
func (e *RejectedError) Add(index int, err error) {
	e.Rejections = append(e.Rejections, Rejection{index, err})
}

func (e *RejectedError) Error() string {
	if len(e.Rejections) == 0 {
		return "no observation rejected"
	}
	return fmt.Sprintf("%d observations rejected, the first: %v", len(e.Rejections), e.Rejections[0].Err)
}

// A Keeper moves readings from the journal to the time-series store, and what
// cannot be stored to the quarantine.
//
// The journal's cursor passes a frame only when each of its readings is stored
// or the frame is in quarantine, or both where only a part could be stored. As
// long as the store, the quarantine or the registry does not answer, the keeper
// holds on to its batch and tries again; nothing else is lost meanwhile, and no
// restart is needed afterwards.
type Keeper struct {
	Source      Source
	Quarantine  Quarantine
	Interpreter *Interpreter
	Store       Store
	Metrics     *Metrics     // nil counts nothing
	Logger      *slog.Logger // nil discards

	trouble outage
}

// HeldUp returns since when nothing can be stored of what one partition at least
// waits for, and why; nil when that is not so.
func (k *Keeper) HeldUp() (since time.Time, why error) { return k.trouble.heldUp() }

// Run works until ctx is done and then returns nil, or until the source gives
// up. Partitions are worked on side by side, frames of one in order.
func (k *Keeper) Run(ctx context.Context) error {
	k.trouble.log, k.trouble.work = k.Logger, "storing readings"
	var spare sync.Pool // of *batch
	work, ctx := errgroup.WithContext(ctx)
	for p := range k.Source.Partitions() {
		work.Go(func() error {
			return k.Source.Consume(ctx, StoreReader, p, func(ctx context.Context, frames []Frame) error {
				b, ok := spare.Get().(*batch)
				if !ok {
					b = new(batch)
				}
				defer spare.Put(b)
				b.reset(frames)
				return k.trouble.outlast(ctx, func() error { return k.keep(ctx, b) })
			})
		})
	}
	return work.Wait()
}

// A batch is what is kept together. Each of its frames is interpreted once,
// however often storing is tried again: quality tests remember what they saw.
type batch struct {
	frames []Frame
	read   int           // frames interpreted so far
	faults []*FrameError // of each frame
	transcript
	owner []int // of each observation, the index of its frame
}

func (b *batch) reset(frames []Frame) {
	b.transcript.reset()
	clear(b.faults)
	b.frames, b.read, b.owner = frames, 0, b.owner[:0]
	b.faults = slices.Grow(b.faults[:0], len(frames))[:len(frames)]
}

// interpret goes on with the frames that are not interpreted yet.
func (k *Keeper) interpret(ctx context.Context, b *batch) error {
	for ; b.read < len(b.frames); b.read++ {
		err := k.Interpreter.transcribe(ctx, &b.frames[b.read], &b.transcript)
		if err != nil && !errors.As(err, &b.faults[b.read]) {
			return err
		}
		for len(b.owner) < len(b.observations) {
			b.owner = append(b.owner, b.read)
		}
	}
	return nil
}

// keep stores and quarantines a batch. After an error it is to be kept again.
func (k *Keeper) keep(ctx context.Context, b *batch) error {
	if err := k.interpret(ctx, b); err != nil {
		return err
	}
	var rejected *RejectedError
	if err := k.Store.Write(ctx, b.observations); err != nil && !errors.As(err, &rejected) {
		k.Metrics.storeFailed()
		return err
	}
	refused := map[int]bool{} // of b.observations
	if rejected != nil {
		for _, r := range rejected.Rejections {
			refused[r.Index] = true
			if i := b.owner[r.Index]; b.faults[i] == nil {
				b.faults[i] = &FrameError{FaultStore, r.Err}
			}
		}
	}
	for i, e := range b.faults {
		if e == nil {
			continue
		}
		f := b.frames[i]
		f.Device = k.Interpreter.owner(&f)
		if err := k.Quarantine.Quarantine(ctx, f, e.Error()); err != nil {
			return err
		}
	}
	if err := k.Interpreter.keep(ctx); err != nil {
		return err
	}
	k.Metrics.passed(b, refused)
	return nil
}
