package recall

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"tianhai/farm"
	"tianhai/trace"
	"tianhai/trace/cert"
)

// A Book keeps recalls.
type Book interface {
	// AppendRecall runs decide in a transaction beside which no other AppendRecall runs, and no
	// movement of a batch, and stores the entry that it returns, if any, with its record,
	// voids and notices; everything or nothing. farm.ErrConflict where the step's ID is
	// taken.
	AppendRecall(ctx context.Context, recall string, decide func(ctx context.Context, d Desk) (*Entry, error)) error
	// RecallSteps returns a recall's, in order; farm.ErrNotFound.
	RecallSteps(ctx context.Context, recall string) ([]Entry, error)
	// Recalls returns the IDs of recalls, those opened last first.
	Recalls(ctx context.Context, f Filter) ([]string, error)
	// RecallsOf returns the recalls that a batch is in, open ones first.
	RecallsOf(ctx context.Context, batch string) ([]string, error)
	// RecallNotices returns the notices of a recall, oldest first.
	RecallNotices(ctx context.Context, recall string) ([]Notice, error)
}

// A Desk is what a decision about a recall is made on: the records as they are while
// nobody else writes.
type Desk interface {
	Past
	Farms
	// Past steps of the recall; none where it is new.
	Steps(ctx context.Context) ([]Entry, error)
	// Serial returns the number of the next recall of a region in a year, from 1.
	Serial(ctx context.Context, region string, year int) (int, error)
	// Certificates returns what would take back those of batches that are in force:
	// Tenant, Batch, Voids and Number are set.
	Certificates(ctx context.Context, batches []string) ([]cert.Void, error)
}

// A Filter chooses recalls. Its zero value chooses the newest of all.
type Filter struct {
	Holder string // tenant that it began with, or that holds something in it
	Region string // GB/T 2260, of where it began or of a holder; with all divisions within it
	Open   bool   // only those that are not closed
	After  string // ID; only those opened before it
	Limit  int
}

// Farms knows tenants and sites.
type Farms interface {
	Tenant(ctx context.Context, id string) (farm.Tenant, error)
	Site(ctx context.Context, id string) (farm.Site, error)
}

// An Actor is who says something of a recall. The caller has made sure that he may.
type Actor struct {
	Account string
	Office  Office
	Within  func(tenant string) bool // whose lots an Actor may start from; nil: only the start's own
}

// A Service opens recalls and follows them up. It checks what is said, not who says it.
type Service struct {
	Book      Book
	Past      Past // for previews
	Farms     Farms
	Reports   Reports // nil: no recall can start from a test
	NewRecord func(trace.Record) (trace.Record, error)
	Added     func()           // told of every new record, to wake the Sealer; may be nil
	Notify    func()           // told of new notices; may be nil
	Channels  []string         // besides the holders' own addresses, that every step goes to
	Now       func() time.Time // nil means time.Now
}

// Preview returns what a recall would be of, and changes nothing. Errors: *FieldError,
// farm.ErrNotFound, ErrTooLarge.
func (s *Service) Preview(ctx context.Context, by Actor, start Start) (Plan, []Holding, error) {
	p, err := s.planner(ctx, by, start)
	if err != nil {
		return Plan{}, nil, fmt.Errorf("preview recall: %w", err)
	}
	plan, err := p(s.Past, s.Farms).plan(ctx, start)
	if err != nil {
		return Plan{}, nil, fmt.Errorf("preview recall: %w", err)
	}
	return plan, holdings(plan.Members), nil
}

// planner asks what a start needs of others than the records, and returns a planner on
// any state of these.
func (s *Service) planner(ctx context.Context, by Actor, start Start) (on func(Past, Farms) planner, err error) {
	if err := start.Check(); err != nil {
		return nil, err
	}
	p := planner{within: by.Within}
	if p.within == nil {
		p.within = func(string) bool { return false }
	}
	if start.Kind == FromTest {
		if s.Reports == nil {
			return nil, fmt.Errorf("report %s: %w", start.ID, farm.ErrNotFound)
		}
		if p.tested, err = s.Reports.Failed(ctx, start.ID); err != nil {
			return nil, fmt.Errorf("report %s: %w", start.ID, err)
		}
	}
	return func(past Past, farms Farms) planner {
		p.past, p.farms = past, farms
		return p
	}, nil
}

