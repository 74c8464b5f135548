package api_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"tianhai/i18n"
)

// codes returns every code that /openapi.json lists.
func codes(t testing.TB) (all []string) {
	t.Helper()
	for _, c := range specOf(t).at("components", "schemas", "api.problem", "properties", "code", "enum").([]any) {
		all = append(all, c.(string))
	}
	return all
}

// No answer has a code that is not listed, and every one has words and a line in the
// documentation. Those that tests provoke are held against the list as they come.
func TestProblemCodes(t *testing.T) {
	listed := codes(t)
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	literal := regexp.MustCompile(`Code: +"([a-z_]+)"[,}]|p\.Code = "([a-z_]+)"`)
	found := 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range literal.FindAllStringSubmatch(string(raw), -1) {
			found++
			if code := m[1] + m[2]; !slices.Contains(listed, code) {
				t.Errorf("%s answers with the code %s, which problemCodes does not list", name, code)
			}
		}
	}
	if found < 10 {
		t.Errorf("only %d codes found in the sources: are they written otherwise now?", found)
	}
	catalog, err := i18n.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range listed {
		for _, lang := range catalog.Languages() {
			if k := "problem." + code; catalog.T(lang, k) == k {
				t.Errorf("%s has no words for %s", lang, k)
			}
		}
	}
}
