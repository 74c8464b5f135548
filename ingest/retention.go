package ingest

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"tianhai/farm"
)

// ErrNoDelete reports that the time-series store has no way to delete a span of
// time, so that no retention can be kept.
var ErrNoDelete = errors.New("the time-series store cannot delete values, as InfluxDB 3 Core cannot")

// Bounds on retention.
const (
	// RetentionDelay is how long after a change nothing goes because of it.
	RetentionDelay = 24 * time.Hour
	// RetentionFloor is the age below which readings are never deleted.
	RetentionFloor = 30 * 24 * time.Hour
	maxKeepDays    = 36_500
)

// A Retention says for how many days after they were measured the readings of a
// tenant's medium are kept, and their hours and days; 0 is for ever.
type Retention struct {
	Tenant string      `json:"tenant"` // "" means every tenant without a rule of its own
	Medium farm.Medium `json:"medium"` // "" means every medium without a rule of its own
	Raw    int         `json:"keep_raw_days"`
	Hour   int         `json:"keep_hour_days"`
	Day    int         `json:"keep_day_days"`
}

// A RetentionError says which field of a Retention cannot be.
type RetentionError struct{ Field, Reason string }

func (e *RetentionError) Error() string { return e.Field + " " + e.Reason }

// Check returns a *RetentionError unless the rule can be followed. What is finer
// goes first: there would be no way back.
func (r Retention) Check() error {
	floor := int(RetentionFloor / (24 * time.Hour))
	switch {
	case r.Tenant != "" && farm.CheckID(r.Tenant) != nil:
		return &RetentionError{"tenant", "is not an identifier"}
	case r.Medium != "" && !slices.Contains(farm.Media(), r.Medium):
		return &RetentionError{"medium", "is none of water, soil, air, animal, vessel, device"}
	case r.Raw != 0 && (r.Raw < floor || r.Raw > maxKeepDays):
		return &RetentionError{"keep_raw_days", fmt.Sprintf("is neither 0, for ever, nor from %d to %d", floor, maxKeepDays)}
	case r.Hour != 0 && (r.Raw == 0 || r.Hour < r.Raw || r.Hour > maxKeepDays):
		return &RetentionError{"keep_hour_days", fmt.Sprintf("is neither 0, for ever, nor from keep_raw_days to %d", maxKeepDays)}
	case r.Day != 0 && (r.Hour == 0 || r.Day < r.Hour || r.Day > maxKeepDays):
		return &RetentionError{"keep_day_days", fmt.Sprintf("is neither 0, for ever, nor from keep_hour_days to %d", maxKeepDays)}
	}
	return nil
}

// A RetentionChange is one line of the audit: who set a rule, or cleared it.
type RetentionChange struct {
	Retention
	Clear     bool      `json:"clear"`
	At        time.Time `json:"at"`
	Effective time.Time `json:"effective"` // At + RetentionDelay
	Account   string    `json:"account"`
}

// Validate reports what is wrong with a change.
func (c RetentionChange) Validate() error {
	if c.Account == "" || c.At.IsZero() || c.Effective.Before(c.At) {
		return errors.New("a change of retention needs who, when and from when on")
	}
	if c.Clear {
		return Retention{Tenant: c.Tenant, Medium: c.Medium}.Check()
	}
	return c.Check()
}

// Retentions are all changes, oldest first.
type Retentions []RetentionChange

type retentionKey struct {
	tenant string
	medium farm.Medium
}

// Latest returns the newest change of each tenant and medium that is not one that
// cleared and has taken effect, by tenant and medium.
func (rs Retentions) Latest(now time.Time) []RetentionChange {
	newest := map[retentionKey]RetentionChange{}
	for _, c := range rs {
		newest[retentionKey{c.Tenant, c.Medium}] = c
	}
	var all []RetentionChange
	for _, c := range newest {
		if !c.Clear || c.Effective.After(now) {
			all = append(all, c)
		}
	}
	slices.SortFunc(all, func(a, b RetentionChange) int {
		return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.Medium, b.Medium))
	})
	return all
}

// A Keep says how long values are kept; 0 is for ever.
type Keep struct{ Raw, Hour, Day time.Duration }

// Keep returns how long a tenant's medium is kept now. The rule of tenant and
// medium goes before that of the tenant, that before the medium's, and that before
// the rule for all. While a change is not yet in effect, what is kept longer counts
// of the rules before it and after it; a change that was taken back within its
// delay has never been.
func (rs Retentions) Keep(tenant string, medium farm.Medium, now time.Time) Keep {
	before, after := map[retentionKey]Retention{}, map[retentionKey]Retention{}
	for i, c := range rs {
		if c.At.After(now) {
			break
		}
		k := retentionKey{c.Tenant, c.Medium}
		set(after, k, c)
		if !c.Effective.After(now) && !rs.replaced(i) {
			set(before, k, c)
		}
	}
	a, b := keepOf(before, tenant, medium), keepOf(after, tenant, medium)
	return Keep{longer(a.Raw, b.Raw), longer(a.Hour, b.Hour), longer(a.Day, b.Day)}
}

func set(rules map[retentionKey]Retention, k retentionKey, c RetentionChange) {
	if c.Clear {
		delete(rules, k)
	} else {
		rules[k] = c.Retention
	}
}

// replaced reports whether change i was changed again before it took effect.
func (rs Retentions) replaced(i int) bool {
	for _, c := range rs[i+1:] {
		if c.Tenant == rs[i].Tenant && c.Medium == rs[i].Medium {
			return c.At.Before(rs[i].Effective)
		}
	}
	return false
}

func keepOf(rules map[retentionKey]Retention, tenant string, medium farm.Medium) Keep {
	for _, k := range [...]retentionKey{{tenant, medium}, {tenant, ""}, {"", medium}, {"", ""}} {
		if r, ok := rules[k]; ok {
			const day = 24 * time.Hour
			return Keep{time.Duration(r.Raw) * day, time.Duration(r.Hour) * day, time.Duration(r.Day) * day}
		}
	}
	return Keep{}
}

func longer(a, b time.Duration) time.Duration {
	if a == 0 || b == 0 {
		return 0
	}
	return max(a, b)
}

// A Purge is what of a tenant's medium is to be deleted.
type Purge struct {
	Tenant string      `json:"tenant"`
	Medium farm.Medium `json:"medium"`
	What   string      `json:"what"` // "raw", "hour" or "day"
	From   time.Time   `json:"from"`
	To     time.Time   `json:"to"`
	Days   int         `json:"device_days"` // days of devices
}
