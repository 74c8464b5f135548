package epcis_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"tianhai/trace/epcis"
)

const event = `{"@context": ["https://ref.gs1.org/standards/epcis/epcis-context.jsonld", {"ex": "https://ns.example.com/"}],
"type": "ObjectEvent", "eventTime": "2026-07-22T06:45:00+08:00", "eventTimeZoneOffset": "+08:00", "action": "ADD",
"epcList": ["urn:epc:id:sgtin:4012345.011111.9876"], "bizStep": "commissioning", "ex:pond": "3"}`

// edit returns the event with replacements, old and new in turn.
func edit(replacements ...string) string {
	return strings.NewReplacer(replacements...).Replace(event)
}

func TestRefusedText(t *testing.T) {
	for name, test := range map[string]struct{ raw, want string }{
		"empty":         {"", "unexpected EOF"},
		"cut off":       {event[:60], "byte "},
		"no object":     {"3", "want an object"},
		"bare list":     {"[" + event + "]", "is a list; want an object"},
		"two documents": {event + "{}", "more after the document"},
		"not UTF-8":     {"{\"a\": \"\xff\"}", "byte 7"},
		"too deep":      {strings.Repeat(`{"a":`, epcis.MaxDepth+1), "deep"},
		"too large":     {strings.Repeat(" ", epcis.MaxSize+1), "at most"},
	} {
		_, err := epcis.Parse([]byte(test.raw))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error is %v, want %q", name, err, test.want)
		}
	}
}

