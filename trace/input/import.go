package input

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/oklog/ulid/v2"

	"tianhai/table"
)

// productColumns are those of a table of products; each row holds one label, and
// rows with one ID belong together. What a row leaves blank of the product stands in
// the first one.
func productColumns() []string {
	return []string{
		"id", "kind", "name_zh", "name_en", "registration", "maker", "form", "actives",
		"species", "method", "dose_min", "dose_max", "dose_unit", "dose_basis", "dose_per", "max_uses",
		"wait_days", "degree_days", "no_layers", "no_milked", "source",
	}
}

// lotColumns are those of a table of lots.
func lotColumns() []string {
	return []string{"product", "batch", "made", "expires", "supplier", "quantity", "unit"}
}

// ParseProducts reads registered products with their labels from a file: CSV, a
// workbook, or YAML with the members of a Product under products. Products are good,
// or there are faults that name the line; an error is ErrTooLarge, or the reader's.
func ParseProducts(file io.Reader) ([]Product, []Fault, error) {
	var f faults
	raw, err := readFile(file, &f)
	if err != nil || f.all != nil {
		return nil, f.all, err
	}
	var all []Product
	var lines []int
	if !table.IsWorkbook(raw) && !isTable(raw, productColumns()) {
		all, lines = yamlProducts(raw, &f)
	} else {
		all, lines = tableProducts(readRows(raw, productColumns(), []string{"id", "kind", "name_zh", "maker"}, &f), &f)
	}
	seen := map[string]int{}
	for i, p := range all {
		if first, twice := seen[p.ID]; twice {
			f.add(lines[i], "id", "%s is on line %d already", p.ID, first)
		}
		seen[p.ID] = lines[i]
		if bad := (*FieldError)(nil); errors.As(p.Check(), &bad) {
			f.add(lines[i], bad.Field, "%s", bad.Reason)
		}
	}
	return all, f.all, nil
}

// readYAML reads the list under a key into structs by their JSON names, strictly, and
// returns the line of each.
func readYAML[T any](raw []byte, key string, f *faults) (all []T, lines []int) {
	// The YAML library panics on a tag that has no value.
	defer func() {
		if r := recover(); r != nil {
			all, lines = nil, nil
			f.add(1, key, "cannot be read as YAML; is there a tag without a value?")
		}
	}()
	doc := map[string][]T{}
	if err := yaml.UnmarshalWithOptions(raw, &doc, yaml.UseJSONUnmarshaler(), yaml.Strict()); err != nil {
		line, reason := yamlFault(err)
		f.add(line, key, "%s", reason)
		return nil, nil
	}
	for other := range doc {
		if other != key {
			f.add(1, other, "is not %s", key)
		}
	}
	if file, err := parser.ParseBytes(raw, 0); err == nil && len(file.Docs) > 1 {
		f.add(file.Docs[1].Start.Position.Line, key, "are followed by a second document; only one is read")
		return nil, nil
	}
	lines = yamlLines(raw, key)
	for len(lines) < len(doc[key]) { // of an alias, which has no lines of its own
		lines = append(lines, 1)
	}
	if len(doc[key]) == 0 && f.all == nil {
		f.add(1, key, "are missing")
	}
	if len(doc[key]) > MaxRows {
		f.add(1, key, "are more than %d", MaxRows)
		return nil, nil
	}
	return doc[key], lines
}

// yamlFault returns where a text is not what is wanted.
func yamlFault(err error) (line int, reason string) {
	var bad yaml.Error
	if errors.As(err, &bad) {
		line, reason = 1, bad.GetMessage()
		if t := bad.GetToken(); t != nil && t.Position != nil {
			line = t.Position.Line
		}
		return line, reason
	}
	return 1, err.Error()
}

// yamlLines returns the line of each item under a key.
func yamlLines(raw []byte, key string) []int {
	path, err := yaml.PathString("$." + key)
	if err != nil {
		return nil
	}
	doc, err := parser.ParseBytes(raw, 0)
	if err != nil {
		return nil
	}
	node, err := path.FilterFile(doc)
	if err != nil {
		return nil
	}
	var lines []int
	if list, ok := node.(*ast.SequenceNode); ok {
		for _, item := range list.Values {
			lines = append(lines, item.GetToken().Position.Line)
		}
	}
	return lines
}

