package trace

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"tianhai/farm"
	"tianhai/trace/catalog"
	"tianhai/trace/gate"
	"tianhai/trace/input"
)

// Water says how warm the water of a site was.
type Water interface {
	// DayMeans returns the mean water temperature of the whole Beijing days from that
	// of from until before that of to; days without a reading are left out.
	DayMeans(ctx context.Context, tenant, site string, from, to time.Time) ([]gate.DayMean, error)
}

// Licences knows what a tenant is allowed.
type Licences interface {
	Licences(ctx context.Context, tenant string) ([]farm.Licence, error)
}

// itemQuarantine is the item that holds the number of a 检疫证明.
const itemQuarantine = "quarantine"

// waterStep is for how many days water temperatures are asked at once.
const waterStep = 60

// Permit returns every reason why an act on a tenant's site may not be; none means
// that it may. What an officer has allowed is no reason. It is what the recording of
// the act will be held against, asked before anybody sets out. Errors:
// farm.ErrNotFound for the site, ErrNoEvidence where a wait in degree-days hangs on
// temperatures that are out of reach.
func (s *Service) Permit(ctx context.Context, tenant string, act gate.Act) ([]gate.Refusal, error) {
	refusals, _, err := s.permit(ctx, tenant, act)
	return refusals, err
}

// permit is Permit for a batch of harvested goods and one that was made of it, or for
// none, and says by whose leave there are not more refusals.
func (s *Service) permit(ctx context.Context, tenant string, act gate.Act, of ...Batch) (refusals []gate.Refusal, by []Leave, err error) {
	site, err := s.site(ctx, tenant, act.Site)
	if err != nil {
		return nil, nil, err
	}
	if act.Target.Group == "" {
		act.Target = growsAt(site, s.Catalogs.Current())
	}
	ops, err := s.Store.Operations(ctx, act.Site, time.Unix(0, 0).UTC(), s.now().Add(clockAhead))
	if err != nil {
		return nil, nil, fmt.Errorf("operations of site %s: %w", act.Site, err)
	}
	ops = InForce(ops)
	if act.Kind == gate.Exit && len(of) > 0 {
		act.Quarantine = quarantineOf(ops, act.Season)
	}
	var h gate.History
	if h.Uses, err = s.uses(ctx, site, ops); err != nil {
		return nil, nil, err
	}
	if s.Licences != nil {
		if h.Licences, err = s.Licences.Licences(ctx, tenant); err != nil {
			return nil, nil, fmt.Errorf("licences of %s: %w", tenant, err)
		}
	}
	if h.Water, err = s.water(ctx, tenant, act, h.Uses); err != nil {
		return nil, nil, err
	}
	return s.leave(ctx, act, gate.Check(act, h), of...)
}

// PermitBatch is Permit for what is done with a batch: its sale, its certificate,
// its code. What is made of batches answers for everything that it was made of.
func (s *Service) PermitBatch(ctx context.Context, b Batch, kind gate.ActKind, at time.Time) ([]gate.Refusal, error) {
	refusals, _, err := s.permitBatch(ctx, b, kind, at)
	return refusals, err
}

func (s *Service) permitBatch(ctx context.Context, b Batch, kind gate.ActKind, at time.Time) (all []gate.Refusal, by []Leave, err error) {
	origins, err := s.origins(ctx, b)
	if err != nil {
		return nil, nil, err
	}
	for _, o := range origins {
		target, err := s.target(ctx, o)
		if err != nil {
			return nil, nil, err
		}
		act := gate.Act{Kind: kind, Site: o.Site, At: at, Harvested: o.Harvest, Target: target, Season: o.Began}
		refusals, leave, err := s.permit(ctx, o.Tenant, act, o, b)
		if err != nil {
			return nil, nil, err
		}
		all, by = append(all, refusals...), append(by, leave...)
	}
	return all, by, nil
}

// gateBatch holds the harvest of a new batch against the gates, and says in it which
// version of the site it has seen and by whose leave it may be.
func (s *Service) gateBatch(ctx context.Context, b *Batch) error {
	product, err := s.Store.Product(ctx, b.Product)
	if err != nil {
		return fmt.Errorf("product %s: %w", b.Product, err)
	}
	if b.Seen, err = s.Journal.Version(ctx, b.Site); err != nil {
		return err
	}
	refusals, by, err := s.permitBatch(ctx, *b, harvestOf(product, s.Catalogs.Current()), b.Harvest)
	if err := refuse(refusals, err); err != nil {
		return err
	}
	b.Leave = by
	for i := range b.Leave {
		b.Leave[i].Act = Opening
	}
	return nil
}

// harvestOf returns by which act a product is taken from its site: as its group is;
// animals leave where the catalog says so of them and demands their 检疫证明, and
// otherwise it is what they gave that is collected.
func harvestOf(p Product, c *catalog.Catalog) gate.ActKind {
	switch p.Kind {
	case Aquatic:
		return gate.Catch
	case Livestock:
		known, _ := c.Product(targetOf(p).Species)
		exit, _ := c.Operation(string(gate.Exit))
		if slices.Contains(known.Operations, exit.Kind) && slices.Contains(exit.Required, itemQuarantine) {
			return gate.Exit
		}
		return gate.Collect
	default:
		return gate.Harvest
	}
}

// quarantineOf returns the number of the 检疫证明 with which animals have left a site
// since a time, "" where there is none.
func quarantineOf(ops []Operation, since time.Time) string {
	number := ""
	for _, op := range ops {
		if kind := gate.ActKind(op.Kind); (kind == gate.Exit || kind == gate.Slaughter) && !op.At.Before(since) {
			number = cmp.Or(said(op, itemQuarantine), number)
		}
	}
	return number
}

