package ingest_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"tianhai/ingest"
	"tianhai/ingest/journal"
)

// A chain reads frames of its content type, whose payload names the owner, and
// keeps only after some attempts.
type chain struct {
	mu    sync.Mutex
	read  []string // payloads
	fails int      // of Keep
	kept  int      // frames, when Keep succeeded last
}

func (c *chain) Owner(f *ingest.Frame) (string, bool) {
	return string(f.Payload), f.ContentType == "chain"
}

func (c *chain) Read(_ context.Context, f *ingest.Frame) ([]ingest.Value, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.read = append(c.read, string(f.Payload))
	switch len(c.read) {
	case 1:
		return nil, nil // as a death
	case 2:
		return nil, errors.New("no birth was seen")
	}
	return []ingest.Value{{Channel: "temp", Number: 20}}, nil
}

func (c *chain) Keep(context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fails > 0 {
		c.fails--
		return errors.New("disk full")
	}
	c.kept = len(c.read)
	return nil
}

// What a chain has learned is kept before the cursor passes, each frame is read
// once, whether its owner is known or not, and quarantined under the owner's name.
func TestChain(t *testing.T) {
	p := newPlant(t)
	at := time.Date(2026, 6, 10, 0, 0, 0, 0, time.UTC)
	for i, owner := range []string{"ghost", "node/a", "ghost", "node/a"} {
		err := p.journal.Append(t.Context(), ingest.Frame{Device: "node", ContentType: "chain", Received: at.Add(time.Duration(i) * time.Minute), Payload: []byte(owner)})
		if err != nil {
			t.Fatal(err)
		}
	}
	known := station(t, "a")
	readers := map[string]*chain{journal.Store: {fails: 2}, journal.Watch: {fails: 2}}
	in := func(c *chain) *ingest.Interpreter {
		in := interpreter(devices{"node/a": known})
		in.Chain = c
		return in
	}
	keeper := &ingest.Keeper{Source: p.journal, Quarantine: p.journal, Interpreter: in(readers[journal.Store]), Store: p.client}
	seen := &viewer{}
	watch := &ingest.Watch{Source: p.journal, Interpreter: in(readers[journal.Watch]), Watchers: []ingest.Watcher{seen}}
	stops := []func(){during(t, keeper.Run), during(t, watch.Run)}
	for reader, c := range readers {
		eventually(t, reader+" has passed", func() bool { return p.passed(t, reader) })
		c.mu.Lock()
		if c.kept != 4 || !slices.Equal(c.read, []string{"ghost", "node/a", "ghost", "node/a"}) {
			t.Errorf("%s read %q and kept %d", reader, c.read, c.kept)
		}
		c.mu.Unlock()
	}
	for _, stop := range stops {
		stop()
	}
	reasons := p.reasons(t)
	if len(reasons["node/a"]) != 1 || reasons["node/a"][0] != "no birth was seen" || len(reasons["ghost"]) != 1 || len(reasons) != 2 {
		t.Errorf("quarantine has %v", reasons)
	}
	if got := seen.of("a"); !slices.Equal(got, []float64{20}) {
		t.Errorf("seen %v, want the one reading, of the device that was meant", got)
	}
}
