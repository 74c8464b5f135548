package farm

import (
	"maps"
	"math"
	"slices"
	"time"
)

// SummaryPoints is how many points the summary of a growing time has at most.
const SummaryPoints = 200

// minGap is the shortest time without a good reading that counts as a gap.
const minGap = 15 * time.Minute

// A Sample is one reading of one quantity as it is stored, whatever its flag.
type Sample struct {
	Quantity string
	Device   string
	Time     int64   // Unix milliseconds
	Value    float64 // in the quantity's unit; NaN where there is none
	Flag     int     // QARTOD: 1 good, 2 not evaluated, 3 suspect, 4 fail, 9 missing
}

// Usable reports whether numbers may be computed from the value.
func (s Sample) Usable() bool { return s.Flag >= 1 && s.Flag <= 3 && !math.IsNaN(s.Value) }

// A Summariser makes the Summary of one quantity from its samples, which come in
// the order of time.
//
// A gap is a time without one usable sample from any device, longer than 15
// minutes and than three times the usual spacing, which is the median spacing, in
// minutes rounded up, of the device that reports most often; the ends of the period
// count as samples. Points begin at the start of the period and are evenly wide;
// empty ones are left out.
type Summariser struct {
	summary  Summary
	from, to time.Time
	quality  bool
	last     time.Time // of the last usable sample, or the start of the period
	holes    []Gap
	devices  map[string]*spacing
}

// NewSummariser begins a summary over from ≤ t < to with points of an interval;
// with quality, flags are counted too.
func NewSummariser(quantity string, from, to time.Time, interval time.Duration, quality bool) *Summariser {
	from, to = from.UTC(), to.UTC()
	return &Summariser{
		summary: Summary{Quantity: quantity, Interval: interval}, from: from, to: to, quality: quality,
		last: from, devices: map[string]*spacing{},
	}
}

// NiceInterval returns the shortest interval people count in that cuts d into at
// most n parts.
func NiceInterval(d time.Duration, n int) time.Duration {
	const day = 24 * time.Hour
	least := (d + time.Duration(n) - 1) / time.Duration(n)
	for _, i := range [...]time.Duration{
		time.Second, 5 * time.Second, 10 * time.Second, 15 * time.Second, 30 * time.Second,
		time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute,
		time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour,
	} {
		if i >= least {
			return i
		}
	}
	return (least + day - 1) / day * day
}

// A spacing counts how far apart a device's samples are, in minutes.
type spacing struct {
	last    time.Time
	minutes map[time.Duration]int
}

// Add notes a sample, whatever its flag.
func (s *Summariser) Add(r Sample) {
	t := time.UnixMilli(r.Time).UTC()
	if s.quality {
		at := s.at(t)
		if n := len(s.summary.Quality); n == 0 || s.summary.Quality[n-1].Time.Before(at) {
			s.summary.Quality = append(s.summary.Quality, Quality{Time: at})
		}
		q := &s.summary.Quality[len(s.summary.Quality)-1]
		q.Total++
		if r.Flag == 1 {
			q.Good++
		}
	}
	if r.Usable() {
		s.add(t, r.Device, r.Value)
	} else {
		s.summary.Rejected++
	}
}

// at returns the start of the interval that holds t.
func (s *Summariser) at(t time.Time) time.Time {
	return s.from.Add(t.Sub(s.from).Truncate(s.summary.Interval))
}

func (s *Summariser) add(t time.Time, device string, v float64) {
	sum := &s.summary
	if sum.N == 0 {
		sum.Min, sum.Max = v, v
	}
	sum.N++
	sum.Min, sum.Max, sum.Sum = min(sum.Min, v), max(sum.Max, v), sum.Sum+v

	at := s.at(t)
	if n := len(sum.Points); n == 0 || sum.Points[n-1].Time.Before(at) {
		sum.Points = append(sum.Points, Point{Time: at, Min: v, Max: v})
	}
	p := &sum.Points[len(sum.Points)-1]
	p.N++
	p.Min, p.Max = min(p.Min, v), max(p.Max, v)
	p.Mean += (v - p.Mean) / float64(p.N)

	s.pause(t)
	d := s.devices[device]
	if d == nil {
		d = &spacing{minutes: map[time.Duration]int{}}
		s.devices[device] = d
	} else {
		d.minutes[(t.Sub(d.last)+time.Minute-1)/time.Minute]++
	}
	d.last = t
}

// pause notes the time since the last usable sample where it may be a gap.
func (s *Summariser) pause(t time.Time) {
	if t.Sub(s.last) > minGap {
		s.holes = append(s.holes, Gap{From: s.last, To: t})
	}
	s.last = t
}

// Result ends the period and returns what was found. It is called once.
func (s *Summariser) Result() Summary {
	s.pause(s.to)
	s.summary.Devices = slices.Sorted(maps.Keys(s.devices))
	if s.summary.N > 0 {
		s.summary.Mean = s.summary.Sum / float64(s.summary.N)
	}
	usual := time.Duration(0)
	for _, d := range s.devices {
		if m := d.median(); m > 0 && (usual == 0 || m < usual) {
			usual = m
		}
	}
	var missed time.Duration
	for _, g := range s.holes {
		if d := g.To.Sub(g.From); d > 3*usual {
			s.summary.Gaps = append(s.summary.Gaps, g)
			missed += d
		}
	}
	s.summary.Coverage = 1 - float64(missed)/float64(s.to.Sub(s.from))
	return s.summary
}

// median returns 0 when there were fewer than two samples.
func (d *spacing) median() time.Duration {
	total := 0
	for _, n := range d.minutes {
		total += n
	}
	seen := 0
	for _, m := range slices.Sorted(maps.Keys(d.minutes)) {
		if seen += d.minutes[m]; 2*seen >= total {
			return m * time.Minute
		}
	}
	return 0
}
