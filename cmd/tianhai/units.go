package main

import (
	"context"
	"crypto/rand"
	"iter"

	"tianhai/cmd/internal/store"
	"tianhai/farm"
	"tianhai/trace"
	"tianhai/trace/label"
	"tianhai/trace/unit"
)

// openUnits gives packets their codes, and batches codes that are of no packet.
func (s *server) openUnits(ctx context.Context) error {
	key, err := s.store.UnitKey(ctx, rand.Reader)
	if err != nil {
		return err
	}
	s.units = &unit.Service{
		Store: s.store, Trees: s.store, Batches: s.store, Covers: s.store, Bindings: s.store, Key: key,
		NewRecord: s.tracer.NewRecord, Added: s.sealer.Wake,
	}
	s.tracer.NewCode = func() (string, error) {
		for {
			code, err := label.NewCode(rand.Reader)
			if err != nil || key.Free(code) {
				return code, err
			}
		}
	}
	return nil
}

// rolls shows rolls as the API asks for them.
type rolls struct {
	*store.Store
	units *unit.Service
}

// Labels yields what is printed for the codes of a roll.
func (r rolls) Labels(roll unit.Roll, first, last int) iter.Seq[unit.Label] {
	return r.units.Labels(roll, first, last)
}

// packets shows codes of packets as the consumer page and the resolver ask for them.
type packets struct {
	*unit.Service
	store *store.Store
}

// Batch returns the batch that a code is bound to.
func (p packets) Batch(ctx context.Context, id string) (trace.Batch, error) {
	return p.store.Batch(ctx, id)
}

// Packet returns the code that is a serial number of a GTIN; farm.ErrNotFound.
func (p packets) Packet(ctx context.Context, gtin, serial string) (string, error) {
	code, err := label.ParseCode(serial)
	if err != nil {
		return "", farm.ErrNotFound
	}
	u, err := p.Lookup(ctx, code)
	if err == nil && u.Roll.GTIN != gtin {
		err = farm.ErrNotFound
	}
	return code, err
}
