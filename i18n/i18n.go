// Package i18n holds every sentence a person reads, as flat JSON files shared by
// Go and the web faces. The files beside this one are whole; those in consumer/ say
// only what is read by whoever scans a code. A key that is missing in one language
// fails the tests, which say what to add where.
package i18n

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// Default is the language of whoever does not say.
const Default = "zh-CN"

//go:embed *.json consumer/*.json
var files embed.FS

// A Catalog holds the messages of all languages.
type Catalog struct {
	whole    []string // languages that every face speaks
	partly   []string // languages that only consumers are spoken to in
	messages map[string]map[string]string
}

// Load reads the embedded files. It fails only on a file that is not a flat
// JSON object of strings.
func Load() (*Catalog, error) {
	c := &Catalog{messages: map[string]map[string]string{}}
	for pattern, langs := range map[string]*[]string{"*.json": &c.whole, "consumer/*.json": &c.partly} {
		names, err := fs.Glob(files, pattern)
		if err != nil {
			return nil, fmt.Errorf("list languages: %w", err)
		}
		for _, name := range names {
			raw, err := files.ReadFile(name)
			if err != nil {
				return nil, fmt.Errorf("read %s: %w", name, err)
			}
			m := map[string]string{}
			if err := json.Unmarshal(raw, &m); err != nil {
				return nil, fmt.Errorf("parse %s: %w", name, err)
			}
			lang := strings.TrimSuffix(path.Base(name), ".json")
			*langs = append(*langs, lang)
			c.messages[lang] = m
		}
	}
	return c, nil
}

// Languages lists the languages that every face speaks, as BCP 47 tags, Default first.
func (c *Catalog) Languages() []string {
	out := []string{Default}
	for _, l := range c.whole {
		if l != Default {
			out = append(out, l)
		}
	}
	return out
}

// ConsumerLanguages lists the languages of what consumers see: Languages, then the rest.
func (c *Catalog) ConsumerLanguages() []string { return slices.Concat(c.Languages(), c.partly) }

// ForConsumers tells the keys that whoever scans a code may read, and that therefore
// stand in every one of ConsumerLanguages.
func ForConsumers(key string) bool {
	first, _, _ := strings.Cut(key, ".")
	switch first {
	case "certificate", "chain", "consumer", "language", "product", "quantity", "resolver", "site_kind", "unit":
		return true
	}
	return strings.HasPrefix(key, "problem.gate_")
}

// Keys lists the keys of one language, sorted.
func (c *Catalog) Keys(lang string) []string {
	var keys []string
	for k := range c.messages[lang] {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

// T returns the message under key in lang, in English where lang has none, in
// Chinese where English has none, and the key itself where nobody has one.
// Arguments come as name and value in turn and fill {name}. Where {n} is 1, a
// language may have other words under key.one; English does.
func (c *Catalog) T(lang, key string, args ...string) string {
	msg, ok := c.messages[lang][key]
	for _, other := range []string{"en", Default} {
		if !ok {
			lang = other
			msg, ok = c.messages[lang][key]
		}
	}
	if !ok {
		return key
	}
	for i := 0; i+1 < len(args); i += 2 {
		if one, has := c.messages[lang][key+".one"]; has && args[i] == "n" && args[i+1] == "1" {
			msg = one
		}
	}
	for i := 0; i+1 < len(args); i += 2 {
		msg = strings.ReplaceAll(msg, "{"+args[i]+"}", args[i+1])
	}
	return msg
}

// Match picks the language of a face for somebody who asked for one by name, which
// wins where we have it, or whose browser sent an Accept-Language header.
func (c *Catalog) Match(asked, accept string) string { return match(c.whole, asked, accept) }

// MatchConsumer is Match among ConsumerLanguages.
func (c *Catalog) MatchConsumer(asked, accept string) string {
	return match(c.ConsumerLanguages(), asked, accept)
}

func match(langs []string, asked, accept string) string {
	if l := find(langs, asked); l != "" {
		return l
	}
	best, bestQ := Default, 0.0
	for part := range strings.SplitSeq(accept, ",") {
		tag, params, _ := strings.Cut(strings.TrimSpace(part), ";")
		q := 1.0
		if v, ok := strings.CutPrefix(strings.TrimSpace(params), "q="); ok {
			parsed, err := strconv.ParseFloat(v, 64)
			if err != nil {
				continue
			}
			q = parsed
		}
		if l := find(langs, tag); l != "" && q > bestQ {
			best, bestQ = l, q
		}
	}
	return best
}

// find returns our tag for the asked one, by exact match or by base language, which
// old phones may call by the name it had before.
func find(langs []string, tag string) string {
	tag = strings.ToLower(strings.TrimSpace(tag))
	base, _, _ := strings.Cut(tag, "-")
	switch base {
	case "":
		return ""
	case "in": // ISO 639 until 1989
		base = "id"
	case "tl": // Tagalog, which Filipino is named after
		base = "fil"
	}
	for _, l := range langs {
		if strings.EqualFold(l, tag) {
			return l
		}
	}
	for _, l := range langs {
		if b, _, _ := strings.Cut(strings.ToLower(l), "-"); b == base {
			return l
		}
	}
	return ""
}
