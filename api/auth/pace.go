package auth

import "time"

// A Pace is how often each may do something: Limit times in a Window that begins with
// the first. Its memory is fixed. The zero value allows nothing.
type Pace struct{ counts guesses }

// NewPace returns one; nobody has done anything yet.
func NewPace(limit int, window time.Duration) *Pace {
	return &Pace{guesses{limit: limit, window: window}}
}

// Take counts one more of a key; *TooManyError where there were too many already.
func (p *Pace) Take(key string, now time.Time) error {
	if wait := p.counts.attempt(key, now); wait > 0 {
		return &TooManyError{Retry: wait}
	}
	return nil
}
