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

// purgeQuiet is how long nobody may have written to a day before something of it
// is deleted: a backfill that takes days finds its days whole.
const purgeQuiet = 7 * 24 * time.Hour

// Levels of what retention deletes of a day, the finest first. A mark holds
// 2·level−1 from before the deletion begins and 2·level when it is done, so that
// readers know at once and a deletion that was interrupted goes on.
const (
	purgeRaw = iota + 1
	purgeHours
	purgeDays
)

func purging(level int) int { return 2*level - 1 }

// A Policy says what may be deleted.
type Policy struct {
	Tenant string                                      // required
	Keep   func(medium farm.Medium) ingest.Keep        // how long its values are kept
	Held   func(site string) (from time.Time, ok bool) // what is not older must stay, because a batch that is open needs it
	At     time.Time                                   // only for Preview: as if it were later; zero is now
}

// A purge is a deletion of whole days of one series and medium.
type purge struct {
	mark   // of the first day
	medium farm.Medium
	level  int
	days   []int64
	fresh  int // of them that nothing was deleted of before
}

// Preview returns what Purge would delete, by medium.
func (c *Client) Preview(ctx context.Context, p Policy) ([]ingest.Purge, error) {
	plan, err := c.plan(ctx, p)
	if err != nil {
		return nil, fmt.Errorf("plan retention: %w", err)
	}
	type key struct {
		medium farm.Medium
		level  int
	}
	sums := map[key]*ingest.Purge{}
	for _, d := range plan {
		if d.fresh == 0 {
			continue
		}
		k := key{d.medium, d.level}
		from, to := time.UnixMilli(d.days[0]).UTC(), time.UnixMilli(d.days[len(d.days)-1]).Add(dayLength).UTC()
		s := sums[k]
		if s == nil {
			s = &ingest.Purge{Tenant: p.Tenant, Medium: d.medium, What: [...]string{"", "raw", "hour", "day"}[d.level], From: from, To: to}
			sums[k] = s
		}
		if from.Before(s.From) {
			s.From = from
		}
		if to.After(s.To) {
			s.To = to
		}
		s.Days += d.fresh
	}
	all := make([]ingest.Purge, 0, len(sums))
	for _, s := range sums {
		all = append(all, *s)
	}
	slices.SortFunc(all, func(a, b ingest.Purge) int {
		return cmp.Or(cmp.Compare(a.Medium, b.Medium), cmp.Compare(b.What, a.What))
	})
	return all, nil
}

// Purge deletes what the policy says need not be kept: whole Beijing days that
// have been rolled up and that nobody has written to for a week, never readings
// younger than ingest.RetentionFloor. It returns how many days of devices it has
// deleted something of. What is interrupted goes on with the next call.
//
// Readings that come for a day whose readings were deleted enter no rollup. A
// later call deletes them, unless the day's hours were deleted, too: then they stay
// and are not seen.
func (c *Client) Purge(ctx context.Context, p Policy) (days int, err error) {
	p.At = time.Time{}
	plan, err := c.plan(ctx, p)
	if err != nil {
		return 0, fmt.Errorf("plan retention: %w", err)
	}
	for _, d := range plan {
		if err := c.purge(ctx, d); err != nil {
			return days, fmt.Errorf("delete %s of %s at %s: %w", d.medium, d.device, d.site, err)
		}
		days += d.fresh
	}
	return days, nil
}

func (c *Client) purge(ctx context.Context, d purge) error {
	del, err := c.deleter(ctx)
	if err != nil {
		return err
	}
	if late, err := c.writtenTo(ctx, d); late || err != nil {
		return err // the next call sees to it
	}
	mark := func(value int) error {
		var lines []byte
		for _, day := range d.days {
			k := d.mark
			k.day = day
			lines = appendMark(lines, k, PurgedField(d.medium), int64(value))
		}
		return c.put(ctx, lines)
	}
	if err := mark(purging(d.level)); err != nil {
		return err
	}
	m := string(d.medium) + [...]string{"", "", HourSuffix, DaySuffix}[d.level]
	from, to := time.UnixMilli(d.days[0]), time.UnixMilli(d.days[len(d.days)-1]).Add(dayLength)
	if err := del(ctx, m, d.mark, from, to); err != nil {
		return err
	}
	return mark(purging(d.level) + 1)
}

// writtenTo reports whether somebody wrote to the days of a purge since it was
// planned: planning may be long ago.
func (c *Client) writtenTo(ctx context.Context, d purge) (late bool, err error) {
	from, to := time.UnixMilli(d.days[0]), time.UnixMilli(d.days[len(d.days)-1]).Add(dayLength)
	err = c.markedDays(ctx, d.tenant, d.site, d.device, from, to, func(m markedDay) {
		if m.purged[d.medium] == 0 && m.stale() {
			late = true
		}
	})
	return late, err
}

