package recall

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"tianhai/trace/chain"
)

// A CauseKind is what a cause touches.
type CauseKind string

// The kinds of cause.
const (
	OnBatch   CauseKind = "batch"     // the batch
	OnLot     CauseKind = "lot"       // what grew where and while a lot of an input was used
	OnGrown   CauseKind = "grown"     // what grew on a site in a period
	OnHarvest CauseKind = "harvested" // what was harvested on a site in a period
)

// A Cause is something that batches share. Its periods are whole Beijing days.
type Cause struct {
	Kind    CauseKind `json:"kind"`
	Subject string    `json:"subject"` // batch, lot or site
	From    time.Time `json:"from,omitzero"`
	To      time.Time `json:"to,omitzero"` // excluded
	Reason  Reason    `json:"reason"`
}

// Key names the cause within a recall: "lot:01J…", "grown:pond-1:2026-06-01:2026-06-08".
func (c Cause) Key() string {
	key := string(c.Kind) + ":" + c.Subject
	if !c.From.IsZero() {
		key += ":" + c.From.In(beijing()).Format(time.DateOnly) + ":" + c.To.In(beijing()).Format(time.DateOnly)
	}
	return key
}

// beijing is the time that days are reckoned in.
func beijing() *time.Location { return time.FixedZone("UTC+8", 8*60*60) }

// Day returns the start of t's Beijing day.
func Day(t time.Time) time.Time {
	y, m, d := t.In(beijing()).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, beijing()).UTC()
}

// nextDay returns the start of the Beijing day after t's.
func nextDay(t time.Time) time.Time { return Day(t).AddDate(0, 0, 1) }

// A Batch is what a recall has to know of one.
type Batch struct {
	ID, Code, Tenant, Site, Product, Lot string       // Site: empty where nobody said where it was made
	Began, Harvest                       time.Time    // both when it was made, of one made of others
	Made, Left, Used                     chain.Amount // Left is with Tenant, Used went into other batches
	Sales                                []Sale
}

// A Sale is what left a batch and made no other: it went to somebody outside, or to a
// tenant who has not received it yet.
type Sale struct {
	ID     string // of the movement
	To     string // tenant; empty for somebody outside
	Amount chain.Amount
}

// grewIn reports whether any day of the batch's growing time is in [from, to).
func (b Batch) grewIn(from, to time.Time) bool {
	return Day(b.Began).Before(to) && from.Before(nextDay(b.Harvest))
}

// An Edge says that one batch was made of another.
type Edge struct{ From, Made string }

// A Use is the use of a lot on a site, from At until Until, the last day included.
type Use struct {
	Lot, Site string
	At, Until time.Time
}

// History knows batches. Its methods answer from one state of the records.
type History interface {
	// Batches returns those of these IDs that exist.
	Batches(ctx context.Context, ids []string) ([]Batch, error)
	// Grown returns the batches of a site whose growing time touches [from, to), which
	// begins and ends with a Beijing day.
	Grown(ctx context.Context, site string, from, to time.Time) ([]Batch, error)
	// Descendants returns what was made of batches, over all steps, each once, and how;
	// the batches themselves are not among them.
	Descendants(ctx context.Context, ids []string) ([]Batch, []Edge, error)
	// Ancestors returns what batches were made of, in the same way.
	Ancestors(ctx context.Context, ids []string) ([]Batch, []Edge, error)
}

// Stock knows lots of inputs.
type Stock interface {
	// Alike returns the lots with the product and the maker's batch number of a lot,
	// itself among them; farm.ErrNotFound.
	Alike(ctx context.Context, lot string) ([]Lot, error)
	// Uses returns the uses of lots that were not taken back.
	Uses(ctx context.Context, lots []string) ([]Use, error)
	// Used returns the lots that were used on a site in [from, to).
	Used(ctx context.Context, site string, from, to time.Time) ([]string, error)
}

// A Lot is what a recall has to know of one.
type Lot struct{ ID, Tenant string }

// Past is all that a recall looks back at.
type Past interface {
	History
	Stock
}

// A Member is a batch in a recall, and why.
type Member struct {
	Batch
	Why []Why
}

// A reach collects the batches that causes touch.
type reach struct {
	past    Past
	seeds   map[string][]Why
	batches map[string]Batch
	cleared map[string]bool
}

// Find returns the batches that causes touch and what was made of them, by ID,
// without those cleared and what hangs on them alone.
func Find(ctx context.Context, past Past, causes []Cause, cleared []string) ([]Member, error) {
	r := reach{past: past, seeds: map[string][]Why{}, batches: map[string]Batch{}, cleared: set(cleared)}
	for _, c := range causes {
		if err := r.touch(ctx, c); err != nil {
			return nil, fmt.Errorf("cause %s: %w", c.Key(), err)
		}
	}
	if len(r.seeds) == 0 {
		return []Member{}, nil
	}
	below, edges, err := past.Descendants(ctx, slices.Sorted(maps.Keys(r.seeds)))
	if err != nil {
		return nil, fmt.Errorf("descendants: %w", err)
	}
	for _, b := range below {
		r.batches[b.ID] = b
	}
	why := spread(r.seeds, edges, r.cleared)
	members := make([]Member, 0, len(why))
	for _, id := range slices.Sorted(maps.Keys(why)) {
		members = append(members, Member{r.batches[id], why[id]})
	}
	if len(members) > MaxBatches {
		return nil, ErrTooLarge
	}
	return members, nil
}

