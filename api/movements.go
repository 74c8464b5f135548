package api

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/oklog/ulid/v2"

	"tianhai/api/auth"
	"tianhai/farm"
	"tianhai/trace"
	"tianhai/trace/chain"
	"tianhai/trace/epcis/lineage"
)

const usualMovements = 100

// A MovementQuery asks for movements; what is empty does not narrow it.
type MovementQuery struct {
	Scope          // of who made them, or of whom they hand over to
	Batch   string // that went in or came out
	Pending bool   // that hand over and wait for an answer
	After   Place
	Limit   int
}

// Chain reads what became of batches. What does not exist is farm.ErrNotFound.
type Chain interface {
	// FindMovements returns movements, newest first.
	FindMovements(ctx context.Context, q MovementQuery) ([]chain.Movement, error)
	Movement(ctx context.Context, id string) (chain.Movement, error)
	// Goods returns those batches that exist.
	Goods(ctx context.Context, batches []string) ([]chain.Goods, error)
	Genealogy(ctx context.Context, batches []string, dir chain.Direction) (chain.Graph, error)
}

// A Mover appends movements; *trace.Service does.
type Mover interface {
	Move(ctx context.Context, m chain.Movement) (stored chain.Movement, added bool, err error)
	// EraseBuyer erases who bought; false where nobody was known.
	EraseBuyer(ctx context.Context, movement, by string) (bool, error)
}

// operator returns whose an object of a tenant is.
func (s *server) operator(ctx context.Context, tenant string) (auth.Object, error) {
	t, err := s.Operators.Tenant(ctx, tenant)
	return auth.Object{Tenant: t.ID, Region: t.Region}, err
}

// addMovement takes a movement as chain.Movement is written. The tenant is the
// caller's own where it is not said.
func (s *server) addMovement(c *gin.Context) error {
	ctx, p := c.Request.Context(), who(c)
	var m chain.Movement
	if err := body(c, &m); err != nil {
		return err
	}
	if m.Tenant == "" {
		m.Tenant = p.Tenant
	}
	for _, id := range []struct {
		name, value string
		needed      bool
	}{{"tenant", m.Tenant, true}, {"site", m.Site, false}, {"to", m.To, false}} {
		if (id.needed || id.value != "") && farm.CheckID(id.value) != nil {
			return &invalidError{id.name, "is not an identifier"}
		}
	}
	o, err := s.operator(ctx, m.Tenant)
	if err != nil {
		return err
	}
	if err := allow(p, auth.Write, o); err != nil {
		return err
	}
	m.Person = p.Login
	stored, added, err := s.Mover.Move(ctx, m)
	if err != nil {
		return err
	}
	status := http.StatusOK
	if added {
		status = http.StatusCreated
	}
	c.JSON(status, stored)
	return nil
}

// movementGoods are the batches of movements, and who handed over to whom.
type movementGoods struct {
	Goods     []chain.Goods  `json:"goods"`
	Operators []operatorView `json:"operators"`
}

// listMovements lists what one may see of movements, and what their batches are.
func (s *server) listMovements() listing[chain.Movement] {
	return listing[chain.Movement]{
		name: "movements", usual: usualMovements, falling: true, pages: true,
		key: func(m chain.Movement) string { return timeKey(m.At, m.ID) },
		read: func(c *gin.Context, p page) ([]chain.Movement, error) {
			in, ok := scopeOf(who(c))
			if !ok {
				return nil, nil
			}
			q := MovementQuery{Scope: in, Batch: c.Query("batch"), Pending: c.Query("pending") == "true", After: timePlace(p.after), Limit: p.limit}
			return s.Chain.FindMovements(c.Request.Context(), q)
		},
		sees: func(c *gin.Context, m *chain.Movement) (bool, error) {
			seen, err := s.seen(c.Request.Context(), who(c), *m)
			if seen == nil {
				return false, err
			}
			*m = *seen
			return true, nil
		},
		besides: typeOf[movementGoods](),
		beside: func(c *gin.Context, movements []chain.Movement) (any, error) {
			ctx := c.Request.Context()
			goods, err := s.goodsOf(ctx, who(c), movements)
			if err != nil {
				return nil, err
			}
			parties, err := s.partiesOf(ctx, movements)
			return movementGoods{list(goods), list(parties)}, err
		},
	}
}

// seen returns what p may see of a movement, nil for nothing. Whom it hands over to
// sees what, not who else bought and who wrote it down.
func (s *server) seen(ctx context.Context, p auth.Principal, m chain.Movement) (*chain.Movement, error) {
	for _, tenant := range []string{m.Tenant, m.To} {
		if tenant == "" {
			continue
		}
		o, err := s.operator(ctx, tenant)
		if err != nil {
			return nil, err
		}
		if !auth.Can(p, auth.Read, o) {
			continue
		}
		if tenant != m.Tenant {
			m.Person, m.Buyer, m.Reason = "", nil, ""
		}
		return &m, nil
	}
	return nil, nil
}

