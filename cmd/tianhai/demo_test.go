package main

import (
	"slices"
	"testing"
	"time"

	"tianhai/firmware-sim/fleet"
	"tianhai/trace/catalog"
)

func loadStory(t *testing.T) demoStory {
	t.Helper()
	var s demoStory
	if err := parseStrict(demoYAML, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// What the demo registers is what the simulator's devices report and obey.
func TestDemoModelsAreTheSimulators(t *testing.T) {
	story := loadStory(t)
	for _, k := range fleet.Kinds() {
		i := slices.IndexFunc(story.Farms.Models, func(m farmModel) bool { return m.ID == k.Name })
		if i < 0 {
			t.Errorf("demo.yaml has no model %s", k.Name)
			continue
		}
		m := story.Farms.Models[i]
		if !slices.Equal(m.Commands, k.Commands) {
			t.Errorf("%s obeys %v, demo.yaml says %v", k.Name, k.Commands, m.Commands)
		}
		registered := map[string]string{}
		for _, c := range m.Channels {
			registered[c.Key] = c.Quantity
		}
		for _, c := range k.Channels {
			if registered[c.Name] != c.Quantity {
				t.Errorf("%s reports %s as %s, demo.yaml says %q", k.Name, c.Name, c.Quantity, registered[c.Name])
			}
		}
		if len(registered) != len(k.Channels) {
			t.Errorf("%s reports %d channels, demo.yaml has %d", k.Name, len(k.Channels), len(registered))
		}
	}
}

// Every operation of the demo is one that its product's catalog knows, and says all
// that is demanded of it.
func TestDemoKeepsToTheCatalog(t *testing.T) {
	c, story := catalog.Default(), loadStory(t)
	species := map[string]string{}
	for _, p := range story.Farms.Products {
		species[p.ID] = p.Species
	}
	lots := map[string]bool{}
	for _, l := range story.Lots {
		lots[l.Batch] = true
	}
	for _, b := range story.Batches {
		p, ok := c.Product(species[b.Product])
		if !ok {
			t.Errorf("%s is of %q, which the catalog does not know", b.Product, species[b.Product])
		}
		asked := b.Operations
		for _, r := range b.Refused {
			asked = append(asked, r.Operation)
		}
		for _, o := range asked {
			kind, _ := c.Operation(o.Kind)
			items := o.said(time.Now())
			for i, item := range items {
				if lots[item.Value] {
					items[i].Value = demoID(item.Value, 80, time.Now())
				}
			}
			if !slices.Contains(p.Operations, o.Kind) {
				t.Errorf("%s: %s is no operation of %s", b.Lot, o.Kind, p.ID)
			} else if err := c.Check(kind, items); err != nil {
				t.Errorf("%s: %s: %v", b.Lot, o.Kind, err)
			}
		}
	}
}
