package main_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const epcisHead = `{"@context": ["https://ref.gs1.org/standards/epcis/epcis-context.jsonld", {"ex": "https://ns.example.com/"}], "type": "EPCISDocument",
	"schemaVersion": "2.0", "creationDate": "2026-05-20T08:00:00Z", "epcisBody": {"eventList": [`

// epcisEvent is an event of an oyster bag; more goes before its end.
func epcisEvent(id, more string) string {
	return fmt.Sprintf(`{"@context": "https://ref.gs1.org/standards/epcis/epcis-context.jsonld", "type": "ObjectEvent", "eventID": "urn:uuid:%s", "eventTime": "2026-05-20T08:00:00+08:00", "eventTimeZoneOffset": "+08:00", "action": "OBSERVE", "bizStep": "shipping", "disposition": "in_transit", "readPoint": {"id": "https://example.com/gate"}, "bizLocation": {"id": "https://example.com/dock"}, "epcList": ["urn:epc:id:sgtin:4012345.011111.%s"]%s}`, id, id, more)
}

// A partner is a program that speaks EPCIS with a token.
type partner struct {
	t     testing.TB
	base  string
	token string
}

// newPartner logs in as the API has it and takes the token of the session.
func newPartner(t testing.TB, base, login, password string) partner {
	t.Helper()
	b := newBrowser(t, base)
	b.login(login, password)
	at, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range b.Jar.Cookies(at) {
		if c.Name == "th_session" {
			return partner{t, base, c.Value}
		}
	}
	t.Fatal("no session")
	return partner{}
}

