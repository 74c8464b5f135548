// Package catalog knows which products there are, which stages each goes through,
// which operations are recorded in a stage, and what has to be said of each: as
// data that administrators change without a release.
//
// A catalog is one YAML document, checked as a whole. What is saved is a version
// that is never edited; an operation names the version that it was checked
// against, so that taking a definition out of use takes it from no record.
package catalog

import (
	_ "embed"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"tianhai/farm"
	"tianhai/trace/evidence"
)

//go:embed default.yaml
var shipped []byte

// Shipped returns the document of a new installation, whose comments and source
// keys say where each item is demanded.
func Shipped() []byte { return slices.Clone(shipped) }

// Default returns the catalog that Shipped describes.
func Default() *Catalog {
	c, err := Parse(shipped)
	if err != nil {
		panic(err) // a test parses it
	}
	return c
}

// Void is the kind of the operation that takes another back and puts nothing in
// its place. Every catalog has it, with the required item Reason.
const (
	Void   = "void"
	Reason = "reason"
)

// Dash is written where nothing applies: a cell is never left blank (规程 水产品 §7).
const Dash = "—"

// A Type says what the value of an item is.
type Type string

// The types of items.
const (
	Text     Type = "text"
	Number   Type = "number"   // decimal digits, a point, at most a minus before
	Choice   Type = "choice"   // the key of one of Choices
	Date     Type = "date"     // 2006-01-02 in Beijing
	Lot      Type = "lot"      // the ULID of a lot of inputs in stock
	Batch    Type = "batch"    // the ULID of a batch
	Licence  Type = "licence"  // the number of a licence or certificate
	Photo    Type = "photo"    // the SHA-256 of a stored picture, in hex
	Document Type = "document" // the same, of a picture of a document
)

// Types lists every type of item.
func Types() []Type {
	return []Type{Text, Number, Choice, Date, Lot, Batch, Licence, Photo, Document}
}

// A Catalog is one version of what may and must be recorded. It is not changed
// after Parse and may be used concurrently.
type Catalog struct {
	Version    int         `json:"version" yaml:"-"` // 0: not stored
	Stages     []Stage     `json:"stages" yaml:"stages"`
	Items      []Kind      `json:"items" yaml:"items"`
	Common     []string    `json:"common" yaml:"common"` // items that every operation may carry
	Operations []Operation `json:"operations" yaml:"operations"`
	Products   []Product   `json:"products" yaml:"products"`
}

// A Stage is a part of a product's life.
type Stage struct {
	ID   string    `json:"id" yaml:"id"`
	Name farm.Text `json:"name" yaml:"name"`
}

// A Kind is a kind of item.
type Kind struct {
	Key     string    `json:"key" yaml:"key"`
	Name    farm.Text `json:"name" yaml:"name"`
	Type    Type      `json:"type" yaml:"type"`
	Units   []string  `json:"units,omitempty" yaml:"units"` // UCUM; of a number, the usual one first
	Min     *float64  `json:"min,omitempty" yaml:"min"`     // of a number, in whichever unit
	Max     *float64  `json:"max,omitempty" yaml:"max"`
	Choices []Option  `json:"choices,omitempty" yaml:"choices"`
	Many    bool      `json:"many,omitempty" yaml:"many"` // may stand in one operation several times
	Private bool      `json:"private,omitempty" yaml:"private"`
	// Personal items may name a natural person. Records seal a commitment in place of
	// the value, so that it can be erased; such an item is private as well.
	Personal bool   `json:"personal,omitempty" yaml:"personal"`
	Source   string `json:"source" yaml:"source"` // who demands it
}

// An Option is one answer to a choice.
type Option struct {
	Key  string    `json:"key" yaml:"key"`
	Name farm.Text `json:"name" yaml:"name"`
}

