package qc

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"tianhai/farm"
	"tianhai/ingest"
)

const (
	// MaxSeries is how many series a Checker remembers; a series is one channel
	// of one device. Those beyond are judged by tests that need no memory.
	MaxSeries = 1 << 20
	// forgetAfter is how long a series may be silent before Save forgets it.
	forgetAfter = 30 * 24 * time.Hour
)

// A Checker flags samples as they arrive, by the tests of a Config. A value
// outside what its sensor, or the quantity, can be always fails.
//
// A sample that is not newer than the one before it, of the same device and
// channel, is late. It is judged by the tests that look at one value alone, and
// not remembered; the same sample again gets the flag it had.
//
// A Checker may be used concurrently, as far as samples of one device come one
// after the other.
type Checker struct {
	config Config
	mu     sync.Mutex // guards known and what it holds
	known  *archive
}

// A series is what is remembered of one channel of a device at one site.
type series struct {
	channel  string
	site     string
	quantity string
	memories []named
	seen     bool
	last     int64 // Unix ms
	value    float64
	flag     ingest.Flag
	steps    [9]float64 // the last times between readings, s
	taken    int        // steps so far
	median   float64    // of steps; 0 where it is not known
}

type named struct {
	name string
	memory
}

// New returns a checker. A stream that is no quantity, and a test that needs the
// whole series or depths, is an error.
func New(c Config) (*Checker, error) {
	check := func(where string, streams map[string][]Test) error {
		for _, id := range slices.Sorted(maps.Keys(streams)) {
			if _, known := farm.LookupQuantity(id); !known {
				return fmt.Errorf("%s%s: is not a quantity", where, id)
			}
			for _, t := range streams[id] {
				if a, ok := t.(AttenuatedSignal); ok && a.TestPeriod == 0 {
					return fmt.Errorf("%s%s.%s: needs test_period while readings arrive", where, id, t.Name())
				}
				if _, ok := t.(streamed); !ok {
					return fmt.Errorf("%s%s.%s: cannot judge readings as they arrive", where, id, t.Name())
				}
			}
		}
		return nil
	}
	if err := check("streams.", c.Streams); err != nil {
		return nil, err
	}
	for _, site := range slices.Sorted(maps.Keys(c.Sites)) {
		if err := check("sites."+site+".streams.", c.Sites[site]); err != nil {
			return nil, err
		}
	}
	return &Checker{config: c, known: newArchive()}, nil
}

// Flag returns the verdict of all tests on a sample: Missing for one without a
// value, otherwise the worst.
func (c *Checker) Flag(s ingest.Sample) ingest.Flag {
	flag, now := ingest.Missing, s.Time.UnixMilli()
	p := point{at: s.Time, ms: now, value: s.Value, missing: s.Missing, z: math.NaN()}
	if !s.Missing {
		flag = inLimits(&s)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	se := c.find(&s)
	if se.seen && now <= se.last {
		if now == se.last && s.Value == se.value && s.Missing == (se.flag == ingest.Missing) {
			return se.flag
		}
		if se.site != s.Site {
			se = c.begin(&s)
		}
		for _, m := range se.memories {
			flag = Worst(flag, m.late(p))
		}
		return flag
	}
	if se.site != s.Site || se.quantity != s.Quantity.ID {
		*se = *c.begin(&s)
	}
	p.interval = se.interval(now)
	for _, m := range se.memories {
		flag = Worst(flag, m.judge(p))
	}
	se.seen, se.last, se.value, se.flag = true, now, s.Value, flag
	return flag
}

func inLimits(s *ingest.Sample) ingest.Flag {
	if s.Limits != (farm.Range{}) && !s.Limits.Contains(s.Value) || !s.Quantity.Range.Contains(s.Value) {
		return ingest.Fail
	}
	return ingest.Good
}

func (c *Checker) find(s *ingest.Sample) *series {
	se := c.known.find(s.Device, s.Channel)
	if se == nil {
		se = c.begin(s)
		if !c.known.add(s.Device, se) {
			se.seen, se.last = true, math.MaxInt64 // late for ever
		}
	}
	return se
}

// begin returns the series of a sample with nothing remembered.
func (c *Checker) begin(s *ingest.Sample) *series {
	se := &series{channel: s.Channel, site: s.Site, quantity: s.Quantity.ID}
	for _, t := range c.config.tests(s.Site, s.Quantity.ID) {
		if t, ok := t.(streamed); ok {
			se.memories = append(se.memories, named{t.Name(), t.memory()})
		}
	}
	return se
}

// interval notes the time of a reading and returns the median of the last
// intervals in seconds; 0 for the first reading.
func (se *series) interval(now int64) float64 {
	if se.seen {
		step, place := float64(now-se.last)/1000, &se.steps[se.taken%len(se.steps)]
		if se.taken++; *place == step && se.median != 0 {
			return se.median // as with every device that keeps time
		}
		*place = step
	}
	n := min(se.taken, len(se.steps))
	if n == 0 {
		return 0
	}
	sorted := se.steps
	se.median = median(sorted[:n])
	return se.median
}
