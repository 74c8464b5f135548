package trace

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"tianhai/farm"
	"tianhai/trace/catalog"
	"tianhai/trace/evidence"
)

// evidence reads what the site's sensors said while a batch grew, keeps it in its
// canonical form, and makes the numbers of it. It reads once, and holds no more than
// one row of each quantity.
func (s *Service) evidence(ctx context.Context, b Batch, p Product) (PublicEvidence, error) {
	to := b.Closed
	if b.Harvest.Before(to) {
		to = b.Harvest
	}
	e := PublicEvidence{Version: EvidenceVersion, From: b.Began.UTC(), To: to.UTC(), Series: []Series{}}
	known, _ := s.Catalogs.Current().Product(cmp.Or(p.Species, p.ID))
	c := collection{shelf: s.Series, site: b.Site, from: e.From, to: e.To, product: known, of: map[string]*collected{}}
	defer c.drop()
	if err := s.Evidence.Readings(ctx, ReadingsQuery{Tenant: b.Tenant, Site: b.Site, From: e.From, To: e.To}, c.add); err != nil {
		return PublicEvidence{}, fmt.Errorf("%w: %w", ErrNoEvidence, err)
	}
	for _, id := range slices.SortedFunc(maps.Keys(c.of), func(a, b string) int { return quantityRank(a) - quantityRank(b) }) {
		series, err := c.of[id].seal()
		if err != nil {
			return PublicEvidence{}, fmt.Errorf("sensor record of %s: %w", id, err)
		}
		if series.Sensors, err = s.sensors(ctx, series, e.To); err != nil {
			return PublicEvidence{}, err
		}
		e.Recorded = e.Recorded || series.N > 0
		e.Series = append(e.Series, series)
	}
	return e, nil
}

// sensors describes the devices of a series.
func (s *Service) sensors(ctx context.Context, series Series, at time.Time) ([]Sensor, error) {
	if s.Sensors == nil {
		return nil, nil
	}
	var all []Sensor
	for _, id := range series.Devices {
		sensor, err := s.Sensors.Sensor(ctx, id, series.Quantity, at)
		if err != nil {
			return nil, fmt.Errorf("sensor %s: %w", id, err)
		}
		all = append(all, sensor)
	}
	return all, nil
}

// A collection sorts readings by quantity.
type collection struct {
	shelf    *evidence.Shelf
	site     string
	from, to time.Time
	product  catalog.Product
	of       map[string]*collected
}

type collected struct {
	quantity farm.Quantity
	draft    *evidence.Draft
	tally    *evidence.Tally
}

func (c *collection) add(s farm.Sample) error {
	got := c.of[s.Quantity]
	if got == nil {
		q, known := farm.LookupQuantity(s.Quantity)
		if !known {
			return fmt.Errorf("%s is no quantity", s.Quantity)
		}
		draft, err := c.shelf.Begin(evidence.Header{Site: c.site, Quantity: q.ID, Unit: q.Unit, From: c.from, To: c.to})
		if err != nil {
			return err
		}
		got = &collected{q, draft, evidence.NewTally(q.ID, c.from, c.to, c.product.NormsOf(q.ID))}
		c.of[q.ID] = got
	}
	got.tally.Add(s)
	return got.draft.Write(s)
}

func (c *collection) drop() {
	for _, got := range c.of {
		got.draft.Drop()
	}
}

func (c *collected) seal() (Series, error) {
	sum, err := c.draft.Keep()
	if err != nil {
		return Series{}, err
	}
	series, err := publicSeries(c.quantity, c.tally.Result())
	series.SHA256 = sum
	return series, err
}

// publicSeries rounds what was found to what is worth sealing.
func publicSeries(q farm.Quantity, n evidence.Numbers) (Series, error) {
	round := func(v float64) float64 { return roundTo(q, v) }
	out := Series{
		Quantity: q.ID, Unit: q.Unit, Devices: append([]string{}, n.Devices...), N: n.N, Rejected: n.Rejected,
		Interval: int(n.Interval / time.Second), Points: []farm.Point{}, Gaps: append([]farm.Gap{}, n.Gaps...),
		Coverage: roundShare(n.Coverage),
	}
	if n.N == 0 { // Min, Mean and Max of nothing
		return out, nil
	}
	out.Min, out.Mean, out.Max = round(n.Min), round(n.Mean), round(n.Max)
	for _, p := range n.Points {
		out.Points = append(out.Points, farm.Point{Time: p.Time, Min: round(p.Min), Mean: round(p.Mean), Max: round(p.Max), N: p.N})
	}
	if q.Sum {
		sum := round(n.Sum)
		out.Sum = &sum
	}
	out.InRange, out.Below, out.DegreeDays = n.InRange, n.Below, n.DegreeDays
	for _, v := range []float64{out.Min, out.Mean, out.Max, out.Coverage, n.Sum} {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return Series{}, fmt.Errorf("the summary holds %v", v)
		}
	}
	return out, nil
}

// roundTo rounds to one decimal more than is worth showing.
func roundTo(q farm.Quantity, v float64) float64 {
	scale := math.Pow10(q.Digits + 1)
	return math.Round(v*scale)/scale + 0 // + 0: never "-0"
}

func roundShare(v float64) float64 { return math.Round(v*1e4) / 1e4 }
