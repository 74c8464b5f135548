package store

import (
	"context"
	"slices"

	"github.com/uptrace/bun"

	"tianhai/trace/epcis"
	"tianhai/trace/epcis/query"
	"tianhai/trace/epcis/repository"
)

// epcisFew is how many events a condition may leave to be fetched first. Where all
// conditions leave more, events are tried in their order, and a page is soon full.
const epcisFew = 2000

// FindEvents returns a page of the events that meet a query, in its order.
func (s *Store) FindEvents(ctx context.Context, a repository.Ask) ([]repository.Stored, error) {
	tenants, err := s.epcisTenants(ctx, a.Scope)
	if err != nil || len(tenants) == 0 {
		return nil, fail("find events", err)
	}
	var rows []epcisEventRow
	f := &finder{s: s, tenants: tenants}
	q, possible, err := f.eventsOf(ctx, a, s.read.NewSelect().Model(&rows))
	if err != nil || !possible {
		return nil, fail("find events", err)
	}
	err = f.inOrder(q, a).Limit(int64(a.Limit)).Scan(ctx)
	return each(rows, epcisEventRow.stored), fail("find events", err)
}

// CountEvents counts events up to a number.
func (s *Store) CountEvents(ctx context.Context, a repository.Ask, most int) (int, error) {
	tenants, err := s.epcisTenants(ctx, a.Scope)
	if err != nil || len(tenants) == 0 {
		return 0, fail("count events", err)
	}
	f := &finder{s: s, tenants: tenants}
	q, possible, err := f.eventsOf(ctx, a, s.read.NewSelect().TableExpr("epcis_events AS e").ColumnExpr("1"))
	if err != nil || !possible {
		return 0, fail("count events", err)
	}
	var n int
	err = s.read.NewSelect().TableExpr("(?) AS found", q.Limit(int64(most))).ColumnExpr("COUNT(*)").Scan(ctx, &n)
	return n, fail("count events", err)
}

// eventsOf narrows q to what an Ask is for; false where nothing can be.
func (f *finder) eventsOf(ctx context.Context, a repository.Ask, q *bun.SelectQuery) (*bun.SelectQuery, bool, error) {
	q = q.Where("e.tenant IN (?)", bun.List(f.tenants))
	if a.Since > 0 {
		q = q.Where("e.seq > ?", a.Since)
	}
	if a.UpTo > 0 {
		q = q.Where("e.seq <= ?", a.UpTo)
	}
	q = during(during(q, "at", a.Query.EventTime), "recorded", a.Query.RecordTime)
	few, possible, err := f.fewest(ctx, a.Query.Conditions)
	if err != nil || !possible {
		return nil, false, err
	}
	if few != nil {
		q = q.Where("e.seq IN (?)", bun.List(few))
	}
	if len(f.left) == 1 && few == nil && a.Limit > 0 {
		// Some thousands meet it, so that trying events in their order soon fills a page.
		// OFFSET keeps PostgreSQL from gathering them all instead.
		return q.Where("EXISTS (? LIMIT 1 OFFSET 0)", f.meeting(f.left[0])), true, nil
	}
	for _, c := range f.left {
		q = q.Where("EXISTS (?)", f.meeting(c))
	}
	return q, true, nil
}

// epcisTenants returns the tenants of a scope that have events.
func (s *Store) epcisTenants(ctx context.Context, in repository.Scope) ([]string, error) {
	if in.Tenant != "" && in.Region == "" {
		return []string{in.Tenant}, nil
	}
	var tenants []string
	q := s.read.NewSelect().TableExpr("tenants AS x").Column("x.id").Where("EXISTS (SELECT 1 FROM epcis_events AS e WHERE e.tenant = x.id)")
	err := within(q, "x.id", in.Tenant, "x.region", in.Region).OrderExpr("x.id").Scan(ctx, &tenants)
	return tenants, err
}

func during(q *bun.SelectQuery, column string, p query.Period) *bun.SelectQuery {
	if !p.From.IsZero() {
		q = q.Where("e.? >= ?", bun.Ident(column), instant{p.From})
	}
	if !p.Before.IsZero() {
		q = q.Where("e.? < ?", bun.Ident(column), instant{p.Before})
	}
	return q
}

