package api_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"tianhai/farm"
	"tianhai/trace/catalog"
)

// A shelf keeps versions of the catalog in memory.
type shelf struct{ all []catalog.Version }

func (s *shelf) AddCatalog(_ context.Context, v catalog.Version, _ []catalog.Product) error {
	s.all = append(s.all, v)
	return nil
}

func (s *shelf) CatalogVersion(_ context.Context, n int) (catalog.Version, error) {
	if n == 0 {
		n = len(s.all)
	}
	if n < 1 || n > len(s.all) {
		return catalog.Version{}, farm.ErrNotFound
	}
	return s.all[n-1], nil
}

func (s *shelf) CatalogVersions(context.Context) ([]catalog.Version, error) { return s.all, nil }

func library(t testing.TB) *catalog.Library {
	t.Helper()
	l, err := catalog.Open(t.Context(), &shelf{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// An administrator adds a product, and it is there for everybody.
func TestCatalog(t *testing.T) {
	base, _ := serve(t, newWorld())
	admin, farmer := client{t, base, "admin"}, client{t, base, "farmer"}
	var got catalog.Catalog
	farmer.do("GET", "/catalog", "").decode(t, &got)
	want(t, "shipped products", 12, len(got.Products))
	want(t, "version", 1, got.Version)

	doc := strings.Replace(string(catalog.Shipped()), "products:\n", "products:\n  - {id: mango, group: fruit, name: {zh: 芒果, en: Mango}, sites: [orchard], operations: [plant, harvest]}\n", 1)
	want(t, "saved", 200, admin.do("PUT", "/catalog", `{"base":1,"doc":`+quoted(doc)+`}`).status)
	want(t, "edited by another meanwhile", 409, admin.do("PUT", "/catalog", `{"base":1,"doc":`+quoted(doc+"\n")+`}`).status)
	farmer.do("GET", "/catalog", "").decode(t, &got)
	_, known := got.Product("mango")
	want(t, "the new product is there", true, known)
	farmer.do("GET", "/catalog?version=1", "").decode(t, &got)
	want(t, "the version before it", 12, len(got.Products))
	want(t, "a version that never was", 404, farmer.do("GET", "/catalog?version=9", "").status)
	want(t, "no version", "version", farmer.do("GET", "/catalog?version=x", "").problem(t).Field)

	p := admin.do("PUT", "/catalog", `{"doc":`+quoted(strings.Replace(doc, "type: text", "type: tex", 1))+`}`).problem(t)
	want(t, "field of a fault", "doc", p.Field)
	line := strings.Count(doc[:strings.Index(doc, "key: note")], "\n") + 1
	want(t, "its line", true, strings.Contains(p.Detail, fmt.Sprintf("line %d: note: type", line)))
	want(t, "document", true, strings.Contains(admin.do("GET", "/catalog/document", "").body, "芒果"))
}

func TestOutbox(t *testing.T) {
	w := newWorld()
	base, _ := serve(t, w)
	c := client{t, base, "farmer"}
	op := func(n int, site, kind string) string {
		return fmt.Sprintf(`{"site":%q,"id":"01JZ000000000000000000%04d","kind":%q,"at":"2026-07-01T03:00:00Z"}`, site, n, kind)
	}
	send := func(ops ...string) []string {
		var out struct {
			Outcomes []struct {
				ID, Outcome string
				Problem     struct{ Code, Field, Title string }
			}
		}
		a := c.do("POST", "/operations", `{"operations":[`+strings.Join(ops, ",")+`]}`)
		want(t, "status", http.StatusOK, a.status)
		a.decode(t, &out)
		var words []string
		for _, o := range out.Outcomes {
			words = append(words, strings.TrimSpace(o.Outcome+" "+o.Problem.Code+" "+o.Problem.Field))
			if (o.Problem.Code == "") != (o.Problem.Title == "") {
				t.Errorf("problem %+v has no title", o.Problem)
			}
		}
		return words
	}
	ops := []string{
		op(1, "raft-1", "feed"), op(2, "raft-1", ""), op(1, "raft-1", "feed"), op(1, "raft-1", "spray"),
		op(3, "garden-1", "feed"), op(4, "nowhere", "feed"), `{"site":"raft-1","dosage":1}`, `7`, `{"site":"raft-1","kind":"feed\u0000"}`, op(5, "raft-1", "feed"),
	}
	wanted := "created; refused invalid kind; exists; refused conflict; refused not_found; refused not_found; refused invalid dosage; refused bad_json; refused invalid; created"
	want(t, "outcomes", wanted, strings.Join(send(ops...), "; "))
	want(t, "sent again", strings.ReplaceAll(wanted, "created", "exists"), strings.Join(send(ops...), "; "))
	want(t, "kept", 2, w.writes())

	w.mute = context.DeadlineExceeded
	want(t, "while the records do not answer", "failed timeout; failed timeout", strings.Join(send(op(6, "raft-1", "feed"), op(7, "raft-1", "feed")), "; "))
	w.mute = nil
	want(t, "afterwards", "created; created", strings.Join(send(op(6, "raft-1", "feed"), op(7, "raft-1", "feed")), "; "))

	want(t, "none", "operations", c.do("POST", "/operations", `{"operations":[]}`).problem(t).Field)
	want(t, "too many", "operations", c.do("POST", "/operations", `{"operations":[`+strings.Repeat("{},", 500)+`{}]}`).problem(t).Field)
}
