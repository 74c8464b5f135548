package unit

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"tianhai/farm"
	"tianhai/trace"
	"tianhai/trace/label"
)

// A Store keeps rolls and their steps. What is not there is farm.ErrNotFound.
type Store interface {
	Roll(ctx context.Context, id string) (Roll, error)
	RollNumbered(ctx context.Context, number int64) (Roll, error)
	// AddRoll stores a roll, the kept roots of its tree and its record. trace.ErrMoved
	// where its number is taken, farm.ErrConflict where its ID is, ErrFull.
	AddRoll(ctx context.Context, r Roll, kept []byte, rec trace.Record) error
	// RollSteps returns those steps of a roll that touch the codes from first to last, in
	// their order.
	RollSteps(ctx context.Context, roll string, first, last int) ([]Step, error)
	// AddRollStep stores a step with its record. The same again is nothing new; another
	// under its ID is farm.ErrConflict, and trace.ErrMoved where its Seq is taken.
	AddRollStep(ctx context.Context, st Step, rec trace.Record) error
}

// Trees keeps what a proof is made of; farm.ErrNotFound.
type Trees interface {
	RollTree(ctx context.Context, roll string) ([]byte, error) // as AddRoll was given it
	RollRecord(ctx context.Context, roll string) (trace.Record, error)
}

// Batches knows batches.
type Batches interface {
	Batch(ctx context.Context, id string) (trace.Batch, error)
}

// A Service issues codes and follows them. It checks what is said, not who says it.
type Service struct {
	Store     Store
	Trees     Trees
	Batches   Batches
	Covers    Covers
	Bindings  Bindings
	Key       *Key
	Scheme    label.Scheme                             // what is printed
	PublicURL string                                   // what our own codes are named under, without a slash at the end
	NewRecord func(trace.Record) (trace.Record, error) // gives a record its ID and salt
	Added     func()                                   // told of every new record; may be nil
	Now       func() time.Time                         // nil means time.Now
	Random    io.Reader                                // for the numbers of rolls; nil means crypto/rand
}

func (s *Service) now() time.Time {
	if s.Now != nil {
		return s.Now().UTC().Truncate(time.Millisecond)
	}
	return time.Now().UTC().Truncate(time.Millisecond)
}

func (s *Service) added() {
	if s.Added != nil {
		s.Added()
	}
}

// maxTries is how often a step is held against the others that come at the same time.
const maxTries = 100

// Issue issues the codes of a roll, and stores and seals their root. ID, Tenant,
// Product, GTIN, Codes, Covered, Note and Account are the caller's, who has seen that
// the tenant holds the GTIN. The same again, by ID, changes nothing; another under it
// is farm.ErrConflict. Other errors: *FieldError, ErrFull, farm.ErrNotFound for the
// product.
func (s *Service) Issue(ctx context.Context, r Roll) (Roll, error) {
	r, err := s.issue(ctx, r)
	if err != nil {
		return Roll{}, fmt.Errorf("issue codes: %w", err)
	}
	return r, nil
}

func (s *Service) issue(ctx context.Context, r Roll) (Roll, error) {
	if err := r.check(); err != nil {
		return Roll{}, err
	}
	for range maxTries {
		known, err := s.Store.Roll(ctx, r.ID)
		switch {
		case err == nil && known.Same(r):
			return known, nil
		case err == nil:
			return Roll{}, fmt.Errorf("another roll has the ID: %w", farm.ErrConflict)
		case !errors.Is(err, farm.ErrNotFound):
			return Roll{}, err
		}
		if r.Number, err = s.draw(); err != nil {
			return Roll{}, err
		}
		err = s.add(ctx, &r)
		if err == nil {
			s.added()
			return r, nil
		}
		if !errors.Is(err, trace.ErrMoved) {
			return Roll{}, err
		}
	}
	return Roll{}, trace.ErrMoved
}

// draw draws the number of a roll.
func (s *Service) draw() (int64, error) {
	random := s.Random
	if random == nil {
		random = rand.Reader
	}
	var raw [4]byte
	if _, err := io.ReadFull(random, raw[:]); err != nil {
		return 0, fmt.Errorf("draw number: %w", err)
	}
	return int64(binary.BigEndian.Uint32(raw[:])), nil
}

func (s *Service) add(ctx context.Context, r *Roll) error {
	kept, root, err := grow(ctx, s.Key, r.Number, r.Codes)
	if err != nil {
		return err
	}
	r.Root, r.Issued = hex.EncodeToString(root[:]), s.now()
	rec, err := s.seal(RollRecord, r.Tenant, r.ID, r.Issued, rollBody{1, r.ID, r.Tenant, r.Product, r.GTIN, r.Codes, r.Covered, r.Root, r.Issued})
	if err != nil {
		return err
	}
	return s.Store.AddRoll(ctx, *r, kept, rec)
}

