package recall

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"tianhai/farm"
	"tianhai/trace"
	"tianhai/trace/cert"
	"tianhai/trace/chain"
)

// A StepKind is what a step does.
type StepKind string

// The kinds of step.
const (
	StepOpen     StepKind = "open"
	StepWiden    StepKind = "widen"
	StepNarrow   StepKind = "narrow"
	StepProgress StepKind = "progress"
	StepClose    StepKind = "close"
)

// A State is where a part of a holding is.
type State string

// The states. All of a holding is outstanding at first.
const (
	Outstanding State = "outstanding"
	Located     State = "located"
	Returned    State = "returned"
	Destroyed   State = "destroyed"
	Released    State = "released" // found to be safe, by the bureau
)

// States returns all, in the order in which things usually go.
func States() []State { return []State{Outstanding, Located, Returned, Destroyed, Released} }

// rank is the place among States; -1 for none of them.
func (s State) rank() int { return slices.Index(States(), s) }

// An Office is in what function somebody speaks. It is sealed in place of a person.
type Office string

// The offices.
const (
	ByBureau   Office = "bureau"
	ByOperator Office = "operator"
)

// Progress is what has become of a part of one holding. With no State it says that
// the holder was notified.
type Progress struct {
	Batch string `json:"batch"`
	Sale  string `json:"sale,omitempty"`
	// From is the state that the amount was in; where it is empty, the amount is taken
	// from what is nearest to To. Back to an earlier state is for mistakes, and says
	// so in Note.
	From   State        `json:"from,omitempty"`
	To     State        `json:"to,omitempty"`
	Amount chain.Amount `json:"amount,omitzero"` // in any unit of what the batch is measured in
	Note   string       `json:"note,omitempty"`
}

// A Step is one statement about a recall. Its JSON is the body of the record that is
// sealed; fields are only ever added.
type Step struct {
	Version  int       `json:"v"`
	ID       string    `json:"id"` // ULID, minted by the client; of the first, the recall's
	Recall   string    `json:"recall"`
	Number   string    `json:"number"`
	N        int       `json:"n"` // from 1
	Kind     StepKind  `json:"kind"`
	At       time.Time `json:"at"`
	By       Office    `json:"by"`
	Tenant   string    `json:"tenant"` // whom the recall began with
	Region   string    `json:"region"` // GB/T 2260
	Opening  *Opening  `json:"opening,omitempty"`
	Reason   string    `json:"reason,omitempty"`   // to widen, narrow, or close with something missing
	Widening *Widening `json:"widening,omitempty"` // what was asked for
	Causes   []Cause   `json:"causes,omitempty"`   // that came with this step
	// Cleared are batches that somebody clears, and Gone those that are out with them.
	Cleared []string `json:"cleared,omitempty"`
	Gone    []string `json:"gone,omitempty"`
	// Restored were cleared and are so no more; Back are all that are in again.
	Restored []string  `json:"restored,omitempty"`
	Back     []string  `json:"back,omitempty"`
	Holdings []Holding `json:"holdings,omitempty"` // that became known with this step
	// Regained is what came back to holdings known before; it is outstanding.
	Regained []Regained `json:"regained,omitempty"`
	Progress *Progress  `json:"progress,omitempty"`
	// Missing is what was not accounted for when the recall was closed, and Tally what
	// became of all of it.
	Missing []Missing `json:"missing,omitempty"`
	Tally   []Tally   `json:"tally,omitempty"`
	// Personal holds, by path, the commitment to a text that can be erased.
	Personal map[string]string `json:"personal,omitempty"`
}

// Missing is a part of a holding that nobody found.
type Missing struct {
	Batch  string       `json:"batch"`
	Sale   string       `json:"sale,omitempty"`
	Amount chain.Amount `json:"amount"`
}

// Regained is a part of a batch that came back to it after it was counted, because
// what it had been made into was taken back.
type Regained struct {
	Batch  string       `json:"batch"`
	Amount chain.Amount `json:"amount"`
}

// contactPath is that of Opening.Contact among personal data.
const contactPath = "opening.contact"

// An Entry is a step and the record that it is read from.
type Entry struct {
	Step
	Account string // who said it; never public
	Record  trace.Record

	// For the Book, and not read back: the notices that go out with the step, and the
	// certificates that it takes back, with their records.
	Notices     []Notice
	Voids       []cert.Void
	VoidRecords []trace.Record
}

