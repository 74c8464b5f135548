package influx

import (
	"context"
	"fmt"
	"strings"
	"time"

	"tianhai/farm"
)

// adopt marks every day that has readings, once for a database. It goes window
// by window and remembers how far it is, so that it may be stopped.
func (r *Roller) adopt(ctx context.Context) error {
	c := r.client
	if r.Stats().Adopted {
		return nil
	}
	done, from, err := c.adopted(ctx)
	if err != nil {
		return err
	}
	if done {
		r.note(func(s *RollerStats) { s.Adopted = true })
		return nil
	}
	first, found, err := c.oldestReading(ctx)
	if err != nil {
		return err
	}
	if from.Before(first) {
		from = first
	}
	end := c.opt.Now().Add(dayLength) // a device's clock may be ahead
	for found && from.Before(end) {
		from = time.UnixMilli(floorTo(from.UnixMilli(), dayLength))
		to := from.Add(adoptWindow)
		began := time.Now()
		if err := c.markWindow(ctx, from, to); err != nil {
			return err
		}
		if err := c.put(ctx, fmt.Appendf(nil, "%s %s=%di 0\n", StateMeasurement, FieldAdopted, to.UnixMilli())); err != nil {
			return err
		}
		if err := r.rest(ctx, min(time.Since(began), rollMost)); err != nil {
			return err
		}
		from = to
	}
	if err := c.put(ctx, fmt.Appendf(nil, "%s %s=1i 0\n", StateMeasurement, FieldComplete)); err != nil {
		return err
	}
	r.note(func(s *RollerStats) { s.Adopted = true })
	return nil
}

// adopted reports whether all readings are marked, and otherwise from when on
// they may not be.
func (c *Client) adopted(ctx context.Context) (done bool, next time.Time, err error) {
	if c.complete.Load() {
		return true, next, nil
	}
	statement := fmt.Sprintf("SELECT %s, %s FROM %s WHERE time = 0", ident(FieldAdopted), ident(FieldComplete), ident(StateMeasurement))
	err = c.query(ctx, statement, func(_ int, s *series) error {
		for _, row := range s.Values {
			if ms, ok := row[1].(float64); ok {
				next = time.UnixMilli(int64(ms))
			}
			complete, _ := row[2].(float64)
			done = complete == 1
		}
		return nil
	})
	if err == nil && done {
		c.complete.Store(true)
	}
	return done, next, err
}

func (c *Client) oldestReading(ctx context.Context) (first time.Time, found bool, err error) {
	for _, m := range farm.Media() {
		t, ok, err := c.oldest(ctx, string(m))
		if err != nil {
			return first, found, err
		}
		if ok && (!found || t.Before(first)) {
			first, found = t, true
		}
	}
	return first, found, nil
}

// markWindow marks every day of every series that has readings from ≤ t < to.
// The marks are new ones: they speak for whoever marked the day just now, too.
func (c *Client) markWindow(ctx context.Context, from, to time.Time) error {
	found := map[mark]bool{}
	tags := []string{ident(TagDevice), ident(TagRegion), ident(TagSite), ident(TagTenant)}
	for _, m := range farm.Media() {
		statement := fmt.Sprintf("SELECT count(*) FROM %s WHERE %s GROUP BY time(%dh, %dh), %s fill(none)", ident(string(m)),
			where("", "", "", from, to), int(dayLength.Hours()), -int(zone.Hours()), strings.Join(tags, ", "))
		err := c.query(ctx, statement, func(_ int, s *series) error {
			for _, row := range s.Values {
				ms, _ := row[0].(float64)
				found[mark{s.Tags[TagDevice], s.Tags[TagRegion], s.Tags[TagSite], s.Tags[TagTenant], int64(ms)}] = true
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	var lines []byte
	n := 0
	for k := range found {
		lines = appendMark(lines, k, FieldMarked, number(c.opt.Now()))
		if n++; n%maxLines == 0 {
			if err := c.put(ctx, lines); err != nil {
				return err
			}
			lines = lines[:0]
		}
	}
	return c.put(ctx, lines)
}
