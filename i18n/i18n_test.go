package i18n_test

import (
	"regexp"
	"slices"
	"testing"

	"tianhai/i18n"
)

func load(t *testing.T) *i18n.Catalog {
	t.Helper()
	c, err := i18n.Load()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Every language says the same things, with the same blanks to fill.
func TestLanguagesAgree(t *testing.T) {
	c := load(t)
	blank := regexp.MustCompile(`\{[a-z_]+\}`)
	blanks := func(lang, key string) []string {
		b := blank.FindAllString(c.T(lang, key), -1)
		slices.Sort(b)
		return slices.Compact(b)
	}
	want := c.Keys(i18n.Default)
	for _, lang := range c.Languages() {
		have := c.Keys(lang)
		for _, k := range want {
			if !slices.Contains(have, k) {
				t.Errorf("%s.json lacks %q", lang, k)
				continue
			}
			if c.T(lang, k) == "" {
				t.Errorf("%s.json: %q is empty", lang, k)
			}
			if a, b := blanks(i18n.Default, k), blanks(lang, k); !slices.Equal(a, b) {
				t.Errorf("%s.json: %q fills %v, %s fills %v", lang, k, b, i18n.Default, a)
			}
		}
		for _, k := range have {
			if !slices.Contains(want, k) {
				t.Errorf("%s.json has %q, which %s.json lacks", lang, k, i18n.Default)
			}
		}
	}
}

func TestMatch(t *testing.T) {
	c := load(t)
	tests := map[string]struct{ asked, accept, want string }{
		"nothing said":         {"", "", "zh-CN"},
		"asked wins":           {"en", "zh-CN,zh;q=0.9", "en"},
		"unknown asked":        {"xx", "en-GB,en;q=0.8", "en"},
		"weights":              {"", "fr, zh;q=0.2, en;q=0.7", "en"},
		"region of a language": {"", "zh-HK", "zh-CN"},
		"malformed weight":     {"", "en;q=abc", "zh-CN"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := c.Match(tt.asked, tt.accept); got != tt.want {
				t.Errorf("Match(%q, %q) = %q, want %q", tt.asked, tt.accept, got, tt.want)
			}
		})
	}
}
