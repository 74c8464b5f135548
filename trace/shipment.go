package trace

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/oklog/ulid/v2"

	"tianhai/farm"
	"tianhai/trace/evidence"
)

// The kinds of Record that tell of a shipment: that it left, and what its loggers say
// now that it has arrived. Their subject is its ID, their body a Shipment.
const (
	ShipmentRecord = "shipment"
	ArrivalRecord  = "arrival"
)

// shipmentVersion is that of the bodies.
const shipmentVersion = 1

// Limits of a shipment.
const (
	MaxShipped  = 100 // batches
	MaxLoggers  = 20
	MaxOnTheWay = 60 * 24 * time.Hour
	maxCarrier  = 200 // bytes, of carrier and of vehicle
)

// A Shipment is batches on their way, in the company of loggers. Carrier and vehicle
// may name a person, so that records hold commitments in their place.
type Shipment struct {
	Version     int             `json:"v"`
	ID          string          `json:"id"` // ULID, minted by the client
	Tenant      string          `json:"tenant"`
	Batches     []string        `json:"batches"`     // IDs
	Origin      string          `json:"origin"`      // GB/T 2260, as is Destination
	Destination string          `json:"destination"` //
	Carrier     string          `json:"carrier,omitempty"`
	Vehicle     string          `json:"vehicle,omitempty"`
	Loggers     []string        `json:"loggers"`  // devices
	Quantity    string          `json:"quantity"` // a temperature
	Limits      evidence.Limits `json:"limits"`
	Departed    time.Time       `json:"departed"`
	Arrived     time.Time       `json:"arrived,omitzero"`
	Recorded    time.Time       `json:"recorded"`        // by the server's clock
	Trips       []Trip          `json:"trips,omitempty"` // of Loggers, in their order, once it has arrived

	Personal map[string]string `json:"personal,omitempty"` // commitments, by path
	Account  string            `json:"-"`                  // who recorded its departure
}

// A Trip is what one logger says of a shipment; see evidence.Trip. Temperatures are
// in °C.
type Trip struct {
	Sensor
	SHA256     string               `json:"sha256"` // of the logger's canonical series
	N          int                  `json:"n"`
	Rejected   int                  `json:"rejected"`
	Min        float64              `json:"min"`
	Mean       float64              `json:"mean"` // over the known time
	Max        float64              `json:"max"`
	Kinetic    *float64             `json:"kinetic,omitempty"` // mean kinetic temperature; nil where no time is known
	Hours      float64              `json:"hours"`             // in which the temperature is known
	Coverage   float64              `json:"coverage"`
	Gaps       []farm.Gap           `json:"gaps"`
	Outside    float64              `json:"outside"` // hours outside the limits
	Area       float64              `json:"area"`    // °C·h outside the limits
	Count      int                  `json:"count"`   // excursions; the longest are told
	Excursions []evidence.Excursion `json:"excursions"`
}

func (s *Shipment) personalFields() map[string]*string {
	return map[string]*string{"carrier": &s.Carrier, "vehicle": &s.Vehicle}
}

// Same reports whether two say the same of a departure, whenever they were received.
func (s Shipment) Same(o Shipment) bool {
	limits := func(l evidence.Limits) string { raw, _ := json.Marshal(l); return string(raw) }
	return s.ID == o.ID && s.Tenant == o.Tenant && slices.Equal(s.Batches, o.Batches) && s.Origin == o.Origin && s.Destination == o.Destination &&
		s.Carrier == o.Carrier && s.Vehicle == o.Vehicle && slices.Equal(s.Loggers, o.Loggers) && s.Quantity == o.Quantity &&
		limits(s.Limits) == limits(o.Limits) && s.Departed.Equal(o.Departed)
}

// ReadShipment reads the sealed body of a record about a shipment, with what of the
// personal data it commits to was not erased.
func ReadShipment(rec Record) (Shipment, error) {
	var s Shipment
	if rec.Kind != ShipmentRecord && rec.Kind != ArrivalRecord {
		return s, fmt.Errorf("read shipment %s: its kind is %s", rec.ID, rec.Kind)
	}
	if err := json.Unmarshal(rec.Body, &s); err != nil {
		return s, fmt.Errorf("read shipment %s: %w", rec.ID, err)
	}
	if s.Version != shipmentVersion || s.ID != rec.Subject {
		return s, fmt.Errorf("read shipment %s: version %d about %s is not what it should be", rec.ID, s.Version, s.ID)
	}
	if err := disclose(s.personalFields(), s.Personal, rec.Personal); err != nil {
		return s, fmt.Errorf("read shipment %s: %w", rec.ID, err)
	}
	return s, nil
}

