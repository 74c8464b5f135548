package trace

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"tianhai/farm"
	"tianhai/trace/gate"
)

// The records of overrides. Their subject is the batch where one is named, so that
// they are found with it, else the override.
const (
	AskedRecord    = "override_asked"
	OverrideRecord = "override"
)

// MaxOverride is for how long an override may be given at most. Who needs longer
// asks again.
const MaxOverride = 90 * 24 * time.Hour

// maxReason is how much may be said for or against an override, in bytes.
const maxReason = 1000

// An Override is leave, asked for by a farm and given or declined by an officer of
// the bureau, to do what named refusals forbid. It covers those and nothing else;
// docs/decisions/0054 says what it can never cover.
//
// With a batch it is for that batch, as often as needed until it ends. Without, it
// is for one operation of each of its acts and for the one batch that is opened with
// it, whose code, certificates and sales it then covers as well where it names them.
type Override struct {
	ID       string         `json:"id"` // ULID, minted by the client that asks
	Tenant   string         `json:"tenant"`
	Site     string         `json:"site"`
	Batch    string         `json:"batch,omitempty"`
	Acts     []gate.ActKind `json:"acts"`
	Refusals []gate.Refusal `json:"refusals"`
	Reason   string         `json:"reason"`  // of who asks; never public
	Account  string         `json:"account"` // who asks; never public
	Asked    time.Time      `json:"asked"`
	Decision *Decision      `json:"decision,omitempty"`
	Uses     []OverrideUse  `json:"uses,omitempty"`
}

// A Decision is what an officer made of an Override, once.
type Decision struct {
	Granted bool      `json:"granted"`
	Reason  string    `json:"reason"`
	Region  string    `json:"region"` // whose officer it was, GB/T 2260
	Account string    `json:"-"`      // the officer; a decision is the office's
	Decided time.Time `json:"decided"`
	Until   time.Time `json:"until,omitzero"` // the moment at which it ends; zero where declined
}

// An OverrideUse is an operation that was recorded, or a batch that was opened,
// with an Override.
type OverrideUse struct {
	Act     gate.ActKind `json:"act"` // Opening for a batch
	Subject string       `json:"subject"`
}

// A Leave is an Override by which an operation or batch may be, and for which of its
// acts it is used up by that.
type Leave struct {
	Override string
	Act      gate.ActKind
}

// Opening is the act of an OverrideUse that is a batch.
const Opening gate.ActKind = "open"

// Overrides keeps them.
type Overrides interface {
	// Override returns one; farm.ErrNotFound.
	Override(ctx context.Context, id string) (Override, error)
	// OverridesOf returns those of a site, with decisions and uses.
	OverridesOf(ctx context.Context, site string) ([]Override, error)
	// AddOverride stores one that is asked for, and its record. The same again is
	// nothing new; another under its ID is farm.ErrConflict.
	AddOverride(ctx context.Context, o Override, rec Record) error
	// DecideOverride stores o.Decision and its record; farm.ErrConflict where it is
	// decided already.
	DecideOverride(ctx context.Context, o Override, rec Record) error
}

// covers reports whether leave is given for an act at a time on batches that are one
// another's goods; on none where there is none yet. Now counts beside the time of the
// act: nothing that was done before an officer allowed it is made right by allowing it.
func (o Override) covers(act gate.Act, now time.Time, of []Batch) bool {
	d := o.Decision
	if d == nil || !d.Granted || !slices.Contains(o.Acts, act.Kind) || act.At.Before(d.Decided.Add(-clockAhead)) || !act.At.Before(d.Until) || !now.Before(d.Until) {
		return false
	}
	is := func(id string) bool { return slices.ContainsFunc(of, func(b Batch) bool { return b.ID == id }) }
	if o.Batch != "" {
		return is(o.Batch)
	}
	used := func(k gate.ActKind) string {
		i := slices.IndexFunc(o.Uses, func(u OverrideUse) bool { return u.Act == k })
		if i < 0 {
			return ""
		}
		return o.Uses[i].Subject
	}
	switch {
	case act.Kind == gate.Certificate || act.Kind == gate.Sale:
		return used(Opening) != "" && is(used(Opening))
	case len(of) > 0:
		return used(Opening) == ""
	default:
		return used(act.Kind) == ""
	}
}