// do sends a request with headers given as name and value in turn.
func (p partner) do(method, path, body string, headers ...string) (*http.Response, string) {
	p.t.Helper()
	target := path
	if !strings.HasPrefix(path, "http") {
		target = p.base + "/epcis" + path
	}
	req, err := http.NewRequestWithContext(p.t.Context(), method, target, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if p.token != "" {
		req.Header.Set("Authorization", "Bearer "+p.token)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return resp, string(answer)
}

// An epcisJob is what a partner is told of a capture.
type epcisJob struct {
	Running, Success bool
	Behaviour        string `json:"captureErrorBehaviour"`
	Errors           []struct{ Type, Detail, Instance string }
}

// captured waits until a job is done, and returns it.
func (p partner) captured(document string, headers ...string) (job epcisJob) {
	p.t.Helper()
	resp, body := p.do("POST", "/capture", document, headers...)
	if resp.StatusCode != http.StatusAccepted {
		p.t.Fatalf("capture: %d %s", resp.StatusCode, body)
	}
	at := resp.Header.Get("Location")
	waitFor(p.t, "the capture job", 20*time.Second, func() bool {
		_, body := p.do("GET", at, "")
		if err := json.Unmarshal([]byte(body), &job); err != nil {
			p.t.Fatalf("job: %v in %s", err, body)
		}
		return !job.Running
	})
	return job
}

// ids returns the eventIDs of an EPCISQueryDocument, without urn:uuid:.
func ids(t testing.TB, document string) string {
	t.Helper()
	var d struct {
		Type string `json:"type"`
		Body struct {
			Results struct {
				Body struct {
					List []struct {
						ID string `json:"eventID"`
					} `json:"eventList"`
				} `json:"resultsBody"`
			} `json:"queryResults"`
		} `json:"epcisBody"`
	}
	if err := json.Unmarshal([]byte(document), &d); err != nil || d.Type != "EPCISQueryDocument" {
		t.Fatalf("no query document: %v in %s", err, document)
	}
	var all []string
	for _, e := range d.Body.Results.Body.List {
		all = append(all, strings.TrimPrefix(e.ID, "urn:uuid:"))
	}
	return strings.Join(all, " ")
}

// nextPage returns the URL behind a page.
func nextPage(resp *http.Response) string {
	link, ok := strings.CutSuffix(resp.Header.Get("Link"), `>; rel="next"`)
	if !ok {
		return ""
	}
	return strings.TrimPrefix(link, "<")
}

// TestEPCISOfTheProgram goes the ways of a partner's program through the binary.
func TestEPCISOfTheProgram(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	_, printed := importAccounts(t, data, managedFarm+"  - {login: ju, name: 王科长, role: bureau, region: \"450700\"}\n")
	s := startServer(t, "serve", data)
	wang := newPartner(t, s.HTTP, "wang", passwordOf(t, printed, "wang"))
	cha := newPartner(t, s.HTTP, "cha", passwordOf(t, printed, "cha"))
	ju := newPartner(t, s.HTTP, "ju", passwordOf(t, printed, "ju"))
	admin := newPartner(t, s.HTTP, "admin", passwordOf(t, printed, "admin"))
	nobody := partner{t, s.HTTP, ""}

	document := func(events ...string) string { return epcisHead + strings.Join(events, ",") + "]}}" }
	if job := wang.captured(document(epcisEvent("a", `, "ex:n": 1`), epcisEvent("b", `, "ex:n": 2`), epcisEvent("c", `, "ex:n": 3`))); !job.Success || job.Behaviour != "rollback" || len(job.Errors) != 0 {
		t.Errorf("capture: %+v", job)
	}
	if job := wang.captured(document(epcisEvent("d", ""), epcisEvent("a", "")), "GS1-Capture-Error-Behaviour", "rollback"); job.Success || len(job.Errors) != 1 ||
		job.Errors[0].Type != "epcisException:ResourceAlreadyExistsException" || job.Errors[0].Instance != "#/epcisBody/eventList/1/eventID" {
		t.Errorf("rollback: %+v", job)
	}
	if job := wang.captured(document(epcisEvent("d", `, "ex:n": 4`), epcisEvent("a", "")), "GS1-Capture-Error-Behaviour", "proceed"); job.Success || job.Behaviour != "proceed" || len(job.Errors) != 1 {
		t.Errorf("proceed: %+v", job)
	}
	if resp, body := cha.do("POST", "/events", epcisEvent("tea", "")); resp.StatusCode != http.StatusCreated || resp.Header.Get("Location") != s.HTTP+"/epcis/events/urn:uuid:tea" {
		t.Errorf("one event: %d to %s %s", resp.StatusCode, resp.Header.Get("Location"), body)
	}

	t.Run("pages", func(t *testing.T) {
		var got []string
		at := s.HTTP + "/epcis/events?perPage=3&orderBy=ex:n&orderDirection=ASC"
		for at != "" {
			resp, body := wang.do("GET", at, "", "GS1-Extensions", "ex=https://ns.example.com/")
			if resp.StatusCode != http.StatusOK {
				t.Fatalf("%s: %d %s", at, resp.StatusCode, body)
			}
			got = append(got, ids(t, body))
			if at = nextPage(resp); at != "" && resp.Header.Get("GS1-Next-Page-Token-Expires") == "" {
				t.Error("a token that does not expire")
			}
			if len(got) == 1 { // what comes in now is not in this list
				if resp, body := wang.do("POST", "/events", epcisEvent("e", "")); resp.StatusCode != http.StatusCreated {
					t.Fatal(body)
				}
			}
		}
		if strings.Join(got, ";") != "a b c;d" {
			t.Errorf("pages: %q", got)
		}
		_, body := wang.do("GET", "/events?orderBy=recordTime&eventCountLimit=3&perPage=2", "")
		if ids(t, body) != "e d" {
			t.Errorf("a page of the last three: %s", ids(t, body))
		}
	})
	for format, want := range map[string]string{"": "https://id.gs1.org/01/04012345111118/21/b", "Never_Translates": "urn:epc:id:sgtin:4012345.011111.b", "Always_EPC_URN": "urn:epc:id:sgtin:4012345.011111.b", "Always_GS1_Digital_Link": "https://id.gs1.org/01/04012345111118/21/b"} {
		resp, body := wang.do("GET", "/events?EQ_eventID=urn:uuid:b", "", "GS1-EPC-Format", format)
		said := cmp.Or(format, "Always_GS1_Digital_Link") // the standard's default
		if !strings.Contains(string(body), want) || resp.Header.Get("GS1-EPC-Format") != said {
			t.Errorf("GS1-EPC-Format %s: %s, %s", format, resp.Header.Get("GS1-EPC-Format"), body)
		}
	}
	for path, want := range map[string]string{
		"/events?orderBy=recordTime":                                                                        "e d c b a",
		"/eventTypes/ObjectEvent/events?EQ_eventID=urn:uuid:a":                                              "a",
		"/epcs/urn:epc:id:sgtin:4012345.011111.b/events":                                                    "b",
		"/epcs/https:%2F%2Fid.gs1.org%2F01%2F04012345111118%2F21%2Fb/events":                                "b",
		"/bizSteps/shipping/events?EQ_eventID=urn:uuid:c":                                                   "c",
		"/bizSteps/receiving/events":                                                                        "",
		"/dispositions/in_transit/events?EQ_eventID=urn:uuid:c":                                             "c",
		"/readPoints/https:%2F%2Fexample.com%2Fgate/events?GE_ex:n=3&orderBy=recordTime&orderDirection=ASC": "c d",
		"/bizLocations/https:%2F%2Fexample.com%2Fdock/events?GT_ex:n=3":                                     "d",
		"/events/urn:uuid:a": "a",
		"/events?MATCH_epc=urn:epc:idpat:sgtin:4012345.011111.*&maxEventCount=5&orderBy=recordTime": "e d c b a",
	} {
		resp, body := wang.do("GET", path, "")
		if resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %d %s", path, resp.StatusCode, body)
		} else if got := ids(t, body); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	// Each sees its own; the bureau its region; the administrator all.
	for name, test := range map[string]struct {
		who    partner
		status int
		want   string
	}{"a stranger": {nobody, 401, ""}, "the tea farm": {cha, 200, "tea"}, "the bureau of the oysters": {ju, 200, "e d c b a"}, "the administrator": {admin, 200, "e tea d c b a"}} {
		resp, body := test.who.do("GET", "/events?orderBy=recordTime", "")
		if resp.StatusCode != test.status || test.status == 200 && ids(t, body) != test.want {
			t.Errorf("%s: %d %s", name, resp.StatusCode, body)
		}
	}
	for name, test := range map[string]struct {
		who                partner
		method, path, body string
		status             int
	}{
		"another's event":                   {cha, "GET", "/events/urn:uuid:a", "", 404},
		"another's EPC":                     {cha, "GET", "/epcs/urn:epc:id:sgtin:4012345.011111.a", "", 404},
		"an officer captures":               {ju, "POST", "/events", epcisEvent("x", ""), 403},
		"an administrator, for no operator": {admin, "POST", "/capture", document(epcisEvent("x", "")), 403},
		"a wrong token":                     {partner{t, s.HTTP, strings.Repeat("A", 43)}, "GET", "/", "", 401},
		"nobody asks what can be":           {nobody, "OPTIONS", "/capture", "", 401},
	} {
		if resp, body := test.who.do(test.method, test.path, test.body); resp.StatusCode != test.status {
			t.Errorf("%s: %d %s, want %d", name, resp.StatusCode, body, test.status)
		}
	}
}
