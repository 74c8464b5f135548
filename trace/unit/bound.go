package unit

import (
	"context"
	"fmt"

	"tianhai/trace/label"
)

// Bindings knows by which steps codes were bound to a batch.
type Bindings interface {
	// RollStepsOf returns the steps that bind codes to a batch, and those that withdraw
	// such a step.
	RollStepsOf(ctx context.Context, batch string) ([]Step, error)
}

// BoundTo returns how the names begin that events have for codes of a batch, and
// whether what follows in one is a code that is bound to it, be it void since. Without
// a bound code there is no beginning.
func (s *Service) BoundTo(ctx context.Context, batch string) (beginnings []string, bound func(rest string) bool, err error) {
	steps, err := s.Bindings.RollStepsOf(ctx, batch)
	if err != nil {
		return nil, nil, fmt.Errorf("codes of batch: %w", err)
	}
	spans := map[int64][]Span{} // by the number of the roll
	seen := map[string]bool{}
	for _, st := range steps {
		if seen[st.Roll] {
			continue
		}
		seen[st.Roll] = true
		t, err := s.Tally(ctx, st.Roll)
		if err != nil {
			return nil, nil, err
		}
		for _, span := range t.Spans {
			if span.Batch == batch {
				spans[t.Roll.Number] = append(spans[t.Roll.Number], span)
			}
		}
		if gtin := t.Roll.GTIN; gtin != "" && !seen[gtin] && len(spans[t.Roll.Number]) > 0 {
			seen[gtin] = true
			beginnings = append(beginnings, "https://id.gs1.org/01/"+gtin+"/21/") // whatever host the label has
		}
	}
	if len(spans) == 0 {
		return nil, nil, nil
	}
	return append(beginnings, s.PublicURL+"/t/"), func(rest string) bool {
		code, err := label.ParseCode(rest)
		if err != nil {
			return false
		}
		roll, number := s.Key.find(code)
		for _, span := range spans[roll] {
			if span.First <= number && number <= span.Last {
				return true
			}
		}
		return false
	}, nil
}
