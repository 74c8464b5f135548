// Package input says what may be put on a crop or into an animal: products with
// the numbers they are registered under, what their labels allow, lots that were
// bought, and substances that nobody may use.
//
// Label data belong to one registered product and one crop or species, never to a
// substance: the law lets a product be used by its label only (农药管理条例 art. 34,
// 兽药管理条例 art. 38). None are shipped; who enters them says where they were read.
//
// Amounts are whole numbers of the smallest unit, so that what was bought and what
// was used add up exactly. Nothing here reads a clock or a database.
package input

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/oklog/ulid/v2"

	"tianhai/farm"
)

// Kind is what an input is.
type Kind string

// The kinds of input.
const (
	Pesticide  Kind = "pesticide"
	Fertiliser Kind = "fertiliser"
	Feed       Kind = "feed"
	Additive   Kind = "additive"
	Drug       Kind = "drug"
	Vaccine    Kind = "vaccine"
)

// Kinds lists every kind of input.
func Kinds() []Kind { return []Kind{Pesticide, Fertiliser, Feed, Additive, Drug, Vaccine} }

// ByLabel reports whether a label says on what, how much and how long before a
// harvest such an input may be used.
func (k Kind) ByLabel() bool { return k == Pesticide || k == Drug || k == Vaccine }

// Limits of what a product may hold.
const (
	maxText    = 200 // bytes of a name, maker or number
	maxActives = 20
	maxLabels  = 200
	maxWait    = 1000  // days
	maxHeat    = 20000 // degree-days
	maxUses    = 100
)

// A Product is an input as it was registered or approved. A new label is a new
// version of the product under the same ID; uses keep the version they had.
type Product struct {
	ID           string    `json:"id"`
	Kind         Kind      `json:"kind"`
	Name         farm.Text `json:"name"`
	Registration string    `json:"registration,omitempty"` // 农药登记证号, 兽药批准文号 …
	Maker        string    `json:"maker"`
	Form         string    `json:"form,omitempty"` // 剂型
	Actives      []Active  `json:"actives,omitempty"`
	Labels       []Label   `json:"labels,omitempty"`
}

// An Active is an active ingredient.
type Active struct {
	Name    string `json:"name"`
	CAS     string `json:"cas,omitempty"`
	Content string `json:"content,omitempty"` // as the label prints it: "20%", "10 g/L"
}

// A Target is what an input is used on, or what is harvested.
type Target struct {
	Group   string `json:"group"`   // tea, vegetable, fruit, livestock or aquatic
	Species string `json:"species"` // an identifier: "tea", "cabbage", "tilapia"
	Laying  bool   `json:"laying,omitempty"`
	Milked  bool   `json:"milked,omitempty"`
}

// A Label is what a product's label allows on one crop or species.
type Label struct {
	Species  string `json:"species"`
	Method   string `json:"method,omitempty"`
	Dose     Dose   `json:"dose"`
	MaxUses  int    `json:"max_uses,omitempty"` // in a season or production cycle; 0: the label does not say
	Wait     Wait   `json:"wait"`
	NoLayers bool   `json:"no_layers,omitempty"` // 产蛋期禁用
	NoMilked bool   `json:"no_milked,omitempty"` // 泌乳期禁用
	Source   string `json:"source"`              // where it was read: "label of 2024-03, printed 2024-05"
}

// A Wait is the time from the last use to a harvest: 安全间隔期 or 休药期. With both
// numbers, both must have passed.
type Wait struct {
	Days       *int    `json:"days,omitempty"`        // nil: not in days; 0: the label says none is needed
	DegreeDays float64 `json:"degree_days,omitempty"` // °C·d of water; 0: not in degree-days
}

// Stated reports whether the label says anything of a wait.
func (w Wait) Stated() bool { return w.Days != nil || w.DegreeDays > 0 }

// LabelFor returns the label of a crop or species. One without a species, which
// Check does not accept, is of whatever it was used on: so speaks a record of a
// product that is not in stock.
func (p Product) LabelFor(t Target) (Label, bool) {
	i := slices.IndexFunc(p.Labels, func(l Label) bool { return l.Species == t.Species || l.Species == "" })
	if i < 0 {
		return Label{}, false
	}
	return p.Labels[i], true
}

// LabelsFor returns the labels that may be meant: that of the crop or species, or
// all where the target names none.
func (p Product) LabelsFor(t Target) []Label {
	if t.Species == "" {
		return p.Labels
	}
	if l, ok := p.LabelFor(t); ok {
		return []Label{l}
	}
	return nil
}

