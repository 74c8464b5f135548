package influx

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"tianhai/farm"
	"tianhai/ingest"
)

// maxPoints is how many points a series has at most.
const maxPoints = 2000

// errScope keeps an empty name from opening everybody's readings.
var errScope = errors.New("tenant, or site and device, not named")

// A ReadingsQuery asks for what was measured over From ≤ t < To at a site of a
// tenant's, or by a device wherever it stood.
type ReadingsQuery struct {
	Tenant   string // required
	Site     string // this or Device is
	Device   string
	From, To time.Time
}

// Readings passes every reading that is stored of farm.Quantities, whatever its
// flag, but not what a device says of itself, such as its battery. Those of one
// quantity come in the order of time, and of device where the time is the same;
// quantities come mixed. It keeps no more in memory than the readings of one
// moment. An error of each ends it and is returned.
func (c *Client) Readings(ctx context.Context, q ReadingsQuery, each func(farm.Sample) error) error {
	if q.Tenant == "" || q.Site == "" && q.Device == "" {
		return fmt.Errorf("read readings: %w", errScope)
	}
	if !q.From.Before(q.To) {
		return errors.New("read readings: the period ends before it begins")
	}
	var media []string
	for _, q := range farm.Quantities() {
		if m := ident(Measurement(q)); q.Medium() != farm.OfDevice && !slices.Contains(media, m) {
			media = append(media, m)
		}
	}
	statement := fmt.Sprintf("SELECT *::field, %s FROM %s WHERE %s",
		ident(TagDevice), strings.Join(media, ", "), where(q.Tenant, q.Site, q.Device, q.From, q.To))
	m := moment{each: each}
	if err := c.scan(ctx, statement, m.add); err != nil {
		return fmt.Errorf("read readings: %w", err)
	}
	if err := m.pass(); err != nil {
		return fmt.Errorf("read readings: %w", err)
	}
	return nil
}

// A moment holds samples of one time until another comes, because InfluxDB does not
// say in which order it gives the series of one moment.
type moment struct {
	samples []farm.Sample
	each    func(farm.Sample) error
}

func (m *moment) add(s farm.Sample) error {
	if len(m.samples) > 0 && m.samples[0].Time != s.Time {
		if err := m.pass(); err != nil {
			return err
		}
	}
	m.samples = append(m.samples, s)
	return nil
}

func (m *moment) pass() error {
	slices.SortStableFunc(m.samples, func(a, b farm.Sample) int {
		return cmp.Or(strings.Compare(a.Device, b.Device), cmp.Compare(a.Value, b.Value), cmp.Compare(a.Flag, b.Flag))
	})
	for _, s := range m.samples {
		if err := m.each(s); err != nil {
			return err
		}
	}
	m.samples = m.samples[:0]
	return nil
}

// scan passes what every row of a statement says of a quantity.
//
// Rows come one by one rather than aggregated by InfluxDB, because InfluxQL has
// no condition that spares rows without a flag field and means the same in 1.8,
// 2.x and 3. One pass over all fields of a measurement costs no more than an
// aggregate per quantity, and finds exact gaps on its way.
func (c *Client) scan(ctx context.Context, statement string, each func(farm.Sample) error) error {
	return c.query(ctx, statement, func(_ int, s *series) error {
		device := slices.Index(s.Columns, TagDevice)
		if device < 0 {
			return errors.New("answer without a device")
		}
		columns := columnsOf(s)
		for _, row := range s.Values {
			ms, _ := row[0].(float64)
			name, _ := row[device].(string)
			for _, col := range columns {
				v, flag, ok := col.reading(row)
				if !ok {
					continue
				}
				if !col.valued(row) {
					v = math.NaN()
				}
				if err := each(farm.Sample{Quantity: col.quantity.ID, Device: name, Time: int64(ms), Value: v, Flag: int(flag)}); err != nil {
					return err
				}
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

// valued reports whether a row has a value of the quantity.
func (c column) valued(row []any) bool {
	if c.value < 0 {
		return false
	}
	_, ok := row[c.value].(float64)
	return ok
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
	return period{from: from, to: to, interval: farm.NiceInterval(to.Sub(from), min(max(points, 1), maxPoints))}, nil
}