// Open begins a recall under an ID that the client has minted: its codes are red from
// when Open returns, and those of every batch that one of its causes will touch. The
// same again is nothing new; another under the ID is farm.ErrConflict. Other errors:
// as for Preview, and ErrEmpty.
func (s *Service) Open(ctx context.Context, by Actor, id string, o Opening) (Recall, error) {
	o.Start.From, o.Start.To = wireDay(o.Start.From), wireDay(o.Start.To)
	if err := o.Check(); err != nil {
		return Recall{}, fmt.Errorf("open recall: %w", err)
	}
	p, err := s.planner(ctx, by, o.Start)
	if err != nil {
		return Recall{}, fmt.Errorf("open recall: %w", err)
	}
	return s.step(ctx, by, id, Step{ID: id, Kind: StepOpen, Opening: &o}, func(ctx context.Context, d Desk, _ *Recall, st *Step) error {
		plan, err := p(d, d).plan(ctx, o.Start)
		if err != nil {
			return err
		}
		if len(plan.Members) == 0 {
			return ErrEmpty
		}
		st.Tenant, st.Region, st.Causes, st.Holdings = plan.Tenant, plan.Region, plan.Causes, holdings(plan.Members)
		st.Number, err = number(ctx, d, st.Region, st.At)
		return err
	})
}

func wireDay(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return Day(t)
}

func number(ctx context.Context, d Desk, region string, at time.Time) (string, error) {
	year := at.In(beijing()).Year()
	n, err := d.Serial(ctx, region, year)
	return fmt.Sprintf("%s-%d-%03d", region, year, n), err
}

// A Widening is what a recall is to be of besides. With neither starts nor batches it
// takes in what its causes have come to touch since.
type Widening struct {
	Starts  []Start  `json:"starts,omitempty"`
	Batches []string `json:"batches,omitempty"`
}

// Widen takes more into a recall. Batches that were cleared stay out, unless they are
// named. Errors: as for Open, ErrEmpty where there is nothing that is not in it, and
// ErrClosed.
func (s *Service) Widen(ctx context.Context, by Actor, recall, id string, w Widening, reason string) (Recall, error) {
	if err := checkText("reason", reason, true); err != nil {
		return Recall{}, fmt.Errorf("widen recall: %w", err)
	}
	var starts []func(Past, Farms) planner
	for _, start := range w.Starts {
		p, err := s.planner(ctx, by, start)
		if err != nil {
			return Recall{}, fmt.Errorf("widen recall: %w", err)
		}
		starts = append(starts, p)
	}
	return s.step(ctx, by, recall, Step{ID: id, Kind: StepWiden, Reason: reason, Widening: &w}, func(ctx context.Context, d Desk, r *Recall, st *Step) error {
		known := map[string]bool{}
		for _, c := range r.Causes {
			known[c.Key()] = true
		}
		more, err := w.causes(ctx, d, starts)
		if err != nil {
			return err
		}
		for _, c := range more {
			if !known[c.Key()] {
				known[c.Key()] = true
				st.Causes = append(st.Causes, c)
			}
		}
		for _, b := range w.Batches {
			if slices.Contains(r.Cleared, b) {
				st.Restored = append(st.Restored, b)
			}
		}
		cleared := slices.DeleteFunc(slices.Clone(r.Cleared), func(b string) bool { return slices.Contains(st.Restored, b) })
		members, err := Find(ctx, d, append(slices.Clone(r.Causes), st.Causes...), cleared)
		if err != nil {
			return err
		}
		st.Holdings, st.Back = fresh(members, *r)
		st.Regained = regained(members, *r)
		if len(st.Holdings)+len(st.Back)+len(st.Causes)+len(st.Regained) == 0 {
			return ErrEmpty
		}
		return nil
	})
}

// causes returns those that a widening asks for.
func (w Widening) causes(ctx context.Context, d Desk, starts []func(Past, Farms) planner) ([]Cause, error) {
	var all []Cause
	for i, start := range w.Starts {
		plan, err := starts[i](d, d).plan(ctx, start)
		if err != nil {
			return nil, err
		}
		all = append(all, plan.Causes...)
	}
	found, err := d.Batches(ctx, w.Batches)
	if err != nil {
		return nil, err
	}
	for _, b := range w.Batches {
		if !slices.ContainsFunc(found, func(f Batch) bool { return f.ID == b }) {
			return nil, fmt.Errorf("batch %s: %w", b, farm.ErrNotFound)
		}
		all = append(all, Cause{Kind: OnBatch, Subject: b, Reason: ByName})
	}
	return all, nil
}

