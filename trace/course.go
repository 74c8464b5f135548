package trace

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tianhai/farm"
	"tianhai/trace/evidence"
)

// A Course is what one logger has said of a shipment, until now where it is on its way,
// and a curve of it.
type Course struct {
	Trip
	Kept     bool         `json:"kept"`     // by the readings that were sealed; else by those that are stored now
	Interval int64        `json:"interval"` // s, width of one point
	Points   []farm.Point `json:"points"`
}

// Courses returns those of a shipment's loggers, in their order. ErrNoEvidence where
// the readings are out of reach.
func (s *Service) Courses(ctx context.Context, sh Shipment) ([]Course, error) {
	q, known := farm.LookupQuantity(sh.Quantity)
	if !known {
		return nil, fmt.Errorf("courses of %s: nobody knows %s", sh.ID, sh.Quantity)
	}
	to := sh.Arrived
	if to.IsZero() {
		to = s.now()
	}
	if last := sh.Departed.Add(MaxOnTheWay); to.After(last) {
		to = last
	}
	all := make([]Course, 0, len(sh.Loggers))
	for i, logger := range sh.Loggers {
		c := Course{Trip: Trip{Sensor: Sensor{Device: logger}, Gaps: []farm.Gap{}, Excursions: []evidence.Excursion{}}, Points: []farm.Point{}}
		if sh.Departed.Before(to) {
			journey := evidence.NewJourney(q.ID, sh.Departed, to, sh.Limits)
			var err error
			if c.Kept, err = s.course(ctx, sh, i, to, journey); err != nil {
				return nil, fmt.Errorf("course of %s: %w", logger, err)
			}
			found := journey.Result()
			c.Trip = publicTrip(found, q)
			c.Device, c.Interval, c.Points = logger, int64(found.Interval/time.Second), append(c.Points, found.Points...)
		}
		all = append(all, c)
	}
	return all, nil
}

// course adds what the i-th logger said: what was kept at the arrival, or where that is
// gone, or the shipment on its way, what is stored.
func (s *Service) course(ctx context.Context, sh Shipment, i int, to time.Time, journey *evidence.Journey) (kept bool, err error) {
	add := func(r farm.Sample) error {
		if r.Quantity == sh.Quantity {
			journey.Add(r)
		}
		return nil
	}
	if i < len(sh.Trips) && s.Series != nil {
		text, err := s.Series.Open(sh.Trips[i].SHA256)
		if err == nil {
			defer text.Close()
			r, err := evidence.NewReader(text)
			if err == nil {
				_, err = r.Each(add)
			}
			return true, err
		}
		if !errors.Is(err, farm.ErrNotFound) {
			return false, err
		}
	}
	if err := s.Evidence.Readings(ctx, ReadingsQuery{Tenant: sh.Tenant, Device: sh.Loggers[i], From: sh.Departed, To: to}, add); err != nil {
		return false, fmt.Errorf("%w: %w", ErrNoEvidence, err)
	}
	return false, nil
}
