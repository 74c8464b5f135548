package trace_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"tianhai/farm"
	"tianhai/trace"
	"tianhai/trace/gate"
	"tianhai/trace/input"
)

const lotID = "01JZ00000000000000000000M1"

// store of one lot of one product.
type onShelf struct {
	lot     input.Stock
	product input.Product
}

func (o *onShelf) Lot(_ context.Context, id string) (input.Stock, error) {
	if id != o.lot.ID {
		return input.Stock{}, farm.ErrNotFound
	}
	return o.lot, nil
}

func (o *onShelf) Input(context.Context, string, time.Time) (input.Product, error) {
	return o.product, nil
}

// stocked returns a service with a litre of a product whose label allows oysters
// 1 to 2 mL to each m³, twice a season, and 100 degree-days and 3 days.
func stocked(m *memory) (*trace.Service, *onShelf) {
	s := gated(m)
	three := 3
	shelf := &onShelf{
		lot: input.Stock{Lot: input.Lot{ID: lotID, Tenant: "maowei", Product: "drug-1", Quantity: 1, Unit: "L", Expires: noon.AddDate(1, 0, 0)}},
		product: input.Product{ID: "drug-1", Kind: input.Drug, Name: farm.Text{Zh: "示例药"}, Actives: []input.Active{{Name: "示例"}}, Labels: []input.Label{{
			Species: "oyster", MaxUses: 2, Wait: input.Wait{Days: &three}, Source: "label",
			Dose: input.Dose{Min: 1, Max: 2, Unit: "mL", Basis: input.PerWater, Per: "m3"},
		}}},
	}
	s.Inputs, s.Bans = shelf, input.Banned()
	return s, shelf
}

func treat(at time.Time) trace.Operation {
	op := medicate(at, "1", "d")
	for i := range op.Items {
		if op.Items[i].Key == "lot" {
			op.Items[i].Value = lotID
		}
	}
	op.Items = append(op.Items, trace.Item{Key: "amount", Value: "100", Unit: "mL"}, trace.Item{Key: "treated_water", Value: "50", Unit: "m3"}, trace.Item{Key: "crop", Value: "oyster"})
	return op
}

func set(op *trace.Operation, key, value, unit string) {
	for i := range op.Items {
		if op.Items[i].Key == key {
			op.Items[i].Value, op.Items[i].Unit = value, unit
		}
	}
}

// TestUseDrawsAndBars: the draw goes with the operation, and the label's wait
// counts, not the shorter one that was written.
func TestUseDrawsAndBars(t *testing.T) {
	m := newMemory()
	s, _ := stocked(m)
	add(t, s, treat(noon.AddDate(0, 0, -2)))
	if d := m.ops[0].Draw; d == nil || d.Lot != lotID || d.Amount != (input.Amount{N: 100_000, Dim: input.Volume}) {
		t.Errorf("drawn %+v", d)
	}
	_, _, err := s.AddOperation(t.Context(), catchOf(noon))
	if r := refusal(t, err); r.Gate != gate.Interval || r.Product != "drug-1" || r.Limit != 3 || r.Earliest != "2026-11-21" {
		t.Errorf("%+v", r)
	}
}

func TestUseGates(t *testing.T) {
	tests := map[string]struct {
		change func(*trace.Operation, *onShelf)
		want   gate.Gate
	}{
		"over the dose": {func(op *trace.Operation, _ *onShelf) { set(op, "amount", "100.1", "mL") }, gate.OverDose},
		"stated otherwise": {func(op *trace.Operation, _ *onShelf) {
			set(op, "treated_water", "—", "")
			set(op, "dose", "3", "mL/m3")
		}, gate.DoseUnknown},
		"not on the label":   {func(op *trace.Operation, _ *onShelf) { set(op, "crop", "fish", "") }, gate.NotOnLabel},
		"expired":            {func(_ *trace.Operation, o *onShelf) { o.lot.Expires = noon.AddDate(0, 0, -9) }, gate.LotExpired},
		"a banned substance": {func(_ *trace.Operation, o *onShelf) { o.product.Actives[0].Name = "孔雀石绿" }, gate.Banned},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m := newMemory()
			s, shelf := stocked(m)
			op := treat(noon.AddDate(0, 0, -2))
			tt.change(&op, shelf)
			if name == "stated otherwise" {
				set(&op, "dose", "3", "mg/L") // of a liquid: no label says so
			}
			_, _, err := s.AddOperation(t.Context(), op)
			if r := refusal(t, err); r.Gate != tt.want {
				t.Errorf("%+v", r)
			}
			if len(m.ops) != 0 {
				t.Error("the refused operation is there")
			}
		})
	}
}

// TestThirdTime: the label allows two uses a season; one that was taken back does
// not count, and two phones at once do not slip through.
func TestThirdTime(t *testing.T) {
	m := newMemory()
	s, _ := stocked(m)
	first := add(t, s, treat(noon.AddDate(0, 0, -9)))
	errs := make(chan error)
	for i := range 6 {
		go func() {
			_, _, err := s.AddOperation(t.Context(), treat(noon.AddDate(0, 0, -2).Add(time.Duration(i)*time.Minute)))
			errs <- err
		}()
	}
	through := 0
	for range 6 {
		var r *gate.Refused
		if err := <-errs; err == nil {
			through++
		} else if !errors.As(err, &r) || r.Refusals[0].Gate != gate.OverCount {
			t.Errorf("got %v", err)
		}
	}
	if through != 1 {
		t.Errorf("%d went through, want 1", through)
	}
	add(t, s, trace.Operation{ID: ulid.Make().String(), Tenant: "maowei", Site: "raft-1", Kind: "void", At: noon, Person: "wei", Corrects: first.ID, Items: []trace.Item{{Key: "reason", Value: "没有用"}}})
	add(t, s, treat(noon.AddDate(0, 0, -1)))
}

func TestUseSaysWhat(t *testing.T) {
	tests := map[string]struct {
		change func(*trace.Operation, *onShelf)
		field  string
	}{
		"another's lot":         {func(_ *trace.Operation, o *onShelf) { o.lot.Tenant = "stranger" }, "items.lot"},
		"no such lot":           {func(_ *trace.Operation, o *onShelf) { o.lot.ID = "x" }, "items.lot"},
		"no amount":             {func(op *trace.Operation, _ *onShelf) { set(op, "amount", "—", "") }, "items.amount"},
		"weighed, not measured": {func(op *trace.Operation, _ *onShelf) { set(op, "amount", "100", "g") }, "items.amount"},
		"a crop nobody knows":   {func(op *trace.Operation, _ *onShelf) { set(op, "crop", "kraken", "") }, "items.crop"},
		"which of several":      {func(op *trace.Operation, _ *onShelf) { set(op, "crop", "—", "") }, "items.crop"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s, shelf := stocked(newMemory())
			op := treat(noon.AddDate(0, 0, -2))
			tt.change(&op, shelf)
			var fe *trace.FieldError
			if _, _, err := s.AddOperation(t.Context(), op); !errors.As(err, &fe) || fe.Field != tt.field {
				t.Errorf("got %v, want a FieldError of %s", err, tt.field)
			}
		})
	}
}
