package main_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestEPCISPaths asks for every path of the REST binding with every method, and for
// each of the fifteen exceptions.
func TestEPCISPaths(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	_, printed := importAccounts(t, data, managedFarm)
	s := startServer(t, "serve", data)
	wang := newPartner(t, s.HTTP, "wang", passwordOf(t, printed, "wang"))
	document := epcisHead + epcisEvent("a", "") + "," + strings.Replace(epcisEvent("z", ""), ".z", ".a", 1) + "]}}"
	resp, body := wang.do("POST", "/capture", document)
	if resp.StatusCode != http.StatusAccepted {
		t.Fatal(body)
	}
	job := strings.TrimPrefix(resp.Header.Get("Location"), s.HTTP+"/epcis")
	waitFor(t, "the event", 20e9, func() bool {
		resp, _ := wang.do("GET", "/events/urn:uuid:a", "")
		return resp.StatusCode == http.StatusOK
	})
	if resp, body := wang.do("POST", "/queries", `{"name": "shipped", "query": {"EQ_bizStep": ["shipping"]}}`); resp.StatusCode != http.StatusCreated || resp.Header.Get("Location") != s.HTTP+"/epcis/queries/shipped" {
		t.Fatalf("query: %d %s", resp.StatusCode, body)
	}
	resp, body = wang.do("POST", "/queries/shipped/subscriptions", `{"dest": "https://127.0.0.1:1/x", "signatureToken": "t0p", "stream": true}`)
	if resp.StatusCode != http.StatusCreated || strings.Contains(body, "t0p") {
		t.Fatalf("subscription: %d %s", resp.StatusCode, body)
	}
	subscription := strings.TrimPrefix(resp.Header.Get("Location"), s.HTTP+"/epcis")

	const place, epc = "https:%2F%2Fexample.com%2Fgate", "urn:epc:id:sgtin:4012345.011111.a"
	for path, allow := range map[string]string{
		"/": "OPTIONS, GET", "/capture": "OPTIONS, GET, POST", job: "OPTIONS, GET", "/events": "OPTIONS, GET, POST", "/events/urn:uuid:a": "OPTIONS, GET",
		"/eventTypes": "OPTIONS, GET", "/eventTypes/ObjectEvent": "OPTIONS, GET", "/eventTypes/ObjectEvent/events": "OPTIONS, GET",
		"/epcs": "OPTIONS, GET", "/epcs/" + epc: "OPTIONS, GET", "/epcs/" + epc + "/events": "OPTIONS, GET",
		"/bizSteps": "OPTIONS, GET", "/bizSteps/shipping": "OPTIONS, GET", "/bizSteps/shipping/events": "OPTIONS, GET",
		"/bizLocations": "OPTIONS, GET", "/bizLocations/https:%2F%2Fexample.com%2Fdock": "OPTIONS, GET", "/bizLocations/" + place + "/events": "OPTIONS, GET",
		"/readPoints": "OPTIONS, GET", "/readPoints/" + place: "OPTIONS, GET", "/readPoints/" + place + "/events": "OPTIONS, GET",
		"/dispositions": "OPTIONS, GET", "/dispositions/in_transit": "OPTIONS, GET", "/dispositions/in_transit/events": "OPTIONS, GET",
		"/queries": "OPTIONS, GET, POST", "/queries/shipped": "OPTIONS, DELETE, GET", "/queries/shipped/events": "OPTIONS, GET",
		"/queries/shipped/subscriptions": "OPTIONS, GET, POST", subscription: "OPTIONS, DELETE, GET",
	} {
		resp, _ := wang.do("OPTIONS", path, "")
		if resp.StatusCode != http.StatusNoContent || resp.Header.Get("Allow") != allow {
			t.Errorf("OPTIONS %s: %d, allows %q; want %q", path, resp.StatusCode, resp.Header.Get("Allow"), allow)
		}
		for _, name := range []string{"GS1-EPCIS-Min", "GS1-EPCIS-Max", "GS1-CBV-Min", "GS1-CBV-Max", "GS1-Vendor-Version", "GS1-EPC-Format", "GS1-CBV-XML-Format"} {
			if resp.Header.Get(name) == "" {
				t.Errorf("OPTIONS %s: no %s", path, name)
			}
		}
		if limited := resp.Header.Get("GS1-EPCIS-Capture-Limit") == "1000" && resp.Header.Get("GS1-EPCIS-Capture-File-Size-Limit") == "4194304"; limited != (path == "/capture" || path == "/events") {
			t.Errorf("OPTIONS %s: says limits: %v", path, limited)
		}
		resp, body := wang.do("GET", path, "", "Accept", "application/ld+json")
		if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "application/ld+json" || !json.Valid([]byte(body)) || resp.Header.Get("GS1-EPCIS-Version") != "2.0" || resp.Header.Get("GS1-CBV-Version") != "2.0" {
			t.Errorf("GET %s: %d %v %s", path, resp.StatusCode, resp.Header, body)
		}
		for _, method := range []string{"PUT", "PATCH", "POST", "DELETE"} {
			if strings.Contains(allow, method) {
				continue
			}
			if resp, body := wang.do(method, path, "{}"); resp.StatusCode != http.StatusMethodNotAllowed || resp.Header.Get("Allow") != allow || !strings.Contains(body, "epcisException:Implementation") {
				t.Errorf("%s %s: %d %s", method, path, resp.StatusCode, body)
			}
		}
	}
	for path, want := range map[string]string{
		"/":                                 `["events","eventTypes","epcs","bizSteps","bizLocations","readPoints","dispositions","capture","queries"]`,
		"/epcs":                             `["https://id.gs1.org/01/04012345111118/21/a"]`,
		"/bizSteps":                         `{"@context":"https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld","bizStep":["shipping"],"type":"BizStepItemList"}`,
		"/eventTypes":                       `{"@context":"https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld","eventType":["ObjectEvent"],"type":"EventTypeItemList"}`,
		"/eventTypes/AggregationEvent":      `["events"]`,
		"/queries/shipped/events?perPage=1": `"queryName":"shipped"`,
		"/queries/SimpleEventQuery/events":  `"queryName":"SimpleEventQuery"`,
		job:                                 `"running":false,"success":true,"captureErrorBehaviour":"rollback","errors":[]`,
	} {
		if resp, body := wang.do("GET", path, ""); resp.StatusCode != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("GET %s: %d %s; want %s", path, resp.StatusCode, body, want)
		}
	}

	long := strings.Repeat("x", 9000)
	many := epcisHead + strings.Repeat(epcisEvent("b", "")+",", 1000) + epcisEvent("b", "") + "]}}"
	seen := map[string]bool{}
	for name, test := range map[string]struct {
		method, path, body string
		headers            []string
		status             int
		exception, detail  string
	}{
		"no document":             {"POST", "/capture", `{"type": "EPCISDocument"}`, nil, 400, "Validation", "@context"},
		"a wrong event":           {"POST", "/capture", epcisHead + epcisEvent("b", "") + "," + epcisEvent("c", `, "action": "ADD"`) + "]}}", nil, 400, "Validation", "/epcisBody/eventList/1/action"},
		"no JSON":                 {"POST", "/events", "{", nil, 400, "Validation", "byte 1"},
		"a document as an event":  {"POST", "/events", document, nil, 400, "Validation", "/type"},
		"an event as a document":  {"POST", "/capture", epcisEvent("b", ""), nil, 400, "Validation", "/type"},
		"no error behaviour":      {"POST", "/capture", document, []string{"GS1-Capture-Error-Behaviour", "perhaps"}, 400, "Validation", "rollback, proceed"},
		"no version":              {"GET", "/events", "", []string{"GS1-EPCIS-Version", "two"}, 400, "Validation", "GS1-EPCIS-Version"},
		"no format":               {"GET", "/events", "", []string{"GS1-EPC-Format", "Short"}, 400, "Validation", "GS1-EPC-Format"},
		"no extensions":           {"GET", "/events", "", []string{"GS1-Extensions", "ex"}, 400, "Validation", "GS1-Extensions"},
		"a later version":         {"GET", "/events", "", []string{"GS1-EPCIS-Min", "3.0"}, 406, "NotAcceptable", "2.0 is spoken"},
		"an earlier version":      {"GET", "/events", "", []string{"GS1-CBV-Max", "1.2"}, 406, "NotAcceptable", "2.0 is spoken"},
		"XML wanted":              {"GET", "/events", "", []string{"Accept", "application/xml, application/json;q=0"}, 406, "NotAcceptable", "application/ld+json"},
		"XML sent":                {"POST", "/capture", "<x/>", []string{"Content-Type", "application/xml"}, 415, "UnsupportedMediaType", "application/xml"},
		"another character set":   {"POST", "/events", "{}", []string{"Content-Type", "application/json; charset=gb18030"}, 415, "UnsupportedMediaType", "UTF-8"},
		"a parameter":             {"GET", "/events?EQ_colour=red", "", nil, 400, "QueryParameter", "EQ_colour"},
		"an action":               {"GET", "/events?EQ_action=EAT", "", nil, 400, "QueryParameter", "EQ_action"},
		"limit and most":          {"GET", "/events?orderBy=eventTime&eventCountLimit=1&maxEventCount=1", "", nil, 400, "QueryParameter", "exclude"},
		"limit alone":             {"GET", "/events?eventCountLimit=1", "", nil, 400, "QueryParameter", "orderBy"},
		"page of nothing":         {"GET", "/events?perPage=0", "", nil, 400, "QueryParameter", "perPage"},
		"a token of nobody":       {"GET", "/events?nextPageToken=x", "", nil, 400, "QueryParameter", "nextPageToken"},
		"too many found":          {"GET", "/events?maxEventCount=1", "", nil, 413, "QueryTooLarge", "more than 1"},
		"too many values":         {"GET", "/events?EQ_stringValue=" + strings.Repeat("x%7C", 500) + "x", "", nil, 413, "QueryTooComplex", "at most"},
		"a definition":            {"POST", "/queries", `{"name": "q", "query": {"EQ_bizStep": "shipping"}}`, nil, 400, "QueryValidation", "EQ_bizStep"},
		"a definition of nothing": {"POST", "/queries", `{"name": "q"}`, nil, 400, "QueryValidation", "query"},
		"a name":                  {"POST", "/queries", `{"name": "a/b", "query": {}}`, nil, 400, "QueryValidation", "name"},
		"a member":                {"POST", "/queries", `{"name": "q", "query": {}, "owner": "x"}`, nil, 400, "Validation", "owner"},
		"a long definition":       {"POST", "/queries", `{"name": "q", "query": {"EQ_stringValue": ["` + strings.Repeat("x", 70000) + `"]}}`, nil, 413, "QueryTooComplex", "bytes"},
		"a query again":           {"POST", "/queries", `{"name": "shipped", "query": {}}`, nil, 409, "ResourceAlreadyExists", "shipped"},
		"an event again":          {"POST", "/events", epcisEvent("a", ""), nil, 409, "ResourceAlreadyExists", "eventID"},
		"no query":                {"GET", "/queries/none/events", "", nil, 404, "NoSuchName", "none"},
		"no query to ask about":   {"OPTIONS", "/queries/none", "", nil, 404, "NoSuchName", "none"},
		"no query to delete":      {"DELETE", "/queries/none", "", nil, 404, "NoSuchName", "none"},
		"no subscription":         {"DELETE", "/queries/shipped/subscriptions/none", "", nil, 404, "NoSuchName", "subscription"},
		"no path":                 {"GET", "/fish", "", nil, 404, "NoSuchResource", "path"},
		"no event":                {"GET", "/events/urn:uuid:none", "", nil, 404, "NoSuchResource", ""},
		"no job":                  {"OPTIONS", "/capture/none", "", nil, 404, "NoSuchResource", ""},
		"no kind":                 {"GET", "/eventTypes/FishEvent/events", "", nil, 404, "NoSuchResource", "FishEvent"},
		"no EPC":                  {"GET", "/epcs/urn:epc:id:sgtin:4012345.011111.none", "", nil, 404, "NoSuchResource", ""},
		"neither":                 {"POST", "/queries/shipped/subscriptions", `{"dest": "https://x.example/"}`, nil, 400, "SubscriptionControls", "schedule"},
		"both":                    {"POST", "/queries/shipped/subscriptions", `{"dest": "https://x.example/", "stream": true, "schedule": {"hour": "1"}}`, nil, 400, "SubscriptionControls", "exclude"},
		"no hour":                 {"POST", "/queries/shipped/subscriptions", `{"dest": "https://x.example/", "schedule": {"hour": "25"}}`, nil, 400, "SubscriptionControls", "schedule.hour"},
		"no address":              {"POST", "/queries/shipped/subscriptions", `{"dest": "ftp://x.example/", "stream": true}`, nil, 400, "SubscriptionControls", "dest"},
		"a stream over HTTP":      {"GET", "/queries/shipped/events?stream=true", "", nil, 400, "SubscriptionControls", "WebSocket"},
		"a socket for nothing":    {"GET", "/queries/shipped/events", "", []string{"Connection", "Upgrade", "Upgrade", "websocket"}, 400, "SubscriptionControls", "schedule"},
		"too many events":         {"POST", "/capture", many, nil, 413, "CaptureLimitExceeded", "1000 events"},
		"too many bytes":          {"POST", "/capture", strings.Repeat(" ", 4<<20+1), nil, 413, "CaptureLimitExceeded", "4194304"},
		"a long URL":              {"GET", "/events?EQ_stringValue=" + long, "", nil, 414, "URITooLong", "8000"},
		"another site":            {"POST", "/events", epcisEvent("x", ""), []string{"Sec-Fetch-Site", "cross-site"}, 403, "Security", "another site"},
		"a token given back":      {"DELETE", "/nextPageToken/x", "", nil, 501, "Implementation", "expires"},
		"nobody":                  {"GET", "/events", "", []string{"Authorization", "Basic eA=="}, 401, "Security", "Bearer"},
	} {
		resp, body := wang.do(test.method, test.path, test.body, test.headers...)
		var p struct {
			Type, Title, Detail string
			Status              int
			Errors              []struct{ Pointer string }
		}
		if err := json.Unmarshal([]byte(body), &p); err != nil {
			t.Errorf("%s: %v in %s", name, err, body)
			continue
		}
		if resp.StatusCode != test.status || p.Status != test.status || p.Type != "epcisException:"+test.exception+"Exception" || p.Title == "" ||
			!strings.Contains(p.Detail, test.detail) || resp.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %d %s; want %d %s with %q", name, resp.StatusCode, body, test.status, test.exception, test.detail)
		}
		if test.exception == "CaptureLimitExceeded" && resp.Header.Get("GS1-EPCIS-Capture-Limit") != "1000" {
			t.Errorf("%s: the limits are not said", name)
		}
		seen[test.exception] = true
	}
	if len(seen) != 15 {
		t.Errorf("%d of 15 exceptions were seen", len(seen))
	}

	// Every document of the outside that is wrong is refused with the place, and every
	// good one is taken or was taken before.
	for _, file := range epcisVectors(t, "invalid") {
		resp, body := wang.do("POST", "/capture", readText(t, file))
		if resp.StatusCode != http.StatusBadRequest || !strings.Contains(body, `"pointer":"/`) {
			t.Errorf("%s: %d %s", filepath.Base(file), resp.StatusCode, body)
		}
	}
	for _, file := range epcisVectors(t, "valid") {
		job := wang.captured(readText(t, file), "GS1-Capture-Error-Behaviour", "proceed")
		if slices.ContainsFunc(job.Errors, func(e struct{ Type, Detail, Instance string }) bool {
			return !strings.Contains(e.Type, "ResourceAlreadyExists")
		}) {
			t.Errorf("%s: %+v", filepath.Base(file), job.Errors)
		}
	}
}

func epcisVectors(t *testing.T, which string) []string {
	t.Helper()
	files, err := filepath.Glob("../../../shared/vectors/epcis/" + which + "/*.json")
	if err != nil || len(files) == 0 {
		t.Log("no vectors in ../shared/vectors/epcis: only our own documents are tried")
	}
	return files
}

func readText(t *testing.T, file string) string {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