func TestFaultsOfOneEvent(t *testing.T) {
	for name, test := range map[string]struct {
		raw  string
		want []string // pointers
	}{
		"none":                       {event, nil},
		"byte order mark":            {"\uFEFF" + event, nil},
		"context is one address":     {edit(`["https://ref.gs1.org/standards/epcis/epcis-context.jsonld", {"ex": "https://ns.example.com/"}]`, `"https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"`, `"ex:pond"`, `"https://ns.example.com/pond"`), nil},
		"context is one object":      {edit(`["https://ref.gs1.org/standards/epcis/epcis-context.jsonld", {"ex": "https://ns.example.com/"}]`, `{"ex": "https://ns.example.com/"}`), nil},
		"context is a number":        {edit(`["https://ref.gs1.org/standards/epcis/epcis-context.jsonld", {"ex": "https://ns.example.com/"}]`, `2`, `"ex:pond"`, `"https://ns.example.com/pond"`), []string{"/@context"}},
		"word of GS1 as a CURIE":     {edit(`"commissioning"`, `"cbv:BizStep-commissioning"`), nil},
		"word of GS1 as its URI":     {edit(`"commissioning"`, `"https://ref.gs1.org/cbv/BizStep-commissioning"`), nil},
		"word of GS1 on its old URI": {edit(`"commissioning"`, `"https://ns.gs1.org/cbv/BizStep-commissioning"`), []string{"/bizStep"}},
		"alert as a CURIE":           {edit(`"ex:pond"`, `"sensorElementList": [{"sensorReport": [{"type": "gs1:Temperature", "exception": "gs1:ALARM_CONDITION", "component": "cbv:Comp-x"}]}], "ex:pond"`), nil},
		"certificates":               {edit(`"ex:pond"`, `"certificationInfo": ["https://c.example/1", "a certificate"], "ex:pond"`), []string{"/certificationInfo/1"}},
		"certificate in full":        {edit(`"ex:pond"`, `"certificationInfo": {"gs1:certificationAgency": "x"}, "ex:pond"`), []string{"/certificationInfo"}},
		"free within an extension":   {edit(`"3"`, `{"ex:a": [{"free": {"ex:b": null}}, 1, "x"], "@id": "y"}`), nil},
		"key twice":                  {edit(`"action": "ADD"`, `"action": "ADD", "action": "ADD"`), []string{"/action"}},
		"no context":                 {edit(`"@context"`, `"https://ns.example.com/context"`, `ex:pond`, `https://ns.example.com/pond`), []string{"/@context"}},
		"no zone":                    {edit(`+08:00", "eventTimeZoneOffset"`, `", "eventTimeZoneOffset"`), []string{"/eventTime"}},
		"no day":                     {edit(`2026-07-22T`, `2026-02-30T`), []string{"/eventTime"}},
		"offset too large":           {edit(`"+08:00"`, `"+14:30"`), []string{"/eventTimeZoneOffset"}},
		"action unknown":             {edit(`"ADD"`, `"CREATE"`), []string{"/action"}},
		"business step of CBV 1":     {edit(`"commissioning"`, `"urn:epcglobal:cbv:bizstep:commissioning"`), []string{"/bizStep"}},
		"business step of one's own": {edit(`"commissioning"`, `"https://ns.example.com/feeding"`), nil},
		"extension without prefix":   {edit(`"ex:pond"`, `"pond"`), []string{"/pond"}},
		"slash in a name":            {edit(`"ex:pond"`, `"a/b"`), []string{"/a~1b"}},
		"no URI":                     {edit(`"urn:epc:id:sgtin:4012345.011111.9876"`, `"a carp"`), []string{"/epcList/0"}},
		"one EPC twice":              {edit(`["urn`, `["urn:epc:id:sgtin:4012345.011111.9876", "urn`), []string{"/epcList/1"}},
		"master data without ADD":    {edit(`"ADD"`, `"OBSERVE", "ilmd": {"ex:lot": "1"}`), []string{"/ilmd"}},
		"kind unknown":               {edit(`ObjectEvent`, `FishEvent`), []string{"/type"}},
		"kind of one's own":          {edit(`ObjectEvent`, `ex:FishEvent`), nil},
		"quantity of text":           {edit(`"ex:pond"`, `"quantityList": [{"epcClass": "urn:epc:class:lgtin:4012345.012345.L", "quantity": "5", "uom": "kilo"}], "ex:pond"`), []string{"/quantityList/0/quantity", "/quantityList/0/uom"}},
		"report without type":        {edit(`"ex:pond"`, `"sensorElementList": [{"sensorReport": [{"value": 3}]}], "ex:pond"`), []string{"/sensorElementList/0/sensorReport/0/type"}},
		"disposition neither way":    {edit(`"ex:pond"`, `"persistentDisposition": {}, "ex:pond"`), []string{"/persistentDisposition"}},
		"source without type":        {edit(`"ex:pond"`, `"sourceList": [{"source": "urn:epc:id:pgln:4012345.00001"}], "ex:pond"`), []string{"/sourceList/0/type"}},
		"correction without time":    {edit(`"ex:pond"`, `"errorDeclaration": {"reason": "incorrect_data"}, "ex:pond"`), []string{"/errorDeclaration/declarationTime"}},
		"aggregation of nothing":     {edit(`ObjectEvent`, `AggregationEvent`, `"epcList"`, `"ex:list"`), []string{"", "/parentID"}},
		"association without parent": {edit(`ObjectEvent`, `AssociationEvent`, `"epcList"`, `"childEPCs"`), []string{"/parentID"}},
		"transaction without one":    {edit(`ObjectEvent`, `TransactionEvent`), []string{"/bizTransactionList"}},
		"half a transformation":      {edit(`ObjectEvent`, `TransformationEvent`, `"epcList"`, `"inputEPCList"`, `"action"`, `"ex:action"`), []string{""}},
		"its other half":             {edit(`ObjectEvent`, `TransformationEvent`, `"epcList"`, `"inputEPCList"`, `"action": "ADD"`, `"transformationID": "urn:a:b"`), nil},
	} {
		faults, advice := broken(parse(t, test.raw))
		var got []string
		for _, f := range faults {
			got = append(got, f.Pointer)
		}
		if !slices.Equal(got, test.want) || len(advice) > 0 {
			t.Errorf("%s: faults %v and advice %v; want faults at %q", name, faults, advice, test.want)
		}
	}
}

