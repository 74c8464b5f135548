package recall

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"tianhai/farm"
	"tianhai/trace/chain"
)

// Reports knows laboratory reports.
type Reports interface {
	// Failed returns the batch that a report is of; farm.ErrNotFound, and *FieldError
	// where nothing in it failed.
	Failed(ctx context.Context, report string) (batch string, err error)
}

// A Plan is what a recall from a start would be.
type Plan struct {
	Tenant string // whom the start belongs to
	Region string // where it lies
	// Causes are those of the recall; Left are those that the start leaves out.
	Causes, Left []Cause
	Members      []Member
}

// planner finds the causes of a start.
type planner struct {
	past  Past
	farms Farms
	// within reports whether another tenant's lot of the same maker's batch is in too.
	within func(tenant string) bool
	tested string // the batch that a failed report is of, where the start is one
}

func (p planner) plan(ctx context.Context, s Start) (Plan, error) {
	if err := s.Check(); err != nil {
		return Plan{}, err
	}
	var out Plan
	var all []Cause
	var err error
	switch s.Kind {
	case FromSite:
		site, siteErr := p.farms.Site(ctx, s.ID)
		out.Tenant, err = site.Tenant, siteErr
		all = []Cause{{Kind: OnGrown, Subject: s.ID, From: Day(s.From), To: nextDay(s.To), Reason: BySite}}
	case FromLot:
		out.Tenant, all, err = p.lot(ctx, s.ID)
	case FromBatch:
		out.Tenant, all, err = p.batch(ctx, s.ID)
	case FromTest:
		out.Tenant, all, err = p.batch(ctx, p.tested)
	}
	if err != nil {
		return Plan{}, fmt.Errorf("%s %s: %w", s.Kind, s.ID, err)
	}
	for _, c := range all {
		if slices.Contains(s.Without, c.Key()) {
			out.Left = append(out.Left, c)
		} else {
			out.Causes = append(out.Causes, c)
		}
	}
	if len(out.Causes) > MaxCauses {
		return Plan{}, ErrTooLarge
	}
	if out.Members, err = Find(ctx, p.past, out.Causes, nil); err != nil {
		return Plan{}, err
	}
	out.Region, err = p.region(ctx, s, out)
	return out, err
}

// region returns where a recall begins: on the site of the start, else where the
// operator is.
func (p planner) region(ctx context.Context, s Start, plan Plan) (string, error) {
	site := ""
	if s.Kind == FromSite {
		site = s.ID
	}
	for _, m := range plan.Members {
		if site == "" && m.Tenant == plan.Tenant {
			site = m.Site
		}
	}
	if site != "" {
		at, err := p.farms.Site(ctx, site)
		return at.Region, err
	}
	t, err := p.farms.Tenant(ctx, plan.Tenant)
	return t.Region, err
}

func (p planner) lot(ctx context.Context, id string) (tenant string, causes []Cause, err error) {
	alike, err := p.past.Alike(ctx, id)
	if err != nil {
		return "", nil, err
	}
	for _, l := range alike {
		if l.ID == id {
			tenant = l.Tenant
		}
		if l.ID == id || p.within(l.Tenant) {
			causes = append(causes, Cause{Kind: OnLot, Subject: l.ID, Reason: ByLot})
		}
	}
	return tenant, causes, nil
}

// batch returns what others share with a batch: what it was made of, the harvests
// and the lots of where that grew.
func (p planner) batch(ctx context.Context, id string) (tenant string, causes []Cause, err error) {
	own, err := p.past.Batches(ctx, []string{id})
	if err != nil {
		return "", nil, err
	}
	if len(own) == 0 {
		return "", nil, farm.ErrNotFound
	}
	above, edges, err := p.past.Ancestors(ctx, []string{id})
	if err != nil {
		return "", nil, err
	}
	causes = []Cause{{Kind: OnBatch, Subject: id, Reason: ByStart}}
	for _, b := range above {
		causes = append(causes, Cause{Kind: OnBatch, Subject: b.ID, Reason: ByOrigin})
	}
	seen := map[string]bool{}
	add := func(c Cause) {
		if !seen[c.Key()] {
			seen[c.Key()] = true
			causes = append(causes, c)
		}
	}
	for _, b := range append(own, above...) {
		if slices.ContainsFunc(edges, func(e Edge) bool { return e.Made == b.ID }) {
			continue // it was made, it did not grow
		}
		from, to := Day(b.Harvest), nextDay(b.Harvest)
		add(Cause{Kind: OnHarvest, Subject: b.Site, From: from, To: to, Reason: ByHarvest})
		lots, err := p.past.Used(ctx, b.Site, Day(b.Began), to)
		if err != nil {
			return "", nil, err
		}
		for _, l := range lots {
			add(Cause{Kind: OnLot, Subject: l, Reason: ByLot})
		}
	}
	return own[0].Tenant, causes, nil
}

// holdings returns who has what of the members.
func holdings(members []Member) []Holding {
	var all []Holding
	for _, m := range members {
		h := Holding{
			Batch: m.ID, Code: m.Code, Holder: m.Tenant, Product: m.Product, Lot: m.Lot, Made: m.Made, Held: m.Left, Used: m.Used, Why: m.Why,
		}
		all = append(all, h)
		h.Used = chain.Amount{}
		for _, s := range m.Sales {
			h.Holder, h.Sale, h.Held = cmp.Or(s.To, m.Tenant), s.ID, s.Amount
			all = append(all, h)
		}
	}
	return all
}

// fresh returns the holdings of members that a recall does not know yet, and the
// batches that it knows as out and that are in again.
func fresh(members []Member, r Recall) (more []Holding, back []string) {
	known := map[string]Standing{}
	for _, h := range r.Holdings {
		known[h.Key()] = h
	}
	for _, h := range holdings(members) {
		was, has := known[h.Key()]
		switch {
		case !has:
			more = append(more, h)
		case was.Cleared && !slices.Contains(back, h.Batch):
			back = append(back, h.Batch)
		}
	}
	return more, back
}

// regained returns what has come back to batches that a recall knows, since they were
// counted: what they had been made into was taken back.
func regained(members []Member, r Recall) []Regained {
	counted := map[string]chain.Amount{}
	for _, h := range r.Holdings {
		if h.Sale == "" {
			counted[h.Batch] = h.Used
		}
	}
	var all []Regained
	for _, m := range members {
		// A holding that was sealed before uses were counted has no unit.
		if was := counted[m.ID]; was.Unit != "" && was.N > m.Used.N {
			all = append(all, Regained{m.ID, chain.Amount{N: was.N - m.Used.N, Unit: was.Unit}})
		}
	}
	return all
}

// wire is the precision that databases and JavaScript agree on.
func wire(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }
