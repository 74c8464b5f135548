package consumer

import (
	"math"
	"strconv"
	"strings"
	"time"

	"tianhai/farm"
	"tianhai/trace"
)

// series is the record of one quantity as it is shown.
type series struct {
	Name, Unit, Class string
	Values            []valueText
	Norms             []string // the values held against what suits the product
	NoNorm            string   // or that nothing is known to hold them against
	Coverage          string
	Readings          string
	Devices           string
	Gaps              []string
	SameGaps          string // in place of Gaps: whose gaps are these
	Chart             *chart
	Alt               string // the chart in words
	Legend            string
}

// valueText is a number under its name; Path is where it stands in the body.
type valueText struct{ Name, Text, Machine, Path string }

func (b base) series(e trace.Series, ev trace.PublicEvidence, index int) series {
	q, known := farm.LookupQuantity(e.Quantity)
	if !known {
		q = farm.Quantity{ID: e.Quantity, Symbol: e.Unit, Digits: 2}
	}
	out := series{
		Name: b.word("quantity", e.Quantity), Unit: q.Symbol, Class: string(q.Medium()),
		Coverage: b.T("consumer.coverage", "percent", b.percent(e.Coverage)),
		Readings: b.T("consumer.readings", "n", b.grouped(float64(e.N), 0)),
	}
	if e.Rejected > 0 {
		out.Readings = b.T("consumer.readings.rejected", "n", b.grouped(float64(e.N), 0), "rejected", b.grouped(float64(e.Rejected), 0))
	}
	if len(e.Devices) > 0 {
		out.Devices = b.sensors(e)
	}
	out.Norms, out.NoNorm = b.norms(e, q.Symbol), b.noNorm(e, ev.Version)
	out.Gaps = b.gaps(e.Gaps)
	if e.N == 0 {
		return out
	}
	path := "evidence.series." + strconv.Itoa(index) + "."
	number := func(key string, v float64, digits int) valueText {
		return valueText{b.T("consumer." + key), b.grouped(v, digits), strconv.FormatFloat(v, 'f', -1, 64), path + key}
	}
	if e.Sum != nil {
		out.Values = []valueText{number("sum", *e.Sum, q.Digits)}
	} else {
		out.Values = []valueText{number("min", e.Min, q.Digits), number("mean", e.Mean, q.Digits), number("max", e.Max, q.Digits)}
	}
	if out.Chart = b.newChart(e, ev.From, ev.To); out.Chart == nil {
		return out
	}
	out.Legend = b.T("consumer.chart.line")
	if e.Sum != nil {
		out.Legend = b.T("consumer.chart.bars", "interval", b.span(out.Chart.Interval))
	}
	var said []string
	for _, v := range out.Values {
		said = append(said, v.Name+" "+v.Text+out.unitSuffix())
	}
	out.Alt = b.T("consumer.chart.alt", "name", out.Name, "values", strings.Join(said, b.T("consumer.comma")), "n", strconv.Itoa(len(e.Gaps)))
	return out
}

// sayOnce leaves each legend, and each list of gaps, where it first stands: a
// station that was offline was so for all that it measures.
func (b base) sayOnce(all []series) {
	said, whose := map[string]bool{}, map[string]string{}
	for i := range all {
		s := &all[i]
		if said[s.Legend] {
			s.Legend = ""
		}
		said[s.Legend] = true
		if len(s.Gaps) == 0 {
			continue
		}
		gaps := strings.Join(s.Gaps, "\n")
		if name, ok := whose[gaps]; ok {
			s.Gaps, s.SameGaps = nil, b.T("consumer.gaps.same", "name", name)
		} else {
			whose[gaps] = s.Name
		}
	}
}

func (s series) unitSuffix() string {
	if s.Unit == "" {
		return ""
	}
	return " " + s.Unit
}

// gaps tells the longest-standing ones in words and counts the rest.
func (b base) gaps(gaps []farm.Gap) []string {
	if len(gaps) == 0 {
		return nil
	}
	var out []string
	for i, g := range gaps {
		if i == maxGaps {
			return append(out, b.T("consumer.gaps.more", "n", strconv.Itoa(len(gaps)-i)))
		}
		out = append(out, b.T("consumer.gap", "from", at(g.From).Text, "to", at(g.To).Text, "span", b.span(g.To.Sub(g.From))))
	}
	return out
}

// span writes a duration in its largest whole unit.
func (b base) span(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return b.T("consumer.span.days", "n", b.trim(d.Hours()/24))
	case d >= time.Hour:
		return b.T("consumer.span.hours", "n", b.trim(d.Hours()))
	default:
		return b.T("consumer.span.minutes", "n", b.trim(d.Minutes()))
	}
}

// grouped writes a number with so many decimals and, from 10,000 on, its thousands apart.
func (b base) grouped(v float64, digits int) string {
	s := strconv.FormatFloat(v, 'f', digits, 64)
	if math.Abs(v) < 10_000 {
		return b.local(s)
	}
	whole, _, _ := strings.Cut(s, ".")
	for i := len(whole) - 3; i > len(whole)-len(strings.TrimLeft(whole, "-")); i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return b.local(s)
}

// local exchanges the comma and the point of a number for those of the page's language.
func (b base) local(number string) string {
	return strings.NewReplacer(",", b.T("consumer.number.group"), ".", b.T("consumer.number.point")).Replace(number)
}

func (b base) trim(v float64) string {
	return b.local(strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64))
}

// percent rounds down, so that 100 % means all.
func (b base) percent(share float64) string {
	return b.local(strconv.FormatFloat(math.Floor(share*1000)/10, 'f', -1, 64))
}
