package consumer

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"tianhai/farm"
	"tianhai/trace"
)

// The drawing's own units; the page scales it. Text of 24 is 13 px on a phone.
const (
	chartW, chartH   = 600, 270
	chartL, chartR   = 74, 8 // chartL at least: long numbers need more
	chartT, chartB   = 14, 42
	plotH            = chartH - chartT - chartB
	digitW           = 14  // of text of 24, generously
	maxPoints        = 120 // more than that no phone can show, and the page has a budget
	gridLines        = 4
	breakAfter       = 1.5 // intervals without a point break the line
	chartBottom      = chartT + plotH
	chartRight       = chartW - chartR
	minGapW          = 3 // a narrower one could not be seen
	leastSteps       = 10
	minVisibleExtent = 1e-9
)

// chart is what the template draws: a band from minimum to maximum with the mean
// as a line, or bars for amounts. Where there is no data, there is no ink.
type chart struct {
	Left, Width      int    // of the plot
	Band, Line, Bars string // path data
	Gaps             []rect
	Y                []tick
	X                []tick
	Interval         time.Duration // of one point as drawn
}

type rect struct{ X, W int }

type tick struct {
	At     int
	Text   string
	Anchor string
}

// newChart returns nil where there is nothing to draw.
func (b base) newChart(e trace.Series, from, to time.Time) *chart {
	points, width := thin(e.Points, time.Duration(e.Interval)*time.Second)
	if len(points) == 0 || !from.Before(to) {
		return nil
	}
	c := &chart{Interval: width}
	bars := e.Sum != nil
	low, high := extent(points, bars, e.Quantity)
	step := niceStep((high - low) / gridLines)
	low, high = math.Floor(low/step)*step, math.Ceil(high/step)*step
	p := plot{from: from, span: to.Sub(from), low: low, high: high, left: chartL}
	for v := low; v <= high+step/2; v += step {
		t := tick{At: p.y(v), Text: b.grouped(v, decimals(step))}
		p.left = max(p.left, len(t.Text)*digitW+chartR)
		c.Y = append(c.Y, t)
	}
	c.Left, c.Width = p.left, chartRight-p.left
	c.X = []tick{
		{c.Left, beijing(from).Format("01-02"), "start"},
		{c.Left + c.Width/2, beijing(from.Add(p.span / 2)).Format("01-02"), "middle"},
		{chartRight, beijing(to).Format("01-02"), "end"},
	}
	for _, g := range e.Gaps {
		x := p.x(g.From)
		c.Gaps = append(c.Gaps, rect{x, max(minGapW, p.x(g.To)-x)})
	}
	if bars {
		c.Bars = p.bars(points, width)
		return c
	}
	for _, run := range runs(points, width) {
		c.Band += p.band(run, width)
		c.Line += p.line(run, width)
	}
	return c
}

// thin joins neighbouring points until there are few enough. Points lie on a
// grid of their interval, so the joined ones do too.
func thin(points []farm.Point, width time.Duration) ([]farm.Point, time.Duration) {
	if len(points) <= maxPoints || width <= 0 {
		return points, width
	}
	span := points[len(points)-1].Time.Sub(points[0].Time) + width
	each := time.Duration(math.Ceil(float64(span)/float64(width)/maxPoints)) * width
	var out []farm.Point
	for _, p := range points {
		start := points[0].Time.Add(p.Time.Sub(points[0].Time).Truncate(each))
		if len(out) == 0 || !out[len(out)-1].Time.Equal(start) {
			p.Time = start
			out = append(out, p)
			continue
		}
		last := &out[len(out)-1]
		n := float64(last.N + p.N)
		if n > 0 {
			last.Mean = (last.Mean*float64(last.N) + p.Mean*float64(p.N)) / n
		}
		last.Min, last.Max, last.N = min(last.Min, p.Min), max(last.Max, p.Max), last.N+p.N
	}
	return out, each
}

// amount is what a bar shows.
func amount(p farm.Point) float64 { return p.Mean * float64(p.N) }

