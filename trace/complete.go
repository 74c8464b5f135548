package trace

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"tianhai/farm"
	"tianhai/trace/catalog"
)

// An IncompleteError names everything that must be recorded before a batch gets its
// code.
type IncompleteError struct {
	Site    string
	Missing []Missing
}

// A Missing is a kind of operation that a batch lacks, or that lacks Items.
type Missing struct {
	Kind      string         `json:"kind"` // a catalog.Operation's
	Name      farm.Text      `json:"name"`
	Stage     farm.Text      `json:"stage"`
	Operation string         `json:"operation,omitempty"` // the one to correct; empty where none was recorded
	Items     []catalog.Kind `json:"items"`               // what is to be said
}

// Error names the kinds.
func (e *IncompleteError) Error() string {
	out := fmt.Sprintf("%d records are missing:", len(e.Missing))
	for _, m := range e.Missing {
		out += " " + m.Kind
	}
	return out
}

// demands returns the kinds of operation without which no batch of a product gets
// its code: none where the catalog does not know the product.
func demands(c *catalog.Catalog, p Product) []catalog.Operation {
	known, _ := c.Product(cmp.Or(p.Species, p.ID))
	var all []catalog.Operation
	for _, kind := range known.Close {
		o, _ := c.Operation(kind)
		all = append(all, o)
	}
	return all
}

// complete returns an *IncompleteError unless operations of a batch hold everything
// that is demanded, said as the catalog wants it said today: what was recorded under
// an earlier catalog may lack something.
func complete(c *catalog.Catalog, demanded []catalog.Operation, site string, ops []Operation) error {
	var missing []Missing
	hold := InForce(ops)
	for _, o := range demanded {
		stage := c.Stages[slices.IndexFunc(c.Stages, func(s catalog.Stage) bool { return s.ID == o.Stage })]
		m := Missing{Kind: o.Kind, Name: o.Name, Stage: stage.Name}
		done := false
		for _, op := range hold {
			if op.Kind != o.Kind {
				continue
			}
			done = true
			if items := c.Missing(o, op.Items); len(items) > 0 {
				m.Operation, m.Items = op.ID, items
				missing = append(missing, m)
			}
		}
		if !done {
			m.Items = c.Missing(o, nil)
			missing = append(missing, m)
		}
	}
	if len(missing) > 0 {
		return &IncompleteError{Site: site, Missing: missing}
	}
	return nil
}

// lasting returns, of the demanded kinds that count for every batch after them, the
// newest that was done before a time, for those that were not done since.
func lasting(ops []Operation, demanded []catalog.Operation, from time.Time) map[string]bool {
	found := map[string]bool{}
	for _, o := range demanded {
		newest, since := "", false
		for _, op := range InForce(ops) {
			switch {
			case !o.Lasting || op.Kind != o.Kind:
			case op.At.Before(from):
				newest = op.ID // ops are oldest first
			default:
				since = true
			}
		}
		if newest != "" && !since {
			found[newest] = true
		}
	}
	return found
}
