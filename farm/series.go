package farm

import "time"

// A Point is what one device's sensors, or those of one site, said about one
// quantity during one interval.
type Point struct {
	Time time.Time `json:"t"` // start of the interval, UTC
	Min  float64   `json:"min"`
	Mean float64   `json:"mean"`
	Max  float64   `json:"max"`
	N    int       `json:"n"` // readings in the interval; a point with none is left out
}

// A Quality says how many readings of an interval were good. Its share of good
// flags is Good/Total.
type Quality struct {
	Time  time.Time `json:"t"`     // start of the interval, UTC
	Good  int       `json:"good"`  // with flag 1
	Total int       `json:"total"` // with any flag, failed and missing ones too; never 0
}

// A Gap is a time without one good reading.
type Gap struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// A Summary is the record of one quantity at one site over a period. Readings
// flagged fail or missing are counted but do not enter the numbers.
type Summary struct {
	Quantity string        `json:"quantity"`
	Devices  []string      `json:"devices"` // sensors that contributed, sorted
	N        int           `json:"n"`       // readings that entered Min, Mean and Max
	Rejected int           `json:"rejected"`
	Min      float64       `json:"min"`
	Mean     float64       `json:"mean"`
	Max      float64       `json:"max"`
	Sum      float64       `json:"sum"`      // meaningful where Quantity.Sum
	Interval time.Duration `json:"interval"` // width of one point
	Points   []Point       `json:"points"`   // oldest first, at most 200
	Gaps     []Gap         `json:"gaps"`     // oldest first
	// Quality is of the same intervals as Points, and of those without a point; the
	// evidence of a batch has none.
	Quality  []Quality `json:"quality,omitempty"`
	Coverage float64   `json:"coverage"` // share of the period outside gaps, 0 to 1
}
