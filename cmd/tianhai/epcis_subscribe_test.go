package main_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// A hook is the receiver of a partner.
type hook struct {
	*httptest.Server
	mu      sync.Mutex
	refuse  int // status for the next posts; 0: they are taken
	most    int // more events than this are 413; 0: any number
	refused int
	taken   []string // eventIDs of each document that was taken
	signed  []string // its signatures
	formats []string // of keys
	bodies  []string
}

func newHook(t *testing.T) *hook {
	h := &hook{}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		status := h.refuse
		if h.most > 0 && strings.Count(string(raw), `"eventID"`) > h.most {
			status = http.StatusRequestEntityTooLarge
		}
		if status != 0 {
			h.refused++
			w.WriteHeader(status)
			return
		}
		h.bodies, h.signed = append(h.bodies, string(raw)), append(h.signed, r.Header.Get("GS1-Signature"))
		h.formats = append(h.formats, r.Header.Get("GS1-EPC-Format"))
		if strings.Contains(string(raw), "EPCISQueryDocument") {
			h.taken = append(h.taken, ids(t, string(raw)))
		}
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *hook) set(refuse, most int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.refuse, h.most = refuse, most
}

// told returns what was taken so far, as one list.
func (h *hook) told() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.Join(strings.Fields(strings.Join(h.taken, " ")), " ")
}