// Narrow clears batches, and with them what was made of them alone, for a reason.
func (s *Service) Narrow(ctx context.Context, by Actor, recall, id string, batches []string, reason string) (Recall, error) {
	if err := checkText("reason", reason, true); err != nil {
		return Recall{}, fmt.Errorf("narrow recall: %w", err)
	}
	return s.step(ctx, by, recall, Step{ID: id, Kind: StepNarrow, Reason: reason, Cleared: batches}, func(ctx context.Context, d Desk, r *Recall, st *Step) error {
		if len(batches) == 0 {
			return field("batches", "are missing")
		}
		for _, b := range batches {
			if !slices.ContainsFunc(r.Holdings, func(h Standing) bool { return h.Batch == b && !h.Cleared }) {
				return fmt.Errorf("batch %s: %w", b, farm.ErrNotFound)
			}
		}
		still, err := Find(ctx, d, r.Causes, append(slices.Clone(r.Cleared), batches...))
		if err != nil {
			return err
		}
		stay := map[string]bool{}
		for _, m := range still {
			stay[m.ID] = true
		}
		for _, h := range r.Holdings {
			if !h.Cleared && !stay[h.Batch] && !slices.Contains(batches, h.Batch) && !slices.Contains(st.Gone, h.Batch) {
				st.Gone = append(st.Gone, h.Batch)
			}
		}
		return nil
	})
}

// Report records what has become of a holding. More than there is, is an
// *AmountError. Only the bureau releases: that is a *FieldError from others.
func (s *Service) Report(ctx context.Context, by Actor, recall, id string, p Progress) (Recall, error) {
	if err := p.Check(); err != nil {
		return Recall{}, fmt.Errorf("report progress: %w", err)
	}
	if (p.To == Released || p.From == Released) && by.Office == ByOperator {
		return Recall{}, fmt.Errorf("report progress: %w", field("to", "is for the bureau to say"))
	}
	return s.step(ctx, by, recall, Step{ID: id, Kind: StepProgress, Progress: &p}, nil)
}

// Close ends a recall. Where something is not accounted for, or batches have come to
// light that no step names, it is ErrUnaccounted unless there is a reason why that
// must stay so, which the record then holds with what is missing.
func (s *Service) Close(ctx context.Context, by Actor, recall, id, reason string) (Recall, error) {
	if err := checkText("reason", reason, false); err != nil {
		return Recall{}, fmt.Errorf("close recall: %w", err)
	}
	return s.step(ctx, by, recall, Step{ID: id, Kind: StepClose, Reason: strings.TrimSpace(reason)}, func(ctx context.Context, d Desk, r *Recall, st *Step) error {
		members, err := Find(ctx, d, r.Causes, r.Cleared)
		if err != nil {
			return err
		}
		st.Holdings, st.Back = fresh(members, *r)
		st.Regained = regained(members, *r)
		past, err := d.Steps(ctx)
		if err != nil {
			return err
		}
		end, err := Fold(append(stepsOf(past), Step{Holdings: st.Holdings, Back: st.Back, Regained: st.Regained}))
		if err != nil {
			return err
		}
		st.Missing, st.Tally = end.Missing(), Tallied(end.Holdings)
		if len(st.Missing) > 0 && st.Reason == "" {
			return ErrUnaccounted
		}
		return nil
	})
}

// step appends one step, completed by fill on what the recall is then.
func (s *Service) step(ctx context.Context, by Actor, id string, st Step, fill func(context.Context, Desk, *Recall, *Step) error) (out Recall, err error) {
	doing := string(st.Kind) + " recall"
	if _, err := ulid.ParseStrict(st.ID); err != nil {
		return Recall{}, fmt.Errorf("%s: %w", doing, field("id", "is not a ULID"))
	}
	err = s.Book.AppendRecall(ctx, id, func(ctx context.Context, d Desk) (*Entry, error) {
		past, err := d.Steps(ctx)
		if err != nil {
			return nil, err
		}
		if again, same := repeated(past, st); again {
			out, err = Fold(stepsOf(past))
			if !same {
				err = farm.ErrConflict
			}
			return nil, err
		}
		next, err := s.decide(ctx, d, by, past, st, fill)
		if err != nil {
			return nil, err
		}
		if out, err = Fold(append(stepsOf(past), next.Step)); err != nil {
			return nil, err
		}
		return next, s.seal(ctx, d, next, out)
	})
	if err != nil {
		return Recall{}, fmt.Errorf("%s: %w", doing, err)
	}
	for _, tell := range []func(){s.Added, s.Notify} {
		if tell != nil {
			tell()
		}
	}
	return out, nil
}