// A FieldError says which field of a product, lot or amount cannot be, and why.
type FieldError struct {
	Field  string // by its JSON name: "labels[0].dose.min"
	Reason string // English, without the value
}

// Error returns field and reason.
func (e *FieldError) Error() string { return e.Field + " " + e.Reason }

func field(name, reason string, args ...any) error {
	return &FieldError{Field: name, Reason: fmt.Sprintf(reason, args...)}
}

// pesticideNumber is how a 农药登记证号 begins: PD or WP (LS and WL while
// provisional, with N for makers at home until 2008) and a number, as in
// PD20080005, PDN2-88 or LS20071573. Its hyphens are folded away.
var pesticideNumber = regexp.MustCompile(`^(PDN?|WPN?|LS|WL)[0-9]{2}`)

// Check returns a *FieldError for the first thing that keeps p from being a product.
func (p Product) Check() error {
	if err := farm.CheckID(p.ID); err != nil {
		return field("id", "is not an identifier")
	}
	if !slices.Contains(Kinds(), p.Kind) {
		return field("kind", "is none of %v", Kinds())
	}
	for _, f := range []struct {
		name, value string
		needed      bool
	}{
		{"name.zh", p.Name.Zh, true},
		{"name.en", p.Name.En, false},
		{"maker", p.Maker, true},
		{"form", p.Form, false},
		{"registration", p.Registration, p.Kind.ByLabel()},
	} {
		if err := checkText(f.name, f.value, f.needed); err != nil {
			return err
		}
	}
	if p.Kind == Pesticide && !pesticideNumber.MatchString(fold(p.Registration)) {
		return field("registration", "is no pesticide registration number such as PD20080005")
	}
	if len(p.Actives) > maxActives {
		return field("actives", "are more than %d", maxActives)
	}
	if (p.Kind == Pesticide || p.Kind == Drug) && len(p.Actives) == 0 {
		return field("actives", "are missing: banned substances are recognised by them")
	}
	for i, a := range p.Actives {
		if err := checkText(fmt.Sprintf("actives[%d].name", i), a.Name, true); err != nil {
			return err
		}
		if a.CAS != "" && !validCAS(a.CAS) {
			return field(fmt.Sprintf("actives[%d].cas", i), "is no CAS number, or its check digit is wrong")
		}
		if err := checkText(fmt.Sprintf("actives[%d].content", i), a.Content, false); err != nil {
			return err
		}
	}
	return p.checkLabels()
}

func (p Product) checkLabels() error {
	if len(p.Labels) > maxLabels {
		return field("labels", "are more than %d", maxLabels)
	}
	seen := map[string]bool{}
	for i, l := range p.Labels {
		at := fmt.Sprintf("labels[%d].", i)
		if farm.CheckID(l.Species) != nil {
			return field(at+"species", "is not an identifier")
		}
		if seen[l.Species] {
			return field(at+"species", "has a label above already")
		}
		seen[l.Species] = true
		if err := checkText(at+"source", l.Source, true); err != nil {
			return err
		}
		if err := checkText(at+"method", l.Method, false); err != nil {
			return err
		}
		if l.MaxUses < 0 || l.MaxUses > maxUses {
			return field(at+"max_uses", "is not 0 to %d", maxUses)
		}
		if err := l.Dose.check(at + "dose."); err != nil {
			return err
		}
		if d := l.Wait.Days; d != nil && (*d < 0 || *d > maxWait) {
			return field(at+"wait.days", "is not 0 to %d", maxWait)
		}
		if h := l.Wait.DegreeDays; !(h >= 0 && h <= maxHeat) {
			return field(at+"wait.degree_days", "is not 0 to %d", maxHeat)
		}
		if p.Kind.ByLabel() && !l.Wait.Stated() {
			return field(at+"wait", "is missing; where the label needs none, days is 0")
		}
	}
	return nil
}

// A Lot is an amount of one product that was bought.
type Lot struct {
	ID       string    `json:"id"` // ULID
	Tenant   string    `json:"tenant"`
	Product  string    `json:"product"`
	Batch    string    `json:"batch"` // the maker's batch number, 生产批号
	Made     time.Time `json:"made,omitzero"`
	Expires  time.Time `json:"expires,omitzero"` // the first moment at which it may no longer be used; zero: never
	Supplier string    `json:"supplier"`
	Quantity float64   `json:"quantity"`
	Unit     string    `json:"unit"`
	Document string    `json:"document,omitempty"` // hex SHA-256 of the photographed receipt
	Recorded time.Time `json:"recorded"`
	Account  string    `json:"-"` // who recorded it
}

