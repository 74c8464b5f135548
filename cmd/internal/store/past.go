package store

import (
	"context"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"tianhai/farm"
	"tianhai/trace"
	"tianhai/trace/catalog"
	"tianhai/trace/chain"
	"tianhai/trace/recall"
)

// past is the records as recalls look back at them, in a transaction or outside.
type past struct{ db bun.IDB }

// Past returns the records as recalls look back at them, for previews.
func (s *Store) Past() recall.Past { return past{s.read} }

// Tenant returns a tenant; farm.ErrNotFound.
func (p past) Tenant(ctx context.Context, id string) (farm.Tenant, error) {
	var row tenantRow
	err := p.db.NewSelect().Model(&row).Where("t.id = ?", id).Scan(ctx)
	return row.Tenant, fail("read tenant", err)
}

// Site returns a site; farm.ErrNotFound.
func (p past) Site(ctx context.Context, id string) (farm.Site, error) {
	var row siteRow
	err := p.db.NewSelect().Model(&row).Where("s.id = ?", id).Scan(ctx)
	return row.Site, fail("read site", err)
}

// historyRow is a batch, what is left of it, and the movement that made it of others.
type historyRow struct {
	batchRow
	StockUnit string
	Made      int64
	Remains   int64
	Since     instant
	Place     *string // site of the movement
	Derived   bool
}

func (r historyRow) batch() recall.Batch {
	b := recall.Batch{
		ID: r.ID, Code: r.Code, Tenant: r.Tenant, Site: r.Site, Product: r.Product, Lot: r.Lot, Began: r.Began.Time, Harvest: r.Harvest.Time,
		Made: chain.Amount{N: r.Made, Unit: r.StockUnit}, Left: chain.Amount{N: r.Remains, Unit: r.StockUnit},
	}
	switch {
	case r.Derived:
		b.Began, b.Harvest, b.Site = r.Since.Time, r.Since.Time, ""
		if r.Place != nil {
			b.Site = *r.Place
		}
	case b.Harvest.IsZero():
		b.Harvest = r.Opened.Time
	}
	return b
}

// histories selects batches that were not taken back, with what historyRow holds.
func (p past) histories() *bun.SelectQuery {
	return p.db.NewSelect().Model((*batchRow)(nil)).ColumnExpr("b.*").
		ColumnExpr("st.unit AS stock_unit, st.made, st.remains, st.since, m.site AS place, m.id IS NOT NULL AS derived").
		Join("JOIN stocks AS st ON st.batch = b.id").
		Join("LEFT JOIN movement_batches AS mb ON mb.batch = b.id AND mb.made").
		Join("LEFT JOIN movements AS m ON m.id = mb.movement AND m.kind <> ?", chain.Harvest).
		Where("NOT st.void").Order("b.id").Limit(recall.MaxBatches + 1)
}

func (p past) read(ctx context.Context, q *bun.SelectQuery) ([]recall.Batch, error) {
	var rows []historyRow
	if err := q.Scan(ctx, &rows); err != nil {
		return nil, err
	}
	if len(rows) > recall.MaxBatches {
		return nil, recall.ErrTooLarge
	}
	all := each(rows, historyRow.batch)
	if err := p.addUsed(ctx, all); err != nil {
		return nil, err
	}
	return all, p.addSales(ctx, all)
}

// addUsed adds what of batches went into others here, by movements in force.
func (p past) addUsed(ctx context.Context, batches []recall.Batch) error {
	if len(batches) == 0 {
		return nil
	}
	var used []struct {
		Batch string
		N     int64
	}
	err := p.db.NewSelect().TableExpr("movement_batches AS mb").Join("JOIN movements AS m ON m.id = mb.movement").
		ColumnExpr("mb.batch, SUM(mb.n) AS n").
		Where("mb.batch IN (?) AND NOT mb.made", bun.List(each(batches, func(b recall.Batch) string { return b.ID }))).
		Where("m.voided_by IS NULL AND m.handover IS NULL").
		Where("EXISTS (SELECT 1 FROM movement_batches AS o WHERE o.movement = m.id AND o.made)").
		Group("mb.batch").Scan(ctx, &used)
	n := map[string]int64{}
	for _, u := range used {
		n[u.Batch] = u.N
	}
	for i, b := range batches {
		batches[i].Used = chain.Amount{N: n[b.ID], Unit: b.Made.Unit}
	}
	return err
}