// leave takes away the refusals that officers have allowed, and returns whose leave
// that was. What no officer can allow stays.
func (s *Service) leave(ctx context.Context, act gate.Act, refusals []gate.Refusal, of ...Batch) (left []gate.Refusal, by []Leave, err error) {
	if len(refusals) == 0 || s.Overrides == nil {
		return refusals, nil, nil
	}
	sites := []string{act.Site}
	for _, b := range of {
		if !slices.Contains(sites, b.Site) {
			sites = append(sites, b.Site)
		}
	}
	left = refusals
	for _, site := range sites {
		all, err := s.Overrides.OverridesOf(ctx, site)
		if err != nil {
			return nil, nil, fmt.Errorf("overrides of site %s: %w", site, err)
		}
		for _, o := range all {
			if !o.covers(act, s.now(), of) {
				continue
			}
			rest := gate.Outstanding(left, gate.Keys(o.Refusals))
			if len(rest) < len(left) {
				by = append(by, Leave{o.ID, act.Kind})
			}
			left = rest
		}
	}
	return left, by, nil
}

// AskOverride stores what a farm asks to be allowed, and its record. Of an act other
// than the use of an input, Refusals need only keys that the gates give now: they
// are stored as the gates give them. ID, Tenant, Site, Batch, Acts, Refusals, Reason
// and Account are the caller's. Errors: *FieldError, farm.ErrNotFound,
// farm.ErrConflict, ErrNoEvidence.
func (s *Service) AskOverride(ctx context.Context, o Override) (Override, error) {
	o.Asked, o.Decision, o.Uses = s.now(), nil, nil
	if err := o.check(); err != nil {
		return Override{}, fmt.Errorf("ask for override: %w", err)
	}
	if known, err := s.Overrides.Override(ctx, o.ID); err == nil {
		if known.Tenant != o.Tenant || known.Site != o.Site || known.Batch != o.Batch || known.Reason != o.Reason || known.Account != o.Account {
			return Override{}, fmt.Errorf("ask for override %s: another one has this ID: %w", o.ID, farm.ErrConflict)
		}
		return known, nil
	} else if !errors.Is(err, farm.ErrNotFound) {
		return Override{}, fmt.Errorf("ask for override: %w", err)
	}
	if _, err := s.site(ctx, o.Tenant, o.Site); err != nil {
		return Override{}, fmt.Errorf("ask for override: %w", err)
	}
	if err := s.fillRefusals(ctx, &o); err != nil {
		return Override{}, fmt.Errorf("ask for override: %w", err)
	}
	body, err := marshal(struct {
		Version  int            `json:"v"`
		ID       string         `json:"id"`
		Tenant   string         `json:"tenant"`
		Site     string         `json:"site"`
		Batch    string         `json:"batch,omitempty"`
		Acts     []gate.ActKind `json:"acts"`
		Refusals []gate.Refusal `json:"refusals"`
		Reason   string         `json:"reason"`
		Asked    time.Time      `json:"asked"`
	}{1, o.ID, o.Tenant, o.Site, o.Batch, o.Acts, o.Refusals, o.Reason, o.Asked})
	if err != nil {
		return Override{}, fmt.Errorf("ask for override: %w", err)
	}
	rec, err := s.newRecord(Record{Tenant: o.Tenant, Kind: AskedRecord, Subject: o.subject(), Body: body, At: o.Asked})
	if err != nil {
		return Override{}, fmt.Errorf("ask for override: %w", err)
	}
	if err := s.Overrides.AddOverride(ctx, o, rec); err != nil {
		return Override{}, fmt.Errorf("ask for override: %w", err)
	}
	s.added()
	return o, nil
}