// extent leaves room around a level that hardly moves: its noise must not fill the picture.
func extent(points []farm.Point, bars bool, quantity string) (low, high float64) {
	if bars {
		for _, p := range points {
			high = max(high, amount(p))
		}
		return 0, max(high, minVisibleExtent)
	}
	low, high = points[0].Min, points[0].Max
	for _, p := range points {
		low, high = min(low, p.Min), max(high, p.Max)
	}
	least := 1.0
	if q, known := farm.LookupQuantity(quantity); known {
		least = leastSteps * math.Pow10(-q.Digits)
	}
	if room := least - (high - low); room > 0 {
		low, high = low-room/2, high+room/2
	}
	return low, high
}

// niceStep rounds up to 1, 2 or 5 times a power of ten.
func niceStep(rough float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(rough)))
	for _, m := range []float64{1, 2, 5} {
		if m*power >= rough*0.999 {
			return m * power
		}
	}
	return 10 * power
}

func decimals(step float64) int {
	return max(0, int(-math.Floor(math.Log10(step)+1e-9)))
}

// runs splits points where the line must break.
func runs(points []farm.Point, width time.Duration) [][]farm.Point {
	var out [][]farm.Point
	start := 0
	for i := 1; i <= len(points); i++ {
		if i == len(points) || float64(points[i].Time.Sub(points[i-1].Time)) > breakAfter*float64(width) {
			out = append(out, points[start:i])
			start = i
		}
	}
	return out
}

// plot turns time and value into the drawing's units.
type plot struct {
	from      time.Time
	span      time.Duration
	low, high float64
	left      int
}

func (p plot) x(t time.Time) int {
	share := float64(t.Sub(p.from)) / float64(p.span)
	return p.left + int(math.Round(float64(chartRight-p.left)*min(1, max(0, share))))
}

func (p plot) y(v float64) int {
	return chartBottom - int(math.Round(plotH*(v-p.low)/(p.high-p.low)))
}

// A point lies in the middle of its interval; the first and last of a run reach
// to its ends, so that a lone point is still seen.
func (p plot) places(run []farm.Point, width time.Duration) []int {
	xs := make([]int, len(run))
	for i, pt := range run {
		xs[i] = p.x(pt.Time.Add(width / 2))
	}
	return xs
}

func (p plot) line(run []farm.Point, width time.Duration) string {
	var w pen
	w.move(p.x(run[0].Time), p.y(run[0].Mean))
	for i, x := range p.places(run, width) {
		w.line(x, p.y(run[i].Mean))
	}
	last := run[len(run)-1]
	w.line(p.x(last.Time.Add(width)), p.y(last.Mean))
	return w.String()
}

func (p plot) band(run []farm.Point, width time.Duration) string {
	var w pen
	xs := p.places(run, width)
	first, last := run[0], run[len(run)-1]
	left, right := p.x(first.Time), p.x(last.Time.Add(width))
	w.move(left, p.y(first.Max))
	for i, x := range xs {
		w.line(x, p.y(run[i].Max))
	}
	w.line(right, p.y(last.Max))
	w.line(right, p.y(last.Min))
	for i := len(xs) - 1; i >= 0; i-- {
		w.line(xs[i], p.y(run[i].Min))
	}
	w.line(left, p.y(first.Min))
	return w.String() + "z"
}

func (p plot) bars(points []farm.Point, width time.Duration) string {
	var b strings.Builder
	for _, pt := range points {
		x, y := p.x(pt.Time), p.y(amount(pt))
		if y < chartBottom {
			fmt.Fprintf(&b, "M%d %dV%dh%dV%dz", x, chartBottom, y, max(1, p.x(pt.Time.Add(width))-x-1), chartBottom)
		}
	}
	return b.String()
}

// A pen writes path data with relative steps, which are short.
type pen struct {
	strings.Builder
	x, y int
}

func (w *pen) move(x, y int) {
	fmt.Fprintf(w, "M%d %dl", x, y)
	w.x, w.y = x, y
}

func (w *pen) line(x, y int) {
	dx, dy := x-w.x, y-w.y
	if dx >= 0 {
		w.WriteByte(' ')
	}
	w.WriteString(strconv.Itoa(dx))
	if dy >= 0 {
		w.WriteByte(' ')
	}
	w.WriteString(strconv.Itoa(dy))
	w.x, w.y = x, y
}
