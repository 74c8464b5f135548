package main

import (
	"slices"
	"testing"

	"tianhai/firmware-sim/fleet"
	"tianhai/i18n"
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

// Every word of the demo's operations has a name in every language.
func TestDemoWordsAreNamed(t *testing.T) {
	texts, err := i18n.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, lang := range texts.Languages() {
		keys := texts.Keys(lang)
		for _, b := range loadStory(t).Batches {
			for _, o := range b.Operations {
				if !slices.Contains(keys, "operation."+o.Kind) {
					t.Errorf("%s has no operation.%s", lang, o.Kind)
				}
				for _, item := range o.Items {
					if !slices.Contains(keys, "item."+item.Key) {
						t.Errorf("%s has no item.%s", lang, item.Key)
					}
				}
			}
		}
	}
}