// DecideOverride gives or declines leave, once, and stores the record of it. Who may
// decide is the caller's to know. Errors: *FieldError, farm.ErrNotFound,
// farm.ErrConflict.
func (s *Service) DecideOverride(ctx context.Context, id string, d Decision) (Override, error) {
	o, err := s.Overrides.Override(ctx, id)
	if err != nil {
		return Override{}, fmt.Errorf("decide override %s: %w", id, err)
	}
	if o.Decision != nil {
		return Override{}, fmt.Errorf("decide override %s: it is decided already: %w", id, farm.ErrConflict)
	}
	d.Decided, d.Until = s.now(), wireTime(d.Until)
	if err := d.check(); err != nil {
		return Override{}, fmt.Errorf("decide override %s: %w", id, err)
	}
	o.Decision = &d
	body, err := marshal(struct {
		Version int    `json:"v"`
		Tenant  string `json:"tenant"`
		Site    string `json:"site"`
		Batch   string `json:"batch,omitempty"`
		Granted bool   `json:"granted"`
		PublicOverride
	}{1, o.Tenant, o.Site, o.Batch, d.Granted, o.public()})
	if err != nil {
		return Override{}, fmt.Errorf("decide override %s: %w", id, err)
	}
	rec, err := s.newRecord(Record{Tenant: o.Tenant, Kind: OverrideRecord, Subject: o.subject(), Body: body, At: d.Decided})
	if err != nil {
		return Override{}, fmt.Errorf("decide override %s: %w", id, err)
	}
	if err := s.Overrides.DecideOverride(ctx, o, rec); err != nil {
		return Override{}, fmt.Errorf("decide override %s: %w", id, err)
	}
	s.added()
	return o, nil
}

func (o Override) subject() string {
	if o.Batch != "" {
		return o.Batch
	}
	return o.ID
}

func (o Override) check() error {
	if _, err := ulid.ParseStrict(o.ID); err != nil {
		return field("id", "is not a ULID")
	}
	if len(o.Acts) == 0 || len(o.Acts) > len(gate.ActKinds()) {
		return field("acts", "are missing, or too many")
	}
	for i, a := range o.Acts {
		if !slices.Contains(gate.ActKinds(), a) || slices.Contains(o.Acts[:i], a) {
			return field(fmt.Sprintf("acts[%d]", i), "is no act, or named twice")
		}
		if a == gate.Apply && (o.Batch != "" || len(o.Acts) > 1) {
			return field("acts", "name the use of an input beside something else")
		}
	}
	if o.Batch == "" && !slices.ContainsFunc(o.Acts, func(a gate.ActKind) bool { return a != gate.Sale && a != gate.Certificate }) {
		return field("batch", "is missing: a sale or certificate is of a batch")
	}
	if len(o.Refusals) == 0 || len(o.Refusals) > maxItems {
		return field("refusals", "are missing, or more than %d", maxItems)
	}
	for i, r := range o.Refusals {
		if !slices.Contains(gate.Gates(), r.Gate) {
			return field(fmt.Sprintf("refusals[%d].gate", i), "is no gate")
		}
		if r.Gate.Final() {
			return field(fmt.Sprintf("refusals[%d].gate", i), "is one that no officer can lift")
		}
	}
	return checkReason(o.Reason)
}

func (d Decision) check() error {
	if !farm.RegionContains(d.Region, d.Region) {
		return field("region", "is no division")
	}
	switch {
	case d.Granted && !d.Decided.Before(d.Until):
		return field("until", "is not ahead")
	case d.Granted && d.Until.Sub(d.Decided) > MaxOverride:
		return field("until", "is more than %d days ahead", int(MaxOverride.Hours()/24))
	case !d.Granted && !d.Until.IsZero():
		return field("until", "is given, though nothing is granted")
	}
	return checkReason(d.Reason)
}

// checkReason allows lines, unlike other texts.
func checkReason(reason string) error {
	return checkText("reason", strings.NewReplacer("\n", " ", "\r", " ").Replace(reason), maxReason)
}

