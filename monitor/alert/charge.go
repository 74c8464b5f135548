package alert

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// ownRules reads the rules of single devices, without the lock where it can: Observe
// must not wait for it.
func (e *Engine) ownRules(ctx context.Context) ([]Rule, error) {
	if e.cfg.Charge == nil {
		return nil, nil
	}
	own, err := e.cfg.Charge.OwnRules(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the limits of single devices: %w", err)
	}
	return own, nil
}

// take puts the rules of single devices in place of those before. Alerts of rules that
// are no longer among them, or no longer watch the device, end.
func (e *Engine) take(ctx context.Context, own []Rule, now time.Time) error {
	byDevice, rules := map[string][]*Rule{}, map[string]*Rule{}
	for _, r := range own {
		rules[r.ID] = &r
		for _, d := range r.Devices {
			byDevice[d] = append(byDevice[d], &r)
		}
	}
	for _, w := range e.devices {
		for _, a := range w.alerts {
			if r := rules[a.Rule]; !isOwn(a.Rule) || r != nil && r.Quantity == a.Quantity && r.watches(a.Device) {
				continue
			}
			if err := e.end(ctx, w, a, LimitsEnded, now); err != nil {
				return err
			}
		}
	}
	for id := range e.rules {
		if isOwn(id) && rules[id] == nil {
			delete(e.rules, id)
		}
	}
	maps.Copy(e.rules, rules)
	e.own = byDevice
	return nil
}

// isOwn reports whether a rule is of single devices, by its ID.
func isOwn(rule string) bool { return strings.Contains(rule, "/") }

// whyGone says why an alert ends whose rule is not there any more.
func whyGone(rule string) string {
	if isOwn(rule) {
		return LimitsEnded
	}
	return RuleRemoved
}

// watches reports whether the rule is for a device at all.
func (r *Rule) watches(device string) bool {
	return len(r.Devices) == 0 || slices.Contains(r.Devices, device)
}
