package api_test

import (
	"bytes"
	"encoding/json"
	"mime"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"tianhai/api"
)

// A description is /openapi.json as the tests need it.
type description struct {
	doc     map[string]any
	mu      sync.Mutex // guards what is below
	schemas *jsonschema.Compiler
	made    map[string]*jsonschema.Schema
}

// ginParam matches a parameter as gin writes it.
var ginParam = regexp.MustCompile(`:(\w+)`)

const specURL = "https://tianhai.example/openapi.json"

// spec returns the description, read once. It does not depend on the world.
var spec = sync.OnceValues(func() (*description, error) {
	rec := httptest.NewRecorder()
	api.New(api.Config{}).ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/api/v1/openapi.json", nil))
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(rec.Body.Bytes()))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	if err := c.AddResource(specURL, doc); err != nil {
		return nil, err
	}
	return &description{doc: doc.(map[string]any), schemas: c, made: map[string]*jsonschema.Schema{}}, nil
})

func specOf(t testing.TB) *description {
	t.Helper()
	d, err := spec()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// at returns what stands at a place of the document; nil where nothing does.
func (d *description) at(keys ...string) any {
	var v any = d.doc
	for _, k := range keys {
		m, _ := v.(map[string]any)
		v = m[k]
	}
	return v
}

// check holds JSON against the schema at a place.
func (d *description) check(t testing.TB, raw string, keys ...string) {
	t.Helper()
	pointer := "#"
	for _, k := range keys {
		pointer += "/" + strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(k)
	}
	d.mu.Lock()
	s, known := d.made[pointer]
	if !known {
		var err error
		if s, err = d.schemas.Compile(specURL + pointer); err != nil {
			d.mu.Unlock()
			t.Fatal(err)
		}
		d.made[pointer] = s
	}
	d.mu.Unlock()
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(raw))
	if err != nil {
		t.Errorf("%v in %s", err, raw)
		return
	}
	if err := s.Validate(v); err != nil {
		t.Errorf("%s is not as /openapi.json says: %v", raw, err)
	}
}

// pathOf returns the described path that a request's is one of: "" where there is
// none. Fixed parts count before parameters.
func (d *description) pathOf(path string) string {
	parts, best := strings.Split(path, "/"), ""
	for p := range d.at("paths").(map[string]any) {
		pattern := strings.Split(p, "/")
		fits := len(pattern) == len(parts)
		for i := 0; fits && i < len(parts); i++ {
			fits = pattern[i] == parts[i] || strings.HasPrefix(pattern[i], "{")
		}
		if fits && (best == "" || strings.Count(p, "{") < strings.Count(best, "{")) {
			best = p
		}
	}
	return best
}

// described holds a request and its answer against the description. Every request of
// these tests passes here.
func described(t testing.TB, req *http.Request, body string, a answer) {
	t.Helper()
	d := specOf(t)
	media, _, _ := mime.ParseMediaType(a.header.Get("Content-Type"))
	if media == "application/problem+json" {
		d.check(t, a.body, "components", "responses", "problem", "content", media, "schema")
		return
	}
	path, method := d.pathOf(strings.TrimPrefix(req.URL.Path, "/api/v1")), strings.ToLower(req.Method)
	if d.at("paths", path, method) == nil || a.status >= 300 {
		return
	}
	sent, _, _ := mime.ParseMediaType(req.Header.Get("Content-Type"))
	if body != "" && sent == "application/json" && d.at("paths", path, method, "requestBody", "content", sent, "schema") != nil {
		d.check(t, body, "paths", path, method, "requestBody", "content", sent, "schema")
	}
	if a.body == "" && media == "" {
		return
	}
	if d.at("paths", path, method, "responses", "2XX", "content", media) == nil {
		t.Errorf("%s %s answers with %q, which /openapi.json does not say", req.Method, path, media)
	} else if media == "application/json" {
		d.check(t, a.body, "paths", path, method, "responses", "2XX", "content", media, "schema")
	}
}

// lists returns the routes that are lists, with the member that holds the items.
func (d *description) lists() map[string]string {
	out := map[string]string{}
	for path := range d.at("paths").(map[string]any) {
		if name, ok := d.at("paths", path, "get", "x-list").(string); ok {
			out[path] = name
		}
	}
	return out
}

