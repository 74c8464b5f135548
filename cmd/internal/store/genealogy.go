package store

import (
	"cmp"
	"context"

	"github.com/uptrace/bun"

	"tianhai/trace/chain"
)

type goodsRow struct {
	Batch   string
	Code    *string
	Owner   string
	Site    string
	Product string
	Lot     string
	Unit    string
	Made    int64
	Remains int64
	Since   instant
	MadeBy  *string
	Void    bool
}

func (r goodsRow) goods() chain.Goods {
	g := chain.Goods{
		Batch: r.Batch, Tenant: r.Owner, Site: r.Site, Product: r.Product, Lot: r.Lot,
		Made: chain.Amount{N: r.Made, Unit: r.Unit}, Left: chain.Amount{N: r.Remains, Unit: r.Unit}, Since: r.Since.Time, Void: r.Void,
	}
	if r.Code != nil {
		g.Code = *r.Code
	}
	if r.MadeBy != nil {
		g.MadeBy = *r.MadeBy
	}
	return g
}

const goodsColumns = `b.id AS batch, b.code, b.tenant AS owner, b.site, b.product, b.lot, st.unit, st.made, st.remains, st.since, st.void`

// Goods returns what batches are and what is left of each, in no order; those that
// do not exist are left out.
func (s *Store) Goods(ctx context.Context, batches []string) ([]chain.Goods, error) {
	var rows []goodsRow
	if len(batches) == 0 {
		return []chain.Goods{}, nil
	}
	err := s.read.NewRaw(`SELECT `+goodsColumns+`, mb.movement AS made_by
		FROM batches AS b JOIN stocks AS st ON st.batch = b.id LEFT JOIN movement_batches AS mb ON mb.batch = b.id AND mb.made
		WHERE b.id IN (?)`, bun.List(batches)).Scan(ctx, &rows)
	return each(rows, goodsRow.goods), fail("read goods", err)
}

// kinRow is a batch's part in a movement, with both.
type kinRow struct {
	goodsRow
	Movement string
	Kind     chain.Kind
	Step     string
	Tenant   string
	At       instant
	Receiver *string
	TakenBy  *string
	VoidedBy *string
	IsMade   bool
	Part     string
	Moved    int64
	MovedIn  string
}

func (r kinRow) step() chain.Step {
	s := chain.Step{ID: r.Movement, Kind: r.Kind, Step: r.Step, At: r.At.Time, Tenant: r.Tenant}
	if r.Receiver != nil {
		s.To = *r.Receiver
	}
	if r.TakenBy != nil {
		s.TakenBy = *r.TakenBy
	}
	return s
}

// kin begins with the movements that take the batches (or made them), and goes on
// with those that take what these made (or made what these took), each once. A
// movement that was taken back made nothing, so nothing lies behind it. Batches are
// read where they are found, and not where they were found before.
const kin = `WITH RECURSIVE steps (movement) AS (
	SELECT mb.movement FROM movement_batches AS mb WHERE mb.batch IN (?0) AND mb.made = ?1
	UNION
	SELECT n.movement FROM steps
		JOIN movement_batches AS mb ON mb.movement = steps.movement AND mb.made <> ?1
		JOIN movement_batches AS n ON n.batch = mb.batch AND n.made = ?1
)
SELECT ` + goodsColumns + `, m.id AS movement, m.kind, m.step, m.tenant, m.at, m.receiver, m.taken_by, m.voided_by,
	mb.made AS is_made, mb.batch AS part, mb.n AS moved, mb.unit AS moved_in
FROM (SELECT movement FROM steps LIMIT ?2) AS s
JOIN movements AS m ON m.id = s.movement
JOIN movement_batches AS mb ON mb.movement = m.id
LEFT JOIN batches AS b ON b.id = mb.batch AND mb.made <> ?1
LEFT JOIN stocks AS st ON st.batch = mb.batch AND mb.made <> ?1`

// Genealogy returns the batches, everything they were made of or that was made of
// them, and the movements between, in one recursive query for each direction.
// chain.ErrTooMany where that is more than chain.MaxMovements movements.
func (s *Store) Genealogy(ctx context.Context, batches []string, dir chain.Direction) (chain.Graph, error) {
	g, err := s.genealogy(ctx, batches, dir)
	return g, fail("read genealogy", err)
}

func (s *Store) genealogy(ctx context.Context, batches []string, dir chain.Direction) (chain.Graph, error) {
	g := chain.Graph{Batches: []chain.Node{}, Steps: []chain.Step{}}
	asked, err := s.Goods(ctx, batches)
	if err != nil || len(asked) == 0 {
		return g, err
	}
	nodes, steps, makers := map[string]bool{}, map[string]int{}, map[string]string{}
	add := func(goods chain.Goods) {
		if !nodes[goods.Batch] {
			nodes[goods.Batch] = true
			g.Batches = append(g.Batches, chain.Node{Goods: goods})
		}
	}
	for _, goods := range asked {
		add(goods)
	}
	for _, made := range []bool{true, false} {
		if dir != chain.Both && made != (dir == chain.Up) {
			continue
		}
		rows, err := s.kin(ctx, batches, made)
		if err != nil {
			return g, err
		}
		for _, r := range rows {
			if r.VoidedBy != nil {
				continue
			}
			if r.IsMade {
				makers[r.Part] = r.Movement
			}
			if _, known := steps[r.Movement]; !known {
				steps[r.Movement] = len(g.Steps)
				g.Steps = append(g.Steps, r.step())
			}
			if r.IsMade != made {
				add(r.goods())
			}
			part := chain.Input{Batch: r.Part, Amount: chain.Amount{N: r.Moved, Unit: r.MovedIn}}
			step := &g.Steps[steps[r.Movement]]
			if r.IsMade {
				step.Outputs = append(step.Outputs, part)
			} else {
				step.Inputs = append(step.Inputs, part)
			}
		}
	}
	for i, n := range g.Batches {
		g.Batches[i].MadeBy = cmp.Or(n.MadeBy, makers[n.Batch])
	}
	g.Arrange(batches)
	return g, nil
}

func (s *Store) kin(ctx context.Context, batches []string, made bool) ([]kinRow, error) {
	var rows []kinRow
	if err := s.read.NewRaw(kin, bun.List(batches), made, chain.MaxMovements+1).Scan(ctx, &rows); err != nil {
		return nil, err
	}
	if len(rows) > chain.MaxMovements { // each movement has a row at least
		seen := map[string]bool{}
		for _, r := range rows {
			seen[r.Movement] = true
		}
		if len(seen) > chain.MaxMovements {
			return nil, chain.ErrTooMany
		}
	}
	return rows, nil
}

// Downstream returns every batch that was made of these, whoever holds it, nearest
// first, each once; without these, unless one was made of another. A batch that
// does not exist has no descendants.
func (s *Store) Downstream(ctx context.Context, batches []string) ([]chain.Node, error) {
	g, err := s.Genealogy(ctx, batches, chain.Down)
	if err != nil {
		return nil, err
	}
	out := []chain.Node{}
	for _, n := range g.Batches {
		if n.Depth > 0 {
			out = append(out, n)
		}
	}
	return out, nil
}
