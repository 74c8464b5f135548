package trace

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"tianhai/farm"
	"tianhai/trace/gate"
	"tianhai/trace/input"
)

// LateRecord is the kind of a record which says that a use of an input became known
// only after a harvest that it concerns. Its subject is the batch.
const LateRecord = "late_use"

// A LateUse is a use of an input, recorded or moved after a harvest, for which that
// harvest was too early. The batch may be with consumers: it is for its manager and
// the bureau to say whether it is recalled.
type LateUse struct {
	Operation string         `json:"operation"`
	Batch     string         `json:"batch"`
	Tenant    string         `json:"tenant"`
	Site      string         `json:"site"`
	Refusals  []gate.Refusal `json:"refusals"` // what would have refused the harvest
	Found     time.Time      `json:"found"`
	Withdrawn bool           `json:"withdrawn,omitempty"` // the use was taken back or corrected

	Record Record `json:"-"` // for Journal.AddOperation; not read back
}

// A FoundLate is a LateUse as it is listed, with what people want to know of its
// batch.
type FoundLate struct {
	LateUse
	Lot     string    `json:"lot"`            // the producer's own number
	Code    string    `json:"code,omitempty"` // where the batch is closed
	Harvest time.Time `json:"harvest"`
}

// Harvests knows what was harvested.
type Harvests interface {
	// HarvestedSince returns the batches of a site that were harvested at or after a
	// time, oldest first.
	HarvestedSince(ctx context.Context, site string, t time.Time) ([]Batch, error)
	// LateOf returns the late uses that an operation is, as they were found.
	LateOf(ctx context.Context, operation string) ([]LateUse, error)
}

// lateUses returns for which batches an operation comes too late, and for which the
// one that it corrects does no longer.
func (s *Service) lateUses(ctx context.Context, site farm.Site, op Operation) ([]LateUse, error) {
	if s.Harvests == nil {
		return nil, nil
	}
	var all []LateUse
	if op.Corrects != "" {
		before, err := s.Harvests.LateOf(ctx, op.Corrects)
		if err != nil {
			return nil, fmt.Errorf("late uses of %s: %w", op.Corrects, err)
		}
		for _, l := range before {
			l.Found, l.Withdrawn = op.Recorded, true
			if l.Record, err = s.lateRecord(l, ""); err != nil {
				return nil, err
			}
			all = append(all, l)
		}
	}
	uses, err := s.uses(ctx, site, InForce([]Operation{op}))
	if err != nil {
		return nil, err
	}
	for _, u := range uses {
		found, err := s.late(ctx, op, u)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// late returns the batches for whose harvest an operation comes too late to refuse
// it. Water temperatures that are out of reach count as none: the use is recorded
// in any case, and what is not known counts against the harvest.
func (s *Service) late(ctx context.Context, op Operation, u gate.Use) ([]LateUse, error) {
	batches, err := s.Harvests.HarvestedSince(ctx, op.Site, u.At)
	if err != nil {
		return nil, fmt.Errorf("batches of site %s: %w", op.Site, err)
	}
	var found []LateUse
	for _, b := range batches {
		target, err := s.target(ctx, b)
		if err != nil {
			return nil, err
		}
		// A sale is held against nothing but the waits of what was harvested.
		act := gate.Act{Kind: gate.Sale, Site: op.Site, At: op.Recorded, Harvested: b.Harvest, Target: target}
		uses := []gate.Use{u}
		water, err := s.water(ctx, op.Tenant, act, uses)
		if err != nil && !errors.Is(err, ErrNoEvidence) {
			return nil, err
		}
		refusals := gate.Check(act, gate.History{Uses: uses, Water: water})
		if len(refusals) == 0 {
			continue
		}
		l := LateUse{Operation: op.ID, Batch: b.ID, Tenant: op.Tenant, Site: op.Site, Refusals: refusals, Found: op.Recorded}
		if l.Record, err = s.lateRecord(l, b.Code); err != nil {
			return nil, err
		}
		found = append(found, l)
	}
	return found, nil
}

func (s *Service) lateRecord(l LateUse, code string) (Record, error) {
	body, err := marshal(struct {
		Version int    `json:"v"`
		Code    string `json:"code,omitempty"`
		LateUse
	}{1, code, l})
	if err != nil {
		return Record{}, err
	}
	return s.newRecord(Record{Tenant: l.Tenant, Kind: LateRecord, Subject: l.Batch, Body: body, At: l.Found})
}

// target returns what a batch is to labels.
func (s *Service) target(ctx context.Context, b Batch) (input.Target, error) {
	product, err := s.Store.Product(ctx, b.Product)
	if err != nil {
		return input.Target{}, fmt.Errorf("product %s: %w", b.Product, err)
	}
	return targetOf(product), nil
}

// ParseLateUse reads the body of a LateRecord.
func ParseLateUse(body []byte) (LateUse, error) {
	var l LateUse
	if err := json.Unmarshal(body, &l); err != nil {
		return LateUse{}, fmt.Errorf("read late use: %w", err)
	}
	return l, nil
}
