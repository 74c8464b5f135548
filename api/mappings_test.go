package api_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"tianhai/farm"
	"tianhai/ingest/mapping"
)

func (w *world) AddMapping(_ context.Context, v mapping.Version) error {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return err
	}
	w.wrote++
	w.mappings = append(w.mappings, v)
	return nil
}

func (w *world) Mappings(context.Context) ([]mapping.Version, error) {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return nil, err
	}
	newest := map[string]mapping.Version{}
	for _, v := range w.mappings {
		newest[v.Name] = v
	}
	var all []mapping.Version
	for _, v := range newest {
		all = append(all, v)
	}
	slices.SortFunc(all, func(a, b mapping.Version) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

func (w *world) MappingVersions(_ context.Context, name string) ([]mapping.Version, error) {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return nil, err
	}
	all := slices.DeleteFunc(slices.Clone(w.mappings), func(v mapping.Version) bool { return v.Name != name })
	if len(all) == 0 {
		return nil, farm.ErrNotFound
	}
	return all, nil
}

func quoted(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

const docA, docB = "channels: [{channel: a, path: a}]", "channels: [{channel: b, path: b}]"

func TestMappings(t *testing.T) {
	base, _ := serve(t, newWorld())
	c := client{t, base, "admin"}
	want(t, "none", `{"mappings":[]}`, c.do("GET", "/mappings", "").body)
	want(t, "versions of none", 404, c.do("GET", "/mappings/station", "").status)
	want(t, "deleting none", 404, c.do("DELETE", "/mappings/station", "").status)
	const first = `{"name":"station","version":1,"doc":"` + docA + `","account":"admin","created":"2026-07-01T04:00:00Z"}`
	want(t, "saved", first, c.do("POST", "/mappings", `{"name":"station","doc":"`+docA+`"}`).body)
	want(t, "listed", `{"mappings":[`+first+`]}`, c.do("GET", "/mappings", "").body)
	want(t, "the same again", first, c.do("POST", "/mappings", `{"name":"station","doc":"`+docA+`"}`).body)
	second := strings.NewReplacer(docA, docB, `"version":1`, `"version":2`).Replace(first)
	want(t, "edited", second, c.do("POST", "/mappings", `{"name":"station","doc":"`+docB+`","base":1}`).body)
	want(t, "edited by another meanwhile", 409, c.do("POST", "/mappings", `{"name":"station","doc":"`+docA+`","base":1}`).status)
	want(t, "versions", `{"name":"station","versions":[`+second+`,`+first+`]}`, c.do("GET", "/mappings/station", "").body)
	want(t, "deleted", 204, c.do("DELETE", "/mappings/station", "").status)
	want(t, "deleted again", 404, c.do("DELETE", "/mappings/station", "").status)
	want(t, "none any more", `{"mappings":[]}`, c.do("GET", "/mappings", "").body)
	want(t, "its history", true, strings.Contains(c.do("GET", "/mappings/station", "").body, `"version":3,"doc":"","deleted":true`))
	want(t, "saved again", true, strings.Contains(c.do("POST", "/mappings", `{"name":"station","doc":"`+docA+`"}`).body, `"version":4`))
}

func TestMappingFaults(t *testing.T) {
	w := newWorld()
	base, _ := serve(t, w)
	c := client{t, base, "admin"}
	for body, wants := range map[string]string{
		`{"name":"Station","doc":"` + docA + `"}`:                        `"field":"name"`,
		`{"name":"station"}`:                                             `"field":"doc"`,
		`{"name":"station","doc":"channels:\n  - {channel: a}\n"}`:       `line 2: channels[0].path`,
		`{"name":"station","doc":"channels:\n  - {chanel: a}\n"}`:        `line 2: unknown field`,
		`{"name":"station","doc":"` + docA + `","version":7}`:            `"field":"version"`,
		`{"name":"station","doc":"` + strings.Repeat("#", 65<<10) + `"}`: `larger than`,
	} {
		a := c.do("POST", "/mappings", body)
		if a.status != 400 || !strings.Contains(a.body, wants) {
			t.Errorf("%.80s: %d %s, want %s", body, a.status, a.body, wants)
		}
	}
	want(t, "written", 0, w.writes())
}

// What is tried is read as it would be, and nothing of it is kept.
func TestTryMapping(t *testing.T) {
	w := newWorld()
	base, _ := serve(t, w)
	c := client{t, base, "admin"}
	const doc = `{time: {path: at, format: unix}, channels: [{channel: t, path: temp, scale: 0.5, unit: Cel}, {channel: x, path: x, optional: true}]}`
	try := func(doc, sample, model string) string {
		a := c.do("POST", "/mappings/try", `{"doc":`+quoted(doc)+`,"sample":`+quoted(sample)+`,"model":`+quoted(model)+`}`)
		want(t, "status", 200, a.status)
		return a.body
	}
	want(t, "with a model", `{"readings":[{"channel":"t","time":"2026-07-01T03:00:00Z","number":24.5,"number_unit":"Cel","quantity":"water.temperature","value":24.5,"unit":"Cel"},`+
		`{"channel":"x","time":"2026-07-01T03:00:00Z","number":1,"problem":"unknown channel \"x\""}]}`, try(doc, `{"at":1782874800,"temp":49,"x":1}`, "pond"))
	want(t, "without", `{"readings":[{"channel":"t","time":"2026-07-01T03:00:00Z","number":24.5,"number_unit":"Cel"}]}`, try(doc, `{"at":1782874800,"temp":49}`, ""))
	want(t, "time from afar", true, strings.Contains(try(doc, `{"at":4102444800,"temp":49}`, "pond"), `"time":"2026-07-01T04:00:00Z","server_time":true`))
	want(t, "missing", true, strings.Contains(try(doc, `{"at":1782874800,"temp":null}`, "pond"), `"missing":true,"quantity":"water.temperature","unit":"Cel"}`))
	want(t, "a fault of the sample", `{"readings":[],"fault":{"in":"sample","line":2,"column":10,"byte":11,"member":"temp","message":"text, expected a number; numbers in quotes need \"quoted: true\""}}`,
		try(doc, "{\n\"temp\" : \"warm\",\"at\":1}", "pond"))
	want(t, "a fault of the mapping", `{"readings":[],"fault":{"in":"doc","line":1,"key":"channels[0].path","message":"empty path"}}`, try("channels: [{channel: a}]", `{}`, ""))
	want(t, "an unknown model", 400, c.do("POST", "/mappings/try", `{"doc":"","sample":"","model":"nix"}`).status)
	want(t, "written", 0, w.writes())
}
