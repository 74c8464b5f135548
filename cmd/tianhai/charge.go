package main

import (
	"context"
	"time"

	"tianhai/cmd/internal/store"
	"tianhai/farm"
	"tianhai/i18n"
	"tianhai/monitor/alert"
	"tianhai/trace"
)

// strayFor is how long goods on their way must be outside their limits before somebody
// is told: a door that is opened to load or to look is no alarm.
const strayFor = 5 * time.Minute

// A charge shows the limits of shipments on their way as rules for their loggers.
type charge struct {
	store *store.Store
	texts *i18n.Catalog
}

// OwnRules returns a rule for each limit of each shipment that has not arrived.
func (c charge) OwnRules(ctx context.Context) ([]alert.Rule, error) {
	all, err := c.store.OnTheWay(ctx, time.Now().Add(-trace.MaxOnTheWay))
	var rules []alert.Rule
	for _, sh := range all {
		rules = append(rules, c.rules(sh)...)
	}
	return rules, err
}

func (c charge) rules(sh trace.Shipment) (rules []alert.Rule) {
	limit := func(which string) alert.Rule {
		return alert.Rule{
			ID: "shipment/" + sh.ID + "/" + which, Severity: alert.Critical, Quantity: sh.Quantity, Devices: sh.Loggers, For: strayFor,
			Title: farm.Text{Zh: c.title("zh-CN", which, sh), En: c.title("en", which, sh)},
		}
	}
	if hi := sh.Limits.Max; hi != nil {
		r := limit("above")
		r.Above = hi
		rules = append(rules, r)
	}
	if lo := sh.Limits.Min; lo != nil {
		r := limit("below")
		r.Below = lo
		rules = append(rules, r)
	}
	return rules
}

// title names the shipment as people do: by where it comes from and goes to.
func (c charge) title(lang, which string, sh trace.Shipment) string {
	place := func(code string) string {
		if r, ok := farm.Prefecture(code); ok {
			return r.Name.In(lang)
		}
		return code
	}
	return c.texts.T(lang, "alert.shipment."+which, "from", place(sh.Origin), "to", place(sh.Destination))
}
