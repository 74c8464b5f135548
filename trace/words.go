package trace

import (
	"context"
	"fmt"

	"tianhai/farm"
	"tianhai/trace/catalog"
)

// Words are the names of what a public record's operations say, as the catalog had
// them when each was checked. They are sealed with it: a later version of the
// catalog changes nothing of what a consumer reads.
type Words struct {
	Operations map[string]OperationWord `json:"operations"`        // by kind
	Items      map[string]ItemWord      `json:"items"`             // by key
	Choices    map[string]farm.Text     `json:"choices,omitempty"` // by item key, a dot, and the choice
}

// An OperationWord is the name of a kind of operation.
type OperationWord struct {
	Name     farm.Text `json:"name"`
	Stage    string    `json:"stage"`
	Medicine bool      `json:"medicine,omitempty"`
}

// An ItemWord is the name of a kind of item.
type ItemWord struct {
	Name farm.Text    `json:"name"`
	Type catalog.Type `json:"type"`
}

// publicOperations leaves out the person and what is private, and names the rest.
func (s *Service) publicOperations(ctx context.Context, ops []Operation) ([]PublicOperation, *Words, error) {
	correctedBy := map[string]string{}
	for _, op := range ops {
		if op.Corrects != "" {
			correctedBy[op.Corrects] = op.ID
		}
	}
	words := &Words{Operations: map[string]OperationWord{}, Items: map[string]ItemWord{}, Choices: map[string]farm.Text{}}
	public := []PublicOperation{}
	for _, op := range ops {
		c := s.Catalogs.Current() // of operations from before there was a catalog
		if op.Catalog != 0 {
			var err error
			if c, err = s.Catalogs.At(ctx, op.Catalog); err != nil {
				return nil, nil, fmt.Errorf("operation %s: %w", op.ID, err)
			}
		}
		public = append(public, PublicOperation{
			ID: op.ID, Kind: op.Kind, At: op.At.UTC(), Recorded: op.Recorded.UTC(),
			Items: words.name(op, c), Corrects: op.Corrects, CorrectedBy: correctedBy[op.ID],
		})
	}
	return public, words, nil
}

// name adds the words of an operation and returns its public items.
func (w *Words) name(op Operation, c *catalog.Catalog) []Item {
	if o, ok := c.Operation(op.Kind); ok {
		w.Operations[op.Kind] = OperationWord{Name: o.Name, Stage: o.Stage, Medicine: o.Medicine}
	}
	var public []Item
	for _, item := range op.Items {
		k, known := c.Item(item.Key)
		if k.Private {
			continue
		}
		public = append(public, item)
		if !known {
			continue
		}
		w.Items[item.Key] = ItemWord{Name: k.Name, Type: k.Type}
		if o, ok := k.Option(item.Value); ok {
			w.Choices[item.Key+"."+item.Value] = o.Name
		} else if p, ok := c.Product(item.Value); ok && item.Key == itemCrop {
			w.Choices[item.Key+"."+item.Value] = p.Name
		}
	}
	return public
}