// inOrder sorts, and begins behind the page before.
func (f *finder) inOrder(q *bun.SelectQuery, a repository.Ask) *bun.SelectQuery {
	way, than := bun.Safe("DESC"), bun.Safe("<")
	if a.Query.Order.Ascending {
		way, than = "ASC", ">"
	}
	o := a.Query.Order
	switch o.By {
	case query.ByEventTime:
		if a.After != nil {
			at := instant{a.After.Time}
			q = q.Where("(e.at ? ? OR e.at = ? AND e.seq ? ?)", than, at, at, than, a.After.Seq)
		}
		return q.OrderExpr("e.at ?, e.seq ?", way, way)
	case query.ByRecordTime:
		if a.After != nil {
			q = q.Where("e.seq ? ?", than, a.After.Seq)
		}
		return q.OrderExpr("e.seq ?", way)
	}
	// By a field, which may be a number, a time or a text; events without it are last.
	first := "MIN"
	if !o.Ascending {
		first = "MAX"
	}
	numbers := f.s.read.NewSelect().TableExpr("epcis_numbers").ColumnExpr("event, "+first+"(number) AS k").
		Where("tenant IN (?) AND field IN (?)", bun.List(f.tenants), bun.List([]string{o.Field, epcis.TimeOf(o.Field)})).GroupExpr("event")
	texts := f.s.read.NewSelect().TableExpr("epcis_texts").ColumnExpr("event, "+first+"(text) AS k").
		Where("tenant IN (?) AND field = ?", bun.List(f.tenants), o.Field).GroupExpr("event")
	return q.Join("LEFT JOIN (?) AS kn ON kn.event = e.seq", numbers).Join("LEFT JOIN (?) AS kt ON kt.event = e.seq", texts).
		OrderExpr("kn.k IS NULL, kn.k ?, kt.k IS NULL, kt.k ?, e.seq ?", way, way, way).Offset(int64(a.Skip))
}

// A finder turns conditions on terms into SQL.
type finder struct {
	s       *Store
	tenants []string
	left    []query.Condition // that fewest did not deal with
}

// fewest returns the events that the conditions leave which leave few, nil where none
// does; false where none is left.
func (f *finder) fewest(ctx context.Context, conditions []query.Condition) (few []int64, possible bool, err error) {
	for _, c := range conditions {
		var events []int64
		if err := f.events(c).Limit(epcisFew+1).Scan(ctx, &events); err != nil {
			return nil, false, err
		}
		switch {
		case len(events) == 0:
			return nil, false, nil
		case len(events) > epcisFew:
			f.left = append(f.left, c)
			continue
		}
		slices.Sort(events)
		events = slices.Compact(events)
		if few != nil {
			events = slices.DeleteFunc(events, func(e int64) bool { _, has := slices.BinarySearch(few, e); return !has })
		}
		if few = events; len(few) == 0 {
			return nil, false, nil
		}
	}
	return few, true, nil
}

// events returns a query for the events that meet a condition, some perhaps twice.
func (f *finder) events(c query.Condition) *bun.SelectQuery {
	q := f.s.read.NewSelect().TableExpr("? AS t", bun.Ident(tableOf(c))).Column("t.event")
	return f.terms(q.Where("t.tenant IN (?)", bun.List(f.tenants)), c)
}

// meeting returns a query for the terms of an event e that meet a condition.
func (f *finder) meeting(c query.Condition) *bun.SelectQuery {
	one := f.s.read.NewSelect().TableExpr("? AS t", bun.Ident(tableOf(c))).ColumnExpr("1").Where("t.tenant = e.tenant AND t.event = e.seq")
	return f.terms(one, c)
}

func tableOf(c query.Condition) string {
	if c.Op == query.Numbers || c.Op == query.Compare {
		return "epcis_numbers"
	}
	return "epcis_texts"
}

