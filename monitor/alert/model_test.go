package alert_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"tianhai/ingest"
	"tianhai/monitor/alert"
)

// firing says by definition, and not by steps, whether a rule fires after the
// last of some samples: at some moment the condition had held for r.For without
// a break, and no sample since has cleared it.
func firing(r alert.Rule, minutes, values []float64) bool {
	violated := func(i int) bool { return values[i] < *r.Below }
	for end := range values {
		for start := 0; start <= end; start++ {
			holds := minutes[end]-minutes[start] >= r.For.Minutes()
			for i := start; i <= end; i++ {
				holds = holds && violated(i)
			}
			for i := end + 1; i < len(values); i++ {
				holds = holds && values[i] < *r.Clear
			}
			if holds {
				return true
			}
		}
	}
	return false
}

// The engine agrees with the definition on random stories with unusable and
// late readings, repeats, failing stores and restarts in between.
func TestEngineAgainstDefinition(t *testing.T) {
	rule := parse(t, oxygenRule)[0]
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		m := newMemory()
		e := engine(t, oxygenRule, m)
		var minutes, values []float64
		fired := 0
		was := false
		for step := range 60 {
			minute := float64(step) * 0.5
			o := oxygen("a", minute, []float64{3, 3.5, 3.9, 4, 4.2, 4.5, 5}[rnd.IntN(7)])
			switch rnd.IntN(8) {
			case 0:
				o.Readings[0].Flag = ingest.Fail
			case 1:
				o.Received = o.Time.Add(alert.HistoryAge + time.Second)
			case 2:
				e = engine(t, oxygenRule, m)
				minutes, values = append(minutes, minute), append(values, o.Readings[0].Value)
			default:
				minutes, values = append(minutes, minute), append(values, o.Readings[0].Value)
			}
			if rnd.IntN(5) == 0 {
				m.fail["SaveAlert"] = 1
			}
			for e.Observe(t.Context(), []ingest.Observation{o}) != nil {
			}
			m.fail["SaveAlert"] = 0
			if rnd.IntN(3) == 0 {
				observe(t, e, o)
			}
			now := firing(rule, minutes, values)
			if now && !was {
				fired++
			}
			was = now
			if got := stateOf(m); (got == alert.Firing) != now {
				t.Fatalf("seed %d: state %q after\n%v\n%v\nby definition firing is %v", seed, got, minutes, values, now)
			}
		}
		told := 0
		for _, n := range m.notices {
			if n.Alert.State == alert.Firing {
				told++
			}
		}
		want(t, fmt.Sprintf("seed %d: alarms told", seed), fired, told)
	}
}

func stateOf(m *memory) alert.State {
	for _, a := range m.alerts {
		if a.State == alert.Firing || a.State == alert.Pending {
			return a.State
		}
	}
	return alert.Inactive
}
