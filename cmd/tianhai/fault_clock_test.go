package main_test

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// TestClocks has devices with clocks of every kind: the device's time counts where
// it can be believed, otherwise the server's, which is marked. What was stored
// during an outage and comes in a burst lands at its own time, in whatever order.
func TestClocks(t *testing.T) {
	now := time.Now().Truncate(time.Millisecond)
	installed := now.Add(-30 * 24 * time.Hour)
	ms := func(at time.Time) int64 { return at.UnixMilli() }
	hour := func(n int) time.Time { return now.Add(-time.Duration(n) * time.Hour) }
	type stored struct {
		at     time.Time // zero: the server's
		value  int
		marked bool
	}
	tests := map[string]struct {
		payloads []string
		want     []stored
	}{
		"right": {
			[]string{fmt.Sprintf(`{"ts":%d,"turbidity":1}`, ms(now))},
			[]stored{{now, 1, false}},
		},
		"none": {
			[]string{`{"turbidity":1}`},
			[]stored{{time.Time{}, 1, true}},
		},
		"1970": {
			[]string{`{"ts":12000,"turbidity":1}`, `{"ts":0,"turbidity":2}`},
			[]stored{{time.Time{}, 1, true}, {time.Time{}, 2, true}},
		},
		"future": {
			[]string{fmt.Sprintf(`{"ts":%d,"turbidity":1}`, ms(now.Add(24*time.Hour))), fmt.Sprintf(`{"ts":%d,"turbidity":2}`, ms(now.AddDate(100, 0, 0)))},
			[]stored{{time.Time{}, 1, true}, {time.Time{}, 2, true}},
		},
		"a-little-ahead": {
			[]string{fmt.Sprintf(`{"ts":%d,"turbidity":1}`, ms(now.Add(time.Minute)))},
			[]stored{{now.Add(time.Minute), 1, false}},
		},
		"before-it-was-there": {
			[]string{fmt.Sprintf(`{"ts":%d,"turbidity":1}`, ms(installed.Add(-time.Hour)))},
			[]stored{{time.Time{}, 1, true}},
		},
		"jumps": { // set by GPS, lost with the battery, set again a little back
			[]string{
				fmt.Sprintf(`{"ts":%d,"turbidity":1}`, ms(hour(2))), `{"ts":1000,"turbidity":2}`,
				fmt.Sprintf(`{"ts":%d,"turbidity":3}`, ms(hour(3))), fmt.Sprintf(`{"ts":%d,"turbidity":4}`, ms(now.AddDate(1, 0, 0))),
				fmt.Sprintf(`{"ts":%d,"turbidity":5}`, ms(hour(1))),
			},
			[]stored{{hour(3), 3, false}, {hour(2), 1, false}, {hour(1), 5, false}, {time.Time{}, 2, true}, {time.Time{}, 4, true}},
		},
		"burst-after-an-outage": {
			[]string{
				fmt.Sprintf(`[{"ts":%d,"turbidity":4},{"ts":%d,"turbidity":2},{"ts":%d,"turbidity":1}]`, ms(hour(1)), ms(hour(48)), ms(hour(500))),
				fmt.Sprintf(`{"ts":%d,"turbidity":3}`, ms(hour(24))),
			},
			[]stored{{hour(500), 1, false}, {hour(48), 2, false}, {hour(24), 3, false}, {hour(1), 4, false}},
		},
	}
	var names []string
	for name := range tests {
		names = append(names, name)
	}
	dir := t.TempDir()
	secrets := importFarms(t, dir, sondeFarm(installed, names...))
	s := startServer(t, "serve", dir)
	began := time.Now().Truncate(time.Millisecond)
	for name, tt := range tests {
		c, err := dialRaw(s.MQTT, name, secrets[name])
		if err != nil {
			t.Fatal(err)
		}
		for i, payload := range tt.payloads {
			// Two readings by the server's clock must not be of one millisecond.
			sent := time.Now()
			waitFor(t, "the next millisecond", time.Second, func() bool { return time.Since(sent) > 2*time.Millisecond })
			if _, err := c.conn.Write(publishPacket("th/"+name+"/up", uint16(i+1), []byte(payload))); err != nil {
				t.Fatal(err)
			}
			if _, err := c.readAck(); err != nil {
				t.Fatal(err)
			}
		}
		c.conn.Close()
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var rows [][]any
			waitFor(t, "all readings", time.Minute, func() bool {
				rows = queryInflux(t, s.Influx, embeddedToken(t, dir), `SELECT turbidity, clock_flag FROM water WHERE device='`+name+`'`)
				return len(rows) >= len(tt.want)
			})
			var got []stored
			for _, row := range rows {
				at := time.UnixMilli(int64(row[0].(float64)))
				r := stored{at, int(row[1].(float64)), row[2] != nil}
				if r.marked && !at.Before(began) && !at.After(time.Now()) {
					r.at = time.Time{}
				}
				got = append(got, r)
			}
			if !slices.EqualFunc(got, tt.want, func(a, b stored) bool { return a.at.Equal(b.at) && a.value == b.value && a.marked == b.marked }) {
				t.Errorf("stored\n%v\nwant\n%v", got, tt.want)
			}
		})
	}
}