// fillRefusals replaces what the client says of refusals with what the gates say of
// the acts now. Uses of inputs are not there yet to be asked about: of those the
// product is looked up.
func (s *Service) fillRefusals(ctx context.Context, o *Override) error {
	if slices.Contains(o.Acts, gate.Apply) {
		return s.fillProducts(ctx, o)
	}
	given := map[string]gate.Refusal{}
	for _, kind := range o.Acts {
		refusals, err := s.refusalsOf(ctx, *o, kind)
		if err != nil {
			return err
		}
		for _, r := range refusals {
			given[r.Key()] = r
		}
	}
	for i, r := range o.Refusals {
		now, ok := given[r.Key()]
		if !ok {
			return field(fmt.Sprintf("refusals[%d]", i), "is none that the gates give now")
		}
		o.Refusals[i] = now
	}
	return nil
}

func (s *Service) refusalsOf(ctx context.Context, o Override, kind gate.ActKind) ([]gate.Refusal, error) {
	if o.Batch == "" {
		act := gate.Act{Kind: kind, Site: o.Site, At: o.Asked}
		return s.Permit(ctx, o.Tenant, act)
	}
	b, err := s.Store.Batch(ctx, o.Batch)
	if err == nil && (b.Tenant != o.Tenant || b.Site != o.Site) {
		err = farm.ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("batch %s: %w", o.Batch, err)
	}
	return s.PermitBatch(ctx, b, kind, o.Asked)
}

func (s *Service) fillProducts(ctx context.Context, o *Override) error {
	for i, r := range o.Refusals {
		at := fmt.Sprintf("refusals[%d].", i)
		if farm.CheckID(r.Product) != nil || s.Inputs == nil {
			return field(at+"product", "is not an identifier")
		}
		p, err := s.Inputs.Input(ctx, r.Product, o.Asked)
		if errors.Is(err, farm.ErrNotFound) {
			return field(at+"product", "is not registered")
		} else if err != nil {
			return fmt.Errorf("input %s: %w", r.Product, err)
		}
		o.Refusals[i] = gate.Refusal{Gate: r.Gate, Product: p.ID, Name: p.Name, Limit: r.Limit, Have: r.Have, Date: r.Date}
	}
	return nil
}

// A PublicOverride is what everybody may know of an Override: what an office
// allowed, why, and until when, and nobody's name.
type PublicOverride struct {
	ID       string         `json:"id"`
	Region   string         `json:"region"` // of the office, GB/T 2260
	Acts     []gate.ActKind `json:"acts"`
	Refusals []gate.Refusal `json:"refusals"`
	Reason   string         `json:"reason"`
	Decided  time.Time      `json:"decided"`
	Until    time.Time      `json:"until,omitzero"`
}

func (o Override) public() PublicOverride {
	d := o.Decision
	return PublicOverride{ID: o.ID, Region: d.Region, Acts: o.Acts, Refusals: o.Refusals, Reason: d.Reason, Decided: d.Decided.UTC(), Until: d.Until.UTC()}
}

// publicOverrides returns the leave that a batch rests on: given for it, used to open
// it, or used for an operation of its time.
func (s *Service) publicOverrides(ctx context.Context, b Batch, ops []Operation) ([]PublicOverride, error) {
	if s.Overrides == nil {
		return nil, nil
	}
	all, err := s.Overrides.OverridesOf(ctx, b.Site)
	if err != nil {
		return nil, fmt.Errorf("overrides of site %s: %w", b.Site, err)
	}
	of := map[string]bool{b.ID: true}
	for _, op := range ops {
		of[op.ID] = true
	}
	var out []PublicOverride
	for _, o := range all {
		if o.Decision == nil || !o.Decision.Granted {
			continue
		}
		if o.Batch == b.ID || slices.ContainsFunc(o.Uses, func(u OverrideUse) bool { return of[u.Subject] }) {
			out = append(out, o.public())
		}
	}
	return out, nil
}

// ParseOverride reads the body of an OverrideRecord.
func ParseOverride(body []byte) (o PublicOverride, granted bool, err error) {
	var doc struct {
		Granted bool `json:"granted"`
		PublicOverride
	}
	if err := json.Unmarshal(body, &doc); err != nil {
		return PublicOverride{}, false, fmt.Errorf("read override: %w", err)
	}
	return doc.PublicOverride, doc.Granted, nil
}
