package alert_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tianhai/farm"
	"tianhai/monitor/alert"
)

func TestParseRules(t *testing.T) {
	got := parse(t, `
rules:
  - id: oxygen
    title: {zh: 缺氧, en: Low oxygen}
    severity: critical
    site_kinds: [pond, raft]
    quantity: water.dissolved_oxygen
    below: 4   # mg/L
    clear: 4.5
    for: 1m30s
  - {id: silent, title: {zh: 无数据, en: Silent}, severity: warning, no_data_for: 1h}
`)
	below, clear := 4.0, 4.5
	want := []alert.Rule{
		{
			ID: "oxygen", Title: farm.Text{Zh: "缺氧", En: "Low oxygen"}, Severity: alert.Critical,
			SiteKinds: []farm.SiteKind{farm.Pond, farm.Raft}, Quantity: "water.dissolved_oxygen",
			Below: &below, Clear: &clear, For: 90 * time.Second,
		},
		{ID: "silent", Title: farm.Text{Zh: "无数据", En: "Silent"}, Severity: alert.Warning, NoDataFor: time.Hour},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if rules := parse(t, "rules: []"); len(rules) != 0 {
		t.Errorf("an empty list gives %v", rules)
	}
}

// Every fault stops the file and says where it is and what would be right.
func TestParseRulesFaults(t *testing.T) {
	// A good rule, of which each case spoils one line.
	const good = "rules:\n- id: a\n  title: {zh: 缺氧, en: Low}\n  severity: warning\n  quantity: water.dissolved_oxygen\n  below: 4\n  for: 2m\n"
	parse(t, good)
	spoil := func(line, by string) string {
		if !strings.Contains(good, line) {
			t.Fatalf("no line %q to spoil", line)
		}
		return strings.Replace(good, line, by, 1)
	}
	tests := map[string]struct {
		src  string
		want []string
	}{
		"empty file":         {"", []string{`"rules"`}},
		"not YAML":           {"rules: [", []string{"rules:"}},
		"a list":             {"- id: a", []string{`mapping with the key "rules"`}},
		"unknown top key":    {"rulez: []", []string{"line 1", `"rulez"`, `"rules"`}},
		"rules not a list":   {"rules: 3", []string{"line 1", "list"}},
		"rule not a mapping": {"rules: [3]", []string{"number 1", "line 1", "mapping"}},
		"unknown key":        {spoil("below:", "bellow:"), []string{"line 6", `"bellow"`, "no_data_for"}},
		"repeated key":       {spoil("for: 2m", "below: 3"), []string{"line 7", "below"}},
		"no id":              {spoil("id: a\n  title", "title"), []string{"number 1", "line 2", "id"}},
		"bad id":             {spoil("id: a", "id: Ä"), []string{"line 2", "id", "a-z"}},
		"no title":           {spoil("  title: {zh: 缺氧, en: Low}\n", ""), []string{`"a"`, "title", "Chinese"}},
		"no English":         {spoil(", en: Low", ""), []string{`"a"`, "line 3", "title", "English"}},
		"no Chinese":         {spoil("zh: 缺氧, ", ""), []string{`"a"`, "line 3", "title", "Chinese"}},
		"unknown language":   {spoil("en: Low", "en: Low, fr: Bas"), []string{`"a"`, "line 3", "title"}},
		"bad severity":       {spoil("warning", "fatal"), []string{`"a"`, "line 4", "severity", "critical"}},
		"unknown quantity":   {spoil("dissolved_oxygen", "oxygen"), []string{`"a"`, "line 5", `"water.oxygen"`}},
		"unknown site kind":  {spoil("for: 2m", "site_kinds: [lake]"), []string{`"a"`, "line 7", `"lake"`, "pond"}},
		"no condition":       {spoil("  below: 4\n", ""), []string{`"a"`, "above, below and no_data_for"}},
		"two conditions":     {spoil("for: 2m", "above: 9"), []string{`"a"`, "exactly one"}},
		"condition and none": {spoil("for: 2m", "no_data_for: 9m"), []string{`"a"`, "line 7", "no_data_for", "exactly one"}},
		"for without data":   {spoil("below: 4", "no_data_for: 9m"), []string{`"a"`, "line 7", "for", "leave it out"}},
		"clear too low":      {spoil("for: 2m", "clear: 3.9"), []string{`"a"`, "line 7", "clear", "3.9", "threshold 4"}},
		"clear too high":     {spoil("below: 4\n  for: 2m", "above: 4\n  clear: 4.1"), []string{`"a"`, "line 7", "clear"}},
		"clear out of range": {spoil("for: 2m", "clear: 26"), []string{`"a"`, "line 7", "clear", "25"}},
		"never crossed":      {spoil("below: 4", "below: 0"), []string{`"a"`, "line 6", "never", "mg/L"}},
		"not a number":       {spoil("below: 4", "below: .nan"), []string{`"a"`, "line 6", "below"}},
		"infinite":           {spoil("below: 4", "below: .inf"), []string{`"a"`, "line 6", "below"}},
		"number as word":     {spoil("below: 4", "below: four"), []string{`"a"`, "line 6", "below", "a number"}},
		"empty value":        {spoil("below: 4", "below:"), []string{`"a"`, "line 6", "below", "empty"}},
		"bad duration":       {spoil("for: 2m", "for: 2 minutes"), []string{`"a"`, "line 7", "for", `"2m"`}},
		"negative duration":  {spoil("for: 2m", "for: -2m"), []string{`"a"`, "line 7", "for", "out of range"}},
		"endless duration":   {spoil("for: 2m", "for: 25h"), []string{`"a"`, "line 7", "for", "24h"}},
		"no data at once":    {spoil("below: 4\n  for: 2m", "no_data_for: 0s"), []string{`"a"`, "line 6", "no_data_for", "1m"}},
		"same id twice":      {good + good[len("rules:\n"):], []string{`"a"`, "line 8", "id", "line 2"}},
		"too large":          {good + strings.Repeat("#", alert.MaxRuleFile), []string{"bytes"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := alert.ParseRules([]byte(tt.src))
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q\ndoes not say %q", err, want)
				}
			}
			if strings.Count(err.Error(), "\n") > 0 {
				t.Errorf("one fault takes several lines:\n%v", err)
			}
		})
	}
}

