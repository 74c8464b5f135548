package main

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tianhai/farm"
	"tianhai/trace"
	"tianhai/trace/gate"
	"tianhai/trace/input"
)

//go:embed demoinputs.yaml
var demoInputs []byte

// A demoLot is what a farm of the demo bought.
type demoLot struct {
	Tenant   string  `yaml:"tenant"`
	Product  string  `yaml:"product"`
	Batch    string  `yaml:"batch"`
	Made     ago     `yaml:"made"`
	Expires  ago     `yaml:"expires"`
	Supplier string  `yaml:"supplier"`
	Quantity float64 `yaml:"quantity"`
	Unit     string  `yaml:"unit"`
}

// A demoRefusal is an operation that must not be: the demo asks for it, and fails where
// it is let through.
type demoRefusal struct {
	Because   string        `yaml:"because"` // code of the problem, as the API has it
	Operation demoOperation `yaml:",inline"`
}

// stock registers the demo's inputs and buys its lots, of which an earlier start has
// bought some.
func (d *demo) stock(ctx context.Context, now time.Time) error {
	products, faults, err := input.ParseProducts(bytes.NewReader(demoInputs))
	if err != nil || len(faults) > 0 {
		return fmt.Errorf("demoinputs.yaml: %v %w", faults, err)
	}
	if err := d.store.PutInputs(ctx, products, "admin"); err != nil {
		return err
	}
	d.lotIDs = map[string]string{}
	for _, l := range d.story.Lots {
		id := demoID(l.Batch, 80, l.Made.before(now))
		d.lotIDs[l.Batch] = id
		err := d.tracer.Buy(ctx, []input.Lot{{
			ID: id, Tenant: l.Tenant, Product: l.Product, Batch: l.Batch, Made: l.Made.before(now), Expires: beijingDay(l.Expires.before(now)),
			Supplier: l.Supplier, Quantity: l.Quantity, Unit: l.Unit, Account: l.Tenant,
		}})
		if err != nil && !errors.Is(err, farm.ErrConflict) {
			return fmt.Errorf("lot %s: %w", l.Batch, err)
		}
	}
	return nil
}

// operation is what is told, with lots by their IDs and the last day of a treatment.
func (d *demo) operation(lot string, n int, site farm.Site, o demoOperation, now time.Time) trace.Operation {
	op := trace.Operation{
		ID: demoID(lot, n, o.Ago.before(now)), Tenant: site.Tenant, Site: site.ID,
		Kind: o.Kind, At: o.Ago.before(now), Person: site.Tenant, Items: o.said(now),
	}
	for i, item := range op.Items {
		if id, known := d.lotIDs[item.Value]; known && item.Key == "lot" {
			op.Items[i].Value = id
		}
	}
	return op
}

// said are the items of an operation, the days among them.
func (o demoOperation) said(now time.Time) []trace.Item {
	items := slices.Clone(o.Items)
	if o.Stop != 0 {
		items = append(items, trace.Item{Key: "stop", Value: beijingDay(o.Stop.before(now)).Format(time.DateOnly)})
	}
	return items
}

// refuse asks for what must not be, and returns how it was refused, in both languages.
func (d *demo) refuse(ctx context.Context, lot string, site farm.Site, asked []demoRefusal, now time.Time) error {
	for i, o := range asked {
		_, _, err := d.tracer.AddOperation(ctx, d.operation(lot, 20+i, site, o.Operation, now))
		code, words := refusedAs(err)
		if code != o.Because {
			return fmt.Errorf("%s of %s is refused as %q, want %s: %w", o.Operation.Kind, lot, code, o.Because, err)
		}
		said := d.texts.T("zh-CN", "problem."+code, words("zh-CN")...) + "  ·  " + d.texts.T("en", "problem."+code, words("en")...)
		d.refusals = append(d.refusals, fmt.Sprintf("  %s  %s\n    %s\n", beijingDay(o.Operation.Ago.before(now)).Format(time.DateOnly), site.ID, said))
	}
	return nil
}

// refusedAs returns the code of a problem as the API has it, and what its words are
// completed with; "" where nothing was refused.
func refusedAs(err error) (code string, words func(lang string) []string) {
	words = func(string) []string { return nil }
	if refused := (*gate.Refused)(nil); errors.As(err, &refused) {
		r := refused.Refusals[0]
		return "gate_" + string(r.Gate), func(lang string) []string {
			return []string{"name", r.Name.In(lang), "date", r.Date, "earliest", r.Earliest, "number", r.Number}
		}
	}
	if short := (*input.ShortError)(nil); errors.As(err, &short) {
		return "stock_short", words
	}
	return "", words
}

// demoRefusals tells what the gates have refused while the batches grew.
func demoRefusals(s *server, refusals []string) string {
	if len(refusals) == 0 {
		return "" // a later start asks for nothing again
	}
	return fmt.Sprintf("\n  %s  ·  %s\n\n%s", s.texts.T("zh-CN", "demo.refused"), s.texts.T("en", "demo.refused"), strings.Join(refusals, ""))
}
