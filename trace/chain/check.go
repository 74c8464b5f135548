package chain

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// What a movement may hold.
const (
	MaxInputs  = 200
	MaxOutputs = 200
	MaxLosses  = 20
	maxText    = 200 // bytes
	maxLot     = 64
	maxUnit    = 20
)

// clockAhead is how far a client's clock may be ahead of ours.
const clockAhead = 5 * time.Minute

// A form says what a movement of a kind consists of.
type form struct {
	in, out          [2]int // at least, at most
	site, step       bool   // demanded
	reason, handover bool
}

func formOf(k Kind) (form, bool) {
	all := [2]int{1, MaxInputs}
	switch k {
	case Harvest:
		return form{out: [2]int{1, MaxOutputs}, site: true}, true
	case Process:
		return form{in: all, out: [2]int{1, MaxOutputs}, step: true}, true
	case Pack:
		return form{in: all, out: [2]int{1, MaxOutputs}}, true
	case Split:
		return form{in: [2]int{1, 1}, out: [2]int{1, MaxOutputs}}, true
	case Merge:
		return form{in: [2]int{2, MaxInputs}, out: [2]int{1, 1}}, true
	case Store, Move:
		return form{in: all, out: [2]int{0, MaxOutputs}}, true
	case Sell:
		return form{in: all}, true
	case Loss:
		return form{in: all, reason: true}, true
	case Receive:
		return form{in: [2]int{0, MaxInputs}, out: [2]int{1, MaxOutputs}, site: true, handover: true}, true
	case Decline:
		return form{in: [2]int{0, MaxInputs}, reason: true, handover: true}, true
	case Void:
		return form{reason: true}, true
	default:
		return form{}, false
	}
}

// Check returns a *FieldError unless the movement has the form of its kind: what
// can be said without knowing the batches.
func (m Movement) Check(now time.Time) error {
	f, known := formOf(m.Kind)
	if !known {
		return field("kind", "is none of %v", Kinds())
	}
	if m.At.Year() < 2000 || m.At.After(now.Add(clockAhead)) {
		return field("at", "is before the year 2000 or more than %v ahead of the server's clock", clockAhead)
	}
	for _, part := range []struct {
		name   string
		n      int
		bounds [2]int
	}{{"inputs", len(m.Inputs), f.in}, {"outputs", len(m.Outputs), f.out}, {"losses", len(m.Losses), [2]int{0, MaxLosses}}} {
		if part.n < part.bounds[0] || part.n > part.bounds[1] {
			return field(part.name, "are %d; a %s has %d to %d", part.n, m.Kind, part.bounds[0], part.bounds[1])
		}
	}
	if err := m.checkWords(f); err != nil {
		return err
	}
	if err := m.checkParties(f); err != nil {
		return err
	}
	return m.checkParts()
}

func (m Movement) checkWords(f form) error {
	for _, w := range []struct {
		name, text string
		needed     bool
	}{{"step", m.Step, f.step}, {"site", m.Site, f.site}, {"place", m.Place, false}, {"reason", m.Reason, f.reason || m.Corrects != ""}} {
		if err := words(w.name, w.text, maxText, w.needed); err != nil {
			return err
		}
	}
	if m.Step != "" && !f.step {
		return field("step", "is said of processing only")
	}
	return nil
}

func (m Movement) checkParties(f form) error {
	switch {
	case (m.Handover != "") != f.handover:
		return field("handover", "names what is received or declined, and nothing else")
	case m.Kind == Void && m.Corrects == "":
		return field("corrects", "does not name the movement that is taken back")
	case m.Kind == Decline && m.Corrects != "":
		return field("corrects", "cannot be: what was declined stays declined")
	case m.Corrects == m.ID:
		return field("corrects", "names the movement itself")
	case m.To != "" && m.Kind != Sell && m.Kind != Move:
		return field("to", "is said of a sale or a move only")
	case m.To == m.Tenant:
		return field("to", "is the farm itself")
	case m.To != "" && len(m.Outputs) > 0:
		return field("outputs", "are made by whoever receives")
	case m.Buyer != nil && m.Kind != Sell:
		return field("buyer", "is said of a sale only")
	case m.Kind == Sell && (m.To == "") == (m.Buyer == nil):
		return field("buyer", "or to must be said, and not both")
	}
	if m.Buyer == nil {
		return nil
	}
	if err := words("buyer.name", m.Buyer.Name, maxText, true); err != nil {
		return err
	}
	return words("buyer.phone", m.Buyer.Phone, maxText, false)
}

