package catalog

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"tianhai/farm"
)

// What a catalog may hold.
const (
	MaxDoc        = 1 << 20 // bytes
	MaxStages     = 50
	MaxItems      = 1000
	MaxOperations = 500
	MaxProducts   = 1000
	MaxUnits      = 30 // of one item
	MaxChoices    = 100
	MaxText       = 200 // bytes of a name or source
)

// A DocError says what is wrong with a document.
type DocError struct{ faults []error }

// Error returns one fault a line.
func (e *DocError) Error() string { return errors.Join(e.faults...).Error() }

func docError(format string, args ...any) error {
	return &DocError{[]error{fmt.Errorf(format, args...)}}
}

// Parse reads a catalog: a mapping with the keys of Catalog. Whatever a person may
// have meant otherwise is an error: an unknown or repeated key, a name that lacks
// a language, an operation with an item that does not exist, a stage that nobody
// uses. Each fault names line and key and says what would be right; the first 20
// are reported at once, in a *DocError.
func Parse(doc []byte) (*Catalog, error) {
	if len(doc) > MaxDoc {
		return nil, docError("catalog: %d bytes, at most %d are allowed", len(doc), MaxDoc)
	}
	var c Catalog
	file, err := readYAML(doc, &c)
	if err != nil {
		return nil, docError("catalog: %w", err)
	}
	r := reader{Catalog: &c, file: file}
	r.read()
	if len(r.faults) > 0 {
		return nil, &DocError{r.faults}
	}
	return &c, nil
}

// readYAML reads a document strictly. The library panics on a tag that has no
// value.
func readYAML(doc []byte, into any) (file *ast.File, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = errors.New("no YAML that can be read; is there a tag without a value?")
		}
	}()
	file, err = parser.ParseBytes(doc, 0)
	if err != nil {
		return nil, yamlFault(err)
	}
	if len(file.Docs) != 1 || file.Docs[0].Body == nil {
		return nil, errors.New("want one YAML document with stages, items, common, operations and products")
	}
	if err := yaml.NodeToValue(file.Docs[0].Body, into, yaml.Strict()); err != nil {
		return nil, yamlFault(err)
	}
	return file, nil
}

const maxFaults = 20

// A reader checks what was decoded, and knows where it stood.
type reader struct {
	*Catalog
	file   *ast.File
	faults []error
}

// at is a place in the document, such as $.items[3].units.
func at(list string, i int, key string) string { return fmt.Sprintf("$.%s[%d].%s", list, i, key) }

// fault adds what is wrong at a path. Where the key is absent it gives the line
// of what should have it.
func (r *reader) fault(path, name, reason string, args ...any) {
	if len(r.faults) >= maxFaults {
		return
	}
	key := path[strings.LastIndex(path, ".")+1:]
	line := r.line(path)
	if line == 0 {
		line = r.line(path[:strings.LastIndex(path, ".")])
	}
	r.faults = append(r.faults, fmt.Errorf("catalog line %d: %s: %s: %s", line, name, key, fmt.Sprintf(reason, args...)))
}

func (r *reader) line(path string) int {
	p, err := yaml.PathString(path)
	if err != nil {
		return 0
	}
	n, err := p.FilterFile(r.file)
	if err != nil || n == nil || n.GetToken() == nil {
		return 0
	}
	return n.GetToken().Position.Line
}

func (r *reader) read() {
	for list, n := range map[string][2]int{
		"stages": {len(r.Stages), MaxStages}, "items": {len(r.Items), MaxItems},
		"operations": {len(r.Operations), MaxOperations}, "products": {len(r.Products), MaxProducts},
	} {
		if n[0] == 0 || n[0] > n[1] {
			r.fault("$."+list, "list", "has %d entries; write 1 to %d", n[0], n[1])
		}
	}
	if len(r.faults) > 0 {
		return
	}
	ids := map[string]bool{}
	for i, s := range r.Stages {
		r.names("stages", i, "id", s.ID, s.Name, ids)
	}
	ids = map[string]bool{}
	for i, k := range r.Items {
		r.names("items", i, "key", k.Key, k.Name, ids)
		r.item(i, k)
	}
	for i, key := range r.Common {
		if !ids[key] {
			r.fault(fmt.Sprintf("$.common[%d]", i), "common", "item %q is not defined under items", key)
		}
	}
	ids = map[string]bool{}
	for i, o := range r.Operations {
		r.names("operations", i, "kind", o.Kind, o.Name, ids)
		r.operation(i, o)
	}
	ids = map[string]bool{}
	for i, p := range r.Products {
		r.names("products", i, "id", p.ID, p.Name, ids)
		r.product(i, p)
	}
	void, ok := r.Operation(Void)
	if !ok || !slices.Equal(void.Required, []string{Reason}) || len(void.Stated) > 0 {
		r.fault("$.operations", "kind void", "must be there with required: [reason] and nothing stated; it takes operations back")
	}
}

