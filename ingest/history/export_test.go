package history

import (
	"errors"
	"strconv"
	"time"
)

// ReadTime reads a cell of times.
func ReadTime(s string, zone *time.Location, since04 bool) (time.Time, error) {
	c := newClock(zone)
	c.since04 = since04
	return c.read(s)
}

// ReadNumber says what a cell of values holds.
func ReadNumber(s string) string {
	x, ok, err := readNumber(s)
	switch {
	case errors.Is(err, errComma):
		return "comma"
	case err != nil:
		return "bad"
	case !ok:
		return "none"
	default:
		return strconv.FormatFloat(x, 'g', -1, 64)
	}
}

// Drop removes a job's file.
func (d *Desk) Drop(job string) error { return removed(d.file(job)) }
