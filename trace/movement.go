package trace

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"tianhai/farm"
	"tianhai/trace/catalog"
	"tianhai/trace/chain"
	"tianhai/trace/gate"
)

// MovementRecord is the kind of a record of a movement. Its body commits to the
// buyer, under the paths that follow.
const (
	MovementRecord = "movement"
	BuyerName      = "buyer.name"
	BuyerPhone     = "buyer.phone"
)

// itemStep is the catalog's item whose options are the steps of processing.
const itemStep = "step"

// Chain keeps batches that are made of batches.
type Chain interface {
	// Move stores a movement, what it makes and its record, and takes its inputs out
	// of stock, or writes nothing. Errors: farm.ErrConflict, farm.ErrNotFound,
	// *chain.ShortError, *chain.DependentError.
	Move(ctx context.Context, m chain.Movement, made []Batch, rec Record) error
	Movement(ctx context.Context, id string) (chain.Movement, error) // farm.ErrNotFound
	// Goods returns what batches are and what is left of each; those that do not
	// exist are left out.
	Goods(ctx context.Context, batches []string) ([]chain.Goods, error)
	Genealogy(ctx context.Context, batches []string, dir chain.Direction) (chain.Graph, error)
	// EraseBuyer erases what a movement's record commits to and stores the record
	// that says so; false, and nothing is written, where there is nothing.
	EraseBuyer(ctx context.Context, movement string, rec Record) (bool, error)
}

// Move stores a movement, the batches it makes and its record. It returns the
// movement as stored and whether it is new: the same one again, by ID, changes
// nothing. What goes in must be there and the farm's own; what comes out, with what
// is lost, is what went in, or it says the yield. What leaves the farm's hands must
// pass the gates. Errors: *FieldError and *chain.FieldError, *chain.BalanceError,
// *chain.ShortError, *chain.DependentError, *gate.Refused, ErrNoEvidence,
// farm.ErrConflict, farm.ErrNotFound. Everything but Recorded, VoidedBy and TakenBy
// is the caller's; of what is received, the inputs are those that were handed over.
func (s *Service) Move(ctx context.Context, m chain.Movement) (stored chain.Movement, added bool, err error) {
	err = steady(ctx, func() error {
		stored, added, err = s.move(ctx, m)
		return err
	})
	if err != nil {
		return chain.Movement{}, false, fmt.Errorf("move: %w", err)
	}
	if added {
		s.added()
	}
	return stored, added, nil
}

func (s *Service) move(ctx context.Context, m chain.Movement) (stored chain.Movement, added bool, err error) {
	m.At, m.Recorded, m.VoidedBy, m.TakenBy = wireTime(m.At), s.now(), "", ""
	if m, err = s.handedOver(ctx, m); err != nil {
		return m, false, err
	}
	for i := range m.Outputs {
		m.Outputs[i].Began, m.Outputs[i].Harvest = wireTime(m.Outputs[i].Began), wireTime(m.Outputs[i].Harvest)
	}
	if _, err := ulid.ParseStrict(m.ID); err != nil {
		return m, false, field("id", "is not a ULID")
	}
	if err := m.Check(m.Recorded); err != nil {
		return m, false, err
	}
	switch old, err := s.Chain.Movement(ctx, m.ID); {
	case err == nil && old.Same(m):
		return old, false, nil
	case err == nil:
		return m, false, fmt.Errorf("movement %s: another one has this ID: %w", m.ID, farm.ErrConflict)
	case !errors.Is(err, farm.ErrNotFound):
		return m, false, err
	}
	if err := s.checkMovement(ctx, m); err != nil {
		return m, false, err
	}
	goods, err := s.inputs(ctx, m)
	if err != nil {
		return m, false, err
	}
	if err := m.Balance(goods); err != nil {
		return m, false, err
	}
	made, err := s.made(ctx, m, goods)
	if err != nil {
		return m, false, err
	}
	if m.Seen, err = s.gateMovement(ctx, m, made); err != nil {
		return m, false, err
	}
	rec, err := s.movementRecord(m)
	if err != nil {
		return m, false, err
	}
	return m, true, s.Chain.Move(ctx, m, made, rec)
}