func (r *reader) names(list string, i int, key, id string, name farm.Text, ids map[string]bool) {
	if err := farm.CheckID(id); err != nil {
		r.fault(at(list, i, key), fmt.Sprintf("number %d", i+1), "%v", err)
	}
	if ids[id] {
		r.fault(at(list, i, key), id, "is there twice under %s", list)
	}
	ids[id] = true
	for _, s := range []string{name.Zh, name.En} {
		if strings.TrimSpace(s) == "" || len(s) > MaxText {
			r.fault(at(list, i, "name"), id, "want names in both languages, such as {zh: 用量, en: Dose}, of at most %d bytes", MaxText)
			return
		}
	}
}

func (r *reader) source(list string, i int, id, source string) {
	if strings.TrimSpace(source) == "" || len(source) > MaxText {
		r.fault(at(list, i, "source"), id, "want who demands it, such as 农药管理条例 art. 36; write 本场 where it is your own wish")
	}
}

func (r *reader) item(i int, k Kind) {
	r.source("items", i, k.Key, k.Source)
	if k.Personal && (!k.Private || k.IsPicture()) {
		r.fault(at("items", i, "personal"), k.Key, "want private: true beside it, and no picture: what can be erased is in no public record")
	}
	if !slices.Contains(Types(), k.Type) {
		r.fault(at("items", i, "type"), k.Key, "%q is no type; the types are %v", k.Type, Types())
		return
	}
	if (k.Type == Choice) != (len(k.Choices) > 0) || len(k.Choices) > MaxChoices {
		r.fault(at("items", i, "choices"), k.Key, "want 1 to %d choices for a choice, none for any other type", MaxChoices)
	}
	keys := map[string]bool{}
	for _, o := range k.Choices {
		if farm.CheckID(o.Key) != nil || keys[o.Key] || o.Name.Zh == "" || o.Name.En == "" {
			r.fault(at("items", i, "choices"), k.Key, "choice %q needs a key of its own in a-z, 0-9, - and _, and names in both languages", o.Key)
		}
		keys[o.Key] = true
	}
	if k.Type != Number {
		if len(k.Units) > 0 || k.Min != nil || k.Max != nil {
			r.fault(at("items", i, "type"), k.Key, "units, min and max are for numbers; this is a %s", k.Type)
		}
		return
	}
	if lo, hi := orInf(k.Min, -1), orInf(k.Max, 1); !(lo < hi) || math.IsNaN(lo) {
		r.fault(at("items", i, "min"), k.Key, "%v is not below max, %v", lo, hi)
	}
	if len(k.Units) > MaxUnits {
		r.fault(at("items", i, "units"), k.Key, "%d units, at most %d are allowed", len(k.Units), MaxUnits)
	}
	for j, u := range k.Units {
		if u == "" || len(u) > 20 || strings.ContainsAny(u, " \t") || slices.Contains(k.Units[:j], u) {
			r.fault(at("items", i, "units"), k.Key, "%q is no unit of its own; write UCUM codes such as kg or mL/[mu_chn]", u)
		}
	}
}

func (r *reader) operation(i int, o Operation) {
	r.source("operations", i, o.Kind, o.Source)
	if !slices.ContainsFunc(r.Stages, func(s Stage) bool { return s.ID == o.Stage }) {
		r.fault(at("operations", i, "stage"), o.Kind, "%q is not defined under stages", o.Stage)
	}
	seen := map[string]bool{}
	for list, keys := range map[string][]string{"required": o.Required, "stated": o.Stated, "wanted": o.Wanted} {
		for _, key := range keys {
			if _, ok := r.Item(key); !ok {
				r.fault(at("operations", i, list), o.Kind, "item %q is not defined under items", key)
			}
			if seen[key] {
				r.fault(at("operations", i, list), o.Kind, "item %q is there twice; give it once in required, stated or wanted", key)
			}
			seen[key] = true
		}
	}
}