func yamlProducts(raw []byte, f *faults) ([]Product, []int) {
	return readYAML[Product](raw, "products", f)
}

func tableProducts(rows []row, f *faults) (all []Product, lines []int) {
	at := map[string]int{}
	for _, r := range rows {
		p := Product{
			ID: r.cells["id"], Kind: Kind(r.cells["kind"]), Registration: r.cells["registration"], Maker: r.cells["maker"], Form: r.cells["form"],
			Actives: actives(r.cells["actives"]),
		}
		p.Name.Zh, p.Name.En = r.cells["name_zh"], r.cells["name_en"]
		label, has := labelOf(r, f)
		i, known := at[p.ID]
		if !known {
			at[p.ID] = len(all)
			if has {
				p.Labels = []Label{label}
			}
			all, lines = append(all, p), append(lines, r.line)
			continue
		}
		sameProduct(all[i], p, lines[i], r.line, f)
		if has {
			all[i].Labels = append(all[i].Labels, label)
		}
	}
	return all, lines
}

// sameProduct finds what a second row says otherwise of a product than the first.
func sameProduct(first, p Product, line, here int, f *faults) {
	for _, c := range []struct{ column, was, is string }{
		{"kind", string(first.Kind), string(p.Kind)},
		{"name_zh", first.Name.Zh, p.Name.Zh},
		{"name_en", first.Name.En, p.Name.En},
		{"registration", first.Registration, p.Registration},
		{"maker", first.Maker, p.Maker},
		{"form", first.Form, p.Form},
		{"actives", fmt.Sprint(first.Actives), fmt.Sprint(p.Actives)},
	} {
		if c.is != "" && c.is != "[]" && c.is != c.was {
			f.add(here, c.column, "is another than on line %d", line)
		}
	}
}

// actives reads "name", "name CAS" or "name CAS content", divided by "|".
func actives(cell string) []Active {
	var all []Active
	for _, one := range divide(cell) {
		words := strings.Fields(one)
		if len(words) == 0 {
			continue
		}
		a := Active{Name: words[0]}
		for _, w := range words[1:] {
			if validCAS(w) {
				a.CAS = w
			} else {
				a.Content = strings.TrimSpace(a.Content + " " + w)
			}
		}
		all = append(all, a)
	}
	return all
}

// labelOf reads the label of a row; there is none where the row names no species.
func labelOf(r row, f *faults) (Label, bool) {
	l := Label{Species: r.cells["species"], Method: r.cells["method"], Source: r.cells["source"]}
	l.Dose = Dose{Min: r.number("dose_min", f), Max: r.number("dose_max", f), Unit: r.cells["dose_unit"], Basis: Basis(r.cells["dose_basis"]), Per: r.cells["dose_per"]}
	l.MaxUses = int(r.whole("max_uses", f))
	l.Wait.DegreeDays = r.number("degree_days", f)
	if r.cells["wait_days"] != "" {
		days := int(r.whole("wait_days", f))
		l.Wait.Days = &days
	}
	l.NoLayers, l.NoMilked = r.yes("no_layers", f), r.yes("no_milked", f)
	if l.Species == "" {
		if l != (Label{}) {
			f.add(r.line, "species", "is missing: a label is of one crop or animal")
		}
		return Label{}, false
	}
	return l, true
}

