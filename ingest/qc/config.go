package qc

import (
	_ "embed"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// A Config says which tests apply to which stream: a quantity in a server, a
// column of a file.
type Config struct {
	Streams map[string][]Test
	// Sites holds tests that apply at one site instead of those of the same name
	// in Streams.
	Sites map[string]map[string][]Test
}

// tests returns those in force for a stream at a site.
func (c Config) tests(site, stream string) []Test {
	own := c.Sites[site][stream]
	if len(own) == 0 {
		return c.Streams[stream]
	}
	all := slices.Clone(own)
	for _, t := range c.Streams[stream] {
		if !slices.ContainsFunc(own, func(o Test) bool { return o.Name() == t.Name() }) {
			all = append(all, t)
		}
	}
	return all
}

// What a file of tests may hold.
const (
	MaxConfig  = 1 << 20 // bytes
	maxDepth   = 16      // of braces and brackets, which bounds what the parser does
	maxStreams = 10_000  // with those of sites
)

//go:embed default.yaml
var defaultConfig []byte

// Default returns the tests of a new installation: default.yaml, whose comments
// give the source of every threshold.
func Default() (Config, error) { return Parse(defaultConfig) }

// Parse reads tests from YAML, in the form of ioos_qc's configuration:
//
//	streams:
//	  water.temperature:
//	    qartod:
//	      gross_range_test: {fail_span: [-2, 45], suspect_span: [5, 38]}
//	      climatology_test: {config: [{period: month, tspan: [6, 9], vspan: [24, 34]}]}
//	      spike_test: {suspect_threshold: 1, fail_threshold: 3, method: average}
//	      rate_of_change_test: {threshold: 3/3600, fail_threshold: 9/3600}   # per second
//	      flat_line_test: {tolerance: 0.01, suspect_threshold: 7200, fail_threshold: 21600}
//	      attenuated_signal_test: {suspect_threshold: 0.5, fail_threshold: 0.1, test_period: 90000, min_obs: 20, check_type: range}
//	      time_gap_test: {suspect_threshold: 7200}
//	      density_inversion_test: {suspect_threshold: -0.01, fail_threshold: -0.03}
//	sites:                     # ours: other thresholds at one site
//	  raft-1: {streams: {…}}
//
// The level "streams" may be left out where there is no "sites", and "aggregate",
// which ioos_qc's files have among the tests, is passed over: it is always there.
// A rate may be written as a quotient, which is divided from left to right.
// Times of a tspan without period are days or RFC 3339. Whatever a person may
// have meant otherwise is an error, which names line and key.
func Parse(src []byte) (Config, error) {
	if len(src) > MaxConfig {
		return Config{}, fmt.Errorf("tests: file is longer than %d bytes", MaxConfig)
	}
	if nested(src) > maxDepth {
		return Config{}, fmt.Errorf("tests: nested deeper than %d", maxDepth)
	}
	file, err := parser.ParseBytes(src, 0)
	if err != nil {
		return Config{}, fmt.Errorf("tests: %w", syntaxFault(err))
	}
	if len(file.Docs) != 1 || file.Docs[0].Body == nil {
		return Config{}, errors.New(`tests: want one YAML document with the key "streams"`)
	}
	r := &reader{}
	c := Config{Streams: map[string][]Test{}, Sites: map[string]map[string][]Test{}}
	if bare(file.Docs[0].Body) {
		if c.Streams = r.streams("", file.Docs[0].Body); r.err != nil {
			return Config{}, r.err
		}
		return c, nil
	}
	r.mapping("", file.Docs[0].Body, map[string]func(string, ast.Node){
		"streams": func(path string, n ast.Node) { c.Streams = r.streams(path, n) },
		"sites": func(path string, n ast.Node) {
			r.entries(path, n, func(site, path string, n ast.Node) {
				r.mapping(path, n, map[string]func(string, ast.Node){
					"streams": func(path string, n ast.Node) { c.Sites[site] = r.streams(path, n) },
				})
			})
		},
	})
	if r.err != nil {
		return Config{}, r.err
	}
	return c, nil
}

// bare reports whether a document is what "streams" would hold, which ioos_qc
// takes too: every key of it a mapping with the key "qartod".
func bare(body ast.Node) bool {
	streams, ok := body.(*ast.MappingNode)
	for i := 0; ok && i < len(streams.Values); i++ {
		e := streams.Values[i]
		tests, isMapping := e.Value.(*ast.MappingNode)
		ok = isMapping && len(tests.Values) == 1 && tests.Values[0].Key.GetToken().Value == "qartod"
	}
	return ok && len(streams.Values) > 0
}

// nested returns how deep brackets and braces go at most.
func nested(src []byte) int {
	depth, deepest := 0, 0
	for _, b := range src {
		switch b {
		case '[', '{':
			depth++
		case ']', '}':
			depth--
		}
		deepest = max(deepest, depth)
	}
	return deepest
}

// syntaxFault makes one line of the parser's drawing: "[3:4] what" and more.
func syntaxFault(err error) error {
	message, _, _ := strings.Cut(err.Error(), "\n")
	if at, what, ok := strings.Cut(strings.TrimPrefix(message, "["), "] "); ok {
		line, _, _ := strings.Cut(at, ":")
		return fmt.Errorf("line %s: %s", line, what)
	}
	return errors.New(message)
}

// A reader walks a document and keeps the first fault.
type reader struct {
	count int // streams so far
	err   error
}

func (r *reader) fault(n ast.Node, path, format string, args ...any) {
	if r.err == nil {
		line := 0
		if t := n.GetToken(); t != nil {
			line = t.Position.Line
		}
		r.err = fmt.Errorf("tests: line %d: %s: %s", line, path, fmt.Sprintf(format, args...))
	}
}

// entries walks over a mapping. The parser has refused one with a key twice.
func (r *reader) entries(path string, n ast.Node, visit func(key, path string, n ast.Node)) {
	var list []*ast.MappingValueNode
	switch n := n.(type) {
	case *ast.MappingNode:
		list = n.Values
	case *ast.MappingValueNode:
		list = []*ast.MappingValueNode{n}
	default:
		r.fault(n, orTop(path), "want a mapping")
		return
	}
	for _, e := range list {
		if r.err != nil {
			return
		}
		key := e.Key.GetToken().Value
		visit(key, strings.TrimPrefix(path+"."+key, "."), e.Value)
	}
}

func orTop(path string) string {
	if path == "" {
		return "document"
	}
	return path
}

// mapping walks over a mapping whose keys are known.
func (r *reader) mapping(path string, n ast.Node, known map[string]func(path string, n ast.Node)) {
	r.entries(path, n, func(key, at string, n ast.Node) {
		if set, ok := known[key]; ok {
			set(at, n)
			return
		}
		var keys []string
		for k := range known {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		r.fault(n, at, "unknown key; known are %s", strings.Join(keys, ", "))
	})
}

func (r *reader) streams(path string, n ast.Node) map[string][]Test {
	streams := map[string][]Test{}
	r.entries(path, n, func(stream, path string, n ast.Node) {
		if r.count++; r.count > maxStreams {
			r.fault(n, path, "more than %d streams", maxStreams)
			return
		}
		r.mapping(path, n, map[string]func(string, ast.Node){
			"qartod": func(path string, n ast.Node) {
				var tests []Test
				r.entries(path, n, func(name, path string, n ast.Node) {
					if name == "aggregate" {
						return // ioos_qc's files ask for it; here it is always there
					}
					if t := r.test(name, path, n); t != nil {
						tests = append(tests, t)
					}
				})
				streams[stream] = tests
			},
		})
	})
	return streams
}

// number reads a finite number, or a quotient where it may be one.
func (r *reader) number(path string, n ast.Node, quotient bool) float64 {
	text := n.GetToken().Value
	parts := []string{text}
	if quotient {
		parts = strings.Split(text, "/")
	}
	var v float64
	for i, part := range parts {
		x, err := strconv.ParseFloat(strings.TrimSpace(part), 64)
		if err != nil || math.IsNaN(x) || math.IsInf(x, 0) || i > 0 && x == 0 || !scalar(n) {
			r.fault(n, path, "%q is not a number", text)
			return 0
		}
		if i == 0 {
			v = x
		} else {
			v /= x
		}
	}
	return v
}

func scalar(n ast.Node) bool {
	_, ok := n.(ast.ScalarNode)
	return ok
}

// pair returns the two items of a list.
func (r *reader) pair(path string, n ast.Node) (a, b ast.Node, ok bool) {
	list, isList := n.(*ast.SequenceNode)
	if !isList || len(list.Values) != 2 {
		r.fault(n, path, "want two bounds: [from, to]")
		return nil, nil, false
	}
	return list.Values[0], list.Values[1], true
}

func (r *reader) span(path string, n ast.Node) Span {
	a, b, ok := r.pair(path, n)
	if !ok {
		return Span{}
	}
	return Span{r.number(path, a, false), r.number(path, b, false)}
}

func (r *reader) text(path string, n ast.Node) string {
	if _, ok := n.(*ast.StringNode); !ok {
		r.fault(n, path, "want a word")
		return ""
	}
	return n.GetToken().Value
}

func (r *reader) time(path string, n ast.Node) time.Time {
	if tag, tagged := n.(*ast.TagNode); tagged && tag.Value != nil && tag.Start.Value == "!!timestamp" {
		n = tag.Value
	}
	text := n.GetToken().Value
	for _, layout := range []string{time.DateOnly, time.RFC3339, "2006-01-02T15:04:05", time.DateTime, "2006-01"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t
		}
	}
	r.fault(n, path, "%q is not a time such as 2021-07-01 or 2021-07-01T00:00:00Z; with numbers, period is needed", text)
	return time.Time{}
}
