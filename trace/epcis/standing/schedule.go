package standing

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A Schedule says when a query is asked again, EPCIS 2.0 section 8.2.5.3: whenever the
// time in China matches every field. A field is numbers and ranges, such as "0,30" or
// "[9-17]". One that is empty matches any time if a smaller unit is given, and the
// beginning of its unit otherwise: with hour 1 alone, once a day at 01:00:00.
type Schedule struct {
	Second     string `json:"second,omitempty"`
	Minute     string `json:"minute,omitempty"`
	Hour       string `json:"hour,omitempty"`
	DayOfMonth string `json:"dayOfMonth,omitempty"`
	Month      string `json:"month,omitempty"`
	DayOfWeek  string `json:"dayOfWeek,omitempty"` // 1 is Monday
}

// zone is that of schedules: China keeps one time, and no summer time.
func zone() *time.Location { return time.FixedZone("UTC+8", 8*60*60) }

// A ControlError says what is wrong with the controls of a subscription.
type ControlError struct {
	Field  string
	Reason string
}

// Error tells the case in English.
func (e *ControlError) Error() string { return e.Field + " " + e.Reason }

// IsZero reports whether no field is given.
func (s Schedule) IsZero() bool { return s == Schedule{} }

// times are the values of each field that match, as bits.
type times struct{ second, minute, hour, day, month, weekday uint64 }

// Check says in a *ControlError which field cannot be.
func (s Schedule) Check() error {
	t, err := s.times()
	if err != nil {
		return err
	}
	if _, ok := t.next(time.Date(2026, 1, 1, 0, 0, 0, 0, zone())); !ok {
		return &ControlError{"schedule", "matches no day, such as 30 February"}
	}
	return nil
}

func (s Schedule) times() (t times, err error) {
	smaller := false // a smaller unit is given
	for _, f := range []struct {
		name, text string
		into       *uint64
		least      int
		most       int
		alone      bool // has no beginning of its own
	}{
		{"second", s.Second, &t.second, 0, 59, false},
		{"minute", s.Minute, &t.minute, 0, 59, false},
		{"hour", s.Hour, &t.hour, 0, 23, false},
		{"dayOfWeek", s.DayOfWeek, &t.weekday, 1, 7, true},
		{"dayOfMonth", s.DayOfMonth, &t.day, 1, 31, false},
		{"month", s.Month, &t.month, 1, 12, true},
	} {
		switch {
		case f.text != "":
			smaller = true
			*f.into, err = field(f.text, f.least, f.most)
		case smaller || f.alone:
			*f.into = ^uint64(0)
		default:
			*f.into = 1 << f.least
		}
		if err != nil {
			return t, &ControlError{"schedule." + f.name, err.Error()}
		}
	}
	return t, nil
}

// field reads numbers and ranges, with or without brackets; n/m is every m from n on.
func field(text string, least, most int) (bits uint64, err error) {
	for part := range strings.SplitSeq(text, ",") {
		part = strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(part), "["), "]")
		body, step, stepped := strings.Cut(part, "/")
		from, to, ranged := strings.Cut(body, "-")
		if body == "*" {
			from, to, ranged = strconv.Itoa(least), strconv.Itoa(most), true
		}
		a, errA := strconv.Atoi(from)
		b, by := a, 1
		var errB, errStep error
		switch {
		case ranged:
			b, errB = strconv.Atoi(to)
		case stepped:
			b = most
		}
		if stepped {
			by, errStep = strconv.Atoi(step)
		}
		if errA != nil || errB != nil || errStep != nil || a < least || b > most || a > b || by < 1 {
			return 0, fmt.Errorf("%.40q is not numbers and ranges from %d to %d, such as %d,[%d-%d]", text, least, most, least, least+1, most)
		}
		for n := a; n <= b; n += by {
			bits |= 1 << n
		}
	}
	return bits, nil
}

// Next returns the first time behind one that matches. The schedule is one that Check
// finds nothing wrong with.
func (s Schedule) Next(after time.Time) time.Time {
	t, err := s.times()
	if err != nil {
		return time.Time{}
	}
	at, _ := t.next(after.In(zone()))
	return at.UTC()
}

// maxDays is how long a schedule may keep still: 29 February is on each day of the week
// within forty years.
const maxDays = 41 * 366

func (t times) next(after time.Time) (time.Time, bool) {
	first := after.Truncate(time.Second).Add(time.Second)
	day := time.Date(first.Year(), first.Month(), first.Day(), 0, 0, 0, 0, first.Location())
	for range maxDays {
		weekday := (int(day.Weekday()) + 6) % 7
		if has(t.month, int(day.Month())) && has(t.day, day.Day()) && has(t.weekday, weekday+1) {
			if at, ok := t.within(day, first); ok {
				return at, true
			}
		}
		day = day.AddDate(0, 0, 1)
	}
	return time.Time{}, false
}

func has(bits uint64, n int) bool { return bits&(1<<n) != 0 }

// within returns the first time of a day that matches and is not before first.
func (t times) within(day, first time.Time) (time.Time, bool) {
	for h := range 24 {
		hour := day.Add(time.Duration(h) * time.Hour)
		if !has(t.hour, h) || !hour.Add(time.Hour).After(first) {
			continue
		}
		for m := range 60 {
			minute := hour.Add(time.Duration(m) * time.Minute)
			if !has(t.minute, m) || !minute.Add(time.Minute).After(first) {
				continue
			}
			for s := range 60 {
				if at := minute.Add(time.Duration(s) * time.Second); has(t.second, s) && !at.Before(first) {
					return at, true
				}
			}
		}
	}
	return time.Time{}, false
}
