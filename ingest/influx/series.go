package influx

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"tianhai/farm"
	"tianhai/ingest"
)

// defaultPoints are those of a series when nobody says how many.
const defaultPoints = 300

// A SeriesQuery asks for one quantity over From ≤ t < To.
type SeriesQuery struct {
	Tenant   string // required
	Site     string // "" means all of the tenant's
	Device   string // "" means all of the site's
	Quantity farm.Quantity
	From, To time.Time
	Points   int // at most so many; 0 means 300, the most is 2,000
}

// Series returns one quantity with at most q.Points points, and one more where
// they do not begin at q.From.
//
// Points of less than an hour, and their numbers and gaps, follow the rules of
// farm.Summariser. Longer ones begin at even hours of Beijing time (UTC+8), those of
// days at its midnight, the first of them where q.From lies in it. They come from
// the rollups, and for what is not rolled up yet from the readings: the numbers
// are the same. Gaps are then whole hours, or days, without a usable reading,
// and, as before, longer than three times the usual pause. Where retention has
// deleted readings or hours, points are as wide as what is left.
func (c *Client) Series(ctx context.Context, q SeriesQuery) (farm.Summary, error) {
	s, err := c.series(ctx, q)
	if err != nil {
		return farm.Summary{}, fmt.Errorf("read series: %w", err)
	}
	return s, nil
}

func (c *Client) series(ctx context.Context, q SeriesQuery) (farm.Summary, error) {
	if q.Tenant == "" {
		return farm.Summary{}, errScope
	}
	p, err := newPeriod(q.From, q.To, cmp.Or(q.Points, defaultPoints))
	if err != nil {
		return farm.Summary{}, err
	}
	if p.interval < time.Hour && c.opt.Now().Sub(p.from) < ingest.RetentionFloor {
		return c.rawSeries(ctx, q, p)
	}
	days, err := c.dayStates(ctx, q)
	if err != nil {
		return farm.Summary{}, err
	}
	switch days.purged() {
	case 0:
	case purgeRaw:
		p.interval = max(p.interval, time.Hour)
	default:
		p.interval = max(p.interval, dayLength)
	}
	if p.interval < time.Hour {
		return c.rawSeries(ctx, q, p)
	}
	l := newLongSeries(q.Quantity, p)
	if err := c.readParts(ctx, q, days.parts(p, l.unit), l); err != nil {
		return farm.Summary{}, err
	}
	return l.result(), nil
}

func (c *Client) rawSeries(ctx context.Context, q SeriesQuery, p period) (farm.Summary, error) {
	sum := farm.NewSummariser(q.Quantity.ID, p.from, p.to, p.interval, true)
	err := c.scan(ctx, rawStatement(q, p.from, p.to), func(s farm.Sample) error {
		sum.Add(s)
		return nil
	})
	if err != nil {
		return farm.Summary{}, err
	}
	return sum.Result(), nil
}

func rawStatement(q SeriesQuery, from, to time.Time) string {
	return fmt.Sprintf("SELECT %s, %s, %s FROM %s WHERE %s", ident(ValueField(q.Quantity)), ident(FlagField(q.Quantity)),
		ident(TagDevice), ident(Measurement(q.Quantity)), where(q.Tenant, q.Site, q.Device, from, to))
}

// dayStates say of days what their rollups are good for; a day that is not there
// has no readings.
type dayStates struct {
	adopted bool // otherwise nothing may be concluded
	medium  farm.Medium
	stale   map[int64]bool
	gone    map[int64]int // the level of what retention has deleted, or begun to
}

func (c *Client) dayStates(ctx context.Context, q SeriesQuery) (dayStates, error) {
	s := dayStates{medium: q.Quantity.Medium(), stale: map[int64]bool{}, gone: map[int64]int{}}
	var err error
	if s.adopted, _, err = c.adopted(ctx); err != nil {
		return s, err
	}
	first := time.UnixMilli(floorTo(q.From.UnixMilli(), dayLength))
	return s, c.markedDays(ctx, q.Tenant, q.Site, q.Device, first, q.To, func(d markedDay) {
		if v := d.purged[s.medium]; v > 0 {
			s.gone[d.day] = max(s.gone[d.day], (v+1)/2)
		}
		if d.stale() {
			s.stale[d.day] = true
		}
	})
}

