package api_test

import (
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"tianhai/api"
	"tianhai/farm"
)

// A cell is taken as what it says, or refused with words that do not repeat it.
func FuzzImportedCell(f *testing.F) {
	for _, text := range []string{"2026-07-01 08:00", "2026/7/1", "2026年7月1日", "46204.5", "1e309", "NaN", "true", "-7", `[1,2]`, `{"a":`, "null", "", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59-23:59"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var into struct {
			Time    time.Time
			Words   farm.Text
			Text    string
			Float   float64
			Whole   int
			Yes     bool
			List    []string
			Members map[string]float64
		}
		v := reflect.ValueOf(&into).Elem()
		for i := range v.NumField() {
			err := api.ParseCell(v.Field(i).Addr().Interface(), text)
			if name := v.Type().Field(i).Name; err != nil && (!strings.HasPrefix(err.Error(), "is ") || name == "Text" || name == "Words") {
				t.Errorf("%q as %s: %v", text, name, err)
			}
		}
		if math.IsNaN(into.Float) || math.IsInf(into.Float, 0) || into.Text != text || into.Words.Zh != text {
			t.Errorf("%q is %+v", text, into)
		}
		if y := into.Time.Year(); !into.Time.IsZero() && (y < 1970 || y > 2200) {
			t.Errorf("%q is in the year %d", text, y)
		}
		if again, err := api.ParseMoment(into.Time.Format(time.RFC3339Nano)); !into.Time.IsZero() && (err != nil || !again.Equal(into.Time)) {
			t.Errorf("%q is %v, which is %v, %v", text, into.Time, again, err)
		}
	})
}

// What a scanner types is cut down to the code in it, and nothing is added.
func FuzzScanned(f *testing.F) {
	for _, text := range []string{"https://trace.example.cn/t/4Q7XH2M9KTB3D?x=1", "https://id.example.cn/01/06901234567892/10/A/21/4Q7XH2M9KTB3D", "4q7x-h2m9", "://", "https://a/01/", ""} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := api.Scanned(text)
		if !strings.Contains(text, "://") && got != text || len(got) > len(text) {
			t.Errorf("%q is %q", text, got)
		}
	})
}

// A cursor is one that a page before gave, or refused; nothing in it reaches the
// database that a database refuses.
func FuzzCursor(f *testing.F) {
	f.Add(api.Cursor("pond-1"))
	f.Add(api.Cursor(api.TimeKey(api.Place{At: time.Unix(1_800_000_000, 0), ID: "01K0"})))
	f.Add(api.Cursor("9999999999999999999x"))
	f.Add("MHBvbmQ")
	f.Add("%%%")
	f.Fuzz(func(t *testing.T, cursor string) {
		key, place, err := api.After(cursor)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "after ") {
				t.Errorf("%q: %v", cursor, err)
			}
			return
		}
		if strings.ContainsRune(key, 0) || !utf8.ValidString(key) {
			t.Errorf("%q is %q", cursor, key)
		}
		if again, _, err := api.After(api.Cursor(key)); key != "" && (err != nil || again != key) {
			t.Errorf("%q is %q, which is %q, %v", cursor, key, again, err)
		}
		if place != (api.Place{}) && api.TimeKey(place) != key {
			t.Errorf("%q is %+v, which is %q", key, place, api.TimeKey(place))
		}
	})
}