// plan returns what is to be deleted, the finest first.
func (c *Client) plan(ctx context.Context, p Policy) ([]purge, error) {
	if p.Tenant == "" {
		return nil, errScope
	}
	keeps := map[farm.Medium]ingest.Keep{}
	least := time.Duration(0) // what is younger stays in any case
	for _, m := range farm.Media() {
		k := p.Keep(m)
		if k.Raw > 0 {
			k.Raw = max(k.Raw, ingest.RetentionFloor)
			keeps[m] = k
			if least == 0 || k.Raw < least {
				least = k.Raw
			}
		}
	}
	if len(keeps) == 0 {
		return nil, nil
	}
	if _, err := c.deleter(ctx); err != nil {
		return nil, err
	}
	adopted, _, err := c.adopted(ctx)
	if err != nil || !adopted {
		return nil, err
	}
	now := c.opt.Now()
	if p.At.After(now) {
		now = p.At
	}
	var plan []purge
	err = c.markedDays(ctx, p.Tenant, "", "", time.UnixMilli(minTime), now.Add(-least), func(d markedDay) {
		for _, m := range farm.Media() {
			plan = addPurges(plan, d, m, keeps[m], p.Held, now)
		}
	})
	slices.SortFunc(plan, func(a, b purge) int {
		return cmp.Or(cmp.Compare(a.level, b.level), cmp.Compare(a.medium, b.medium), cmp.Compare(a.site, b.site),
			cmp.Compare(a.region, b.region), cmp.Compare(a.device, b.device), cmp.Compare(a.day, b.day))
	})
	return joined(plan), err
}

// addPurges adds what is to be deleted of one medium of a day.
func addPurges(plan []purge, d markedDay, m farm.Medium, keep ingest.Keep, held func(string) (time.Time, bool), now time.Time) []purge {
	end := time.UnixMilli(d.day).Add(dayLength)
	done, measured := d.purged[m]
	if !measured {
		return plan
	}
	if done == 0 {
		from, open := held(d.site)
		if d.stale() || now.Sub(markedAt(d.marked)) < purgeQuiet || open && end.After(from) {
			return plan
		}
	}
	for level, limit := range [...]time.Duration{purgeRaw: keep.Raw, purgeHours: keep.Hour, purgeDays: keep.Day} {
		if level == 0 {
			continue
		}
		interrupted := done == purging(level)
		if interrupted || done < purging(level) && limit > 0 && now.Sub(end) >= limit {
			one := purge{mark: d.mark, medium: m, level: level, days: []int64{d.day}}
			if !interrupted {
				one.fresh = 1
			}
			plan = append(plan, one)
		}
	}
	return plan
}

// joined joins purges of days in a row. A day without a mark parts them: somebody
// may write to it just now.
func joined(plan []purge) []purge {
	var all []purge
	for _, d := range plan {
		if n := len(all); n > 0 {
			last := &all[n-1]
			next := last.mark
			next.day = last.days[len(last.days)-1] + dayLength.Milliseconds()
			if next == d.mark && last.medium == d.medium && last.level == d.level {
				last.days = append(last.days, d.day)
				last.fresh += d.fresh
				continue
			}
		}
		all = append(all, d)
	}
	return all
}

// A deleter deletes a span of one series.
type deleter func(ctx context.Context, measurement string, k mark, from, to time.Time) error

// CanDelete returns ingest.ErrNoDelete where InfluxDB has no way to delete a span of time.
func (c *Client) CanDelete(ctx context.Context) error {
	_, err := c.deleter(ctx)
	return err
}

func (c *Client) deleter(ctx context.Context) (deleter, error) {
	version, err := c.version(ctx)
	switch {
	case err != nil:
		return nil, err
	case strings.HasPrefix(version, "1"):
		return c.deleteV1, nil
	case strings.HasPrefix(version, "2"):
		return c.deleteV2, nil
	}
	return nil, ingest.ErrNoDelete
}

// deleteV1 deletes in every retention policy of the database: 1.8 knows no other way.
func (c *Client) deleteV1(ctx context.Context, measurement string, k mark, from, to time.Time) error {
	return c.query(ctx, fmt.Sprintf("DELETE FROM %s WHERE %s AND %s", ident(measurement), k.exactly(), where("", "", "", from, to)), nil)
}

// deleteV2 refuses a series that lacks a tag: a predicate of 2.x cannot name it
// without naming others.
func (c *Client) deleteV2(ctx context.Context, measurement string, k mark, from, to time.Time) error {
	and := []string{"_measurement=" + strconv.Quote(measurement)}
	for _, tag := range [...][2]string{{TagDevice, k.device}, {TagRegion, k.region}, {TagSite, k.site}, {TagTenant, k.tenant}} {
		if tag[1] == "" {
			return fmt.Errorf("readings without a %s cannot be deleted from InfluxDB 2", tag[0])
		}
		and = append(and, tag[0]+"="+strconv.Quote(tag[1]))
	}
	// Both ends belong to the span.
	err := c.influx.DeleteAPI().DeleteWithName(ctx, c.opt.Org, c.opt.Bucket, from, to.Add(-1), strings.Join(and, " AND "))
	if err != nil {
		return failureOf("delete", err)
	}
	return nil
}