// An Operation is a kind of operation and what is said of one.
type Operation struct {
	Kind     string    `json:"kind" yaml:"kind"`
	Stage    string    `json:"stage" yaml:"stage"`
	Name     farm.Text `json:"name" yaml:"name"`
	Required []string  `json:"required" yaml:"required"` // a value must be there
	Stated   []string  `json:"stated" yaml:"stated"`     // a value, or a dash where nothing applies
	Wanted   []string  `json:"wanted" yaml:"wanted"`     // may be left out
	Medicine bool      `json:"medicine,omitempty" yaml:"medicine"`
	Official bool      `json:"official,omitempty" yaml:"official"` // an inspector's to say and to take back, and nobody else's
	// A Lasting operation, such as planting, counts for every batch that is harvested
	// after it, however long ago it was.
	Lasting bool   `json:"lasting,omitempty" yaml:"lasting"`
	Source  string `json:"source" yaml:"source"`
}

// A Product is a crop or a kind of animal, and the operations of its life. Its
// stages are theirs.
type Product struct {
	ID         string          `json:"id" yaml:"id"`
	Group      string          `json:"group" yaml:"group"` // trace.ProductKind
	Name       farm.Text       `json:"name" yaml:"name"`
	Sites      []farm.SiteKind `json:"sites" yaml:"sites"` // where it grows
	Operations []string        `json:"operations" yaml:"operations"`
	Close      []string        `json:"close,omitempty" yaml:"close"` // what must be recorded before a batch gets its code
	// Norms and Cold are what its readings are held against. What is not written here
	// is not known, and no number is made of it.
	Norms []Norm           `json:"norms,omitempty" yaml:"norms"`
	Cold  *evidence.Limits `json:"cold,omitempty" yaml:"cold"` // on its way to whoever eats it
}

// A Norm is what a product's readings of one quantity are held against.
type Norm struct {
	Quantity string           `json:"quantity" yaml:"quantity"` // farm.Quantity.ID
	Range    *evidence.Range  `json:"range,omitempty" yaml:"range"`
	Floor    *evidence.Floor  `json:"floor,omitempty" yaml:"floor"`
	Warmth   *evidence.Warmth `json:"warmth,omitempty" yaml:"warmth"` // of a temperature
}

// NormsOf returns what readings of a quantity are held against.
func (p Product) NormsOf(quantity string) evidence.Norms {
	n, _ := find(p.Norms, func(n Norm) bool { return n.Quantity == quantity })
	return evidence.Norms{Range: n.Range, Floor: n.Floor, Warmth: n.Warmth}
}

// Groups lists what a product can be: the kinds that pages and icons know.
func Groups() []string { return []string{"tea", "vegetable", "fruit", "livestock", "aquatic"} }

// An Item is one detail of an operation.
type Item struct {
	Key   string `json:"key"`   // "product", "dose": a Kind's
	Value string `json:"value"` // as written
	Unit  string `json:"unit,omitempty"`
	// Commitment, in hex, stands for a value that can be erased: trace.Personal. The
	// server makes it. Where it stands alone the value was erased.
	Commitment string `json:"commitment,omitempty" yaml:"-"`
}

// An ItemError says which item of an operation is missing or cannot be. Its name
// is in both languages: whoever is told stands in a field.
type ItemError struct {
	Key     string
	Name    farm.Text // none where the catalog does not know the item
	Missing bool
	Reason  string // English, without the value
}

// Error returns key and reason.
func (e *ItemError) Error() string {
	name := e.Key
	if e.Name.Zh != "" {
		name += " (" + e.Name.Zh + ", " + e.Name.En + ")"
	}
	return name + " " + e.Reason
}

// Operation returns a kind of operation.
func (c *Catalog) Operation(kind string) (Operation, bool) {
	return find(c.Operations, func(o Operation) bool { return o.Kind == kind })
}

// Item returns a kind of item.
func (c *Catalog) Item(key string) (Kind, bool) {
	return find(c.Items, func(k Kind) bool { return k.Key == key })
}

// Product returns a product.
func (c *Catalog) Product(id string) (Product, bool) {
	return find(c.Products, func(p Product) bool { return p.ID == id })
}

func find[T any](all []T, is func(T) bool) (T, bool) {
	i := slices.IndexFunc(all, is)
	if i < 0 {
		var none T
		return none, false
	}
	return all[i], true
}

