// Package i18n holds every sentence a person reads, as flat JSON files shared by
// Go and the web faces. A key that is missing in one language fails the tests.
package i18n

import (
	"embed"
	"encoding/json"
	"fmt"
	"sort"
	"strconv"
	"strings"
)

// Default is the language of whoever does not say.
const Default = "zh-CN"

//go:embed *.json
var files embed.FS

// A Catalog holds the messages of all languages.
type Catalog struct {
	langs    []string
	messages map[string]map[string]string
}

// Load reads the embedded files. It fails only on a file that is not a flat
// JSON object of strings.
func Load() (*Catalog, error) {
	entries, err := files.ReadDir(".")
	if err != nil {
		return nil, fmt.Errorf("list languages: %w", err)
	}
	c := &Catalog{messages: map[string]map[string]string{}}
	for _, e := range entries {
		raw, err := files.ReadFile(e.Name())
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", e.Name(), err)
		}
		m := map[string]string{}
		if err := json.Unmarshal(raw, &m); err != nil {
			return nil, fmt.Errorf("parse %s: %w", e.Name(), err)
		}
		lang := strings.TrimSuffix(e.Name(), ".json")
		c.langs = append(c.langs, lang)
		c.messages[lang] = m
	}
	return c, nil
}

// Languages lists the languages there are, as BCP 47 tags, Default first.
func (c *Catalog) Languages() []string {
	out := []string{Default}
	for _, l := range c.langs {
		if l != Default {
			out = append(out, l)
		}
	}
	return out
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
// Arguments come as name and value in turn and fill {name}.
func (c *Catalog) T(lang, key string, args ...string) string {
	msg, ok := c.messages[lang][key]
	if !ok {
		msg, ok = c.messages["en"][key]
	}
	if !ok {
		msg, ok = c.messages[Default][key]
	}
	if !ok {
		return key
	}
	for i := 0; i+1 < len(args); i += 2 {
		msg = strings.ReplaceAll(msg, "{"+args[i]+"}", args[i+1])
	}
	return msg
}

// Match picks the language for somebody who asked for one by name, which wins
// where we have it, or whose browser sent an Accept-Language header.
func (c *Catalog) Match(asked, accept string) string {
	if l := c.find(asked); l != "" {
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
		if l := c.find(tag); l != "" && q > bestQ {
			best, bestQ = l, q
		}
	}
	return best
}

// find returns our tag for the asked one, by exact match or by base language.
func (c *Catalog) find(tag string) string {
	base, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(tag)), "-")
	if base == "" {
		return ""
	}
	for _, l := range c.langs {
		if strings.EqualFold(l, tag) {
			return l
		}
	}
	for _, l := range c.langs {
		if b, _, _ := strings.Cut(strings.ToLower(l), "-"); b == base {
			return l
		}
	}
	return ""
}