// addSales adds what left batches and made no other.
func (p past) addSales(ctx context.Context, batches []recall.Batch) error {
	if len(batches) == 0 {
		return nil
	}
	index := map[string]int{}
	for i, b := range batches {
		index[b.ID] = i
	}
	var sales []struct {
		ID, Batch, Unit string
		N               int64
		Receiver        *string
	}
	err := p.db.NewSelect().TableExpr("movement_batches AS mb").Join("JOIN movements AS m ON m.id = mb.movement").
		ColumnExpr("m.id, mb.batch, mb.unit, mb.n, m.receiver").
		Where("mb.batch IN (?) AND NOT mb.made", bun.List(each(batches, func(b recall.Batch) string { return b.ID }))).
		Where("m.voided_by IS NULL AND m.taken_by IS NULL AND m.handover IS NULL AND (m.kind = ? OR m.receiver IS NOT NULL)", chain.Sell).
		Order("m.at", "m.id").Scan(ctx, &sales)
	for _, s := range sales {
		sale := recall.Sale{ID: s.ID, Amount: chain.Amount{N: s.N, Unit: s.Unit}}
		if s.Receiver != nil {
			sale.To = *s.Receiver
		}
		b := &batches[index[s.Batch]]
		b.Sales = append(b.Sales, sale)
	}
	return err
}

// Batches returns those of these IDs that exist.
func (p past) Batches(ctx context.Context, ids []string) ([]recall.Batch, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	all, err := p.read(ctx, p.histories().Where("b.id IN (?)", bun.List(ids)))
	return all, fail("read batches", err)
}

// Grown returns the batches of a site whose growing time touches whole Beijing days,
// or that were made there of others in them.
func (p past) Grown(ctx context.Context, site string, from, to time.Time) ([]recall.Batch, error) {
	all, err := p.read(ctx, p.histories().WhereGroup(" AND ", func(q *bun.SelectQuery) *bun.SelectQuery {
		return q.Where("m.id IS NULL AND b.site = ? AND b.began < ? AND COALESCE(b.harvest, b.opened) >= ?", site, to.UnixMicro(), from.UnixMicro()).
			WhereOr("m.site = ? AND st.since >= ? AND st.since < ?", site, from.UnixMicro(), to.UnixMicro())
	}))
	return all, fail("read batches of a site", err)
}

// kinship begins with the movements that take batches (or made them), and goes on with
// those that take what these made (or made what these took). One that was taken back
// has made nothing.
const kinship = `WITH RECURSIVE steps (movement) AS (
	SELECT mb.movement FROM movement_batches AS mb JOIN movements AS m ON m.id = mb.movement
	WHERE mb.batch IN (?0) AND mb.made = ?1 AND m.voided_by IS NULL
	UNION
	SELECT n.movement FROM steps
		JOIN movement_batches AS mb ON mb.movement = steps.movement AND mb.made <> ?1
		JOIN movement_batches AS n ON n.batch = mb.batch AND n.made = ?1
		JOIN movements AS m ON m.id = n.movement AND m.voided_by IS NULL
)
SELECT taken.batch AS "from", made.batch AS made FROM steps
	JOIN movement_batches AS taken ON taken.movement = steps.movement AND NOT taken.made
	JOIN movement_batches AS made ON made.movement = steps.movement AND made.made`

// Descendants returns what was made of batches, over all steps.
func (p past) Descendants(ctx context.Context, ids []string) ([]recall.Batch, []recall.Edge, error) {
	batches, edges, err := p.kin(ctx, ids, false)
	return batches, edges, fail("read descendants", err)
}

// Ancestors returns what batches were made of, over all steps.
func (p past) Ancestors(ctx context.Context, ids []string) ([]recall.Batch, []recall.Edge, error) {
	batches, edges, err := p.kin(ctx, ids, true)
	return batches, edges, fail("read ancestors", err)
}

