package evidence

import (
	"slices"
	"time"
)

// MaxStep is the longest pause between two usable readings of one sensor over which
// the value is taken to have gone in a straight line. What lies in a longer one is
// not known, and counts for no side.
const MaxStep = 2 * time.Hour

const (
	hourMS = int64(time.Hour / time.Millisecond)
	dayMS  = 24 * hourMS
	zoneMS = 8 * hourMS // Beijing, which has no summer time
	stepMS = int64(MaxStep / time.Millisecond)
)

// dayOf returns the start of the Beijing day that holds t, in Unix milliseconds.
func dayOf(t int64) int64 {
	r := (t + zoneMS) % dayMS
	if r < 0 {
		r += dayMS
	}
	return t - r
}

// A cover measures the time that overlapping intervals cover together. Intervals are
// added in the order of the readings that end their steps, so that one that begins
// more than MaxStep before the newest reading can no longer grow.
type cover struct {
	open  [][2]int64 // disjoint, in order
	total int64      // milliseconds, of those that were closed
	days  map[int64]int64
}

// add covers from ≤ t < to, within a step that ends at now.
func (c *cover) add(from, to, now int64) {
	c.close(now - stepMS)
	if from >= to {
		return
	}
	i, _ := slices.BinarySearchFunc(c.open, from, func(iv [2]int64, from int64) int { // the first that reaches from
		if iv[1] < from {
			return -1
		}
		return 1
	})
	j := i
	for ; j < len(c.open) && c.open[j][0] <= to; j++ {
		from, to = min(from, c.open[j][0]), max(to, c.open[j][1])
	}
	c.open = slices.Replace(c.open, i, j, [2]int64{from, to})
}

// close counts the intervals that end before a time.
func (c *cover) close(before int64) {
	n := 0
	for ; n < len(c.open) && c.open[n][1] < before; n++ {
		from, to := c.open[n][0], c.open[n][1]
		c.total += to - from
		for c.days != nil && from < to {
			end := min(to, dayOf(from)+dayMS)
			c.days[dayOf(from)] += end - from
			from = end
		}
	}
	c.open = slices.Delete(c.open, 0, n)
}

// end counts everything and returns the time covered, in milliseconds.
func (c *cover) end() int64 {
	c.close(1<<63 - 1)
	return c.total
}

// outside returns the parts of a step in which a straight line is below lo and above
// hi, as bounds in time. Either may be empty.
func outside(a, b point, lo, hi float64) (under, over [2]int64) {
	return beyond(a, b, lo, -1), beyond(a, b, hi, 1)
}

// beyond returns when a straight line is on the far side of a limit: above it where
// side is 1, below where it is -1.
func beyond(a, b point, limit, side float64) [2]int64 {
	u, v := (a.v-limit)*side, (b.v-limit)*side
	switch {
	case u <= 0 && v <= 0: // not for an instant; also where there is no limit
		return [2]int64{}
	case u >= 0 && v >= 0:
		return [2]int64{a.t, b.t}
	}
	crossing := a.t + int64(float64(b.t-a.t)*(u/(u-v))+0.5)
	if u > 0 {
		return [2]int64{a.t, crossing}
	}
	return [2]int64{crossing, b.t}
}

// A point is one usable reading.
type point struct {
	t int64 // Unix milliseconds
	v float64
}