// Check returns an *ItemError unless items say what o demands, and nothing else,
// each in its type, unit and range.
func (c *Catalog) Check(o Operation, items []Item) error {
	seen := map[string]bool{}
	for _, item := range items {
		k, known := c.Item(item.Key)
		if !known || !c.has(o, item.Key) {
			return &ItemError{Key: item.Key, Name: k.Name, Reason: "is not an item of " + o.Kind}
		}
		if seen[item.Key] && !k.Many {
			return k.fault("is given twice")
		}
		seen[item.Key] = true
		if item.Value == Dash && item.Unit == "" {
			if slices.Contains(o.Required, item.Key) {
				return &ItemError{Key: k.Key, Name: k.Name, Missing: true, Reason: "is a dash, but always applies"}
			}
			continue
		}
		if err := k.check(item); err != nil {
			return err
		}
	}
	if missing := c.Missing(o, items); len(missing) > 0 {
		return &ItemError{Key: missing[0].Key, Name: missing[0].Name, Missing: true, Reason: "is missing"}
	}
	return nil
}

// Missing returns what must be said of o, by a value or at least a dash, and is not
// among items.
func (c *Catalog) Missing(o Operation, items []Item) []Kind {
	var missing []Kind
	for _, key := range slices.Concat(o.Required, o.Stated) {
		if !slices.ContainsFunc(items, func(i Item) bool { return i.Key == key }) {
			k, _ := c.Item(key)
			missing = append(missing, k)
		}
	}
	return missing
}

func (c *Catalog) has(o Operation, key string) bool {
	return slices.Contains(o.Required, key) || slices.Contains(o.Stated, key) ||
		slices.Contains(o.Wanted, key) || slices.Contains(c.Common, key)
}

func (k Kind) fault(reason string, args ...any) error {
	return &ItemError{Key: k.Key, Name: k.Name, Reason: fmt.Sprintf(reason, args...)}
}

func (k Kind) check(item Item) error {
	if strings.TrimSpace(item.Value) == "" {
		return k.fault("is blank; where nothing applies write a dash, %s", Dash)
	}
	if item.Unit != "" && k.Type != Number {
		return k.fault("has no unit")
	}
	switch k.Type {
	case Number:
		return k.checkNumber(item)
	case Choice:
		if _, ok := k.Option(item.Value); !ok {
			return k.fault("is none of %s", k.options())
		}
	case Date:
		if t, err := time.Parse(time.DateOnly, item.Value); err != nil || t.Year() < 1900 {
			return k.fault("is not a date such as 2026-04-30")
		}
	case Lot, Batch:
		if _, err := ulid.ParseStrict(item.Value); err != nil {
			return k.fault("is not a ULID")
		}
	case Photo, Document:
		if !IsHash(item.Value) {
			return k.fault("is not the SHA-256 of a stored picture, in 64 hex digits")
		}
	}
	return nil
}

// decimal is a number as people write it: no exponent, no sign before but minus.
var decimal = regexp.MustCompile(`^-?[0-9]{1,15}(\.[0-9]{1,9})?$`)

func (k Kind) checkNumber(item Item) error {
	v, err := strconv.ParseFloat(item.Value, 64)
	switch {
	case err != nil || !decimal.MatchString(item.Value):
		return k.fault("is not a number such as 12.5")
	case !slices.Contains(k.Units, item.Unit) && (len(k.Units) > 0 || item.Unit != ""):
		return k.fault("is in none of the units %s", strings.Join(k.Units, ", "))
	case k.Min != nil && v < *k.Min || k.Max != nil && v > *k.Max:
		return k.fault("is not from %v to %v", orInf(k.Min, -1), orInf(k.Max, 1))
	}
	return nil
}

func orInf(limit *float64, sign int) float64 {
	if limit == nil {
		return math.Inf(sign)
	}
	return *limit
}

// IsPicture reports whether values are hashes of stored pictures.
func (k Kind) IsPicture() bool { return k.Type == Photo || k.Type == Document }

// Option returns one answer to a choice.
func (k Kind) Option(key string) (Option, bool) {
	return find(k.Choices, func(o Option) bool { return o.Key == key })
}

func (k Kind) options() string {
	keys := make([]string, len(k.Choices))
	for i, o := range k.Choices {
		keys[i] = o.Key
	}
	return strings.Join(keys, ", ")
}

// IsHash reports whether s is a SHA-256 in lower-case hex.
func IsHash(s string) bool { return hash.MatchString(s) }

var hash = regexp.MustCompile(`^[0-9a-f]{64}$`)
