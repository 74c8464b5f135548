// Package edge has Sparkplug edge nodes understood: it keeps what their births
// said, over crashes too, asks for births that are lacking, and tells who is there.
//
// What an edge node publishes is journalled under the node's name, group/node, so
// that all of it stays in one partition and in order; the content type holds the
// topic. Its readings belong to the node, or to group/node/device: names that
// devices have as aliases.
package edge

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"tianhai/ingest"
	"tianhai/ingest/decode"
)

// contentType begins that of a frame; its topic follows.
const contentType = "application/x-sparkplug;topic="

// Filters returns the subscriptions to the edge nodes of a group, or of all where
// it is "+".
func Filters(group string) []string {
	var filters []string
	for _, verb := range []string{"NBIRTH/+", "NDATA/+", "NDEATH/+", "DBIRTH/+/+", "DDATA/+/+", "DDEATH/+/+"} {
		filters = append(filters, "spBv1.0/"+group+"/"+verb)
	}
	return filters
}

// Locate returns who published to a topic, and the content type that its frame is
// to have; false if it is no topic of an edge node that brings readings.
func Locate(topic string) (node, ct string, ok bool) {
	node, _, ok = decode.SparkplugOwner(topic)
	return node, contentType + topic, ok
}

// message returns a frame as a message, and whose metrics it holds. A frame that
// claims a topic which is not its sender's is none.
func message(f *ingest.Frame) (m decode.SparkplugMessage, owner string, ok bool) {
	topic, ok := strings.CutPrefix(f.ContentType, contentType)
	if !ok {
		return m, "", false
	}
	node, owner, ok := decode.SparkplugOwner(topic)
	// In quarantine a frame is its owner's.
	ok = ok && (f.Device == node || f.Device == owner)
	return decode.SparkplugMessage{Topic: topic, Place: f.Seq, Received: f.Received, Payload: f.Payload}, owner, ok
}

// recent is how old a frame may be for its node to be asked for births: what a
// reader that lags behind lacks may long be further on in the journal.
const recent = time.Minute

// Options say what a Chain works with. The functions must not block; nil ones are
// not called.
type Options struct {
	File    string // of what is remembered
	Rebirth func(group, node string)
	// Presence is told whose birth and whose death came, as group/node or
	// group/node/device.
	Presence func(name string, online bool)
	Mended   func(name string) // what it has in quarantine may be readable now
	Now      func() time.Time  // nil: time.Now
}

// A Chain is the ingest.Chain of one reader of the journal. It may be used
// concurrently.
type Chain struct {
	opt       Options
	sparkplug *decode.Sparkplug

	mu  sync.Mutex // guards log
	log *log
}

// Open returns a chain that knows what the one before did.
func Open(opt Options) (*Chain, error) {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	c := &Chain{opt: opt, sparkplug: decode.NewSparkplug()}
	var err error
	c.log, err = openLog(opt.File, c.sparkplug)
	return c, err
}

// Close closes the file.
func (c *Chain) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.log.close()
}

// Owner implements ingest.Chain.
func (c *Chain) Owner(f *ingest.Frame) (string, bool) {
	_, owner, ok := message(f)
	return owner, ok
}

// Read implements ingest.Chain.
func (c *Chain) Read(_ context.Context, f *ingest.Frame) ([]ingest.Value, error) {
	m, owner, _ := message(f)
	r, err := c.sparkplug.Read(m)
	if !r.Fresh {
		return r.Values, err
	}
	if lost := (*decode.RebirthError)(nil); errors.As(err, &lost) && c.opt.Rebirth != nil && c.opt.Now().Sub(f.Received) < recent {
		c.opt.Rebirth(lost.Group, lost.Node)
	}
	c.tell(r.Online, true)
	c.tell(r.Offline, false)
	if r.Mended && c.opt.Mended != nil {
		c.opt.Mended(owner)
	}
	return r.Values, err
}

func (c *Chain) tell(names []string, online bool) {
	if c.opt.Presence == nil {
		return
	}
	for _, name := range names {
		c.opt.Presence(name, online)
	}
}

// Keep implements ingest.Chain. A power cut may take back the last of it; then the
// sequence has a gap, and births are asked for.
func (c *Chain) Keep(context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.log.keep(c.sparkplug)
}

// Again returns a chain that reads old frames by what c knows, and changes nothing.
func (c *Chain) Again() ingest.Chain { return again{c} }

type again struct{ *Chain }

// Read reads a frame that was read before.
func (a again) Read(_ context.Context, f *ingest.Frame) ([]ingest.Value, error) {
	m, _, _ := message(f)
	return a.sparkplug.Again(m)
}

// Keep keeps nothing: nothing was learned.
func (a again) Keep(context.Context) error { return nil }
