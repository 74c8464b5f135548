package auth

import (
	"hash/maphash"
	"sync"
	"time"
)

// guesses counts failed attempts by key, in windows that begin with the first.
// Its memory is fixed: keys that share a counter share a limit. Which do is
// random in every process, and filling the counters so that strangers notice
// would take more attempts than Sessions can work through in a window.
type guesses struct {
	limit  int
	window time.Duration

	mu     sync.Mutex
	seed   maphash.Seed
	counts []guessCount // allocated by the first attempt
}

type guessCount struct {
	ends  int64 // of the window, Unix nanoseconds
	count int
}

const guessCounters = 1 << 16

// counter returns the counter of key, begun anew where its window has ended. The
// caller holds the mutex.
func (g *guesses) counter(key string, now time.Time) *guessCount {
	if g.counts == nil {
		g.seed = maphash.MakeSeed()
		g.counts = make([]guessCount, guessCounters)
	}
	c := &g.counts[maphash.String(g.seed, key)%guessCounters]
	if c.ends <= now.UnixNano() {
		*c = guessCount{ends: now.Add(g.window).UnixNano()}
	}
	return c
}

// attempt counts an attempt before its outcome is known, so that many at once
// count too. It returns how long to wait where there were too many already.
func (g *guesses) attempt(key string, now time.Time) (wait time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	c := g.counter(key, now)
	if c.count >= g.limit {
		return time.Duration(c.ends - now.UnixNano())
	}
	c.count++
	return 0
}

// forgive takes back one attempt, which was no guess.
func (g *guesses) forgive(key string, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if c := g.counter(key, now); c.count > 0 {
		c.count--
	}
}

// clear takes back all attempts.
func (g *guesses) clear(key string, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.counter(key, now).count = 0
}
