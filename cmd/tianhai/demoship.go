package main

import (
	"context"
	"fmt"
	"time"

	"tianhai/cmd/internal/store"
	"tianhai/trace"
)

// demoDoorAgo is how long ago the door of the demo's first truck stood open.
const demoDoorAgo = 16 * time.Hour

// A demoShipment is batches of one farm on their way.
type demoShipment struct {
	Lots        []string `yaml:"lots"`
	Loggers     []string `yaml:"loggers"`
	Origin      string   `yaml:"origin"`
	Destination string   `yaml:"destination"`
	Carrier     string   `yaml:"carrier"`
	Vehicle     string   `yaml:"vehicle"`
	Departed    ago      `yaml:"departed"`
	Arrived     ago      `yaml:"arrived"` // 0: it is still on its way
}

// ship sends the demo's batches on their way, and has those arrive that did. What an
// earlier start has done is nothing new.
func (d *demo) ship(ctx context.Context, now time.Time) error {
	all, err := d.store.Batches(ctx, store.BatchFilter{Limit: store.MaxBatches})
	if err != nil {
		return err
	}
	batches := map[string]trace.Batch{}
	for _, b := range all {
		batches[b.Lot] = b
	}
	for _, told := range d.story.Shipments {
		left := told.Departed.before(now)
		sh := trace.Shipment{
			ID: demoID(told.Lots[0], 97, left), Tenant: batches[told.Lots[0]].Tenant, Origin: told.Origin, Destination: told.Destination,
			Carrier: told.Carrier, Vehicle: told.Vehicle, Loggers: told.Loggers, Departed: left, Account: batches[told.Lots[0]].Tenant,
		}
		for _, lot := range told.Lots {
			sh.Batches = append(sh.Batches, batches[lot].ID)
		}
		_, _, err := d.tracer.Depart(ctx, sh)
		if err == nil && told.Arrived > 0 {
			_, err = d.tracer.Arrive(ctx, sh.Tenant, sh.ID, told.Arrived.before(now))
		}
		if err != nil {
			return fmt.Errorf("shipment of %v: %w", told.Lots, err)
		}
	}
	return nil
}
