package recall

import (
	"cmp"
	"slices"

	"tianhai/trace/chain"
)

// A Tally is what became of all that a holder has, or of all of the recall, in one
// measure. What cleared batches hold is not in it.
type Tally struct {
	Holder      string       `json:"holder,omitempty"` // tenant, for who sold it to somebody outside; empty in the sum
	Recalled    chain.Amount `json:"recalled"`         // what the states add up to
	Outstanding chain.Amount `json:"outstanding"`
	Located     chain.Amount `json:"located"`
	Returned    chain.Amount `json:"returned"`
	Destroyed   chain.Amount `json:"destroyed"`
	Released    chain.Amount `json:"released"`
}

// Missing is what is not accounted for.
func (t Tally) Missing() chain.Amount {
	return chain.Amount{N: t.Outstanding.N + t.Located.N, Unit: t.Recalled.Unit}
}

// Tallied adds holdings up: first the sum in each measure, then each holder's, by
// holder. Of kilograms and boxes there are two of each, since nothing adds them.
func Tallied(holdings []Standing) []Tally {
	type key struct{ holder, dim string }
	at, all := map[key]int{}, []Tally{}
	for _, h := range holdings {
		if h.Cleared {
			continue
		}
		for _, holder := range []string{"", h.Holder} {
			k := key{holder, h.Held.Dim()}
			i, has := at[k]
			if !has {
				i, at[k] = len(all), len(all)
				all = append(all, newTally(holder, h.Held.Unit))
			}
			all[i].add(h)
		}
	}
	slices.SortStableFunc(all, func(a, b Tally) int {
		return cmp.Or(cmp.Compare(a.Holder, b.Holder), cmp.Compare(a.Recalled.Dim(), b.Recalled.Dim()))
	})
	return all
}

func newTally(holder, unit string) Tally {
	none := chain.Amount{Unit: unit}
	return Tally{holder, none, none, none, none, none, none}
}

func (t *Tally) add(h Standing) {
	t.Recalled.N += h.Held.N
	t.Outstanding.N += h.Amounts[Outstanding].N
	t.Located.N += h.Amounts[Located].N
	t.Returned.N += h.Amounts[Returned].N
	t.Destroyed.N += h.Amounts[Destroyed].N
	t.Released.N += h.Amounts[Released].N
}