// A Stock is a lot and what is left of it, in the lot's unit.
type Stock struct {
	Lot
	Left float64 `json:"left"`
}

// A Draw takes an amount from a lot.
type Draw struct {
	Lot    string
	Amount Amount
}

// A WriteOff is an amount that left a lot without being used: spilt, spoilt, handed
// back.
type WriteOff struct {
	ID       string    `json:"id"` // ULID
	Tenant   string    `json:"tenant"`
	Lot      string    `json:"lot"`
	Quantity float64   `json:"quantity"`
	Unit     string    `json:"unit"`
	Reason   string    `json:"reason"`
	Recorded time.Time `json:"recorded"`
	Account  string    `json:"-"` // who recorded it
}

// Check returns a *FieldError for the first thing that keeps w from being a write-off.
func (w WriteOff) Check() error {
	if _, err := ulid.ParseStrict(w.ID); err != nil {
		return field("id", "is not a ULID")
	}
	a, err := Measure(w.Quantity, w.Unit)
	if err != nil {
		return err
	}
	if a.N <= 0 {
		return field("quantity", "is not a positive number")
	}
	return checkText("reason", w.Reason, true)
}

// A LotUse is what was taken from a lot: by an operation, or written off.
type LotUse struct {
	Operation string    `json:"operation,omitempty"`
	WriteOff  string    `json:"write_off,omitempty"`
	Site      string    `json:"site,omitempty"`
	Kind      string    `json:"kind,omitempty"` // of the operation
	At        time.Time `json:"at"`
	Quantity  float64   `json:"quantity"` // in the lot's unit
	Reason    string    `json:"reason,omitempty"`
	Returned  bool      `json:"returned,omitempty"` // the operation was taken back or corrected, and the amount with it
}

// A ShortError reports that a lot does not have what was to be drawn, or that the
// one is weighed and the other measured.
type ShortError struct {
	Lot  string
	Left Amount
}

// Error names the lot.
func (e *ShortError) Error() string { return "lot " + e.Lot + " does not have so much left" }

// documentHash is a SHA-256 in hex.
var documentHash = regexp.MustCompile(`^[0-9a-f]{64}$`)

// Check returns a *FieldError for the first thing that keeps l from being a lot
// of a product of the given kind.
func (l Lot) Check(kind Kind) error {
	for _, f := range []struct {
		name, value string
		needed      bool
	}{{"batch", l.Batch, kind != Fertiliser}, {"supplier", l.Supplier, true}} {
		if err := checkText(f.name, f.value, f.needed); err != nil {
			return err
		}
	}
	a, err := Measure(l.Quantity, l.Unit)
	if err != nil {
		return err
	}
	if a.N <= 0 {
		return field("quantity", "is not a positive number")
	}
	if l.Expires.IsZero() && kind != Fertiliser {
		return field("expires", "is missing")
	}
	if !l.Made.IsZero() && !l.Expires.IsZero() && !l.Made.Before(l.Expires) {
		return field("expires", "is not after made")
	}
	if l.Document != "" && !documentHash.MatchString(l.Document) {
		return field("document", "is not a SHA-256 in hex")
	}
	return nil
}

// Usable reports whether the lot may be used at t.
func (l Lot) Usable(t time.Time) bool { return l.Expires.IsZero() || t.Before(l.Expires) }

func checkText(name, s string, needed bool) error {
	switch {
	case needed && strings.TrimSpace(s) == "":
		return field(name, "is missing")
	case len(s) > maxText:
		return field(name, "is longer than %d bytes", maxText)
	case !utf8.ValidString(s) || strings.IndexFunc(s, unicode.IsControl) >= 0:
		return field(name, "holds control characters or is not UTF-8")
	}
	return nil
}

// validCAS checks form and check digit of a CAS registry number: the last digit is
// the sum of the others, each times its place from the right, modulo 10.
func validCAS(s string) bool {
	if ok, err := regexp.MatchString(`^[0-9]{2,7}-[0-9]{2}-[0-9]$`, s); err != nil || !ok {
		return false
	}
	digits := strings.ReplaceAll(s, "-", "")
	sum, last := 0, len(digits)-1
	for i := range last {
		sum += int(digits[i]-'0') * (last - i)
	}
	return sum%10 == int(digits[last]-'0')
}

// finite reports whether v is a number that can be reckoned with.
func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
