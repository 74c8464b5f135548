package store_test

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tianhai/cmd/internal/store"
	"tianhai/farm"
	"tianhai/trace/epcis"
	"tianhai/trace/epcis/query"
	"tianhai/trace/epcis/repository"
)

// epcisDocument makes a document of events, whose times are hours of one day.
func epcisDocument(events ...string) string {
	return `{"@context": ["https://ref.gs1.org/standards/epcis/epcis-context.jsonld", {"ex": "https://ns.example.com/"}], "type": "EPCISDocument",
		"schemaVersion": "2.0", "creationDate": "2026-05-20T08:00:00Z", "epcisHeader": {"epcisMasterData": {"vocabularyList": [
		{"type": "urn:epcglobal:epcis:vtype:BusinessLocation", "vocabularyElementList": [
			{"id": "urn:epc:id:sgln:4012345.00001.0", "attributes": [{"id": "cbvmda:site", "attribute": "北海"}], "children": ["https://id.gs1.org/414/4012345000023"]},
			{"id": "https://id.gs1.org/414/4012345000023", "children": ["https://example.com/dock"]}]}]}},
		"epcisBody": {"eventList": [` + strings.Join(events, ",") + `]}}`
}

func epcisEvent(id string, hour int, more string) string {
	return fmt.Sprintf(`{"type": "ObjectEvent", "eventID": "urn:uuid:%s", "eventTime": "2026-05-20T%02d:00:00+08:00", "eventTimeZoneOffset": "+08:00", "action": "OBSERVE", "epcList": ["urn:epc:id:sgtin:4012345.011111.%s"]%s}`, id, hour, id, more)
}

