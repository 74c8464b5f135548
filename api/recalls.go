package api

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/oklog/ulid/v2"

	"tianhai/api/auth"
	"tianhai/farm"
	"tianhai/trace/chain"
	"tianhai/trace/recall"
)

// Recalls shows recalls; *recall.Service does. What does not exist is
// farm.ErrNotFound.
type Recalls interface {
	// Preview returns what a recall would be of.
	Preview(ctx context.Context, by recall.Actor, start recall.Start) (recall.Plan, []recall.Holding, error)
	Get(ctx context.Context, id string) (recall.File, error)
	// List returns recalls, those opened last first.
	List(ctx context.Context, f recall.Filter) ([]recall.Recall, error)
}

// A Recaller opens recalls and follows them up; *recall.Service does.
type Recaller interface {
	Open(ctx context.Context, by recall.Actor, id string, o recall.Opening) (recall.Recall, error)
	Widen(ctx context.Context, by recall.Actor, recall, id string, w recall.Widening, reason string) (recall.Recall, error)
	Narrow(ctx context.Context, by recall.Actor, recall, id string, batches []string, reason string) (recall.Recall, error)
	Report(ctx context.Context, by recall.Actor, recall, id string, p recall.Progress) (recall.Recall, error)
	Close(ctx context.Context, by recall.Actor, recall, id, reason string) (recall.Recall, error)
}

// RecallMail sends notices of recalls; *recall.Post does.
type RecallMail interface {
	// RetryRecall makes every notice of a recall that was not delivered due at once.
	RetryRecall(ctx context.Context, id string) error
}

// A recallSummary is a recall in a list.
type recallSummary struct {
	ID       string    `json:"id"`
	Number   string    `json:"number"`
	Tenant   string    `json:"tenant"`
	Region   string    `json:"region"`
	Reason   farm.Text `json:"reason"`
	Opened   time.Time `json:"opened"`
	Closed   time.Time `json:"closed,omitzero"`
	Batches  int       `json:"batches"`  // in it
	Holdings int       `json:"holdings"` // that are to be accounted for
	Done     int       `json:"done"`     // of these, that are

	reads bool // the caller may know of it
}

// A recallView is what one may see of a recall.
type recallView struct {
	ID      string         `json:"id"`
	Number  string         `json:"number"`
	Tenant  string         `json:"tenant"`
	Region  string         `json:"region"`
	Opening recall.Opening `json:"opening"`
	By      recall.Office  `json:"by"`
	Opened  time.Time      `json:"opened"`
	Closed  time.Time      `json:"closed,omitzero"`
	// Whole is false for a holder, who sees its own part.
	Whole    bool           `json:"whole"`
	Manages  bool           `json:"manages"` // may widen, narrow and report on everything
	MayClose bool           `json:"may_close"`
	Causes   []recall.Cause `json:"causes"`
	Holdings []holdingView  `json:"holdings"`
	Found    []holdingView  `json:"found"` // that no step names yet
	Tally    []tallyView    `json:"tally"` // of the holdings that are shown: the sum in each measure, then by holder
	Steps    []stepView     `json:"steps"`
	Notices  []noticeView   `json:"notices"`
}

// A holdingView is a holding, who has it, and what has become of it.
type holdingView struct {
	Batch    string       `json:"batch"`
	Code     string       `json:"code,omitempty"`
	Product  string       `json:"product"`
	Lot      string       `json:"lot"`
	Holder   string       `json:"holder"`
	Name     farm.Text    `json:"holder_name,omitzero"`
	Phone    string       `json:"holder_phone,omitempty"`
	Sale     string       `json:"sale,omitempty"`
	Outside  bool         `json:"outside,omitempty"` // sold to somebody without an account here, whom the seller has to tell
	Buyer    string       `json:"buyer,omitempty"`   // outside, as far as nobody had the name erased
	BuyerTel string       `json:"buyer_phone,omitempty"`
	Made     chain.Amount `json:"made"`
	Held     chain.Amount `json:"held"`
	Missing  chain.Amount `json:"missing"`
	// Located and the rest add up to Held, with what is outstanding.
	Outstanding chain.Amount `json:"outstanding"`
	Located     chain.Amount `json:"located"`
	Returned    chain.Amount `json:"returned"`
	Destroyed   chain.Amount `json:"destroyed"`
	Released    chain.Amount `json:"released"`
	Notified    time.Time    `json:"notified,omitzero"`
	Cleared     bool         `json:"cleared,omitempty"`
	Why         []recall.Why `json:"why"`
	MayReport   bool         `json:"may_report"`
}

