package i18n_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"tianhai/i18n"
)

// composed lists the beginnings of keys that a program completes with a word of
// its vocabulary, and whose keys therefore stand nowhere in full.
var composed = map[string]string{
	"alert_reason.":              "alert.Alert.Reason",
	"attention.state.":           "complaint.State",
	"alert_state.":               "alert.State",
	"alert.shipment.":            "which limit of a shipment: above, below",
	"manage.shipment.alarm.":     "alert.State, of those that were told",
	"manage.shipment.end.":       "the ends of a shipment's way: origin, destination",
	"manage.shipment.state.":     "how a shipment stands, Verdict among it",
	"certificate.basis.":         "cert.Basis, without which the word stands before them",
	"certificate.promise.":       "cert.Style, the same",
	"chain.kind.":                "chain.Kind",
	"column.":                    "columns of lists as files; column.{list}.{field} where the plain word does not fit",
	"command_state.":             "device.CommandState",
	"act.":                       "gate.ActKind",
	"ban.scope.":                 "scopes of banned substances",
	"input_kind.":                "input.Kind",
	"manage.file.import.":        "what a file holds: lots, products",
	"override.state.":            "where a request for an override stands",
	"consumer.certificate.void.": "cert.Cause",
	"consumer.complaint.error.":  "fields of a complaint",
	"consumer.complaint.from.":   "complaint.Office",
	"consumer.complaint.kind.":   "complaint.Kind",
	"consumer.complaint.state.":  "complaint.State",
	"consumer.grown.":            "farm.SiteKind, where the plain word does not fit",
	"consumer.harvest.":          "the same",
	"device_event.":              "device.EventKind",
	"device_state.":              "device.State, and issued and locked before",
	"field.":                     "fields of requests that a problem names",
	"flag.":                      "ingest.Flag",
	"job_state.":                 "history.State",
	"list.":                      "names of lists",
	"manage.calibration.fault_":  "why two comparisons make no line",
	"manage.certificate.cause_":  "cert.Cause",
	"manage.certificate.style_":  "cert.Style",
	"manage.column.":             "columns of a file of devices",
	"manage.good.":               "seconds that a command is good for",
	"manage.grace.":              "seconds that a secret outlives its successor",
	"manage.group.":              "groups of the menu",
	"manage.history.":            "the two ways of old data",
	"manage.labels.format.":      "press.Format",
	"manage.labels.help.":        "the same",
	"manage.labels.none.":        "what labels are printed of, as below",
	"manage.labels.of.":          "the same",
	"manage.labels.which.":       "the same",
	"manage.link_type.":          "resolver.Types, with _ before what was a capital",
	"manage.part.":               "parts of /readyz, and their states",
	"manage.part_state.":         "the same in a word",
	"manage.payload.":            "how a frame's bytes are shown",
	"manage.retention.":          "what is kept: raw, hour, day",
	"manage.section.":            "sections of a device's page",
	"manage.state.":              "device.State, and what is asked before",
	"manage.use.":                "what a column of a file is",
	"notice.recall.":             "recall.Message.Type",
	"medium.":                    "farm.Medium, and every one",
	"package.fault.":             "why a period cannot be",
	"package.kind.":              "trace.Record.Kind",
	"package.preset.":            "periods that people ask for",
	"package.reason.":            "parcel.Package.Reason",
	"package.state.":             "parcel.State",
	"people.may.":                "auth.Role, which people are given",
	"people.state.":              "what can be done with an account",
	"problem.":                   "codes of the API's problem+json answers",
	"quantity.":                  "farm.Quantity.ID",
	"recall.ask.":                "what a dialog about a recall does",
	"recall.by.":                 "recall.Office",
	"recall.cause.":              "recall.CauseKind",
	"recall.start.":              "recall.StartKind",
	"recall.state.":              "recall.State",
	"recall.step_kind.":          "recall.StepKind",
	"recall.why.":                "recall.Reason",
	"operator_kind.":             "farm.OperatorKind",
	"role.":                      "auth.Role",
	"scan_reason.":               "scan.Reason",
	"severity.":                  "alert.Severity",
	"site_kind.":                 "farm.SiteKind",
	"consumer.unit.":             "what is said of a packet, by unit.State and otherwise",
	"manage.roll.ask.":           "what a dialog about a roll does, by unit.Kind",
	"manage.roll.count.":         "unit.Counts",
	"manage.roll.did.":           "unit.Kind, once it is done",
	"manage.roll.do.":            "unit.Kind, to be done",
	"unit_code.state.":           "unit.State",
	"unit.":                      "units of quantities sold and applied",
	"web.audit.fault.":           "trace.Fault.Kind",
	"web.command.":               "values of a command: on, off",
	"web.range.":                 "time ranges of the bureau's chart",
	"web.move.wrong.":            "what is wrong with what a movement takes: Wrong",
	"web.record.no_photo.":       "why a phone kept no picture: NoRoom.why",
}

// composedWhole lists single keys whose beginning is too common to be listed.
var composedWhole = []string{"consumer.max", "consumer.mean", "consumer.min", "consumer.sum"} // of a sensor record

