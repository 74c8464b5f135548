package influx

import (
	"cmp"
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
	defaultPoints = 300
	maxPoints     = 2000
	// minGap is the shortest time without a good reading that counts as a gap.
	minGap = 15 * time.Minute
)

// A SeriesQuery asks for one quantity over From ≤ t < To.
type SeriesQuery struct {
	Tenant   string // required
	Site     string // "" means all of the tenant's
	Device   string // "" means all of the site's
	Quantity farm.Quantity
	From, To time.Time
	Points   int // at most so many; 0 means 300, the most is 2,000
}

// errScope keeps an empty name from opening everybody's readings.
var errScope = errors.New("tenant or site not named")

// Series returns one quantity with at most q.Points points. Numbers and gaps
// follow the rules of Summaries; a quantity without readings is one long gap.
func (c *Client) Series(ctx context.Context, q SeriesQuery) (farm.Summary, error) {
	if q.Tenant == "" {
		return farm.Summary{}, fmt.Errorf("read series: %w", errScope)
	}
	p, err := newPeriod(q.From, q.To, cmp.Or(q.Points, defaultPoints))
	if err != nil {
		return farm.Summary{}, fmt.Errorf("read series: %w", err)
	}
	statement := fmt.Sprintf("SELECT %s, %s, %s FROM %s WHERE %s", ident(ValueField(q.Quantity)), ident(FlagField(q.Quantity)),
		ident(TagDevice), ident(Measurement(q.Quantity)), where(q.Tenant, q.Site, q.Device, q.From, q.To))
	found := map[string]*summary{q.Quantity.ID: newSummary(q.Quantity.ID, p)}
	if err := c.scan(ctx, statement, p, found); err != nil {
		return farm.Summary{}, fmt.Errorf("read series: %w", err)
	}
	return found[q.Quantity.ID].result(), nil
}

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
		var columns []column
		for i, name := range s.Columns {
			q, known := farm.LookupQuantity(s.Name + "." + name)
			if !known {
				continue
			}
			if found[q.ID] == nil {
				found[q.ID] = newSummary(q.ID, p)
			}
			columns = append(columns, column{found[q.ID], i, slices.Index(s.Columns, FlagField(q))})
		}
		for _, row := range s.Values {
			ms, _ := row[0].(float64)
			name, _ := row[device].(string)
			for _, col := range columns {
				col.add(row, time.UnixMilli(int64(ms)).UTC(), name)
			}
		}
		return nil
	})
}

// A column says where in a row a quantity stands.
type column struct {
	sum         *summary
	value, flag int // flag is -1 where no row has one
}

func (c column) add(row []any, t time.Time, device string) {
	v, ok := row[c.value].(float64)
	flag := ingest.Good
	if c.flag >= 0 {
		if f, flagged := row[c.flag].(float64); flagged {
			flag = ingest.Flag(f)
		}
	}
	switch {
	case !flag.Usable():
		c.sum.Rejected++
	case ok:
		c.sum.add(t, device, v)
	}
}

// A period is a time cut into even intervals.
type period struct {
	from, to time.Time
	interval time.Duration
}

func newPeriod(from, to time.Time, points int) (period, error) {
	if !from.Before(to) {
		return period{}, errors.New("the period ends before it begins")
	}
	from, to = from.UTC(), to.UTC()
	return period{from, to, niceInterval(to.Sub(from), min(max(points, 1), maxPoints))}, nil
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

func (s *summary) add(t time.Time, device string, v float64) {
	if s.N == 0 {
		s.Min, s.Max = v, v
	}
	s.N++
	s.Min, s.Max, s.Sum = min(s.Min, v), max(s.Max, v), s.Sum+v

	at := s.period.from.Add(t.Sub(s.period.from).Truncate(s.period.interval))
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