func TestAdvice(t *testing.T) {
	for name, test := range map[string]struct{ raw, pointer, want string }{
		"check digit":  {edit(`urn:epc:id:sgtin:4012345.011111.9876`, `https://id.example.com/01/04012345111117/21/1`), "/epcList/0", "want 04012345111118"},
		"EPC too long": {edit(`4012345.011111`, `4012345.0111110`), "/epcList/0", "13 digits"},
		"prefix":       {edit(`"ex:pond"`, `"other:pond"`), "/other:pond", "not declared"},
		"of a place":   {edit(`"ex:pond"`, `"readPoint": {"id": "urn:a:b", "gate": 3}, "ex:pond"`), "/readPoint/gate", "not a field of a place"},
	} {
		faults, advice := broken(parse(t, test.raw))
		if len(faults) > 0 || len(advice) != 1 || advice[0].Pointer != test.pointer || !strings.Contains(advice[0].Message, test.want) {
			t.Errorf("%s: faults %v, advice %v; want advice at %s: %s", name, faults, advice, test.pointer, test.want)
		}
	}
}

func TestFaultsAreLimited(t *testing.T) {
	list := strings.Repeat(`"no URI",`, 1000)
	faults := parse(t, edit(`["urn`, `[`+list+`"urn`)).Validate()
	if len(faults) != epcis.MaxFaults {
		t.Errorf("there are %d faults, want %d", len(faults), epcis.MaxFaults)
	}
}

func hash(t *testing.T, raw string) string {
	t.Helper()
	hashes, err := parse(t, raw).Hashes()
	if err != nil || len(hashes) != 1 {
		t.Fatalf("hashes are %v, error %v; want one", hashes, err)
	}
	return hashes[0]
}

// What says the same has the same hash, and what does not has not.
func TestSameAndOther(t *testing.T) {
	for name, test := range map[string]struct {
		raw  string
		same bool
	}{
		"in UTC":           {edit(`2026-07-22T06:45:00+08:00`, `2026-07-21T22:45:00.0004Z`), true},
		"rounded up":       {edit(`06:45:00+`, `06:45:00.0005+`), false},
		"as Digital Link":  {edit(`urn:epc:id:sgtin:4012345.011111.9876`, `https://example.com/gtin/4012345111118/22/v/10/lot/21/9876?17=260101`), true},
		"another EPC":      {edit(`9876`, `9877`), false},
		"as URI":           {edit(`"commissioning"`, `"https://ref.gs1.org/cbv/BizStep-commissioning"`), true},
		"as URN":           {edit(`"commissioning"`, `"urn:epcglobal:cbv:bizstep:commissioning"`), true},
		"as number":        {edit(`"3"`, `3.00`), true},
		"with spaces":      {edit(`"3"`, `" 3 "`), true},
		"another prefix":   {edit(`"ex"`, `"x"`, `ex:pond`, `x:pond`), true},
		"other namespace":  {edit(`ns.example.com`, `ns.example.org`), false},
		"order of members": {edit(`"action": "ADD",`, ``, `"ex:pond"`, `"action": "ADD", "ex:pond"`), true},
		"recorded":         {edit(`"ex:pond"`, `"eventID": "urn:a:b", "recordTime": "2026-07-22T06:45:00Z", "errorDeclaration": {"declarationTime": "2026-07-22T06:45:00Z"}, "ex:pond"`), true},
		"with comment":     {edit(`"ex:pond"`, `"rdfs:comment": "a note", "ex:pond"`), true},
		"with extension":   {edit(`"ex:pond"`, `"ex:net": "2", "ex:pond"`), false},
		"with master data": {edit(`"ex:pond"`, `"ilmd": {"ex:lot": "1"}, "ex:pond"`), false},
	} {
		if same := hash(t, test.raw) == hash(t, event); same != test.same {
			t.Errorf("%s: the same hash is %v, want %v", name, same, test.same)
		}
	}
}