// Shipments keeps shipments.
type Shipments interface {
	// AddShipment stores one and its record; farm.ErrConflict where its ID is taken,
	// farm.ErrNotFound where a batch or a logger is none of its tenant's.
	AddShipment(ctx context.Context, s Shipment, rec Record) error
	Shipment(ctx context.Context, id string) (Shipment, error) // farm.ErrNotFound
	// EndShipment stores the arrival and its record, once; farm.ErrConflict.
	EndShipment(ctx context.Context, s Shipment, rec Record) error
}

// Depart stores a shipment and its record. The same one again, by ID, changes
// nothing; another under its ID is farm.ErrConflict. Limits that are not stated are
// those of the catalog for what is shipped, and where several are, what suits all of
// them. Errors: *FieldError, farm.ErrNotFound for a batch or a logger that the tenant
// does not have.
func (s *Service) Depart(ctx context.Context, sh Shipment) (stored Shipment, added bool, err error) {
	sh.Version, sh.Recorded, sh.Departed, sh.Arrived, sh.Trips, sh.Personal = shipmentVersion, s.now(), wireTime(sh.Departed), time.Time{}, nil, nil
	sh.Quantity = cmp.Or(sh.Quantity, "air.temperature")
	if err := checkShipment(sh); err != nil {
		return Shipment{}, false, fmt.Errorf("ship: %w", err)
	}
	if sh.Limits, err = s.coldLimits(ctx, sh); err != nil {
		return Shipment{}, false, fmt.Errorf("ship: %w", err)
	}
	switch old, err := s.Shipments.Shipment(ctx, sh.ID); {
	case err == nil && old.Tenant == sh.Tenant && old.Same(sh):
		return old, false, nil
	case err == nil:
		return Shipment{}, false, fmt.Errorf("ship %s: another one has this ID: %w", sh.ID, farm.ErrConflict)
	case !errors.Is(err, farm.ErrNotFound):
		return Shipment{}, false, fmt.Errorf("ship: %w", err)
	}
	sealed := sh
	var personal []Personal
	if sealed.Personal, personal, err = withhold(sealed.personalFields(), s.random()); err != nil {
		return Shipment{}, false, fmt.Errorf("ship: %w", err)
	}
	rec, err := s.shipmentRecord(ShipmentRecord, sealed, personal)
	if err != nil {
		return Shipment{}, false, fmt.Errorf("ship: %w", err)
	}
	if err := s.Shipments.AddShipment(ctx, sealed, rec); err != nil {
		return Shipment{}, false, fmt.Errorf("ship: %w", err)
	}
	s.added()
	return sh, true, nil
}

func (s *Service) shipmentRecord(kind string, sh Shipment, personal []Personal) (Record, error) {
	body, err := marshal(sh)
	if err != nil {
		return Record{}, err
	}
	return s.newRecord(Record{Tenant: sh.Tenant, Kind: kind, Subject: sh.ID, Body: body, At: sh.Recorded, Personal: personal})
}

func checkShipment(sh Shipment) error {
	if _, err := ulid.ParseStrict(sh.ID); err != nil {
		return field("id", "is not a ULID")
	}
	for name, list := range map[string]struct {
		of   []string
		most int
	}{"batches": {sh.Batches, MaxShipped}, "loggers": {sh.Loggers, MaxLoggers}} {
		if len(list.of) == 0 || len(list.of) > list.most {
			return field(name, "are %d, want 1 to %d", len(list.of), list.most)
		}
		for i, id := range list.of {
			if slices.Contains(list.of[:i], id) {
				return field(fmt.Sprintf("%s[%d]", name, i), "is there twice")
			}
		}
	}
	for name, region := range map[string]string{"origin": sh.Origin, "destination": sh.Destination} {
		if !isRegion(region) {
			return field(name, "is not a GB/T 2260 code of six digits, such as 450700")
		}
	}
	for name, text := range map[string]string{"carrier": sh.Carrier, "vehicle": sh.Vehicle} {
		if text == "" {
			continue
		}
		if err := checkText(name, text, maxCarrier); err != nil {
			return err
		}
	}
	if q, known := farm.LookupQuantity(sh.Quantity); !known || q.Unit != "Cel" {
		return field("quantity", "is not a temperature, such as air.temperature")
	}
	if sh.Departed.Before(sh.Recorded.Add(-MaxOnTheWay)) || sh.Departed.After(sh.Recorded.Add(clockAhead)) {
		return field("departed", "is more than %d days ago, or ahead of the server's clock", int(MaxOnTheWay.Hours()/24))
	}
	return nil
}

func isRegion(code string) bool {
	for i := range len(code) {
		if code[i] < '0' || code[i] > '9' {
			return false
		}
	}
	return len(code) == 6
}