// rollBody is what is sealed of a roll.
type rollBody struct {
	Version int       `json:"v"`
	Roll    string    `json:"roll"`
	Tenant  string    `json:"tenant"`
	Product string    `json:"product,omitempty"`
	GTIN    string    `json:"gtin,omitempty"`
	Codes   int       `json:"codes"`
	Covered bool      `json:"covered"`
	Root    string    `json:"root"`
	Issued  time.Time `json:"issued"`
}

func (s *Service) seal(kind, tenant, subject string, at time.Time, body any) (trace.Record, error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return trace.Record{}, fmt.Errorf("write record: %w", err)
	}
	return s.NewRecord(trace.Record{Tenant: tenant, Kind: kind, Subject: subject, Body: raw, At: at})
}

// Step stores and seals what was done with codes. ID, Roll, Tenant, Kind, First, Last,
// Batch, Withdraws, Reason and Account are the caller's. The same again, by ID,
// changes nothing. Errors: *FieldError, *StateError where one of the codes is not in a
// state for it, ErrFull, farm.ErrNotFound for the roll or the batch of the tenant,
// farm.ErrConflict.
func (s *Service) Step(ctx context.Context, st Step) (Step, error) {
	var err error
	for range maxTries {
		var done Step
		if done, err = s.step(ctx, st); !errors.Is(err, trace.ErrMoved) {
			if err != nil {
				return Step{}, fmt.Errorf("%s codes: %w", st.Kind, err)
			}
			return done, nil
		}
	}
	return Step{}, fmt.Errorf("%s codes: %w", st.Kind, err)
}

func (s *Service) step(ctx context.Context, st Step) (Step, error) {
	if err := st.check(); err != nil {
		return Step{}, err
	}
	r, err := s.Store.Roll(ctx, st.Roll)
	if err == nil && r.Tenant != st.Tenant {
		err = farm.ErrNotFound
	}
	if err != nil {
		return Step{}, err
	}
	steps, err := s.Store.RollSteps(ctx, r.ID, 1, r.Codes)
	if err != nil {
		return Step{}, err
	}
	if st.Kind == Withdraw {
		if err := withdrawn(&st, steps); err != nil {
			return Step{}, err
		}
	}
	for _, known := range steps {
		if known.ID != st.ID {
			continue
		}
		if !known.Same(st) {
			return Step{}, fmt.Errorf("another step has the ID: %w", farm.ErrConflict)
		}
		return known, nil
	}
	if err := s.admit(ctx, r, st, steps); err != nil {
		return Step{}, err
	}
	st.At, st.Seq = s.now(), r.Steps+1
	rec, err := s.stepRecord(st)
	if err != nil {
		return Step{}, err
	}
	if err := s.Store.AddRollStep(ctx, st, rec); err != nil {
		return Step{}, err
	}
	s.added()
	return st, nil
}

// withdrawn gives a Withdraw the codes of what it takes back.
func withdrawn(st *Step, steps []Step) error {
	for _, other := range steps {
		if other.Kind == Withdraw && other.Withdraws == st.Withdraws && other.ID != st.ID {
			return field("withdraws", "is withdrawn already")
		}
	}
	for _, other := range steps {
		if other.ID == st.Withdraws && other.Kind == Bind {
			st.First, st.Last = other.First, other.Last
			return nil
		}
	}
	return field("withdraws", "is no binding of this roll")
}

// admit holds a new step against the roll, the steps before it, and the batch.
func (s *Service) admit(ctx context.Context, r Roll, st Step, steps []Step) error {
	switch {
	case st.First < 1 || st.First > r.Codes:
		return field("first", "is not 1 to %d", r.Codes)
	case st.Last < 1 || st.Last > r.Codes:
		return field("last", "is not 1 to %d", r.Codes)
	case st.Last < st.First:
		return field("last", "comes before the first: number %d and then %d. Exchange the two", st.First, st.Last)
	case r.Steps >= MaxSteps:
		return ErrFull
	}
	if _, err := apply(replay(1, r.Codes, steps), st); err != nil {
		return err
	}
	if st.Kind != Bind {
		return nil
	}
	b, err := s.Batches.Batch(ctx, st.Batch)
	if err == nil && b.Tenant != r.Tenant {
		err = farm.ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("batch %s: %w", st.Batch, err)
	}
	if r.Product != "" && b.Product != r.Product {
		return field("batch", "is of %s, and the roll is for %s", b.Product, r.Product)
	}
	return nil
}

func (s *Service) stepRecord(st Step) (trace.Record, error) {
	return s.seal(StepRecord, st.Tenant, st.Roll, st.At, struct {
		Version   int       `json:"v"`
		Step      string    `json:"step"`
		Roll      string    `json:"roll"`
		Kind      Kind      `json:"kind"`
		First     int       `json:"first"`
		Last      int       `json:"last"`
		Batch     string    `json:"batch,omitempty"`
		Withdraws string    `json:"withdraws,omitempty"`
		Reason    string    `json:"reason,omitempty"`
		At        time.Time `json:"at"`
	}{1, st.ID, st.Roll, st.Kind, st.First, st.Last, st.Batch, st.Withdraws, st.Reason, st.At})
}