// Every route is described in a sentence, and nothing else is.
func TestDescriptionKnowsEveryRoute(t *testing.T) {
	d := specOf(t)
	described := map[string]bool{"POST /ingest": true}
	for _, r := range handler(t, newWorld(), &api.Hub{}).(*gin.Engine).Routes() {
		path := ginParam.ReplaceAllString(strings.TrimPrefix(r.Path, "/api/v1"), "{$1}")
		summary, _ := d.at("paths", path, strings.ToLower(r.Method), "summary").(string)
		if !strings.HasSuffix(summary, ".") {
			t.Errorf("%s %s says of itself %q; want a sentence", r.Method, path, summary)
		}
		described[r.Method+" "+path] = true
	}
	for path, ops := range d.at("paths").(map[string]any) {
		for method := range ops.(map[string]any) {
			if !described[strings.ToUpper(method)+" "+path] {
				t.Errorf("%s %s is described and is no route", method, path)
			}
		}
	}
}

// The whole is OpenAPI 3.1 as its own schema says, as far as we use it.
func TestDescriptionIsOpenAPI(t *testing.T) {
	raw, err := json.Marshal(specOf(t).doc)
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	shape, err := jsonschema.UnmarshalJSON(strings.NewReader(openapiShape))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.AddResource("https://tianhai.example/shape", shape); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("https://tianhai.example/shape")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Validate(doc); err != nil {
		t.Error(err)
	}
}

// openapiShape is what OpenAPI 3.1.1 § 4.8 demands of the objects that we write.
const openapiShape = `{
 "$schema": "https://json-schema.org/draft/2020-12/schema",
 "type": "object", "required": ["openapi", "info", "paths"],
 "properties": {
  "openapi": {"pattern": "^3\\.1\\."},
  "info": {"required": ["title", "version"], "properties": {"license": {"required": ["name"], "not": {"required": ["identifier", "url"]}}}},
  "paths": {"patternProperties": {"^/": {"propertyNames": {"enum": ["get", "put", "post", "delete", "patch"]}, "additionalProperties": {"$ref": "#/$defs/operation"}}}, "additionalProperties": false},
  "components": {"properties": {"schemas": {"propertyNames": {"pattern": "^[a-zA-Z0-9._-]+$"}}}}
 },
 "$defs": {
  "operation": {"required": ["responses"], "properties": {
   "responses": {"minProperties": 1, "propertyNames": {"pattern": "^([1-5](XX|[0-9][0-9])|default)$"}, "additionalProperties": {"anyOf": [{"required": ["$ref"]}, {"required": ["description"]}]}},
   "requestBody": {"required": ["content"]},
   "parameters": {"items": {"required": ["name", "in", "schema"], "properties": {"in": {"enum": ["query", "path", "header"]}},
     "if": {"properties": {"in": {"const": "path"}}}, "then": {"properties": {"required": {"const": true}}}}}
  }}
 }
}`

// wholes are the answers that hold lists and are one thing all the same.
var wholes = map[string]string{
	"/vocabulary":         "a page needs it whole, and it is short",
	"/catalog":            "one document",
	"/catalog/document":   "one document",
	"/retentions":         "rules with how they came about; there is one a medium",
	"/retentions/preview": "at most one a tenant and medium",
	"/sites/{id}/series":  "has its own measure: points",
	"/sites/{id}/gates":   "every reason, of one act",

	"/gtins/{id}/scan":        "where one scan leads; several only where none is better",
	"/photos/{id}/facts":      "one a tenant",
	"/tenants/{id}/markets":   "a setting",
	"/batches/{id}/genealogy": "one picture",
	"/batches/{id}/addresses": "one a scheme",
	"/operators":              "what matches, a few at most; who searches goes on by typing",
	"/packages/preview":       "a count",
	"/labels/stocks":          "what is known of paper, and it is short",
	"/shipments/{id}/courses": "at most one a logger, of which a shipment has 20",
}

// A route that answers with a list is a listing: it has pages, files and all else.
func TestListsAreListings(t *testing.T) {
	d := specOf(t)
	lists := d.lists()
	for path := range d.at("paths").(map[string]any) {
		if strings.HasSuffix(path, "}") || lists[path] != "" || wholes[path] != "" {
			continue
		}
		s, _ := d.at("paths", path, "get", "responses", "2XX", "content", "application/json", "schema").(map[string]any)
		if ref, ok := s["$ref"].(string); ok {
			s, _ = d.at("components", "schemas", ref[strings.LastIndex(ref, "/")+1:]).(map[string]any)
		}
		members, _ := s["properties"].(map[string]any)
		for name, m := range members {
			types, _ := m.(map[string]any)["type"].([]any)
			if slices.Contains(types, any("array")) {
				t.Errorf("GET %s answers with a list of %s and is no listing: describe it by lists(), or say in wholes why not", path, name)
			}
		}
	}
}
