package history_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tianhai/ingest"
	"tianhai/ingest/history"
)

// A laggard is a journal whose keeper is as far behind as told.
type laggard struct {
	history.Journal
	lag   atomic.Uint64
	asked atomic.Int64
}

func (l *laggard) Lag(context.Context) (map[string]uint64, error) {
	l.asked.Add(1)
	return map[string]uint64{ingest.StoreReader: l.lag.Load()}, nil
}

// A stubborn store fails as often as told.
type stubborn struct {
	ingest.Store
	fails atomic.Int64
}

func (s *stubborn) Write(ctx context.Context, obs []ingest.Observation) error {
	if s.fails.Add(-1) >= 0 {
		return errors.New("store is away")
	}
	return s.Store.Write(ctx, obs)
}

func (p *plant) order(rows int) history.Job {
	p.t.Helper()
	j, err := p.desk.Backfill(p.t.Context(), "oysters", "li", ofBuoy, strings.NewReader(minutes(rows, false)))
	if err != nil {
		p.t.Fatal(err)
	}
	return j
}

// Live data go first.
func TestWorkerYields(t *testing.T) {
	p := newPlant(t)
	j := p.order(10)
	w := p.worker()
	journal := &laggard{Journal: p.journal}
	journal.lag.Store(1000)
	w.Journal = journal
	stop := during(t, w.Run)
	defer stop()
	eventually(t, "the worker to look how the keeper is doing", func() bool { return journal.asked.Load() >= 2 })
	if n := p.count("buoy-1", "water.temperature"); n != 0 {
		t.Errorf("%d rows were written before live data", n)
	}
	journal.lag.Store(0)
	eventually(t, "the job to end", func() bool { return p.job(j.ID).State == history.Done })
}

// A store that is away costs time and nothing else; what it will never take is a
// row's problem.
func TestWorkerOutlastsTheStore(t *testing.T) {
	p := newPlant(t)
	j := p.order(10)
	w := p.worker()
	series := &stubborn{Store: p.client}
	series.fails.Store(3)
	w.Series = series
	stop := during(t, w.Run)
	eventually(t, "the job to end", func() bool { return p.job(j.ID).State == history.Done })
	stop()
	if n := p.count("buoy-1", "water.temperature"); n != 10 || p.job(j.ID).Progress.Stored != 10 {
		t.Errorf("%d rows, %+v", n, p.job(j.ID).Progress)
	}

	odd := sonde("buoy-1")
	odd.Installations[0].Place.Site = "no\nsite"
	p.mu.Lock()
	p.profiles["buoy-1"] = odd
	p.mu.Unlock()
	j = p.order(3)
	p.work()
	if pr := p.job(j.ID).Progress; pr.Stored != 0 || pr.Refused != 3 || len(pr.Problems) != 3 || pr.Problems[0].Line != 2 {
		t.Errorf("refused by the store: %+v", pr)
	}
}

// The records being away holds a job up, too, and it is still called off then.
func TestWorkerIsCalledOff(t *testing.T) {
	p := newPlant(t)
	j := p.order(10)
	w := p.worker()
	series := &stubborn{Store: p.client}
	series.fails.Store(1 << 40)
	w.Series = series
	stop := during(t, w.Run)
	eventually(t, "the job to be tried", func() bool { return series.fails.Load() < 1<<40-1 })
	p.mu.Lock()
	p.away = true
	p.mu.Unlock()
	tried := series.fails.Load()
	eventually(t, "more tries", func() bool { return series.fails.Load() < tried })
	p.mu.Lock()
	p.away = false
	p.mu.Unlock()
	p.cancel(j.ID)
	eventually(t, "its file to be gone", func() bool { return p.files() == 0 })
	stop()
	if got := p.job(j.ID); got.State != history.Cancelled || got.Progress.Stored != 0 {
		t.Errorf("%+v", got)
	}
}

// A job that brings the server down each time is given up, one whose file is gone
// says so, and what nobody waits for is removed.
func TestWorkerGivesUp(t *testing.T) {
	p := newPlant(t)
	poison, lost := p.order(10), p.order(10)
	p.mu.Lock()
	p.jobs[0].State, p.jobs[0].Tries = history.Running, 5
	p.mu.Unlock()
	if err := p.worker().Drop(lost.ID); err != nil {
		t.Fatal(err)
	}
	p.work()
	for id, says := range map[string]string{poison.ID: "given up after 5 starts", lost.ID: "is not in the data directory of this server"} {
		if j := p.job(id); j.State != history.Failed || !strings.Contains(j.Error, says) {
			t.Errorf("%s %q, want %q", j.State, j.Error, says)
		}
	}
	if n := p.files(); n != 0 {
		t.Errorf("%d files are left", n)
	}
	waiting := p.order(1)
	p.cancel(waiting.ID) // while no worker runs
	p.desk.Now = func() time.Time { return time.Now().Add(2 * time.Hour) }
	stop := during(t, p.worker().Run)
	eventually(t, "the file of the job that was called off to go", func() bool { return p.files() == 0 })
	stop()
}