// A Tally is everything about a roll.
type Tally struct {
	Roll   Roll   `json:"roll"`
	Counts Counts `json:"counts"`
	Spans  []Span `json:"spans"` // in the order of the codes
	Steps  []Step `json:"steps"` // in the order of time
}

// Tally returns what has become of a roll; farm.ErrNotFound.
func (s *Service) Tally(ctx context.Context, roll string) (Tally, error) {
	r, err := s.Store.Roll(ctx, roll)
	if err != nil {
		return Tally{}, fmt.Errorf("tally of roll: %w", err)
	}
	steps, err := s.Store.RollSteps(ctx, roll, 1, r.Codes)
	if err != nil {
		return Tally{}, fmt.Errorf("tally of roll: %w", err)
	}
	spans := replay(1, r.Codes, steps)
	return Tally{r, count(spans, steps), spans, steps}, nil
}

// A Unit is what a code stands for.
type Unit struct {
	Roll   Roll
	Number int // on the roll, from 1
	State  State
	Batch  string // ID, unless "": what it is bound to
}

// Lookup returns what a code stands for, as label.ParseCode returns it;
// farm.ErrNotFound where it was never issued. It reads one row and the steps that
// touch the code.
func (s *Service) Lookup(ctx context.Context, code string) (Unit, error) {
	number, n := s.Key.find(code)
	if number >= freeRolls || n < 1 || n > MaxCodes {
		return Unit{}, fmt.Errorf("look up code: %w", farm.ErrNotFound)
	}
	r, err := s.Store.RollNumbered(ctx, number)
	if err == nil && n > r.Codes {
		err = farm.ErrNotFound
	}
	if err != nil {
		return Unit{}, fmt.Errorf("look up code: %w", err)
	}
	steps, err := s.Store.RollSteps(ctx, r.ID, n, n)
	if err != nil {
		return Unit{}, fmt.Errorf("look up code: %w", err)
	}
	span := replay(n, n, steps)[0]
	return Unit{r, n, span.State, span.Batch}, nil
}

// A Label is what is printed for one code.
type Label struct {
	Number int    // on the roll, from 1
	Code   string // 13 characters
	URL    string // for the QR code
	Text   string // the code as people read it
	Cover  string // covered code as people read it; "" where there is none
}

// Labels returns the labels of a roll's codes from first to last, one after the other
// and never all at once; both within the roll.
func (s *Service) Labels(r Roll, first, last int) iter.Seq[Label] {
	return func(yield func(Label) bool) {
		for n := max(first, 1); n <= min(last, r.Codes); n++ {
			code := s.Key.code(r.Number, n)
			l := Label{Number: n, Code: code, URL: s.URL(r, code), Text: label.Group(code)}
			if r.Covered {
				l.Cover = label.Group(s.Key.cover(r.Number, n))
			}
			if !yield(l) {
				return
			}
		}
	}
}

// URL returns the address behind a code of a roll; "" where the scheme has none.
func (s *Service) URL(r Roll, code string) string {
	address, _ := s.Scheme.Address(label.Item{Code: code, Packet: true, GTIN: r.GTIN})
	return address
}

// Prove shows that a code is one of its roll, and that the roll is sealed once Receipt
// is there; farm.ErrNotFound.
func (s *Service) Prove(ctx context.Context, code string) (Proof, error) {
	u, err := s.Lookup(ctx, code)
	if err != nil {
		return Proof{}, err
	}
	kept, err := s.Trees.RollTree(ctx, u.Roll.ID)
	if err != nil {
		return Proof{}, fmt.Errorf("prove unit code: %w", err)
	}
	p, err := prove(s.Key, u.Roll, kept, u.Number)
	if err != nil {
		return Proof{}, err
	}
	rec, err := s.Trees.RollRecord(ctx, u.Roll.ID)
	if err != nil {
		return Proof{}, fmt.Errorf("prove unit code: %w", err)
	}
	p.Receipt = rec.Receipt
	if p.Record, err = rec.Opening(); err != nil {
		return Proof{}, fmt.Errorf("prove unit code: %w", err)
	}
	return p, nil
}

// Between returns the roll and the numbers of two codes as they were scanned.
// *FieldError, of first or last, where one is no code, is not of the tenant, or the two
// are of different rolls.
func (s *Service) Between(ctx context.Context, tenant, first, last string) (Roll, int, int, error) {
	var found [2]Unit
	for i, text := range []string{first, last} {
		name := []string{"first", "last"}[i]
		code, err := label.ParseCode(text)
		if err != nil {
			return Roll{}, 0, 0, field(name, "is no code: %v", err)
		}
		found[i], err = s.Lookup(ctx, code)
		if errors.Is(err, farm.ErrNotFound) || err == nil && found[i].Roll.Tenant != tenant {
			return Roll{}, 0, 0, field(name, "is no unit code of this operator")
		}
		if err != nil {
			return Roll{}, 0, 0, err
		}
	}
	if found[0].Roll.ID != found[1].Roll.ID {
		return Roll{}, 0, 0, field("last", "is of another roll than the first: bind each roll by itself")
	}
	return found[0].Roll, found[0].Number, found[1].Number, nil
}
