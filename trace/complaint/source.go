package complaint

import (
	"hash/maphash"
	"sync"
	"time"
)

// sources counts what came from network addresses on a day, without keeping these:
// by hashes under a key that this process made and forgets with the day.
type sources struct {
	mu   sync.Mutex
	day  int64
	seed maphash.Seed
	of   map[uint64]int
}

const maxSources = 100_000

func (s *sources) turn(now time.Time) {
	if day := now.Unix() / (24 * 60 * 60); s.of == nil || s.day != day || len(s.of) > maxSources {
		s.day, s.seed, s.of = day, maphash.MakeSeed(), map[uint64]int{}
	}
}

// take counts one more, unless there are as many as may be.
func (s *sources) take(address string, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.turn(now)
	k := maphash.String(s.seed, address)
	if s.of[k] >= MaxOfSource {
		return false
	}
	s.of[k]++
	return true
}
