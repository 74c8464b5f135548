package main

import (
	"context"
	"fmt"
	"time"

	"tianhai/trace/unit"
)

// demoCodesOfRoll is how many codes the demo's roll has: as many as a farm tries first.
const demoCodesOfRoll = 500

// label gives packets of the demo's first batch codes of their own: most of a roll is
// printed, some of that is bound and some void. It returns one of the bound packets.
// What an earlier start has done is nothing new.
func (d *demo) label(ctx context.Context, code string, now time.Time) (unit.Label, error) {
	rec, err := d.store.RecordByCode(ctx, code)
	if err != nil {
		return unit.Label{}, err
	}
	b, err := d.store.Batch(ctx, rec.Subject)
	if err != nil {
		return unit.Label{}, err
	}
	r, err := d.units.Issue(ctx, unit.Roll{ID: demoID(b.Lot, 81, now), Tenant: b.Tenant, Product: b.Product, Codes: demoCodesOfRoll, Covered: true, Account: b.Tenant})
	if err != nil {
		return unit.Label{}, err
	}
	for i, st := range []unit.Step{
		{Kind: unit.Print, First: 1, Last: 400},
		{Kind: unit.Bind, First: 1, Last: 320, Batch: b.ID},
		{Kind: unit.Void, First: 381, Last: 400, Reason: "余卷作废"},
		{Kind: unit.Destroy, First: 391, Last: 400, Reason: "剪碎"},
	} {
		st.ID, st.Roll, st.Tenant, st.Account = demoID(b.Lot, 82+i, now), r.ID, r.Tenant, b.Tenant
		if _, err := d.units.Step(ctx, st); err != nil {
			return unit.Label{}, err
		}
	}
	for l := range d.units.Labels(r, 7, 7) {
		return l, nil
	}
	return unit.Label{}, fmt.Errorf("roll %s has no seventh code", r.ID)
}
