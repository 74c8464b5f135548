package fleet_test

import (
	"fmt"
	"testing"
	"time"

	"tianhai/firmware-sim/fleet"
)

func TestObey(t *testing.T) {
	now := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	const soon, past = `"2026-06-01T00:01:00Z"`, `"2026-05-31T23:59:59Z"`
	order := func(name, value, expires string) string {
		return fmt.Sprintf(`{"id":"c1","name":%q,"value":%q,"expires":%s}`, name, value, expires)
	}
	for name, c := range map[string]struct{ kind, payload, answer, done string }{
		"on":           {"pond", order("aerator", "on", soon), `{"id":"c1","ok":true}`, "aerator true"},
		"off":          {"pond", order("feeder", "off", soon), `{"id":"c1","ok":true}`, "feeder false"},
		"expired":      {"pond", order("aerator", "on", past), `{"id":"c1","ok":false,"error":"expired"}`, ""},
		"this instant": {"pond", order("aerator", "on", `"2026-06-01T00:00:00Z"`), `{"id":"c1","ok":false,"error":"expired"}`, ""},
		"no expiry":    {"pond", `{"id":"c1","name":"aerator","value":"on"}`, `{"id":"c1","ok":false,"error":"expired"}`, ""},
		"unknown":      {"pond", order("door", "on", soon), `{"id":"c1","ok":false,"error":"unknown_command"}`, ""},
		"no actuator":  {"raft", order("aerator", "on", soon), `{"id":"c1","ok":false,"error":"unknown_command"}`, ""},
		"value":        {"pond", order("aerator", "ON", soon), `{"id":"c1","ok":false,"error":"unknown_value"}`, ""},
		"bad expiry":   {"pond", order("aerator", "on", `"tomorrow"`), `{"id":"c1","ok":false,"error":"malformed"}`, ""},
		"no id":        {"pond", `{"name":"aerator","value":"on","expires":` + soon + `}`, "", ""},
		"not JSON":     {"pond", `aerator on`, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			done := ""
			obey := fleet.Obey(c.kind, func() time.Time { return now }, func(name string, on bool) { done += fmt.Sprint(name, " ", on) })
			for range 2 { // the second delivery does nothing and is answered alike
				if got := string(obey([]byte(c.payload))); got != c.answer {
					t.Errorf("answer %s, want %s", got, c.answer)
				}
			}
			if done != c.done {
				t.Errorf("did %q, want %q", done, c.done)
			}
		})
	}
}