// A tallyView is what became of all that a holder has, or of all together.
type tallyView struct {
	Holder      string       `json:"holder,omitempty"` // empty in the sum
	Name        farm.Text    `json:"holder_name,omitzero"`
	Recalled    chain.Amount `json:"recalled"` // what the states add up to
	Outstanding chain.Amount `json:"outstanding"`
	Located     chain.Amount `json:"located"`
	Returned    chain.Amount `json:"returned"`
	Destroyed   chain.Amount `json:"destroyed"`
	Released    chain.Amount `json:"released"`
	Missing     chain.Amount `json:"missing"` // not accounted for: outstanding, or merely located
}

// A stepView is what was said of a recall, and whether it is sealed yet.
type stepView struct {
	ID       string           `json:"id"`
	N        int              `json:"n"`
	Kind     recall.StepKind  `json:"kind"`
	At       time.Time        `json:"at"`
	By       recall.Office    `json:"by"`
	Account  string           `json:"account,omitempty"`
	Reason   string           `json:"reason,omitempty"`
	Progress *recall.Progress `json:"progress,omitempty"`
	Cleared  []string         `json:"cleared,omitempty"`
	Added    int              `json:"added"` // holdings
	Missing  []recall.Missing `json:"missing,omitempty"`
	Sealed   bool             `json:"sealed"`
}

// A noticeView is a notice, and whether it was delivered.
type noticeView struct {
	Step     string    `json:"step"`
	Holder   string    `json:"holder,omitempty"`
	Channel  string    `json:"channel"`
	Due      time.Time `json:"due"`
	Attempts int       `json:"attempts"`
	Next     time.Time `json:"next,omitzero"`
	Sent     time.Time `json:"sent,omitzero"`
	Reason   string    `json:"reason,omitempty"`
}

// A looker knows what a person may see of recalls. It asks for each tenant once.
type looker struct {
	*server
	c       *gin.Context
	tenants map[string]farm.Tenant
}

func (s *server) looker(c *gin.Context) *looker { return &looker{s, c, map[string]farm.Tenant{}} }

func (l *looker) tenant(id string) (farm.Tenant, error) {
	if t, ok := l.tenants[id]; ok {
		return t, nil
	}
	t, err := l.Operators.Tenant(l.c.Request.Context(), id)
	if err == nil {
		l.tenants[id] = t
	}
	return t, err
}

// can reports whether the caller may do a to what a tenant holds.
func (l *looker) can(a auth.Action, tenant string) (bool, error) {
	t, err := l.tenant(tenant)
	return err == nil && auth.Can(who(l.c), a, auth.Object{Tenant: t.ID, Region: t.Region}), err
}

func recallObject(r recall.Recall) auth.Object {
	return auth.Object{Tenant: r.Tenant, Region: r.Region}
}

// reads reports whether the caller may know of a recall: all of it, or as a holder.
func (l *looker) reads(r recall.Recall) (whole, part bool, err error) {
	if auth.Can(who(l.c), auth.Read, recallObject(r)) {
		return true, true, nil
	}
	for _, h := range r.Holdings {
		if part, err = l.can(auth.Read, h.Holder); part || err != nil {
			return false, part, err
		}
	}
	return false, false, nil
}

// recall returns the recall of the path if the caller may do a to it.
func (s *server) recall(c *gin.Context, a auth.Action) (recall.File, error) {
	if _, err := ulid.ParseStrict(c.Param("id")); err != nil {
		return recall.File{}, farm.ErrNotFound
	}
	f, err := s.Recalls.Get(c.Request.Context(), c.Param("id"))
	if err != nil {
		return recall.File{}, err
	}
	_, part, err := s.looker(c).reads(f.Recall)
	if err != nil {
		return recall.File{}, err
	}
	if !part {
		return recall.File{}, farm.ErrNotFound
	}
	if a != auth.Read && !auth.Can(who(c), a, recallObject(f.Recall)) {
		return recall.File{}, errForbidden
	}
	return f, nil
}