func parseEPCIS(t *testing.T, raw string) *epcis.Document {
	t.Helper()
	d, err := epcis.Parse([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	if faults := d.Faults(); len(faults) > 0 {
		t.Fatal(faults)
	}
	return d
}

func batchOf(t *testing.T, tenant, raw string) repository.Batch {
	t.Helper()
	d := parseEPCIS(t, raw)
	events, err := d.Events()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	return repository.Batch{Tenant: tenant, Events: events, Master: d.MasterData(), NewID: func() string { n++; return "urn:uuid:new-" + strconv.Itoa(n) }}
}

func capture(t *testing.T, s *store.Store, tenant string, events ...string) {
	t.Helper()
	taken, err := s.CaptureEvents(t.Context(), batchOf(t, tenant, epcisDocument(events...)))
	if err != nil || len(taken) > 0 {
		t.Fatalf("capture: taken %v, %v", taken, err)
	}
}

// asked reads a query as a client writes it.
func asked(t *testing.T, q string) query.Query {
	t.Helper()
	params, err := url.ParseQuery(q)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := query.Parse(params, epcis.NamesOf())
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// found returns the last parts of the IDs of all events that meet a query, in pages of two.
func found(t *testing.T, s *store.Store, in repository.Scope, q query.Query) []string {
	t.Helper()
	a := repository.Ask{Scope: in, Query: q, Limit: 2}
	ids := []string{}
	for {
		page, err := s.FindEvents(t.Context(), a)
		if err != nil {
			t.Errorf("%+v: %v", q, err)
			return nil
		}
		for _, e := range page {
			ids = append(ids, strings.TrimPrefix(e.ID, "urn:uuid:"))
		}
		if len(page) < a.Limit {
			if n, err := s.CountEvents(t.Context(), repository.Ask{Scope: in, Query: q}, 100); err != nil || n != len(ids) {
				t.Errorf("counted %d, %v; found %v", n, err, ids)
			}
			return ids
		}
		a.After, a.Skip = &page[len(page)-1], a.Skip+len(page)
	}
}

// Each parameter of the query language against events that differ in what it asks for.
func testEPCISQueries(t *testing.T, s *store.Store) {
	seed(t, s)
	capture(t, s, "tea",
		epcisEvent("a", 1, `, "bizStep": "shipping", "disposition": "in_transit", "ex:n": 5, "ex:when": "2026-01-01T00:00:00Z", "bizLocation": {"id": "https://example.com/dock"}`),
		epcisEvent("b", 3, `, "bizStep": "https://ns.example.com/drying", "ex:n": 10, "ex:box": {"ex:deep": "x", "ex:list": ["y", 3]}, "bizLocation": {"id": "urn:epc:id:sgln:4012345.00001.0"},
			"quantityList": [{"epcClass": "urn:epc:class:lgtin:4012345.011111.L1", "quantity": 2.5, "uom": "KGM"}], "persistentDisposition": {"set": ["damaged"], "unset": ["available"]},
			"bizTransactionList": [{"type": "po", "bizTransaction": "urn:epcglobal:cbv:bt:4012345000009:1"}], "sourceList": [{"type": "location", "source": "urn:epc:id:sgln:4012345.00001.0"}]`),
		epcisEvent("c", 2, `, "bizStep": "shipping", "readPoint": {"id": "https://example.com/gate", "ex:side": "left"}, "sensorElementList": [{"ex:bag": "1",
			"sensorMetadata": {"time": "2026-05-20T02:00:00Z", "deviceID": "https://example.com/d1"}, "sensorReport": [{"type": "Temperature", "value": 4.5, "minValue": 2, "uom": "CEL"},
			{"type": "https://ns.example.com/Colour", "stringValue": "green", "booleanValue": true}]}]`),
		epcisEvent("c", 2, `, "bizStep": "shipping", "errorDeclaration": {"declarationTime": "2026-05-21T00:00:00Z", "reason": "incorrect_data", "correctiveEventIDs": ["urn:uuid:a"], "ex:who": "Li"}`),
		`{"type": "AggregationEvent", "eventID": "urn:uuid:d", "eventTime": "2026-05-20T04:00:00+08:00", "eventTimeZoneOffset": "+08:00", "action": "ADD", "parentID": "urn:epc:id:sscc:4012345.0111111111", "childEPCs": ["https://id.gs1.org/01/04012345111118/21/a"]}`,
		`{"type": "TransformationEvent", "eventID": "urn:uuid:e", "eventTime": "2026-05-20T05:00:00+08:00", "eventTimeZoneOffset": "+08:00", "transformationID": "urn:uuid:t", "inputEPCList": ["urn:epc:id:sgtin:4012345.011111.a"],
			"outputQuantityList": [{"epcClass": "urn:epc:idpat:sgtin:4012345.022222.*", "quantity": 7}], "ilmd": {"ex:lot": "L9", "ex:in": {"ex:deep": "z"}}}`,
	)
	capture(t, s, "oysters", epcisEvent("a", 1, ``))
	for q, want := range map[string]string{
		"": "e d b c c a", "orderDirection=ASC": "a c c b d e", "orderBy=recordTime": "e d c c b a", "orderBy=recordTime&orderDirection=ASC": "a b c c d e",
		"orderBy=ex:n": "b a e d c c", "orderBy=https://ns.example.com/n&orderDirection=ASC": "a b c c d e", "orderBy=bizStep&orderDirection=ASC&EQ_bizStep=shipping|ex:none": "a c c",
		"eventType=AggregationEvent|TransformationEvent": "e d",
		"GE_eventTime=2026-05-20T03:00:00%2B08:00":       "e d b",
		"LT_eventTime=2026-05-19T18:00:00Z":              "a",
		"GE_recordTime=2026-05-20T12:00:00.123456Z":      "e d b c c a",
		"LT_recordTime=2026-05-20T12:00:00.123456Z":      "",
		"EQ_action=ADD":       "d",
		"EQ_bizStep=shipping": "c c a",
		"EQ_bizStep=https://ref.gs1.org/cbv/BizStep-shipping|https://x.y":         "c c a",
		"EQ_bizStep=urn:epcglobal:cbv:bizstep:shipping&EQ_disposition=in_transit": "a",
		"EQ_persistentDisposition_set=damaged":                                    "b",
		"EQ_persistentDisposition_unset=damaged":                                  "",
		"EQ_readPoint=https://example.com/gate":                                   "c",
		"EQ_bizLocation=https://id.gs1.org/414/4012345000016":                     "b",
		"WD_bizLocation=urn:epc:id:sgln:4012345.00001.0":                          "b a",
		"WD_bizLocation=https://id.gs1.org/414/4012345000023":                     "a",
		"WD_readPoint=urn:epc:id:sgln:4012345.00001.0":                            "",
		"HASATTR_bizLocation=cbvmda:site":                                         "b",
		"EQATTR_bizLocation_cbvmda:site=%E5%8C%97%E6%B5%B7":                       "b",
		"EQATTR_bizLocation_cbvmda:site=x":                                        "",
		"EQ_ATTR_bizLocation_cbvmda:site=%E5%8C%97%E6%B5%B7":                      "b",
		"MATCH_epc=urn:epc:id:sgtin:4012345.011111.a":                             "d a",
		"MATCH_epc=https://id.gs1.org/01/04012345111118/21/a":                     "d a",
		"MATCH_epc=https://example.com/01/04012345111118/21/b|urn:x:y":            "b",
		"MATCH_epc=urn:epc:idpat:sgtin:4012345.011111.*":                          "d b c c a",
		"MATCH_epc=urn:epc:idpat:sgtin:4012345.*.*":                               "d b c c a",
		"MATCH_epc=urn:epc:idpat:sgtin:4012346.*.*":                               "",
		"MATCH_epc=urn:epc:idpat:sgtin:*.*.*":                                     "d b c c a",
		"MATCH_epc=https://id.gs1.org/01/04012345111118/21/*":                     "d b c c a",
		"MATCH_anyEPC=urn:epc:id:sgtin:4012345.011111.a":                          "e d a",
		"MATCH_inputEPC=urn:epc:id:sgtin:4012345.011111.a":                        "e",
		"MATCH_outputEPC=urn:epc:id:sgtin:4012345.011111.a":                       "",
		"MATCH_parentID=urn:epc:idpat:sscc:4012345.*":                             "d",
		"MATCH_parentID=urn:epc:id:sscc:4012345.0111111111":                       "d",
		"MATCH_epcClass=urn:epc:class:lgtin:4012345.011111.L1":                    "b",
		"MATCH_epcClass=urn:epc:class:lgtin:4012345.011111.*":                     "b",
		"MATCH_outputEPCClass=urn:epc:idpat:sgtin:4012345.022222.*":               "e",
		"MATCH_inputEPCClass=urn:epc:idpat:sgtin:4012345.022222.*":                "",
		"MATCH_anyEPCClass=https://id.gs1.org/01/04012345111118/10/L1":            "b",
		"EQ_quantity=2.50|99":                                                     "b",
		"GT_quantity=2.5":                                                         "e",
		"GE_quantity=2.5":                                                         "e b",
		"LT_quantity=7":                                                           "b",
		"LE_quantity=7":                                                           "e b",
		"EQ_quantity_KGM=2.5":                                                     "b",
		"GE_quantity_KGM=1":                                                       "b",
		"EQ_eventID=urn:uuid:c|urn:uuid:d":                                        "d c c",
		"EQ_transformationID=urn:uuid:t":                                          "e",
		"EQ_bizTransaction_po=urn:epcglobal:cbv:bt:4012345000009:1":               "b",
		"EQ_bizTransaction_inv=urn:epcglobal:cbv:bt:4012345000009:1":              "",
		"EQ_source_location=urn:epc:id:sgln:4012345.00001.0":                      "b",
		"EQ_destination_location=urn:epc:id:sgln:4012345.00001.0":                 "",
		"EXISTS_errorDeclaration":                                                 "c",
		"GE_errorDeclarationTime=2026-05-21T00:00:00Z":                            "c",
		"LT_errorDeclaration_Time=2026-05-21T00:00:00Z":                           "",
		"EQ_errorReason=incorrect_data":                                           "c",
		"EQ_correctiveEventID=urn:uuid:a":                                         "c",
		"EQ_ERROR_DECLARATION_ex:who=Li":                                          "c",
		"EXISTS_sensorElementList":                                                "c",
		"GE_time=2026-05-20T02:00:00Z&LT_time=2026-05-20T02:00:01Z":               "c",
		"EQ_type=Temperature":                                                     "c",
		"EQ_type=gs1:Temperature":                                                 "c",
		"EQ_deviceID=https://example.com/d1":                                      "c",
		"EQ_value_CEL=4.5":                                                        "c",
		"GT_value_CEL=4.5":                                                        "",
		"LE_minValue_CEL=2":                                                       "c",
		"GE_value_FAH=0":                                                          "c",
		"EQ_value_FAH=40.1|1":                                                     "c",
		"GT_value_FAH=40.1":                                                       "",
		"LT_minValue_KEL=276":                                                     "c",
		"EQ_value_KEL=4.5":                                                        "",
		"GE_value_M1=0":                                                           "",
		"EQ_stringValue=green":                                                    "c",
		"EQ_booleanValue=true":                                                    "c",
		"EQ_booleanValue=false":                                                   "",
		"EQ_SENSORELEMENT_ex:bag=1":                                               "c",
		"EQ_readPoint_ex:side=left":                                               "c",
		"EQ_ex:n=5":                                                               "a",
		"EQ_https://ns.example.com/n=5.0|7":                                       "a",
		"GE_ex:n=5&LT_ex:n=10":                                                    "a",
		"GE_ex:when=2025-12-31T00:00:00Z":                                         "a",
		"GE_ex:when=5":                                                            "",
		"EQ_ex:when=2026-01-01T08:00:00%2B08:00":                                  "a",
		"EXISTS_ex:box":                                                           "b",
		"EXISTS_ex:deep":                                                          "",
		"EXISTS_INNER_ex:deep":                                                    "b",
		"EQ_INNER_ex:list=y":                                                      "b",
		"GE_INNER_ex:list=3":                                                      "b",
		"EQ_ILMD_ex:lot=L9":                                                       "e",
		"EQ_INNER_ILMD_ex:deep=z":                                                 "e",

		"EXISTS_ILMD_ex:lot&eventType=TransformationEvent&EQ_transformationID=urn:a:b": "",
	} {
		if got := strings.Join(found(t, s, repository.Scope{Tenant: "tea"}, asked(t, q)), " "); got != want {
			t.Errorf("%s: found %q, want %q", q, got, want)
		}
	}
	for name, test := range map[string]struct {
		in   repository.Scope
		want int
	}{"all": {repository.Scope{}, 7}, "of a region": {repository.Scope{Region: "450700"}, 1}, "of the other": {repository.Scope{Region: "450400"}, 6}, "of the province": {repository.Scope{Region: "450000"}, 7}, "nobody": {repository.Scope{Tenant: "nobody"}, 0}} {
		if got := found(t, s, test.in, query.Query{}); len(got) != test.want {
			t.Errorf("%s: %v, want %d", name, got, test.want)
		}
	}
	equal(t, "business steps", []string{"https://ns.example.com/drying", "https://ref.gs1.org/cbv/BizStep-shipping"})(s.EventValues(t.Context(), repository.Values{Scope: repository.Scope{Tenant: "tea"}, Fields: []string{"bizStep"}, Limit: 10}))
	equal(t, "a page of EPCs", []string{"https://id.gs1.org/01/04012345111118/21/b"})(s.EventValues(t.Context(), repository.Values{Fields: []string{"epc", "inputEPC"}, After: "https://id.gs1.org/01/04012345111118/21/a", Limit: 1}))
	equal(t, "last", int64(7))(s.LastEvent(t.Context()))
}

// A condition that leaves many is looked up event by event; the answer is the same.
func testEPCISMany(t *testing.T, s *store.Store) {
	seed(t, s)
	const many = 2100
	for from := 0; from < many; from += 700 {
		var events []string
		for i := from; i < from+700; i++ {
			more := `, "bizStep": "shipping", "ex:n": ` + strconv.Itoa(i)
			if i%50 == 0 {
				more += `, "disposition": "in_transit"`
			}
			events = append(events, epcisEvent(fmt.Sprintf("%04d", i), i%24, more))
		}
		capture(t, s, "tea", events...)
	}
	for q, want := range map[string]int{
		"EQ_bizStep=shipping&orderBy=recordTime": many, "EQ_bizStep=shipping&EQ_disposition=in_transit": 42, "GE_ex:n=1&EQ_bizStep=shipping&EQ_disposition=in_transit": 41,
		"MATCH_epc=urn:epc:idpat:sgtin:4012345.011111.*&EQ_disposition=in_transit&EXISTS_ex:n": 42, "EQ_bizStep=shipping&EQ_action=ADD": 0,
		"EQ_bizStep=shipping&EQ_disposition=in_transit&EQ_action=OBSERVE&MATCH_epc=urn:epc:id:sgtin:4012345.011111.0050": 1,
	} {
		parsed := asked(t, q)
		n, err := s.CountEvents(t.Context(), repository.Ask{Scope: repository.Scope{Tenant: "tea"}, Query: parsed}, 10000)
		if err != nil || n != want {
			t.Errorf("%s: %d, %v; want %d", q, n, err, want)
		}
		page, err := s.FindEvents(t.Context(), repository.Ask{Query: parsed, Limit: 10000})
		if err != nil || len(page) != want {
			t.Errorf("%s: page of %d, %v; want %d", q, len(page), err, want)
		}
	}
	page, err := s.FindEvents(t.Context(), repository.Ask{Query: asked(t, "EQ_bizStep=shipping&orderBy=recordTime&orderDirection=ASC"), Since: 5, UpTo: 7, Limit: 10})
	if err != nil || len(page) != 2 || page[0].Seq != 6 {
		t.Errorf("between two numbers: %+v, %v", page, err)
	}
}

func testEPCISCapture(t *testing.T, s *store.Store) {
	seed(t, s)
	ctx := t.Context()
	b := batchOf(t, "tea", epcisDocument(epcisEvent("a", 1, ""), strings.Replace(epcisEvent("b", 2, ""), `"eventID": "urn:uuid:b", `, "", 1)))
	job := repository.Job{ID: "01J0000000000000000000000A", Tenant: "tea", Account: "wang", Created: noon, Success: true, Total: 2, Document: []byte("{}")}
	check(t, s.AddCapture(ctx, job))
	wantErr(t, "the same job", s.AddCapture(ctx, job), farm.ErrConflict)
	equal(t, "open", job)(s.OpenCapture(ctx, ""))
	done := job
	done.Done, done.Finished, done.Document = 2, noon, nil
	b.Job = &done
	if taken, err := s.CaptureEvents(ctx, b); err != nil || len(taken) > 0 {
		t.Fatal(taken, err)
	}
	equal(t, "finished", done)(s.CaptureJob(ctx, repository.Scope{Tenant: "tea"}, job.ID))
	equal(t, "jobs", []repository.Job{done})(s.CaptureJobs(ctx, repository.Scope{Region: "450400"}, "", 10))
	equal(t, "behind it", []repository.Job{})(s.CaptureJobs(ctx, repository.Scope{}, job.ID, 10))
	_, err := s.CaptureJob(ctx, repository.Scope{Tenant: "oysters"}, job.ID)
	wantErr(t, "another's job", err, farm.ErrNotFound)
	_, err = s.OpenCapture(ctx, "")
	wantErr(t, "none open", err, farm.ErrNotFound)
	wantErr(t, "finished for good", s.SetCapture(ctx, job), farm.ErrNotFound)

	// Nothing of a batch with a taken ID, nor its master data or its job.
	job.ID = "01J0000000000000000000000B"
	check(t, s.AddCapture(ctx, job))
	again := batchOf(t, "tea", epcisDocument(epcisEvent("x", 1, ""), epcisEvent("a", 9, "")))
	again.Job = &repository.Job{ID: job.ID, Finished: noon}
	if taken, err := s.CaptureEvents(ctx, again); err != nil || !slices.Equal(taken, []int{1}) {
		t.Errorf("taken: %v, %v", taken, err)
	}
	equal(t, "still open", job)(s.OpenCapture(ctx, ""))
	if got := found(t, s, repository.Scope{}, query.Query{}); !slices.Equal(got, []string{"new-2", "a"}) {
		t.Errorf("events: %v", got)
	}
	page, err := s.FindEvents(ctx, repository.Ask{Query: asked(t, "EQ_eventID=urn:uuid:a"), Limit: 5})
	if err != nil || len(page) != 1 {
		t.Fatal(page, err)
	}
	want := repository.Stored{
		Seq: 1, Tenant: "tea", ID: "urn:uuid:a", Type: "ObjectEvent", Time: page[0].Time, Recorded: noon, Context: `[{"ex":"https://ns.example.com/"}]`,
		JSON: []byte(`{"type":"ObjectEvent","eventID":"urn:uuid:a","eventTime":"2026-05-20T01:00:00+08:00","eventTimeZoneOffset":"+08:00","action":"OBSERVE","epcList":["urn:epc:id:sgtin:4012345.011111.a"],"recordTime":"2026-05-20T12:00:00.123456Z"}`),
	}
	if diff := cmp.Diff(want, page[0]); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
	for _, statement := range []string{"UPDATE epcis_events SET body = ''", "DELETE FROM epcis_events"} {
		if err := s.Exec(ctx, statement); err == nil {
			t.Errorf("%s was done", statement)
		}
	}
	_, err = s.CaptureEvents(ctx, batchOf(t, "nobody", epcisDocument(epcisEvent("n", 1, ""))))
	wantErr(t, "unknown tenant", err, farm.ErrNotFound)
}

// Every valid document of the outside is kept, each for itself.
func testEPCISVectors(t *testing.T, s *store.Store) {
	seed(t, s)
	files, err := filepath.Glob("../../../../shared/vectors/epcis/valid/*.json")
	if err != nil || len(files) == 0 {
		t.Skip("no vectors in ../shared/vectors/epcis")
	}
	total, fresh := 0, 0
	for i, file := range files {
		raw, err := os.ReadFile(file)
		check(t, err)
		b := batchOf(t, "tea", string(raw))
		if i%2 == 1 {
			b.Tenant = "oysters" // some IDs stand in several files
		}
		b.NewID = func() string { fresh++; return "urn:uuid:fresh-" + strconv.Itoa(fresh) }
		taken, err := s.CaptureEvents(t.Context(), b)
		check(t, err)
		if len(taken) == 0 {
			total += len(b.Events)
		}
	}
	if n, err := s.CountEvents(t.Context(), repository.Ask{}, 10000); err != nil || n != total || n < len(files)/2 {
		t.Errorf("%d events are kept of %d, %v", n, total, err)
	}
}

// While many capture, nobody sees a number before all lower ones: a page or a
// subscriber that stands behind a number misses nothing.
func testEPCISOrder(t *testing.T, s *store.Store) {
	seed(t, s)
	const writers, rounds, each = 4, 12, 5
	captured := make(chan error, writers)
	for w := range writers {
		go func() {
			for r := range rounds {
				var events []string
				for i := range each {
					events = append(events, epcisEvent(fmt.Sprintf("w%d-%d-%d", w, r, i), i, ""))
				}
				d, err := epcis.Parse([]byte(epcisDocument(events...)))
				if err == nil {
					var all []*epcis.Event
					if all, err = d.Events(); err == nil {
						_, err = s.CaptureEvents(t.Context(), repository.Batch{Tenant: []string{"tea", "oysters"}[w%2], Events: all, NewID: func() string { return "" }})
					}
				}
				if err != nil {
					captured <- err
					return
				}
			}
			captured <- nil
		}()
	}
	for done := 0; done < writers; {
		select {
		case err := <-captured:
			if done++; err != nil {
				t.Error(err)
			}
		default:
		}
		last, err := s.LastEvent(t.Context())
		check(t, err)
		n, err := s.CountEvents(t.Context(), repository.Ask{UpTo: last}, 10000)
		if check(t, err); last > 0 && n != int(last) {
			t.Fatalf("%d events are seen up to number %d", n, last)
		}
	}
	equal(t, "all", int64(writers*rounds*each))(s.LastEvent(t.Context()))
}