func (s *Service) decide(ctx context.Context, d Desk, by Actor, past []Entry, st Step, fill func(context.Context, Desk, *Recall, *Step) error) (*Entry, error) {
	st.Version, st.By, st.N, st.At = 1, by.Office, len(past)+1, s.now()
	var r Recall
	if st.Kind == StepOpen {
		st.Recall = st.ID
	} else {
		var err error
		if r, err = Fold(stepsOf(past)); err != nil {
			return nil, err
		}
		if !r.Closed.IsZero() {
			return nil, ErrClosed
		}
		st.Recall, st.Number, st.Tenant, st.Region = r.ID, r.Number, r.Tenant, r.Region
	}
	if fill != nil {
		if err := fill(ctx, d, &r, &st); err != nil {
			return nil, err
		}
	}
	return &Entry{Step: st, Account: by.Account}, nil
}

// seal makes the record of an entry, and the notices that go out with it.
func (s *Service) seal(ctx context.Context, d Desk, e *Entry, r Recall) error {
	body := e.Step
	var personal []trace.Personal
	if body.Opening != nil {
		t, err := d.Tenant(ctx, body.Tenant)
		if err != nil {
			return fmt.Errorf("tenant %s: %w", body.Tenant, err)
		}
		if trace.NaturalPerson(t) {
			p := trace.Personal{Path: contactPath, Salt: make([]byte, 16), Text: body.Opening.Contact}
			if _, err := io.ReadFull(rand.Reader, p.Salt); err != nil {
				return fmt.Errorf("make salt: %w", err)
			}
			open := *body.Opening
			open.Contact = ""
			body.Opening, body.Personal = &open, map[string]string{p.Path: p.Commitment()}
			personal = append(personal, p)
		}
	}
	raw, err := marshal(body)
	if err != nil {
		return err
	}
	e.Record, err = s.NewRecord(trace.Record{Tenant: body.Tenant, Kind: RecordKind, Subject: body.Recall, Body: raw, At: body.At, Personal: personal})
	e.Notices = s.notices(e.Step, r)
	if err != nil {
		return err
	}
	return s.void(ctx, d, e)
}

// void takes back the certificates of what came into the recall with an entry.
func (s *Service) void(ctx context.Context, d Desk, e *Entry) error {
	batches := slices.Clone(e.Back)
	for _, h := range e.Holdings {
		batches = append(batches, h.Batch)
	}
	voids, err := d.Certificates(ctx, batches)
	if err != nil {
		return fmt.Errorf("certificates: %w", err)
	}
	for _, v := range voids {
		id, err := ulid.New(ulid.Timestamp(e.At), rand.Reader)
		if err != nil {
			return fmt.Errorf("make ID: %w", err)
		}
		v.Version, v.ID, v.Cause, v.Reason, v.At = 1, id.String(), cert.ByRecall, "召回 "+e.Number, e.At
		body, err := marshal(v)
		if err != nil {
			return err
		}
		rec, err := s.NewRecord(trace.Record{Tenant: v.Tenant, Kind: trace.VoidRecord, Subject: v.Voids, Body: body, At: v.At})
		if err != nil {
			return err
		}
		e.Voids, e.VoidRecords = append(e.Voids, v), append(e.VoidRecords, rec)
	}
	return nil
}

// notices returns those that go out with a step: to every holder whom it concerns, and
// to every channel.
func (s *Service) notices(st Step, r Recall) []Notice {
	if st.Kind == StepProgress {
		return nil
	}
	holders := map[string]bool{}
	for _, h := range r.Holdings {
		switch {
		case st.Kind == StepNarrow && !slices.Contains(st.Cleared, h.Batch) && !slices.Contains(st.Gone, h.Batch):
		case st.Kind == StepWiden && !slices.Contains(st.Back, h.Batch) &&
			!slices.ContainsFunc(st.Holdings, func(n Holding) bool { return n.Key() == h.Key() }):
		default:
			holders[h.Holder] = true
		}
	}
	var all []Notice
	for _, holder := range slices.Sorted(maps.Keys(holders)) {
		all = append(all, Notice{Recall: r.ID, Step: st.ID, Holder: holder, Channel: HolderChannel, Due: st.At})
	}
	for _, channel := range s.Channels {
		all = append(all, Notice{Recall: r.ID, Step: st.ID, Channel: channel, Due: st.At})
	}
	return all
}