// terms narrows terms t to those that meet a condition.
func (f *finder) terms(q *bun.SelectQuery, c query.Condition) *bun.SelectQuery {
	if c.Op == query.Numbers || c.Op == query.Compare {
		return q.WhereGroup(" AND ", func(q *bun.SelectQuery) *bun.SelectQuery { return numbers(q, c) })
	}
	q = q.Where("t.field IN (?)", bun.List(c.Fields))
	switch c.Op {
	case query.Exists:
		return q
	case query.Within:
		return q.Where("(t.text IN (?) OR t.text IN (?))", bun.List(c.Texts), f.within(c.Texts))
	case query.HasAttr, query.EqAttr:
		a := f.s.read.NewSelect().TableExpr("epcis_attributes AS a").ColumnExpr("1").
			Where("a.tenant = t.tenant AND a.element = t.text AND a.name IN (?)", bun.List(c.Attributes))
		if c.Op == query.EqAttr {
			a = a.Where("a.value IN (?)", bun.List(c.Texts))
		}
		return q.Where("EXISTS (?)", a)
	}
	return q.WhereGroup(" AND ", func(q *bun.SelectQuery) *bun.SelectQuery {
		if len(c.Texts) > 0 {
			q = q.WhereOr("t.text IN (?)", bun.List(c.Texts))
		}
		for _, p := range c.Patterns {
			// The bounds let the index help; U+10FFFF ends every text of the prefix.
			q = q.WhereOr(`t.text >= ? AND t.text <= ? AND t.text LIKE ? ESCAPE '\'`, p.Prefix, p.Prefix+"\U0010FFFF", p.Like())
		}
		return q
	})
}

// numbers narrows terms t to those whose number meets a condition, in any unit.
func numbers(q *bun.SelectQuery, c query.Condition) *bun.SelectQuery {
	or := func(fields []string, numbers []float64) {
		if c.Op == query.Numbers {
			q = q.WhereOr("t.field IN (?) AND t.number IN (?)", bun.List(fields), bun.List(numbers))
		} else {
			q = q.WhereOr("t.field IN (?) AND t.number ? ?", bun.List(fields), bun.Safe(c.Sign), numbers[0])
		}
	}
	or(c.Fields, c.Numbers)
	for _, r := range c.Also {
		or([]string{r.Field}, r.Numbers)
	}
	return q
}

// within returns a query for what is within places, as master data say.
func (f *finder) within(places []string) *bun.SelectQuery {
	return f.s.read.NewSelect().TableExpr(`(WITH RECURSIVE inside(id) AS (
		SELECT ch.child FROM epcis_children AS ch WHERE ch.tenant IN (?0) AND ch.parent IN (?1) UNION
		SELECT ch.child FROM epcis_children AS ch JOIN inside ON ch.parent = inside.id WHERE ch.tenant IN (?0)
	) SELECT id FROM inside) AS w`, bun.List(f.tenants), bun.List(places)).Column("w.id")
}

// EventValues returns the different values that fields have, sorted.
func (s *Store) EventValues(ctx context.Context, v repository.Values) ([]string, error) {
	tenants, err := s.epcisTenants(ctx, v.Scope)
	if err != nil {
		return nil, fail("read values", err)
	}
	var all []string
	for _, field := range v.Fields {
		for _, tenant := range tenants {
			// From one value to the next, however many events have it.
			var some []string
			err := s.read.NewRaw(`WITH RECURSIVE v(x) AS (
				SELECT (SELECT MIN(t.text) FROM epcis_texts AS t WHERE t.tenant = ? AND t.field = ? AND t.text > ?)
				UNION ALL
				SELECT (SELECT MIN(t.text) FROM epcis_texts AS t WHERE t.tenant = ? AND t.field = ? AND t.text > v.x) FROM v WHERE v.x IS NOT NULL
			) SELECT x FROM v WHERE x IS NOT NULL LIMIT ?`, tenant, field, v.After, tenant, field, v.Limit).Scan(ctx, &some)
			if err != nil {
				return nil, fail("read values", err)
			}
			all = append(all, some...)
		}
	}
	slices.Sort(all)
	all = slices.Compact(all)
	return all[:min(len(all), v.Limit)], nil
}