// goodsOf returns the batches of movements. Where they lie and how much is left is
// told of those whose tenant p may read.
func (s *server) goodsOf(ctx context.Context, p auth.Principal, movements []chain.Movement) ([]chain.Goods, error) {
	var ids []string
	for _, m := range movements {
		for _, in := range m.Inputs {
			ids = append(ids, in.Batch)
		}
		for _, o := range m.Outputs {
			ids = append(ids, o.Batch)
		}
	}
	slices.Sort(ids)
	goods, err := s.Chain.Goods(ctx, slices.Compact(ids))
	if err != nil {
		return nil, err
	}
	may := map[string]bool{}
	for i, g := range goods {
		if _, asked := may[g.Tenant]; !asked {
			o, err := s.operator(ctx, g.Tenant)
			if err != nil {
				return nil, err
			}
			may[g.Tenant] = auth.Can(p, auth.Read, o)
		}
		if !may[g.Tenant] {
			goods[i].Left, goods[i].Site, goods[i].MadeBy = chain.Amount{}, "", ""
		}
	}
	return list(goods), nil
}

// partiesOf returns what is public of those who handed over, and to whom.
func (s *server) partiesOf(ctx context.Context, movements []chain.Movement) (all []operatorView, err error) {
	for _, m := range movements {
		if !m.HandsOver() {
			continue
		}
		for _, id := range []string{m.Tenant, m.To} {
			if slices.ContainsFunc(all, func(o operatorView) bool { return o.ID == id }) {
				continue
			}
			t, err := s.Operators.Tenant(ctx, id)
			if err != nil {
				return nil, err
			}
			all = append(all, shown(t))
		}
	}
	return all, nil
}

// eraseBuyer has the name of a buyer outside erased, as the law lets people ask.
func (s *server) eraseBuyer(c *gin.Context) error {
	ctx := c.Request.Context()
	if _, err := ulid.ParseStrict(c.Param("id")); err != nil {
		return farm.ErrNotFound
	}
	m, err := s.Chain.Movement(ctx, c.Param("id"))
	if err != nil {
		return err
	}
	o, err := s.operator(ctx, m.Tenant)
	if err != nil {
		return err
	}
	if err := allow(who(c), auth.Administer, o); err != nil {
		return err
	}
	erased, err := s.Mover.EraseBuyer(ctx, m.ID, who(c).Login)
	if err != nil {
		return err
	}
	if !erased {
		return farm.ErrNotFound
	}
	c.Status(http.StatusNoContent)
	return nil
}

// batch returns the batch of the path if the caller may do a to it.
func (s *server) batch(c *gin.Context, a auth.Action) (trace.Batch, error) {
	ctx := c.Request.Context()
	if _, err := ulid.ParseStrict(c.Param("id")); err != nil {
		return trace.Batch{}, farm.ErrNotFound
	}
	b, err := s.Records.Batch(ctx, c.Param("id"))
	if err != nil {
		return trace.Batch{}, err
	}
	o, err := s.batchObject(ctx, b)
	if err != nil {
		return trace.Batch{}, err
	}
	return b, allow(who(c), a, o)
}

// A batchView is a batch and what is left of it.
type batchView struct {
	trace.Batch
	Left   chain.Amount `json:"left"`
	MadeBy string       `json:"made_by,omitempty"` // movement; empty for one from before harvests were movements
	Void   bool         `json:"void,omitempty"`
}

// A batchDetail is a batch by itself.
type batchDetail struct {
	batchView
	Made chain.Amount `json:"made"`
}

func (s *server) getBatch(c *gin.Context) error {
	b, err := s.batch(c, auth.Read)
	if err != nil {
		return err
	}
	goods, err := s.goodsBy(c.Request.Context(), b)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, batchDetail{stockOf(b, goods[b.ID]), goods[b.ID].Made})
	return nil
}

func stockOf(b trace.Batch, g chain.Goods) batchView {
	return batchView{b, g.Left, g.MadeBy, g.Void}
}

// goodsBy returns what is left of batches, by their IDs.
func (s *server) goodsBy(ctx context.Context, batches ...trace.Batch) (map[string]chain.Goods, error) {
	ids := make([]string, len(batches))
	for i, b := range batches {
		ids[i] = b.ID
	}
	all, err := s.Chain.Goods(ctx, ids)
	by := map[string]chain.Goods{}
	for _, g := range all {
		by[g.Batch] = g
	}
	return by, err
}

// showGenealogy tells what a batch was made of and what became of it: as JSON, or as
// a picture to whom asks for image/svg+xml. An officer sees all, a tenant what it
// holds and one movement up and down.
func (s *server) showGenealogy(c *gin.Context) error {
	return s.genealogy(c, c.NegotiateFormat(gin.MIMEJSON, "image/svg+xml") == "image/svg+xml")
}

