package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"tianhai/i18n"
)

// A trouble is told once, however often it comes and goes within minutes, and
// whatever does not answer at first; its end is told when it has lasted.
func TestUnwellTeller(t *testing.T) {
	texts, err := i18n.Load()
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 7, 1, 4, 0, 0, 0, time.UTC)
	parts := map[string]condition{"journal": {State: stateOK}, "ledger": {State: stateFaulty, Detail: "2 faults"}, "influxdb": {State: stateDown}}
	answer := func() (bool, error) { return true, errors.New("no route") }
	var got []string
	u := &unwellTeller{texts: texts, log: slog.New(slog.DiscardHandler), send: func(_ context.Context, _ string, message any) (bool, error) {
		if retry, err := answer(); err != nil {
			return retry, err
		}
		raw, err := json.Marshal(message)
		if err != nil {
			return false, err
		}
		got = append(got, string(raw))
		return false, nil
	}}
	told := func(after time.Duration, want ...string) {
		t.Helper()
		for end := at.Add(after); at.Before(end); {
			at = at.Add(unwellEvery)
			u.round(t.Context(), readiness{Checked: at, Parts: parts})
		}
		if len(got) != len(want) {
			t.Fatalf("%d messages, want %d: %v", len(got), len(want), got)
		}
		for i, words := range want {
			for word := range strings.FieldsSeq(words) {
				if !strings.Contains(got[i], word) {
					t.Errorf("message %d lacks %s: %s", i, word, got[i])
				}
			}
		}
		got = nil
	}
	told(time.Minute)
	answer = func() (bool, error) { return false, nil }
	told(6*time.Minute, `"part":"ledger" "type":"part.unwell" "state":"faulty" faults 存证日志 "until":null`)
	parts["journal"] = condition{State: stateFull, Detail: "16 of 16 MiB are taken"}
	told(10*time.Second, `"part":"journal" "type":"part.unwell" "state":"full" 16 报文日志`)
	for range 20 {
		parts["journal"] = condition{State: stateOK}
		told(time.Minute)
		parts["journal"] = condition{State: stateFull}
		told(time.Minute)
	}
	parts["journal"] = condition{State: stateOK}
	told(wellFor - 10*time.Second)
	told(20*time.Second, `"part":"journal" "type":"part.well" "state":"full" "until":"20`)
	told(time.Hour)
	answer = func() (bool, error) { return false, errors.New("gone") }
	parts["ledger"] = condition{State: stateOK}
	told(time.Hour)
	answer = func() (bool, error) { return false, nil }
	told(time.Hour)
	parts["journal"] = condition{State: stateFull}
	told(time.Minute, `"part":"journal"`)
}

// Every state that somebody is told of means something.
func TestGraveStates(t *testing.T) {
	for state := range grave {
		if means[state] == "" {
			t.Errorf("nothing says what it means: %s", state)
		}
	}
}
