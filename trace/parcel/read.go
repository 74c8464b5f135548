package parcel

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"tianhai/trace"
	"tianhai/trace/catalog"
	"tianhai/trace/recall"
	"tianhai/trace/unit"
)

// An entry is a record as both files need it.
type entry struct {
	rec   trace.Record
	stage string
	name  string // of its kind, in Chinese
	codes []string
	site  string // its name
	at    time.Time
	cells map[string]string // by the code name of the column
}

// reader makes entries of records.
type reader struct {
	source   Source
	catalogs Catalogs
	codes    map[string][]string // of batches, by operation
	names    map[string]string   // of sites
	dict     dictionary
}

// entry reads a record's sealed body, whatever its kind: what it does not know is
// shown as it is, and nothing is left out.
func (r *reader) entry(ctx context.Context, rec trace.Record) (entry, error) {
	body, err := disclosed(rec)
	if err != nil {
		return entry{}, err
	}
	e := entry{rec: rec, at: rec.At, cells: map[string]string{}}
	for _, key := range []string{"movement", "what"} {
		if inner, ok := body[key].(map[string]any); ok {
			delete(body, key)
			maps.Copy(body, inner)
		}
	}
	for _, key := range []string{"at", "issued", "decided", "recorded"} {
		if s, ok := body[key].(string); ok {
			if t, err := time.Parse(time.RFC3339, s); err == nil {
				e.at = t
				break
			}
		}
	}
	site, _ := body["site"].(string)
	e.site = r.names[site]
	if e.site == "" {
		e.site = site
	}
	if rec.Kind == trace.OperationRecord {
		return e, r.operation(ctx, &e, body)
	}
	e.stage, e.name = stageOf(rec.Kind, body)
	if err := r.batches(ctx, &e, body); err != nil {
		return e, err
	}
	if rec.Kind == trace.BatchRecord {
		r.shorten(body)
	}
	for _, known := range []string{"v", "tenant", "site", "personal", "code", "at", "recorded"} {
		delete(body, known)
	}
	r.measure(body)
	r.name(rec.Kind, body)
	for key, v := range body {
		if text := r.words(v); text != "" {
			e.cells[key] = text
		}
	}
	return e, nil
}

// disclosed returns the body with the personal data in it that were not erased. Each
// must be what the body commits to.
func disclosed(rec trace.Record) (map[string]any, error) {
	var body map[string]any
	d := json.NewDecoder(bytes.NewReader(rec.Body))
	d.UseNumber()
	if err := d.Decode(&body); err != nil {
		return nil, fmt.Errorf("read body: %w", err)
	}
	at := body
	if inner, ok := body["movement"].(map[string]any); ok {
		at = inner
	}
	for _, p := range rec.Personal {
		if !bytes.Contains(rec.Body, []byte(p.Commitment())) {
			return nil, fmt.Errorf("%s is not what it commits to", p.Path)
		}
		put(at, strings.Split(p.Path, "."), p.Text)
	}
	return body, nil
}

// put writes a text under a path, whose parts are names such as "name" and "items[2]".
func put(at map[string]any, path []string, text string) {
	for i, part := range path {
		if i == len(path)-1 {
			at[part] = text
			return
		}
		name, index, indexed := strings.Cut(strings.TrimSuffix(part, "]"), "[")
		var next map[string]any
		if indexed {
			all, _ := at[name].([]any)
			if n, err := strconv.Atoi(index); err == nil && n >= 0 && n < len(all) {
				next, _ = all[n].(map[string]any)
			}
			if next == nil {
				return
			}
		} else if next, _ = at[name].(map[string]any); next == nil {
			next = map[string]any{}
			at[name] = next
		}
		at = next
	}
}

// operation reads the items by the catalog that they were checked against.
func (r *reader) operation(ctx context.Context, e *entry, body map[string]any) error {
	e.codes = r.codes[e.rec.Subject]
	version := 0
	if n, ok := body["catalog"].(json.Number); ok {
		v, err := n.Int64()
		if err != nil {
			return err
		}
		version = int(v)
	}
	c := r.catalogs.Current()
	if version > 0 {
		at, err := r.catalogs.At(ctx, version)
		if err != nil {
			return fmt.Errorf("catalog %d: %w", version, err)
		}
		c = at
	}
	kind, _ := body["kind"].(string)
	op, known := c.Operation(kind)
	e.name, e.stage = op.Name.Zh, sheetOfStage(op.Stage)
	if !known {
		e.name, e.stage = kind, otherSheet
	}
	e.cells["kind"] = kind
	if s, ok := body["corrects"].(string); ok {
		e.cells["corrects"] = s
	}
	if far, _ := body["far"].(bool); far {
		e.cells["far"] = "是"
	}
	if v := r.words(body["overrides"]); v != "" {
		e.cells["overrides"] = v
	}
	items, _ := body["items"].([]any)
	for _, raw := range items {
		item, _ := raw.(map[string]any)
		key, text := r.itemWords(c, item)
		if old := e.cells[key]; old != "" && key != "kind" {
			text = old + "；" + text
		}
		e.cells[key] = text
	}
	return nil
}

// itemWords returns an item's key and what its value is in words.
func (r *reader) itemWords(c *catalog.Catalog, item map[string]any) (key, text string) {
	key, _ = item["key"].(string)
	text, _ = item["value"].(string)
	if text == "" && item["commitment"] != nil {
		return key, "（已删除）"
	}
	k, _ := c.Item(key)
	for _, choice := range k.Choices {
		if choice.Key == text {
			text = choice.Name.Zh
		}
	}
	if unit, _ := item["unit"].(string); unit != "" {
		text += " " + r.dict.unit(unit)
	}
	return key, text
}

