package history_test

import (
	"strings"
	"testing"
	"time"

	"tianhai/ingest/history"
)

func TestTimes(t *testing.T) {
	shanghai, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	at := func(s string) time.Time {
		x, err := time.ParseInLocation("2006-01-02 15:04:05.999", s, shanghai)
		if err != nil {
			t.Fatal(err)
		}
		return x.UTC()
	}
	eight := at("2026-08-01 08:00:00")
	for text, want := range map[string]time.Time{
		"2026-08-01 08:00:00":          eight,
		" 2026-8-1 8:00 ":              eight,
		"2026/8/1 08:00:00":            eight,
		"2026.8.1 08:00":               eight,
		"2026年8月1日 8时0分0秒":             eight,
		"2026年8月1日8时":                  {},
		"2026年08月01日 08:00:00":         eight,
		"2026/8/1 8:00:00 AM":          eight,
		"2026/8/1 8:00 pm":             at("2026-08-01 20:00:00"),
		"2026-08-01T08:00:00":          eight,
		"2026-08-01T08:00:00+08:00":    eight,
		"2026-08-01T00:00:00Z":         eight,
		"2026-08-01T00:00:00.250Z":     eight.Add(250 * time.Millisecond),
		"2026-08-01 08:00:00.5":        eight.Add(500 * time.Millisecond),
		"2026-08-01 09:00:00 +0900":    eight,
		"2026-08-01":                   at("2026-08-01 00:00:00"),
		"20260801":                     at("2026-08-01 00:00:00"),
		"20260801080000":               eight,
		"202608010800":                 eight,
		"1785542400":                   eight,
		"1785542400.25":                eight.Add(250 * time.Millisecond),
		"1785542400000":                eight,
		"46235.333333333336":           eight, // Excel
		"46235.3333449074":             eight.Add(time.Second),
		"46235":                        at("2026-08-01 00:00:00"),
		"":                             {},
		"yesterday":                    {},
		"01/08/2026 08:00":             {}, // which is the day?
		"1-8-26":                       {},
		"2026-13-01 08:00":             {},
		"2026-02-30":                   {},
		"2026-08-01 25:00":             {},
		"0":                            {},
		"123456":                       {},
		"1e300":                        {},
		"NaN":                          {},
		"-46235":                       {},
		"2026-08-01 08:00:00 tomorrow": {},
	} {
		got, err := history.ReadTime(text, shanghai, false)
		if want.IsZero() != (err != nil) || !got.Equal(want) {
			t.Errorf("%q: %v, %v; want %v", text, got, err, want)
		}
	}
	if got, err := history.ReadTime("44773.25", time.UTC, true); err != nil || !got.Equal(time.Date(2026, 8, 1, 6, 0, 0, 0, time.UTC)) {
		t.Errorf("days since 1904: %v, %v", got, err)
	}
	if _, err := history.ReadTime("3/4/2026", shanghai, false); err == nil || !strings.Contains(err.Error(), "which is the day") {
		t.Errorf("an ambiguous date: %v", err)
	}
}

// A time is read to the millisecond, or not at all, and means what it did when it
// is written again.
func FuzzTime(f *testing.F) {
	for _, s := range []string{"2026-08-01 08:00:00", "2026年8月1日 8时0分", "46235.3333", "1785542400000", "20260801", "08/01/2026", "2026-08-01T08:00:00.123456789+08:00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		at, err := history.ReadTime(s, time.UTC, false)
		if err != nil {
			return
		}
		if at.Year() < 1970 || at.Year() > 2201 || !at.Equal(at.Truncate(time.Millisecond)) {
			t.Fatalf("%q is %v", s, at)
		}
		again, err := history.ReadTime(at.Format("2006-01-02 15:04:05.000"), time.UTC, false)
		if err != nil || !again.Equal(at) {
			t.Fatalf("%q is %v, and written again %v, %v", s, at, again, err)
		}
	})
}

func TestNumbers(t *testing.T) {
	for text, want := range map[string]string{
		"12.5": "12.5", "-3": "-3", "+1e-2": "0.01", ".5": "0.5", "": "none", "-": "none", "--": "none", "N/A": "none",
		"缺测": "none", "null": "none", "NaN": "none", "12,5": "comma", "1,234.5": "comma", "１２": "bad", "0x10": "bad", "1_000": "bad",
		"inf": "bad", "1e999": "bad", "12.5 mg/L": "bad", "<0.5": "bad", "1.2.3": "bad", "eee": "bad",
	} {
		if got := history.ReadNumber(text); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}
