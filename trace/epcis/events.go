package epcis

import (
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"
)

// OwnContext is the context of GS1 that every document of ours names.
const OwnContext = "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"

// ownContexts are the forms of its address that mean the same.
var ownContexts = []string{
	OwnContext, "https://ref.gs1.org/standards/epcis/epcis-context.jsonld", "https://gs1.github.io/EPCIS/epcis-context.jsonld",
	"https://ref.gs1.org/standards/epcis/2.0.1/epcis-context.jsonld",
}

// An Event is one event of a document, by itself.
type Event struct {
	ID       string // eventID; "" until Record gives one
	Pointer  string // where in the document it stands
	Type     string // as it is written, such as ObjectEvent
	Time     time.Time
	Declared bool // it declares an event of the same ID to be in error, section 7.4.1.2
	// Context is the JSON list of what the document and the event declare besides
	// GS1's own context; "" for nothing.
	Context string

	o     *object
	terms []Term
}

// Terms are what queries may ask of the event, each once.
func (e *Event) Terms() []Term {
	return append(slices.Clip(e.terms), text1("eventID", bounded(canonicalKey(e.ID))))
}

// Has reports whether a text field of the event, such as action, is so.
func (e *Event) Has(field, text string) bool {
	v, _ := e.o.get(field).(string)
	return v == text
}

// Len returns how many events the document has; 0 where it has no list.
func (d *Document) Len() int {
	events, err := d.events()
	if err != nil {
		return 0
	}
	return len(events)
}

// Single reports whether the document is one event and no list.
func (d *Document) Single() bool {
	t, _ := d.root.get("type").(string)
	return t != "EPCISDocument" && t != "EPCISQueryDocument"
}

// ValidateEach is Validate with the faults of each event apart, at most MaxFaults for
// each, so that the good ones can be told from the others. Advice is left out.
func (d *Document) ValidateEach() (document []Fault, each [][]Fault) {
	whole := &checker{apart: true}
	whole.document(d.root)
	events, err := d.events()
	if err != nil || d.Single() { // a single event is the whole document
		return d.Faults(), nil
	}
	each = make([][]Fault, len(events))
	for i, e := range events {
		c := &checker{prefixes: namespaces(d.root.get("@context"))}
		checkEvent(c, e.pointer, e.value)
		each[i] = c.faults
	}
	for _, f := range d.repeated {
		i := slices.IndexFunc(events, func(e located) bool { return strings.HasPrefix(f.Pointer, e.pointer+"/") })
		if i < 0 {
			whole.faults = append(whole.faults, f)
		} else {
			each[i] = append(each[i], f)
		}
	}
	for i := range each {
		each[i] = withoutAdvice(each[i])
	}
	return withoutAdvice(whole.faults), each
}

// Faults is Validate without advice.
func (d *Document) Faults() []Fault { return withoutAdvice(d.Validate()) }

func withoutAdvice(faults []Fault) []Fault {
	sortFaults(faults)
	return slices.DeleteFunc(faults, func(f Fault) bool { return f.Advice })
}

// Events returns the events of a document, in its order. It fails where the document
// has none or one of them is no event; whether they are valid, Validate says.
func (d *Document) Events() ([]*Event, error) {
	located, err := d.events()
	if err != nil {
		return nil, err
	}
	events := make([]*Event, len(located))
	for i := range located {
		if events[i], err = d.event(located[i]); err != nil {
			return nil, err
		}
	}
	return events, nil
}

// Event returns the event at a place of the document, as Events has it.
func (d *Document) Event(i int) (*Event, error) {
	located, err := d.events()
	if err != nil {
		return nil, err
	}
	return d.event(located[i])
}

func (d *Document) event(at located) (*Event, error) {
	o := asObject(at.value)
	kind, _ := o.get("type").(string)
	text, _ := o.get("eventTime").(string)
	when, err := time.Parse(time.RFC3339Nano, text)
	if kind == "" || err != nil {
		return nil, errors.New(Fault{Pointer: at.pointer, Message: "is no event with type and eventTime"}.String())
	}
	e := &Event{Pointer: at.pointer, Type: kind, Time: when.UTC(), Declared: o.has("errorDeclaration"), o: o}
	e.ID, _ = o.get("eventID").(string)
	contexts := []any{d.root.get("@context")}
	if !d.Single() {
		contexts = append(contexts, o.get("@context"))
	}
	e.Context = foreign(contexts...)
	e.terms = termsOf(o, NamesOf(contexts...))
	return e, nil
}