// batches finds the codes of the batches that a body names.
func (r *reader) batches(ctx context.Context, e *entry, body map[string]any) error {
	if e.rec.Code != "" {
		e.codes = []string{e.rec.Code}
		return nil
	}
	var ids []string
	add := func(v any) {
		if s, ok := v.(string); ok && len(s) == 26 && !slices.Contains(ids, s) {
			ids = append(ids, s)
		}
	}
	add(body["batch"])
	for _, key := range []string{"batches", "inputs", "outputs", "holdings"} {
		all, _ := body[key].([]any)
		for _, v := range all {
			if m, ok := v.(map[string]any); ok {
				v = m["batch"]
			}
			add(v)
		}
	}
	if e.rec.Kind == trace.LotRecord || len(ids) == 0 { // a lot's batch is its maker's
		return nil
	}
	goods, err := r.source.Goods(ctx, ids)
	for _, g := range goods {
		if g.Code != "" {
			e.codes = append(e.codes, g.Code)
		}
	}
	return err
}

// shorten leaves of a batch's public record what a row has room for; the whole is in
// the JSON document.
func (r *reader) shorten(body map[string]any) {
	ops, _ := body["operations"].([]any)
	if body["operations"] = nil; len(ops) > 0 {
		body["operations"] = strconv.Itoa(len(ops))
	}
	if seen, ok := body["evidence"].(map[string]any); ok {
		series, _ := seen["series"].([]any)
		var names []string
		for _, s := range series {
			if m, ok := s.(map[string]any); ok {
				names = append(names, fmt.Sprintf("%s %v～%v %s", r.dict.called("quantity.", m["quantity"]), m["min"], m["max"], r.dict.unit(m["unit"])))
			}
		}
		body["evidence"] = strings.Join(names, "；")
	}
	for _, key := range []string{"words", "kin"} {
		delete(body, key)
	}
}

// measure joins a quantity with its unit.
func (r *reader) measure(body map[string]any) {
	n, ok := body["quantity"].(json.Number)
	unit, has := body["unit"].(string)
	if ok && has {
		body["quantity"] = n.String() + " " + r.dict.unit(unit)
		delete(body, "unit")
	}
}

// name puts codes of a body into words: of which kind it is, and what it says by one.
func (r *reader) name(kind string, body map[string]any) {
	of := map[string]string{trace.MovementRecord: "chain.kind.", unit.StepRecord: "manage.roll.did.", recall.RecordKind: "recall.step_kind."}[kind]
	if body["kind"] != nil && of != "" {
		body["kind"] = r.dict.called(of, body["kind"])
	}
	if origin, ok := body["origin"].(map[string]any); ok && origin["kind"] != nil {
		origin["kind"] = r.dict.called("site_kind.", origin["kind"])
	}
	if body["style"] != nil {
		body["style"] = r.dict.called("manage.certificate.style_", body["style"])
	}
	all, _ := body["basis"].([]any)
	for i := range all {
		all[i] = r.dict.called("certificate.basis.", all[i])
	}
}

// A dictionary has the Chinese of a key of i18n; "" where there is none. Nil has none.
type dictionary func(key string) string

// called returns the word for a code, or the code where there is none.
func (d dictionary) called(of string, code any) string {
	text, _ := code.(string)
	if d != nil {
		if word := d(of + text); word != "" {
			return word
		}
	}
	return text
}

// unit writes a UCUM unit as people do: mL/[mu_chn] is 毫升/亩.
func (d dictionary) unit(ucum any) string {
	text, _ := ucum.(string)
	parts := strings.Split(text, "/")
	for i, part := range parts {
		word := part
		if i > 0 {
			word = d.called("unit.per.", part)
		}
		if word == part {
			word = d.called("unit.", part)
		}
		parts[i] = strings.Trim(word, "{}")
	}
	return strings.Join(parts, "/")
}

// words writes a JSON value as people read it: times in Beijing, texts in Chinese,
// lists with commas.
func (r *reader) words(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		if t, err := time.Parse(time.RFC3339, v); err == nil {
			return clock(t)
		}
		return v
	case bool:
		if v {
			return "是"
		}
		return "否"
	case json.Number:
		return v.String()
	case []any:
		return r.listWords(v)
	case map[string]any:
		return r.objectWords(v)
	}
	return fmt.Sprint(v)
}

func (r *reader) listWords(all []any) string {
	parts := make([]string, 0, len(all))
	between := "、"
	for _, v := range all {
		if _, ok := v.(map[string]any); ok {
			between = "；"
		}
		parts = append(parts, r.words(v))
	}
	return strings.Join(parts, between)
}

func (r *reader) objectWords(m map[string]any) string {
	if zh, ok := m["zh"].(string); ok {
		return zh
	}
	if unit, ok := m["unit"].(string); ok && len(m) == 2 && m["quantity"] != nil {
		return r.words(m["quantity"]) + " " + r.dict.unit(unit)
	}
	if name := r.words(m["name"]); name != "" && (m["id"] != nil || len(m) == 1) { // of what has one, the ID says no more
		return name
	}
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(m)) {
		if text := r.words(m[key]); text != "" {
			parts = append(parts, heading(key)+" "+text)
		}
	}
	return strings.Join(parts, "，")
}

func clock(t time.Time) string { return t.In(beijing()).Format("2006-01-02 15:04") }
