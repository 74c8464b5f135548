package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"tianhai/cmd/internal/store"
	"tianhai/farm"
	"tianhai/trace"
	"tianhai/trace/cert"
)

// A demoReport is what the demo's laboratory found.
type demoReport struct {
	Laboratory string      `yaml:"laboratory"` // its tenant
	CMA        string      `yaml:"cma"`
	Number     string      `yaml:"number"`
	Sample     string      `yaml:"sample"`
	Standard   string      `yaml:"standard"`
	Sampled    ago         `yaml:"sampled"`
	Reported   ago         `yaml:"reported"`
	Items      []cert.Item `yaml:"items"`
}

// certify has the demo's batches tested, and gives each that has a code its
// certificate. What an earlier start has done is nothing new.
func (d *demo) certify(ctx context.Context, now time.Time) error {
	all, err := d.store.Batches(ctx, store.BatchFilter{Limit: store.MaxBatches})
	if err != nil {
		return err
	}
	for i, b := range slices.Concat(d.story.Batches, d.story.Open) {
		at := slices.IndexFunc(all, func(known trace.Batch) bool { return known.Lot == b.Lot })
		var batch trace.Batch
		if at >= 0 {
			batch = all[at]
		} else if batch, err = d.openBatch(ctx, b, now); err != nil {
			return fmt.Errorf("batch %s: %w", b.Lot, err)
		}
		if err := d.test(ctx, batch, b.Report, now); err != nil {
			return fmt.Errorf("test of batch %s: %w", b.Lot, err)
		}
		if i >= len(d.story.Batches) {
			continue
		}
		in := trace.Issue{ID: demoID(b.Lot, 91, now), Style: cert.Producer, Basis: []cert.Basis{cert.Control}}
		if b.Report != nil {
			in.Basis = append(in.Basis, cert.Commissioned)
		}
		if _, err := d.certs.Issue(ctx, batch, in); err != nil && !errors.Is(err, farm.ErrConflict) {
			return fmt.Errorf("certificate of batch %s: %w", b.Lot, err)
		}
	}
	return nil
}

// test sends a sample of a batch to a laboratory, and stores what it found.
func (d *demo) test(ctx context.Context, b trace.Batch, r *demoReport, now time.Time) error {
	if r == nil {
		return nil
	}
	lab, err := d.store.Tenant(ctx, r.Laboratory)
	if err != nil {
		return err
	}
	sample := cert.Sample{ID: demoID(b.Lot, 92, now), Tenant: b.Tenant, Batch: b.ID, Laboratory: lab.ID, Number: r.Sample, Asked: r.Sampled.before(now), Account: b.Tenant}
	if err := d.store.AddSample(ctx, sample); err != nil && !errors.Is(err, farm.ErrConflict) {
		return err
	}
	day := func(a ago) string { return beijingDay(a.before(now)).Format(time.DateOnly) }
	_, err = d.certs.AddReport(ctx, cert.Report{
		ID: demoID(b.Lot, 93, now), Tenant: b.Tenant, Batch: b.ID, Source: cert.Laboratory, By: lab.ID, Lab: lab.Name.Zh, CMA: r.CMA, Number: r.Number, Sample: r.Sample,
		Sampled: day(r.Sampled), Reported: day(r.Reported), Standard: r.Standard, Items: r.Items,
	})
	return err
}
