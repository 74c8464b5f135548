package trace

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"tianhai/farm"
	"tianhai/trace/catalog"
	"tianhai/trace/gate"
	"tianhai/trace/input"
)

// Inputs knows what is in stock.
type Inputs interface {
	// Lot returns a lot and what is left of it; farm.ErrNotFound.
	Lot(ctx context.Context, id string) (input.Stock, error)
	// Input returns a registered product with the labels of a time; farm.ErrNotFound.
	Input(ctx context.Context, id string, at time.Time) (input.Product, error)
}

// The records of stock. Their subject is the lot.
const (
	LotRecord      = "lot"
	WriteOffRecord = "write_off"
)

// Stock keeps what was bought. Each method writes everything or nothing.
type Stock interface {
	// Buy stores lots and the record of each; farm.ErrConflict where an ID is taken,
	// farm.ErrNotFound for an unknown product or tenant, *input.FieldError.
	Buy(ctx context.Context, lots []input.Lot, recs []Record) error
	// WriteOff takes an amount from a lot; *input.ShortError. The same again is
	// nothing new, another under its ID farm.ErrConflict.
	WriteOff(ctx context.Context, w input.WriteOff, rec Record) error
}

// Buy stores lots that were bought, all or none, and a record of each. Everything but
// Recorded is the caller's. Errors are of Stock.
func (s *Service) Buy(ctx context.Context, lots []input.Lot) error {
	now := s.now()
	recs := make([]Record, len(lots))
	for i := range lots {
		l := &lots[i]
		l.Recorded, l.Made, l.Expires = now, wireTime(l.Made), wireTime(l.Expires)
		var err error
		if recs[i], err = s.stockRecord(LotRecord, l.Tenant, l.ID, now, l); err != nil {
			return fmt.Errorf("buy: %w", err)
		}
	}
	if err := s.Stock.Buy(ctx, lots, recs); err != nil {
		return fmt.Errorf("buy: %w", err)
	}
	s.added()
	return nil
}

// WriteOff takes an amount from a lot for a reason, and stores a record of it.
// Everything but Recorded is the caller's. Errors: *input.FieldError,
// *input.ShortError, farm.ErrConflict, farm.ErrNotFound for the lot.
func (s *Service) WriteOff(ctx context.Context, w input.WriteOff) (input.WriteOff, error) {
	w.Recorded = s.now()
	if err := w.Check(); err != nil {
		return w, fmt.Errorf("write off: %w", err)
	}
	rec, err := s.stockRecord(WriteOffRecord, w.Tenant, w.Lot, w.Recorded, w)
	if err != nil {
		return w, fmt.Errorf("write off: %w", err)
	}
	if err := s.Stock.WriteOff(ctx, w, rec); err != nil {
		return w, fmt.Errorf("write off: %w", err)
	}
	s.added()
	return w, nil
}

func (s *Service) stockRecord(kind, tenant, lot string, at time.Time, what any) (Record, error) {
	body, err := marshal(struct {
		Version int `json:"v"`
		What    any `json:"what"`
	}{1, what})
	if err != nil {
		return Record{}, err
	}
	return s.newRecord(Record{Tenant: tenant, Kind: kind, Subject: lot, Body: body, At: at})
}

// Items of operations by which stock and labels are reckoned.
const (
	itemLot    = "lot"
	itemAmount = "amount"
	itemCrop   = "crop"
)

// buying is the kind of operation whose lot is new, not drawn from.
const buying = "buy"

// draw holds an operation that uses a lot against the label, the bans and the uses
// before it, and sets what it takes from stock: nothing where it names no lot.
// Errors: *FieldError, *gate.Refused.
func (s *Service) draw(ctx context.Context, site farm.Site, op *Operation) error {
	u, err := s.stocked(ctx, site, *op)
	if err != nil || u == nil {
		return err
	}
	ops, err := s.Store.Operations(ctx, op.Site, time.Unix(0, 0).UTC(), op.Recorded.Add(clockAhead))
	if err != nil {
		return fmt.Errorf("operations of site %s: %w", op.Site, err)
	}
	h := gate.History{Bans: s.Bans}
	if s.OwnBans != nil {
		own, err := s.OwnBans(ctx)
		if err != nil {
			return fmt.Errorf("banned substances: %w", err)
		}
		h.Bans = slices.Concat(s.Bans, own)
	}
	if h.Uses, err = s.uses(ctx, site, InForce(append(ops, *op))); err != nil {
		return err
	}
	act := gate.Act{Kind: gate.Apply, Site: op.Site, At: op.At, Target: u.Target, Use: u}
	refusals, by, err := s.leave(ctx, act, gate.Check(act, h))
	if err := refuse(refusals, err); err != nil {
		return err
	}
	op.Draw, op.Leave = &input.Draw{Lot: u.Lot.ID, Amount: u.Quantity}, append(op.Leave, by...)
	return nil
}