func set(ids []string) map[string]bool {
	m := make(map[string]bool, len(ids))
	for _, id := range ids {
		m[id] = true
	}
	return m
}

func (r *reach) touch(ctx context.Context, c Cause) error {
	switch c.Kind {
	case OnBatch:
		found, err := r.past.Batches(ctx, []string{c.Subject})
		r.seed(c, found)
		return err
	case OnGrown, OnHarvest:
		return r.grown(ctx, c, c.Subject, c.From, c.To)
	case OnLot:
		uses, err := r.past.Uses(ctx, []string{c.Subject})
		if err != nil {
			return err
		}
		for _, u := range uses {
			if err := r.grown(ctx, c, u.Site, Day(u.At), nextDay(u.Until)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *reach) grown(ctx context.Context, c Cause, site string, from, to time.Time) error {
	found, err := r.past.Grown(ctx, site, from, to)
	r.seed(c, slices.DeleteFunc(found, func(b Batch) bool { return !c.covers(b, from, to) }))
	return err
}

// covers reports whether a period on the batch's site is one that the cause means.
func (c Cause) covers(b Batch, from, to time.Time) bool {
	if c.Kind == OnHarvest {
		return !b.Harvest.Before(from) && b.Harvest.Before(to)
	}
	return b.grewIn(from, to)
}

func (r *reach) seed(c Cause, found []Batch) {
	for _, b := range found {
		if why := (Why{c.Reason, c.Subject}); !slices.Contains(r.seeds[b.ID], why) {
			r.seeds[b.ID], r.batches[b.ID] = append(r.seeds[b.ID], why), b
		}
	}
}

// touches returns why causes touch a batch, by itself. Uses are those of all lots
// that causes name.
func touches(causes []Cause, uses []Use, b Batch) []Why {
	var all []Why
	for _, c := range causes {
		hit := false
		switch c.Kind {
		case OnBatch:
			hit = c.Subject == b.ID
		case OnGrown, OnHarvest:
			hit = c.Subject == b.Site && c.covers(b, c.From, c.To)
		case OnLot:
			hit = slices.ContainsFunc(uses, func(u Use) bool {
				return u.Lot == c.Subject && u.Site == b.Site && b.grewIn(Day(u.At), nextDay(u.Until))
			})
		}
		if why := (Why{c.Reason, c.Subject}); hit && !slices.Contains(all, why) {
			all = append(all, why)
		}
	}
	return all
}

// spread carries the reasons of seeds down the edges, past nothing that is cleared.
func spread(seeds map[string][]Why, edges []Edge, cleared map[string]bool) map[string][]Why {
	made := map[string][]string{}
	for _, e := range edges {
		made[e.From] = append(made[e.From], e.Made)
	}
	why := map[string][]Why{}
	var todo []string
	for id, w := range seeds {
		if !cleared[id] {
			why[id] = slices.Clone(w)
			todo = append(todo, id)
		}
	}
	for i := 0; i < len(todo); i++ {
		for _, child := range made[todo[i]] {
			if cleared[child] {
				continue
			}
			if why[child] == nil {
				todo = append(todo, child)
			}
			if w := (Why{ByMade, todo[i]}); !slices.Contains(why[child], w) {
				why[child] = append(why[child], w)
			}
		}
	}
	for _, w := range why {
		slices.SortFunc(w, func(a, b Why) int { return cmp.Or(cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Of, b.Of)) })
	}
	return why
}

// Covers reports whether a batch is in a recall of causes, some batches cleared:
// what Find would say, asked of one batch and answered from its ancestors.
func Covers(ctx context.Context, past Past, causes []Cause, cleared []string, batch string) (bool, error) {
	own, err := past.Batches(ctx, []string{batch})
	if err != nil || len(own) == 0 {
		return false, err
	}
	above, edges, err := past.Ancestors(ctx, []string{batch})
	if err != nil {
		return false, fmt.Errorf("ancestors: %w", err)
	}
	var lots []string
	for _, c := range causes {
		if c.Kind == OnLot {
			lots = append(lots, c.Subject)
		}
	}
	var uses []Use
	if len(lots) > 0 {
		if uses, err = past.Uses(ctx, lots); err != nil {
			return false, fmt.Errorf("uses: %w", err)
		}
	}
	seeds := map[string][]Why{}
	for _, b := range append(own, above...) {
		if why := touches(causes, uses, b); why != nil {
			seeds[b.ID] = why
		}
	}
	_, in := spread(seeds, edges, set(cleared))[batch]
	return in, nil
}