// TestEPCISSubscriptions tells a receiver, one that is down for a while, over a kill -9
// of the program; and one that listens through a WebSocket.
func TestEPCISSubscriptions(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	_, printed := importAccounts(t, data, managedFarm)
	t.Setenv("TIANHAI_RECALLS_PRIVATE_HOOKS", "true")
	s := startServer(t, "serve", data)
	password := passwordOf(t, printed, "wang")
	wang := newPartner(t, s.HTTP, "wang", password)
	li := newPartner(t, s.HTTP, "li", passwordOf(t, printed, "li"))
	cha := newPartner(t, s.HTTP, "cha", passwordOf(t, printed, "cha"))
	must := func(who partner, status int, method, path, body string) (location, answer string) {
		t.Helper()
		resp, got := who.do(method, path, body)
		if resp.StatusCode != status {
			t.Fatalf("%s %s: %d %s, want %d", method, path, resp.StatusCode, got, status)
		}
		return strings.TrimPrefix(resp.Header.Get("Location"), who.base+"/epcis"), got
	}
	add := func(id, more string) {
		t.Helper()
		must(wang, http.StatusCreated, "POST", "/events", epcisEvent(id, more))
	}
	must(wang, http.StatusCreated, "POST", "/queries", `{"name": "shipped", "query": {"EQ_bizStep": ["shipping"]}}`)
	must(wang, http.StatusCreated, "POST", "/queries", `{"name": "all", "query": {}}`)
	must(wang, http.StatusCreated, "POST", "/queries", `{"name": "few", "query": {"maxEventCount": 2}}`)
	add("before", "")

	stream, second, few := newHook(t), newHook(t), newHook(t)
	const token = "correct horse"
	at, _ := must(wang, http.StatusCreated, "POST", "/queries/shipped/subscriptions", `{"dest": "`+stream.URL+`/in?key=k", "signatureToken": "`+token+`", "stream": true}`)
	must(wang, http.StatusCreated, "POST", "/queries/all/subscriptions", `{"dest": "`+second.URL+`", "schedule": {"second": "*"}, "reportIfEmpty": true, "initialRecordTime": "2026-01-01T00:00:00Z"}`)
	must(wang, http.StatusCreated, "POST", "/queries/few/subscriptions", `{"dest": "`+few.URL+`", "schedule": {"second": "0/1"}}`)
	must(li, http.StatusForbidden, "POST", "/queries/all/subscriptions", `{"dest": "`+second.URL+`", "stream": true}`)
	must(cha, http.StatusNotFound, "GET", "/queries/all/events", "")
	must(cha, http.StatusNotFound, "GET", at, "")

	add("a", "")
	add("other", "")
	must(cha, http.StatusCreated, "POST", "/events", epcisEvent("tea", ""))
	waitFor(t, "the stream", 10*time.Second, func() bool { return stream.told() == "a other" })
	mac := hmac.New(sha256.New, []byte(token))
	mac.Write([]byte(stream.bodies[0]))
	if want := base64.StdEncoding.EncodeToString(mac.Sum(nil)); stream.signed[0] != want {
		t.Errorf("signed %q, want %q", stream.signed[0], want)
	}
	if id := at[strings.LastIndexByte(at, '/')+1:]; !strings.Contains(stream.bodies[0], `"queryName":"shipped","subscriptionID":"`+id+`"`) {
		t.Errorf("the document does not say whose it is: %s", stream.bodies[0])
	}
	waitFor(t, "the schedule, and that it has nothing to tell", 10*time.Second, func() bool {
		second.mu.Lock()
		defer second.mu.Unlock()
		return len(second.taken) > 2 && second.taken[len(second.taken)-1] == ""
	})
	if got := second.told(); got != "before a other" {
		t.Errorf("by schedule, from the beginning: %q", got)
	}

	// The receiver is down, then wants less at once; the program is killed meanwhile.
	stream.set(http.StatusInternalServerError, 0)
	few.set(http.StatusInternalServerError, 0)
	for _, id := range []string{"b", "c", "d"} {
		add(id, "")
	}
	var view struct {
		Failed int    `json:"failedAttempts"`
		Reason string `json:"lastFailure"`
	}
	waitFor(t, "a failure to show", 10*time.Second, func() bool {
		_, body := wang.do("GET", at, "")
		return json.Unmarshal([]byte(body), &view) == nil && view.Failed > 0
	})
	if !strings.Contains(view.Reason, "500") {
		t.Errorf("the failure is %+v", view)
	}
	if logged := s.log.String(); strings.Contains(logged, token) || strings.Contains(logged, "key=k") {
		t.Error("the log tells a secret")
	}
	s.kill()
	stream.set(0, 2)
	few.set(0, 0)
	s = startServer(t, "serve", data)
	wang = newPartner(t, s.HTTP, "wang", password)
	waitFor(t, "what was missed, once", 20*time.Second, func() bool { return stream.told() == "a other b c d" })
	waitFor(t, "that there is too much to tell", 20*time.Second, func() bool {
		few.mu.Lock()
		defer few.mu.Unlock()
		return strings.Contains(strings.Join(few.bodies, ""), "epcisException:QueryTooLargeException")
	})

	t.Run("WebSocket", func(t *testing.T) {
		dial := func(path string, headers http.Header) (*websocket.Conn, *http.Response, error) {
			if headers == nil {
				headers = http.Header{"Authorization": {"Bearer " + wang.token}}
			}
			conn, resp, err := websocket.DefaultDialer.DialContext(t.Context(), strings.Replace(s.HTTP, "http", "ws", 1)+"/epcis"+path, headers)
			if err == nil {
				t.Cleanup(func() { conn.Close() })
			}
			return conn, resp, err
		}
		read := func(conn *websocket.Conn) string {
			t.Helper()
			if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
				t.Fatal(err)
			}
			_, raw, err := conn.ReadMessage()
			if err != nil {
				t.Fatal(err)
			}
			return ids(t, string(raw))
		}
		if _, resp, err := dial("/queries/all/events?stream=true", http.Header{}); err == nil || resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("nobody: %v, %v", resp, err)
		}
		if _, resp, err := dial("/queries/all/events?stream=true", http.Header{"Cookie": {"th_session=" + wang.token}, "Origin": {"https://evil.example"}}); err == nil || resp.StatusCode != http.StatusForbidden {
			t.Errorf("a page of another site with our cookie: %v, %v", resp, err)
		}
		live, resp, err := dial("/queries/all/events?stream=true", nil)
		if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
			t.Fatal(resp, err)
		}
		past, _, err := dial("/queries/all/events?stream=true&initialRecordTime=2026-01-01T00:00:00Z", nil)
		if err != nil {
			t.Fatal(err)
		}
		timed, _, err := dial("/queries/all/events", http.Header{"Authorization": {"Bearer " + wang.token}, "GS1-Query-Second": {"*"}, "GS1-Query-ReportIfEmpty": {"true"}})
		if err != nil {
			t.Fatal(err)
		}
		if got := read(timed); got != "" {
			t.Errorf("by schedule, nothing: %q", got)
		}
		if got := read(past); got != "before a other b c d" {
			t.Errorf("from the beginning: %q", got)
		}
		add("live", "")
		if got := read(live); got != "live" {
			t.Errorf("live: %q", got)
		}
		must(wang, http.StatusNoContent, "DELETE", "/queries/all", "")
		if _, _, err := live.ReadMessage(); !websocket.IsCloseError(err, websocket.ClosePolicyViolation) {
			t.Errorf("when the query was deleted: %v", err)
		}
	})
	must(wang, http.StatusNotFound, "GET", "/queries/all/subscriptions", "")
	must(wang, http.StatusNoContent, "DELETE", at, "")
	add("after", "")
	before := stream.told()
	if before != "a other b c d live" {
		waitFor(t, "the last before the end", 10*time.Second, func() bool { before = stream.told(); return strings.HasSuffix(before, "live") })
	}
	if strings.Contains(stream.told(), "after") {
		t.Error("told after the subscription ended")
	}
	t.Run("of programs", func(t *testing.T) {
		subscriptionsOfPrograms(t, wang, newPartner(t, s.HTTP, "li", passwordOf(t, printed, "li")), newPartner(t, s.HTTP, "admin", passwordOf(t, printed, "admin")))
	})
}

