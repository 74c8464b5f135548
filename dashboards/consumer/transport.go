package consumer

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"tianhai/farm"
	"tianhai/trace"
	"tianhai/trace/evidence"
)

// Shipments finds with which shipments a batch went.
type Shipments interface {
	// Carriages returns the records of shipments with which the batch went, or that of
	// which it was made, oldest first.
	Carriages(ctx context.Context, batch string) ([]trace.Carriage, error)
}

// transport is what the sealed records say of a batch's way.
type transport struct {
	shipments []trace.Shipment
	earlier   map[string][]trace.Carried // by ID, of those that the batch itself was not on
	pending   map[string]bool            // IDs of what waits for its receipt
	broken    int                        // records that do not match their receipts; they are not shown
}

// transport reads the records of a batch's shipments, each against its receipt. One
// that does not match says nothing, and is counted.
func (s *server) transport(ctx context.Context, batch string) (transport, error) {
	t := transport{pending: map[string]bool{}, earlier: map[string][]trace.Carried{}}
	if s.Shipments == nil {
		return t, nil
	}
	carriages, err := s.Shipments.Carriages(ctx, batch)
	if err != nil {
		return t, err
	}
	for _, c := range carriages {
		rec := c.Record
		sh, err := trace.ReadShipment(rec)
		if err == nil && rec.Receipt != "" {
			_, _, err = s.check(rec)
		}
		if err != nil {
			t.broken++
			s.Logger.ErrorContext(ctx, "a sealed record does not match its receipt", "batch", batch, "record", rec.ID, "error", err)
			continue
		}
		t.shipments = append(t.shipments, sh)
		t.pending[sh.ID] = rec.Receipt == ""
		if !slices.ContainsFunc(c.Of, func(of trace.Carried) bool { return of.Batch == batch }) {
			t.earlier[sh.ID] = c.Of
		}
	}
	return t, nil
}

// shownTransport is a transport as the page shows it.
type shownTransport struct {
	base
	Alarm     string
	Shipments []shownShipment
}

type shownShipment struct {
	Route, Way, Limits string
	Of                 []shownCarried // where not the batch itself went with it
	Arrived, Pending   bool
	Loggers            []shownLogger
}

// shownCarried is what a batch was made of, and its own page.
type shownCarried struct{ Product, Code string }

type shownLogger struct {
	Values   []valueText
	Verdict  string
	Bad      bool
	Strayed  []string // excursions
	Gaps     []string
	Coverage string
	Device   string
}

// carry puts a batch's way on the page.
func (p *page) carry(t transport) {
	out := shownTransport{base: p.base}
	if t.broken > 0 {
		out.Alarm = p.T("consumer.transport.broken", "n", strconv.Itoa(t.broken))
	}
	for _, sh := range t.shipments {
		shown := shownShipment{
			Route: p.T("consumer.transport.route", "from", p.division(sh.Origin), "to", p.division(sh.Destination)), Way: at(sh.Departed).Unbroken(),
			Limits:  p.T("consumer.transport.limits", "limits", p.between(sh.Limits.Min, sh.Limits.Max, "°C"), "source", sh.Limits.Source),
			Arrived: !sh.Arrived.IsZero(), Pending: t.pending[sh.ID],
		}
		if shown.Arrived {
			shown.Way = p.T("consumer.period", "from", at(sh.Departed).Unbroken(), "to", at(sh.Arrived).Unbroken()) + p.T("consumer.comma") + p.span(sh.Arrived.Sub(sh.Departed))
		}
		for _, of := range t.earlier[sh.ID] {
			shown.Of = append(shown.Of, shownCarried{of.Product.In(p.Lang), of.Code})
		}
		for _, trip := range sh.Trips {
			shown.Loggers = append(shown.Loggers, p.logger(trip))
		}
		out.Shipments = append(out.Shipments, shown)
	}
	p.Transport = out
}

// division is the prefecture of a division: no finer than consumers may see, and what
// is outside Guangxi by its code.
func (b base) division(code string) string {
	if r, ok := farm.Prefecture(code); ok {
		return r.Name.In(b.Lang)
	}
	return code
}

