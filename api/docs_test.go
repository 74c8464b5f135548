package api_test

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"tianhai/i18n"
)

var update = flag.Bool("update", false, "write the tables of docs/api.md anew")

const apiDoc = "../docs/api.md"

// docs/api.md has a line for every route and every code: as /openapi.json has them,
// so that nobody has to keep it in step. go test ./api -run Documented -update
func TestDocumented(t *testing.T) {
	raw, err := os.ReadFile(apiDoc)
	if err != nil {
		t.Fatal(err)
	}
	doc := string(raw)
	for name, table := range map[string]string{"routes": routeTable(t), "codes": codeTable(t)} {
		begin, end := "<!-- "+name+" -->\n", "<!-- /"+name+" -->"
		before, rest, ok := strings.Cut(doc, begin)
		_, after, ok2 := strings.Cut(rest, end)
		if !ok || !ok2 {
			t.Fatalf("docs/api.md has no place for its %s", name)
		}
		doc = before + begin + table + end + after
	}
	if doc == string(raw) {
		return
	}
	if !*update {
		t.Fatal("docs/api.md is not what the routes say: go test ./api -run Documented -update")
	}
	if err := os.WriteFile(apiDoc, []byte(doc), 0o600); err != nil {
		t.Fatal(err)
	}
}

func routeTable(t *testing.T) string {
	t.Helper()
	d, lines := specOf(t), []string{}
	paths := d.at("paths").(map[string]any)
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		for _, method := range []string{"get", "post", "put", "delete"} {
			op, ok := d.at("paths", path, method).(map[string]any)
			if !ok {
				continue
			}
			list := ""
			if op["x-list"] != nil {
				list = "list"
			}
			lines = append(lines, fmt.Sprintf("| `%s %s` | %s | %s |\n", strings.ToUpper(method), path, op["summary"], list))
		}
	}
	return "| route | | |\n| --- | --- | --- |\n" + strings.Join(lines, "")
}

func codeTable(t *testing.T) string {
	t.Helper()
	words, err := i18n.Load()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString("| code | says |\n| --- | --- |\n")
	for _, code := range codes(t) {
		fmt.Fprintf(&b, "| `%s` | %s |\n", code, words.T("en", "problem."+code))
	}
	return b.String()
}
