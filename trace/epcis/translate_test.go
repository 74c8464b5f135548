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

func FuzzLinked(f *testing.F) {
	f.Add([]byte(`{"epcList": ["urn:epc:id:sgtin:4012345.011111.9876", "\\"]}`))
	f.Add([]byte(`"urn:epc:id:sscc:4012345.\`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		got := epcis.Linked(raw)
		if json.Valid(raw) != json.Valid(got) {
			t.Fatalf("%q became %q", raw, got)
		}
		if again := epcis.Linked(got); !bytes.Equal(again, got) && !strings.Contains(string(raw), `\`) {
			t.Fatalf("%q became %q and then %q", raw, got, again)
		}
	})
}
