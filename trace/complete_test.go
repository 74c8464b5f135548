package trace_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"tianhai/trace"
	"tianhai/trace/catalog"
)

// told is an operation that says all that the catalog demands of its kind.
func told(c *catalog.Catalog, kind string, at time.Time) trace.Operation {
	o, _ := c.Operation(kind)
	op := trace.Operation{ID: ulid.Make().String(), Tenant: "maowei", Site: "raft-1", Kind: kind, At: at, Person: "wei"}
	for _, k := range c.Missing(o, nil) {
		item := trace.Item{Key: k.Key, Value: "示例"}
		switch k.Type {
		case catalog.Number:
			item.Value = "10"
			if len(k.Units) > 0 {
				item.Unit = k.Units[0]
			}
			if k.Min != nil && *k.Min > 10 {
				item.Value = "2019"
			}
		case catalog.Choice:
			item.Value = k.Choices[0].Key
		case catalog.Date:
			item.Value = at.Format(time.DateOnly)
		case catalog.Lot, catalog.Batch:
			item.Value = catalog.Dash
		case catalog.Text, catalog.Licence, catalog.Photo, catalog.Document:
		}
		op.Items = append(op.Items, item)
	}
	return op
}

// growing is a farm of one product on a site where it grows.
func growing(t *testing.T, id string) (*memory, *trace.Service, *catalog.Catalog) {
	t.Helper()
	m := newMemory()
	s := gated(m)
	c := s.Catalogs.Current()
	p, ok := c.Product(id)
	if !ok {
		t.Fatalf("no product %s", id)
	}
	site := m.sites["raft-1"]
	site.Kind = p.Sites[0]
	m.sites["raft-1"] = site
	m.product.Kind, m.product.Species = trace.ProductKind(p.Group), id
	return m, s, c
}

// For each product: a batch without its records gets no code and is told of every
// one at once, in both languages; with them all it gets one, and its page begins with
// the planting or stocking, however long ago that was.
func TestEveryProductDemandsItsRecords(t *testing.T) {
	for _, p := range catalog.Default().Products {
		t.Run(p.ID, func(t *testing.T) {
			m, s, c := growing(t, p.ID)
			b := openAfterExit(t, s, p)
			lacking := incomplete(t, s, b)
			if got := kindsOf(lacking); !slices.Equal(got, p.Close) || len(got) < 3 {
				t.Fatalf("missing %v, want %v", got, p.Close)
			}
			for _, l := range lacking {
				if l.Name.Zh == "" || l.Name.En == "" || l.Stage.En == "" || l.Operation != "" {
					t.Errorf("%s is named %+v", l.Kind, l)
				}
			}
			var ops []trace.Operation
			for i, kind := range p.Close {
				o, _ := c.Operation(kind)
				at := b.Began.Add(time.Duration(i+1) * time.Hour)
				if o.Lasting {
					at = b.Began.AddDate(-3, 0, 0)
				}
				ops = append(ops, add(t, s, told(c, kind, at)))
				if i+1 < len(p.Close) {
					if got := kindsOf(incomplete(t, s, b)); !slices.Equal(got, p.Close[i+1:]) {
						t.Fatalf("after %s: missing %v", kind, got)
					}
				}
			}
			// Taken back, the last is missing again.
			void := trace.Operation{ID: ulid.Make().String(), Tenant: "maowei", Site: "raft-1", Kind: catalog.Void, At: noon, Person: "wei", Corrects: ops[len(ops)-1].ID, Items: []trace.Item{{Key: "reason", Value: "误记"}}}
			add(t, s, void)
			if got := kindsOf(incomplete(t, s, b)); !slices.Equal(got, p.Close[len(p.Close)-1:]) {
				t.Fatalf("after taking it back: missing %v", got)
			}
			add(t, s, told(c, p.Close[len(p.Close)-1], b.Began.Add(24*time.Hour)))
			public := closedPublic(t, m, s, b)
			if first := public.Operations[0]; first.Kind != p.Close[0] || first.At.After(b.Began) {
				t.Errorf("the page begins with %s of %v", first.Kind, first.At)
			}
		})
	}
}