func (p past) kin(ctx context.Context, ids []string, up bool) ([]recall.Batch, []recall.Edge, error) {
	if len(ids) == 0 {
		return nil, nil, nil
	}
	var edges []recall.Edge
	if err := p.db.NewRaw(kinship, bun.List(ids), up).Scan(ctx, &edges); err != nil {
		return nil, nil, err
	}
	edges, others := reachable(ids, edges, up)
	batches, err := p.Batches(ctx, others)
	return batches, edges, err
}

// reachable keeps the edges that lead on from batches, and returns what they lead to:
// a movement has other inputs and outputs besides.
func reachable(ids []string, edges []recall.Edge, up bool) (kept []recall.Edge, others []string) {
	next := map[string][]recall.Edge{}
	for _, e := range edges {
		from := e.From
		if up {
			from = e.Made
		}
		next[from] = append(next[from], e)
	}
	seen := map[string]bool{}
	for _, id := range ids {
		seen[id] = true
	}
	for todo := slices.Clone(ids); len(todo) > 0; todo = todo[1:] {
		for _, e := range next[todo[0]] {
			kept = append(kept, e)
			to := e.Made
			if up {
				to = e.From
			}
			if !seen[to] {
				seen[to] = true
				others, todo = append(others, to), append(todo, to)
			}
		}
	}
	return kept, others
}

// Alike returns the lots with the product and the maker's batch number of a lot.
func (p past) Alike(ctx context.Context, lot string) ([]recall.Lot, error) {
	var own lotRow
	if err := p.db.NewSelect().Model(&own).Where("l.id = ?", lot).Scan(ctx); err != nil {
		return nil, fail("read lot", err)
	}
	var rows []lotRow
	err := p.db.NewSelect().Model(&rows).Where("l.id = ? OR (l.product = ? AND l.batch = ? AND l.batch <> '')", lot, own.Product, own.Batch).Order("l.id").Scan(ctx)
	return each(rows, func(r lotRow) recall.Lot { return recall.Lot{ID: r.ID, Tenant: r.Tenant} }), fail("read lots", err)
}

type useRow struct {
	Lot   string
	Site  string
	At    instant
	Items []trace.Item
}

// use returns until when the operation says that the lot was used: on its day, or
// until the day on which it says that it stopped.
func (r useRow) use() recall.Use {
	u := recall.Use{Lot: r.Lot, Site: r.Site, At: r.At.Time, Until: r.At.Time}
	for _, item := range r.Items {
		if item.Key != "stop" || item.Value == catalog.Dash {
			continue
		}
		if stop, err := time.ParseInLocation(time.DateOnly, item.Value, time.FixedZone("UTC+8", 8*60*60)); err == nil && stop.After(u.Until) {
			u.Until = stop.UTC()
		}
	}
	return u
}

func (p past) uses(ctx context.Context, where string, args ...any) ([]recall.Use, error) {
	var rows []useRow
	err := p.db.NewSelect().TableExpr("draws AS d").Join("JOIN operations AS o ON o.id = d.operation").
		ColumnExpr("d.lot, o.site, o.at, o.items").Where("d.returned_by IS NULL").Where(where, args...).Order("o.at", "o.id").Scan(ctx, &rows)
	return each(rows, useRow.use), fail("read uses", err)
}

// Uses returns the uses of lots that were not taken back.
func (p past) Uses(ctx context.Context, lots []string) ([]recall.Use, error) {
	if len(lots) == 0 {
		return nil, nil
	}
	return p.uses(ctx, "d.lot IN (?)", bun.List(lots))
}

// Used returns the lots that were used on a site in [from, to).
func (p past) Used(ctx context.Context, site string, from, to time.Time) ([]string, error) {
	uses, err := p.uses(ctx, "o.site = ? AND o.at < ?", site, to.UnixMicro())
	seen, lots := map[string]bool{}, []string{}
	for _, u := range uses {
		if !u.Until.Before(from) && !seen[u.Lot] {
			seen[u.Lot] = true
			lots = append(lots, u.Lot)
		}
	}
	return lots, err
}