// handedOver fills in what is received: the inputs of the movement by which it was
// handed over, to the tenant who receives it.
func (s *Service) handedOver(ctx context.Context, m chain.Movement) (chain.Movement, error) {
	if m.Handover == "" {
		return m, nil
	}
	from, err := s.Chain.Movement(ctx, m.Handover)
	if errors.Is(err, farm.ErrNotFound) || err == nil && from.To != m.Tenant {
		return m, field("handover", "is nothing that was handed over to this farm")
	}
	if err != nil {
		return m, err
	}
	m.Inputs = nil
	if m.Kind == chain.Receive {
		m.Inputs = slices.Clone(from.Inputs)
	}
	return m, nil
}

// checkMovement holds a movement against what it names: site, step, receiver, the
// movement it corrects.
func (s *Service) checkMovement(ctx context.Context, m chain.Movement) error {
	if m.Site != "" {
		if _, err := s.site(ctx, m.Tenant, m.Site); err != nil {
			return err
		}
	}
	if m.Step != "" {
		k, _ := s.Catalogs.Current().Item(itemStep)
		if _, known := k.Option(m.Step); !known {
			return field("step", "is not a step of the catalog, version %d", s.Catalogs.Current().Version)
		}
	}
	if m.To != "" {
		if _, err := s.Store.Tenant(ctx, m.To); errors.Is(err, farm.ErrNotFound) {
			return field("to", "is no operator here")
		} else if err != nil {
			return err
		}
	}
	if m.Corrects == "" {
		return nil
	}
	old, err := s.Chain.Movement(ctx, m.Corrects)
	switch {
	case errors.Is(err, farm.ErrNotFound) || err == nil && old.Tenant != m.Tenant:
		return field("corrects", "names no movement of this farm")
	case err != nil:
		return err
	case old.VoidedBy != "":
		return fmt.Errorf("movement %s was taken back by %s: %w", old.ID, old.VoidedBy, farm.ErrConflict)
	case old.Kind == chain.Void || old.Kind == chain.Decline:
		return field("corrects", "names what took another back; record anew instead")
	case m.Kind != chain.Void && (m.Kind != old.Kind || m.Handover != old.Handover):
		return field("corrects", "names a movement of another kind; take it back and record anew instead")
	case m.Kind == chain.Receive:
		return field("corrects", "cannot be of what was received; take it back and receive anew")
	}
	return nil
}

// inputs returns what goes into a movement, by batch.
func (s *Service) inputs(ctx context.Context, m chain.Movement) (map[string]chain.Goods, error) {
	holder := m.Tenant
	if m.Handover != "" {
		from, err := s.Chain.Movement(ctx, m.Handover)
		if err != nil {
			return nil, err
		}
		holder = from.Tenant
	}
	ids := make([]string, len(m.Inputs))
	for i, in := range m.Inputs {
		ids[i] = in.Batch
	}
	all, err := s.Chain.Goods(ctx, ids)
	if err != nil {
		return nil, err
	}
	goods := map[string]chain.Goods{}
	for _, g := range all {
		goods[g.Batch] = g
	}
	for i, in := range m.Inputs {
		g, known := goods[in.Batch]
		name := fmt.Sprintf("inputs[%d].", i)
		switch {
		case !known || g.Tenant != holder:
			return nil, field(name+"batch", "is no batch of this farm")
		case g.Void:
			return nil, field(name+"batch", "is not there: what made it was taken back")
		case g.Made.Dim() != in.Amount.Dim():
			return nil, field(name+"amount.unit", "does not measure what the batch is measured in, %s", g.Made.Unit)
		case m.At.Before(g.Since):
			return nil, field("at", "is before %s was made, at %s", in.Batch, g.Since.Format(time.RFC3339))
		}
	}
	return goods, nil
}