// openAfterExit opens a batch; of animals that leave with a certificate, after they
// have left, which is taken back then.
func openAfterExit(t *testing.T, s *trace.Service, p catalog.Product) trace.Batch {
	t.Helper()
	if !slices.Contains(p.Operations, "exit") {
		return openBatch(t, s)
	}
	exit := add(t, s, told(s.Catalogs.Current(), "exit", batch().Began.Add(time.Minute)))
	b := openBatch(t, s)
	add(t, s, trace.Operation{ID: ulid.Make().String(), Tenant: "maowei", Site: "raft-1", Kind: catalog.Void, At: noon, Person: "wei", Corrects: exit.ID, Items: []trace.Item{{Key: "reason", Value: "误记"}}})
	return b
}

// Of what lasts, the newest before the batch counts, and none where there is one
// since; what does not last counts only in the growing time.
func TestWhatLasts(t *testing.T) {
	m, s, c := growing(t, "fish")
	b := openBatch(t, s)
	add(t, s, told(c, "stock", b.Began.AddDate(-2, 0, 0)))
	newest := add(t, s, told(c, "stock", b.Began.AddDate(-1, 0, 0)))
	add(t, s, told(c, "feed", b.Began.AddDate(0, 0, -1)))
	add(t, s, told(c, "water", b.Began.Add(time.Hour)))
	add(t, s, told(c, "catch", b.Harvest))
	if got := kindsOf(incomplete(t, s, b)); !slices.Equal(got, []string{"feed"}) {
		t.Fatalf("missing %v: feed of before counts", got)
	}
	add(t, s, told(c, "feed", b.Began.Add(time.Hour)))
	public := closedPublic(t, m, s, b)
	var stocked []string
	for _, op := range public.Operations {
		if op.Kind == "stock" {
			stocked = append(stocked, op.ID)
		}
	}
	if !slices.Equal(stocked, []string{newest.ID}) {
		t.Errorf("stockings on the page: %v", stocked)
	}
}

// What was recorded under a catalog that demanded less is named with its items, to be
// corrected.
func TestRecordsOfAnEarlierCatalog(t *testing.T) {
	m, s, c := growing(t, "fish")
	b := openBatch(t, s)
	add(t, s, told(c, "stock", b.Began.Add(time.Hour)))
	old := add(t, s, told(c, "feed", b.Began.Add(time.Hour)))
	add(t, s, told(c, "water", b.Began.Add(time.Hour)))
	add(t, s, told(c, "catch", b.Harvest))
	doc := strings.Replace(string(catalog.Shipped()), "required: [product, quantity], stated: [maker, lot]", "required: [product, quantity, method], stated: [maker, lot]", 1)
	doc = strings.Replace(doc, "wanted: [method, start, stop, registration]", "wanted: [start, stop, registration]", 1)
	newer, err := catalog.Parse([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	newer.Version = 2
	s.Catalogs = shelf{newer}
	lacking := incomplete(t, s, b)
	if len(lacking) != 1 || lacking[0].Operation != old.ID || len(lacking[0].Items) != 1 || lacking[0].Items[0].Key != "method" {
		t.Fatalf("missing %+v", lacking)
	}
	better := told(newer, "feed", old.At)
	better.Corrects = old.ID
	add(t, s, better)
	closedPublic(t, m, s, b)
}

func incomplete(t *testing.T, s *trace.Service, b trace.Batch) []trace.Missing {
	t.Helper()
	_, err := s.CloseBatch(t.Context(), b.ID)
	var lacking *trace.IncompleteError
	if !errors.As(err, &lacking) || lacking.Site != b.Site {
		t.Fatalf("closing: %v", err)
	}
	return lacking.Missing
}

func kindsOf(all []trace.Missing) (kinds []string) {
	for _, m := range all {
		kinds = append(kinds, m.Kind)
	}
	return kinds
}

func closedPublic(t *testing.T, m *memory, s *trace.Service, b trace.Batch) trace.PublicRecord {
	t.Helper()
	closed, err := s.CloseBatch(t.Context(), b.ID)
	if err != nil {
		t.Fatal(err)
	}
	rec, err := m.RecordByCode(t.Context(), closed.Code)
	if err != nil {
		t.Fatal(err)
	}
	public, err := trace.ParsePublicRecord(rec.Body)
	if err != nil {
		t.Fatal(err)
	}
	return public
}