// ParseStep reads the body of a recall's record, and the personal data it commits to
// as far as they were not erased.
func ParseStep(body []byte, personal []trace.Personal) (Step, error) {
	var s Step
	if err := json.Unmarshal(body, &s); err != nil {
		return Step{}, fmt.Errorf("read step of a recall: %w", err)
	}
	if s.Version != 1 {
		return Step{}, fmt.Errorf("read step of a recall: version %d is not known", s.Version)
	}
	if (s.Kind == StepOpen) != (s.Opening != nil) {
		return Step{}, fmt.Errorf("read step of a recall: kind %q and what it opens do not agree", s.Kind)
	}
	for _, p := range personal {
		if p.Path != contactPath || s.Opening == nil || s.Personal[p.Path] != p.Commitment() {
			return Step{}, fmt.Errorf("read step of a recall: %s is not what the record commits to", p.Path)
		}
		s.Opening.Contact = p.Text
	}
	return s, nil
}

// A Standing is a holding and what has become of it.
type Standing struct {
	Holding
	// Amounts add up to Held.
	Amounts  map[State]chain.Amount `json:"amounts"`
	Notified time.Time              `json:"notified,omitzero"` // by a person; notices that a machine took are apart
	Cleared  bool                   `json:"cleared,omitempty"` // narrowed out
}

// Missing is what is not accounted for; nothing of what was cleared.
func (s Standing) Missing() chain.Amount {
	missing := chain.Amount{Unit: s.Held.Unit}
	if !s.Cleared {
		missing.N = s.Amounts[Outstanding].N + s.Amounts[Located].N
	}
	return missing
}

// A Recall is what its steps say.
type Recall struct {
	ID       string     `json:"id"`
	Number   string     `json:"number"`
	Tenant   string     `json:"tenant"`
	Region   string     `json:"region"`
	Opening  Opening    `json:"opening"`
	Opened   time.Time  `json:"opened"`
	By       Office     `json:"by"`
	Closed   time.Time  `json:"closed,omitzero"`
	Causes   []Cause    `json:"causes"`
	Cleared  []string   `json:"cleared"`
	Holdings []Standing `json:"holdings"`
	Steps    int        `json:"steps"`
}

// Fold returns the recall that steps, in their order, have made.
func Fold(steps []Step) (Recall, error) {
	if len(steps) == 0 || steps[0].Opening == nil {
		return Recall{}, fmt.Errorf("a recall without a beginning: %w", farm.ErrNotFound)
	}
	first := steps[0]
	r := Recall{
		ID: first.Recall, Number: first.Number, Tenant: first.Tenant, Region: first.Region, Opening: *first.Opening,
		Opened: first.At, By: first.By, Causes: []Cause{}, Cleared: []string{}, Holdings: []Standing{},
	}
	for _, s := range steps {
		if err := r.apply(s); err != nil {
			return Recall{}, fmt.Errorf("step %d of recall %s: %w", s.N, r.ID, err)
		}
	}
	return r, nil
}

// apply takes one step further, or says why it cannot be.
func (r *Recall) apply(s Step) error {
	if !r.Closed.IsZero() {
		return ErrClosed
	}
	if r.Steps >= MaxSteps {
		return ErrTooLarge
	}
	r.Steps++
	for _, h := range s.Holdings {
		st := Standing{Holding: h, Amounts: map[State]chain.Amount{}}
		for _, state := range States() {
			st.Amounts[state] = chain.Amount{Unit: h.Held.Unit}
		}
		st.Amounts[Outstanding] = h.Held
		r.Holdings = append(r.Holdings, st)
	}
	for _, g := range s.Regained {
		if err := r.regain(g); err != nil {
			return err
		}
	}
	r.Causes = append(r.Causes, s.Causes...)
	r.Cleared = slices.DeleteFunc(append(r.Cleared, s.Cleared...), func(b string) bool { return slices.Contains(s.Restored, b) })
	if len(r.Causes) > MaxCauses || len(r.Holdings) > 2*MaxBatches {
		return ErrTooLarge
	}
	out, back := set(append(slices.Clone(s.Cleared), s.Gone...)), set(s.Back)
	for i := range r.Holdings {
		h := &r.Holdings[i]
		h.Cleared = (h.Cleared || out[h.Batch]) && !back[h.Batch]
	}
	if s.Kind == StepClose {
		r.Closed = s.At
	}
	if s.Progress != nil {
		return r.move(*s.Progress, s.At)
	}
	return nil
}

