package i18n_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
	"golang.org/x/text/number"

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

var blank = regexp.MustCompile(`\{[a-z_]+\}`)

func blanks(msg string) []string {
	b := blank.FindAllString(msg, -1)
	slices.Sort(b)
	return slices.Compact(b)
}

// countsOne reports whether a language has a form of its own for one thing, after CLDR.
// Filipino has one for many numbers, and nothing of ours that it would change.
func countsOne(lang string) bool {
	return lang != "fil" && plural.Cardinal.MatchPlural(language.MustParse(lang), 1, 0, 0, 0, 0) == plural.One
}

// Every face's language says the same things, with the same blanks to fill. Those that
// only consumers are spoken to in are held to it in dashboards/consumer.
func TestLanguagesAgree(t *testing.T) {
	c := load(t)
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
			if a, b := blanks(c.T(i18n.Default, k)), blanks(c.T(lang, k)); !slices.Equal(a, b) {
				t.Errorf("%s.json: %q fills %v, %s fills %v", lang, k, b, i18n.Default, a)
			}
		}
		for _, k := range have {
			if !slices.Contains(want, k) && !strings.HasSuffix(k, ".one") {
				t.Errorf("%s.json has %q, which %s.json lacks", lang, k, i18n.Default)
			}
		}
	}
}

// several matches a number before what there are several of.
var several = regexp.MustCompile(`\{n\} (?:[a-z]+ )?[a-z]+[^s]s\b`)

// English never says 1 batches.
func TestEnglishOfOne(t *testing.T) {
	c := load(t)
	keys := c.Keys("en")
	limits := []string{"fault.key", "fault.too_many", "manage.movement.over"} // never of one; the last is an amount
	for _, key := range keys {
		if msg := c.T("en", key); several.MatchString(msg) && !strings.HasSuffix(key, ".one") && !slices.Contains(keys, key+".one") && !slices.Contains(limits, key) {
			t.Errorf("en.json lacks %q, beside %q", key+".one", msg)
		}
	}
}

// Only a language that counts one thing in other words has a message for one.
func TestMessagesForOne(t *testing.T) {
	c := load(t)
	for _, lang := range c.ConsumerLanguages() {
		for _, key := range c.Keys(lang) {
			of, isOne := strings.CutSuffix(key, ".one")
			switch {
			case isOne && !countsOne(lang):
				t.Errorf("%s has %q, and the language has no form for one thing", lang, key)
			case isOne && !slices.Contains(blanks(c.T(lang, of)), "{n}"):
				t.Errorf("%s has %q, and %q counts nothing as {n}", lang, key, of)
			}
		}
	}
}

// Numbers are written as Unicode's CLDR says, in digits that every phone has.
func TestNumbers(t *testing.T) {
	c := load(t)
	for _, lang := range c.ConsumerLanguages() {
		p := message.NewPrinter(language.MustParse(lang + "-u-nu-latn"))
		want := p.Sprint(number.Decimal(1234567.5))
		got := strings.NewReplacer(",", c.T(lang, "consumer.number.group"), ".", c.T(lang, "consumer.number.point")).Replace("1,234,567.5")
		if got != want {
			t.Errorf("%s writes %s, CLDR %s", lang, got, want)
		}
	}
}

func TestOne(t *testing.T) {
	c := load(t)
	for n, want := range map[string]string{"0": "0 items tested", "1": "1 item tested", "11": "11 items tested"} {
		if got := c.T("en", "consumer.tests.items", "n", n); got != want {
			t.Errorf("of %s: %q, want %q", n, got, want)
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
		"a consumer's choice":  {"vi", "vi,en;q=0.5", "en"}, // the cookie holds for every face
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := c.Match(tt.asked, tt.accept); got != tt.want {
				t.Errorf("Match(%q, %q) = %q, want %q", tt.asked, tt.accept, got, tt.want)
			}
		})
	}
}

func TestMatchConsumer(t *testing.T) {
	c := load(t)
	tests := map[string]struct{ asked, accept, want string }{
		"nothing said":             {"", "", "zh-CN"},
		"asked wins":               {"km", "en", "km"},
		"browser":                  {"", "vi-VN,vi;q=0.9,en;q=0.8", "vi"},
		"second choice":            {"", "de, lo;q=0.7, en;q=0.5", "lo"},
		"Malay of Singapore":       {"", "ms-SG", "ms"},
		"Tagalog":                  {"", "tl-PH", "fil"},
		"Indonesian of old phones": {"", "in-ID", "id"},
		"neither":                  {"inx", "tlh", "zh-CN"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := c.MatchConsumer(tt.asked, tt.accept); got != tt.want {
				t.Errorf("MatchConsumer(%q, %q) = %q, want %q", tt.asked, tt.accept, got, tt.want)
			}
		})
	}
}