func (r row) number(column string, f *faults) float64 {
	s := r.cells[column]
	if s == "" {
		return 0
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || !finite(v) {
		f.add(r.line, column, "is not a number")
		return 0
	}
	return v
}

func (r row) whole(column string, f *faults) float64 {
	v := r.number(column, f)
	if v != math.Trunc(v) || math.Abs(v) > 1e6 {
		f.add(r.line, column, "is not a whole number")
		return 0
	}
	return v
}

func (r row) yes(column string, f *faults) bool {
	switch strings.ToLower(r.cells[column]) {
	case "", "0", "no", "false", "否":
		return false
	case "1", "yes", "true", "是":
		return true
	}
	f.add(r.line, column, "is neither yes nor no")
	return false
}

// date reads a day in Beijing: 2026-04-30, 2026/4/30, or the number of days that a
// spreadsheet keeps.
func (r row) date(column string, f *faults) time.Time {
	s := r.cells[column]
	if s == "" {
		return time.Time{}
	}
	for _, layout := range []string{time.DateOnly, "2006/1/2", "2006.1.2", "20060102"} {
		if t, err := time.ParseInLocation(layout, s, beijing()); err == nil && t.Year() >= 1990 && t.Year() < 2200 {
			return t
		}
	}
	if days, err := strconv.ParseFloat(s, 64); err == nil && days == math.Trunc(days) && days > 32874 && days < 100_000 { // from 1990 on
		return time.Date(1899, 12, 30, 0, 0, 0, 0, beijing()).AddDate(0, 0, int(days))
	}
	f.add(r.line, column, "is not a day such as 2026-04-30")
	return time.Time{}
}

// beijing is the time that dates on labels are in.
func beijing() *time.Location { return time.FixedZone("UTC+8", 8*60*60) }

// ParseLots reads lots that were bought from a file: CSV, a workbook, or YAML with
// the columns as members under lots. Expires is the day printed on the label, which
// is the last one on which the lot may be used. The ID of a lot follows from the file
// and the line, so that a file that is sent twice buys nothing twice. kindOf returns
// what a product is, false where there is none. Lots are good but for Tenant, Recorded
// and Account, which are the caller's, or there are faults.
func ParseLots(file io.Reader, kindOf func(product string) (Kind, bool)) ([]Lot, []Fault, error) {
	var f faults
	raw, err := readFile(file, &f)
	if err != nil || f.all != nil {
		return nil, f.all, err
	}
	var rows []row
	if !table.IsWorkbook(raw) && !isTable(raw, lotColumns()) {
		rows = yamlLots(raw, &f)
	} else {
		rows = readRows(raw, lotColumns(), []string{"product", "supplier", "quantity", "unit"}, &f)
	}
	sum := sha256.Sum256(raw)
	var all []Lot
	for _, r := range rows {
		before := len(f.all)
		l := Lot{
			ID: lotID(sum, r.line), Product: r.cells["product"], Batch: r.cells["batch"], Made: r.date("made", &f), Expires: r.date("expires", &f),
			Supplier: r.cells["supplier"], Quantity: r.number("quantity", &f), Unit: r.cells["unit"],
		}
		if !l.Expires.IsZero() {
			l.Expires = l.Expires.AddDate(0, 0, 1)
		}
		kind, known := kindOf(l.Product)
		if !known {
			f.add(r.line, "product", "is not registered")
		} else if bad := (*FieldError)(nil); len(f.all) == before && errors.As(l.Check(kind), &bad) {
			f.add(r.line, bad.Field, "%s", bad.Reason)
		}
		all = append(all, l)
	}
	return all, f.all, nil
}

func yamlLots(raw []byte, f *faults) []row {
	all, lines := readYAML[map[string]any](raw, "lots", f)
	var rows []row
	for i, m := range all {
		r := row{lines[i], map[string]string{}}
		for k, v := range m {
			known := false
			for _, c := range lotColumns() {
				known = known || c == k
			}
			if !known {
				f.add(r.line, k, "is not known; there are %s", strings.Join(lotColumns(), ","))
				continue
			}
			r.cells[k] = strings.TrimSpace(fmt.Sprint(v))
		}
		rows = append(rows, r)
	}
	return rows
}

// lotID is the same for the same line of the same file.
func lotID(file [sha256.Size]byte, line int) string {
	sum := sha256.Sum256(strconv.AppendInt(file[:], int64(line), 10))
	var id ulid.ULID
	copy(id[:], sum[:])
	return id.String()
}
