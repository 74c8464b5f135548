package store_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"tianhai/cmd/internal/store"
	"tianhai/trace/chain"
	"tianhai/trace/epcis"
	"tianhai/trace/epcis/repository"
	"tianhai/trace/epcis/told"
	"tianhai/trace/resolver"
)

// tell has several servers at once tell what waits, until nothing does.
func tell(t *testing.T, s *store.Store) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var g errgroup.Group
	for range 3 {
		teller := told.New(s, slog.New(slog.DiscardHandler))
		teller.PublicURL = "https://farm.example.com"
		teller.Told = func() {
			if left, err := s.Untold(ctx, 1); err == nil && len(left) == 0 {
				cancel()
			}
		}
		g.Go(func() error { return teller.Run(ctx) })
	}
	check(t, g.Wait())
	if left, err := s.Untold(t.Context(), 1); err != nil || len(left) > 0 {
		t.Fatalf("%v wait, %v", left, err)
	}
}

// A toldEvent is what the tests look at of an event.
type toldEvent struct {
	Type, ID, BizStep     string
	Input, Output, Object []struct {
		EPCClass string      `json:"epcClass"`
		Quantity json.Number `json:"quantity"`
	}
	Error *struct {
		Reason     string
		Corrective []string `json:"correctiveEventIDs"`
	}
}

// toldEvents returns what a scope sees, in the order of recording.
func toldEvents(t *testing.T, s *store.Store, in repository.Scope) (all []toldEvent) {
	t.Helper()
	page, err := s.FindEvents(t.Context(), repository.Ask{Scope: in, Query: asked(t, "orderBy=recordTime&orderDirection=ASC"), Limit: 1000})
	check(t, err)
	slices.SortFunc(page, func(a, b repository.Stored) int { return int(a.Seq - b.Seq) })
	for _, e := range page {
		doc, err := epcis.Parse(repository.AppendDocument(nil, repository.Head{Created: noon}, []repository.Stored{e}))
		check(t, err)
		if faults := doc.Validate(); len(faults) > 0 {
			t.Errorf("%s\n%v", e.JSON, faults)
		}
		if hashes, err := doc.Hashes(); err != nil || hashes[0] != e.ID {
			t.Errorf("event %s hashes to %v, %v", e.ID, hashes, err)
		}
		var raw struct {
			toldEvent
			Input  json.RawMessage `json:"inputQuantityList"`
			Output json.RawMessage `json:"outputQuantityList"`
			Object json.RawMessage `json:"quantityList"`
			Error  json.RawMessage `json:"errorDeclaration"`
			ID     string          `json:"eventID"`
		}
		check(t, json.Unmarshal(e.JSON, &raw))
		one := raw.toldEvent
		one.ID = raw.ID
		for from, to := range map[*json.RawMessage]any{&raw.Input: &one.Input, &raw.Output: &one.Output, &raw.Object: &one.Object, &raw.Error: &one.Error} {
			if len(*from) > 0 {
				check(t, json.Unmarshal(*from, to))
			}
		}
		all = append(all, one)
	}
	return all
}

// moveTold stores a movement whose record says all of it, as the service writes it.
func moveTold(t *testing.T, s *store.Store, m chain.Movement, site string) {
	t.Helper()
	m.Tenant, m.At, m.Recorded, m.Site = "tea", noon.Truncate(time.Millisecond), noon.Truncate(time.Millisecond), site
	rec := recordOf(m)
	said := m
	said.Person, said.Buyer = "", nil
	body, err := json.Marshal(map[string]any{"v": 1, "movement": said})
	check(t, err)
	rec.Body = body
	check(t, s.Move(t.Context(), m, madeOf(m, "garden-1"), rec))
}

func testTold(t *testing.T, s *store.Store) {
	ctx := t.Context()
	seed(t, s)
	check(t, s.AddHolding(ctx, resolver.Holding{GTIN: "06901234567892", Tenant: "tea", Product: "liubao", Account: "admin", Set: noon}))
	twin := out("b2", kg(10))
	twin.Lot = "l-b"
	moveTold(t, s, chain.Movement{ID: "m1", Kind: chain.Harvest, Outputs: []chain.Output{out("a", kg(100))}}, "garden-1")
	moveTold(t, s, chain.Movement{ID: "m2", Kind: chain.Split, Inputs: []chain.Input{in("a", kg(60))}, Outputs: []chain.Output{out("b", kg(50)), twin}}, "")
	tell(t, s)
	moveTold(t, s, chain.Movement{ID: "m3", Kind: chain.Loss, Inputs: []chain.Input{in("b", kg(5))}, Losses: []chain.Lost{{Amount: kg(5), Reason: "mould"}}}, "")
	moveTold(t, s, chain.Movement{ID: "m4", Kind: chain.Loss, Inputs: []chain.Input{in("b", kg(4))}, Losses: []chain.Lost{{Amount: kg(4), Reason: "mould"}}, Corrects: "m3", Reason: "weighed again"}, "")
	moveTold(t, s, chain.Movement{ID: "m5", Kind: chain.Void, Corrects: "m4", Reason: "there was none"}, "")
	tell(t, s)
	events := toldEvents(t, s, repository.Scope{Tenant: "tea"})

	link := func(lot string) string { return "https://id.gs1.org/01/06901234567892/10/" + lot }
	var got []string
	for _, e := range events {
		line := e.Type + " " + e.BizStep[strings.LastIndex(e.BizStep, "/")+1:]
		for _, list := range [][]struct {
			EPCClass string      `json:"epcClass"`
			Quantity json.Number `json:"quantity"`
		}{e.Input, e.Output, e.Object} {
			for _, q := range list {
				line += fmt.Sprintf(" %s %s", q.EPCClass, q.Quantity)
			}
		}
		if e.Error != nil {
			line += " " + e.Error.Reason
		}
		got = append(got, line)
	}
	want := []string{
		"TransformationEvent BizStep-harvest https://farm.example.com/epcis/id/site/garden-1/crop  " + link("l-a") + " 100",
		// Of two batches of one number only the first can be called by it.
		"TransformationEvent BizStep-split " + link("l-a") + " 60 " + link("l-b") + " 50 https://farm.example.com/epcis/id/batch/b2 10",
		"ObjectEvent decommissioning " + link("l-b") + " 5",
		"ObjectEvent decommissioning " + link("l-b") + " 5 incorrect_data",
		"ObjectEvent decommissioning " + link("l-b") + " 4",
		"ObjectEvent decommissioning " + link("l-b") + " 4 did_not_occur",
	}
	if !slices.Equal(got, want) {
		t.Fatalf("events are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	wrong, corrected, right := events[2], events[3], events[4]
	if corrected.ID != wrong.ID || !slices.Equal(corrected.Error.Corrective, []string{right.ID}) || events[5].ID != right.ID {
		t.Errorf("%+v is corrected by %+v, which is %+v", wrong, corrected, right)
	}
	if others := toldEvents(t, s, repository.Scope{Tenant: "oysters"}); len(others) > 0 {
		t.Errorf("another farm sees %+v", others)
	}
	if n := count(t, s, "EQ_bizStep=decommissioning"); n != 4 {
		t.Errorf("%d losses are found", n)
	}
}

func count(t *testing.T, s *store.Store, text string) int {
	t.Helper()
	n, err := s.CountEvents(t.Context(), repository.Ask{Query: asked(t, text)}, 1000)
	check(t, err)
	return n
}
