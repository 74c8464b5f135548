package epcis_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tianhai/trace/epcis"
)

func TestLinked(t *testing.T) {
	for name, test := range map[string]struct{ raw, want string }{
		"an item":           {`{"epcList": ["urn:epc:id:sgtin:4012345.011111.9876"]}`, `{"epcList": ["https://id.gs1.org/01/04012345111118/21/9876"]}`},
		"a class":           {`{"epcClass":"urn:epc:class:lgtin:4012345.012345.998877","quantity":2.50}`, `{"epcClass":"https://id.gs1.org/01/04012345123456/10/998877","quantity":2.50}`},
		"a place":           {`["urn:epc:id:sgln:4012345.12345.0"]`, `["https://id.gs1.org/414/4012345123456"]`},
		"a key":             {`{"urn:epc:id:sgtin:4012345.011111.9876" : 1}`, `{"urn:epc:id:sgtin:4012345.011111.9876" : 1}`},
		"nothing":           {`{"a":"b","c":[1e3,null]}`, `{"a":"b","c":[1e3,null]}`},
		"no link":           {`["urn:epc:id:usdod:CAGEY.5678","urn:epcglobal:cbv:bizstep:shipping"]`, `["urn:epc:id:usdod:CAGEY.5678","urn:epcglobal:cbv:bizstep:shipping"]`},
		"a quotation in it": {`{"a":"\"urn:epc:id:sgtin:4012345.011111.9876\""}`, `{"a":"\"urn:epc:id:sgtin:4012345.011111.9876\""}`},
		"a broken end":      {`{"a":"urn:epc:id:sgtin`, `{"a":"urn:epc:id:sgtin`},
	} {
		if got := string(epcis.Linked([]byte(test.raw))); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}

// What is translated is valid as before, and of the same hashes.
func TestLinkedDocuments(t *testing.T) {
	files, err := filepath.Glob("../../../shared/vectors/epcis/valid/*.json")
	if err != nil || len(files) == 0 {
		t.Skip("../shared/vectors/epcis is not here")
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		linked := epcis.Linked(raw)
		before, after := parse(t, string(raw)), parse(t, string(linked))
		for _, f := range after.Validate() {
			if !f.Advice && !strings.Contains(f.Message, "in the list already") { // which named it in both forms
				t.Errorf("%s: %s", file, f)
			}
		}
		one, err1 := before.Hashes()
		other, err2 := after.Hashes()
		if err1 != nil || err2 != nil || !slices.Equal(one, other) {
			t.Errorf("%s: hashes %v and %v, %v, %v", file, one, other, err1, err2)
		}
		if bytes.Contains(linked, []byte(`"urn:epc:id:sgtin:`)) {
			t.Errorf("%s still has URNs of items", file)
		}
	}
}

// A key is an EPC URN again where an operator stated its company prefix, and the first
// that is not is told of.
func TestEPCURNs(t *testing.T) {
	for name, test := range map[string]struct{ raw, want, left string }{
		"an item":            {`{"epcList": ["https://id.gs1.org/01/04012345111118/21/9876"]}`, `{"epcList": ["urn:epc:id:sgtin:4012345.011111.9876"]}`, ""},
		"on another host":    {`{"epcList":["https://example.com/gtin/4012345111118/ser/9876?17=260101"]}`, `{"epcList":["urn:epc:id:sgtin:4012345.011111.9876"]}`, ""},
		"a lot":              {`{"epcClass":"https://id.gs1.org/01/04012345123456/10/998877","quantity":2.50}`, `{"epcClass":"urn:epc:class:lgtin:4012345.012345.998877","quantity":2.50}`, ""},
		"a class":            {`{"epcClass":"https://id.gs1.org/01/04012345123456"}`, `{"epcClass":"urn:epc:idpat:sgtin:4012345.012345.*"}`, ""},
		"a place":            {`{"readPoint":{"id":"https://id.gs1.org/414/4012345123456"}}`, `{"readPoint":{"id":"urn:epc:id:sgln:4012345.12345.0"}}`, ""},
		"a longer prefix":    {`{"parentID":"https://id.gs1.org/00/069012345600000015"}`, `{"parentID":"urn:epc:id:sscc:690123456.00000001"}`, ""},
		"an EPC URN":         {`{"epcList":["urn:epc:id:sgtin:0614141.107346.2018"]}`, `{"epcList":["urn:epc:id:sgtin:0614141.107346.2018"]}`, ""},
		"what holds no key":  {`{"epcList":["https://farm.example/epcis/id/batch/1"]}`, `{"epcList":["https://farm.example/epcis/id/batch/1"]}`, ""},
		"a link to follow":   {`{"rawData":"https://id.gs1.org/8004/4012345111"}`, `{"rawData":"https://id.gs1.org/8004/4012345111"}`, ""},
		"another's":          {`{"epcList":["https://id.gs1.org/01/10614141073464/21/1","https://id.gs1.org/01/04012345111118/21/1"]}`, `{"epcList":["https://id.gs1.org/01/10614141073464/21/1","urn:epc:id:sgtin:4012345.011111.1"]}`, "https://id.gs1.org/01/10614141073464/21/1"},
		"a check digit":      {`{"parentID":"https://id.gs1.org/01/04012345111117/21/1"}`, `{"parentID":"https://id.gs1.org/01/04012345111117/21/1"}`, "https://id.gs1.org/01/04012345111117/21/1"},
		"a list behind keys": {`{"x":[{"id":"urn:a:b"}],"childEPCs":["https://id.gs1.org/01/04012345111118/21/1"]}`, `{"x":[{"id":"urn:a:b"}],"childEPCs":["urn:epc:id:sgtin:4012345.011111.1"]}`, ""},
	} {
		got, left := epcis.EPCURNs.Write([]byte(test.raw), []string{"4012345", "690123456"})
		if string(got) != test.want || left != test.left {
			t.Errorf("%s: %s, %q left; want %s, %q", name, got, left, test.want, test.left)
		}
	}
	if got, left := epcis.AsCaptured.Write([]byte(`["urn:epc:id:sgln:4012345.12345.0"]`), nil); string(got) != `["urn:epc:id:sgln:4012345.12345.0"]` || left != "" {
		t.Errorf("as captured: %s, %q", got, left)
	}
}

func FuzzLinked(f *testing.F) {
	f.Add([]byte(`{"epcList": ["urn:epc:id:sgtin:4012345.011111.9876", "\\"]}`))
	f.Add([]byte(`"urn:epc:id:sscc:4012345.\`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		got := epcis.Linked(raw)
		if json.Valid(raw) != json.Valid(got) {
			t.Fatalf("%q became %q", raw, got)
		}
		if urns, _ := epcis.EPCURNs.Write(raw, []string{"4012345", "061414"}); json.Valid(raw) != json.Valid(urns) {
			t.Fatalf("%q became %q", raw, urns)
		}
		if again := epcis.Linked(got); !bytes.Equal(again, got) && !strings.Contains(string(raw), `\`) {
			t.Fatalf("%q became %q and then %q", raw, got, again)
		}
	})
}