// actor is who speaks, in which office. Lots of the same maker's batch at other farms
// are an officer's, within the region.
func (s *server) actor(c *gin.Context) (recall.Actor, error) {
	p := who(c)
	by := recall.Actor{Account: p.Login, Office: recall.ByOperator}
	if p.Role != auth.Bureau {
		return by, nil
	}
	by.Office = recall.ByBureau
	in, ok := scopeOf(p)
	if !ok {
		return by, nil
	}
	sites, err := s.Farms.Sites(c.Request.Context(), in)
	within := map[string]bool{}
	for _, site := range sites {
		within[site.Tenant] = true
	}
	by.Within = func(tenant string) bool { return within[tenant] }
	return by, err
}

// planned returns what a recall from a start would be, if the caller may recall that.
func (s *server) planned(c *gin.Context, by recall.Actor, start recall.Start) (recall.Plan, []recall.Holding, error) {
	if err := start.Check(); err != nil {
		return recall.Plan{}, nil, err
	}
	plan, holdings, err := s.Recalls.Preview(c.Request.Context(), by, start)
	if err != nil {
		return recall.Plan{}, nil, err
	}
	return plan, holdings, allow(who(c), auth.Recall, auth.Object{Tenant: plan.Tenant, Region: plan.Region})
}

// A recallPlan is what a recall would be.
type recallPlan struct {
	Tenant   string         `json:"tenant"`
	Causes   []recall.Cause `json:"causes"`
	Left     []recall.Cause `json:"left"` // left out, by the start's without
	Keys     []string       `json:"keys"` // of causes, then of left, for without
	Batches  int            `json:"batches"`
	Holdings []holdingView  `json:"holdings"`
}

type previewRecallRequest struct {
	Start recall.Start `json:"start"`
}

// previewRecall says what a recall would be of, and changes nothing. Of others it
// tells no more than the caller may read anyway: who only asks has stated nothing.
func (s *server) previewRecall(c *gin.Context) error {
	var in previewRecallRequest
	if err := body(c, &in); err != nil {
		return err
	}
	by, err := s.actor(c)
	if err != nil {
		return err
	}
	plan, holdings, err := s.planned(c, by, in.Start)
	if err != nil {
		return err
	}
	out := recallPlan{Tenant: plan.Tenant, Causes: list(plan.Causes), Left: list(plan.Left), Keys: []string{}, Batches: len(plan.Members), Holdings: []holdingView{}}
	for _, cause := range append(slices.Clone(plan.Causes), plan.Left...) {
		out.Keys = append(out.Keys, cause.Key())
	}
	l := s.looker(c)
	for _, h := range holdings {
		v, err := l.holding(recall.Standing{Holding: h, Amounts: map[recall.State]chain.Amount{recall.Outstanding: h.Held}}, false)
		if err != nil {
			return err
		}
		out.Holdings = append(out.Holdings, v)
	}
	c.JSON(http.StatusOK, out)
	return nil
}

// holding shows one. Who sees the whole recall is told who has it; others only what is
// theirs to read.
func (l *looker) holding(h recall.Standing, whole bool) (holdingView, error) {
	v := holdingView{
		Batch: h.Batch, Code: h.Code, Product: h.Product, Lot: h.Lot, Holder: h.Holder, Sale: h.Sale, Made: h.Made, Held: h.Held, Missing: h.Missing(),
		Outstanding: h.Amounts[recall.Outstanding], Located: h.Amounts[recall.Located], Returned: h.Amounts[recall.Returned],
		Destroyed: h.Amounts[recall.Destroyed], Released: h.Amounts[recall.Released], Notified: h.Notified, Cleared: h.Cleared, Why: list(h.Why),
	}
	for _, a := range []*chain.Amount{&v.Outstanding, &v.Located, &v.Returned, &v.Destroyed, &v.Released} {
		a.Unit = cmp.Or(a.Unit, h.Held.Unit)
	}
	reads, err := l.can(auth.Read, h.Holder)
	if err != nil {
		return v, err
	}
	if v.MayReport, err = l.can(auth.Recall, h.Holder); err != nil {
		return v, err
	}
	if !whole && !reads {
		v.Holder = ""
		return v, nil
	}
	t, err := l.tenant(h.Holder)
	v.Name, v.Phone = t.Name, t.Phone
	if err != nil || h.Sale == "" {
		return v, err
	}
	m, err := l.Chain.Movement(l.c.Request.Context(), h.Sale)
	v.Outside = err == nil && m.To == ""
	if err == nil && m.Buyer != nil {
		v.Buyer, v.BuyerTel = m.Buyer.Name, m.Buyer.Phone
	}
	return v, err
}

