package trace

import (
	"context"
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
			found, kept, err := s.course(ctx, sh, i, to)
			if err != nil {
				return nil, fmt.Errorf("course of %s: %w", logger, err)
			}
			c.Trip = publicTrip(found, q)
			c.Device, c.Kept, c.Interval, c.Points = logger, kept, int64(found.Interval/time.Second), append(c.Points, found.Points...)
		}
		all = append(all, c)
	}
	return all, nil
}

// course returns what the i-th logger said: by what was kept at the arrival, or where
// that is gone or damaged, or the shipment on its way, by what is stored.
func (s *Service) course(ctx context.Context, sh Shipment, i int, to time.Time) (found evidence.Trip, kept bool, err error) {
	journey := evidence.NewJourney(sh.Quantity, sh.Departed, to, sh.Limits)
	add := func(r farm.Sample) error {
		if r.Quantity == sh.Quantity {
			journey.Add(r)
		}
		return nil
	}
	if i < len(sh.Trips) && s.readKept(sh.Trips[i].SHA256, add) {
		return journey.Result(), true, nil
	}
	journey = evidence.NewJourney(sh.Quantity, sh.Departed, to, sh.Limits)
	if err := s.Evidence.Readings(ctx, ReadingsQuery{Tenant: sh.Tenant, Device: sh.Loggers[i], From: sh.Departed, To: to}, add); err != nil {
		return found, false, fmt.Errorf("%w: %w", ErrNoEvidence, err)
	}
	return journey.Result(), false, nil
}

// readKept passes the readings of a hash, and reports whether all of them are there.
func (s *Service) readKept(sum string, add func(farm.Sample) error) bool {
	text, err := s.Series.Open(sum)
	if err != nil {
		return false
	}
	defer text.Close()
	r, err := evidence.NewReader(text)
	if err != nil {
		return false
	}
	found, err := r.Each(add)
	return err == nil && found == sum
}
