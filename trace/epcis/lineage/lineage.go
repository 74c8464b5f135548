// Package lineage follows batches into the events that operators captured: what a partner
// made of them, packed with them or says they were made of.
//
// What it finds is what those operators say, and no stock of ours. An event of a batch's
// own operator counts by any name of the batch. One of somebody else counts only where
// it calls the batch by a name that nobody guesses, as whoever holds the goods can: a
// stranger who knows a GTIN and a lot number attaches nothing to it.
package lineage

import (
	"bytes"
	"cmp"
	"context"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"tianhai/trace/chain"
	"tianhai/trace/epcis"
	"tianhai/trace/epcis/query"
	"tianhai/trace/epcis/repository"
)

// Limits of what is followed.
const (
	MaxLinks   = 500
	MaxDepth   = 20      // events behind one another
	MaxPackets = 2000    // of a batch, that events name
	maxNames   = 200_000 // that are looked at to find them
	namesPage  = 5000
)

// A Batch is where to begin.
type Batch struct {
	ID, Tenant string
	Code       string // "" while it is open
	Name       string // in our own events; "" where it was not told yet
}

// Source keeps events, and knows what batches are called.
type Source interface {
	FindEvents(ctx context.Context, a repository.Ask) ([]repository.Stored, error)
	// EventNames returns those of the batches that exist.
	EventNames(ctx context.Context, batches []string) ([]Batch, error)
	EventValues(ctx context.Context, v repository.Values) ([]string, error)
}

// Packets knows the codes of single packets; *unit.Service does.
type Packets interface {
	// BoundTo returns how names of packets of a batch begin, and whether what follows is
	// one of them.
	BoundTo(ctx context.Context, batch string) (beginnings []string, bound func(rest string) bool, err error)
}

// A Link is a captured event that names a batch, or what another link leads to.
type Link struct {
	Event   string    `json:"event"` // eventID
	Tenant  string    `json:"operator"`
	Type    string    `json:"type"`
	BizStep string    `json:"biz_step,omitempty"` // URI
	At      time.Time `json:"at"`
	Of      []string  `json:"of"`      // what it is about, or is made of; Digital Links where it was EPCs
	Into    []string  `json:"into"`    // what was made of it or holds it
	Batches []string  `json:"batches"` // of ours, that it names
	Depth   int       `json:"depth"`   // 1: it names a batch itself
}

// A Finder finds links.
type Finder struct {
	Source    Source
	Packets   Packets // nil: there are none
	PublicURL string  // what is ours is named under it
}

// A thing is a name as one operator uses it; of all operators where the tenant is "".
type thing struct{ tenant, name string }

// Follow returns the links of batches, in the order in which they are found, and whether
// there are more. Whoever asks for a tenant follows others' events one step and no
// further; for "" every step is followed.
func (f *Finder) Follow(ctx context.Context, batches []string, dir chain.Direction, tenant string) (links []Link, more bool, err error) {
	known, err := f.Source.EventNames(ctx, batches)
	if err != nil || len(known) == 0 {
		return nil, false, err
	}
	named := map[string]string{} // name to batch
	var from []thing
	for _, b := range known {
		for name, secret := range f.names(b) {
			named[name] = b.ID
			if secret {
				from = append(from, thing{"", name})
			} else {
				from = append(from, thing{b.Tenant, name})
			}
		}
		packets, left, err := f.packets(ctx, b.ID)
		if err != nil {
			return nil, false, err
		}
		more = more || left
		for _, name := range packets { // a code is as hard to guess as a batch's
			named[name] = b.ID
			from = append(from, thing{"", name})
		}
	}
	seen := map[string]bool{}
	for _, way := range []chain.Direction{chain.Up, chain.Down} {
		if dir != chain.Both && dir != way {
			continue
		}
		w := walk{finder: f, named: named, way: way, tenant: tenant, seen: seen, visited: map[thing]bool{}}
		if err := w.from(ctx, from); err != nil {
			return nil, false, err
		}
		links, more = append(links, w.links...), more || w.more
	}
	return links, more, nil
}

// names returns what a batch may be called, and whether nobody guesses it.
func (f *Finder) names(b Batch) map[string]bool {
	base := strings.TrimSuffix(f.PublicURL, "/")
	all := map[string]bool{base + "/epcis/id/batch/" + b.ID: true}
	if b.Name != "" && !all[b.Name] {
		all[b.Name] = false
	}
	if b.Code != "" {
		all[base+"/t/"+b.Code] = true
	}
	return all
}

// EventsAbout returns the query of EPCIS that finds the events about a batch, as a URL's
// path: those that whoever asks may see.
func (f *Finder) EventsAbout(ctx context.Context, batch string) (string, error) {
	known, err := f.Source.EventNames(ctx, []string{batch})
	if err != nil || len(known) == 0 {
		return "", err
	}
	names := slices.Sorted(maps.Keys(f.names(known[0])))
	q := url.Values{"MATCH_anyEPCClass": {strings.Join(names, "|")}, "orderBy": {"eventTime"}, "orderDirection": {"ASC"}, "perPage": {"1000"}}
	return "/epcis/events?" + q.Encode(), nil
}