// purged returns the most that is gone of any day.
func (s dayStates) purged() int {
	most := 0
	for _, level := range s.gone {
		most = max(most, level)
	}
	return most
}

// source returns the suffix of the measurement from which a day must be read: none
// for the readings.
func (s dayStates) source(day int64, unit time.Duration) string {
	switch {
	case s.gone[day] == 0 && (s.stale[day] || !s.adopted):
		return ""
	case unit < dayLength:
		return HourSuffix
	}
	return DaySuffix
}

// A part is a time to be read from one measurement.
type part struct {
	from, to int64 // Unix milliseconds
	suffix   string
}

// parts cuts a period so that each part comes from the shortest source that is
// right. Where the ends of the period cut an hour or a day they are read finer,
// unless what is finer is gone.
func (s dayStates) parts(p period, unit time.Duration) []part {
	var all []part
	add := func(from, to int64, suffix string) {
		if n := len(all); n > 0 && all[n-1].to == from && all[n-1].suffix == suffix {
			all[n-1].to = to
		} else if from < to {
			all = append(all, part{from, to, suffix})
		}
	}
	start, end := p.from.UnixMilli(), p.to.UnixMilli()
	const dayMS, hourMS = int64(dayLength / time.Millisecond), int64(time.Hour / time.Millisecond)
	for day := floorTo(start, dayLength); day < end; day += dayMS {
		from, to := max(day, start), min(day+dayMS, end)
		suffix := s.source(day, unit)
		if suffix == DaySuffix && to-from < dayMS && s.gone[day] < purgeHours {
			suffix = HourSuffix
		}
		switch {
		case suffix == "":
			add(from, to, "")
		case suffix == DaySuffix:
			add(day, day+dayMS, suffix)
		case s.gone[day] > 0:
			add(floorTo(from, time.Hour), floorTo(to+hourMS-1, time.Hour), suffix)
		default:
			first, last := floorTo(from+hourMS-1, time.Hour), floorTo(to, time.Hour)
			if first > last { // within one hour
				add(from, to, "")
				continue
			}
			add(from, first, "")
			add(first, last, suffix)
			add(last, to, "")
		}
	}
	return all
}

// maxStatements is how many parts one request asks for.
const maxStatements = 200