func (b base) logger(t trace.Trip) shownLogger {
	out := shownLogger{Coverage: b.T("consumer.coverage", "percent", b.percent(t.Coverage)), Device: b.calibrated(t.Sensor), Gaps: b.gaps(t.Gaps)}
	if t.Kinetic == nil {
		out.Verdict, out.Bad = b.T("consumer.transport.none"), true
		return out
	}
	for _, v := range []struct {
		key   string
		value float64
	}{{"consumer.min", t.Min}, {"consumer.mean", t.Mean}, {"consumer.max", t.Max}, {"consumer.kinetic", *t.Kinetic}} {
		out.Values = append(out.Values, valueText{Name: b.T(v.key), Text: b.grouped(v.value, 1), Machine: strconv.FormatFloat(v.value, 'f', -1, 64)})
	}
	if out.Bad = t.Count > 0; !out.Bad {
		out.Verdict = b.T("consumer.transport.good", "span", b.span(hours(t.Hours)))
		return out
	}
	out.Verdict = b.T("consumer.transport.bad", "n", strconv.Itoa(t.Count), "span", b.span(hours(t.Outside)), "area", b.trim(t.Area))
	for i, e := range t.Excursions {
		if i == maxGaps {
			out.Strayed = append(out.Strayed, b.T("consumer.transport.more", "n", strconv.Itoa(t.Count-i)))
			break
		}
		out.Strayed = append(out.Strayed, b.T("consumer.transport.excursion", "from", at(e.From).Text, "to", at(e.To).Text, "span", b.span(e.To.Sub(e.From)), "peak", b.grouped(e.Peak, 1)))
	}
	return out
}

func hours(h float64) time.Duration { return time.Duration(h * float64(time.Hour)) }

// calibrated says which sensor this is, and when it was last calibrated.
func (b base) calibrated(s trace.Sensor) string {
	if s.Calibration == nil {
		return b.T("consumer.calibrated.never", "device", s.Device)
	}
	return b.T("consumer.calibrated", "device", s.Device, "date", beijing(s.Calibration.At).Format(time.DateOnly))
}

// between writes a range: 10–35 °C, ≥ 5 mg/L.
func (b base) between(lo, hi *float64, unit string) string {
	number := func(v float64) string { return b.local(strconv.FormatFloat(v, 'f', -1, 64)) }
	text := ""
	switch {
	case lo != nil && hi != nil:
		text = number(*lo) + "–" + number(*hi)
	case lo != nil:
		text = "≥ " + number(*lo)
	case hi != nil:
		text = "≤ " + number(*hi)
	}
	return strings.TrimSpace(text + " " + unit)
}

// noNorm says that nothing is known of the product to hold a series against: an empty
// place would look like a good one. Records from before there were norms do not say it.
func (b base) noNorm(e trace.Series, version int) string {
	if version != trace.EvidenceVersion || e.InRange != nil || e.Below != nil || e.DegreeDays != nil {
		return ""
	}
	return b.T("consumer.norm.none")
}

// norms says what the readings of a series come to when held against what is known of
// the product.
func (b base) norms(e trace.Series, unit string) []string {
	var out []string
	if r := e.InRange; r != nil && r.Hours > 0 {
		out = append(out, b.T("consumer.in_range", "range", b.between(r.Min, r.Max, unit), "percent", b.percent(r.Share), "source", r.Source))
	}
	if l := e.Below; l != nil && l.Known > 0 {
		limit := b.between(&l.Limit, nil, unit)[len("≥ "):]
		if l.Hours == 0 {
			out = append(out, b.T("consumer.below.never", "limit", limit, "source", l.Source))
		} else {
			out = append(out, b.T("consumer.below", "limit", limit, "span", b.span(hours(l.Hours)), "source", l.Source))
		}
	}
	if d := e.DegreeDays; d != nil && d.Days > 0 {
		out = append(out, b.degreeDays(*d))
	}
	return out
}

func (b base) degreeDays(d evidence.DegreeDays) string {
	text := b.T("consumer.degree_days", "sum", b.trim(d.Sum), "base", b.trim(d.Base), "days", strconv.Itoa(d.Days), "source", d.Source)
	if len(d.Missing) > 0 {
		text += b.T("consumer.stop") + b.T("consumer.degree_days.missing", "n", strconv.Itoa(len(d.Missing)))
	}
	return text
}

// sensors names the devices of a series, with their calibration where it was sealed.
func (b base) sensors(e trace.Series) string {
	if len(e.Sensors) == 0 {
		return b.T("consumer.devices", "devices", strings.Join(e.Devices, ", "))
	}
	said := make([]string, len(e.Sensors))
	for i, s := range e.Sensors {
		said[i] = b.calibrated(s)
	}
	return b.T("consumer.devices", "devices", strings.Join(said, b.T("consumer.comma")))
}
