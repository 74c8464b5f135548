package trace

import (
	"context"
	"fmt"
	"slices"
	"time"

	"tianhai/farm"
	"tianhai/trace/catalog"
	"tianhai/trace/chain"
)

// MaxKin is the most batches whose ways into a batch are sealed with it. Of more,
// only those are named that were harvested.
const MaxKin = 300

// Kin tell a consumer what a batch was made of, and how: products, days and places no
// finer than the town, and no one's name.
type Kin struct {
	Batches []KinBatch `json:"batches"` // the first is the batch itself; those made before come after
	Steps   []KinStep  `json:"steps"`   // oldest first
}

// A KinBatch is a batch that another was made of.
type KinBatch struct {
	Product farm.Text    `json:"product"`
	Code    string       `json:"code,omitempty"`  // where it bears one: it has a page of its own
	Place   *KinPlace    `json:"place,omitempty"` // of one that was harvested
	Amount  chain.Amount `json:"amount"`
}

// A KinPlace is where and when a batch was harvested.
type KinPlace struct {
	Prefecture farm.Text `json:"prefecture"`
	Town       farm.Text `json:"town"`
	Harvest    time.Time `json:"harvest"`
}

// A KinStep is a movement. In and Out number the batches.
type KinStep struct {
	Kind chain.Kind `json:"kind"`
	Name farm.Text  `json:"name,omitzero"` // of a step of processing
	At   time.Time  `json:"at"`
	In   []int      `json:"in,omitempty"`
	Out  []int      `json:"out,omitempty"`
}

// Origins numbers the batches that were harvested.
func (k *Kin) Origins() []int {
	var all []int
	for i, b := range k.Batches {
		if b.Place != nil {
			all = append(all, i)
		}
	}
	return all
}

// Graph returns the kin as a graph, whose batches are called by their numbers.
func (k *Kin) Graph() chain.Graph {
	var g chain.Graph
	parts := func(numbers []int) (all []chain.Input) {
		for _, n := range numbers {
			all = append(all, chain.Input{Batch: kinName(n)})
		}
		return all
	}
	for i := range k.Batches {
		g.Batches = append(g.Batches, chain.Node{Goods: chain.Goods{Batch: kinName(i), Code: k.Batches[i].Code, Made: k.Batches[i].Amount}})
	}
	for i, s := range k.Steps {
		g.Steps = append(g.Steps, chain.Step{ID: fmt.Sprintf("%06d", i), Kind: s.Kind, At: s.At, Inputs: parts(s.In), Outputs: parts(s.Out)})
	}
	g.Arrange([]string{kinName(0)})
	return g
}

// kinName sorts as the numbers do.
func kinName(n int) string { return fmt.Sprintf("%04d", n) }

// A growth is where and when a batch grew, as if it had been harvested there as it
// is. For one that was harvested it is the batch itself, without more.
type growth struct {
	Batch
	origins []Batch // that it was made of
	kin     *Kin
	blend   bool // it grew on more than one site, so that nothing can be said of one
}

func (s *Service) grown(ctx context.Context, b Batch) (g growth, err error) {
	g.Batch = b
	origins, err := s.origins(ctx, b)
	if err != nil || len(origins) == 1 && origins[0].ID == b.ID {
		return g, err
	}
	g.settle(origins)
	if g.kin, err = s.kin(ctx, b, origins); err != nil {
		return g, fmt.Errorf("kin of %s: %w", b.ID, err)
	}
	return g, nil
}

// settle says of what a batch was made, and where it grew where that is one site.
func (g *growth) settle(origins []Batch) {
	g.origins = origins
	for _, o := range origins {
		g.blend = g.blend || o.Site != origins[0].Site
	}
	if !g.blend {
		g.Site, g.Tenant = origins[0].Site, origins[0].Tenant
	}
}

// GrewAt returns whose site it was whose sensors speak of a batch in its record: where
// everything that it was made of grew, or for a blend its own.
func (s *Service) GrewAt(ctx context.Context, b Batch) (tenant, site string, err error) {
	origins, err := s.origins(ctx, b)
	if err != nil {
		return "", "", err
	}
	g := growth{Batch: b}
	g.settle(origins)
	return g.Tenant, g.Site, nil
}

// completeOrigins holds the operations of every harvest that a batch was made of
// against what the catalog demands, as if each were closed itself; what others
// harvested is theirs to answer for.
func (s *Service) completeOrigins(ctx context.Context, c *catalog.Catalog, b Batch, origins []Batch) error {
	for _, o := range origins {
		if o.Tenant != b.Tenant || o.Code != "" {
			continue
		}
		p, err := s.Store.Product(ctx, o.Product)
		if err != nil {
			return fmt.Errorf("product %s: %w", o.Product, err)
		}
		demanded := demands(c, p)
		if len(demanded) == 0 {
			continue
		}
		end := b.Closed.Add(clockAhead)
		ops, err := s.Store.Operations(ctx, o.Site, time.Unix(0, 0).UTC(), end)
		if err != nil {
			return fmt.Errorf("operations of site %s: %w", o.Site, err)
		}
		if err := complete(c, demanded, o.Site, ofBatch(ops, o.Began, end, lasting(ops, demanded, o.Began))); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) kin(ctx context.Context, b Batch, origins []Batch) (*Kin, error) {
	g, err := s.Chain.Genealogy(ctx, []string{b.ID}, chain.Up)
	if err != nil {
		return nil, err
	}
	isOrigin := func(n chain.Node) bool {
		return slices.ContainsFunc(origins, func(o Batch) bool { return o.ID == n.Batch })
	}
	if len(g.Batches) > MaxKin {
		g.Steps = nil
		g.Batches = slices.DeleteFunc(g.Batches, func(n chain.Node) bool { return n.Batch != b.ID && !isOrigin(n) })
		if len(g.Batches) > MaxKin {
			return nil, fmt.Errorf("it is made of %d harvests, at most %d are allowed", len(g.Batches)-1, MaxKin-1)
		}
	}
	slices.Reverse(g.Batches) // by depth, the batch itself last
	k := &Kin{Batches: []KinBatch{}, Steps: []KinStep{}}
	number := map[string]int{}
	for i, n := range g.Batches {
		number[n.Batch] = i
		p, err := s.Store.Product(ctx, n.Product)
		if err != nil {
			return nil, fmt.Errorf("product %s: %w", n.Product, err)
		}
		kb := KinBatch{Product: p.Name, Code: n.Code, Amount: n.Made}
		if isOrigin(n) {
			site, err := s.Store.Site(ctx, n.Site)
			if err != nil {
				return nil, fmt.Errorf("site %s: %w", n.Site, err)
			}
			prefecture, _ := farm.Prefecture(site.Region)
			kb.Place = &KinPlace{Prefecture: prefecture.Name, Town: site.Town, Harvest: n.Since.UTC()}
		}
		k.Batches = append(k.Batches, kb)
	}
	for _, st := range g.Steps {
		if len(st.Inputs) == 0 {
			continue // a harvest: its batch says so
		}
		ks := KinStep{Kind: st.Kind, At: st.At.UTC()}
		if item, ok := s.Catalogs.Current().Item(itemStep); ok && st.Step != "" {
			option, _ := item.Option(st.Step)
			ks.Name = option.Name
		}
		for _, in := range st.Inputs {
			ks.In = append(ks.In, number[in.Batch])
		}
		for _, o := range st.Outputs {
			ks.Out = append(ks.Out, number[o.Batch])
		}
		k.Steps = append(k.Steps, ks)
	}
	return k, nil
}