// genealogyView is what a batch was made of, and what became of it.
type genealogyView struct {
	Batch     string          `json:"batch"`
	Batches   []chain.Node    `json:"batches"`
	Direction chain.Direction `json:"direction"`
	Movements []chain.Step    `json:"movements"`
	// Captured are events that operators captured about these batches, and More whether
	// there are more than are told.
	Captured []lineage.Link `json:"captured"`
	More     bool           `json:"more,omitempty"`
	Events   string         `json:"events"` // path of the query that finds the batch's EPCIS events
}

// Partners finds what operators' captured events say of batches; *lineage.Finder.
type Partners interface {
	Follow(ctx context.Context, batches []string, dir chain.Direction, tenant string) (links []lineage.Link, more bool, err error)
	EventsAbout(ctx context.Context, batch string) (path string, err error)
}

// captured returns what partners say of the batches of a genealogy: to an operator of its
// own, to an officer of all.
func (s *server) captured(ctx context.Context, g chain.Graph, dir chain.Direction, tenant string) ([]lineage.Link, bool, error) {
	var ids []string
	for _, b := range g.Batches {
		if tenant == "" || b.Tenant == tenant {
			ids = append(ids, b.Batch)
		}
	}
	return s.Partners.Follow(ctx, ids, dir, tenant)
}

func (s *server) drawGenealogy(c *gin.Context) error { return s.genealogy(c, true) }

func (s *server) genealogy(c *gin.Context, draw bool) error {
	ctx, p := c.Request.Context(), who(c)
	b, err := s.batch(c, auth.Read)
	if err != nil {
		return err
	}
	dir := chain.Direction(c.DefaultQuery("direction", string(chain.Both)))
	if !slices.Contains([]chain.Direction{chain.Up, chain.Down, chain.Both}, dir) {
		return &invalidError{"direction", "is none of up, down, both"}
	}
	g, err := s.Chain.Genealogy(ctx, []string{b.ID}, dir)
	if err != nil {
		return err
	}
	if p.Tenant != "" {
		g = g.For(p.Tenant)
	}
	if !draw {
		links, more, err := s.captured(ctx, g, dir, p.Tenant)
		if err != nil {
			return err
		}
		events, err := s.Partners.EventsAbout(ctx, b.ID)
		if err != nil {
			return err
		}
		c.JSON(http.StatusOK, genealogyView{b.ID, list(g.Batches), dir, list(g.Steps), list(links), more, events})
		return nil
	}
	words, err := s.chainWords(c, b, p.Tenant)
	if err != nil {
		return err
	}
	c.Header("Vary", "Accept, Accept-Language")
	c.Header("Content-Language", s.lang(c))
	// A picture alone in a window runs nothing and loads nothing.
	c.Header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'")
	c.Data(http.StatusOK, "image/svg+xml; charset=utf-8", g.SVG([]string{b.ID}, words))
	return nil
}

// chainWords are what a picture of batches says to the caller.
func (s *server) chainWords(c *gin.Context, b trace.Batch, tenant string) (chain.Words, error) {
	lang := s.lang(c)
	products, err := s.Records.Products(c.Request.Context())
	if err != nil {
		return chain.Words{}, err
	}
	steps := s.Catalogs.Current()
	name := func(n chain.Node) string {
		for _, p := range products {
			if p.ID == n.Product {
				return p.Name.In(lang)
			}
		}
		return n.Product
	}
	say := func(key string, args ...string) string { return s.Catalog.T(lang, key, args...) }
	amount := func(a chain.Amount) string { return a.Number() + " " + s.unitWord(lang, a.Unit) }
	return chain.Words{
		Title: say("chain.title", "lot", b.Lot),
		Batch: func(n chain.Node) (string, string) {
			detail := n.Lot + " · " + amount(n.Made)
			if tenant != "" && n.Tenant != tenant {
				detail = say("chain.of_others") + " · " + detail
			}
			return name(n), detail
		},
		Step: func(m chain.Step) string {
			for _, o := range trace.Steps(steps) {
				if o.Key == m.Step {
					return o.Name.In(lang)
				}
			}
			return say("chain.kind." + string(m.Kind))
		},
		More: func(n int) string { return say("chain.more", "n", strconv.Itoa(n)) },
		Href: func(n chain.Node) string {
			if n.Batch == b.ID || tenant != "" && n.Tenant != tenant {
				return ""
			}
			return "/manage/#/batches/" + n.Batch
		},
		Says: func(from, step, to string) string { return say("chain.says", "from", from, "step", step, "to", to) },
	}, nil
}

// unitWord returns the word for a unit.
func (s *server) unitWord(lang, unit string) string {
	if word := s.Catalog.T(lang, "unit."+unit); word != "unit."+unit {
		return word
	}
	return strings.Trim(unit, "{}[]")
}
