package alert

import (
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"tianhai/farm"
)

// What a rule file may hold.
const (
	MaxRules     = 500                 // in one file
	MaxRuleFile  = 1 << 20             // bytes
	MaxFor       = 24 * time.Hour      // longest Rule.For
	MinNoDataFor = time.Minute         // shortest Rule.NoDataFor
	MaxNoDataFor = 30 * 24 * time.Hour // longest Rule.NoDataFor
)

//go:embed default.yaml
var defaultRules []byte

// DefaultRules returns the rules of a new installation: default.yaml, whose
// comments give the source of every limit.
func DefaultRules() ([]Rule, error) { return ParseRules(defaultRules) }

// ParseRules reads a rule file: a mapping with the one key "rules", a list of
// rules with the keys of Rule. Durations are written like "90s", "2m" or "1h30m".
//
// Whatever a person may have meant otherwise is an error: an unknown or repeated
// key, a rule without a title in both languages, a threshold that no reading can
// cross, a clear value on the wrong side. Each fault names rule, line and key and
// says what would be right; all faulty rules are reported at once.
func ParseRules(src []byte) ([]Rule, error) {
	if len(src) > MaxRuleFile {
		return nil, fmt.Errorf("rules: file is %d bytes long, at most %d are allowed", len(src), MaxRuleFile)
	}
	list, err := ruleNodes(src)
	if err != nil {
		return nil, err
	}
	var rules []Rule
	var faults []error
	lines := map[string]int{}
	for i, node := range list {
		r, err := parseRule(node, i)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		line := node.GetToken().Position.Line
		if first, ok := lines[r.ID]; ok {
			faults = append(faults, fmt.Errorf("rule %q line %d: id: the rule at line %d has this id too; every rule needs its own", r.ID, line, first))
			continue
		}
		lines[r.ID] = line
		rules = append(rules, r)
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return rules, nil
}

// ruleNodes returns the items of the list under "rules".
func ruleNodes(src []byte) ([]ast.Node, error) {
	file, err := parser.ParseBytes(src, 0)
	if err != nil {
		return nil, fmt.Errorf("rules: %w", yamlFault(err))
	}
	if len(file.Docs) != 1 || file.Docs[0].Body == nil {
		return nil, errors.New(`rules: want one YAML document with the key "rules"; write "rules: []" for none`)
	}
	entries, ok := mapping(file.Docs[0].Body)
	if !ok {
		return nil, errors.New(`rules: want a mapping with the key "rules"`)
	}
	var list []ast.Node
	for _, e := range entries {
		if k := e.Key.String(); k != "rules" {
			return nil, fmt.Errorf("rules: line %d: unknown key %q; the only key here is \"rules\"", line(e), k)
		}
		seq, ok := e.Value.(*ast.SequenceNode)
		if !ok {
			return nil, fmt.Errorf("rules: line %d: rules must be a list; begin each rule with \"- id:\"", line(e))
		}
		list = seq.Values
	}
	if len(list) > MaxRules {
		return nil, fmt.Errorf("rules: %d rules, at most %d are allowed", len(list), MaxRules)
	}
	return list, nil
}

// ruleKeys lists the keys of a rule in the order a person would write them.
var ruleKeys = []string{"id", "title", "severity", "site_kinds", "quantity", "above", "below", "clear", "for", "no_data_for"}

// A draft is a rule being read, with the line of each of its keys.
type draft struct {
	Rule
	index int
	line  int
	lines map[string]int
}

// fault says what is wrong with one key. Where the key is absent, it gives the
// line at which the rule begins.
func (d *draft) fault(key, format string, args ...any) error {
	name := fmt.Sprintf("%q", d.ID)
	if d.ID == "" {
		name = fmt.Sprintf("number %d", d.index+1)
	}
	at, ok := d.lines[key]
	if !ok {
		at = d.line
	}
	return fmt.Errorf("rule %s line %d: %s: %s", name, at, key, fmt.Sprintf(format, args...))
}

func (d *draft) has(key string) bool { _, ok := d.lines[key]; return ok }

func parseRule(node ast.Node, index int) (Rule, error) {
	d := &draft{index: index, line: node.GetToken().Position.Line, lines: map[string]int{}}
	entries, ok := mapping(node)
	if !ok {
		return Rule{}, fmt.Errorf("rule number %d line %d: want a mapping that begins with \"- id:\"", index+1, d.line)
	}
	for _, e := range entries {
		if err := d.set(e); err != nil {
			return Rule{}, err
		}
	}
	for _, check := range []func() error{d.checkNames, d.checkCondition, d.checkThreshold, d.checkTimes} {
		if err := check(); err != nil {
			return Rule{}, err
		}
	}
	return d.Rule, nil
}

func (d *draft) set(e *ast.MappingValueNode) error {
	key := e.Key.String()
	if !slices.Contains(ruleKeys, key) {
		return fmt.Errorf("rule number %d line %d: unknown key %q; the keys are %s", d.index+1, line(e), key, strings.Join(ruleKeys, ", "))
	}
	if d.has(key) {
		return d.fault(key, "given again at line %d; give it once", line(e))
	}
	d.lines[key] = line(e)
	target, want := d.target(key)
	if _, null := e.Value.(*ast.NullNode); null {
		return d.fault(key, "is empty; write %s or leave the key out", want)
	}
	if err := yaml.NodeToValue(e.Value, target, yaml.Strict()); err != nil {
		return d.fault(key, "want %s (%v)", want, yamlFault(err))
	}
	return nil
}

// target returns where the value of a key goes, and what it should be in words.
func (d *draft) target(key string) (any, string) {
	const number, duration = "a number", `a duration such as "90s", "2m" or "1h30m"`
	switch key {
	case "id":
		return &d.ID, "an identifier"
	case "title":
		return &d.Title, `a title in both languages, such as {zh: "溶解氧过低", en: "Oxygen too low"}`
	case "severity":
		return &d.Severity, "warning or critical"
	case "site_kinds":
		return &d.SiteKinds, "a list such as [pond, raft]"
	case "quantity":
		return &d.Quantity, "a quantity such as water.dissolved_oxygen"
	case "above":
		d.Above = new(float64)
		return d.Above, number
	case "below":
		d.Below = new(float64)
		return d.Below, number
	case "clear":
		d.Clear = new(float64)
		return d.Clear, number
	case "for":
		return &d.For, duration
	}
	return &d.NoDataFor, duration
}

func (d *draft) checkNames() error {
	if err := farm.CheckID(d.ID); err != nil {
		return d.fault("id", "%v", err)
	}
	if strings.TrimSpace(d.Title.Zh) == "" {
		return d.fault("title", `the Chinese is missing; write {zh: "…", en: "…"}`)
	}
	if strings.TrimSpace(d.Title.En) == "" {
		return d.fault("title", `the English is missing; write {zh: "…", en: "…"}`)
	}
	if d.Severity != Warning && d.Severity != Critical {
		return d.fault("severity", "%q is not known; write warning or critical", d.Severity)
	}
	for _, k := range d.SiteKinds {
		if !slices.Contains(farm.SiteKinds(), k) {
			return d.fault("site_kinds", "%q is not a kind of site; the kinds are %v", k, farm.SiteKinds())
		}
	}
	if _, ok := farm.LookupQuantity(d.Quantity); !ok && (d.Quantity != "" || !d.has("no_data_for")) {
		return d.fault("quantity", "%q is not a quantity; write one such as water.dissolved_oxygen", d.Quantity)
	}
	return nil
}

func (d *draft) checkCondition() error {
	var given []string
	for _, k := range []string{"above", "below", "no_data_for"} {
		if d.has(k) {
			given = append(given, k)
		}
	}
	switch len(given) {
	case 1:
	case 0:
		return d.fault("above", "the rule has no condition; give one of above, below and no_data_for")
	default:
		return d.fault(given[1], "stands beside %s; give exactly one of above, below and no_data_for", given[0])
	}
	for _, k := range []string{"for", "clear"} {
		if given[0] == "no_data_for" && d.has(k) {
			return d.fault(k, "has no meaning with no_data_for; leave it out")
		}
	}
	return nil
}

// checkThreshold refuses what can never fire or never clear: the comparisons are
// written so that NaN fails them too.
func (d *draft) checkThreshold() error {
	q, _ := farm.LookupQuantity(d.Quantity)
	inside := func(v float64) bool { return q.Range.Min < v && v < q.Range.Max }
	switch {
	case d.Above != nil && !inside(*d.Above):
		return d.fault("above", "%v can never be crossed; %s lies between %v and %v %s", *d.Above, q.ID, q.Range.Min, q.Range.Max, q.Symbol)
	case d.Below != nil && !inside(*d.Below):
		return d.fault("below", "%v can never be crossed; %s lies between %v and %v %s", *d.Below, q.ID, q.Range.Min, q.Range.Max, q.Symbol)
	case d.Clear == nil:
	case d.Above != nil && !(*d.Clear <= *d.Above && q.Range.Contains(*d.Clear)):
		return d.fault("clear", "%v is on the wrong side; it must be from %v to the threshold %v", *d.Clear, q.Range.Min, *d.Above)
	case d.Below != nil && !(*d.Clear >= *d.Below && q.Range.Contains(*d.Clear)):
		return d.fault("clear", "%v is on the wrong side; it must be from the threshold %v to %v", *d.Clear, *d.Below, q.Range.Max)
	}
	return nil
}

func (d *draft) checkTimes() error {
	if d.For < 0 || d.For > MaxFor {
		return d.fault("for", "%v is out of range; write 0s to %v", d.For, MaxFor)
	}
	if d.has("no_data_for") && (d.NoDataFor < MinNoDataFor || d.NoDataFor > MaxNoDataFor) {
		return d.fault("no_data_for", "%v is out of range; write %v to %v", d.NoDataFor, MinNoDataFor, MaxNoDataFor)
	}
	return nil
}

// mapping returns the entries of a mapping; the parser has a node of its own for
// a mapping with one entry.
func mapping(n ast.Node) ([]*ast.MappingValueNode, bool) {
	switch n := n.(type) {
	case *ast.MappingNode:
		return n.Values, true
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}, true
	}
	return nil, false
}

func line(e *ast.MappingValueNode) int { return e.Key.GetToken().Position.Line }

// yamlFault turns the parser's message, "[line:column] what" and then a drawing of
// the source over many lines, into "line n: what".
func yamlFault(err error) error {
	msg, _, _ := strings.Cut(err.Error(), "\n")
	if rest, ok := strings.CutPrefix(msg, "["); ok {
		if at, what, ok := strings.Cut(rest, "] "); ok {
			line, _, _ := strings.Cut(at, ":")
			msg = "line " + line + ": " + what
		}
	}
	return errors.New(msg)
}
