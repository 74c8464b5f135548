package influx

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"

	ihttp "github.com/influxdata/influxdb-client-go/v2/api/http"

	"tianhai/ingest"
)

// maxLines is how many lines one request carries, and maxBytes how large it may
// grow; an observation is never split.
const (
	maxLines = 5000
	maxBytes = 8 << 20
)

// A batch is the line protocol of some observations, in a buffer used again.
type batch struct {
	buf   []byte
	index []int // of each observation among those given to Write
	end   []int // where each one's lines end in buf
	lines int
	news  news
}

func (b *batch) reset() {
	b.buf, b.index, b.end, b.lines = b.buf[:0], b.index[:0], b.end[:0], 0
	b.news.reset()
}

func (b *batch) add(i int, o *ingest.Observation) {
	start := len(b.buf)
	b.buf = AppendLines(b.buf, o)
	b.lines += bytes.Count(b.buf[start:], []byte("\n"))
	b.index = append(b.index, i)
	b.end = append(b.end, len(b.buf))
}

// text returns a copy of the lines of the observations lo ≤ i < hi, and of the
// marks that they need: a request that failed early may be read after the buffer
// has found another use.
func (b *batch) text(lo, hi int) string {
	start := 0
	if lo > 0 {
		start = b.end[lo-1]
	}
	marks := b.news.text(lo, hi)
	if marks == "" {
		return string(b.buf[start:b.end[hi-1]])
	}
	return marks + string(b.buf[start:b.end[hi-1]])
}

// Write stores observations. It returns nil when InfluxDB has them all, an
// *ingest.RejectedError naming those that it will never take when it has the
// others, and otherwise an error after which the same observations must be
// written again: some may be stored already, which does no harm.
func (c *Client) Write(ctx context.Context, obs []ingest.Observation) error {
	if err := c.ensureBucket(ctx); err != nil {
		return err
	}
	b, ok := c.batches.Get().(*batch)
	if !ok {
		b = new(batch)
	}
	defer c.batches.Put(b)
	b.reset()
	var rejected ingest.RejectedError
	for i := range obs {
		if err := check(&obs[i]); err != nil {
			rejected.Add(i, err)
			continue
		}
		b.add(i, &obs[i])
		b.news.add(&c.marks, &obs[i], c.opt.Now)
		if b.lines >= maxLines || len(b.buf) >= maxBytes {
			if err := c.flush(ctx, b, &rejected); err != nil {
				return err
			}
		}
	}
	if err := c.flush(ctx, b, &rejected); err != nil {
		return err
	}
	if len(rejected.Rejections) > 0 {
		return &rejected
	}
	return nil
}

// flush writes a batch and empties it. Later writings rely on its marks only
// when InfluxDB took all of it.
func (c *Client) flush(ctx context.Context, b *batch, rejected *ingest.RejectedError) error {
	ctx, cancel := context.WithTimeout(ctx, batchTimeout)
	defer cancel()
	before := len(rejected.Rejections)
	if err := c.post(ctx, b, 0, len(b.index), rejected); err != nil {
		return err
	}
	if len(rejected.Rejections) == before {
		c.marks.commit(&b.news)
	}
	b.reset()
	return nil
}

// post writes the observations lo ≤ i < hi of a batch. When InfluxDB finds
// fault with the data, halves are written until the fault has a name. Good
// lines are sent more than once that way, and kept in every dialect: 2.x keeps
// none of a malformed request, 1.8 and 3 keep the good ones.
func (c *Client) post(ctx context.Context, b *batch, lo, hi int, rejected *ingest.RejectedError) error {
	if lo == hi {
		return nil
	}
	fault, err := c.send(ctx, b.text(lo, hi))
	if err != nil {
		return err
	}
	if fault == nil {
		return nil
	}
	if hi-lo == 1 {
		rejected.Add(b.index[lo], fault)
		return nil
	}
	mid := (lo + hi) / 2
	if err := c.post(ctx, b, lo, mid, rejected); err != nil {
		return err
	}
	return c.post(ctx, b, mid, hi, rejected)
}

// send makes one request. The fault is InfluxDB's verdict on the lines, the
// error everything else.
func (c *Client) send(ctx context.Context, lines string) (fault, err error) {
	if lines == "" {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	err = c.writer.WriteRecord(ctx, lines)
	e := (*ihttp.Error)(nil)
	if !errors.As(err, &e) {
		if err != nil {
			err = &Error{Op: "write readings", Err: err}
		}
		return nil, err
	}
	switch e.StatusCode {
	case http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusRequestEntityTooLarge:
		return fmt.Errorf("influxdb refused it: %w", e), nil
	case http.StatusNotFound:
		c.mu.Lock()
		c.ready = false // the bucket has gone: the next Write makes it again
		c.mu.Unlock()
	}
	return nil, failure("write readings", e)
}