// targetOf returns what a product is to labels.
func targetOf(p Product) input.Target {
	return input.Target{Group: string(p.Kind), Species: cmp.Or(p.Species, p.ID)}
}

// refuse returns a *gate.Refused where there are reasons.
func refuse(refusals []gate.Refusal, err error) error {
	if err == nil && len(refusals) > 0 {
		return &gate.Refused{Refusals: refusals}
	}
	return err
}

// gateOperation holds an operation that takes something from a site against the
// gates. It returns the overrides by whose leave it may be.
func (s *Service) gateOperation(ctx context.Context, op Operation) ([]Leave, error) {
	kind := gate.ActKind(op.Kind)
	switch kind {
	case gate.Harvest, gate.Catch, gate.Collect, gate.Exit, gate.Slaughter:
	default:
		return nil, nil
	}
	act := gate.Act{Kind: kind, Site: op.Site, At: op.At, Quarantine: said(op, itemQuarantine)}
	refusals, by, err := s.permit(ctx, op.Tenant, act)
	return by, refuse(refusals, err)
}

// growsAt returns what grows on a site as far as the catalog tells: the group, and
// the species where it can only be one.
func growsAt(site farm.Site, c *catalog.Catalog) input.Target {
	var t input.Target
	for i, p := range slices.DeleteFunc(slices.Clone(c.Products), func(p catalog.Product) bool { return !slices.Contains(p.Sites, site.Kind) }) {
		switch {
		case i == 0:
			t = input.Target{Group: p.Group, Species: p.ID}
		case t.Group != p.Group:
			return input.Target{}
		default:
			t.Species = ""
		}
	}
	return t
}

// uses returns what operations say of inputs used: by the labels of what is in
// stock, else as they are written.
func (s *Service) uses(ctx context.Context, site farm.Site, ops []Operation) ([]gate.Use, error) {
	var all []gate.Use
	for _, op := range ops {
		u, err := s.stocked(ctx, site, op)
		if said := (*FieldError)(nil); err != nil && !errors.As(err, &said) {
			return nil, fmt.Errorf("operation %s: %w", op.ID, err)
		}
		if u != nil && err == nil {
			all = append(all, *u)
			continue
		}
		c := s.Catalogs.Current() // of operations from before there was a catalog
		if op.Catalog != 0 {
			if c, err = s.Catalogs.At(ctx, op.Catalog); err != nil {
				return nil, fmt.Errorf("operation %s: %w", op.ID, err)
			}
		}
		if kind, ok := c.Operation(op.Kind); ok && kind.Medicine {
			if u, ok := written(op); ok {
				all = append(all, u)
			}
		}
	}
	return all, nil
}

// written returns the use of a product as the operation itself describes it, with
// the wait that the label says to whoever wrote it; ok is false where it names no
// wait.
func written(op Operation) (u gate.Use, ok bool) {
	label := input.Label{Source: "operation " + op.ID}
	for _, item := range op.Items {
		n, err := strconv.ParseFloat(item.Value, 64)
		switch {
		case err != nil || item.Key != "interval" && item.Key != "withdrawal":
		case item.Unit == "Cel.d":
			label.Wait.DegreeDays = n
		default:
			label.Wait.Days = wholeDays(n)
		}
	}
	if !label.Wait.Stated() {
		return gate.Use{}, false
	}
	name := said(op, "product")
	u = gate.Use{ID: op.ID, At: op.At, Product: input.Product{Kind: input.Pesticide, Name: farm.Text{Zh: name}, Labels: []input.Label{label}}}
	if stop, err := time.ParseInLocation(time.DateOnly, said(op, "stop"), beijing()); err == nil {
		u.Until = stop
	}
	return u, true
}

// wholeDays rounds up: a wait of 2.5 days is over after three dates.
func wholeDays(n float64) *int {
	d := int(n)
	if float64(d) < n {
		d++
	}
	return &d
}

// said returns the value of an operation's item, "" where there is none or a dash.
func said(op Operation, key string) string {
	for _, item := range op.Items {
		if item.Key == key && item.Value != catalog.Dash {
			return item.Value
		}
	}
	return ""
}

// beijing is the time that dates are written in.
func beijing() *time.Location { return time.FixedZone("UTC+8", 8*60*60) }

// errNoThermometer reports that nobody measures water here.
var errNoThermometer = errors.New("no water temperatures are kept")

// water returns the temperatures on which waits in degree-days hang: for each use,
// from a week before it, for the prognosis, until the wait is over or the harvest.
func (s *Service) water(ctx context.Context, tenant string, act gate.Act, uses []gate.Use) ([]gate.DayMean, error) {
	end := act.At
	if !act.Harvested.IsZero() {
		end = act.Harvested
	}
	var all []gate.DayMean
	for _, u := range uses {
		need := 0.0
		for _, l := range u.Product.LabelsFor(act.Target) {
			need = max(need, l.Wait.DegreeDays)
		}
		if need == 0 || u.Void || u.At.After(end) {
			continue
		}
		if s.Water == nil {
			return nil, fmt.Errorf("%w: %w", ErrNoEvidence, errNoThermometer)
		}
		for from := u.Last().AddDate(0, 0, -7); from.Before(end) && !gate.Reckon(u.Last(), end, need, all).Reached; from = from.AddDate(0, 0, waterStep) {
			to := from.AddDate(0, 0, waterStep)
			if end.Before(to) {
				to = end
			}
			means, err := s.Water.DayMeans(ctx, tenant, act.Site, from, to)
			if err != nil {
				return nil, fmt.Errorf("%w: %w", ErrNoEvidence, err)
			}
			all = append(all, means...)
		}
	}
	return all, nil
}