func (c *Client) readParts(ctx context.Context, q SeriesQuery, parts []part, l *longSeries) error {
	for some := range slices.Chunk(parts, maxStatements) {
		statements := make([]string, len(some))
		for i, p := range some {
			from, to := time.UnixMilli(p.from), time.UnixMilli(p.to)
			statements[i] = rawStatement(q, from, to)
			if p.suffix != "" {
				statements[i] = cellStatement(q, p.suffix, from, to)
			}
		}
		err := c.query(ctx, strings.Join(statements, ";"), func(i int, s *series) error {
			for _, row := range s.Values {
				ms, _ := row[0].(float64)
				if some[i].suffix == "" {
					l.addReading(int64(ms), row)
				} else {
					l.addCell(int64(ms), row)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func cellStatement(q SeriesQuery, suffix string, from, to time.Time) string {
	f := ValueField(q.Quantity)
	return fmt.Sprintf("SELECT %s, %s, %s, %s, %s, %s, %s FROM %s WHERE %s", ident(TagDevice), ident(f+CountSuffix), ident(f+MinSuffix),
		ident(f+MeanSuffix), ident(f+MaxSuffix), ident(f+GoodSuffix), ident(f+TotalSuffix), ident(Measurement(q.Quantity)+suffix),
		where(q.Tenant, q.Site, q.Device, from, to))
}

// A longSeries is put together from readings, hours and days in any order.
type longSeries struct {
	quantity farm.Quantity
	period   period
	unit     time.Duration // of cells: an hour or a day; an interval holds whole ones
	cells    map[int64]*cell
	devices  map[string]map[int64]bool // the cells in which each had a usable value
}

func newLongSeries(q farm.Quantity, p period) *longSeries {
	l := &longSeries{quantity: q, period: p, unit: time.Hour, cells: map[int64]*cell{}, devices: map[string]map[int64]bool{}}
	if p.interval >= dayLength {
		l.unit = dayLength
	}
	return l
}

// addReading counts a row of rawStatement.
func (l *longSeries) addReading(t int64, row []any) {
	if v, f, ok := (column{l.quantity, 1, 2}).reading(row); ok {
		device, _ := row[3].(string)
		var c cell
		c.add(v, f)
		l.merge(t, device, c)
	}
}

// addCell counts a row of cellStatement.
func (l *longSeries) addCell(t int64, row []any) {
	f := func(i int) float64 { v, _ := row[i].(float64); return v }
	device, _ := row[1].(string)
	l.merge(t, device, cell{n: int(f(2)), min: f(3), mean: f(4), max: f(5), good: int(f(6)), total: int(f(7))})
}

func (l *longSeries) merge(t int64, device string, c cell) {
	if c.total == 0 {
		return
	}
	t = floorTo(t, l.unit)
	if l.cells[t] == nil {
		l.cells[t] = new(cell)
	}
	l.cells[t].merge(c)
	if c.n > 0 {
		if l.devices[device] == nil {
			l.devices[device] = map[int64]bool{}
		}
		l.devices[device][t] = true
	}
}

// at returns the start of the interval that holds t. Intervals of several days
// are counted from the first day of the period.
func (l *longSeries) at(t int64) int64 {
	if l.period.interval <= dayLength {
		return floorTo(t, l.period.interval)
	}
	first := floorTo(l.period.from.UnixMilli(), dayLength)
	width := l.period.interval.Milliseconds()
	return t - (t-first)%width
}

func (l *longSeries) result() farm.Summary {
	s := farm.Summary{Quantity: l.quantity.ID, Interval: l.period.interval, Devices: slices.Sorted(maps.Keys(l.devices))}
	var whole cell
	intervals := map[int64]*cell{}
	for _, t := range slices.Sorted(maps.Keys(l.cells)) {
		at := l.at(t)
		if intervals[at] == nil {
			intervals[at] = new(cell)
		}
		intervals[at].merge(*l.cells[t])
		whole.merge(*l.cells[t])
	}
	for _, at := range slices.Sorted(maps.Keys(intervals)) {
		c, t := intervals[at], time.UnixMilli(at).UTC()
		s.Quality = append(s.Quality, farm.Quality{Time: t, Good: c.good, Total: c.total})
		if c.n > 0 {
			s.Points = append(s.Points, farm.Point{Time: t, Min: c.min, Mean: c.mean, Max: c.max, N: c.n})
		}
	}
	s.N, s.Rejected = whole.n, whole.total-whole.n
	s.Min, s.Mean, s.Max, s.Sum = whole.min, whole.mean, whole.max, whole.mean*float64(whole.n)
	s.Gaps, s.Coverage = l.gaps()
	return s
}

// gaps finds the cells in which no device had a usable value, and the share of
// the period outside them.
func (l *longSeries) gaps() (all []farm.Gap, coverage float64) {
	start, end := l.period.from.UnixMilli(), l.period.to.UnixMilli()
	width := l.unit.Milliseconds()
	usual := max(l.usual(), 1)
	missed := int64(0)
	pause := func(from, to int64) {
		if empty := (to - from) / width; empty > 0 && empty > 3*(usual-1) {
			from, to = max(from, start), min(to, end)
			all = append(all, farm.Gap{From: time.UnixMilli(from).UTC(), To: time.UnixMilli(to).UTC()})
			missed += to - from
		}
	}
	next := floorTo(start, l.unit)
	for _, t := range slices.Sorted(maps.Keys(l.cells)) {
		if l.cells[t].n > 0 {
			pause(next, t)
			next = t + width
		}
	}
	pause(next, floorTo(end+width-1, l.unit))
	return all, 1 - float64(missed)/float64(end-start)
}

// usual returns the median distance, in cells, of the cells of the device that
// reports most often; 0 when none reported twice.
func (l *longSeries) usual() int64 {
	least := int64(0)
	for _, at := range l.devices {
		times := slices.Sorted(maps.Keys(at))
		if len(times) < 2 {
			continue
		}
		apart := make([]int64, len(times)-1)
		for i := range apart {
			apart[i] = (times[i+1] - times[i]) / l.unit.Milliseconds()
		}
		slices.Sort(apart)
		if m := apart[(len(apart)-1)/2]; least == 0 || m < least {
			least = m
		}
	}
	return least
}
