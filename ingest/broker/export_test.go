package broker

import "time"

// How fast a connection is heard.
const (
	MaxRate  = maxRate
	MaxBurst = maxBurst
)

// A Pacer is the pacer.
type Pacer struct{ p pacer }

// Heard counts messages of one size.
func (p *Pacer) Heard(messages, bytes int) {
	for range messages {
		p.p.heard(bytes)
	}
}

// Wait passes on.
func (p *Pacer) Wait(now time.Time) time.Duration { return p.p.wait(now) }

// MaxConnect is how long a first packet may be.
const MaxConnect = maxConnect

// ReadHead reads the head of a first packet.
var ReadHead = readHead
