package history

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"time"

	"tianhai/farm"
	"tianhai/ingest"
)

const (
	chunk      = 2000            // rows or frames written together
	saveEvery  = time.Second     // progress
	lookEvery  = 2 * time.Second // for jobs that another process made
	sweepEvery = time.Hour       // for files that nobody waits for
	busyLag    = 64              // records of the journal that wait for the store; beyond, old data wait
	busyPause  = time.Second     // before looking again
	minPause   = 100 * time.Millisecond
	maxPause   = 10 * time.Second // between attempts to reach what does not answer
	maxTries   = 5                // starts without progress, after which a job is given up
)

// A Journal keeps frames.
type Journal interface {
	// Kept hands frames that the journal holds to handle, record by record and in
	// the order in which they were kept: those that were stored since ≤ t ≤ until,
	// in partitions with one of the devices, or in all where none is named. left
	// is how many records are still to come. It returns what handle returns.
	Kept(ctx context.Context, since, until time.Time, devices []string, handle func(frames []ingest.Frame, left uint64) error) error
	// Lag returns how many records each reader has not yet passed.
	Lag(ctx context.Context) (map[string]uint64, error)
}

// A Quarantine keeps frames that could not be stored, whole or in part.
type Quarantine interface {
	// Quarantined returns up to limit frames after a place, oldest first; of one
	// device, or of all when it is empty.
	Quarantined(ctx context.Context, device string, after uint64, limit int) ([]ingest.Quarantined, error)
	// Requarantine sets a frame aside with the reason of now, instead of at the
	// places where it is; there may be none.
	Requarantine(ctx context.Context, f ingest.Frame, reason string, places ...uint64) error
	// Release lets frames go for good, by their places. One that is not there is
	// no error.
	Release(ctx context.Context, places ...uint64) error
}

// A Worker does the jobs that a Desk takes, one at a time.
//
// Live data go first: while the keeper is behind with the journal, a job waits.
// While the store or the records do not answer, it tries again. Progress is
// saved every second, and what was done after that is done again after a crash.
type Worker struct {
	*Desk
	Journal    Journal
	Quarantine Quarantine
	Series     ingest.Store
	wake       chan struct{}
}

// NewWorker returns a worker for a desk, whose jobs wake it.
func NewWorker(d *Desk, j Journal, q Quarantine, series ingest.Store) *Worker {
	w := &Worker{Desk: d, Journal: j, Quarantine: q, Series: series, wake: make(chan struct{}, 1)}
	d.Added = func() {
		select {
		case w.wake <- struct{}{}:
		default:
		}
	}
	return w
}

