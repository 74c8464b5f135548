package standing_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"tianhai/trace/epcis/standing"
)

func TestNextOfASchedule(t *testing.T) {
	const layout = "2006-01-02 15:04:05" // in China
	china := time.FixedZone("", 8*60*60)
	for name, test := range map[string]struct {
		schedule    standing.Schedule
		after, want string
	}{
		"every second":          {standing.Schedule{Second: "*"}, "2026-05-20 08:00:00", "2026-05-20 08:00:01"},
		"a minute":              {standing.Schedule{Minute: "5"}, "2026-05-20 08:05:00", "2026-05-20 09:05:00"},
		"once a day":            {standing.Schedule{Hour: "1", Minute: "5"}, "2026-05-20 01:05:00", "2026-05-21 01:05:00"},
		"just before":           {standing.Schedule{Hour: "1", Minute: "5"}, "2026-05-20 01:04:59", "2026-05-20 01:05:00"},
		"list and range":        {standing.Schedule{Minute: "0,[20-22]"}, "2026-05-20 08:20:30", "2026-05-20 08:21:00"},
		"steps":                 {standing.Schedule{Second: "0/30"}, "2026-05-20 08:00:01", "2026-05-20 08:00:30"},
		"Mondays":               {standing.Schedule{DayOfWeek: "1"}, "2026-05-20 08:00:00", "2026-05-25 00:00:00"},
		"Sundays at six":        {standing.Schedule{DayOfWeek: "7", Hour: "6"}, "2026-05-20 08:00:00", "2026-05-24 06:00:00"},
		"the first":             {standing.Schedule{DayOfMonth: "1"}, "2026-05-20 08:00:00", "2026-06-01 00:00:00"},
		"a month":               {standing.Schedule{Month: "3"}, "2026-05-20 08:00:00", "2027-03-01 00:00:00"},
		"leap day":              {standing.Schedule{Month: "2", DayOfMonth: "29"}, "2096-03-01 00:00:00", "2104-02-29 00:00:00"},
		"end of the year":       {standing.Schedule{Second: "59", Minute: "59", Hour: "23", DayOfMonth: "31", Month: "12"}, "2026-12-31 23:59:59", "2027-12-31 23:59:59"},
		"both days must be met": {standing.Schedule{DayOfMonth: "13", DayOfWeek: "5"}, "2026-05-20 08:00:00", "2026-11-13 00:00:00"},
	} {
		after, err := time.ParseInLocation(layout, test.after, china)
		if err != nil {
			t.Fatal(err)
		}
		if err := test.schedule.Check(); err != nil {
			t.Errorf("%s: %v", name, err)
		} else if got := test.schedule.Next(after).In(china).Format(layout); got != test.want {
			t.Errorf("%s: after %s comes %s, want %s", name, test.after, got, test.want)
		}
	}
}

func TestRefusedControls(t *testing.T) {
	for name, test := range map[string]struct {
		controls standing.Controls
		want     string
	}{
		"neither":        {standing.Controls{}, "schedule is missing"},
		"both":           {standing.Controls{Stream: true, Schedule: standing.Schedule{Hour: "1"}}, "exclude"},
		"empty stream":   {standing.Controls{Stream: true, ReportIfEmpty: true}, "reportIfEmpty"},
		"60 seconds":     {standing.Controls{Schedule: standing.Schedule{Second: "60"}}, "schedule.second"},
		"day 0":          {standing.Controls{Schedule: standing.Schedule{DayOfMonth: "0"}}, "schedule.dayOfMonth"},
		"backwards":      {standing.Controls{Schedule: standing.Schedule{Hour: "[9-8]"}}, "schedule.hour"},
		"words":          {standing.Controls{Schedule: standing.Schedule{Month: "May"}}, "schedule.month"},
		"no step":        {standing.Controls{Schedule: standing.Schedule{Second: "0/0"}}, "schedule.second"},
		"never":          {standing.Controls{Schedule: standing.Schedule{Month: "2", DayOfMonth: "30"}}, "no day"},
		"nothing listed": {standing.Controls{Schedule: standing.Schedule{Second: ","}}, "schedule.second"},
	} {
		err := test.controls.Check()
		if _, ok := errors.AsType[*standing.ControlError](err); !ok || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %s", name, err, test.want)
		}
	}
}

// Whatever is written, it is refused or has a next time that is later.
func FuzzSchedule(f *testing.F) {
	f.Add("0/30", "[1-5],9", "*", "31", "12", "7", int64(1_800_000_000))
	f.Fuzz(func(t *testing.T, second, minute, hour, day, month, weekday string, unix int64) {
		s := standing.Schedule{Second: second, Minute: minute, Hour: hour, DayOfMonth: day, Month: month, DayOfWeek: weekday}
		if s.IsZero() || s.Check() != nil || unix < 0 || unix > 1<<33 {
			return
		}
		after := time.Unix(unix, 0)
		if next := s.Next(after); !next.After(after) {
			t.Errorf("%+v after %v: %v", s, after, next)
		}
	})
}
