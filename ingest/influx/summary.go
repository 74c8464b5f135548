package influx

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"tianhai/farm"
	"tianhai/ingest"
)

// Limits of what one summary holds.
const (
	summaryPoints = 200
	maxPoints     = 2000
	// minGap is the shortest time without a good reading that counts as a gap.
	minGap = 15 * time.Minute
)

// errScope keeps an empty name from opening everybody's readings.
var errScope = errors.New("tenant or site not named")

// Summaries returns a summary of each quantity that was measured at a site, or
// reported missing there, with from ≤ t < to, in the order of farm.Quantities.
// What a device says of itself, such as its battery, is not among them.
//
// Readings flagged fail or missing are counted in Rejected and enter nothing
// else. A gap is a time without one good reading from any device of the site,
// longer than 15 minutes and than three times the usual spacing, which is the
// median spacing, in minutes rounded up, of the device that reports most often;
// the ends of the period count as readings. Points begin at from and are evenly
// wide; empty ones are left out.
func (c *Client) Summaries(ctx context.Context, tenant, site string, from, to time.Time) ([]farm.Summary, error) {
	if tenant == "" || site == "" {
		return nil, fmt.Errorf("read summaries: %w", errScope)
	}
	p, err := newPeriod(from, to, summaryPoints)
	if err != nil {
		return nil, fmt.Errorf("read summaries: %w", err)
	}
	var media []string
	for _, q := range farm.Quantities() {
		if m := ident(Measurement(q)); q.Medium() != farm.OfDevice && !slices.Contains(media, m) {
			media = append(media, m)
		}
	}
	statement := fmt.Sprintf("SELECT *::field, %s FROM %s WHERE %s",
		ident(TagDevice), strings.Join(media, ", "), where(tenant, site, "", from, to))
	found := map[string]*summary{}
	if err := c.scan(ctx, statement, p, found); err != nil {
		return nil, fmt.Errorf("read summaries: %w", err)
	}
	var all []farm.Summary
	for _, q := range farm.Quantities() {
		if s := found[q.ID]; s != nil && s.N+s.Rejected > 0 {
			all = append(all, s.result())
		}
	}
	return all, nil
}

// scan adds every row of a statement to found, making a summary of each known
// quantity that has none.
//
// Rows come one by one rather than aggregated by InfluxDB, because InfluxQL has
// no condition that spares rows without a flag field and means the same in 1.8,
// 2.x and 3. One pass over all fields of a measurement costs no more than an
// aggregate per quantity, and finds exact gaps on its way.
func (c *Client) scan(ctx context.Context, statement string, p period, found map[string]*summary) error {
	return c.query(ctx, statement, func(_ int, s *series) error {
		device := slices.Index(s.Columns, TagDevice)
		if device < 0 {
			return errors.New("answer without a device")
		}
		for _, col := range columnsOf(s) {
			sum := found[col.quantity.ID]
			if sum == nil {
				sum = newSummary(col.quantity.ID, p)
				found[col.quantity.ID] = sum
			}
			for _, row := range s.Values {
				v, flag, ok := col.reading(row)
				if !ok {
					continue
				}
				ms, _ := row[0].(float64)
				name, _ := row[device].(string)
				sum.count(time.UnixMilli(int64(ms)).UTC(), name, v, flag)
			}
		}
		return nil
	})
}

// A column says where in a row a quantity stands.
type column struct {
	quantity    farm.Quantity
	value, flag int // -1 where no row has one
}

// columnsOf returns the columns of the quantities that a raw series has.
func columnsOf(s *series) []column {
	var all []column
	for _, q := range farm.Quantities() {
		if Measurement(q) != s.Name {
			continue
		}
		col := column{q, slices.Index(s.Columns, ValueField(q)), slices.Index(s.Columns, FlagField(q))}
		if col.value >= 0 || col.flag >= 0 {
			all = append(all, col)
		}
	}
	return all
}

// reading returns what a row says of the quantity; false when nothing. Where the
// flag is not usable the value may be missing.
func (c column) reading(row []any) (v float64, flag ingest.Flag, ok bool) {
	flag = ingest.Good
	if c.value >= 0 {
		v, ok = row[c.value].(float64)
	}
	if c.flag >= 0 {
		if f, flagged := row[c.flag].(float64); flagged {
			flag = ingest.Flag(f)
			ok = ok || !flag.Usable()
		}
	}
	return v, flag, ok
}

// A period is a time cut into even intervals.
type period struct {
	from, to time.Time
	interval time.Duration
	quality  bool // count flags too
}

// at returns the start of the interval that holds t.
func (p period) at(t time.Time) time.Time {
	return p.from.Add(t.Sub(p.from).Truncate(p.interval))
}

func newPeriod(from, to time.Time, points int) (period, error) {
	if !from.Before(to) {
		return period{}, errors.New("the period ends before it begins")
	}
	from, to = from.UTC(), to.UTC()
	return period{from: from, to: to, interval: niceInterval(to.Sub(from), min(max(points, 1), maxPoints))}, nil
}

// niceInterval returns the shortest interval people count in that cuts d into
// at most n parts.
func niceInterval(d time.Duration, n int) time.Duration {
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

// A summary grows by one reading at a time, in order of time.
type summary struct {
	farm.Summary
	period  period
	last    time.Time // of the last good reading, or the start of the period
	holes   []farm.Gap
	devices map[string]*spacing
}

// A spacing counts how far apart a device's readings are, in minutes.
type spacing struct {
	last    time.Time
	minutes map[time.Duration]int
}

func newSummary(quantity string, p period) *summary {
	return &summary{
		Summary: farm.Summary{Quantity: quantity, Interval: p.interval},
		period:  p, last: p.from, devices: map[string]*spacing{},
	}
}

// count notes a reading, whatever its flag.
func (s *summary) count(t time.Time, device string, v float64, f ingest.Flag) {
	if s.period.quality {
		at := s.period.at(t)
		if n := len(s.Quality); n == 0 || s.Quality[n-1].Time.Before(at) {
			s.Quality = append(s.Quality, farm.Quality{Time: at})
		}
		q := &s.Quality[len(s.Quality)-1]
		q.Total++
		if f == ingest.Good {
			q.Good++
		}
	}
	if f.Usable() {
		s.add(t, device, v)
	} else {
		s.Rejected++
	}
}

func (s *summary) add(t time.Time, device string, v float64) {
	if s.N == 0 {
		s.Min, s.Max = v, v
	}
	s.N++
	s.Min, s.Max, s.Sum = min(s.Min, v), max(s.Max, v), s.Sum+v

	at := s.period.at(t)
	if n := len(s.Points); n == 0 || s.Points[n-1].Time.Before(at) {
		s.Points = append(s.Points, farm.Point{Time: at, Min: v, Max: v})
	}
	p := &s.Points[len(s.Points)-1]
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

// pause notes the time since the last good reading where it may be a gap.
func (s *summary) pause(t time.Time) {
	if t.Sub(s.last) > minGap {
		s.holes = append(s.holes, farm.Gap{From: s.last, To: t})
	}
	s.last = t
}

// result ends the period and returns what was found.
func (s *summary) result() farm.Summary {
	s.pause(s.period.to)
	s.Devices = slices.Sorted(maps.Keys(s.devices))
	if s.N > 0 {
		s.Mean = s.Sum / float64(s.N)
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
			s.Gaps = append(s.Gaps, g)
			missed += d
		}
	}
	s.Coverage = 1 - float64(missed)/float64(s.period.to.Sub(s.period.from))
	return s.Summary
}

// median returns 0 when there were fewer than two readings.
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
