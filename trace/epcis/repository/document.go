package repository

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
	"time"

	"tianhai/trace/epcis"
)

// A Head is what an EPCISQueryDocument says of itself.
type Head struct {
	Query        string // name of the query, SimpleEventQuery where it has none
	Subscription string // "" where nobody subscribed
	Created      time.Time
}

// SimpleEventQuery is the name of a query that has none of its own.
const SimpleEventQuery = "SimpleEventQuery"

// AppendDocument writes an EPCISQueryDocument of events. Its context declares what the
// events need. Where two mean different things by one prefix, the later of them carries
// a context of its own.
func AppendDocument(out []byte, h Head, events []Stored) []byte {
	m := merge{prefixes: map[string]string{}}
	own := make([]bool, len(events))
	for i, e := range events {
		own[i] = !m.add(e.Context)
	}
	out = append(out, `{"@context":`...)
	out = append(out, m.context()...)
	out = append(out, `,"type":"EPCISQueryDocument","schemaVersion":"2.0","creationDate":"`...)
	out = h.Created.UTC().AppendFormat(out, "2006-01-02T15:04:05.000Z")
	out = append(out, `","epcisBody":{"queryResults":{"queryName":`...)
	out = append(out, quoted(h.Query)...)
	if h.Subscription != "" {
		out = append(append(out, `,"subscriptionID":`...), quoted(h.Subscription)...)
	}
	out = append(out, `,"resultsBody":{"eventList":[`...)
	for i, e := range events {
		if i > 0 {
			out = append(out, ',')
		}
		if own[i] {
			out = append(append(append(out, `{"@context":`...), e.Context...), ',')
			out = append(out, bytes.TrimPrefix(e.JSON, []byte("{"))...)
			continue
		}
		out = append(out, e.JSON...)
	}
	return append(out, `]}}}}`...)
}

// Event reads the event, by itself: it may be as deep as what is captured, and within a
// document it would be deeper.
func (s Stored) Event() (*epcis.Event, error) {
	raw := append([]byte(`{"@context":`), cmp.Or(s.Context, "[]")...)
	doc, err := epcis.Parse(append(append(raw, ','), bytes.TrimPrefix(s.JSON, []byte("{"))...))
	if err != nil {
		return nil, err
	}
	return doc.Event(0)
}

// Prefixes returns what the prefixes of events stand for, as AppendDocument declares
// them.
func Prefixes(events []Stored) map[string]string {
	m := merge{prefixes: map[string]string{}}
	for _, e := range events {
		m.add(e.Context)
	}
	uris := map[string]string{}
	for prefix, raw := range m.prefixes {
		var uri string
		if json.Unmarshal([]byte(raw), &uri) == nil {
			uris[prefix] = uri
		}
	}
	return uris
}

func quoted(s string) []byte {
	raw, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string always marshals
	}
	return raw
}

// A merge gathers contexts as long as they agree.
type merge struct {
	seen     []string // whole contexts that were taken in
	links    []string // JSON of addresses
	prefixes map[string]string
	order    []string
}

// add takes a context in; false where it says something else of a prefix than those
// before.
func (m *merge) add(context string) bool {
	if context == "" || slices.Contains(m.seen, context) {
		return true
	}
	var entries []json.RawMessage
	if json.Unmarshal([]byte(context), &entries) != nil {
		return false
	}
	var objects []map[string]json.RawMessage
	var links []string
	for _, entry := range entries {
		var o map[string]json.RawMessage
		if entry[0] != '{' {
			links = append(links, string(entry))
			continue
		}
		if json.Unmarshal(entry, &o) != nil {
			return false
		}
		for name, means := range o {
			if before, known := m.prefixes[name]; known && before != string(means) {
				return false
			}
		}
		objects = append(objects, o)
	}
	if len(objects) > 1 { // in one document the later ones win; merged, nobody would
		seen := map[string]string{}
		for _, o := range objects {
			for name, means := range o {
				if before, again := seen[name]; again && before != string(means) {
					return false
				}
				seen[name] = string(means)
			}
		}
	}
	m.take(context, objects, links)
	return true
}

func (m *merge) take(context string, objects []map[string]json.RawMessage, links []string) {
	m.seen = append(m.seen, context)
	for _, link := range links {
		if !slices.Contains(m.links, link) {
			m.links = append(m.links, link)
		}
	}
	for _, o := range objects {
		for name, means := range o {
			if _, known := m.prefixes[name]; !known {
				m.order = append(m.order, name)
			}
			m.prefixes[name] = string(means)
		}
	}
	slices.Sort(m.order)
}

// context returns the JSON of what was taken in.
func (m *merge) context() []byte {
	out := append([]byte{'['}, quoted(epcis.OwnContext)...)
	for _, link := range m.links {
		out = append(append(out, ','), link...)
	}
	for i, name := range m.order {
		if i == 0 {
			out = append(out, `,{`...)
		} else {
			out = append(out, ',')
		}
		out = append(append(append(out, quoted(name)...), ':'), m.prefixes[name]...)
	}
	if len(m.order) > 0 {
		out = append(out, '}')
	}
	return append(out, ']')
}