// coldLimits returns the stated limits, else those that suit all that is shipped.
func (s *Service) coldLimits(ctx context.Context, sh Shipment) (evidence.Limits, error) {
	l := sh.Limits
	for i, id := range sh.Batches {
		b, err := s.Store.Batch(ctx, id)
		if err == nil && b.Tenant != sh.Tenant {
			err = farm.ErrNotFound
		}
		if err != nil {
			return l, fmt.Errorf("batches[%d] %s: %w", i, id, err)
		}
		if sh.Limits.Min != nil || sh.Limits.Max != nil {
			continue
		}
		p, err := s.Store.Product(ctx, b.Product)
		if err != nil {
			return l, fmt.Errorf("product %s: %w", b.Product, err)
		}
		known, _ := s.Catalogs.Current().Product(cmp.Or(p.Species, p.ID))
		if known.Cold == nil {
			return l, field("limits", "are not stated, and the catalog has none for %s", cmp.Or(p.Species, p.ID))
		}
		l = narrower(l, *known.Cold)
	}
	if err := l.Check(); err != nil {
		return l, field("limits", "cannot be: %v", err)
	}
	return l, checkText("limits.source", l.Source, maxCarrier)
}

// narrower returns limits that keep to both.
func narrower(a, b evidence.Limits) evidence.Limits {
	if a.Source == "" {
		return b
	}
	if b.Min != nil && (a.Min == nil || *b.Min > *a.Min) {
		a.Min = b.Min
	}
	if b.Max != nil && (a.Max == nil || *b.Max < *a.Max) {
		a.Max = b.Max
	}
	if a.Activation != b.Activation {
		a.Activation = 0
	}
	if a.Source != b.Source && len(a.Source)+len(b.Source) < maxCarrier-3 {
		a.Source += "; " + b.Source
	}
	return a
}

// Arrive ends a shipment: it collects what the loggers say of the time between, keeps
// it in canonical form and seals what follows from it. A call that failed, with
// ErrNoEvidence or otherwise, can be repeated. One that has ended at the same time is
// returned as it is, else farm.ErrConflict. A shipment that the tenant does not have
// is farm.ErrNotFound. Other errors: *FieldError.
func (s *Service) Arrive(ctx context.Context, tenant, id string, arrived time.Time) (Shipment, error) {
	sh, err := s.Shipments.Shipment(ctx, id)
	if err == nil && sh.Tenant != tenant {
		err = farm.ErrNotFound
	}
	if err != nil {
		return Shipment{}, fmt.Errorf("arrive %s: %w", id, err)
	}
	now := s.now()
	arrived = wireTime(arrived)
	switch {
	case sh.Arrived.Equal(arrived) && !arrived.IsZero():
		return sh, nil
	case !sh.Arrived.IsZero():
		return Shipment{}, fmt.Errorf("arrive %s: it has arrived already: %w", id, farm.ErrConflict)
	case !sh.Departed.Before(arrived) || arrived.After(now.Add(clockAhead)) || arrived.Sub(sh.Departed) > MaxOnTheWay:
		return Shipment{}, fmt.Errorf("arrive %s: %w", id, field("arrived", "is not after departed, or ahead of the server's clock, or more than %d days later", int(MaxOnTheWay.Hours()/24)))
	}
	told := sh
	told.Arrived, told.Recorded = arrived, now
	if told.Trips, err = s.trips(ctx, told); err != nil {
		return Shipment{}, fmt.Errorf("arrive %s: %w", id, err)
	}
	sealed := told
	sealed.Carrier, sealed.Vehicle, sealed.Personal = "", "", nil // the record of the departure commits to them
	rec, err := s.shipmentRecord(ArrivalRecord, sealed, nil)
	if err != nil {
		return Shipment{}, fmt.Errorf("arrive %s: %w", id, err)
	}
	if err := s.Shipments.EndShipment(ctx, sealed, rec); err != nil {
		return Shipment{}, fmt.Errorf("arrive %s: %w", id, err)
	}
	s.added()
	return told, nil
}

func (s *Service) trips(ctx context.Context, sh Shipment) ([]Trip, error) {
	q, _ := farm.LookupQuantity(sh.Quantity)
	all := make([]Trip, 0, len(sh.Loggers))
	for _, logger := range sh.Loggers {
		trip, err := s.trip(ctx, sh, logger, q)
		if err != nil {
			return nil, fmt.Errorf("logger %s: %w", logger, err)
		}
		if s.Sensors != nil {
			if trip.Sensor, err = s.Sensors.Sensor(ctx, logger, sh.Quantity, sh.Arrived); err != nil {
				return nil, fmt.Errorf("logger %s: %w", logger, err)
			}
		}
		all = append(all, trip)
	}
	return all, nil
}