// stocked returns the use of a lot in stock that an operation is; nil where it is
// none. Errors: *FieldError for what it says of the lot, the amount or the crop.
func (s *Service) stocked(ctx context.Context, site farm.Site, op Operation) (*gate.Use, error) {
	id := said(op, itemLot)
	if s.Inputs == nil || id == "" || op.Kind == buying || op.Kind == catalog.Void {
		return nil, nil
	}
	lot, err := s.Inputs.Lot(ctx, id)
	if errors.Is(err, farm.ErrNotFound) || err == nil && lot.Tenant != op.Tenant {
		return nil, field("items."+itemLot, "is not a lot of this farm")
	} else if err != nil {
		return nil, fmt.Errorf("lot %s: %w", id, err)
	}
	product, err := s.Inputs.Input(ctx, lot.Product, op.Recorded)
	if err != nil {
		return nil, fmt.Errorf("input %s: %w", lot.Product, err)
	}
	u := &gate.Use{ID: op.ID, At: op.At, Product: product, Lot: lot.Lot, Target: growsAt(site, s.Catalogs.Current())}
	if u.Quantity, err = drawn(op, lot.Lot); err != nil {
		return nil, err
	}
	if crop := said(op, itemCrop); crop != "" {
		p, known := s.Catalogs.Current().Product(crop)
		if !known {
			return nil, field("items."+itemCrop, "is not a product of the catalog")
		}
		u.Target = input.Target{Group: p.Group, Species: p.ID}
	}
	if u.Target.Species == "" && product.Kind.ByLabel() {
		return nil, field("items."+itemCrop, "is missing: more than one thing can grow here, and the label depends on it")
	}
	if stop, err := time.ParseInLocation(time.DateOnly, said(op, "stop"), beijing()); err == nil {
		u.Until = stop
	}
	if label, ok := product.LabelFor(u.Target); ok {
		u.Extent = extent(op, label.Dose)
		if u.Extent.N == 0 {
			return declared(op, *u), nil
		}
	}
	return u, nil
}

// drawn returns the amount that an operation takes from a lot.
func drawn(op Operation, lot input.Lot) (input.Amount, error) {
	for _, key := range []string{itemAmount, "quantity"} {
		for _, item := range op.Items {
			if item.Key != key || item.Value == catalog.Dash {
				continue
			}
			a, err := amount(item)
			if err != nil {
				return input.Amount{}, field("items."+key, "is not an amount that can be drawn from stock, such as 250 mL")
			}
			if whole, err := input.Measure(lot.Quantity, lot.Unit); err != nil || whole.Dim != a.Dim || a.N <= 0 {
				return input.Amount{}, field("items."+key, "is not in a unit of the lot, %s, or nothing", lot.Unit)
			}
			return a, nil
		}
	}
	return input.Amount{}, field("items."+itemAmount, "is missing: it is drawn from stock")
}

func amount(item Item) (input.Amount, error) {
	v, err := strconv.ParseFloat(item.Value, 64)
	if err != nil {
		return input.Amount{}, err
	}
	return input.Measure(v, item.Unit)
}

// extent returns what an operation says that it was used on, in the basis of a dose.
func extent(op Operation, d input.Dose) input.Amount {
	key := map[input.Basis]string{
		input.PerArea: "area", input.PerWater: "treated_water", input.PerBody: "treated_mass", input.PerFeed: "treated_mass", input.PerHead: "heads",
	}[d.Basis]
	for _, item := range op.Items {
		if item.Key == key {
			if a, err := amount(item); err == nil {
				return a
			}
		}
	}
	return input.Amount{}
}

// declared returns the use for its label's dose with the dose that the operation
// states, "60 mL/[mu_chn]", where it does not say what it was used on. What is
// drawn from stock stays what is drawn.
func declared(op Operation, u gate.Use) *gate.Use {
	for _, item := range op.Items {
		unit, per, ok := strings.Cut(item.Unit, "/")
		if item.Key != "dose" || !ok {
			continue
		}
		rate, err := amount(Item{Value: item.Value, Unit: unit})
		one, errOne := input.Measure(1, per)
		if err == nil && errOne == nil {
			u.Rate, u.Extent = rate, one
		}
	}
	return &u
}
