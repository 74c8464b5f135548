package epcis

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Validate returns where the document breaks EPCIS 2.0, in the order of the
// document, at most MaxFaults: the rules of GS1's JSON schema with its
// formats asserted, and those of the text that a schema cannot express. It
// reads nothing but the document: contexts are not fetched.
func (d *Document) Validate() []Fault {
	c := &checker{faults: slices.Clone(d.repeated)}
	c.document(d.root)
	sortFaults(c.faults)
	return c.faults[:min(len(c.faults), MaxFaults)]
}

// A checker gathers faults.
type checker struct {
	faults   []Fault
	prefixes map[string]string
	apart    bool // events are checked by themselves
}

// full reports whether so many faults are known that more need not be.
func (c *checker) full() bool { return len(c.faults) >= MaxFaults }

func (c *checker) fault(at, format string, args ...any) {
	if !c.full() {
		c.faults = append(c.faults, Fault{Pointer: at, Message: fmt.Sprintf(format, args...)})
	}
}

func (c *checker) advise(at, format string, args ...any) {
	if !c.full() {
		c.faults = append(c.faults, Fault{Pointer: at, Message: fmt.Sprintf(format, args...), Advice: true})
	}
}

// A rule checks a value and notes what is wrong with it.
type rule func(c *checker, at string, v any)

// A shape is what an object may and must have.
type shape struct {
	what     string
	fields   map[string]rule
	required []string
	open     bool // extensions, whose names are URIs, may be there
	lax      bool // the schema takes any name here, so that a foreign one is advice
}

// check holds an object against a shape.
func (s shape) check(c *checker, at string, v any) {
	o, ok := v.(*object)
	if !ok {
		c.fault(at, "is %s; want %s, an object", kind(v), s.what)
		return
	}
	for _, name := range s.required {
		if !o.has(name) {
			c.fault(pointerTo(at, name), "is missing; %s must have it", s.what)
		}
	}
	for _, name := range o.names() {
		where := pointerTo(at, name)
		if check, known := s.fields[name]; known {
			check(c, where, o.get(name))
		} else if !s.open {
			c.fault(where, "is not a field of %s", s.what)
		} else {
			s.extensionName(c, where, name)
		}
	}
}

// extensionName checks the name of a field that is not the standard's.
func (s shape) extensionName(c *checker, at, name string) {
	if problem := uriProblem(name); problem != "" {
		tell := c.fault
		if s.lax {
			tell = c.advise
		}
		tell(at, "is not a field of %s; the name of an extension is a URI, such as prefix:name", s.what)
		return
	}
	prefix, local, _ := strings.Cut(name, ":")
	if _, declared := c.prefixes[prefix]; !declared && !knownPrefixes[prefix] && !strings.HasPrefix(local, "//") {
		c.advise(at, "the prefix %s is not declared in @context", prefix)
	}
}

// Prefixes that GS1's own context declares, and schemes.
var knownPrefixes = wordsOf("cbv cbvmda dcterms epcis gs1 owl rdf rdfs schema urn xsd")

func listOf(least int, unique bool, item rule) rule {
	return func(c *checker, at string, v any) {
		list, ok := v.([]any)
		if !ok {
			c.fault(at, "is %s; want a list", kind(v))
			return
		}
		if len(list) < least {
			c.fault(at, "is empty; want at least %d", least)
		}
		seen := map[string]bool{}
		for i, entry := range list {
			if c.full() {
				return
			}
			where := fmt.Sprintf("%s/%d", at, i)
			item(c, where, entry)
			if text, isText := entry.(string); isText && unique {
				if seen[text] {
					c.fault(where, "%q is in the list already", shorten(text))
				}
				seen[text] = true
			}
		}
	}
}

func text(c *checker, at string, v any) {
	if _, ok := v.(string); !ok {
		c.fault(at, "is %s; want a string", kind(v))
	}
}

func number(c *checker, at string, v any) {
	if _, ok := v.(json.Number); !ok {
		c.fault(at, "is %s; want a number", kind(v))
	}
}

func boolean(c *checker, at string, v any) {
	if _, ok := v.(bool); !ok {
		c.fault(at, "is %s; want true or false", kind(v))
	}
}

// pattern wants text of a form, which hint describes.
func pattern(form, hint string) rule {
	re := regexp.MustCompile(form)
	return func(c *checker, at string, v any) {
		if s, ok := v.(string); !ok || !re.MatchString(s) {
			c.fault(at, "is %s; want %s", kind(v), hint)
		}
	}
}

func oneOf(words ...string) rule {
	return func(c *checker, at string, v any) {
		if s, ok := v.(string); !ok || !slices.Contains(words, s) {
			c.fault(at, "is %s; want %s", kind(v), strings.Join(words, ", "))
		}
	}
}

