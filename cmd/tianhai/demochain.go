package main

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"tianhai/cmd/internal/store"
	"tianhai/farm"
	"tianhai/trace/chain"
)

// A demoChain is a batch that is made of others, told movement by movement.
type demoChain struct {
	Site       string          `yaml:"site"`
	Lot        string          `yaml:"lot"` // of the batch that gets a code in the end
	Operations []demoOperation `yaml:"operations"`
	Movements  []demoMovement  `yaml:"movements"`
}

type demoMovement struct {
	Kind  chain.Kind `yaml:"kind"`
	Step  string     `yaml:"step"`
	Site  string     `yaml:"site"` // where it is not the chain's
	Ago   ago        `yaml:"ago"`
	Began ago        `yaml:"began"` // of a harvest
	Buyer string     `yaml:"buyer"`
	Take  []demoPart `yaml:"take"`
	Make  []demoPart `yaml:"make"`
	Lose  []demoPart `yaml:"lose"`
}

// A demoPart is an amount, in kilograms unless it says otherwise.
type demoPart struct {
	Lot      string `yaml:"lot"`
	Product  string `yaml:"product"`
	Quantity string `yaml:"quantity"`
	Unit     string `yaml:"unit"`
	From     string `yaml:"from"` // kilograms
	Reason   string `yaml:"reason"`
}

func (p demoPart) amount() (chain.Amount, error) {
	return chain.Measure(p.Quantity, cmp.Or(p.Unit, "kg"))
}

// follow records the movements of a chain, and closes the batch that comes of it.
func (d *demo) follow(ctx context.Context, c demoChain, now time.Time) (string, error) {
	site, err := d.store.Site(ctx, c.Site)
	if err != nil {
		return "", err
	}
	if err := d.record(ctx, c.Lot, site, c.Operations, now); err != nil {
		return "", err
	}
	batches, err := d.lots(ctx, site.Tenant)
	if err != nil {
		return "", err
	}
	made := 0
	for i, told := range c.Movements {
		m, err := told.movement(site, batches, now)
		if err != nil {
			return "", fmt.Errorf("movement %d: %w", i+1, err)
		}
		m.ID = demoID(c.Lot, 40+i, m.At)
		for j := range m.Outputs {
			made++
			m.Outputs[j].Batch = demoID(c.Lot, 60+made, m.At)
			batches[m.Outputs[j].Lot] = m.Outputs[j].Batch
		}
		if _, _, err := d.tracer.Move(ctx, m); err != nil {
			return "", fmt.Errorf("movement %d: %w", i+1, err)
		}
	}
	done, err := d.tracer.CloseBatch(ctx, batches[c.Lot])
	return done.Code, err
}

// lots returns the batches of a tenant by their lots.
func (d *demo) lots(ctx context.Context, tenant string) (map[string]string, error) {
	all, err := d.store.Batches(ctx, store.BatchFilter{Tenant: tenant, Limit: 100})
	batches := map[string]string{}
	for _, b := range all {
		batches[b.Lot] = b.ID
	}
	return batches, err
}

func (m demoMovement) movement(site farm.Site, batches map[string]string, now time.Time) (chain.Movement, error) {
	at := m.Ago.before(now)
	out := chain.Movement{Tenant: site.Tenant, Kind: m.Kind, Step: m.Step, At: at, Person: site.Tenant, Site: cmp.Or(m.Site, site.ID)}
	if m.Buyer != "" {
		out.Buyer = &chain.Buyer{Name: m.Buyer}
	}
	for _, p := range m.Take {
		a, err := p.amount()
		if err != nil {
			return out, err
		}
		out.Inputs = append(out.Inputs, chain.Input{Batch: batches[p.Lot], Amount: a})
	}
	for _, p := range m.Make {
		a, err := p.amount()
		if err != nil {
			return out, err
		}
		o := chain.Output{Product: p.Product, Lot: p.Lot, Amount: a}
		if p.From != "" {
			from, err := chain.Measure(p.From, "kg")
			if err != nil {
				return out, err
			}
			o.From = &from
		}
		if m.Kind == chain.Harvest {
			o.Began, o.Harvest = m.Began.before(now), at
		}
		out.Outputs = append(out.Outputs, o)
	}
	for _, p := range m.Lose {
		a, err := p.amount()
		if err != nil {
			return out, err
		}
		out.Losses = append(out.Losses, chain.Lost{Amount: a, Reason: p.Reason})
	}
	return out, nil
}
