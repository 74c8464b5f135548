package main

import (
	"context"
	"fmt"
	"slices"

	"tianhai/cmd/internal/store"
	"tianhai/farm"
	"tianhai/trace/cert"
	"tianhai/trace/recall"
)

// A demoRecall is what the demo's bureau tells people.
type demoRecall struct {
	Reason  farm.Text `yaml:"reason"`
	Hazard  farm.Text `yaml:"hazard"`
	Advice  farm.Text `yaml:"advice"`
	Contact string    `yaml:"contact"`
}

// takeBack opens the recalls that follow from the demo's failed tests. What an earlier
// start has opened is nothing new.
func (d *demo) takeBack(ctx context.Context) error {
	failed, err := d.store.Reports(ctx, store.StatementFilter{Verdict: cert.Fail})
	if err != nil {
		return err
	}
	for _, report := range failed {
		batch, err := d.store.Batch(ctx, report.Batch)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(d.story.Open, func(b demoBatch) bool { return b.Lot == batch.Lot })
		if i < 0 || d.story.Open[i].Recall == nil {
			continue
		}
		told := d.story.Open[i].Recall
		_, err = d.recalls.Open(ctx, recall.Actor{Account: "bureau", Office: recall.ByBureau}, demoID(batch.Lot, 99, batch.Harvest), recall.Opening{
			Start: recall.Start{Kind: recall.FromTest, ID: report.ID}, Reason: told.Reason, Hazard: told.Hazard, Advice: told.Advice, Contact: told.Contact,
		})
		if err != nil {
			return fmt.Errorf("recall of %s: %w", batch.Lot, err)
		}
	}
	return nil
}