// RFC 3986 section 3, with the characters that may stand in a URI.
var uriForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*:([A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*$`)

func uriProblem(s string) string {
	if uriForm.MatchString(s) {
		return ""
	}
	return fmt.Sprintf("%q is not a URI", shorten(s))
}

// uri wants an absolute URI, and looks at the key that it may hold.
func uri(c *checker, at string, v any) {
	s, ok := v.(string)
	if !ok {
		c.fault(at, "is %s; want a URI", kind(v))
		return
	}
	if problem := uriProblem(s); problem != "" {
		c.fault(at, "%s; want one with a scheme, such as https://id.gs1.org/01/09521141012345/21/2017 or urn:epc:id:sgtin:…", problem)
		return
	}
	if problem := keyFault(s); problem != "" {
		c.advise(at, "%s", problem)
	}
}

// dateTime wants RFC 3339 with a zone.
func dateTime(c *checker, at string, v any) {
	s, ok := v.(string)
	if ok && !strings.Contains(s, ",") {
		if _, err := time.Parse(time.RFC3339Nano, s); err == nil {
			return
		}
	}
	c.fault(at, "is %s; want a date and time with a zone, such as 2026-07-22T06:45:00.000+08:00", kind(v))
}

// word wants a bare word of the vocabulary or a URI of another.
func (v vocabulary) word(c *checker, at string, value any) {
	s, ok := value.(string)
	switch {
	case !ok:
		c.fault(at, "is %s; want a %s", kind(value), v.name)
	case v.words[s]:
	case uriProblem(s) != "":
		c.fault(at, "%q is not a %s of the standard; one of your own is a URI%s", shorten(s), v.name, v.nearest(s))
	default:
		for _, form := range v.closed {
			if strings.HasPrefix(s, form) {
				c.fault(at, "%q: in JSON, GS1's own %ss are bare words%s", shorten(s), v.name, v.nearest(s))
				return
			}
		}
	}
}

// nearest suggests the word that was probably meant.
func (v vocabulary) nearest(s string) string {
	s = s[strings.LastIndexAny(s, ":/-")+1:]
	for _, word := range sortedWords(v.words) {
		if strings.EqualFold(word, s) || len(s) > 5 && len(word) > 5 && (strings.HasPrefix(word, s[:6]) || s[:5] == word[:5]) {
			return "; did you mean " + word + "?"
		}
	}
	return ""
}

func sortedWords(words map[string]bool) []string {
	list := make([]string, 0, len(words))
	for word := range words {
		list = append(list, word)
	}
	slices.Sort(list)
	return list
}

// document checks the root, whichever of the kinds it is.
func (c *checker) document(root *object) {
	c.prefixes = namespaces(root.get("@context"))
	t, ok := root.get("type").(string)
	switch {
	case !ok:
		c.fault("/type", "is %s; want EPCISDocument, EPCISQueryDocument or the type of an event", kind(root.get("type")))
	case t == "EPCISDocument":
		documentShape.check(c, "", root)
	case t == "EPCISQueryDocument":
		queryDocumentShape.check(c, "", root)
	default:
		if !root.has("@context") {
			c.fault("/@context", "is missing; a single event must have it")
		}
		checkEvent(c, "", root)
	}
}

func context(c *checker, at string, v any) {
	switch v := v.(type) {
	case *object:
	case []any:
		listOf(0, true, func(c *checker, at string, v any) {
			if _, isObject := v.(*object); !isObject {
				uri(c, at, v)
			}
		})(c, at, v)
	default:
		uri(c, at, v)
	}
}

var (
	eventList  = listOf(0, false, checkEvent)
	masterData = shape{what: "epcisMasterData", open: true, lax: true, fields: map[string]rule{"vocabularyList": listOf(0, false, vocabularyShape.check)}}

	vocabularyShape = shape{what: "a vocabulary", open: true, lax: true, required: []string{"type"}, fields: map[string]rule{
		"type": uri, "vocabularyElementList": listOf(0, false, shape{what: "a vocabulary element", open: true, lax: true, required: []string{"id"}, fields: map[string]rule{
			"id": uri, "children": listOf(0, false, uri), "attributes": listOf(0, false, shape{
				what: "an attribute", open: true, lax: true, required: []string{"id"}, fields: map[string]rule{"id": uri, "attribute": attribute},
			}.check),
		}}.check),
	}}
	headerShape = shape{what: "epcisHeader", open: true, fields: map[string]rule{"epcisMasterData": masterData.check}}

	documentShape = shape{
		what: "an EPCISDocument", open: true,
		required: []string{"@context", "type", "schemaVersion", "creationDate", "epcisBody"},
		fields: map[string]rule{
			"@context": context, "id": uri, "type": text, "schemaVersion": version, "creationDate": dateTime,
			"instanceIdentifier": text, "sender": text, "receiver": text, "epcisHeader": headerShape.check,
			"epcisBody": shape{what: "epcisBody", open: true, lax: true, required: []string{"eventList"}, fields: map[string]rule{"eventList": eventList}}.check,
		},
	}
	queryDocumentShape = shape{
		what: "an EPCISQueryDocument", open: true, required: []string{"@context", "type", "epcisBody"},
		fields: map[string]rule{
			"@context": context, "id": uri, "type": text, "schemaVersion": version, "creationDate": dateTime,
			"epcisBody": shape{what: "epcisBody", open: true, required: []string{"queryResults"}, fields: map[string]rule{
				"queryResults": shape{what: "queryResults", open: true, required: []string{"queryName", "resultsBody"}, fields: map[string]rule{
					"queryName": text, "subscriptionID": text,
					"resultsBody": shape{what: "resultsBody", open: true, required: []string{"eventList"}, fields: map[string]rule{
						"eventList": eventList, "vocabularyList": listOf(0, false, vocabularyShape.check),
					}}.check,
				}}.check,
			}}.check,
		},
	}
	version = pattern(`^[0-9]+(\.[0-9]+)*$`, "a version, such as 2.0")
)

func attribute(c *checker, at string, v any) {
	switch v.(type) {
	case string, json.Number, *object:
	default:
		c.fault(at, "is %s; want a string, a number or an object", kind(v))
	}
}
