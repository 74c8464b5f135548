package history

import (
	"errors"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// What a number in a column of times may be: a day of Excel from 1954 to 2119,
// or a Unix time from 2001 on.
const (
	minSerial, maxSerial = 20_000, 80_000
	minSeconds           = 1e9
	minMillis            = 1e12
	maxMillis            = 1e13
)

var (
	errNoTime    = errors.New("is empty; a time is needed")
	errTime      = errors.New("is not a time such as 2026-08-01 08:00:00, 2026-08-01T08:00:00+08:00, or Unix seconds")
	errAmbiguous = errors.New("does not say which is the day and which the month; write 2026-08-01 08:00:00")
)

// A clock reads times as people and programs write them.
type clock struct {
	zone    *time.Location // of times without one of their own
	since04 bool           // days of Excel count from 1904
	layouts []string
}

var (
	dayOrMonth = regexp.MustCompile(`^\d{1,2}-\d{1,2}-\d{2,4}\b`)
	dotted     = regexp.MustCompile(`^(\d{4})\.(\d{1,2})\.(\d{1,2})\b`)
)

func newClock(zone *time.Location) *clock {
	c := &clock{zone: zone}
	for _, day := range []string{"2006-1-2", "20060102"} {
		for _, hour := range []string{"", " 15:4:5", " 15:4", " 3:4:5 PM", " 3:4 PM", " 15:4:5Z07:00", " 15:4:5 Z07:00", " 15:4:5 Z0700", " 15:4Z07:00"} {
			c.layouts = append(c.layouts, day+hour)
		}
	}
	c.layouts = append(c.layouts, "20060102150405", "200601021504")
	return c
}

// read returns the time that a cell holds, to the millisecond.
func (c *clock) read(s string) (time.Time, error) {
	s = strings.TrimSpace(s)
	if s == "" {
		return time.Time{}, errNoTime
	}
	if !isCompact(s) {
		if x, err := strconv.ParseFloat(s, 64); err == nil {
			return c.number(x)
		}
	}
	s = strings.NewReplacer("年", "-", "月", "-", "日", " ", "时", ":", "分", ":", "秒", "", "/", "-", "T", " ", "：", ":").Replace(strings.ToUpper(s))
	s = dotted.ReplaceAllString(strings.TrimSuffix(strings.Join(strings.Fields(s), " "), ":"), "$1-$2-$3")
	if dayOrMonth.MatchString(s) {
		return time.Time{}, errAmbiguous
	}
	for _, layout := range c.layouts {
		if t, err := time.ParseInLocation(layout, s, c.zone); err == nil {
			return plausible(t)
		}
	}
	return time.Time{}, errTime
}

// isCompact reports whether digits are a date written without separators.
func isCompact(s string) bool {
	if len(s) != 8 && len(s) != 12 && len(s) != 14 || !strings.HasPrefix(s, "20") && !strings.HasPrefix(s, "19") {
		return false
	}
	return strings.Trim(s, "0123456789") == ""
}

func (c *clock) number(x float64) (time.Time, error) {
	switch {
	case minMillis <= x && x < maxMillis:
		return plausible(time.UnixMilli(int64(x)))
	case minSeconds <= x && x < maxMillis/1000:
		return plausible(time.UnixMilli(int64(math.Round(x * 1000))))
	case minSerial <= x && x < maxSerial:
		return plausible(c.serial(x))
	default:
		return time.Time{}, errTime
	}
}

// serial returns the time of a day of Excel, as a clock in the zone shows it. A
// fraction of a day is exact to some microseconds only: what is nearly a whole
// second is one.
func (c *clock) serial(x float64) time.Time {
	first := time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC)
	if c.since04 {
		first = time.Date(1904, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	day, part := math.Modf(x)
	ms := math.Round(part * 86_400_000)
	if whole := math.Round(ms/1000) * 1000; math.Abs(ms-whole) <= 2 {
		ms = whole
	}
	t := first.AddDate(0, 0, int(day)).Add(time.Duration(ms) * time.Millisecond)
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), c.zone)
}

func plausible(t time.Time) (time.Time, error) {
	if y := t.Year(); y < 1970 || y > 2200 {
		return time.Time{}, errTime
	}
	return t.UTC().Truncate(time.Millisecond), nil
}

// joinTime returns the text, or the number, of a date and a time of day that
// stand in two columns.
func joinTime(date, hour string) string {
	day, err1 := strconv.ParseFloat(strings.TrimSpace(date), 64)
	part, err2 := strconv.ParseFloat(strings.TrimSpace(hour), 64)
	if err1 == nil && err2 == nil && minSerial <= day && day < maxSerial && 0 <= part && part < 1 {
		return strconv.FormatFloat(day+part, 'f', -1, 64)
	}
	// A date cell of Excel may come with midnight, and a time cell with a day.
	date, _, _ = strings.Cut(strings.TrimSpace(date), " ")
	return date + " " + hour
}