// view returns what the caller may see of a recall.
func (l *looker) view(f recall.File) (recallView, error) {
	whole, _, err := l.reads(f.Recall)
	if err != nil {
		return recallView{}, err
	}
	p, o := who(l.c), recallObject(f.Recall)
	out := recallView{
		ID: f.ID, Number: f.Number, Tenant: f.Tenant, Region: f.Region, Opening: f.Opening, By: f.By, Opened: f.Opened, Closed: f.Closed,
		Whole: whole, Manages: auth.Can(p, auth.Recall, o) && f.Closed.IsZero(), MayClose: auth.Can(p, auth.CloseRecall, o) && f.Closed.IsZero(),
		Causes: []recall.Cause{}, Holdings: []holdingView{}, Found: []holdingView{}, Steps: []stepView{}, Notices: []noticeView{},
	}
	own := map[string]bool{}
	var seen []recall.Standing
	for _, h := range f.Holdings {
		v, err := l.holding(h, whole)
		if err != nil {
			return out, err
		}
		if v.Holder == "" {
			continue
		}
		v.MayReport = (v.MayReport || out.Manages) && f.Closed.IsZero() && !v.Cleared
		own[h.Key()] = true
		seen = append(seen, h)
		out.Holdings = append(out.Holdings, v)
	}
	if out.Tally, err = l.tally(seen); err != nil {
		return out, err
	}
	if whole {
		out.Causes = list(f.Causes)
		for _, h := range f.Found {
			v, err := l.holding(recall.Standing{Holding: h, Amounts: map[recall.State]chain.Amount{recall.Outstanding: h.Held}}, true)
			if err != nil {
				return out, err
			}
			out.Found = append(out.Found, v)
		}
	}
	for _, e := range f.Log {
		mine := whole || e.Progress == nil || own[e.Progress.Batch+"/"+e.Progress.Sale]
		if mine {
			out.Steps = append(out.Steps, stepOf(e, whole))
		}
	}
	for _, n := range f.Notices {
		if mine, err := l.can(auth.Read, cmp.Or(n.Holder, f.Tenant)); err != nil {
			return out, err
		} else if mine || whole {
			out.Notices = append(out.Notices, noticeView{n.Step, n.Holder, n.Channel, n.Due, n.Attempts, n.Next, n.Sent, n.Reason})
		}
	}
	return out, nil
}

func (l *looker) tally(holdings []recall.Standing) ([]tallyView, error) {
	all := []tallyView{}
	for _, a := range recall.Tallied(holdings) {
		v := tallyView{
			Holder: a.Holder, Recalled: a.Recalled, Outstanding: a.Outstanding, Located: a.Located, Returned: a.Returned,
			Destroyed: a.Destroyed, Released: a.Released, Missing: a.Missing(),
		}
		if a.Holder != "" {
			t, err := l.tenant(a.Holder)
			if err != nil {
				return nil, err
			}
			v.Name = t.Name
		}
		all = append(all, v)
	}
	return all, nil
}

func stepOf(e recall.Entry, whole bool) stepView {
	v := stepView{
		ID: e.ID, N: e.N, Kind: e.Kind, At: e.At, By: e.By, Reason: e.Reason, Progress: e.Progress, Added: len(e.Holdings), Sealed: e.Record.Index >= 0,
	}
	if whole {
		v.Account, v.Cleared, v.Missing = e.Account, e.Cleared, e.Missing
	}
	return v
}