// repeated reports whether a step with the ID is there, and whether it says the same.
func repeated(past []Entry, st Step) (again, same bool) {
	i := slices.IndexFunc(past, func(e Entry) bool { return e.ID == st.ID })
	if i < 0 {
		return st.Kind == StepOpen && len(past) > 0, false
	}
	was, now := said(past[i].Step), said(st)
	return true, past[i].Kind == st.Kind && bytes.Equal(was, now)
}

// said is what the client said in a step, without what was found.
func said(st Step) []byte {
	raw, err := json.Marshal([]any{st.Opening, st.Progress, st.Reason, st.Widening, st.Cleared})
	if err != nil {
		panic(err) // texts and numbers always marshal
	}
	return raw
}

func stepsOf(entries []Entry) []Step {
	steps := make([]Step, len(entries))
	for i, e := range entries {
		steps[i] = e.Step
	}
	return steps
}

// A File is everything about one recall.
type File struct {
	Recall
	Log []Entry
	// Found are holdings of batches that the causes touch and no step names yet: made,
	// opened or recorded since. Their codes are red all the same.
	Found   []Holding
	Notices []Notice
}

// found returns the holdings of members that no step names, or that are in again, and
// what came back to those that are known.
func found(members []Member, r Recall) []Holding {
	more, back := fresh(members, r)
	gained := regained(members, r)
	for _, h := range holdings(members) {
		i := slices.IndexFunc(gained, func(g Regained) bool { return h.Sale == "" && g.Batch == h.Batch })
		switch {
		case slices.Contains(back, h.Batch):
			more = append(more, h)
		case i >= 0:
			h.Held = gained[i].Amount
			more = append(more, h)
		}
	}
	return more
}

// Get returns a recall; farm.ErrNotFound.
func (s *Service) Get(ctx context.Context, id string) (File, error) {
	f, err := s.head(ctx, id)
	if err != nil {
		return File{}, fmt.Errorf("read recall %s: %w", id, err)
	}
	if f.Closed.IsZero() {
		members, err := Find(ctx, s.Past, f.Causes, f.Cleared)
		if err != nil {
			return File{}, fmt.Errorf("read recall %s: %w", id, err)
		}
		f.Found = found(members, f.Recall)
	}
	if f.Notices, err = s.Book.RecallNotices(ctx, id); err != nil {
		return File{}, fmt.Errorf("read recall %s: %w", id, err)
	}
	return f, nil
}

func (s *Service) head(ctx context.Context, id string) (f File, err error) {
	if f.Log, err = s.Book.RecallSteps(ctx, id); err != nil {
		return File{}, err
	}
	f.Recall, err = Fold(stepsOf(f.Log))
	return f, err
}

// List returns recalls as their steps have them, without what was found since.
func (s *Service) List(ctx context.Context, f Filter) ([]Recall, error) {
	ids, err := s.Book.Recalls(ctx, f)
	if err != nil {
		return nil, fmt.Errorf("list recalls: %w", err)
	}
	all := make([]Recall, 0, len(ids))
	for _, id := range ids {
		file, err := s.head(ctx, id)
		if err != nil {
			return nil, fmt.Errorf("list recalls: recall %s: %w", id, err)
		}
		all = append(all, file.Recall)
	}
	return all, nil
}

// Of returns the records of the recalls that a batch is in, open ones first: of each
// how it was opened, and how it was closed if it was.
func (s *Service) Of(ctx context.Context, batch string) ([][]trace.Record, error) {
	ids, err := s.Book.RecallsOf(ctx, batch)
	if err != nil {
		return nil, fmt.Errorf("recalls of batch %s: %w", batch, err)
	}
	var all [][]trace.Record
	for _, id := range ids {
		log, err := s.Book.RecallSteps(ctx, id)
		if err != nil {
			return nil, fmt.Errorf("recalls of batch %s: %w", batch, err)
		}
		records := []trace.Record{log[0].Record}
		if last := log[len(log)-1]; last.Kind == StepClose {
			records = append(records, last.Record)
		}
		all = append(all, records)
	}
	return all, nil
}

func (s *Service) now() time.Time {
	if s.Now != nil {
		return wire(s.Now())
	}
	return wire(time.Now())
}

// marshal writes JSON without escaping <, > and &, as trace does.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