// Run works until ctx is done and then returns nil. A job that was begun goes on
// at the next Run.
func (w *Worker) Run(ctx context.Context) error {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	var swept time.Time
	for {
		if w.now().Sub(swept) > sweepEvery {
			swept = w.now()
			if err := w.sweep(ctx); err != nil && ctx.Err() == nil {
				w.log().WarnContext(ctx, "files of old data were not tidied up", "error", err)
			}
		}
		for {
			worked, err := w.work(ctx)
			if err != nil && ctx.Err() == nil {
				w.log().WarnContext(ctx, "cannot look for jobs", "error", err)
			}
			if !worked || err != nil {
				break
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-look.C:
		case <-w.wake:
		}
	}
}

// work does one job. It reports false when there is none, or no time for it.
func (w *Worker) work(ctx context.Context) (bool, error) {
	j, err := w.Store.TakeJob(ctx, w.now())
	if errors.Is(err, farm.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	r := &run{Worker: w, job: &j, saved: w.now()}
	if j.Tries > maxTries {
		err = fmt.Errorf("given up after %d starts without progress", maxTries)
	} else if j.Backfill != nil {
		err = r.backfill(ctx)
	} else {
		err = r.replay(ctx)
	}
	switch {
	case ctx.Err() != nil:
		return false, nil // it goes on at the next start
	case errors.Is(err, errGone):
		w.log().InfoContext(ctx, "old data: job called off", "job", j.ID)
	default:
		err = r.end(ctx, err)
	}
	if ctx.Err() == nil && j.Backfill != nil {
		return true, removed(w.file(j.ID))
	}
	return true, err
}

// errGone reports that a job does not run any more: it was called off.
var errGone = errors.New("job was called off")

// A run is one job at work.
type run struct {
	*Worker
	job   *Job
	saved time.Time // when progress was saved
}

// end records how the job ended.
func (r *run) end(ctx context.Context, cause error) error {
	j := r.job
	j.State, j.Ended = Done, r.now()
	if cause != nil {
		j.State, j.Error = Failed, explain(cause)
		r.log().WarnContext(ctx, "old data: job failed", "job", j.ID, "kind", j.Kind, "error", cause)
	} else {
		p := &j.Progress
		r.log().InfoContext(ctx, "old data: job done", "job", j.ID, "kind", j.Kind,
			"account", j.Account, "stored", p.Stored, "refused", p.Refused, "released", p.Released)
	}
	err := r.outlast(ctx, func() error { return r.Store.SaveJob(ctx, *j) })
	if errors.Is(err, farm.ErrConflict) {
		return nil // called off in the last moment
	}
	return err
}

// explain says what went wrong in words that may be shown.
func explain(err error) string {
	var order *OrderError
	switch {
	case errors.As(err, &order):
		return order.Error()
	case errors.Is(err, os.ErrNotExist):
		return "file: is not in the data directory of this server"
	case errors.Is(err, os.ErrPermission):
		return "file: may not be read by the server; run the command as its user"
	default:
		return short(err.Error())
	}
}

// save writes progress where that was long ago. It returns errGone when the job
// was called off.
func (r *run) save(ctx context.Context) error {
	now := r.now()
	if now.Sub(r.saved) < saveEvery {
		return nil
	}
	r.saved, r.job.Updated, r.job.Tries = now, now, 0
	return r.keep(ctx)
}

func (r *run) keep(ctx context.Context) error {
	err := r.Store.SaveJob(ctx, *r.job)
	if errors.Is(err, farm.ErrConflict) {
		return errGone
	}
	return err
}

// outlast tries until it succeeds, or until the job is called off or ctx is done.
func (r *run) outlast(ctx context.Context, try func() error) error {
	err := try()
	for pause := minPause; err != nil && passing(err); pause = min(2*pause, maxPause) {
		if pause == minPause {
			r.log().WarnContext(ctx, "old data wait, trying again until it succeeds", "job", r.job.ID, "error", err)
		}
		if !sleep(ctx, pause/2+rand.N(pause/2)) {
			return ctx.Err()
		}
		if r.job.State == Running {
			if gone := r.keep(ctx); errors.Is(gone, errGone) {
				return gone
			}
		}
		err = try()
	}
	return err
}

// passing reports whether another attempt may succeed.
func passing(err error) bool {
	var frame *ingest.FrameError
	var rejected *ingest.RejectedError
	var order *OrderError
	return !errors.As(err, &frame) && !errors.As(err, &rejected) && !errors.As(err, &order) && !errors.Is(err, errGone) &&
		!errors.Is(err, farm.ErrConflict) && !errors.Is(err, context.Canceled)
}

// yield waits until the keeper has caught up with the journal.
func (r *run) yield(ctx context.Context) error {
	for {
		if err := r.save(ctx); errors.Is(err, errGone) {
			return err
		}
		lag, err := r.Journal.Lag(ctx)
		if err == nil && lag[ingest.StoreReader] <= busyLag {
			return nil
		}
		if !sleep(ctx, busyPause) {
			return ctx.Err()
		}
	}
}

// sleep reports false when ctx was done first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// A pack is what is written together: observations, and of each which row or
// frame it is of.
type pack struct {
	obs    []ingest.Observation
	owner  []int
	faults []error // of each row or frame
}

func (p *pack) add(obs []ingest.Observation, err error) {
	for _, o := range obs {
		o.Revises = true
		p.obs, p.owner = append(p.obs, o), append(p.owner, len(p.faults))
	}
	p.faults = append(p.faults, err)
}

// write stores a pack, and returns how many readings each row or frame has in the
// store now. What the store will never take is a fault.
func (r *run) write(ctx context.Context, p *pack) (readings []int, err error) {
	var rejected *ingest.RejectedError
	err = r.outlast(ctx, func() error { return r.Series.Write(ctx, p.obs) })
	if err != nil && !errors.As(err, &rejected) {
		return nil, err
	}
	readings = make([]int, len(p.faults))
	for i, o := range p.obs {
		readings[p.owner[i]] += len(o.Readings)
	}
	if rejected != nil {
		for _, x := range rejected.Rejections {
			i := p.owner[x.Index]
			readings[i] -= len(p.obs[x.Index].Readings)
			if p.faults[i] == nil {
				p.faults[i] = x.Err
			}
		}
	}
	return readings, nil
}

// interpret reads until that succeeds or is the frame's fault.
func (r *run) interpret(ctx context.Context, read func() ([]ingest.Observation, error)) (obs []ingest.Observation, fault, err error) {
	err = r.outlast(ctx, func() (err error) { obs, err = read(); return err })
	if bad := (*ingest.FrameError)(nil); errors.As(err, &bad) {
		return obs, bad, nil
	}
	return obs, nil, err
}
