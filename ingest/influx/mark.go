package influx

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"time"

	"tianhai/ingest"
)

// Rollups are kept correct by marks. Whoever writes readings of a day marks the
// day, in the same request, with a number that nobody used before; whoever rolls
// the day up reads the number first and puts it beside the mark in the end. A
// day is stale until both are the same. So nothing is lost when a reading comes
// while its day is being rolled up, nor when somebody dies in between: at worst
// the work is done again.
//
// A mark speaks for what its process writes within the next markFor, so that few
// are needed, and a mark is left alone until it is settleAfter old: by then every
// writing that relies on it has ended, in whichever process. That the clocks of
// several processes on one database differ by less than the difference, less
// batchTimeout, is all that they need to agree on.
const (
	markFor     = time.Hour
	settleAfter = markFor + 15*time.Minute
	maxMarks    = 200_000 // remembered; beyond, days are marked more often
)

// dayLength is that of a day, and zone where it begins: at midnight in Beijing,
// UTC+8, which has no summer time.
const (
	dayLength = 24 * time.Hour
	zone      = 8 * time.Hour
)

// floorTo returns the start, in Unix milliseconds, of the interval that holds t.
// Intervals begin at midnight in Beijing of 1970-01-01.
func floorTo(t int64, interval time.Duration) int64 {
	const shift = int64(zone / time.Millisecond)
	width := interval.Milliseconds()
	t += shift
	r := t % width
	if r < 0 {
		r += width
	}
	return t - r - shift
}

// A mark names a day of a device at a place.
type mark struct {
	device, region, site, tenant string
	day                          int64 // its start, Unix milliseconds
}

// newMark names the day of an observation.
func newMark(o *ingest.Observation) mark {
	return mark{o.Device, o.Place.Region, o.Place.Site, o.Place.Tenant, max(floorTo(o.Time.UnixMilli(), dayLength), minTime)}
}

// number returns one that was never used before, by the second in its upper bits
// and chance in the lower 20. It is exact as a float64.
func number(now time.Time) int64 { return now.Unix()<<20 | rand.Int64N(1<<20) }

// markedAt returns when a number was made, to the second.
func markedAt(number int64) time.Time { return time.Unix(number>>20, 0).UTC() }

// marks remembers which days this process has marked, and when.
type marks struct {
	mu sync.Mutex // guards at
	at map[mark]time.Time
}

func (m *marks) covers(k mark, now time.Time) bool {
	m.mu.Lock()
	at, ok := m.at[k]
	m.mu.Unlock()
	return ok && now.Sub(at) < markFor && !now.Before(at)
}

// commit remembers the marks of a batch that is stored.
func (m *marks) commit(n *news) {
	if len(n.made) == 0 {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.at == nil || len(m.at)+len(n.made) > maxMarks {
		m.at = make(map[mark]time.Time, len(n.made))
	}
	for k := range n.made {
		m.at[k] = n.now
	}
}

// news are the marks that a batch must carry.
type news struct {
	now   time.Time // of the first observation
	made  map[mark]int32
	last  mark // and what it came to: most observations are of the day of the one before
	which int32
	needs []int32 // for each observation, which of lines it needs, or -1
	lines []string
}

func (n *news) reset() {
	clear(n.made)
	n.last, n.needs, n.lines = mark{day: -1}, n.needs[:0], n.lines[:0] // no day begins at -1
}

// add notes what mark an observation needs.
func (n *news) add(known *marks, o *ingest.Observation, now func() time.Time) {
	if len(n.needs) == 0 {
		n.now = now()
	}
	if len(o.Readings) == 0 {
		n.needs = append(n.needs, -1)
		return
	}
	if k := newMark(o); k != n.last {
		n.last, n.which = k, n.find(known, k)
	}
	n.needs = append(n.needs, n.which)
}

func (n *news) find(known *marks, k mark) int32 {
	if i, ok := n.made[k]; ok {
		return i
	}
	if known.covers(k, n.now) {
		return -1
	}
	if n.made == nil {
		n.made = map[mark]int32{}
	}
	i := int32(len(n.lines)) //nolint:gosec // at most maxLines
	n.made[k] = i
	n.lines = append(n.lines, string(appendMark(nil, k, FieldMarked, number(n.now))))
	return i
}

// text returns the marks that the observations lo ≤ i < hi need.
func (n *news) text(lo, hi int) string {
	if len(n.lines) == 0 {
		return ""
	}
	if lo == 0 && hi == len(n.needs) {
		return strings.Join(n.lines, "")
	}
	var b strings.Builder
	sent := make([]bool, len(n.lines))
	for _, i := range n.needs[lo:hi] {
		if i >= 0 && !sent[i] {
			sent[i] = true
			b.WriteString(n.lines[i])
		}
	}
	return b.String()
}

// appendMark writes one field of a mark.
func appendMark(dst []byte, k mark, field string, v int64) []byte {
	dst = append(dst, MarkMeasurement...)
	dst = appendTags(dst, k)
	dst = append(dst, ' ')
	dst = append(dst, field...)
	dst = append(dst, '=')
	dst = strconv.AppendInt(dst, v, 10)
	dst = append(dst, 'i', ' ')
	dst = strconv.AppendInt(dst, k.day, 10)
	return append(dst, '\n')
}

// appendTags writes the tags of a series.
func appendTags(dst []byte, k mark) []byte {
	dst = appendTag(dst, TagDevice, k.device)
	dst = appendTag(dst, TagRegion, k.region)
	dst = appendTag(dst, TagSite, k.site)
	return appendTag(dst, TagTenant, k.tenant)
}