// Record gives the event the time at which it was recorded, in place of any that it
// has, and an ID where it has none.
func (e *Event) Record(id string, at time.Time) {
	if e.ID == "" {
		e.ID = id
		e.o.set("eventID", id)
	}
	e.o.set("recordTime", at.UTC().Format("2006-01-02T15:04:05.000000Z"))
}

// JSON returns the event without its context.
func (e *Event) JSON() []byte { return appendObject(nil, e.o, "@context") }

// foreign returns the JSON list of the entries of contexts that are not GS1's own.
func foreign(contexts ...any) string {
	var out []byte
	for _, context := range contexts {
		list, isList := context.([]any)
		if !isList {
			list = []any{context}
		}
		for _, entry := range list {
			if uri, isText := entry.(string); entry == nil || isText && slices.Contains(ownContexts, uri) {
				continue
			}
			if o := asObject(entry); o != nil && len(o.order) == 0 {
				continue
			}
			out = append(out, ',')
			out = appendJSON(out, entry)
		}
	}
	if len(out) == 0 {
		return ""
	}
	out[0] = '['
	return string(append(out, ']'))
}

// appendJSON writes a parsed value as it was read, but for white space.
func appendJSON(out []byte, v any) []byte {
	switch v := v.(type) {
	case *object:
		return appendObject(out, v)
	case []any:
		out = append(out, '[')
		for i, item := range v {
			if i > 0 {
				out = append(out, ',')
			}
			out = appendJSON(out, item)
		}
		return append(out, ']')
	case json.Number:
		return append(out, v...)
	case string:
		return appendText(out, v)
	case bool:
		return strconv.AppendBool(out, v)
	default:
		return append(out, "null"...)
	}
}

func appendObject(out []byte, o *object, without ...string) []byte {
	out = append(out, '{')
	first := true
	for _, name := range o.names() {
		if slices.Contains(without, name) {
			continue
		}
		if !first {
			out = append(out, ',')
		}
		first = false
		out = append(appendText(out, name), ':')
		out = appendJSON(out, o.get(name))
	}
	return append(out, '}')
}

func appendText(out []byte, s string) []byte {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		panic(err) // a string always encodes
	}
	return append(out, strings.TrimSuffix(b.String(), "\n")...)
}

// An Element is what a document's header says of a place, a class or another thing
// that events name: its attributes, and what is within it.
type Element struct {
	ID         string // canonical
	Attributes []Attribute
	Children   []string // canonical IDs
}

// An Attribute is a name and a value in the form that queries compare.
type Attribute struct{ Name, Value string }

// MasterData returns the elements of the document's header.
func (d *Document) MasterData() []Element {
	header := asObject(asObject(d.root.get("epcisHeader")).get("epcisMasterData"))
	names := NamesOf(d.root.get("@context"))
	var all []Element
	list, _ := header.get("vocabularyList").([]any)
	for _, v := range list {
		elements, _ := asObject(v).get("vocabularyElementList").([]any)
		for _, e := range elements {
			o := asObject(e)
			id, _ := o.get("id").(string)
			if id == "" {
				continue
			}
			all = append(all, Element{names.Text(id), names.attributes(o), names.children(o)})
		}
	}
	return all
}

func (n Names) children(o *object) []string {
	var all []string
	list, _ := o.get("children").([]any)
	for _, c := range list {
		if id, ok := c.(string); ok {
			all = append(all, n.Text(id))
		}
	}
	return all
}

func (n Names) attributes(o *object) []Attribute {
	var all []Attribute
	list, _ := o.get("attributes").([]any)
	for _, a := range list {
		name, _ := asObject(a).get("id").(string)
		if name == "" {
			continue
		}
		value := asObject(a).get("attribute")
		text, _ := scalar(value)
		all = append(all, Attribute{n.Field(name), n.Text(text)})
	}
	return all
}
