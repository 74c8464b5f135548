package influx

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"tianhai/farm"
	"tianhai/ingest"
)

// A cell is what is kept of one quantity over an hour, a day or longer.
type cell struct {
	n, good, total int     // usable values, values with flag 1, all
	min, mean, max float64 // of the usable ones
}

// add counts a reading.
func (c *cell) add(v float64, f ingest.Flag) {
	one := cell{total: 1}
	if f.Usable() {
		one.n, one.min, one.mean, one.max = 1, v, v, v
	}
	if f == ingest.Good {
		one.good = 1
	}
	c.merge(one)
}

// merge makes c what it would be had it counted the readings of both.
func (c *cell) merge(o cell) {
	if o.n > 0 {
		if c.n == 0 {
			c.min, c.max = o.min, o.max
		}
		c.min, c.max = min(c.min, o.min), max(c.max, o.max)
		c.n += o.n
		c.mean += (o.mean - c.mean) * float64(o.n) / float64(c.n)
	}
	c.good += o.good
	c.total += o.total
}

// appendFields writes the cell of a quantity, all but a leading comma.
func (c *cell) appendFields(dst []byte, field string) []byte {
	float := func(suffix string, v float64) {
		dst = append(appendEscaped(dst, field, true), suffix...)
		dst = append(dst, '=')
		dst = strconv.AppendFloat(dst, v, 'g', -1, 64)
		dst = append(dst, ',')
	}
	integer := func(suffix string, v int, end ...byte) {
		dst = append(appendEscaped(dst, field, true), suffix...)
		dst = append(dst, '=')
		dst = strconv.AppendInt(dst, int64(v), 10)
		dst = append(append(dst, 'i'), end...)
	}
	if c.n > 0 {
		float(MinSuffix, c.min)
		float(MeanSuffix, c.mean)
		float(MaxSuffix, c.max)
	}
	integer(CountSuffix, c.n, ',')
	integer(GoodSuffix, c.good, ',')
	integer(TotalSuffix, c.total)
	return dst
}

// A cellKey names a cell of one device: which quantity, from when.
type cellKey struct {
	medium farm.Medium
	at     int64 // Unix milliseconds
	field  string
}

// A rollup is what is kept of a device's day at one place.
type rollup map[cellKey]*cell

func (r rollup) at(q farm.Quantity, t int64) *cell {
	k := cellKey{q.Medium(), t, q.Field()}
	if r[k] == nil {
		r[k] = new(cell)
	}
	return r[k]
}

// days returns the days that hours make.
func (r rollup) days() rollup {
	all := rollup{}
	for k, c := range r {
		k.at = floorTo(k.at, dayLength)
		if all[k] == nil {
			all[k] = new(cell)
		}
		all[k].merge(*c)
	}
	return all
}

// media returns what was measured in.
func (r rollup) media() []farm.Medium {
	var all []farm.Medium
	for k := range r {
		if !slices.Contains(all, k.medium) {
			all = append(all, k.medium)
		}
	}
	return all
}

// appendLines writes one line for each medium and time, in order.
func (r rollup) appendLines(dst []byte, s mark, suffix string) []byte {
	keys := make([]cellKey, 0, len(r))
	for k := range r {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b cellKey) int {
		return cmp.Or(cmp.Compare(a.medium, b.medium), cmp.Compare(a.at, b.at), cmp.Compare(a.field, b.field))
	})
	for i, k := range keys {
		if i == 0 || keys[i-1].medium != k.medium || keys[i-1].at != k.at {
			dst = appendEscaped(dst, string(k.medium)+suffix, false)
			dst = append(appendTags(dst, s), ' ')
		} else {
			dst = append(dst, ',')
		}
		dst = r[k].appendFields(dst, k.field)
		if i == len(keys)-1 || keys[i+1].medium != k.medium || keys[i+1].at != k.at {
			dst = append(dst, ' ')
			dst = strconv.AppendInt(dst, k.at, 10)
			dst = append(dst, '\n')
		}
	}
	return dst
}

// roll computes the hours of a device's day from its readings, and the day from
// the hours. Media whose readings retention has deleted are left as they are.
func (c *Client) roll(ctx context.Context, d staleDay) (hours, days rollup, err error) {
	var from []string
	for _, m := range farm.Media() {
		if d.purged[m] == 0 {
			from = append(from, ident(string(m)))
		}
	}
	hours = rollup{}
	if len(from) == 0 {
		return hours, hours, nil
	}
	day := time.UnixMilli(d.day)
	statement := fmt.Sprintf("SELECT *::field FROM %s WHERE %s AND %s", strings.Join(from, ", "), d.exactly(), where("", "", "", day, day.Add(dayLength)))
	err = c.query(ctx, statement, func(_ int, s *series) error {
		for _, col := range columnsOf(s) {
			for _, row := range s.Values {
				ms, _ := row[0].(float64)
				if v, f, ok := col.reading(row); ok {
					hours.at(col.quantity, floorTo(int64(ms), time.Hour)).add(v, f)
				}
			}
		}
		return nil
	})
	return hours, hours.days(), err
}

// exactly writes the conditions that one series of tags alone meets.
func (k mark) exactly() string {
	return fmt.Sprintf("%s = %s AND %s = %s AND %s = %s AND %s = %s", ident(TagDevice), text(k.device), ident(TagRegion), text(k.region),
		ident(TagSite), text(k.site), ident(TagTenant), text(k.tenant))
}
