package qc

import (
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// setters are the parameters of a test, and how each is read.
type setters map[string]func(path string, n ast.Node)

func (r *reader) setNumber(to *float64) func(string, ast.Node) {
	return func(path string, n ast.Node) { *to = r.number(path, n, false) }
}

func (r *reader) setOptional(to **float64) func(string, ast.Node) {
	return func(path string, n ast.Node) {
		if !isNull(n) {
			v := r.number(path, n, false)
			*to = &v
		}
	}
}

func (r *reader) setSpan(to *Span) func(string, ast.Node) {
	return func(path string, n ast.Node) { *to = r.span(path, n) }
}

func (r *reader) setOptionalSpan(to **Span) func(string, ast.Node) {
	return func(path string, n ast.Node) {
		if !isNull(n) {
			v := r.span(path, n)
			*to = &v
		}
	}
}

// isNull reports whether a parameter is written without a value, as if it were not.
func isNull(n ast.Node) bool {
	_, null := n.(*ast.NullNode)
	return null
}

func (r *reader) setText(to *string) func(string, ast.Node) {
	return func(path string, n ast.Node) { *to = r.text(path, n) }
}

// test reads one test; nil after a fault.
func (r *reader) test(name, path string, n ast.Node) Test {
	read, known := r.readers()[name]
	if !known {
		r.fault(n, path, "unknown test")
		return nil
	}
	t := read(path, n)
	if r.err != nil {
		return nil
	}
	if err := t.check(); err != nil {
		key, what, _ := strings.Cut(err.Error(), ": ")
		r.fault(find(n, key), path+"."+key, "%s", what)
		return nil
	}
	return t
}

// find returns the node of a key as check names it, such as "config[1].vspan",
// or the nearest around it.
func find(n ast.Node, key string) ast.Node {
	root := n.GetPath()
	best := n
	ast.Walk(visitor(func(c ast.Node) {
		if p := strings.TrimPrefix(c.GetPath(), root+"."); p != "" && strings.HasPrefix(key, p) && len(c.GetPath()) >= len(best.GetPath()) {
			best = c
		}
	}), n)
	return best
}

type visitor func(ast.Node)

func (v visitor) Visit(n ast.Node) ast.Visitor {
	if n != nil {
		v(n)
	}
	return v
}

// need reports parameters that are not there.
func (r *reader) need(path string, n ast.Node, keys ...string) {
	there := map[string]bool{}
	r.entries(path, n, func(key, _ string, _ ast.Node) { there[key] = true })
	for _, k := range keys {
		if !there[k] {
			r.fault(n, path, "%s is needed", k)
		}
	}
}

func (r *reader) readers() map[string]func(path string, n ast.Node) Test {
	return map[string]func(path string, n ast.Node) Test{
		GrossRange{}.Name(): func(path string, n ast.Node) (out Test) {
			var t GrossRange
			r.need(path, n, "fail_span")
			r.mapping(path, n, setters{"fail_span": r.setSpan(&t.FailSpan), "suspect_span": r.setOptionalSpan(&t.SuspectSpan)})
			return t
		},
		Spike{}.Name(): func(path string, n ast.Node) Test {
			var t Spike
			r.mapping(path, n, setters{
				"suspect_threshold": r.setOptional(&t.SuspectThreshold), "fail_threshold": r.setOptional(&t.FailThreshold),
				"method": r.setText(&t.Method),
			})
			return t
		},
		RateOfChange{}.Name(): func(path string, n ast.Node) Test {
			var t RateOfChange
			r.need(path, n, "threshold")
			r.mapping(path, n, setters{
				"threshold":      func(path string, n ast.Node) { t.Threshold = r.number(path, n, true) },
				"fail_threshold": func(path string, n ast.Node) { v := r.number(path, n, true); t.FailThreshold = &v },
				"min_change":     r.setNumber(&t.MinChange),
			})
			return t
		},
		FlatLine{}.Name(): func(path string, n ast.Node) Test {
			var t FlatLine
			r.mapping(path, n, setters{
				"suspect_threshold": r.setOptional(&t.SuspectThreshold), "fail_threshold": r.setOptional(&t.FailThreshold),
				"tolerance": r.setNumber(&t.Tolerance),
			})
			return t
		},
		AttenuatedSignal{}.Name(): r.attenuatedSignal,
		TimeGap{}.Name(): func(path string, n ast.Node) Test {
			var t TimeGap
			r.mapping(path, n, setters{"suspect_threshold": r.setOptional(&t.SuspectThreshold), "fail_threshold": r.setOptional(&t.FailThreshold)})
			return t
		},
		DensityInversion{}.Name(): func(path string, n ast.Node) Test {
			var t DensityInversion
			r.mapping(path, n, setters{"suspect_threshold": r.setOptional(&t.SuspectThreshold), "fail_threshold": r.setOptional(&t.FailThreshold)})
			return t
		},
		Climatology{}.Name(): r.climatology,
	}
}

func (r *reader) attenuatedSignal(path string, n ast.Node) Test {
	var t AttenuatedSignal
	r.need(path, n, "suspect_threshold", "fail_threshold")
	r.mapping(path, n, setters{
		"suspect_threshold": r.setNumber(&t.SuspectThreshold), "fail_threshold": r.setNumber(&t.FailThreshold),
		"test_period": r.setNumber(&t.TestPeriod), "min_period": r.setNumber(&t.MinPeriod),
		"min_obs": func(path string, n ast.Node) {
			v := r.number(path, n, false)
			if t.MinObs = int(v); float64(t.MinObs) != v {
				r.fault(n, path, "want a whole number")
			}
		},
		"check_type": r.setText(&t.CheckType),
	})
	return t
}

func (r *reader) climatology(path string, n ast.Node) Test {
	var t Climatology
	r.need(path, n, "config")
	r.mapping(path, n, setters{"config": func(path string, n ast.Node) {
		list, ok := n.(*ast.SequenceNode)
		if !ok {
			r.fault(n, path, "want a list of members")
			return
		}
		for _, n := range list.Values {
			t.Members = append(t.Members, r.season(path, n))
		}
	}})
	return t
}

func (r *reader) season(path string, n ast.Node) Season {
	var m Season
	var period string
	var tspan ast.Node
	r.need(path, n, "tspan", "vspan")
	r.mapping(path, n, setters{
		"tspan": func(_ string, n ast.Node) { tspan = n }, "period": r.setText(&period),
		"vspan": r.setSpan(&m.VSpan), "fspan": r.setOptionalSpan(&m.FSpan), "zspan": r.setOptionalSpan(&m.ZSpan),
	})
	if r.err != nil {
		return m
	}
	if m.Period = Period(period); period != "" {
		m.TSpan = r.span(path+".tspan", tspan)
	} else if a, b, ok := r.pair(path+".tspan", tspan); ok {
		m.From, m.To = r.time(path+".tspan", a), r.time(path+".tspan", b)
	}
	return m
}