var (
	inScript   = regexp.MustCompile("['`]([a-z][a-z0-9_]*(?:\\.[a-z0-9_]+)+)['`]")
	quoted     = regexp.MustCompile("[\"'`]([a-z][a-z0-9_]*(?:\\.[a-z0-9_]+)+)[\"'`]")
	inTemplate = regexp.MustCompile(`\b[tT]\s+(?:[.$\w]+\s+|"[\w-]+"\s+)?"([a-z][a-z0-9_]*(?:\.[a-z0-9_]+)+)"`)
	keyShape   = regexp.MustCompile(`^[a-z][a-z0-9_]*(?:\.[a-z0-9_]+)+$`)
)

// A sourceFile is one file that may say something to a person.
type sourceFile struct{ name, text string }

// sources reads the Go, template and web sources of the repository, without
// tests, what others wrote and what is built.
func sources(t *testing.T) []sourceFile {
	t.Helper()
	skip := []string{".git", "node_modules", "dist", "testdata", "bin", "data"}
	var out []sourceFile
	root := os.DirFS("..")
	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if slices.Contains(skip, entry.Name()) {
				return fs.SkipDir
			}
			return nil
		}
		isTest := strings.HasSuffix(name, "_test.go") || strings.HasSuffix(name, ".test.ts")
		if isTest || !slices.Contains([]string{".go", ".ts", ".vue", ".html", ".tmpl"}, path.Ext(name)) {
			return nil
		}
		raw, err := fs.ReadFile(root, name)
		out = append(out, sourceFile{name, string(raw)})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// goKeys returns the keys that a Go file asks for in full: literals among the
// first two arguments of a call to T, which takes the key, or language and key.
func goKeys(t *testing.T, f sourceFile) []string {
	t.Helper()
	tree, err := parser.ParseFile(token.NewFileSet(), f.name, f.text, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	ast.Inspect(tree, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		name := ""
		switch fun := call.Fun.(type) {
		case *ast.SelectorExpr:
			name = fun.Sel.Name
		case *ast.Ident:
			name = fun.Name
		}
		if name != "T" && name != "t" {
			return true
		}
		for _, arg := range call.Args[:min(2, len(call.Args))] {
			if lit, ok := arg.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				if key, err := strconv.Unquote(lit.Value); err == nil && keyShape.MatchString(key) {
					keys = append(keys, key)
				}
			}
		}
		return true
	})
	return keys
}

// webKeys returns the literals of a web source that begin as keys do. What
// stands in double quotes is an attribute of a template.
func webKeys(f sourceFile, namespaces map[string]bool) []string {
	var keys []string
	for _, m := range inScript.FindAllStringSubmatch(f.text, -1) {
		if namespace, _, _ := strings.Cut(m[1], "."); namespaces[namespace] {
			keys = append(keys, m[1])
		}
	}
	return keys
}

func allKeys(t *testing.T) map[string]bool {
	t.Helper()
	c, err := i18n.Load()
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string]bool{}
	for _, lang := range c.Languages() {
		for _, k := range c.Keys(lang) {
			keys[k] = true
		}
	}
	return keys
}

func TestEveryKeyAskedForExists(t *testing.T) {
	keys := allKeys(t)
	namespaces := map[string]bool{}
	for k := range keys {
		namespace, _, _ := strings.Cut(k, ".")
		namespaces[namespace] = true
	}
	asked := 0
	for _, f := range sources(t) {
		var found []string
		switch path.Ext(f.name) {
		case ".go":
			found = goKeys(t, f)
		case ".ts", ".vue":
			found = webKeys(f, namespaces)
		default:
			for _, m := range inTemplate.FindAllStringSubmatch(f.text, -1) {
				found = append(found, m[1])
			}
		}
		asked += len(found)
		for _, k := range found {
			if !keys[k] {
				t.Errorf("%s asks for %q, which no language has", f.name, k)
			}
		}
	}
	if asked < 100 {
		t.Errorf("found %d keys in the sources; the search itself is broken", asked)
	}
}

func TestEveryKeyIsAskedFor(t *testing.T) {
	used := map[string]bool{}
	files := sources(t)
	for _, f := range files {
		for _, m := range quoted.FindAllStringSubmatch(f.text, -1) {
			used[m[1]] = true
		}
	}
	keys := allKeys(t)
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		k = strings.TrimSuffix(k, ".one") // T adds it
		isComposed := slices.ContainsFunc(slices.Collect(maps.Keys(composed)), func(prefix string) bool {
			return strings.HasPrefix(k, prefix)
		})
		if !used[k] && !isComposed && !slices.Contains(composedWhole, k) {
			t.Errorf("nobody asks for %q", k)
		}
	}
	for _, k := range composedWhole {
		if !keys[k] {
			t.Errorf("%q is composed, and no language has it", k)
		}
	}
	for prefix := range composed {
		word := regexp.QuoteMeta(strings.TrimSuffix(prefix, "."))
		composes := regexp.MustCompile("[\"'`]" + word + "(?:\\.)?(?:[\"'`]|\\$\\{)")
		if !slices.ContainsFunc(files, func(f sourceFile) bool { return composes.MatchString(f.text) }) {
			t.Errorf("nobody composes keys that begin with %q", prefix)
		}
	}
}
