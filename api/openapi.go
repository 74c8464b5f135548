package api

import (
	"encoding/json"
	"net/http"
	"reflect"
	"regexp"
	"strings"

	"github.com/gin-gonic/gin"

	"tianhai/table"
)

// describe answers with the OpenAPI 3.1 description of every route.
func (s *server) describe(c *gin.Context) error {
	doc, err := s.openapi()
	if err != nil {
		return err
	}
	c.Data(http.StatusOK, "application/json", doc)
	return nil
}

// pathParam matches a parameter as gin writes it.
func pathParam() *regexp.Regexp { return regexp.MustCompile(`:(\w+)`) }

// openapi describes the routes, as OpenAPI 3.1.
//
// Source: OpenAPI Specification 3.1.1.
func openapi(routes []route) ([]byte, error) {
	named := map[string]schema{}
	out, in := schemas{named: named}, schemas{named: named, input: true}
	paths := map[string]map[string]any{}
	param := pathParam()
	for _, r := range routes {
		p := param.ReplaceAllString(r.path, "{$1}")
		if paths[p] == nil {
			paths[p] = map[string]any{}
		}
		paths[p][strings.ToLower(r.method)] = operation(r, out, in)
	}
	paths["/ingest"] = map[string]any{"post": ingestOperation()}
	problem := out.of(reflect.TypeFor[problem]())
	named["api.problem"]["properties"].(map[string]schema)["code"] = schema{"type": "string", "enum": problemCodes()}
	return json.Marshal(map[string]any{
		"openapi": "3.1.0",
		"info": map[string]any{
			"title": "Tianhai", "version": "1",
			"description": "Times are RFC 3339. Errors are application/problem+json with a stable code. docs/api.md says what holds for every route.",
			"license":     map[string]string{"name": "Apache-2.0", "identifier": "Apache-2.0"},
		},
		"jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
		"servers":           []any{map[string]string{"url": prefix}},
		"paths":             paths,
		"components": map[string]any{
			"schemas": named,
			"responses": map[string]any{"problem": map[string]any{
				"description": "It was not done, and why.",
				"content":     map[string]any{"application/problem+json": map[string]any{"schema": problem}},
			}},
			"securitySchemes": map[string]any{
				"session": map[string]string{"type": "apiKey", "in": "cookie", "name": CookieName},
				"device":  map[string]string{"type": "http", "scheme": "basic", "description": "a device's ID and secret"},
			},
		},
		"security": []any{map[string][]string{"session": {}}},
	})
}

// operation describes one route.
func operation(r route, out, in schemas) map[string]any {
	op := map[string]any{
		"summary":   r.about,
		"responses": map[string]any{"2XX": success(r, out), "default": map[string]string{"$ref": "#/components/responses/problem"}},
	}
	if r.list != "" {
		op["x-list"] = r.list
	}
	if r.open {
		op["security"] = []any{}
	}
	if params := parameters(r); len(params) > 0 {
		op["parameters"] = params
	}
	content := map[string]any{}
	if r.takes != nil && r.takes != typeOf[none]() {
		content["application/json"] = map[string]any{"schema": in.of(r.takes)}
	}
	for _, m := range r.files {
		content[m] = map[string]any{}
	}
	if len(content) > 0 {
		op["requestBody"] = map[string]any{"content": content, "required": true}
	}
	return op
}

func success(r route, out schemas) map[string]any {
	content := map[string]any{}
	var of []schema
	for _, t := range r.gives {
		if t != typeOf[none]() {
			of = append(of, out.of(t))
		}
	}
	switch {
	case r.list != "":
		items := any(of[0])
		if len(of) > 1 {
			items = schema{"anyOf": of}
		}
		members := map[string]any{
			r.list: map[string]any{"type": "array", "items": items},
			"next": map[string]string{"type": "string", "description": "the parameter after of the next page; absent on the last"},
		}
		if r.besides != nil {
			for _, f := range fieldsOf(r.besides) {
				members[f.name] = out.of(f.typ)
			}
		}
		content["application/json"] = map[string]any{"schema": schema{
			"type": "object", "required": []string{r.list}, "additionalProperties": false, "properties": members,
		}}
		content["text/csv"], content[table.XLSXType] = map[string]any{}, map[string]any{}
	case len(of) > 1:
		content["application/json"] = map[string]any{"schema": schema{"anyOf": of}}
	case len(of) > 0:
		content["application/json"] = map[string]any{"schema": of[0]}
	}
	for _, m := range r.media {
		content[m] = map[string]any{}
	}
	answer := map[string]any{"description": "It was done."}
	if r.method == http.MethodGet {
		answer["description"] = "What was asked for."
	}
	if len(content) > 0 {
		answer["content"] = content
	}
	return answer
}

// parameters describes those of the path and the query, and the headers that count.
func parameters(r route) []any {
	var out []any
	add := func(in, name, about string, required bool) {
		out = append(out, map[string]any{"in": in, "name": name, "description": about, "required": required, "schema": map[string]string{"type": "string"}})
	}
	for _, m := range pathParam().FindAllStringSubmatch(r.path, -1) {
		add("path", m[1], "identifier", true)
	}
	for _, q := range r.query {
		add("query", q.name, q.about, false)
	}
	if r.list != "" {
		add("query", "limit", "items on a page, at most 1000", false)
		add("query", "after", "next of the page before", false)
		add("query", "format", "json, csv or xlsx; the latter two are the whole list", false)
	}
	switch r.method {
	case http.MethodGet:
		add("header", "If-None-Match", "ETag of an answer from before: 304 where it is still the same", false)
	case http.MethodPost:
		add("header", idempotencyHeader, "16 to 128 characters that nobody can guess; the same again is answered as before", false)
	default:
		if r.guards != alone {
			add("header", "If-Match", "ETag of what was edited: 412 where somebody has changed it since", false)
		}
	}
	return out
}

// ingestOperation describes the one route that stands apart: what devices send by
// HTTP goes to package ingest, and asks for the device's secret itself.
func ingestOperation() map[string]any {
	kept := map[string]any{"application/json": map[string]any{"schema": schema{"type": "object"}}}
	return map[string]any{
		"summary":     "Takes payloads of a device; docs/operations.md.",
		"security":    []any{map[string][]string{"device": {}}},
		"requestBody": map[string]any{"required": true, "content": map[string]any{"application/json": map[string]any{}, "application/x-ndjson": map[string]any{}, "application/octet-stream": map[string]any{}}},
		"responses":   map[string]any{"204": map[string]string{"description": "Every frame is kept."}, "default": map[string]any{"description": "How many were kept, and why no more.", "content": kept}},
	}
}
