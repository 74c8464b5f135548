package gate

import (
	"math"
	"time"
)

// recent is over how many of the last measured days the prognosis is made.
const recent = 7

// maxPrognosis is the farthest day that is named, in days: water that cold gives
// no degree-days worth waiting for.
const maxPrognosis = 1000

// A Heat is how far a withdrawal in degree-days has come.
type Heat struct {
	Sum      float64  // °C·d over whole days from the day after the use to the day before the act
	Reached  bool     // Sum is as much as the label says
	Earliest string   // first allowed day, reckoned with the mean of the last measured days; "" where unknown
	Missing  []string // days that counted as 0 because too little of them was measured
}

// Reckon sums the daily means of the water after a use at used until an act at
// now. A day counts when three quarters of it were measured and its mean is above
// 0 °C; one without counts as nothing and is named. The day of the use and the day
// of the act never count: neither is whole.
func Reckon(used, now time.Time, need float64, water []DayMean) Heat {
	means := map[string]float64{}
	for _, w := range water {
		if w.Coverage >= enough && !math.IsNaN(w.Mean) && !math.IsInf(w.Mean, 0) {
			means[date(w.Day)] = w.Mean
		}
	}
	var h Heat
	var last []float64
	for d := day(used).AddDate(0, 0, 1); d.Before(day(now)); d = d.AddDate(0, 0, 1) {
		mean, ok := means[date(d)]
		if !ok {
			h.Missing = append(h.Missing, date(d))
			continue
		}
		h.Sum += max(0, mean)
		last = append(last, mean)
	}
	h.Reached = h.Sum >= need-1e-9
	h.Sum = math.Round(h.Sum*100) / 100
	if h.Reached {
		return h
	}
	if len(last) == 0 { // the day of the use, and days before it, say how warm it is
		for d, back := day(used), 0; back < recent; d, back = d.AddDate(0, 0, -1), back+1 {
			if mean, ok := means[date(d)]; ok {
				last = append(last, mean)
			}
		}
	}
	from := day(now)
	if next := day(used).AddDate(0, 0, 1); from.Before(next) {
		from = next
	}
	h.Earliest = prognosis(from, need-h.Sum, last[max(0, len(last)-recent):])
	return h
}

// prognosis returns the first day by whose beginning rest will have been gathered
// from a day on, at the mean of some days.
func prognosis(from time.Time, rest float64, days []float64) string {
	sum := 0.0
	for _, d := range days {
		sum += max(0, d)
	}
	if sum == 0 {
		return ""
	}
	more := math.Ceil(rest / (sum / float64(len(days))))
	if more > maxPrognosis {
		return ""
	}
	return date(from.AddDate(0, 0, max(1, int(more))))
}
