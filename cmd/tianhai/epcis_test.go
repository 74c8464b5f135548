package main

import (
	"strings"
	"testing"
)

const epcisEvent = `{"@context": "https://ref.gs1.org/standards/epcis/epcis-context.jsonld", "type": "ObjectEvent",
"eventTime": "2026-07-22T06:45:00+08:00", "eventTimeZoneOffset": "+08:00", "action": "ADD", "epcList": ["https://id.gs1.org/01/04012345111117/21/1"]}`

// At the shell: faults on standard output, and a failure if there are any.
func TestEPCISValidate(t *testing.T) {
	for name, test := range map[string]struct {
		in, out string
		strict  bool
		fails   bool
	}{
		"advice":         {in: epcisEvent, out: "advice: /epcList/0: the check digit"},
		"advice, strict": {in: epcisEvent, out: "/epcList/0: the check digit", strict: true, fails: true},
		"fault":          {in: strings.Replace(epcisEvent, "ADD", "CREATE", 1), out: `/action: is "CREATE"; want OBSERVE, ADD, DELETE`, fails: true},
		"no JSON":        {in: "{", fails: true},
	} {
		var out strings.Builder
		err := (&epcisValidateCommand{File: "-", Strict: test.strict}).run(strings.NewReader(test.in), &out)
		if (err != nil) != test.fails || !strings.HasPrefix(out.String(), test.out) {
			t.Errorf("%s: printed %q, error %v; want %q", name, out.String(), err, test.out)
		}
	}
}

func TestEPCISHash(t *testing.T) {
	var out strings.Builder
	if err := (&epcisHashCommand{File: "-"}).run(strings.NewReader(epcisEvent), &out); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); !strings.HasPrefix(got, "ni:///sha-256;") || strings.Count(got, "\n") != 1 || !strings.HasSuffix(got, "?ver=CBV2.0\n") {
		t.Errorf("printed %q, want one hash", got)
	}
}
