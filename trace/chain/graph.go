package chain

import (
	"cmp"
	"errors"
	"slices"
	"time"
)

// How much of a genealogy is looked at.
const (
	// MaxMovements is the most movements that one question about kin may reach; a
	// graph that is larger is ErrTooMany rather than cut short.
	MaxMovements = 50_000
)

// Direction is which kin are asked for.
type Direction string

// The directions.
const (
	Up   Direction = "up"   // what it was made of
	Down Direction = "down" // what became of it
	Both Direction = "both"
)

// A Graph is batches and the movements between them, as far as they are kin.
type Graph struct {
	Batches []Node `json:"batches"`   // by depth, then by ID
	Steps   []Step `json:"movements"` // by time, then by ID
}

// A Node is a batch in a graph.
type Node struct {
	Goods
	// Depth is the number of movements on the longest way from the batch that was
	// asked about: below nothing for what it was made of.
	Depth int `json:"depth"`
}

// A Step is a movement in a graph, with those of its batches that are kin.
type Step struct {
	ID      string    `json:"id"`
	Kind    Kind      `json:"kind"`
	Step    string    `json:"step,omitempty"`
	At      time.Time `json:"at"`
	Tenant  string    `json:"tenant"`
	To      string    `json:"to,omitempty"` // tenant it hands over to
	TakenBy string    `json:"taken_by,omitempty"`
	Inputs  []Input   `json:"inputs,omitempty"`
	Outputs []Input   `json:"outputs,omitempty"` // what it made
}

// Arrange sets the depths from the batches that were asked about, leaves out what is
// no kin of them, such as what was mixed in further down, and sorts the rest.
func (g *Graph) Arrange(asked []string) {
	slices.SortFunc(g.Steps, func(a, b Step) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.ID, b.ID)) })
	depth := g.depths(asked, false)
	for batch, d := range g.depths(asked, true) {
		if _, below := depth[batch]; !below {
			depth[batch] = -d
		}
	}
	stranger := func(batch string) bool { _, kin := depth[batch]; return !kin }
	g.Batches = slices.DeleteFunc(g.Batches, func(n Node) bool { return stranger(n.Batch) })
	for i := range g.Batches {
		g.Batches[i].Depth = depth[g.Batches[i].Batch]
	}
	for i := range g.Steps {
		s := &g.Steps[i]
		for _, parts := range []*[]Input{&s.Inputs, &s.Outputs} {
			*parts = slices.DeleteFunc(*parts, func(in Input) bool { return stranger(in.Batch) })
			slices.SortFunc(*parts, func(a, b Input) int { return cmp.Compare(a.Batch, b.Batch) })
		}
	}
	slices.SortFunc(g.Batches, func(a, b Node) int { return cmp.Or(cmp.Compare(a.Depth, b.Depth), cmp.Compare(a.Batch, b.Batch)) })
}

// depths returns how many movements the longest way from the asked batches is, with
// the movements or against them. It follows each edge once: there are no cycles.
func (g *Graph) depths(asked []string, against bool) map[string]int {
	next := map[string][]int{} // steps that take a batch
	for i, s := range g.Steps {
		from := s.Inputs
		if against {
			from = s.Outputs
		}
		for _, in := range from {
			next[in.Batch] = append(next[in.Batch], i)
		}
	}
	ends := func(s Step) []Input {
		if against {
			return s.Inputs
		}
		return s.Outputs
	}
	// After a walk in depth, a batch stands behind everything that is reached from it.
	var order []string
	seen := map[string]bool{}
	type frame struct {
		batch string
		next  []string
	}
	reach := func(batch string) (out []string) {
		for _, i := range next[batch] {
			for _, e := range ends(g.Steps[i]) {
				out = append(out, e.Batch)
			}
		}
		return out
	}
	for _, root := range asked {
		if seen[root] {
			continue
		}
		seen[root] = true
		stack := []frame{{root, reach(root)}}
		for len(stack) > 0 {
			top := &stack[len(stack)-1]
			if len(top.next) == 0 {
				order = append(order, top.batch)
				stack = stack[:len(stack)-1]
				continue
			}
			batch := top.next[0]
			top.next = top.next[1:]
			if !seen[batch] {
				seen[batch] = true
				stack = append(stack, frame{batch, reach(batch)})
			}
		}
	}
	depth := map[string]int{}
	for _, root := range asked {
		depth[root] = 0
	}
	for _, batch := range slices.Backward(order) {
		for _, to := range reach(batch) {
			depth[to] = max(depth[to], depth[batch]+1)
		}
	}
	return depth
}

// Roots returns the batches of a graph that are made of no other in it.
func (g *Graph) Roots() []Node {
	made := map[string]bool{}
	for _, s := range g.Steps {
		for _, o := range s.Outputs {
			made[o.Batch] = made[o.Batch] || len(s.Inputs) > 0
		}
	}
	return slices.DeleteFunc(slices.Clone(g.Batches), func(n Node) bool { return made[n.Batch] })
}

// For returns what a tenant may see of a graph: what it holds or held, and one
// movement up and down from there. What lies beyond is others' business.
func (g Graph) For(tenant string) Graph {
	own := map[string]bool{}
	for _, n := range g.Batches {
		own[n.Batch] = n.Tenant == tenant
	}
	near := map[string]bool{}
	var seen Graph
	for _, s := range g.Steps {
		mine := s.Tenant == tenant
		for _, e := range slices.Concat(s.Inputs, s.Outputs) {
			mine = mine || own[e.Batch]
		}
		if !mine {
			continue
		}
		for _, e := range slices.Concat(s.Inputs, s.Outputs) {
			near[e.Batch] = true
		}
		seen.Steps = append(seen.Steps, s)
	}
	for _, n := range g.Batches {
		if !own[n.Batch] && !near[n.Batch] {
			continue
		}
		if !own[n.Batch] { // how much of it they have left is theirs to know
			n.Left, n.Site, n.MadeBy = Amount{}, "", ""
		}
		seen.Batches = append(seen.Batches, n)
	}
	return seen
}

// ErrTooMany reports a graph of more than MaxMovements movements.
var ErrTooMany = errors.New("more movements than one question may reach")
