package epcis_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"tianhai/trace/epcis"
)

// An event that is written by itself, with the context of its document, says what it
// said there: it has the same hash.
func TestEventsByThemselves(t *testing.T) {
	for _, file := range append(vectors(t, "epcis/valid/*.json"), vectors(t, "event-hash/*.jsonld")...) {
		d := parse(t, readFile(t, file))
		want, err := d.Hashes()
		if err != nil {
			t.Fatal(err)
		}
		if d.Len() != len(want) {
			t.Errorf("%s: %d events, want %d", file, d.Len(), len(want))
		}
		if strings.Contains(string(readFile(t, file)), "ignoreFields") {
			continue // is said of the document
		}
		events, err := d.Events()
		if err != nil {
			t.Fatal(err)
		}
		for i, e := range events {
			e.Record("urn:uuid:1", time.Unix(0, 0))
			context := e.Context
			if context == "" {
				context = "[]"
			}
			alone := append([]byte(`{"@context":`+context+`,`), bytes.TrimPrefix(e.JSON(), []byte("{"))...)
			got, err := parse(t, string(alone)).Hashes()
			if err != nil || got[0] != want[i] {
				t.Errorf("%s: event %d by itself has hash %v, %v; want %s\n%s", file, i, got, err, want[i], alone)
			}
		}
	}
}

func TestFaultsOfEachEvent(t *testing.T) {
	raw := `{"@context": "https://ref.gs1.org/standards/epcis/epcis-context.jsonld", "type": "EPCISDocument", "creationDate": "2026-07-22T06:45:00Z", "creationDate": "2026-07-22T06:45:00Z",
		"epcisBody": {"eventList": [` + event + `,` + edit(`"ADD"`, `"NONE"`) + `, 5]}}`
	document, each := parse(t, raw).ValidateEach()
	if len(document) != 2 || document[0].Pointer != "/creationDate" || document[1].Pointer != "/schemaVersion" {
		t.Errorf("of the document: %v", document)
	}
	if len(each) != 3 || len(each[0]) != 0 || len(each[1]) != 1 || each[1][0].Pointer != "/epcisBody/eventList/1/action" || len(each[2]) != 1 {
		t.Errorf("of the events: %v", each)
	}
}

// Whatever is read, its events can be written and read again, and their terms are
// short enough for an index and hold nothing that a database refuses.
func FuzzEvents(f *testing.F) {
	f.Add([]byte(event))
	f.Add([]byte(`{"@context": [{"ex": "https://ns.example.com/"}], "type": "EPCISDocument", "epcisBody": {"eventList": [` + edit(`"ex:pond": "3"`, `"ex:pond": {"ex:a": ["\u0000", 1e400, null, {"@value": "2026-01-01T00:00:00Z"}]}`) + `]}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		d, err := epcis.Parse(raw)
		if err != nil {
			return
		}
		d.MasterData()
		document, each := d.ValidateEach()
		events, err := d.Events()
		if err != nil {
			if faults := d.Faults(); len(faults) == 0 && len(document) == 0 {
				t.Errorf("valid, and yet: %v", err)
			}
			return
		}
		if each != nil && len(each) != len(events) {
			t.Errorf("faults of %d events of %d", len(each), len(events))
		}
		for _, e := range events {
			e.Record("urn:uuid:1", time.Unix(0, 0))
			if !json.Valid(e.JSON()) || e.Context != "" && !json.Valid([]byte(e.Context)) {
				t.Errorf("no JSON: %s with %s", e.JSON(), e.Context)
			}
			for _, term := range e.Terms() {
				if len(term.Text) > 240 || len(term.Field) > 400 || strings.Contains(term.Text+term.Field, "\x00") {
					t.Errorf("term %+v", term)
				}
			}
		}
	})
}