func TestHashRefuses(t *testing.T) {
	for name, raw := range map[string]string{
		"key twice": edit(`"action": "ADD"`, `"action": "ADD", "action": "DELETE"`),
		"no type":   edit(`"type"`, `"ex:type"`),
		"no events": `{"type": "EPCISDocument", "epcisBody": {}}`,
		"no object": `{"type": "EPCISDocument", "epcisBody": {"eventList": ["x"]}}`,
	} {
		if hashes, err := parse(t, raw).Hashes(); err == nil {
			t.Errorf("%s: hashes are %v, want an error", name, hashes)
		}
	}
}

// Keys and links are those of Tag Data Standard 2.0 and of the reference
// implementation's examples.
func TestDigitalLink(t *testing.T) {
	for urn, want := range map[string]string{
		"id:sgtin:4012345.011111.9876":         "01/04012345111118/21/9876",
		"id:sgtin:0614141.812345.6789%2F%26!*": "01/80614141123458/21/6789%2F%26%21%2A",
		"id:sgtin:415056789012.0.987654":       "01/04150567890128/21/987654",
		"id:sscc:4012345.3111111111":           "00/340123451111111111",
		"id:sgln:4012345.00005.0":              "414/4012345000054",
		"id:sgln:0614141.07346.1234":           "414/0614141073467/254/1234",
		"id:grai:4012345.66666.87":             "8003/0401234566666387",
		"id:giai:4000001.111":                  "8004/4000001111",
		"id:gsrn:0614141.0000010253":           "8018/061414100000102534",
		"id:gsrnp:4012345.0000098765":          "8017/401234500000987658",
		"id:gdti:4012345.55555.1234":           "253/40123455555541234",
		"id:gdti:987659999999..9":              "253/98765999999929",
		"id:cpi:4012345.ABC.123":               "8010/4012345ABC/8011/123",
		"id:sgcn:4012345.99999.44":             "255/401234599999044",
		"id:ginc:4012345.333":                  "401/4012345333",
		"id:gsin:4012345.999987654":            "402/40123459999876541",
		"id:itip:4012345.012345.01.02.999":     "8006/040123451234560102/21/999",
		"id:upui:4012345.012345.AB12":          "01/04012345123456/235/AB12",
		"id:pgln:5200001.00000":                "417/5200001000008",
		"id:pgln:999999999999.":                "417/9999999999994",
		"class:lgtin:4054739.099914.20160711":  "01/04054739999148/10/20160711",
		"idpat:sgtin:4012345.066666.*":         "01/04012345666663",
		"idpat:grai:4012345.66666.*":           "8003/04012345666663",
		"idpat:gdti:4012345.55555.*":           "253/4012345555554",
		"idpat:sgcn:4012345.99999.*":           "255/4012345999990",
		"idpat:cpi:4012345.ABC.*":              "8010/4012345ABC",
		"idpat:itip:4012345.012345.01.02.*":    "8006/040123451234560102",
		"idpat:upui:4012345.012345.*":          "01/04012345123456",
	} {
		got, err := epcis.DigitalLink("urn:epc:" + urn)
		if err != nil || got != "https://id.gs1.org/"+want {
			t.Errorf("%s is %s, error %v; want %s", urn, got, err, want)
		}
		_, body, _ := strings.Cut(strings.SplitN(urn, ":", 2)[1], ":")
		company, _, _ := strings.Cut(body, ".")
		back, err := epcis.EPC(got, len(company))
		if urn == "idpat:upui:4012345.012345.*" {
			urn = "idpat:sgtin:4012345.012345.*" // one link is all that both classes have
		}
		if err != nil || back != "urn:epc:"+urn {
			t.Errorf("%s is %s again, error %v; want %s", got, back, err, urn)
		}
	}
}