// regain adds what came back to a holding.
func (r *Recall) regain(g Regained) error {
	i := slices.IndexFunc(r.Holdings, func(h Standing) bool { return h.Key() == holdingKey(g.Batch, "") })
	if i < 0 {
		return fmt.Errorf("batch %s is not in the recall: %w", g.Batch, farm.ErrNotFound)
	}
	h := &r.Holdings[i]
	h.Held.N += g.Amount.N
	h.Used.N -= g.Amount.N
	h.add(Outstanding, g.Amount.N)
	return nil
}

// move carries an amount of a holding from one state into another.
func (r *Recall) move(p Progress, at time.Time) error {
	i := slices.IndexFunc(r.Holdings, func(h Standing) bool { return h.Key() == holdingKey(p.Batch, p.Sale) })
	if i < 0 {
		return fmt.Errorf("batch %s is not in the recall: %w", p.Batch, farm.ErrNotFound)
	}
	h := &r.Holdings[i]
	if p.To == "" {
		h.Notified = at
		return nil
	}
	if p.Amount.Dim() != h.Held.Dim() {
		return field("amount.unit", "does not measure what the batch is measured in, %s", h.Held.Unit)
	}
	rest := p.Amount.N
	for _, from := range sources(p) {
		n := min(rest, h.Amounts[from].N)
		h.add(from, -n)
		h.add(p.To, n)
		rest -= n
	}
	if rest > 0 {
		return &AmountError{Batch: p.Batch, State: p.From, Left: chain.Amount{N: p.Amount.N - rest, Unit: h.Held.Unit}}
	}
	return nil
}

func (s Standing) add(state State, n int64) {
	s.Amounts[state] = chain.Amount{N: s.Amounts[state].N + n, Unit: s.Held.Unit}
}

// sources returns the states that an amount is taken from, in order: what is nearest
// to where it goes first.
func sources(p Progress) []State {
	switch {
	case p.From != "":
		return []State{p.From}
	case p.To == Located:
		return []State{Outstanding}
	case p.To == Returned:
		return []State{Located, Outstanding}
	default: // an end
		return []State{Returned, Located, Outstanding}
	}
}

// Check reports what keeps p from being progress: *FieldError.
func (p Progress) Check() error {
	if p.Batch == "" {
		return field("batch", "is missing")
	}
	if err := checkText("note", p.Note, false); err != nil {
		return err
	}
	if p.To == "" {
		if p.Amount.N != 0 || p.From != "" {
			return field("to", "is missing")
		}
		return nil
	}
	if p.To.rank() < 0 {
		return field("to", "is none of outstanding, located, returned, destroyed, released")
	}
	if p.From != "" && (p.From.rank() < 0 || p.From == p.To) {
		return field("from", "is no state, or the one it goes to")
	}
	if p.To == Outstanding && p.From == "" {
		return field("from", "is missing: say which state is taken back")
	}
	if p.From != "" && p.To.rank() < p.From.rank() && p.Note == "" {
		return field("note", "is missing: say why it is taken back")
	}
	if p.Amount.N <= 0 {
		return field("amount", "is not more than nothing")
	}
	return nil
}

// Missing returns what nobody has accounted for.
func (r Recall) Missing() []Missing {
	var all []Missing
	for _, h := range r.Holdings {
		if n := h.Missing(); n.N > 0 {
			all = append(all, Missing{h.Batch, h.Sale, n})
		}
	}
	return all
}

// Bars returns what may not be moved or sold because of the recall, as Covers takes it.
// While it is open that is all that it is of. After its end a batch that was released
// as a whole is free, and with it what is made of it; what else was held stays barred.
// Of a batch of which nothing was left nothing was released, so what comes back of it
// after the end stays barred.
func (r Recall) Bars() (causes []Cause, cleared []string) {
	if r.Closed.IsZero() {
		return r.Causes, r.Cleared
	}
	free, rest := map[string]bool{}, map[string]bool{}
	for _, h := range r.Holdings {
		switch n := h.Amounts[Released].N; {
		case h.Cleared:
		case n != h.Held.N:
			rest[h.Batch] = true
		case n > 0:
			free[h.Batch] = true
		}
	}
	causes, cleared = slices.Clone(r.Causes), slices.Clone(r.Cleared)
	for _, h := range r.Holdings {
		switch {
		case h.Cleared:
		case free[h.Batch] && !rest[h.Batch]:
			cleared = append(cleared, h.Batch)
		default:
			causes = append(causes, Cause{Kind: OnBatch, Subject: h.Batch, Reason: ByName})
		}
	}
	return causes, cleared
}