// packets returns the names that events have of single packets of a batch, and whether
// there are more.
func (f *Finder) packets(ctx context.Context, batch string) (names []string, more bool, err error) {
	if f.Packets == nil {
		return nil, false, nil
	}
	beginnings, bound, err := f.Packets.BoundTo(ctx, batch)
	if err != nil {
		return nil, false, err
	}
	looked := 0
	for _, begins := range beginnings {
		for after := begins; ; {
			values, err := f.Source.EventValues(ctx, repository.Values{Fields: things(), After: after, Limit: namesPage})
			if err != nil {
				return nil, false, err
			}
			for _, v := range values {
				rest, ours := strings.CutPrefix(v, begins)
				if !ours { // sorted: those behind do not begin so either
					values = nil
					break
				}
				if looked++; looked > maxNames || len(names) == MaxPackets {
					return names, true, nil
				}
				if bound(rest) {
					names = append(names, v)
				}
			}
			if len(values) < namesPage {
				break
			}
			after = values[len(values)-1]
		}
	}
	return names, false, nil
}

// things are the fields of terms that name what events are about.
func things() []string {
	return []string{"epc", "epcClass", "parentID", "inputEPC", "inputEPCClass", "outputEPC", "outputEPCClass"}
}

// A walk goes one way through the events.
type walk struct {
	finder  *Finder
	named   map[string]string
	way     chain.Direction
	tenant  string
	seen    map[string]bool // operator and event
	visited map[thing]bool
	links   []Link
	more    bool
}

func (w *walk) from(ctx context.Context, from []thing) error {
	for depth := 1; len(from) > 0; depth++ {
		if depth > MaxDepth {
			w.more = true
			return nil
		}
		byTenant := map[string][]string{}
		for _, t := range from {
			if !w.visited[t] {
				w.visited[t] = true
				byTenant[t.tenant] = append(byTenant[t.tenant], t.name)
			}
		}
		from = nil
		for _, tenant := range slices.Sorted(maps.Keys(byTenant)) {
			next, err := w.step(ctx, tenant, byTenant[tenant], depth)
			if err != nil {
				return err
			}
			from = append(from, next...)
		}
	}
	return nil
}

// step follows what operators say of names, and returns where that leads.
func (w *walk) step(ctx context.Context, tenant string, names []string, depth int) (next []thing, err error) {
	for some := range slices.Chunk(names, query.MaxValues) {
		for _, field := range []string{"MATCH_anyEPC", "MATCH_anyEPCClass"} {
			q, err := query.Parse(url.Values{field: {strings.Join(some, "|")}, "orderBy": {"recordTime"}, "orderDirection": {"ASC"}}, epcis.NamesOf())
			if err != nil {
				return nil, err
			}
			found, err := w.finder.Source.FindEvents(ctx, repository.Ask{Scope: repository.Scope{Tenant: tenant}, Query: q, Limit: MaxLinks + 1})
			if err != nil {
				return nil, err
			}
			w.more = w.more || len(found) > MaxLinks
			more, err := w.take(found, some, depth)
			if err != nil {
				return nil, err
			}
			next = append(next, more...)
		}
	}
	return next, nil
}

// take makes links of events, without those that were declared to be in error.
func (w *walk) take(found []repository.Stored, names []string, depth int) (next []thing, err error) {
	wrong := map[string]bool{}
	events := make([]*epcis.Event, len(found))
	for i, s := range found {
		if events[i], err = s.Event(); err != nil {
			return nil, err
		}
		if events[i].Declared {
			wrong[s.Tenant+" "+s.ID] = true
		}
	}
	for i, s := range found {
		key := s.Tenant + " " + s.ID
		if wrong[key] || events[i].Has("action", "DELETE") || bytes.Contains(s.JSON, []byte(`"tianhai:record"`)) { // taken apart; ours are movements already
			continue
		}
		l := link(s, events[i])
		from, to := l.Of, l.Into
		if w.way == chain.Up {
			from, to = l.Into, l.Of
		}
		if !slices.ContainsFunc(from, func(name string) bool { return slices.Contains(names, name) }) {
			continue
		}
		if w.tenant == "" || w.tenant == s.Tenant {
			for _, name := range to {
				next = append(next, thing{s.Tenant, name})
			}
		}
		if w.seen[key] {
			continue
		}
		if len(w.links) >= MaxLinks {
			w.more = true
			return nil, nil
		}
		w.seen[key] = true
		l.Depth, l.Batches = depth, w.ours(l)
		w.links = append(w.links, l)
	}
	return next, nil
}

// ours returns the batches that a link names.
func (w *walk) ours(l Link) []string {
	batches := []string{}
	for _, name := range slices.Concat(l.Of, l.Into) {
		if id, ok := w.named[name]; ok && !slices.Contains(batches, id) {
			batches = append(batches, id)
		}
	}
	return batches
}

// link reads what an event is of and into what, by its terms, in which one thing has
// one name.
func link(s repository.Stored, e *epcis.Event) Link {
	l := Link{Event: s.ID, Tenant: s.Tenant, Type: s.Type, At: s.Time.UTC(), Of: []string{}, Into: []string{}, Batches: []string{}}
	for _, t := range e.Terms() {
		switch t.Field {
		case "epc", "epcClass", "inputEPC", "inputEPCClass":
			l.Of = append(l.Of, t.Text)
		case "parentID", "outputEPC", "outputEPCClass":
			l.Into = append(l.Into, t.Text)
		case "bizStep":
			l.BizStep = t.Text
		}
	}
	slices.SortFunc(l.Of, cmp.Compare[string])
	slices.SortFunc(l.Into, cmp.Compare[string])
	return l
}
