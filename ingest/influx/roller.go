package influx

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"tianhai/farm"
)

// How a Roller goes about its work.
const (
	rollEvery   = 10 * time.Minute // from the end of a pass to the next
	rollRetry   = 30 * time.Second // after one that failed
	rollWindow  = 7 * dayLength    // of marks in memory at once
	rollMost    = 5 * time.Second  // the longest rest between two pieces of work
	markIsFresh = 30 * time.Minute // how long what was read of marks may be worked from
	adoptWindow = 28 * dayLength
)

// A Roller keeps the rollups: the minimum, mean, maximum and counts of every hour
// and every Beijing day, of every quantity of every device at every place.
//
// A day is rolled up once it has ended and nobody has marked it for over an hour.
// Readings that come later make it stale, and it is rolled up anew; readers take
// what is stale from the raw readings meanwhile. Work is done oldest first, one
// day of one device at a time, and rests as long as it takes, so that thousands of
// days of a backfill leave the database to others half of the time. Whatever
// stops it, it goes on where it was. Several processes may roll one database.
//
// Readings written by a program that knows no marks are marked at the first start.
type Roller struct {
	client *Client
	log    *slog.Logger
	rest   func(context.Context, time.Duration) error // instead of working

	mu    sync.Mutex // guards stats
	stats RollerStats
}

// RollerStats say how far a Roller is.
type RollerStats struct {
	Stale    int    // days of devices that have ended and are not rolled up, when last looked at
	Rolled   uint64 // days of devices rolled up by this process
	Failures uint64 // passes that ended early
	Frozen   uint64 // days of devices with readings that came after retention had deleted the others: they enter no rollup
	Adopted  bool   // what was there before there were marks is marked
}

// NewRoller returns a roller that does nothing until Run. A nil log discards.
func NewRoller(c *Client, log *slog.Logger) *Roller {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Roller{client: c, log: log, rest: sleep}
}

// Stats returns how far it is.
func (r *Roller) Stats() RollerStats {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stats
}

func (r *Roller) note(change func(*RollerStats)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(&r.stats)
}

// Run works until ctx is done. What fails is tried again.
func (r *Roller) Run(ctx context.Context) error {
	failing := false
	for ctx.Err() == nil {
		wait := rollEvery
		if err := r.Pass(ctx); err != nil && ctx.Err() == nil {
			r.note(func(s *RollerStats) { s.Failures++ })
			if !failing {
				r.log.WarnContext(ctx, "rollups wait; long ranges are read from raw readings meanwhile", "error", err)
			}
			failing, wait = true, rollRetry
		} else {
			failing = false
		}
		if sleep(ctx, wait) != nil {
			return nil
		}
	}
	return nil
}

// Pass marks what was never marked, and rolls up every stale day that may be.
func (r *Roller) Pass(ctx context.Context) error {
	if err := r.adopt(ctx); err != nil {
		return fmt.Errorf("mark old readings: %w", err)
	}
	first, ok, err := r.client.oldest(ctx, MarkMeasurement)
	if err != nil || !ok {
		return err
	}
	stale := 0
	now := r.client.opt.Now()
	for from := time.UnixMilli(floorTo(first.UnixMilli(), dayLength)); from.Before(now); from = from.Add(rollWindow) {
		n, err := r.rollWindow(ctx, from)
		if err != nil {
			return fmt.Errorf("roll up the week from %s: %w", from.UTC().Format(time.DateOnly), err)
		}
		stale += n
	}
	r.note(func(s *RollerStats) { s.Stale = stale })
	return nil
}

// rollWindow rolls up what may be of one week, and returns how many days it had
// to leave stale.
func (r *Roller) rollWindow(ctx context.Context, from time.Time) (left int, err error) {
	read := r.client.opt.Now()
	days, err := r.client.staleDays(ctx, from, from.Add(rollWindow))
	if err != nil {
		return 0, err
	}
	for len(days) > 0 {
		n := 1
		for n < len(days) && days[n].sameSeries(days[0]) {
			n++
		}
		ready := make([]staleDay, 0, n)
		for _, d := range days[:n] {
			switch now := r.client.opt.Now(); {
			case now.Before(time.UnixMilli(d.day).Add(dayLength)): // today is no arrears
			case now.Sub(markedAt(d.marked)) < settleAfter, now.Sub(read) > markIsFresh:
				left++
			default:
				ready = append(ready, d)
			}
		}
		if err := r.rollSeries(ctx, ready); err != nil {
			return left, err
		}
		days = days[n:]
	}
	return left, nil
}

