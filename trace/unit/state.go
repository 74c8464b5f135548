package unit

import (
	"fmt"
	"slices"
)

// A State is what has become of a code.
type State string

// The states of a code.
const (
	Issued    State = "issued" // and not printed: nothing in the world may bear it
	Printed   State = "printed"
	Bound     State = "bound" // to a batch
	Voided    State = "void"
	Destroyed State = "destroyed"
)

// A Span is codes in a row, First to Last, that are in the same state.
type Span struct {
	First   int    `json:"first"`
	Last    int    `json:"last"`
	State   State  `json:"state"`
	Printed bool   `json:"printed"` // also where it was voided later
	Batch   string `json:"batch,omitempty"`
	bound   string // the step by which it is bound
}

// Counts is how many labels and codes a roll has.
type Counts struct {
	Printed   int `json:"printed"`   // labels, reprinted ones included
	Reprinted int `json:"reprinted"` // of them
	Unused    int `json:"unused"`    // codes printed and not yet bound, voided or destroyed
	Used      int `json:"used"`      // codes that are bound
	Voided    int `json:"voided"`    // codes that are void and whose labels are not known to be destroyed
	Destroyed int `json:"destroyed"` // codes whose labels were
	Unprinted int `json:"unprinted"` // codes that may still be printed
}

// A StateError says which codes are not in a state for a step.
type StateError struct {
	Kind Kind
	Span Span // of the codes meant, the first in a wrong state
}

// Error implements error.
func (e *StateError) Error() string {
	text := fmt.Sprintf("codes %d to %d are %s", e.Span.First, e.Span.Last, e.Span.State)
	if e.Span.State == Issued {
		text = fmt.Sprintf("codes %d to %d are not printed yet", e.Span.First, e.Span.Last)
	}
	if e.Span.Batch != "" {
		text += " to batch " + e.Span.Batch
	}
	return text + ", which cannot be followed by " + string(e.Kind)
}

// may reports whether a step of a kind may follow.
func (s Span) may(kind Kind) bool {
	switch kind {
	case Print:
		return s.State == Issued
	case Reprint:
		return s.State == Printed || s.State == Bound
	case Bind:
		return s.State == Printed
	case Void:
		return s.State == Issued || s.State == Printed || s.State == Bound
	case Destroy:
		return s.Printed && s.State != Destroyed
	case Withdraw:
		return true
	}
	return false
}

// then returns what a span becomes by a step.
func (s Span) then(st Step) Span {
	switch st.Kind {
	case Print:
		s.State, s.Printed = Printed, true
	case Reprint:
	case Bind:
		s.State, s.Batch, s.bound = Bound, st.Batch, st.ID
	case Void:
		s.State = Voided
	case Destroy:
		s.State = Destroyed
	case Withdraw:
		if s.bound != st.Withdraws {
			return s
		}
		if s.State == Bound {
			s.State = Printed
		}
		s.Batch, s.bound = "", ""
	}
	return s
}

// apply returns the spans after a step, or the *StateError that keeps it from being.
func apply(spans []Span, st Step) ([]Span, error) {
	out := make([]Span, 0, len(spans)+2)
	for _, s := range spans {
		first, last := max(s.First, st.First), min(s.Last, st.Last)
		if first > last {
			out = append(out, s)
			continue
		}
		within := s
		within.First, within.Last = first, last
		if !s.may(st.Kind) {
			return nil, &StateError{st.Kind, within}
		}
		if s.First < first {
			before := s
			before.Last = first - 1
			out = append(out, before)
		}
		out = append(out, within.then(st))
		if last < s.Last {
			after := s
			after.First = last + 1
			out = append(out, after)
		}
	}
	return joined(out), nil
}

// joined puts neighbours together that differ in nothing else.
func joined(spans []Span) []Span {
	out := spans[:0]
	for _, s := range spans {
		if n := len(out); n > 0 {
			next := s
			next.First = out[n-1].First
			if before := out[n-1]; before.Last+1 == s.First {
				before.Last = s.Last
				if before == next {
					out[n-1].Last = s.Last
					continue
				}
			}
		}
		out = append(out, s)
	}
	return slices.Clip(out)
}

// replay returns the spans from first to last after steps that were taken.
func replay(first, last int, steps []Step) []Span {
	spans := []Span{{First: first, Last: last, State: Issued}}
	for _, st := range steps {
		after, err := apply(spans, st)
		if err != nil {
			continue // never stored; a database that was tampered with does not stop the rest
		}
		spans = after
	}
	return spans
}

// count counts spans, and the labels that steps printed.
func count(spans []Span, steps []Step) Counts {
	var c Counts
	for _, s := range spans {
		n := s.Last - s.First + 1
		switch s.State {
		case Issued:
			c.Unprinted += n
		case Printed:
			c.Unused += n
		case Bound:
			c.Used += n
		case Voided:
			c.Voided += n
		case Destroyed:
			c.Destroyed += n
		}
	}
	for _, st := range steps {
		n := st.Last - st.First + 1
		switch st.Kind {
		case Print:
			c.Printed += n
		case Reprint:
			c.Printed, c.Reprinted = c.Printed+n, c.Reprinted+n
		case Bind, Void, Destroy, Withdraw:
		}
	}
	return c
}