func TestNoDigitalLink(t *testing.T) {
	for name, urn := range map[string]string{
		"no EPC":              "urn:isbn:9780345418913",
		"kind unknown":        "urn:epc:id:usdod:CAGEY.5678",
		"no class of it":      "urn:epc:idpat:sscc:4012345.*",
		"company too short":   "urn:epc:id:sgtin:40123.01111123.1",
		"one digit short":     "urn:epc:id:sgtin:4012345.01111.1",
		"letter in the item":  "urn:epc:id:sgtin:4012345.01111A.1",
		"no serial":           "urn:epc:id:sgtin:4012345.011111",
		"serial empty":        "urn:epc:id:sgtin:4012345.011111.",
		"serial too long":     "urn:epc:id:sgtin:4012345.011111." + strings.Repeat("1", 21),
		"slash in a serial":   "urn:epc:id:sgtin:4012345.011111.a/b",
		"letters in a coupon": "urn:epc:id:sgcn:4012345.99999.A",
		"lower case part":     "urn:epc:id:cpi:4012345.abc.1",
		"part without serial": "urn:epc:id:cpi:4012345.ABC",
		"piece of one digit":  "urn:epc:id:itip:4012345.012345.1.02.999",
	} {
		if link, err := epcis.DigitalLink(urn); err == nil {
			t.Errorf("%s: the link is %s, want an error", name, link)
		}
	}
}

func TestNoEPC(t *testing.T) {
	for name, test := range map[string]struct {
		link   string
		digits int
	}{
		"no link":           {"https://example.com/", 7},
		"check digit":       {"https://id.gs1.org/01/04012345111117/21/1", 7},
		"company too short": {"https://id.gs1.org/01/04012345111118/21/1", 5},
		"company too long":  {"https://id.gs1.org/01/04012345111118/21/1", 13},
		"key too short":     {"https://id.gs1.org/00/0401", 7},
		"other qualifier":   {"https://id.gs1.org/417/5200001000008/254/1", 7},
		"no serial":         {"https://id.gs1.org/255/", 7},
	} {
		if urn, err := epcis.EPC(test.link, test.digits); err == nil {
			t.Errorf("%s: the EPC is %s, want an error", name, urn)
		}
	}
}

// No text breaks the reader, and what it says of a document is the same
// however often it is asked.
func FuzzDocument(f *testing.F) {
	f.Add([]byte(event))
	f.Add([]byte(fmt.Sprintf(`{"type": "EPCISDocument", "epcisBody": {"eventList": [%s]}}`, event)))
	f.Add([]byte(`{"type": "EPCISQueryDocument", "epcisBody": {"queryResults": {"resultsBody": {"eventList": [{}]}}}}`))
	f.Add([]byte(`{"type": "urn:epc:id:sgtin:.", "readPoint": {"id": "urn:epc:id:sgln:123456789012..0"}, "a": [[1]]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		d, err := epcis.Parse(raw)
		if err != nil {
			return
		}
		faults := d.Validate()
		if len(faults) > epcis.MaxFaults || !slices.Equal(faults, d.Validate()) {
			t.Fatalf("faults are %v, then %v", faults, d.Validate())
		}
		first, err := d.Hashes()
		second, again := d.Hashes()
		if !slices.Equal(first, second) || (err == nil) != (again == nil) {
			t.Fatalf("hashes are %v, then %v", first, second)
		}
	})
}

// What has an EPC comes back from it as the same link.
func FuzzEPC(f *testing.F) {
	f.Add("https://id.gs1.org/01/04012345111118/21/9876", 7)
	f.Add("https://id.gs1.org/8006/040123451234560102/21/999", 12)
	f.Add("https://example.com/8010/4012345ABC/8011/123?x", 6)
	f.Add(strings.Repeat("\x99", 85), 64)
	f.Fuzz(func(t *testing.T, link string, digits int) {
		urn, err := epcis.EPC(link, digits)
		if err != nil {
			return
		}
		if back, err := epcis.DigitalLink(urn); err != nil || !strings.HasPrefix(back, "https://id.gs1.org/") {
			t.Fatalf("%q is %q, and that is %q, error %v", link, urn, back, err)
		}
	})
}