// rollSeries rolls up days of one device at one place: first the hours and days,
// and when InfluxDB has them the word that they are there.
func (r *Roller) rollSeries(ctx context.Context, ready []staleDay) error {
	if len(ready) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, markIsFresh/2)
	defer cancel()
	began := time.Now()
	var lines, rolled []byte
	frozen := 0
	for _, d := range ready {
		hours, days, err := r.client.roll(ctx, d)
		if err != nil {
			return err
		}
		lines = hours.appendLines(lines, d.mark, HourSuffix)
		lines = days.appendLines(lines, d.mark, DaySuffix)
		rolled = appendMark(rolled, d.mark, FieldRolled, d.marked)
		for _, m := range hours.media() {
			rolled = appendMark(rolled, d.mark, PurgedField(m), 0)
		}
		late := 0
		for m, v := range d.purged {
			if v > 0 {
				late = 1
			}
			if v == purging(purgeRaw)+1 { // have what came late deleted, too, while the hours are there to be read
				rolled = appendMark(rolled, d.mark, PurgedField(m), int64(purging(purgeRaw)))
			}
		}
		frozen += late
	}
	if err := r.client.put(ctx, lines); err != nil {
		return err
	}
	if err := r.client.put(ctx, rolled); err != nil {
		return err
	}
	r.note(func(s *RollerStats) {
		s.Rolled += uint64(len(ready))
		s.Frozen += uint64(frozen) //nolint:gosec // not negative
		s.Stale = max(s.Stale-len(ready), 0)
	})
	return r.rest(ctx, min(time.Since(began), rollMost))
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// put writes lines that are ours.
func (c *Client) put(ctx context.Context, lines []byte) error {
	fault, err := c.send(ctx, string(lines))
	return errors.Join(fault, err)
}

// A staleDay is a day that was marked since it was rolled up, if ever it was.
type staleDay struct {
	mark
	marked int64
	purged map[farm.Medium]int // as PurgedField has it; a medium that is not there was not rolled up
}

func (d staleDay) sameSeries(o staleDay) bool {
	d.day = o.day
	return d.mark == o.mark
}

// staleDays returns the stale days from ≤ day < to, by series and day.
func (c *Client) staleDays(ctx context.Context, from, to time.Time) ([]staleDay, error) {
	var days []staleDay
	err := c.markedDays(ctx, "", "", "", from, to, func(d markedDay) {
		if d.stale() {
			days = append(days, d.staleDay)
		}
	})
	slices.SortFunc(days, func(a, b staleDay) int {
		return cmp.Or(cmp.Compare(a.tenant, b.tenant), cmp.Compare(a.site, b.site), cmp.Compare(a.region, b.region),
			cmp.Compare(a.device, b.device), cmp.Compare(a.day, b.day))
	})
	return days, err
}

// A markedDay is what a mark says.
type markedDay struct {
	staleDay
	rolled int64
}

func (d markedDay) stale() bool { return d.marked != d.rolled }

// markedDays passes every mark of a scope with from ≤ day < to on.
func (c *Client) markedDays(ctx context.Context, tenant, site, device string, from, to time.Time, visit func(markedDay)) error {
	fields := []string{ident(FieldMarked), ident(FieldRolled)}
	all := farm.Media()
	for _, m := range all {
		fields = append(fields, ident(PurgedField(m)))
	}
	tags := []string{ident(TagDevice), ident(TagRegion), ident(TagSite), ident(TagTenant)}
	statement := fmt.Sprintf("SELECT %s FROM %s WHERE %s GROUP BY %s", strings.Join(fields, ", "), ident(MarkMeasurement),
		where(tenant, site, device, from, to), strings.Join(tags, ", "))
	return c.query(ctx, statement, func(_ int, s *series) error {
		for _, row := range s.Values {
			ms, _ := row[0].(float64)
			marked, _ := row[1].(float64)
			rolled, _ := row[2].(float64)
			d := markedDay{rolled: int64(rolled)}
			d.mark = mark{s.Tags[TagDevice], s.Tags[TagRegion], s.Tags[TagSite], s.Tags[TagTenant], int64(ms)}
			d.marked = int64(marked)
			for i, m := range all {
				if level, ok := row[3+i].(float64); ok {
					if d.purged == nil {
						d.purged = map[farm.Medium]int{}
					}
					d.purged[m] = int(level)
				}
			}
			visit(d)
		}
		return nil
	})
}

// oldest returns when a measurement begins; false when it is empty.
func (c *Client) oldest(ctx context.Context, measurement string) (t time.Time, ok bool, err error) {
	err = c.query(ctx, "SELECT * FROM "+ident(measurement)+" ORDER BY time LIMIT 1", func(_ int, s *series) error {
		for _, row := range s.Values {
			ms, _ := row[0].(float64)
			t, ok = time.UnixMilli(int64(ms)).UTC(), true
		}
		return nil
	})
	return t, ok, err
}