// usualRecalls are on a page that does not say how many.
const usualRecalls = 50

// listRecalls lists those that began with the caller's farm or in the region, or
// concern what is held there.
func (s *server) listRecalls() listing[recallSummary] {
	return listing[recallSummary]{
		name: "recalls", usual: usualRecalls, falling: true, pages: true,
		key: func(r recallSummary) string { return timeKey(r.Opened, r.ID) },
		read: func(c *gin.Context, p page) ([]recallSummary, error) {
			in, ok := scopeOf(who(c))
			if !ok {
				return nil, nil
			}
			found, err := s.Recalls.List(c.Request.Context(), recall.Filter{
				Holder: in.Tenant, Region: in.Region, Open: c.Query("state") == "open", After: timePlace(p.after).ID, Limit: p.limit,
			})
			if err != nil {
				return nil, err
			}
			l := s.looker(c)
			var all []recallSummary
			for _, r := range found {
				v := summaryOf(r)
				if _, v.reads, err = l.reads(r); err != nil {
					return nil, err
				}
				all = append(all, v)
			}
			return all, nil
		},
		sees: func(_ *gin.Context, r *recallSummary) (bool, error) { return r.reads, nil },
	}
}

// listHoldings lists who has what, by batch; as a file it is what is handed out.
func (s *server) listHoldings() listing[holdingView] {
	return listing[holdingView]{
		name: "holdings", key: func(h holdingView) string { return h.Batch + " " + h.Sale },
		read: func(c *gin.Context, _ page) ([]holdingView, error) {
			f, err := s.recall(c, auth.Read)
			if err != nil {
				return nil, err
			}
			v, err := s.looker(c).view(f)
			return v.Holdings, err
		},
	}
}

// listTally lists what became of all of it, in sum and by holder.
func (s *server) listTally() listing[tallyView] {
	return listing[tallyView]{
		name: "tally", key: func(t tallyView) string { return t.Holder + " " + t.Recalled.Unit },
		read: func(c *gin.Context, _ page) ([]tallyView, error) {
			f, err := s.recall(c, auth.Read)
			if err != nil {
				return nil, err
			}
			v, err := s.looker(c).view(f)
			return v.Tally, err
		},
	}
}

func summaryOf(r recall.Recall) recallSummary {
	v := recallSummary{ID: r.ID, Number: r.Number, Tenant: r.Tenant, Region: r.Region, Reason: r.Opening.Reason, Opened: r.Opened, Closed: r.Closed}
	batches := map[string]bool{}
	for _, h := range r.Holdings {
		if h.Cleared {
			continue
		}
		batches[h.Batch] = true
		v.Holdings++
		if h.Missing().N == 0 {
			v.Done++
		}
	}
	v.Batches = len(batches)
	return v
}

func (s *server) showRecall(c *gin.Context) error {
	f, err := s.recall(c, auth.Read)
	if err != nil {
		return err
	}
	v, err := s.looker(c).view(f)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, v)
	return nil
}

// answer shows a recall after a step.
func (s *server) recallNow(c *gin.Context, status int, id string) error {
	f, err := s.Recalls.Get(c.Request.Context(), id)
	if err != nil {
		return err
	}
	v, err := s.looker(c).view(f)
	if err != nil {
		return err
	}
	c.JSON(status, v)
	return nil
}

type openRecallRequest struct {
	ID string `json:"id"`
	recall.Opening
}

func (s *server) openRecall(c *gin.Context) error {
	var in openRecallRequest
	if err := body(c, &in); err != nil {
		return err
	}
	by, err := s.actor(c)
	if err != nil {
		return err
	}
	if _, _, err := s.planned(c, by, in.Start); err != nil {
		return err
	}
	r, err := s.Recaller.Open(c.Request.Context(), by, in.ID, in.Opening)
	if err != nil {
		return err
	}
	return s.recallNow(c, http.StatusCreated, r.ID)
}

type widenRecallRequest struct {
	ID     string `json:"id"`
	Reason string `json:"reason"`
	recall.Widening
}