func (s *Service) trip(ctx context.Context, sh Shipment, logger string, q farm.Quantity) (Trip, error) {
	draft, err := s.Series.Begin(evidence.Header{Shipment: sh.ID, Quantity: q.ID, Unit: q.Unit, From: sh.Departed, To: sh.Arrived})
	if err != nil {
		return Trip{}, err
	}
	defer draft.Drop()
	journey := evidence.NewJourney(q.ID, sh.Departed, sh.Arrived, sh.Limits)
	err = s.Evidence.Readings(ctx, ReadingsQuery{Tenant: sh.Tenant, Device: logger, From: sh.Departed, To: sh.Arrived}, func(r farm.Sample) error {
		if r.Quantity != q.ID {
			return nil
		}
		journey.Add(r)
		return draft.Write(r)
	})
	if err != nil {
		return Trip{}, fmt.Errorf("%w: %w", ErrNoEvidence, err)
	}
	sum, err := draft.Keep()
	if err != nil {
		return Trip{}, err
	}
	t := publicTrip(journey.Result(), q)
	t.Device, t.SHA256 = logger, sum
	return t, nil
}

// publicTrip rounds what was found to what is worth sealing.
func publicTrip(j evidence.Trip, q farm.Quantity) Trip {
	t := Trip{
		N: j.N, Rejected: j.Rejected, Min: roundTo(q, j.Min), Mean: j.Level, Max: roundTo(q, j.Max), Hours: j.Known, Coverage: roundShare(j.Coverage),
		Gaps: append([]farm.Gap{}, j.Gaps...), Outside: j.Outside, Area: j.Area, Count: j.Count, Excursions: append([]evidence.Excursion{}, j.Excursions...),
	}
	if j.Known > 0 {
		t.Kinetic = &j.Kinetic
	}
	return t
}

// Recompute makes every number of one logger's trip again from its readings in
// canonical form; see PublicEvidence.Recompute. Which logger's they are, the readings
// say; where there is none, they are of one that gave none.
func (s Shipment) Recompute(text []byte) (logger string, findings []Finding, err error) {
	r, err := evidence.NewReader(bytes.NewReader(text))
	if err != nil {
		return "", nil, err
	}
	q, known := farm.LookupQuantity(s.Quantity)
	if h := r.Header; !known || h.Shipment != s.ID || h.Quantity != s.Quantity || !h.From.Equal(s.Departed) || !h.To.Equal(s.Arrived) {
		return "", nil, fmt.Errorf("the series is of %s of shipment %s from %s to %s", h.Quantity, h.Shipment, stamp(h.From), stamp(h.To))
	}
	journey := evidence.NewJourney(q.ID, s.Departed, s.Arrived, s.Limits)
	sum, err := r.Each(func(r farm.Sample) error {
		if logger != "" && logger != r.Device {
			return fmt.Errorf("rows of %s and of %s stand in one series", logger, r.Device)
		}
		logger = r.Device
		journey.Add(r)
		return nil
	})
	if err != nil {
		return "", nil, err
	}
	i := slices.IndexFunc(s.Trips, func(t Trip) bool { return t.Device == logger || logger == "" && t.N+t.Rejected == 0 })
	if i < 0 {
		return logger, nil, fmt.Errorf("%q is no logger of shipment %s", logger, s.ID)
	}
	again := publicTrip(journey.Result(), q)
	again.SHA256 = sum
	return s.Trips[i].Device, compared(s.Trips[i].statements(), again.statements()), nil
}

func (t Trip) statements() []Finding {
	kinetic := ""
	if t.Kinetic != nil {
		kinetic = number(*t.Kinetic)
	}
	return []Finding{
		{Name: "sha256", Sealed: t.SHA256},
		{Name: "n", Sealed: number(float64(t.N))},
		{Name: "rejected", Sealed: number(float64(t.Rejected))},
		{Name: "min", Sealed: number(t.Min)},
		{Name: "mean", Sealed: number(t.Mean)},
		{Name: "max", Sealed: number(t.Max)},
		{Name: "kinetic", Sealed: kinetic},
		{Name: "hours", Sealed: number(t.Hours)},
		{Name: "coverage", Sealed: number(t.Coverage)},
		{Name: "gaps", Sealed: brief(t.Gaps)},
		{Name: "outside", Sealed: number(t.Outside)},
		{Name: "area", Sealed: number(t.Area)},
		{Name: "count", Sealed: number(float64(t.Count))},
		{Name: "excursions", Sealed: brief(t.Excursions)},
	}
}
