package fleet

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// A FaultKind names what is wrong with a device.
type FaultKind string

// The faults. Size and Chance of a Fault mean what is said here; where they are
// 0 the number in parentheses holds.
const (
	Drift     FaultKind = "drift"      // the channel moves by Size a day (1 of its units)
	Spikes    FaultKind = "spikes"     // Chance (0.02) of a value off by ±Size (20 units)
	Stuck     FaultKind = "stuck"      // the channel repeats what it read first
	Missing   FaultKind = "missing"    // Chance (1) of no value
	Skew      FaultKind = "skew"       // the clock is ahead by Size seconds (3600); negative is behind
	RadioLoss FaultKind = "radio_loss" // no connection; measured all the same, and sent afterwards
)

// A Fault is something wrong with a device for a time.
type Fault struct {
	Kind    FaultKind
	Channel string        // of Drift, Spikes, Stuck and Missing; empty means every channel
	From    time.Time     // zero means from the start
	For     time.Duration // 0 means for ever
	Size    float64
	Chance  float64
}

// check reports why a device of kind k cannot have the fault.
func (f Fault) check(k Kind) error {
	known := []FaultKind{Drift, Spikes, Stuck, Missing, Skew, RadioLoss}
	switch {
	case !slices.Contains(known, f.Kind):
		return fmt.Errorf("unknown fault %q, known are %q", f.Kind, known)
	case f.Channel != "" && (f.Kind == Skew || f.Kind == RadioLoss):
		return fmt.Errorf("fault %s has no channel", f.Kind)
	case f.Channel != "" && !slices.ContainsFunc(k.Channels, func(c Channel) bool { return c.Name == f.Channel }):
		return fmt.Errorf("fault %s: kind %s has no channel %q", f.Kind, k.Name, f.Channel)
	case f.For < 0 || !(f.Chance >= 0 && f.Chance <= 1) || math.IsNaN(f.Size) || math.IsInf(f.Size, 0):
		return fmt.Errorf("fault %s: duration, chance or size out of range", f.Kind)
	}
	return nil
}

func (f Fault) active(t time.Time) bool {
	return !t.Before(f.From) && (f.For == 0 || t.Before(f.From.Add(f.For)))
}

func (f Fault) sizeOr(otherwise float64) float64 {
	if f.Size == 0 {
		return otherwise
	}
	return f.Size
}

func (f Fault) chanceOr(otherwise float64) float64 {
	if f.Chance == 0 {
		return otherwise
	}
	return f.Chance
}

// fault is a Fault at work.
type fault struct {
	Fault
	held map[string]float64 // by channel, while stuck
}

// clock returns the time that a device believes when it is t and its clock says
// stamp without this fault.
func (f *fault) clock(stamp, t time.Time) time.Time {
	if f.Kind != Skew || !f.active(t) {
		return stamp
	}
	return stamp.Add(time.Duration(f.sizeOr(3600) * float64(time.Second)))
}

// apply returns what channel c says at t instead of v.
func (f *fault) apply(own source, c Channel, t time.Time, v float64, missing bool) (float64, bool) {
	if f.Channel != "" && f.Channel != c.Name || !f.active(t) {
		return v, missing
	}
	own = own.named(string(f.Kind) + c.Name)
	switch f.Kind {
	case Drift:
		v += f.sizeOr(1) * t.Sub(f.From).Hours() / 24
	case Spikes:
		if own.uniform(t.UnixMilli()) < f.chanceOr(0.02) {
			v += math.Copysign(f.sizeOr(20), own.named("sign").uniform(t.UnixMilli())-0.5)
		}
	case Stuck:
		if held, ok := f.held[c.Name]; ok {
			return held, missing
		}
		f.held[c.Name] = v
	case Missing:
		missing = missing || own.uniform(t.UnixMilli()) < f.chanceOr(1)
	}
	return v, missing
}