// widenRecall takes in more of what the caller may recall.
func (s *server) widenRecall(c *gin.Context) error {
	ctx := c.Request.Context()
	f, err := s.recall(c, auth.Recall)
	if err != nil {
		return err
	}
	var in widenRecallRequest
	if err := body(c, &in); err != nil {
		return err
	}
	by, err := s.actor(c)
	if err != nil {
		return err
	}
	for _, start := range in.Starts {
		if _, _, err := s.planned(c, by, start); err != nil {
			return err
		}
	}
	for _, id := range in.Batches {
		held := slices.ContainsFunc(f.Holdings, func(h recall.Standing) bool { return h.Batch == id })
		if held || slices.ContainsFunc(f.Found, func(h recall.Holding) bool { return h.Batch == id }) {
			continue
		}
		b, err := s.Records.Batch(ctx, id)
		if err != nil {
			return err
		}
		o, err := s.batchObject(ctx, b)
		if err != nil {
			return err
		}
		if err := allow(who(c), auth.Recall, o); err != nil {
			return err
		}
	}
	if _, err := s.Recaller.Widen(ctx, by, f.ID, in.ID, in.Widening, in.Reason); err != nil {
		return err
	}
	return s.recallNow(c, http.StatusOK, f.ID)
}

type narrowRecallRequest struct {
	ID      string   `json:"id"`
	Reason  string   `json:"reason"`
	Batches []string `json:"batches"`
}

func (s *server) narrowRecall(c *gin.Context) error {
	f, err := s.recall(c, auth.Recall)
	if err != nil {
		return err
	}
	var in narrowRecallRequest
	if err := body(c, &in); err != nil {
		return err
	}
	by, err := s.actor(c)
	if err != nil {
		return err
	}
	if _, err := s.Recaller.Narrow(c.Request.Context(), by, f.ID, in.ID, in.Batches, in.Reason); err != nil {
		return err
	}
	return s.recallNow(c, http.StatusOK, f.ID)
}

type reportRecallRequest struct {
	ID string `json:"id"`
	recall.Progress
}

// reportRecall records progress: of everything for who manages the recall, of one's
// own for a holder.
func (s *server) reportRecall(c *gin.Context) error {
	f, err := s.recall(c, auth.Read)
	if err != nil {
		return err
	}
	var in reportRecallRequest
	if err := body(c, &in); err != nil {
		return err
	}
	may := auth.Can(who(c), auth.Recall, recallObject(f.Recall))
	for _, h := range f.Holdings {
		if !may && h.Batch == in.Batch && h.Sale == in.Sale {
			if may, err = s.looker(c).can(auth.Recall, h.Holder); err != nil {
				return err
			}
		}
	}
	if !may {
		return errForbidden
	}
	by, err := s.actor(c)
	if err != nil {
		return err
	}
	if _, err := s.Recaller.Report(c.Request.Context(), by, f.ID, in.ID, in.Progress); err != nil {
		return err
	}
	return s.recallNow(c, http.StatusOK, f.ID)
}

// retryRecall sends again what nobody has got. Who may open a recall may also see to it
// that it is heard of.
func (s *server) retryRecall(c *gin.Context) error {
	f, err := s.recall(c, auth.Recall)
	if err != nil {
		return err
	}
	if err := s.RecallMail.RetryRecall(c.Request.Context(), f.ID); err != nil {
		return err
	}
	return s.recallNow(c, http.StatusOK, f.ID)
}

type closeRecallRequest struct {
	ID     string `json:"id"`
	Reason string `json:"reason"`
}

// closeRecall is the bureau's.
func (s *server) closeRecall(c *gin.Context) error {
	f, err := s.recall(c, auth.CloseRecall)
	if err != nil {
		return err
	}
	var in closeRecallRequest
	if err := body(c, &in); err != nil {
		return err
	}
	by, err := s.actor(c)
	if err != nil {
		return err
	}
	if _, err := s.Recaller.Close(c.Request.Context(), by, f.ID, in.ID, in.Reason); err != nil {
		return err
	}
	return s.recallNow(c, http.StatusOK, f.ID)
}