func (r *reader) product(i int, p Product) {
	if !slices.Contains(Groups(), p.Group) {
		r.fault(at("products", i, "group"), p.ID, "%q is no group; the groups are %v", p.Group, Groups())
	}
	if len(p.Sites) == 0 || slices.ContainsFunc(p.Sites, func(k farm.SiteKind) bool { return !slices.Contains(farm.SiteKinds(), k) }) {
		r.fault(at("products", i, "sites"), p.ID, "want one or more of %v", farm.SiteKinds())
	}
	if len(p.Operations) == 0 {
		r.fault(at("products", i, "operations"), p.ID, "want the kinds of its operations")
	}
	for j, kind := range p.Operations {
		if _, ok := r.Operation(kind); !ok || kind == Void {
			r.fault(at("products", i, "operations"), p.ID, "operation %q is not defined under operations, or not of a product", kind)
		}
		if slices.Contains(p.Operations[:j], kind) {
			r.fault(at("products", i, "operations"), p.ID, "operation %q is there twice", kind)
		}
	}
	for j, kind := range p.Close {
		if !slices.Contains(p.Operations, kind) || slices.Contains(p.Close[:j], kind) {
			r.fault(at("products", i, "close"), p.ID, "operation %q is not among its operations, or there twice", kind)
		}
	}
	r.norms(i, p)
	if p.Cold != nil {
		if err := p.Cold.Check(); err != nil {
			r.fault(at("products", i, "cold"), p.ID, "%v", err)
		}
		r.said("cold", i, p.ID, p.Cold.Source)
	}
}

// norms checks what readings are held against. Whoever states a number says whose
// it is.
func (r *reader) norms(i int, p Product) {
	seen := map[string]bool{}
	for _, n := range p.Norms {
		q, known := farm.LookupQuantity(n.Quantity)
		fault := func(reason string, args ...any) {
			r.fault(at("products", i, "norms"), p.ID+" "+n.Quantity, reason, args...)
		}
		switch {
		case !known || q.Medium() == farm.OfDevice:
			fault("is no measured quantity; write one such as air.temperature")
			continue
		case seen[n.Quantity]:
			fault("is there twice")
		case n.Range == nil && n.Floor == nil && n.Warmth == nil:
			fault("says nothing; write range, floor or warmth")
		}
		seen[n.Quantity] = true
		if l := n.Range; l != nil {
			if lo, hi := orInf(l.Min, -1), orInf(l.Max, 1); !(lo < hi) || l.Min == nil && l.Max == nil {
				fault("range: want min, max or both, min below max")
			}
			r.said("norms", i, p.ID, l.Source)
		}
		if l := n.Floor; l != nil {
			if !q.Range.Contains(l.Limit) {
				fault("floor: the limit %v is not from %v to %v %s", l.Limit, q.Range.Min, q.Range.Max, q.Unit)
			}
			r.said("norms", i, p.ID, l.Source)
		}
		if w := n.Warmth; w != nil {
			if q.Unit != "Cel" || !q.Range.Contains(w.Base) || !(w.Base < orInf(w.Upper, 1)) {
				fault("warmth: want a temperature, with a base that can be measured, below upper")
			}
			r.said("norms", i, p.ID, w.Source)
		}
	}
}

func (r *reader) said(list string, i int, id, source string) {
	if strings.TrimSpace(source) == "" || len(source) > MaxText {
		r.fault(at("products", i, list), id, "want a source, such as GB 11607-1989; write 本场 where it is your own wish")
	}
}

// yamlFault turns the parser's message, "[line:column] what" and then a drawing of
// the source over many lines, into "line n: what".
func yamlFault(err error) error {
	msg, _, _ := strings.Cut(err.Error(), "\n")
	if rest, ok := strings.CutPrefix(msg, "["); ok {
		if at, what, ok := strings.Cut(rest, "] "); ok {
			line, _, _ := strings.Cut(at, ":")
			msg = "line " + line + ": " + what
		}
	}
	return errors.New(msg)
}
