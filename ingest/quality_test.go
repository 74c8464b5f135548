package ingest_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"tianhai/ingest"
	"tianhai/ingest/decode"
	"tianhai/ingest/journal"
)

// A tally is a quality test that remembers how often it was asked, and a store
// that fails as often as told.
type tally struct {
	mu    sync.Mutex // guards what follows
	asked map[float64]int
	fails int
	sites map[string]bool
}

func (t *tally) Flag(s ingest.Sample) ingest.Flag {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.asked[s.Value]++
	t.sites[s.Site] = true
	return ingest.Good
}

func (t *tally) readings() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.asked)
}

func (t *tally) Write(context.Context, []ingest.Observation) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.fails > 0 {
		t.fails--
		return errors.New("store is out of reach")
	}
	return nil
}

// However often storing is tried, and the registry asked, a quality test sees a
// reading once, or what it remembers would be wrong; and it is told where.
func TestKeeperFlagsOnce(t *testing.T) {
	p := newPlant(t)
	at := time.Date(2026, 6, 10, 0, 0, 0, 0, time.UTC)
	for i := range 3 {
		p.append(t, "a", `{"temp":`+string(rune('1'+i))+`}`, at.Add(time.Duration(i)*time.Minute))
	}
	seen := &tally{asked: map[float64]int{}, sites: map[string]bool{}, fails: 3}
	in := &ingest.Interpreter{Profiles: &flaky{devices: devices{"a": station(t, "a")}, fails: 1}, Decode: decode.ByFormat, Quality: seen}
	keeper := &ingest.Keeper{Source: p.journal, Quarantine: p.journal, Interpreter: in, Store: seen}
	stop := during(t, keeper.Run)
	// Before the journal has counted what was appended there is no lag either.
	eventually(t, "everything is stored", func() bool { return seen.readings() == 3 && p.passed(t, journal.Store) })
	stop()
	for _, v := range []float64{1, 2, 3} {
		if n := seen.asked[v]; n != 1 {
			t.Errorf("reading %v was flagged %d times, want once", v, n)
		}
	}
	if !seen.sites["pond-1"] || len(seen.sites) != 1 {
		t.Errorf("sites %v, want pond-1", seen.sites)
	}
}
