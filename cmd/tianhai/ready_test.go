package main

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tianhai/i18n"
)

func TestReady(t *testing.T) {
	ok, down := condition{State: stateOK}, condition{State: stateDown}
	tests := map[string]struct {
		change map[string]condition
		want   bool
	}{
		"all well":                        {nil, true},
		"journal full":                    {map[string]condition{"journal": {State: stateFull}}, false},
		"journal down":                    {map[string]condition{"journal": down}, false},
		"records down":                    {map[string]condition{"records": down}, false},
		"no influxdb":                     {map[string]condition{"influxdb": down, "alerts": {State: stateLagging}}, true},
		"quarantine full":                 {map[string]condition{"quarantine": {State: stateFull}}, true},
		"broker full":                     {map[string]condition{"broker": {State: stateFull}}, false},
		"broker full, another is there":   {map[string]condition{"broker": {State: stateFull}, "broker lora": ok}, true},
		"an outside broker away":          {map[string]condition{"broker lora": down}, true},
		"the only outside broker is away": {map[string]condition{"broker": down}, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			parts := map[string]condition{"broker": ok, "journal": ok, "records": ok, "influxdb": ok, "alerts": ok, "quarantine": ok}
			for part, is := range tt.change {
				parts[part] = is
				if kind, _, _ := strings.Cut(part, " "); is.State != stateOK && means[kind+" "+is.State] == "" {
					t.Errorf("nothing is said of what it means that %s is %s", part, is.State)
				}
			}
			if got := ready(parts); got != tt.want {
				t.Errorf("ready = %t", got)
			}
		})
	}
}

// Since is when a state began, one look serves all who ask within a second, and
// the log tells of each change once.
func TestChecker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state, looks := stateOK, 0
		var log strings.Builder
		c := &checker{
			look: func(context.Context) map[string]condition {
				looks++
				return map[string]condition{"broker": {State: stateOK}, "journal": {State: state}, "records": {State: stateOK}}
			},
			log: slog.New(slog.NewTextHandler(&log, nil)),
		}
		began := time.Now().UTC()
		c.now(t.Context())
		time.Sleep(10 * time.Second)
		if is := c.now(t.Context()); !is.Ready || !is.Parts["journal"].Since.Equal(began) {
			t.Errorf("after 10 s: %+v", is)
		}
		state = stateFull
		for range 100 {
			c.now(t.Context())
		}
		if looks != 2 {
			t.Errorf("%d looks, want 2", looks)
		}
		time.Sleep(2 * time.Second)
		full := time.Now().UTC()
		c.now(t.Context())
		time.Sleep(30 * time.Second)
		is := c.now(t.Context())
		if journal := is.Parts["journal"]; is.Ready || journal.State != stateFull || !journal.Since.Equal(full) || journal.Means == "" {
			t.Errorf("when full: %+v", is)
		}
		state = stateOK
		time.Sleep(2 * time.Second)
		c.now(t.Context())
		for _, line := range []string{"part is not well", "part is well again"} {
			if n := strings.Count(log.String(), line); n != 1 {
				t.Errorf("%q logged %d times:\n%s", line, n, log.String())
			}
		}
	})
}

// Every part that may be unwell, and every state, has its words on the screen.
func TestPartsHaveWords(t *testing.T) {
	texts, err := i18n.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, lang := range texts.Languages() {
		keys := texts.Keys(lang)
		for part := range means {
			name, state, _ := strings.Cut(part, " ")
			for _, key := range []string{"manage.part." + name, "manage.part." + name + "." + state, "manage.part_state." + state} {
				if !slices.Contains(keys, key) {
					t.Errorf("%s has no %s", lang, key)
				}
			}
		}
	}
}
