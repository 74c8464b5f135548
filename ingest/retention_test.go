package ingest_test

import (
	"errors"
	"testing"
	"time"

	"tianhai/farm"
	"tianhai/ingest"
)

const aDay = 24 * time.Hour

func TestRetentionCheck(t *testing.T) {
	tests := map[string]struct {
		r     ingest.Retention
		field string
	}{
		"for ever":              {ingest.Retention{}, ""},
		"one medium":            {ingest.Retention{Tenant: "t", Medium: farm.Water, Raw: 30}, ""},
		"all three":             {ingest.Retention{Raw: 90, Hour: 90, Day: 36500}, ""},
		"below the floor":       {ingest.Retention{Raw: 29}, "keep_raw_days"},
		"negative":              {ingest.Retention{Raw: -1}, "keep_raw_days"},
		"hours before readings": {ingest.Retention{Raw: 90, Hour: 89}, "keep_hour_days"},
		"hours, no readings":    {ingest.Retention{Hour: 400}, "keep_hour_days"},
		"days before hours":     {ingest.Retention{Raw: 90, Hour: 100, Day: 99}, "keep_day_days"},
		"days, no hours":        {ingest.Retention{Raw: 90, Day: 400}, "keep_day_days"},
		"far too long":          {ingest.Retention{Raw: 90, Hour: 100, Day: 36501}, "keep_day_days"},
		"no such medium":        {ingest.Retention{Medium: "aether"}, "medium"},
		"no identifier":         {ingest.Retention{Tenant: "a b"}, "tenant"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			err := tt.r.Check()
			e, _ := errors.AsType[*ingest.RetentionError](err)
			if tt.field == "" && err != nil || tt.field != "" && (e == nil || e.Field != tt.field) {
				t.Errorf("%v, want field %q", err, tt.field)
			}
		})
	}
}

// day is the number of a day; a change is made at its start.
func retained(day int, tenant string, m farm.Medium, raw int) ingest.RetentionChange {
	at := time.Date(2026, 5, day, 0, 0, 0, 0, time.UTC)
	return ingest.RetentionChange{
		Retention: ingest.Retention{Tenant: tenant, Medium: m, Raw: raw}, At: at, Effective: at.Add(ingest.RetentionDelay), Account: "li",
	}
}

func cleared(day int, tenant string, m farm.Medium) ingest.RetentionChange {
	c := retained(day, tenant, m, 0)
	c.Clear = true
	return c
}

func TestRetentionsKeep(t *testing.T) {
	hours := func(c ingest.RetentionChange, h int) ingest.RetentionChange {
		c.At, c.Effective = c.At.Add(time.Duration(h)*time.Hour), c.Effective.Add(time.Duration(h)*time.Hour)
		return c
	}
	tests := map[string]struct {
		changes ingest.Retentions
		want    map[int]int // days of raw readings of tenant t, water, at noon of a day; 0 for ever
	}{
		"nothing":                {nil, map[int]int{1: 0, 9: 0}},
		"after the delay":        {ingest.Retentions{retained(2, "", "", 90)}, map[int]int{1: 0, 2: 0, 3: 90}},
		"of another tenant":      {ingest.Retentions{retained(2, "u", "", 90)}, map[int]int{9: 0}},
		"of another medium":      {ingest.Retentions{retained(2, "t", farm.Soil, 90)}, map[int]int{9: 0}},
		"the nearest rule":       {ingest.Retentions{retained(1, "t", farm.Water, 40), retained(1, "t", "", 50), retained(1, "", farm.Water, 60), retained(1, "", "", 70)}, map[int]int{9: 40}},
		"tenant before medium":   {ingest.Retentions{retained(1, "t", "", 50), retained(1, "", farm.Water, 60)}, map[int]int{9: 50}},
		"longer, at once":        {ingest.Retentions{retained(1, "", "", 90), retained(4, "", "", 400)}, map[int]int{3: 90, 4: 400, 6: 400}},
		"shorter, after a delay": {ingest.Retentions{retained(1, "", "", 90), retained(4, "", "", 40)}, map[int]int{3: 90, 4: 90, 5: 40}},
		"for ever again":         {ingest.Retentions{retained(1, "", "", 90), retained(4, "", "", 0)}, map[int]int{3: 90, 4: 0, 9: 0}},
		"taken back":             {ingest.Retentions{retained(2, "", "", 40), hours(cleared(2, "", ""), 1)}, map[int]int{2: 0, 3: 0, 9: 0}},
		"corrected":              {ingest.Retentions{retained(2, "", "", 30), hours(retained(2, "", "", 300), 23)}, map[int]int{2: 0, 3: 0, 4: 300}},
		"a rule that sheltered is cleared": {
			ingest.Retentions{retained(1, "", "", 40), retained(1, "t", "", 400), cleared(4, "t", "")},
			map[int]int{3: 400, 4: 400, 5: 40},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			for day, want := range tt.want {
				now := time.Date(2026, 5, day, 12, 0, 0, 0, time.UTC)
				if got := tt.changes.Keep("t", farm.Water, now).Raw; got != time.Duration(want)*aDay {
					t.Errorf("on day %d: %v, want %d days", day, got, want)
				}
			}
		})
	}
}

func TestRetentionsLatest(t *testing.T) {
	rs := ingest.Retentions{retained(1, "t", "", 40), retained(2, "", "", 50), retained(3, "t", "", 60), cleared(5, "", "")}
	at := func(day int) []ingest.RetentionChange {
		return rs.Latest(time.Date(2026, 5, day, 12, 0, 0, 0, time.UTC))
	}
	if got := at(5); len(got) != 2 || !got[0].Clear || got[1].Raw != 60 {
		t.Errorf("while the clearing waits: %+v", got)
	}
	if got := at(6); len(got) != 1 || got[0].Tenant != "t" {
		t.Errorf("cleared: %+v", got)
	}
}