// subscriptionsOfPrograms: each is told in the format that it chose, and no more from
// the moment that its token is taken away or whoever added it is gone. What a person
// subscribed to goes on.
func subscriptionsOfPrograms(t *testing.T, wang, li, admin partner) {
	subscribe := func(who partner, h *hook, format string) (path string) {
		t.Helper()
		resp, body := who.do("POST", "/queries/shipped/subscriptions", `{"dest": "`+h.URL+`", "stream": true}`, "GS1-EPC-Format", format)
		if resp.StatusCode != http.StatusCreated || !strings.Contains(body, `"epcFormat":"`+format+`"`) {
			t.Fatalf("subscribe: %d %s", resp.StatusCode, body)
		}
		return strings.TrimPrefix(resp.Header.Get("Location"), who.base+"/epcis")
	}
	program := func() (partner, string) {
		t.Helper()
		var made struct{ ID, Token string }
		resp, body := wang.do("POST", wang.base+"/api/v1/tenants/oysters/programs", `{"name": "ERP", "writes": true, "days": 30}`, "Cookie", "th_session="+wang.token)
		if resp.StatusCode != http.StatusCreated || json.Unmarshal([]byte(body), &made) != nil {
			t.Fatalf("program: %d %s", resp.StatusCode, body)
		}
		return partner{t, wang.base, made.Token}, made.ID
	}
	one, id := program()
	other, _ := program()
	person, first, second := newHook(t), newHook(t), newHook(t)
	subscribe(wang, person, "Always_GS1_Digital_Link")
	at := subscribe(one, first, "Never_Translates")
	subscribe(other, second, "Always_EPC_URN")
	add := func(id string, told ...*hook) {
		t.Helper()
		event := epcisEvent(id, "")
		if strings.HasPrefix(id, "link") {
			event = strings.Replace(event, "urn:epc:id:sgtin:4012345.011111.", "https://id.gs1.org/01/04012345111118/21/", 1)
		}
		if resp, body := li.do("POST", "/events", event); resp.StatusCode != http.StatusCreated {
			t.Fatal(body)
		}
		waitFor(t, "that "+id+" is told", 10*time.Second, func() bool {
			for _, h := range told {
				if !strings.HasSuffix(h.told(), id) {
					return false
				}
			}
			return true
		})
	}
	add("p1", person, first, second)
	for what, test := range map[string]struct {
		h            *hook
		format, want string
	}{
		"links":       {person, "Always_GS1_Digital_Link", `"https://id.gs1.org/01/04012345111118/21/p1"`},
		"as captured": {first, "Never_Translates", `"urn:epc:id:sgtin:4012345.011111.p1"`},
		"URNs":        {second, "Always_EPC_URN", `"urn:epc:id:sgtin:4012345.011111.p1"`},
	} {
		if test.h.formats[0] != test.format || !strings.Contains(test.h.bodies[0], test.want) {
			t.Errorf("%s: told %s in %s", what, test.h.bodies[0], test.h.formats[0])
		}
	}
	// A key is an EPC URN as soon as somebody says how long its company prefix is.
	ask := func(status int, want string) {
		t.Helper()
		resp, body := wang.do("GET", "/events?EQ_eventID=urn:uuid:link1", "", "GS1-EPC-Format", "Always_EPC_URN")
		if resp.StatusCode != status || !strings.Contains(body, want) {
			t.Errorf("as URNs: %d %s; want %d %s", resp.StatusCode, body, status, want)
		}
	}
	add("link1", person, first, second)
	ask(http.StatusNotAcceptable, "epcisException:NotAcceptableException")
	if resp, body := wang.do("POST", wang.base+"/api/v1/tenants/oysters/company-prefixes", `{"prefix": "4012345"}`, "Cookie", "th_session="+wang.token); resp.StatusCode != http.StatusCreated {
		t.Fatal(body)
	}
	ask(http.StatusOK, `"urn:epc:id:sgtin:4012345.011111.link1"`)
	add("link2", person, first, second)
	for i, want := range map[int]string{1: `No_Preference "https://id.gs1.org/01/04012345111118/21/link1"`, 2: `Always_EPC_URN "urn:epc:id:sgtin:4012345.011111.link2"`} {
		if format, key, _ := strings.Cut(want, " "); second.formats[i] != format || !strings.Contains(second.bodies[i], key) {
			t.Errorf("told %s in %s, want %s", second.bodies[i], second.formats[i], want)
		}
	}
	if resp, body := wang.do("DELETE", wang.base+"/api/v1/tenants/oysters/programs/"+id, "", "Cookie", "th_session="+wang.token); resp.StatusCode != http.StatusNoContent {
		t.Fatalf("%d %s", resp.StatusCode, body)
	}
	if resp, _ := wang.do("GET", at, ""); resp.StatusCode != http.StatusNotFound {
		t.Errorf("the subscription of a program that was taken away: %d", resp.StatusCode)
	}
	add("p2", person, second)
	if resp, body := admin.do("PUT", wang.base+"/api/v1/accounts/wang", `{"disabled": true}`, "Cookie", "th_session="+admin.token); resp.StatusCode != http.StatusOK {
		t.Fatal(body)
	}
	add("p3", person)
	add("p4", person)
	if first.told() != "p1 link1 link2" || second.told() != "p1 link1 link2 p2" {
		t.Errorf("told %q and %q after their programs ended", first.told(), second.told())
	}
}
