package decode

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// maxSteps is how long a path may be.
const maxSteps = 32

// A step goes from a node to some of those in it.
type step struct {
	kind  stepKind
	name  string // of the member; of the one that is compared, for those with
	index int
	text  string // what it is compared with
}

type stepKind uint8

const (
	toMember stepKind = iota
	toIndex
	toEach // all items
	toItem // the one item whose member has a text
)

func (s step) String() string {
	switch s.kind {
	case toIndex:
		return fmt.Sprintf("[%d]", s.index)
	case toEach:
		return "[*]"
	case toItem:
		return fmt.Sprintf("[%s=%s]", s.name, s.text)
	default:
		return s.name
	}
}

// parsePath reads a JSON Pointer (RFC 6901), which begins with '/', or names
// joined by dots, each of which may be followed by an index [0], by [*] for
// every item of an array, by [key=temp] for the item whose member key is temp,
// or by ["name"] for a member whose name has a dot or bracket. A leading $ is the
// document, as in JSONPath.
func parsePath(s string) ([]step, error) {
	if s == "" {
		return nil, errors.New("empty path")
	}
	parse := parseDotted
	if s[0] == '/' {
		parse = parsePointer
	}
	steps, err := parse(s)
	if err == nil && len(steps) > maxSteps {
		err = fmt.Errorf("more than %d steps", maxSteps)
	}
	return steps, err
}

func parsePointer(s string) ([]step, error) {
	var steps []step
	for _, name := range strings.Split(s[1:], "/") {
		if strings.Contains(strings.NewReplacer("~0", "", "~1", "").Replace(name), "~") {
			return nil, fmt.Errorf("%q: '~' must be followed by 0 or 1", name)
		}
		name = strings.NewReplacer("~1", "/", "~0", "~").Replace(name)
		st := step{name: name}
		// Whether digits are an index or a name is for the document to say.
		if n, err := strconv.Atoi(name); err == nil && strconv.Itoa(n) == name && n >= 0 {
			st.kind, st.index = toIndex, n
		}
		steps = append(steps, st)
	}
	return steps, nil
}

func parseDotted(s string) ([]step, error) {
	var steps []step
	rest := strings.TrimPrefix(s, "$")
	dot := rest == s // whether a name may come without a dot before it
	for rest != "" {
		switch {
		case rest[0] == '[':
			st, after, err := parseBracket(rest)
			if err != nil {
				return nil, err
			}
			steps, rest, dot = append(steps, st), after, false
			continue
		case rest[0] == '.':
			rest = rest[1:]
		case !dot:
			return nil, fmt.Errorf("expected '.' or '[' before %q", rest)
		}
		end := strings.IndexAny(rest, ".[]")
		if end < 0 {
			end = len(rest)
		}
		if end == 0 {
			return nil, fmt.Errorf("expected a name before %q", rest)
		}
		steps = append(steps, step{name: rest[:end]})
		rest, dot = rest[end:], false
	}
	return steps, nil
}

// parseBracket reads one step in brackets.
func parseBracket(s string) (st step, rest string, err error) {
	if strings.HasPrefix(s, `["`) {
		quoted, err := strconv.QuotedPrefix(s[1:])
		if err != nil || !strings.HasPrefix(s[1+len(quoted):], "]") {
			return step{}, "", fmt.Errorf("%q has no end", s)
		}
		name, err := strconv.Unquote(quoted)
		return step{name: name}, s[len(quoted)+2:], err
	}
	inner, rest, closed := strings.Cut(s[1:], "]")
	name, value, compared := strings.Cut(inner, "=")
	switch {
	case !closed:
		return step{}, "", fmt.Errorf("%q has no end", s)
	case inner == "*":
		return step{kind: toEach}, rest, nil
	case compared && name != "":
		return step{kind: toItem, name: name, text: value}, rest, nil
	}
	n, err := strconv.Atoi(inner)
	if err != nil || n < 0 {
		return step{}, "", fmt.Errorf("[%s] is neither [0], [*], [name=text] nor [\"name\"]", inner)
	}
	return step{kind: toIndex, index: n}, rest, nil
}

// A place is a node that a path leads to.
type place struct {
	node *node
	path string // as it is in the document: "data[2].value"
	each []int  // which item every [*] stood for
}

// notThere reports that a path leads nowhere.
type notThere struct {
	place
	step step
}

func (e *notThere) Error() string {
	return fmt.Sprintf("%v has no %v", e.node.kind, e.step)
}

// walk yields every place that steps lead to from p. With each, the first [*]
// stand for these items only. Where a step leads nowhere, that is an error, which
// yield gets in place of a node.
func walk(p place, steps []step, each []int, yield func(place, error) error) error {
	if len(steps) == 0 {
		return yield(p, nil)
	}
	s, n := steps[0], p.node
	lost := func() error { return yield(p, &notThere{p, s}) }
	enter := func(i int, path string) error {
		return walk(place{&n.nodes[i], path, p.each}, steps[1:], each, yield)
	}
	item := func(i int) string { return fmt.Sprintf("%s[%d]", p.path, i) }
	if n.kind == object && (s.kind == toMember || s.kind == toIndex && s.name != "") {
		for i := range n.nodes {
			if n.nodes[i].name == s.name {
				return enter(i, join(p.path, s.name))
			}
		}
		return lost()
	}
	if n.kind != list || s.kind == toMember {
		return lost()
	}
	switch s.kind {
	case toIndex:
		if s.index >= len(n.nodes) {
			return lost()
		}
		return enter(s.index, item(s.index))
	case toItem:
		for i := range n.nodes {
			if m := n.nodes[i].member(s.name); m != nil && (m.kind == text || m.kind == number) && m.text == s.text {
				return enter(i, item(i))
			}
		}
		return lost()
	}
	if k := len(p.each); k < len(each) {
		if each[k] >= len(n.nodes) {
			return lost()
		}
		i := each[k]
		return walk(place{&n.nodes[i], item(i), append(p.each[:k:k], i)}, steps[1:], each, yield)
	}
	for i := range n.nodes {
		k := len(p.each)
		if err := walk(place{&n.nodes[i], item(i), append(p.each[:k:k], i)}, steps[1:], each, yield); err != nil {
			return err
		}
	}
	return nil
}
