package broker

import "time"

// How fast one connection is heard. A message counts once for every KiB of it
// that is begun. Whoever sends faster is read more slowly, so that TCP, and with
// it the device, waits: nothing is lost, and all others are served meanwhile.
const (
	maxRate  = 5_000  // per second, in the long run
	maxBurst = 20_000 // at once, such as what was stored during an outage
)

// A pacer knows how far one connection is ahead of maxRate.
type pacer struct {
	count int // heard since the last look
	debt  time.Duration
	at    time.Time // of the last look
}

// heard counts a message.
func (p *pacer) heard(bytes int) { p.count += 1 + bytes>>10 }

// wait returns how long to leave the connection alone.
func (p *pacer) wait(now time.Time) time.Duration {
	const each, allowed = time.Second / maxRate, maxBurst * time.Second / maxRate
	p.debt = max(0, p.debt-now.Sub(p.at)) + time.Duration(p.count)*each
	p.at, p.count = now, 0
	return max(0, p.debt-allowed)
}
