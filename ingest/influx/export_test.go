package influx

import (
	"context"
	"time"

	"github.com/influxdata/influxdb-client-go/v2/api"

	"tianhai/ingest"
)

// Check gives tests the rule by which Write refuses an observation.
var Check = check

// Times of marks.
const (
	MarkFor     = markFor
	SettleAfter = settleAfter
)

// Encoder returns what Write does with observations before it sends them, and how
// many bytes came of it.
func Encoder() func([]ingest.Observation) int {
	var b batch
	var known marks
	b.reset()
	return func(obs []ingest.Observation) int {
		for i := range obs {
			b.add(i, &obs[i])
			b.news.add(&known, &obs[i], time.Now)
		}
		n := len(b.buf) + len(b.news.text(0, len(obs)))
		known.commit(&b.news)
		b.reset()
		return n
	}
}

// AroundWrites calls functions before a client writes and after it was answered.
func AroundWrites(c *Client, before, after func()) { c.writer = watched{c.writer, before, after} }

type watched struct {
	api.WriteAPIBlocking
	before, after func()
}

func (w watched) WriteRecord(ctx context.Context, lines ...string) error {
	w.before()
	defer w.after()
	return w.WriteAPIBlocking.WriteRecord(ctx, lines...)
}

// Hurry makes a roller work without rests.
func Hurry(r *Roller) *Roller {
	r.rest = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	return r
}