// made returns the batches that a movement makes. They grew as long as what went
// into them: from the first to the last day of any.
func (s *Service) made(ctx context.Context, m chain.Movement, goods map[string]chain.Goods) ([]Batch, error) {
	var made []Batch
	if len(m.Outputs) == 0 {
		return nil, nil
	}
	site, began, harvest := m.Site, time.Time{}, time.Time{}
	for _, in := range m.Inputs {
		b, err := s.Store.Batch(ctx, in.Batch)
		if err != nil {
			return nil, fmt.Errorf("batch %s: %w", in.Batch, err)
		}
		if began.IsZero() || b.Began.Before(began) {
			began = b.Began
		}
		if b.Harvest.After(harvest) {
			harvest = b.Harvest
		}
		if site == "" {
			site = goods[in.Batch].Site
		}
	}
	for i, out := range m.Outputs {
		name := fmt.Sprintf("outputs[%d].", i)
		if _, err := ulid.ParseStrict(out.Batch); err != nil {
			return nil, field(name+"batch", "is not a ULID")
		}
		if _, err := s.Store.Product(ctx, out.Product); errors.Is(err, farm.ErrNotFound) {
			return nil, field(name+"product", "is not known")
		} else if err != nil {
			return nil, err
		}
		b := Batch{
			ID: out.Batch, Tenant: m.Tenant, Site: site, Product: out.Product, Lot: out.Lot,
			Quantity: out.Amount.Float(), Unit: out.Amount.Unit, Began: began, Harvest: harvest, Opened: m.Recorded,
		}
		if m.Kind == chain.Harvest {
			b.Began, b.Harvest = out.Began, out.Harvest
			if err := checkBatch(b, m.Recorded); err != nil {
				bad := (*FieldError)(nil)
				if errors.As(err, &bad) {
					return nil, field(name+bad.Field, "%s", bad.Reason)
				}
				return nil, err
			}
		}
		made = append(made, b)
	}
	return made, nil
}

// gateMovement holds against the gates what is harvested and what leaves the
// tenant's hands.
func (s *Service) gateMovement(ctx context.Context, m chain.Movement, made []Batch) ([]chain.Seen, error) {
	if m.Kind == chain.Harvest {
		return nil, s.gateHarvest(ctx, made)
	}
	if !m.Sale() {
		return nil, nil
	}
	var sold []Batch
	for _, in := range m.Inputs {
		b, err := s.Store.Batch(ctx, in.Batch)
		if err != nil {
			return nil, fmt.Errorf("batch %s: %w", in.Batch, err)
		}
		sold = append(sold, b)
	}
	// First how far the histories have grown, then what they say: who writes into one
	// of them meanwhile is found out where the sale is stored.
	seen, err := s.seen(ctx, sold...)
	if err != nil {
		return nil, err
	}
	for _, b := range sold {
		if err := refuse(s.PermitBatch(ctx, b, gate.Sale, m.At)); err != nil {
			return nil, err
		}
	}
	return seen, nil
}

// seen returns how far the histories have grown that batches are held against.
func (s *Service) seen(ctx context.Context, batches ...Batch) ([]Seen, error) {
	var all []Seen
	for _, b := range batches {
		origins, err := s.origins(ctx, b)
		if err != nil {
			return nil, err
		}
		for _, o := range origins {
			if slices.ContainsFunc(all, func(s Seen) bool { return s.Site == o.Site }) {
				continue
			}
			version, err := s.Journal.Version(ctx, o.Site)
			if err != nil {
				return nil, err
			}
			all = append(all, Seen{Site: o.Site, Tenant: o.Tenant, Version: version})
		}
	}
	// One order for all, so that nobody waits in a ring.
	slices.SortFunc(all, func(a, b Seen) int { return strings.Compare(a.Site, b.Site) })
	return all, nil
}

