// Package epcis reads documents of GS1's EPCIS 2.0 in JSON, says where they
// break the standard, and computes the hashes of their events as CBV 2.0
// section 8.9.2 defines them.
//
// Sources: EPCIS 2.0 with its JSON schema 2.0.0 and the changes of 2.0.1 that
// are known, CBV 2.0, and the EPC Tag Data Standard 2.0 for the forms of
// identification keys.
package epcis

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Limits of a document, so that none can exhaust who reads it.
const (
	MaxSize   = 16 << 20 // bytes
	MaxDepth  = 64       // objects and lists within each other
	MaxFaults = 100      // that Validate lists
)

// A Document is an EPCISDocument, an EPCISQueryDocument or a single event.
type Document struct {
	root     *object
	repeated []Fault // keys that an object has twice
}

// A Fault is one place where a document breaks the standard.
type Fault struct {
	Pointer string // RFC 6901, "" for the whole document
	Message string // what is there and what would be right
	Advice  bool   // the schema lets it pass: a key without its check digit, an undeclared prefix
}

func (f Fault) String() string {
	where := f.Pointer
	if where == "" {
		where = "(document)"
	}
	return where + ": " + f.Message
}

// Parse reads a document, with or without a byte order mark, which is not
// counted. Its error names the byte where the text is not JSON, or the limit
// that it exceeds; whether the JSON is EPCIS, Validate says.
func Parse(raw []byte) (*Document, error) {
	p, v, err := parseJSON(raw)
	if err != nil {
		return nil, err
	}
	root, ok := v.(*object)
	if !ok {
		return nil, fmt.Errorf("the document is %s; want an object: a single event, or an EPCISDocument, which has a list of events in epcisBody", kind(v))
	}
	return &Document{root: root, repeated: p.repeated}, nil
}

// A located value knows its JSON pointer.
type located struct {
	pointer string
	value   any
}

// events returns the events of the document.
func (d *Document) events() ([]located, error) {
	if t, _ := d.root.get("type").(string); t != "EPCISDocument" && t != "EPCISQueryDocument" {
		return []located{{"", d.root}}, nil
	}
	at, body := "/epcisBody", asObject(d.root.get("epcisBody"))
	if results := asObject(body.get("queryResults")); results != nil {
		at, body = at+"/queryResults/resultsBody", asObject(results.get("resultsBody"))
	}
	if event := body.get("event"); event != nil {
		return []located{{at + "/event", event}}, nil
	}
	list, ok := body.get("eventList").([]any)
	if !ok {
		return nil, errors.New(Fault{Pointer: at + "/eventList", Message: "is " + kind(body.get("eventList")) + "; want a list of events"}.String())
	}
	events := make([]located, len(list))
	for i, v := range list {
		events[i] = located{at + "/eventList/" + strconv.Itoa(i), v}
	}
	return events, nil
}

// namespaces returns what the prefixes stand for that contexts declare in
// place, the inner ones last.
func namespaces(contexts ...any) map[string]string {
	known := map[string]string{}
	for _, context := range contexts {
		list, ok := context.([]any)
		if !ok {
			list = []any{context}
		}
		for _, entry := range list {
			o := asObject(entry)
			for _, prefix := range o.names() {
				if uri, isText := o.get(prefix).(string); isText {
					known[prefix] = uri
				}
			}
		}
	}
	return known
}

// pointerEscapes are those of RFC 6901.
var pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1")

// pointerTo returns the JSON pointer of a member.
func pointerTo(at, name string) string { return at + "/" + pointerEscapes.Replace(name) }

// sortFaults puts faults into the order of their places, as a list of events
// is read.
func sortFaults(faults []Fault) {
	slices.SortStableFunc(faults, func(a, b Fault) int {
		return slices.CompareFunc(strings.Split(a.Pointer, "/"), strings.Split(b.Pointer, "/"), func(x, y string) int {
			i, errX := strconv.Atoi(x)
			j, errY := strconv.Atoi(y)
			if errX == nil && errY == nil {
				return i - j
			}
			return strings.Compare(x, y)
		})
	})
}