// Somebody who made two mistakes learns of both.
func TestParseRulesReportsAllRules(t *testing.T) {
	_, err := alert.ParseRules([]byte("rules:\n- id: a\n- id: b\n"))
	if err == nil || !strings.Contains(err.Error(), `"a"`) || !strings.Contains(err.Error(), `"b"`) {
		t.Errorf("err = %v, want one that names a and b", err)
	}
}

func TestDefaultRules(t *testing.T) {
	rules, err := alert.DefaultRules()
	if err != nil {
		t.Fatal(err)
	}
	limits := map[string]float64{"oxygen-low": 5, "oxygen-alarm": 4, "oxygen-emergency": 3}
	for _, r := range rules {
		if want, ok := limits[r.ID]; ok && (r.Below == nil || *r.Below != want) {
			t.Errorf("%s fires below %v, want %v mg/L", r.ID, r.Below, want)
		}
		delete(limits, r.ID)
	}
	if len(limits) > 0 {
		t.Errorf("the default rules lack %v", limits)
	}
}

// Whatever the file says, what comes out can fire and can clear.
func FuzzParseRules(f *testing.F) {
	f.Add([]byte("rules:\n- id: a\n  title: {zh: 缺氧, en: Low}\n  severity: warning\n  quantity: water.ph\n  above: 9\n  clear: 8.5\n  for: 2m\n"))
	f.Add([]byte("rules: [{id: s, title: {zh: 无, en: n}, severity: critical, no_data_for: 1h}]"))
	f.Add([]byte("rules: &a [*a]"))
	f.Add([]byte("rules:\n- <<: {id: a}\n"))
	f.Fuzz(func(t *testing.T, src []byte) {
		rules, err := alert.ParseRules(src)
		if err != nil {
			return
		}
		for _, r := range rules {
			if farm.CheckID(r.ID) != nil || r.Title.Zh == "" || r.Title.En == "" {
				t.Errorf("rule %+v has no name", r)
			}
			set := 0
			for _, v := range []*float64{r.Above, r.Below, r.Clear} {
				if v != nil && (math.IsNaN(*v) || math.IsInf(*v, 0)) {
					t.Errorf("rule %+v has a limit that is no number", r)
				}
			}
			for _, on := range []bool{r.Above != nil, r.Below != nil, r.NoDataFor > 0} {
				if on {
					set++
				}
			}
			if set != 1 {
				t.Errorf("rule %+v has %d conditions", r, set)
			}
		}
	})
}