func (m Movement) checkParts() error {
	seen := map[string]bool{}
	once := func(name, batch string) error {
		if batch == "" || len(batch) > maxLot {
			return field(name, "does not name a batch")
		}
		if seen[batch] {
			return field(name, "is there twice")
		}
		seen[batch] = true
		return nil
	}
	for i, in := range m.Inputs {
		at := fmt.Sprintf("inputs[%d].", i)
		if err := once(at+"batch", in.Batch); err != nil {
			return err
		}
		if in.Amount.N <= 0 {
			return field(at+"amount", "is nothing")
		}
	}
	for i, out := range m.Outputs {
		at := fmt.Sprintf("outputs[%d].", i)
		if err := once(at+"batch", out.Batch); err != nil {
			return err
		}
		if err := out.check(at, m.Kind); err != nil {
			return err
		}
	}
	for i, l := range m.Losses {
		at := fmt.Sprintf("losses[%d].", i)
		if l.Amount.N <= 0 {
			return field(at+"amount", "is nothing")
		}
		if err := words(at+"reason", l.Reason, maxText, true); err != nil {
			return err
		}
	}
	if len(m.Outputs) == 0 && len(m.Losses) > 0 {
		return field("losses", "are of what became something; a loss by itself is a movement of that kind")
	}
	return nil
}

func (o Output) check(at string, kind Kind) error {
	if o.Amount.N <= 0 {
		return field(at+"amount", "is nothing")
	}
	if err := words(at+"product", o.Product, maxText, true); err != nil {
		return err
	}
	if err := words(at+"lot", o.Lot, maxLot, true); err != nil {
		return err
	}
	if kind == Harvest {
		if o.From != nil {
			return field(at+"from", "cannot be: a harvest is made of no batch")
		}
		return nil
	}
	if !o.Began.IsZero() || !o.Harvest.IsZero() {
		return field(at+"began", "is said of a harvest only")
	}
	switch {
	case o.From == nil:
	case o.From.N <= 0:
		return field(at+"from", "is nothing")
	case o.From.Dim() == o.Amount.Dim() && o.From.N < o.Amount.N:
		return field(at+"from", "is less than what came of it")
	}
	return nil
}

func words(name, s string, limit int, needed bool) error {
	switch {
	case strings.TrimSpace(s) == "" && (needed || s != ""):
		return field(name, "is empty")
	case len(s) > limit:
		return field(name, "is longer than %d bytes", limit)
	case !utf8.ValidString(s) || strings.IndexFunc(s, unicode.IsControl) >= 0:
		return field(name, "holds control characters or is not UTF-8")
	}
	return nil
}

// A BalanceError says that what came out of a movement, with what was lost, is not
// what went in.
type BalanceError struct {
	In, Out Amount // in one unit; Out holds what was lost
	Product string // where it is one product that came out of nothing
}

// Error says how much.
func (e *BalanceError) Error() string {
	if e.Product != "" {
		return fmt.Sprintf("%s of %s came out, %s went in", e.Out, e.Product, e.In)
	}
	return fmt.Sprintf("%s came out or was lost, %s went in", e.Out, e.In)
}

// Balance holds what came out of a movement against what went into it. In each unit
// it must be as much, with what the movement says was lost; more or less is a
// *BalanceError. Another product, or another unit, must say how much of what went in
// became it. goods are those of the inputs.
func (m Movement) Balance(goods map[string]Goods) error {
	if len(m.Outputs) == 0 || m.Kind == Harvest {
		return nil
	}
	in, out := map[string]int64{}, map[string]int64{}
	unit := map[string]string{}                                    // that people speak of, by what it measures
	products, made := map[[2]string]int64{}, map[[2]string]int64{} // by product and what is measured
	for _, i := range m.Inputs {
		dim := i.Amount.Dim()
		in[dim] += i.Amount.N
		products[[2]string{goods[i.Batch].Product, dim}] += i.Amount.N
		unit[dim] = i.Amount.Unit
	}
	for i, o := range m.Outputs {
		used := o.Amount
		if o.From != nil {
			used = *o.From
		} else {
			key := [2]string{o.Product, o.Amount.Dim()}
			if products[key] == 0 {
				return field(fmt.Sprintf("outputs[%d].from", i), "is missing: the product or its unit is not one that went in; say how much of what went in became it")
			}
			made[key] += o.Amount.N
			if made[key] > products[key] {
				return &BalanceError{In: Amount{products[key], o.Amount.Unit}, Out: Amount{made[key], o.Amount.Unit}, Product: o.Product}
			}
		}
		out[used.Dim()] += used.N
	}
	for _, l := range m.Losses {
		out[l.Amount.Dim()] += l.Amount.N
	}
	for dim := range out {
		if unit[dim] == "" {
			unit[dim] = dim
		}
	}
	dims := make([]string, 0, len(unit))
	for dim := range unit {
		dims = append(dims, dim)
	}
	slices.Sort(dims)
	for _, dim := range dims {
		if in[dim] != out[dim] {
			return &BalanceError{In: Amount{in[dim], unit[dim]}, Out: Amount{out[dim], unit[dim]}}
		}
	}
	return nil
}