// gateHarvest holds what one movement takes from a site against the gates. The
// version of the site grows with the first.
func (s *Service) gateHarvest(ctx context.Context, made []Batch) error {
	var used []Leave
	for i := range made {
		if err := s.gateBatch(ctx, &made[i]); err != nil {
			return err
		}
		if slices.ContainsFunc(made[i].Leave, func(l Leave) bool { return slices.Contains(used, l) }) {
			return field(fmt.Sprintf("outputs[%d]", i), "rests on the same override as one above, which is for one batch")
		}
		used = append(used, made[i].Leave...)
		if i > 0 {
			made[i].Seen = 0
		}
	}
	return nil
}

// origins returns the harvested batches that a batch is made of: itself, where
// nobody made it of others.
func (s *Service) origins(ctx context.Context, b Batch) ([]Batch, error) {
	g, err := s.Chain.Genealogy(ctx, []string{b.ID}, chain.Up)
	if err != nil {
		return nil, fmt.Errorf("genealogy of %s: %w", b.ID, err)
	}
	var all []Batch
	for _, n := range g.Roots() {
		if n.Batch == b.ID {
			break
		}
		origin, err := s.Store.Batch(ctx, n.Batch)
		if err != nil {
			return nil, fmt.Errorf("batch %s: %w", n.Batch, err)
		}
		all = append(all, origin)
	}
	if all == nil { // not stored yet, or harvested
		return []Batch{b}, nil
	}
	return all, nil
}

// movementRecord makes the record of a movement. The buyer may be a natural person,
// so the body only commits to name and telephone.
func (s *Service) movementRecord(m chain.Movement) (Record, error) {
	buyer := m.Buyer
	m.Buyer, m.Person = nil, ""
	doc := struct {
		Version  int               `json:"v"`
		Movement chain.Movement    `json:"movement"`
		Personal map[string]string `json:"personal,omitempty"`
	}{Version: 1, Movement: m}
	var personal []Personal
	if buyer != nil {
		doc.Personal = map[string]string{}
		for _, d := range []Personal{{Path: BuyerName, Text: buyer.Name}, {Path: BuyerPhone, Text: buyer.Phone}} {
			if d.Text == "" {
				continue
			}
			d.Salt = make([]byte, saltSize)
			if _, err := io.ReadFull(s.random(), d.Salt); err != nil {
				return Record{}, fmt.Errorf("make salt: %w", err)
			}
			doc.Personal[d.Path] = d.Commitment()
			personal = append(personal, d)
		}
	}
	body, err := marshal(doc)
	if err != nil {
		return Record{}, err
	}
	return s.newRecord(Record{Tenant: m.Tenant, Kind: MovementRecord, Subject: m.ID, Body: body, At: m.Recorded, Personal: personal})
}

// EraseBuyer has the name and telephone number of a buyer outside erased, which the
// movement's record only commits to, and that it was done becomes a record. It
// returns false where none were known. farm.ErrNotFound.
func (s *Service) EraseBuyer(ctx context.Context, movement, by string) (bool, error) {
	m, err := s.Chain.Movement(ctx, movement)
	if err != nil {
		return false, fmt.Errorf("erase buyer: %w", err)
	}
	rec, err := s.Erasure(m.Tenant, false, by)
	if err != nil {
		return false, fmt.Errorf("erase buyer: %w", err)
	}
	erased, err := s.Chain.EraseBuyer(ctx, movement, rec)
	if err != nil {
		return false, fmt.Errorf("erase buyer: %w", err)
	}
	if erased {
		s.added()
	}
	return erased, nil
}

// Steps returns the steps of processing that the catalog knows.
func Steps(c *catalog.Catalog) []catalog.Option {
	k, _ := c.Item(itemStep)
	return k.Choices
}
